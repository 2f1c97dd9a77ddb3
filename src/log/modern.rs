//! The pipe layout of JDK 11 and later and of 8u272 and later: headers and what their messages announce.

use memchr::{memchr, memchr_iter};

use super::text::text;
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
        Origin::of(line, self.thread_id, self.thread, self.time)
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
        let end = at + memchr(b'|', rest.get(at..)?)?;
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
    let end = memchr(b'|', bytes)?;
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
    let message = message.trim_ascii_end();
    // Most messages begin with one of these and decide nothing.
    if message.starts_with(b"Ignore") || message.starts_with(b"Unavailable") || message.starts_with(b"Unsupported") {
        return Message::Ignored;
    }
    if let Some(what) = message.strip_prefix(b"Produced ") {
        return handshake(what, Sender::This);
    }
    if let Some(what) = message.strip_prefix(b"Consuming ") {
        return handshake(what, Sender::Peer);
    }
    if let Some(rest) = message.strip_prefix(b"Fatal (") {
        let rest = text(rest);
        return rest
            .split_once("): ")
            .map_or(Message::Ignored, |(alert, message)| Message::Fatal {
                alert: wire_name(alert),
                message: message.to_owned(),
            });
    }
    if let Some(version) = message.strip_prefix(b"Negotiated protocol version: ") {
        return Message::Simple(Kind::NegotiatedVersion(text(version).trim().to_owned()));
    }
    match message {
        b"Received alert message" => Message::AlertReceived,
        b"handling exception" => Message::Exception,
        b"adding as trusted certificates" | b"adding as trusted certificates:" => Message::TrustStore,
        b"Found trusted certificate" | b"Found trusted certificate:" => Message::Seen,
        b"SunX509: skip default keystore"
        | b"Failed to load default trust managers"
        | b"Failed to load default key managers"
        | b"default context init failed:" => Message::ContextFailed,
        b"Closing inbound of SSLEngine" => Message::Simple(Kind::InboundClosed),
        b"Resuming session:" => Message::Simple(Kind::Resumed),
        b"No available client authentication scheme"
        | b"No available client certificate"
        | b"No available client private key"
        | b"No X.509 certificate for client authentication, use empty Certificate message instead" => {
            Message::Simple(Kind::NoClientCertificate)
        }
        _ if message.starts_with(b"No X.509 cert selected for ") => Message::Simple(Kind::NoServerKey),
        _ if message.starts_with(b"Warning: failed to send warning alert")
            || message.starts_with(b"SSLSocket duplex close failed") =>
        {
            Message::CloseFailed
        }
        _ if message.starts_with(b"found key for : ") => Message::Seen,
        _ => Message::Ignored,
    }
}

/// The message of `Produced WHAT` or `Consuming WHAT`.
fn handshake(what: &[u8], sender: Sender) -> Message {
    let end = memchr_iter(b' ', what).find(|at| what[*at..].starts_with(b" message"));
    let name = &what[..end.unwrap_or(what.len())];
    let name = name.strip_suffix(b" handshake").unwrap_or(name);
    let sent_by = |client: bool| Some(client == (sender == Sender::This));
    match name {
        b"ClientHello" => Message::ClientHello { sender, retry: false },
        b"ClientHello(HRR)" => Message::ClientHello { sender, retry: true },
        b"ServerHello" => Message::ServerHello { sender, retry: false },
        b"HelloRetryRequest" => Message::ServerHello { sender, retry: true },
        b"server Certificate" => Message::Certificates {
            sender,
            from_client: Some(false),
        },
        b"client Certificate" => Message::Certificates {
            sender,
            from_client: Some(true),
        },
        b"CertificateRequest" => Message::CertificateRequest { sender },
        b"server Finished" => Message::Simple(Kind::Finished {
            sender,
            from_client: Some(false),
        }),
        b"client Finished" => Message::Simple(Kind::Finished {
            sender,
            from_client: Some(true),
        }),
        b"ServerHelloDone" | b"EncryptedExtensions" | b"CertificateStatus" => {
            Message::Simple(Kind::Progress { client: sent_by(false) })
        }
        _ if name.ends_with(b"ServerKeyExchange") => Message::Simple(Kind::Progress { client: sent_by(false) }),
        _ if name.ends_with(b"ClientKeyExchange") => Message::Simple(Kind::Progress { client: sent_by(true) }),
        _ if sender == Sender::Peer && name.starts_with(b"NewSessionTicket") => Message::Simple(Kind::Ticket),
        b"CertificateVerify" | b"client CertificateVerify" | b"server CertificateVerify" => {
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
