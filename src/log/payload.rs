//! The payload of a modern record, read line by line with no regard to braces, which JSSE does not balance.

use memchr::{memchr, memchr_iter, memrchr};
use smallvec::smallvec;

use super::certificate::{Certificates, quoted};
use super::hello::Hello;
use super::modern::Message;
use super::text::{text, without_indent};
use super::{Alert, AlertLevel, Excerpt, Kind, Line, Thrown, ThrownBy};

/// Payload lines kept as evidence for one record.
const KEPT_LINES: usize = 8;
/// Names of certificate authorities that are kept of one CertificateRequest.
const KEPT_AUTHORITIES: usize = 64;
/// A line of evidence is cut here.
const EVIDENCE_LIMIT: usize = 512;

/// What the payload of the open record is read into.
#[derive(Debug, Clone)]
enum Body {
    Skipped,
    Hello(Box<Hello>),
    Certificates(Certificates),
    Request { authorities: Vec<String>, within: bool },
    Alert { level: AlertLevel, description: String },
    Thrown(Thrown),
}

/// The record that is open.
#[derive(Debug, Clone)]
pub(super) struct Payload {
    message: Message,
    body: Body,
    lines: Excerpt,
}

impl Payload {
    /// Begins a record whose header line is given.
    pub(super) fn begin(message: Message, header: &[u8], number: u64) -> Self {
        let body = match &message {
            Message::ClientHello { .. } | Message::ServerHello { .. } => Body::Hello(Box::default()),
            Message::Certificates { .. } | Message::Seen => Body::Certificates(Certificates::default()),
            Message::TrustStore => Body::Certificates(Certificates::of_store()),
            Message::CertificateRequest { .. } => Body::Request {
                authorities: Vec::new(),
                within: false,
            },
            Message::AlertReceived => Body::Alert {
                level: AlertLevel::Fatal,
                description: String::new(),
            },
            Message::Fatal { .. } | Message::Exception | Message::CloseFailed | Message::ContextFailed => {
                Body::Thrown(Thrown::default())
            }
            _ => Body::Skipped,
        };
        let lines = if message == Message::Ignored {
            Excerpt::new()
        } else {
            smallvec![line_of(header, number)]
        };
        Self { message, body, lines }
    }

    /// Takes a payload line.
    pub(super) fn line(&mut self, line: &[u8], number: u64) {
        if matches!(self.body, Body::Skipped) {
            return;
        }
        let shown = match &mut self.body {
            Body::Skipped => false,
            Body::Hello(hello) => hello.line(line),
            Body::Certificates(certificates) => {
                certificates.modern(line, number) && !matches!(self.message, Message::TrustStore)
            }
            Body::Request { authorities, within } => request(&text(line), authorities, within),
            Body::Alert { level, description } => alert(line, level, description),
            Body::Thrown(thrown) => throwable(line, thrown),
        };
        if shown && self.lines.len() < KEPT_LINES {
            self.lines.push(line_of(line, number));
        }
    }

    /// The event that the record tells, if it is one.
    pub(super) fn finish(self) -> Option<(Kind, Excerpt)> {
        let kind = match (self.message, self.body) {
            (Message::ClientHello { sender, retry }, Body::Hello(hello)) => Kind::ClientHello {
                sender,
                retry,
                hello: Box::new(hello.client),
            },
            (Message::ServerHello { sender, retry }, Body::Hello(hello)) => Kind::ServerHello {
                sender,
                retry: retry || hello.retry,
                hello: Box::new(hello.server),
            },
            (Message::Certificates { sender, from_client }, Body::Certificates(certificates)) => Kind::Certificates {
                sender,
                from_client,
                chain: certificates.into_found(),
            },
            (Message::Seen, Body::Certificates(certificates)) => Kind::Seen(certificates.into_found()),
            (Message::TrustStore, Body::Certificates(certificates)) => Kind::TrustStore(certificates.into_found()),
            (Message::CertificateRequest { sender }, Body::Request { authorities, .. }) => {
                Kind::CertificateRequest { sender, authorities }
            }
            (Message::AlertReceived, Body::Alert { level, description }) => {
                Kind::AlertReceived(Alert { level, description })
            }
            (Message::Fatal { alert, message }, Body::Thrown(thrown)) => Kind::Fatal {
                alert,
                message,
                thrown: Box::new(thrown),
            },
            (Message::Exception, Body::Thrown(thrown)) => Kind::Exception(Box::new(thrown)),
            (Message::CloseFailed, Body::Thrown(thrown)) => Kind::CloseFailed(Box::new(thrown)),
            (Message::ContextFailed, Body::Thrown(thrown)) => Kind::ContextFailed(Box::new(thrown)),
            (Message::Simple(kind), _) => kind,
            _ => return None,
        };
        Some((kind, self.lines))
    }
}

/// A line as evidence, cut at a character boundary.
pub(super) fn line_of(line: &[u8], number: u64) -> Line {
    let line = line.trim_ascii_end();
    // What is cut off need not be valid: one character more is enough to find the boundary.
    let head = text(line.get(..EVIDENCE_LIMIT + 4).unwrap_or(line));
    Line {
        number,
        text: head[..head.floor_char_boundary(EVIDENCE_LIMIT)].to_owned(),
    }
}

/// A line of a CertificateRequest: `"certificate authorities": [A, B]`, or one name a line in TLS 1.3.
fn request(line: &str, authorities: &mut Vec<String>, within: &mut bool) -> bool {
    let text = line.trim();
    if let Some(rest) = text.strip_prefix("\"certificate authorities\":") {
        let rest = rest.trim().trim_start_matches('[');
        *within = !rest.ends_with(']');
        let rest = rest.trim_end_matches(']').trim();
        if !rest.is_empty() && rest != "<empty>" {
            keep_authority(authorities, rest);
        }
        return true;
    }
    if *within {
        *within = !text.ends_with(']');
        let name = text.trim_end_matches(']').trim_end_matches(',').trim();
        return name.contains('=') && keep_authority(authorities, name);
    }
    false
}

/// Keeps the name of an authority; answers whether there was room for it.
pub(super) fn keep_authority(authorities: &mut Vec<String>, name: &str) -> bool {
    let room = authorities.len() < KEPT_AUTHORITIES;
    if room {
        authorities.push(name.to_owned());
    }
    room
}

fn alert(line: &[u8], level: &mut AlertLevel, description: &mut String) -> bool {
    let Some(rest) = line.trim_ascii().strip_prefix(b"\"") else {
        return false;
    };
    let Some(end) = memchr(b'"', rest) else { return false };
    let value = quoted(&rest[end + 1..]);
    match &rest[..end] {
        b"level" => {
            if value == "warning" {
                *level = AlertLevel::Warning;
            }
        }
        b"description" => *description = value.into_owned(),
        _ => return false,
    }
    true
}

/// What IBM's certificate path provider ends a line of its messages with; the next line, after a tab, names the cause.
pub(super) const INTERNAL_CAUSE: &str = "internal cause is:";

/// A line of a throwable: class and message, a cause, or a frame.
pub(super) fn throwable(line: &[u8], thrown: &mut Thrown) -> bool {
    let line = without_indent(line);
    if let Some(frame) = line.strip_prefix(b"at ") {
        frame_of(frame, thrown);
        return false;
    }
    if line.starts_with(b"... ") {
        return false;
    }
    let line = line.strip_prefix(b"Caused by: ").unwrap_or(line);
    link(&text(line.trim_ascii_end())).is_some_and(|cause| thrown.push(cause))
}

/// Class and message of `java.io.EOFException: SSL peer shut down incorrectly`.
pub(super) fn link(text: &str) -> Option<ThrownBy> {
    let (class, message) = split_at_colon(text).unwrap_or((text.trim_end_matches('}').trim_end_matches(':'), ""));
    let last = class.rsplit('.').next().unwrap_or(class);
    // IBM's classes have names like `com.ibm.jsse2.util.h`.
    let named = class.contains('.')
        && !class.contains(' ')
        && class
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'$'))
        && ["Exception", "Error", "Throwable", "Failure", "Timeout"]
            .iter()
            .any(|end| last.ends_with(end) || class.starts_with("com.ibm.jsse2."));
    if !named {
        return None;
    }
    Some(ThrownBy {
        class: class.to_owned(),
        message: without_alert(message).to_owned(),
    })
}

/// What stands before and behind the first colon with a blank. A searcher for both would take longer to make than to use.
fn split_at_colon(text: &str) -> Option<(&str, &str)> {
    let at = memchr_iter(b':', text.as_bytes()).find(|at| text.as_bytes().get(at + 1) == Some(&b' '))?;
    Some((&text[..at], &text[at + 2..]))
}

/// A message without the `(alert_name) ` before it (JDK-8311644).
fn without_alert(message: &str) -> &str {
    let Some((name, rest)) = message.strip_prefix('(').and_then(|rest| rest.split_once(") ")) else {
        return message;
    };
    if name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
        rest
    } else {
        message
    }
}

/// A frame such as `java.base/sun.security.ssl.SSLSocketImpl.startHandshake(SSLSocketImpl.java:440)`.
fn frame_of(frame: &[u8], thrown: &mut Thrown) {
    let path = &frame[..memchr(b'(', frame).unwrap_or(frame.len())];
    let method = memrchr(b'.', path).map_or(path, |dot| &path[dot + 1..]);
    let begins = |names: &[&[u8]]| names.iter().any(|name| method.starts_with(name));
    match method.first() {
        Some(b'c') if begins(&[b"checkServerTrusted", b"checkServerCerts"]) => {
            thrown.checks_server = true;
        }
        Some(b'c') if begins(&[b"checkClientTrusted", b"checkClientCerts"]) => {
            thrown.checks_client = true;
        }
        Some(b'r' | b's' | b'k') if begins(&[b"readHandshakeRecord", b"startHandshake", b"kickstart"]) => {
            thrown.in_handshake = true;
        }
        Some(b'r') if method.starts_with(b"readApplicationRecord") => thrown.in_application_data = true,
        _ => {}
    }
}
