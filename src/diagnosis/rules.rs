//! The rules: each looks at one failed handshake and knows one kind of cause.
//!
//! They are asked in order; the first that answers decides. Rules on what this end decided stand before those on the
//! peer's alert, and those before the ones on broken connections, so that a consequence never hides its cause.

mod application_protocol;
mod certificate_limits;
mod certificate_path;
mod cipher_suite;
mod client_certificate;
mod connection;
mod host_name;
mod internal_error;
mod key_usage;
mod named_group;
mod not_tls;
mod peer_alert;
mod protocol_version;
mod renegotiation;
mod revocation;
mod server_name;
mod signature_algorithm;
#[cfg(test)]
mod testing;
mod trust_store;
mod validity;
mod weak_algorithm;

use super::catalogue::Cause;
use super::report::Certainty;
use crate::handshake::{Failure, Handshake, Knowledge, Side, Topic};

/// What a rule answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Diagnosis {
    pub(super) cause: &'static Cause,
    pub(super) certainty: Certainty,
    /// One sentence.
    pub(super) summary: String,
    /// Why, and what else it could be.
    pub(super) explanation: String,
    /// The evidence to show beside the failure itself.
    pub(super) topics: &'static [Topic],
}

/// What a rule looks at.
struct Case<'a> {
    handshake: &'a Handshake,
    failure: &'a Failure,
    knowledge: &'a Knowledge,
    narrowed: Vec<Narrowed>,
}

/// A list of an offer that configuration has cut down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Narrowed {
    CipherSuites,
    Groups,
    SignatureAlgorithms,
}

/// A client that offers no more signature algorithms than this has been told to.
const FEW_SIGNATURE_ALGORITHMS: usize = 2;

type Rule = fn(&Case<'_>) -> Option<Diagnosis>;

const RULES: &[Rule] = &[
    not_tls::rule,
    trust_store::rule,
    validity::rule,
    revocation::rule,
    weak_algorithm::rule,
    key_usage::rule,
    host_name::rule,
    certificate_path::rule,
    client_certificate::rule,
    protocol_version::rule,
    named_group::rule,
    signature_algorithm::rule,
    cipher_suite::rule,
    application_protocol::rule,
    server_name::rule,
    certificate_limits::rule,
    renegotiation::rule,
    peer_alert::rule,
    connection::rule,
];

/// The root cause of a failed handshake.
pub(super) fn diagnose(handshake: &Handshake, knowledge: &Knowledge) -> Diagnosis {
    let unknown = Failure::default();
    let failure = handshake.failure.as_ref().unwrap_or(&unknown);
    let mut case = Case {
        handshake,
        failure,
        knowledge,
        narrowed: Vec::new(),
    };
    case.narrowed = case.lists_cut_down();
    let mut diagnosis = RULES
        .iter()
        .find_map(|rule| rule(&case))
        .unwrap_or_else(|| internal_error::diagnosis(&case));
    if handshake.uncertain && diagnosis.certainty == Certainty::Proven && !diagnosis.topics.is_empty() {
        diagnosis.certainty = Certainty::Likely;
        diagnosis.explanation.push_str(
            " Several handshakes ran at the same time on shared threads, and the log does not say which message belongs to which.",
        );
    }
    diagnosis
}

impl Case<'_> {
    /// Whether this end's decision, or the exception beneath it, holds this text.
    fn says(&self, text: &str) -> bool {
        self.failure.says(text)
    }

    /// The alert that the peer sent.
    fn peer_alert(&self) -> Option<&str> {
        self.failure.received.then(|| {
            self.failure
                .alert
                .as_deref()
                .or_else(|| self.failure.message().strip_prefix("Received fatal alert: "))
                .unwrap_or("unknown")
        })
    }

    fn is_client(&self) -> bool {
        self.handshake.side == Some(Side::Client)
    }

    fn is_server(&self) -> bool {
        self.handshake.side == Some(Side::Server)
    }

    /// The lists of this client's offer that configuration has cut down, where the server answered the offer with
    /// handshake_failure and nothing else. One alone is what most likely did not suit; of several, which one it was cannot be
    /// told.
    fn lists_cut_down(&self) -> Vec<Narrowed> {
        let straight = self.is_client() && !self.peer_answered() && self.peer_alert() == Some("handshake_failure");
        let Some(hello) = self.handshake.client_hello.as_ref().filter(|_| straight) else {
            return Vec::new();
        };
        let mut narrowed = Vec::new();
        if cipher_suite::is_narrow(&self.offered_suites()) {
            narrowed.push(Narrowed::CipherSuites);
        }
        if hello.groups.len() == 1 {
            narrowed.push(Narrowed::Groups);
        }
        if (1..=FEW_SIGNATURE_ALGORITHMS).contains(&hello.signature_algorithms.len()) {
            narrowed.push(Narrowed::SignatureAlgorithms);
        }
        narrowed
    }

    /// The other end in a sentence.
    fn peer(&self) -> String {
        if self.is_server() {
            return match self
                .handshake
                .peer_certificate()
                .map(|certificate| &certificate.subject)
            {
                Some(subject) => format!("the client \"{subject}\""),
                None => "the client".to_owned(),
            };
        }
        if let Some(name) = self
            .handshake
            .client_hello
            .as_ref()
            .and_then(|hello| hello.server_name.as_ref())
        {
            return name.clone();
        }
        match self.handshake.peer_certificate() {
            Some(certificate) => format!("the server \"{}\"", certificate.subject),
            None => "the server".to_owned(),
        }
    }

    /// Whether the peer said anything: without, only what this end sent can have mattered.
    fn peer_answered(&self) -> bool {
        self.handshake.server_hello.is_some() || self.handshake.peer_chain.is_some()
    }

    fn offered_suites(&self) -> Vec<&str> {
        self.handshake
            .client_hello
            .as_ref()
            .map(|hello| hello.offered_suites().collect())
            .unwrap_or_default()
    }

    fn offered_versions(&self) -> Vec<&str> {
        self.handshake
            .client_hello
            .as_ref()
            .map(crate::log::ClientHello::offered_versions)
            .unwrap_or_default()
    }
}

/// A list in a sentence, cut where it gets long.
fn listed(items: &[&str]) -> String {
    const SHOWN: usize = 6;
    if items.len() <= SHOWN {
        return items.join(", ");
    }
    format!("{} and {} more", items[..SHOWN].join(", "), items.len() - SHOWN)
}
