//! What happened in a handshake, message by message: kept only where it is asked for.

use super::{Handshake, Side, tracker};
use crate::log::{Alert, Event, Excerpt, Kind, Sender};

/// Entries kept of one handshake; a full handshake has some fifteen.
const KEPT: usize = 40;
/// Further entries for how it ended, which come last.
const KEPT_AT_END: usize = 8;

/// What an entry of a transcript is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A handshake message, by its name in the RFCs.
    Message(String),
    /// An alert, by its name on the wire.
    Alert(String),
    /// Something that this end noted without a message: `TLSv1.3 negotiated`.
    Note(String),
    /// An exception or fatal error at this end, with the alert that it sends if it sends one.
    Error {
        /// The text of the record, or of the exception.
        message: String,
        /// The alert's name on the wire.
        alert: Option<String>,
    },
}

/// One entry of a handshake's transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub step: Step,
    /// The end that sent the message; none for what is no message, or where the log does not tell.
    pub from: Option<Side>,
    /// Line number of the record's header, from 1.
    pub line: u64,
    /// The time as printed.
    pub time: Option<String>,
    /// The record: its header, then the lines of its payload that matter.
    pub lines: Excerpt,
}

impl Entry {
    /// The entry of an event, before it is known which handshake it belongs to.
    pub(super) fn of(event: &Event) -> Option<(Self, Option<Sender>)> {
        let header = event.lines.first().map_or("", |line| line.text.as_str());
        let (step, sender) = match &event.kind {
            Kind::ClientHello { sender, .. } => (message("ClientHello"), Some(*sender)),
            Kind::ServerHello { sender, retry, .. } => (
                message(if *retry { "HelloRetryRequest" } else { "ServerHello" }),
                Some(*sender),
            ),
            Kind::NegotiatedVersion(version) => (Step::Note(format!("{version} negotiated")), None),
            Kind::Certificates { sender, .. } => (message("Certificate"), Some(*sender)),
            Kind::CertificateRequest { sender, .. } => (message("CertificateRequest"), Some(*sender)),
            Kind::Finished { sender, .. } => (message("Finished"), Some(*sender)),
            Kind::Ticket => (message("NewSessionTicket"), Some(Sender::Peer)),
            Kind::Progress { .. } => progress(header),
            Kind::NoClientCertificate => (Step::Note("no client certificate to send".to_owned()), None),
            Kind::Resumed => (Step::Note("session resumed".to_owned()), None),
            Kind::InboundClosed => (Step::Note("this end stops reading".to_owned()), None),
            Kind::AlertReceived(Alert { description, .. }) => (Step::Alert(description.clone()), Some(Sender::Peer)),
            Kind::AlertSent(Alert { description, .. }) => (Step::Alert(description.clone()), Some(Sender::This)),
            Kind::Fatal { alert, message, .. } => {
                let echo = tracker::peers_alert(message).is_some();
                let alert = (!echo).then(|| alert.clone());
                let message = message.clone();
                (Step::Error { message, alert }, None)
            }
            Kind::Exception(thrown) | Kind::CloseFailed(thrown) | Kind::ContextFailed(thrown) => {
                let message = thrown.chain.first().map_or_else(String::new, |link| {
                    if link.message.is_empty() {
                        link.class.clone()
                    } else {
                        link.message.clone()
                    }
                });
                (Step::Error { message, alert: None }, None)
            }
            Kind::NoServerKey | Kind::TrustStore(_) | Kind::Seen(_) | Kind::Begun | Kind::KeyMaterial => return None,
        };
        let entry = Self {
            step,
            from: None,
            line: event.origin.line,
            time: event.origin.time().map(str::to_owned),
            lines: event.lines.clone(),
        };
        Some((entry, sender))
    }

    /// Whether it belongs to how the handshake ended.
    fn is_ending(&self) -> bool {
        matches!(self.step, Step::Alert(_) | Step::Error { .. })
    }
}

impl Handshake {
    /// Adds an entry, as long as there is room.
    pub(super) fn record(&mut self, mut entry: Entry, sender: Option<Sender>) {
        let room = if entry.is_ending() { KEPT + KEPT_AT_END } else { KEPT };
        if self.transcript.len() >= room {
            return;
        }
        let told = match &entry.step {
            Step::Message(name) => sent_by(name),
            _ => None,
        };
        entry.from = told.or_else(|| {
            let this = self.side?;
            let other = match this {
                Side::Client => Side::Server,
                Side::Server => Side::Client,
            };
            sender.map(|sender| if sender == Sender::This { this } else { other })
        });
        self.transcript.push(entry);
    }
}

fn message(name: &str) -> Step {
    Step::Message(name.to_owned())
}

/// The end that alone can send a message of this name.
fn sent_by(name: &str) -> Option<Side> {
    match name {
        "ClientHello" | "ClientKeyExchange" => Some(Side::Client),
        "ServerHello"
        | "HelloRetryRequest"
        | "EncryptedExtensions"
        | "ServerKeyExchange"
        | "ServerHelloDone"
        | "CertificateRequest"
        | "CertificateStatus"
        | "HelloRequest"
        | "NewSessionTicket" => Some(Side::Server),
        _ => None,
    }
}

/// A message that only its record's header names: `… |Produced ECDH ServerKeyExchange handshake message`, or
/// `*** ECDHClientKeyExchange` in the legacy layouts.
fn progress(header: &str) -> (Step, Option<Sender>) {
    const NAMES: [&str; 8] = [
        "ServerHelloDone",
        "ServerKeyExchange",
        "ClientKeyExchange",
        "CertificateVerify",
        "CertificateStatus",
        "EncryptedExtensions",
        "HelloRequest",
        "NewSessionTicket",
    ];
    let announced = ["Produced ", "Consuming "].iter().find_map(|verb| {
        let (_, rest) = header.rsplit_once(verb)?;
        Some((*verb, rest))
    });
    let (sender, text) = match announced {
        Some(("Produced ", rest)) => (Some(Sender::This), rest),
        Some((_, rest)) => (Some(Sender::Peer), rest),
        None => (None, header.trim_start_matches("*** ")),
    };
    let text = text.split_once(" message").map_or(text, |(name, _)| name);
    let text = text.trim_end_matches(" handshake");
    let name = NAMES
        .iter()
        .find(|name| text.contains(**name))
        .copied()
        .unwrap_or("handshake message");
    (message(name), sender)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_names_its_message_and_its_direction() {
        let header = "javax.net.ssl|DEBUG|01|a|2026-11-23 14:54:54.220 GMT|X.java:1|Consuming ECDH ServerKeyExchange handshake message";
        assert_eq!(progress(header), (message("ServerKeyExchange"), Some(Sender::Peer)));
        assert_eq!(
            progress("*** ECDHClientKeyExchange"),
            (message("ClientKeyExchange"), None)
        );
    }
}
