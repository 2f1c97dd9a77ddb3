//! The pipe layout of JDK 11 and later and of 8u272 and later: headers and what their messages announce.

use super::{Kind, Origin, Sender};

/// What a header's message announces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Message {
    ClientHello {
        sender: Sender,
        retry: bool,
    },
    ServerHello {
        sender: Sender,
        retry: bool,
    },
    Certificates {
        sender: Sender,
        from_client: Option<bool>,
    },
    CertificateRequest {
        sender: Sender,
    },
    AlertReceived,
    Fatal {
        alert: String,
        message: String,
    },
    Exception,
    CloseFailed,
    ContextFailed,
    TrustStore,
    Seen,
    /// The header says it all.
    Simple(Kind),
    Ignored,
}

/// A record's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header<'a> {
    pub(super) thread_id: &'a [u8],
    pub(super) thread: &'a [u8],
    pub(super) time: &'a [u8],
    pub(super) message: &'a [u8],
    /// Whether the message opens a payload.
    pub(super) opens: bool,
}

impl Header<'_> {
    pub(super) fn origin(&self, line: u64) -> Origin {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes.get(..128).unwrap_or(bytes)).into_owned();
        Origin {
            line,
            thread_id: text(self.thread_id),
            thread: text(self.thread),
            time: Some(text(self.time)),
        }
    }
}

/// What stands before every header.
pub(super) const LOGGER: &[u8] = b"javax.net.ssl|";

/// Reads a line that begins with [`LOGGER`].
///
/// The fields are not counted, as a thread's name may hold the separator: the time is the anchor.
pub(super) fn header(line: &[u8]) -> Option<Header<'_>> {
    let rest = line.strip_prefix(LOGGER)?;
    let (level, rest) = short_field(rest)?;
    if level.is_empty() || level.len() > 8 || !level.iter().all(u8::is_ascii_uppercase) {
        return None;
    }
    let (thread_id, rest) = short_field(rest)?;
    let mut at = 0;
    loop {
        let end = at + memchr::memchr(b'|', rest.get(at..)?)?;
        let after = rest.get(end + 1..)?;
        if is_time(after) {
            let (time, after) = field(after)?;
            let (_caller, message) = field(after)?;
            let opens = message.ends_with(b" (");
            let message = if opens { &message[..message.len() - 2] } else { message };
            return Some(Header {
                thread_id,
                thread: &rest[..end],
                time,
                message,
                opens,
            });
        }
        at = end + 1;
    }
}

/// A field so short that a look at each byte is the fastest.
fn short_field(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'|')?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

fn field(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(b'|', bytes)?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

/// Whether the bytes begin with `2026-11-23 14:54:54.220 `.
fn is_time(bytes: &[u8]) -> bool {
    const SHAPE: &[u8; 24] = b"dddd-dd-dd dd:dd:dd.ddd ";
    let Some((head, _)) = bytes.split_first_chunk::<24>() else {
        return false;
    };
    // Without an early end the compiler compares many bytes at once.
    (0..SHAPE.len()).fold(true, |fits, at| {
        let (shape, byte) = (SHAPE[at], head[at]);
        fits & (if shape == b'd' {
            byte.is_ascii_digit()
        } else {
            byte == shape
        })
    })
}

/// What a message announces.
pub(super) fn message(message: &[u8]) -> Message {
    // Most messages begin with one of these and decide nothing.
    if message.starts_with(b"Ignore") || message.starts_with(b"Unavailable") || message.starts_with(b"Unsupported") {
        return Message::Ignored;
    }
    let Ok(text) = std::str::from_utf8(message) else {
        return classify(&String::from_utf8_lossy(message));
    };
    classify(text)
}

fn classify(text: &str) -> Message {
    if let Some(what) = text.strip_prefix("Produced ") {
        return handshake(what, Sender::This);
    }
    if let Some(what) = text.strip_prefix("Consuming ") {
        return handshake(what, Sender::Peer);
    }
    if let Some(rest) = text.strip_prefix("Fatal (") {
        let Some((alert, message)) = rest.split_once("): ") else {
            return Message::Ignored;
        };
        return Message::Fatal {
            alert: wire_name(alert),
            message: message.to_owned(),
        };
    }
    if let Some(version) = text.strip_prefix("Negotiated protocol version: ") {
        return Message::Simple(Kind::NegotiatedVersion(version.trim().to_owned()));
    }
    match text {
        "Received alert message" => return Message::AlertReceived,
        "handling exception" => return Message::Exception,
        "adding as trusted certificates" | "adding as trusted certificates:" => return Message::TrustStore,
        "Found trusted certificate" | "Found trusted certificate:" => return Message::Seen,
        "SunX509: skip default keystore"
        | "Failed to load default trust managers"
        | "Failed to load default key managers"
        | "default context init failed: " => return Message::ContextFailed,
        "Closing inbound of SSLEngine" => return Message::Simple(Kind::InboundClosed),
        "Resuming session: " | "Resuming session:" => return Message::Simple(Kind::Resumed),
        "No available client authentication scheme"
        | "No available client certificate"
        | "No available client private key"
        | "No X.509 certificate for client authentication, use empty Certificate message instead" => {
            return Message::Simple(Kind::NoClientCertificate);
        }
        _ => {}
    }
    if text.starts_with("No X.509 cert selected for ") {
        return Message::Simple(Kind::NoServerKey);
    }
    if text.starts_with("Warning: failed to send warning alert") || text.starts_with("SSLSocket duplex close failed") {
        return Message::CloseFailed;
    }
    if text.starts_with("found key for : ") {
        return Message::Seen;
    }
    Message::Ignored
}

/// The message of `Produced WHAT` or `Consuming WHAT`.
fn handshake(what: &str, sender: Sender) -> Message {
    let name = what.split_once(" message").map_or(what, |(name, _)| name);
    let name = name.strip_suffix(" handshake").unwrap_or(name);
    let sent_by = |client: bool| Some(client == (sender == Sender::This));
    match name {
        "ClientHello" => Message::ClientHello { sender, retry: false },
        "ClientHello(HRR)" => Message::ClientHello { sender, retry: true },
        "ServerHello" => Message::ServerHello { sender, retry: false },
        "HelloRetryRequest" => Message::ServerHello { sender, retry: true },
        "server Certificate" => Message::Certificates {
            sender,
            from_client: Some(false),
        },
        "client Certificate" => Message::Certificates {
            sender,
            from_client: Some(true),
        },
        "CertificateRequest" => Message::CertificateRequest { sender },
        "server Finished" => Message::Simple(Kind::Finished {
            sender,
            from_client: Some(false),
        }),
        "client Finished" => Message::Simple(Kind::Finished {
            sender,
            from_client: Some(true),
        }),
        "ServerHelloDone" | "EncryptedExtensions" | "CertificateStatus" => {
            Message::Simple(Kind::Progress { client: sent_by(false) })
        }
        _ if name.ends_with("ServerKeyExchange") => Message::Simple(Kind::Progress { client: sent_by(false) }),
        _ if name.ends_with("ClientKeyExchange") => Message::Simple(Kind::Progress { client: sent_by(true) }),
        _ if sender == Sender::Peer && name.starts_with("NewSessionTicket") => Message::Simple(Kind::Ticket),
        "CertificateVerify" | "client CertificateVerify" | "server CertificateVerify" => {
            Message::Simple(Kind::Progress { client: None })
        }
        _ => Message::Ignored,
    }
}

/// The wire's name of an alert that `sun.security.ssl.Alert` writes in capitals, some of them differently.
pub(super) fn wire_name(name: &str) -> String {
    match name {
        "BAD_CERT_STATUS_RESPONSE" => "bad_certificate_status_response".to_owned(),
        "CERT_UNOBTAINABLE" => "certificate_unobtainable".to_owned(),
        "BAD_CERT_HASH_VALUE" => "bad_certificate_hash_value".to_owned(),
        other => other.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_name_may_hold_the_separator() {
        let line =
            b"javax.net.ssl|DEBUG|01 34|kafka | adminclient-1|2026-11-23 24:54:54.220 GMT-05:00|null:-1|Session(1|A) (";
        let header = header(line).expect("a whole header");
        assert_eq!(header.thread, b"kafka | adminclient-1");
        assert_eq!(header.time, b"2026-11-23 24:54:54.220 GMT-05:00");
        assert_eq!(header.message, b"Session(1|A)");
        assert!(header.opens);
    }

    #[test]
    fn a_virtual_thread_has_no_name() {
        let header = header(b"javax.net.ssl|DEBUG|21||2026-11-23 14:54:54.220 GMT|A.java:1|x").expect("a whole header");
        assert_eq!(
            (header.thread_id, header.thread, header.opens),
            (&b"21"[..], &b""[..], false)
        );
    }

    #[test]
    fn messages() {
        assert_eq!(
            message(b"Produced ClientHello(HRR) handshake message"),
            Message::ClientHello {
                sender: Sender::This,
                retry: true
            }
        );
        assert_eq!(
            message(b"Consuming server Finished handshake message"),
            Message::Simple(Kind::Finished {
                sender: Sender::Peer,
                from_client: Some(false)
            })
        );
        assert_eq!(
            message(b"Consuming ECDH ServerKeyExchange handshake message"),
            Message::Simple(Kind::Progress { client: Some(true) })
        );
        assert_eq!(
            message(b"Fatal (BAD_CERT_HASH_VALUE): a|b"),
            Message::Fatal {
                alert: "bad_certificate_hash_value".into(),
                message: "a|b".into()
            }
        );
    }
}
