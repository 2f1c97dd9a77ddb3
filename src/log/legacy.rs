//! The layouts of JDK 6, 7 and 8 before 8u272, and of IBM JSSE2: blocks of lines, most without a thread.
//!
//! Nothing says which way a message went. A block that this end receives stands after `T, READ: … Handshake`; one that it
//! sends stands before `T, WRITE: … Handshake`. Which end this is follows from the ClientHello.

use super::certificate::Certificates;
use super::hello::list;
use super::payload::{line_of, link};
use super::{Alert, AlertLevel, Certificate, ClientHello, Event, Kind, Line, Origin, Sender, ServerHello, Thrown};

/// Threads whose end of the connection is remembered.
const KEPT_THREADS: usize = 64;
/// Lines kept as evidence for one block.
const KEPT_LINES: usize = 8;
/// Names of certificate authorities kept of one CertificateRequest.
const KEPT_AUTHORITIES: usize = 64;
/// Certificates of a trust store that are kept.
const KEPT_ANCHORS: usize = 1024;

/// A block that is being read.
#[derive(Debug)]
struct Block {
    body: Body,
    fresh: bool,
    number: u64,
    lines: Vec<Line>,
}

#[derive(Debug)]
enum Body {
    ClientHello(ClientHello),
    ServerHello(ServerHello),
    Chain(Certificates),
    Request {
        authorities: Vec<String>,
        within: bool,
    },
    Seen(Certificates),
    Finished,
    /// `fatal error: 46: …`, whose exception stands on the next line.
    FatalError,
}

/// Reads the legacy layouts.
#[derive(Debug, Default)]
pub(super) struct Legacy {
    block: Option<Block>,
    /// The thread that read the last handshake record.
    thread: String,
    /// That record's messages have not been printed yet.
    fresh: bool,
    /// The server has said all it has to say: what follows is the client's.
    hello_done: bool,
    roles: Vec<(String, bool)>,
    /// A ClientHello of this end, whose thread only the next record tells.
    unsent: Vec<Event>,
    anchors: Vec<Certificate>,
    anchor_open: bool,
}

/// Receives the events of a line.
type Emit<'a> = &'a mut dyn FnMut(Event);

impl Legacy {
    /// Takes a line; answers whether it is of these layouts.
    pub(super) fn line(&mut self, line: &[u8], number: u64, emit: Emit<'_>) -> bool {
        match line.first() {
            Some(b'*') if line.starts_with(b"***") => self.stars(line, number, emit),
            Some(b'%') if line.starts_with(b"%% ") => {
                self.end_block(emit);
                self.session(line, number, emit);
                true
            }
            Some(b'a') if line.starts_with(b"adding as trusted cert:") => {
                self.end_block(emit);
                if self.anchors.len() < KEPT_ANCHORS {
                    self.anchors.push(Certificate::default());
                }
                self.anchor_open = true;
                true
            }
            Some(b'F') if line.starts_with(b"Found trusted certificate:") => {
                self.end_block(emit);
                self.begin(Body::Seen(Certificates::default()), line, number);
                true
            }
            Some(b'W') if line.starts_with(b"Warning: no suitable certificate found") => {
                self.end_block(emit);
                self.emit(
                    Kind::NoClientCertificate,
                    number,
                    vec![line_of(&lossy(line), number)],
                    emit,
                );
                true
            }
            Some(b'S' | b'C' | b'P' | b'M')
                if [
                    &b"SESSION KEYGEN:"[..],
                    b"CONNECTION KEYGEN:",
                    b"PreMaster Secret:",
                    b"Master Secret:",
                ]
                .contains(&line) =>
            {
                self.end_block(emit);
                self.emit(Kind::KeyMaterial, number, Vec::new(), emit);
                true
            }
            _ => self.threaded(line, number, emit) || self.within(line, number, emit),
        }
    }

    /// The input has ended.
    pub(super) fn finish(&mut self, emit: Emit<'_>) {
        self.end_block(emit);
        for event in self.unsent.drain(..) {
            emit(event);
        }
    }

    /// A line that begins with three stars: a message, or the end of one.
    fn stars(&mut self, line: &[u8], number: u64, emit: Emit<'_>) -> bool {
        self.end_block(emit);
        let text = lossy(line);
        let Some(name) = text.strip_prefix("*** ") else {
            return true;
        };
        if let Some(version) = name.strip_prefix("ClientHello, ") {
            let hello = ClientHello {
                version: version.trim().to_owned(),
                ..ClientHello::default()
            };
            self.hello_done = false;
            self.begin(Body::ClientHello(hello), line, number);
        } else if let Some(version) = name.strip_prefix("ServerHello, ") {
            let hello = ServerHello {
                version: version.trim().to_owned(),
                ..ServerHello::default()
            };
            self.begin(Body::ServerHello(hello), line, number);
        } else if name.starts_with("Certificate chain") {
            self.begin(Body::Chain(Certificates::default()), line, number);
        } else if name.starts_with("CertificateRequest") {
            self.begin(
                Body::Request {
                    authorities: Vec::new(),
                    within: false,
                },
                line,
                number,
            );
        } else if name.starts_with("Finished") {
            self.begin(Body::Finished, line, number);
        } else if name.starts_with("ServerHelloDone") {
            self.hello_done = true;
            self.fresh = false;
            self.emit(Kind::Progress { client: None }, number, Vec::new(), emit);
        } else if name.contains("KeyExchange")
            || name.starts_with("CertificateVerify")
            || name.starts_with("HelloRequest")
        {
            self.fresh = false;
            self.emit(Kind::Progress { client: None }, number, Vec::new(), emit);
        }
        true
    }

    fn begin(&mut self, body: Body, line: &[u8], number: u64) {
        let fresh = std::mem::take(&mut self.fresh);
        self.block = Some(Block {
            body,
            fresh,
            number,
            lines: vec![line_of(&lossy(line), number)],
        });
    }

    /// `%% …`: what happens to the session.
    fn session(&mut self, line: &[u8], number: u64, emit: Emit<'_>) {
        if line.starts_with(b"%% Server resumed") || line.starts_with(b"%% Resuming") {
            self.emit(Kind::Resumed, number, Vec::new(), emit);
        }
    }

    /// A line `THREAD, WHAT`.
    fn threaded(&mut self, line: &[u8], number: u64, emit: Emit<'_>) -> bool {
        if line.first().is_none_or(|byte| matches!(byte, b' ' | b'\t' | b'0')) {
            return false;
        }
        let Some((thread, what)) = split_thread(line) else {
            return false;
        };
        let text = lossy(what);
        let thread = lossy(thread).into_owned();
        if !matches!(
            self.block,
            Some(Block {
                body: Body::FatalError,
                ..
            })
        ) {
            self.end_block(emit);
        }
        if let Some(record) = text.strip_prefix("READ: ").or_else(|| text.strip_prefix("READ:  ")) {
            if record.contains("Handshake") {
                self.thread = thread;
                self.fresh = true;
            }
        } else if text.starts_with("WRITE: ") {
            self.fresh = false;
            self.thread.clone_from(&thread);
            for mut event in std::mem::take(&mut self.unsent) {
                event.origin.thread.clone_from(&thread);
                emit(event);
            }
        } else if let Some(exception) = text.strip_prefix("handling exception: ") {
            let thrown = Thrown {
                chain: link(exception).into_iter().collect(),
                ..Thrown::default()
            };
            let lines = vec![line_of(&lossy(line), number)];
            self.emit_on(&thread, Kind::Exception(Box::new(thrown)), number, lines, emit);
        } else if text.starts_with("fatal error: ") {
            self.thread = thread;
            self.block = Some(Block {
                body: Body::FatalError,
                fresh: false,
                number,
                lines: vec![line_of(&lossy(line), number)],
            });
        } else if let Some((direction, alert)) = alert(&text) {
            let kind = if direction == Sender::This {
                Kind::AlertSent(alert)
            } else {
                Kind::AlertReceived(alert)
            };
            self.emit_on(&thread, kind, number, vec![line_of(&lossy(line), number)], emit);
        }
        true
    }

    /// A line within a block, or within the description of a trusted certificate.
    fn within(&mut self, line: &[u8], number: u64, emit: Emit<'_>) -> bool {
        if self.anchor_open {
            return self.anchor(line, number, emit);
        }
        let Some(block) = &mut self.block else { return false };
        let text = lossy(line);
        let shown = match &mut block.body {
            Body::ClientHello(hello) => client_hello(&text, hello),
            Body::ServerHello(hello) => server_hello(&text, hello),
            Body::Chain(certificates) | Body::Seen(certificates) => {
                certificates.legacy(&text, number);
                text.starts_with("  Subject: ") || text.starts_with("  Issuer: ") || text.starts_with("  Validity: ")
            }
            Body::Request { authorities, within } => request(&text, authorities, within),
            Body::Finished => return text.starts_with("verify_data"),
            Body::FatalError => {
                let thrown = Thrown {
                    chain: link(&text).into_iter().collect(),
                    ..Thrown::default()
                };
                let mut lines = std::mem::take(&mut block.lines);
                if thrown.chain.is_empty() {
                    self.block = None;
                    return false;
                }
                lines.push(line_of(&text, number));
                self.block = None;
                self.emit(Kind::Exception(Box::new(thrown)), number, lines, emit);
                return true;
            }
        };
        if shown && block.lines.len() < KEPT_LINES {
            block.lines.push(line_of(&text, number));
        }
        shown
    }

    fn anchor(&mut self, line: &[u8], number: u64, emit: Emit<'_>) -> bool {
        let text = lossy(line);
        let field = text.trim_start();
        if let Some(certificate) = self.anchors.last_mut() {
            if let Some(subject) = field.strip_prefix("Subject: ") {
                subject.trim().clone_into(&mut certificate.subject);
                certificate.line = number;
                return true;
            }
            if let Some(issuer) = field.strip_prefix("Issuer: ") {
                issuer.trim().clone_into(&mut certificate.issuer);
                return true;
            }
            if let Some((_, serial)) = field.split_once("Serial number: 0x") {
                certificate.serial = super::certificate::hex(serial);
                return true;
            }
        }
        if field.is_empty() || field.starts_with("Valid from") {
            return true;
        }
        self.end_block(emit);
        false
    }

    /// The open block is over: tells what it said.
    fn end_block(&mut self, emit: Emit<'_>) {
        if std::mem::take(&mut self.anchor_open) && !self.anchors.is_empty() {
            let anchors = std::mem::take(&mut self.anchors);
            let number = anchors[0].line;
            self.emit(Kind::TrustStore(anchors), number, Vec::new(), emit);
        }
        let Some(block) = self.block.take() else { return };
        let Block {
            body,
            fresh,
            number,
            lines,
        } = block;
        let server = self.role() == Some(false);
        let sender = if fresh { Sender::Peer } else { Sender::This };
        let kind = match body {
            Body::ClientHello(hello) => {
                let kind = Kind::ClientHello {
                    sender,
                    retry: false,
                    hello: Box::new(hello),
                };
                if !fresh {
                    let origin = Origin {
                        line: number,
                        ..Origin::default()
                    };
                    if self.unsent.len() < 16 {
                        self.unsent.push(Event { origin, kind, lines });
                    }
                    return;
                }
                kind
            }
            Body::ServerHello(hello) => {
                let sender = if server { Sender::This } else { Sender::Peer };
                Kind::ServerHello {
                    sender,
                    retry: false,
                    hello: Box::new(hello),
                }
            }
            Body::Chain(certificates) => {
                let from_client = if server { fresh } else { self.hello_done };
                let sender = if from_client == server {
                    Sender::Peer
                } else {
                    Sender::This
                };
                Kind::Certificates {
                    sender,
                    from_client: Some(from_client),
                    chain: certificates.into_found(),
                }
            }
            Body::Request { authorities, .. } => {
                let sender = if server { Sender::This } else { Sender::Peer };
                Kind::CertificateRequest { sender, authorities }
            }
            Body::Seen(certificates) => Kind::Seen(certificates.into_found()),
            Body::Finished => Kind::Finished {
                sender,
                from_client: Some((sender == Sender::This) != server),
            },
            Body::FatalError => return,
        };
        self.emit(kind, number, lines, emit);
    }

    fn emit(&mut self, kind: Kind, number: u64, lines: Vec<Line>, emit: Emit<'_>) {
        let thread = self.thread.clone();
        self.emit_on(&thread, kind, number, lines, emit);
    }

    fn emit_on(&mut self, thread: &str, kind: Kind, number: u64, lines: Vec<Line>, emit: Emit<'_>) {
        if let Kind::ClientHello { sender, .. } = &kind {
            self.remember(thread, *sender == Sender::This);
        }
        let origin = Origin {
            line: number,
            thread: thread.to_owned(),
            ..Origin::default()
        };
        emit(Event { origin, kind, lines });
    }

    fn role(&self) -> Option<bool> {
        self.roles
            .iter()
            .find(|(thread, _)| *thread == self.thread)
            .map(|(_, client)| *client)
    }

    fn remember(&mut self, thread: &str, client: bool) {
        self.roles.retain(|(known, _)| known != thread);
        if self.roles.len() == KEPT_THREADS {
            self.roles.remove(0);
        }
        self.roles.push((thread.to_owned(), client));
    }
}

fn lossy(line: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(line)
}

/// Splits `THREAD, WHAT`, where a thread's name may hold commas itself.
fn split_thread(line: &[u8]) -> Option<(&[u8], &[u8])> {
    const WHAT: [&[u8]; 10] = [
        b"READ: ",
        b"WRITE: ",
        b"SEND ",
        b"RECV ",
        b"handling exception: ",
        b"fatal error: ",
        b"called close",
        b"received EOFException",
        b"setSoTimeout(",
        b"IOException in getSession()",
    ];
    let head = line.get(..400).unwrap_or(line);
    memchr::memmem::find_iter(head, b", ").find_map(|at| {
        let what = &line[at + 2..];
        WHAT.iter()
            .any(|start| what.starts_with(start))
            .then(|| (&line[..at], what))
    })
}

/// `SEND TLSv1.2 ALERT:  fatal, description = X` or `RECV TLSv1.2 ALERT:  fatal, X`.
fn alert(text: &str) -> Option<(Sender, Alert)> {
    let sender = match text.get(..5)? {
        "SEND " => Sender::This,
        "RECV " => Sender::Peer,
        _ => return None,
    };
    let (_, alert) = text.split_once("ALERT:")?;
    let (level, description) = alert.trim().split_once(", ")?;
    let level = if level == "fatal" {
        AlertLevel::Fatal
    } else {
        AlertLevel::Warning
    };
    let description = description.trim().trim_start_matches("description = ");
    Some((
        sender,
        Alert {
            level,
            description: description.to_owned(),
        },
    ))
}

fn client_hello(text: &str, hello: &mut ClientHello) -> bool {
    if let Some(random) = text.strip_prefix("RandomCookie:") {
        hello.random = random_hex(random);
    } else if let Some(id) = text.strip_prefix("Session ID:") {
        hello.session_id = bytes_hex(id);
    } else if let Some(suites) = text.strip_prefix("Cipher Suites: ") {
        hello.cipher_suites = list(suites);
        return true;
    } else if let Some(extension) = text.strip_prefix("Extension ") {
        if let Some(names) = extension.strip_prefix("server_name, server_name: ") {
            let host = names
                .split_once("value=")
                .or_else(|| names.split_once("host_name: "))
                .map(|(_, host)| host);
            hello.server_name = host.map(|host| host.split([',', ']']).next().unwrap_or(host).trim().to_owned());
            return true;
        } else if let Some(groups) = extension.strip_prefix("elliptic_curves, curve names: ") {
            hello.groups = list(groups.trim_matches(['{', '}']));
        } else if let Some(schemes) = extension.strip_prefix("signature_algorithms, signature_algorithms: ") {
            hello.signature_algorithms = list(schemes);
        } else if let Some(names) = extension.strip_prefix("application_layer_protocol_negotiation, protocol names: ") {
            hello.application_protocols = names.split("][").flat_map(list).collect();
            return true;
        }
    }
    false
}

fn server_hello(text: &str, hello: &mut ServerHello) -> bool {
    if let Some(id) = text.strip_prefix("Session ID:") {
        hello.session_id = bytes_hex(id);
    } else if let Some(suite) = text.strip_prefix("Cipher Suite: ") {
        suite.trim().clone_into(&mut hello.cipher_suite);
        return true;
    }
    false
}

fn request(text: &str, authorities: &mut Vec<String>, within: &mut bool) -> bool {
    if text.starts_with("Cert Authorities:") {
        *within = true;
        return true;
    }
    if *within
        && let Some(name) = text
            .strip_prefix('<')
            .and_then(|name| name.trim_end().strip_suffix('>'))
        && name != "Empty"
        && authorities.len() < KEPT_AUTHORITIES
    {
        authorities.push(name.to_owned());
        return true;
    }
    false
}

/// The random of `GMT: 1795445472 bytes = { 177, 168, … }`: four bytes of time, then the rest.
fn random_hex(text: &str) -> String {
    let Some((time, bytes)) = text.split_once("bytes =") else {
        return String::new();
    };
    let time = time
        .trim()
        .trim_start_matches("GMT:")
        .trim()
        .parse::<i64>()
        .unwrap_or_default();
    // The time is printed as a signed int.
    format!("{:08x}{}", time & 0xffff_ffff, bytes_hex(bytes))
}

/// The bytes of `{ 177, 168 }` in lower-case hex.
fn bytes_hex(text: &str) -> String {
    use std::fmt::Write as _;
    let mut hex = String::new();
    for byte in text.trim().trim_matches(['{', '}']).split(',').take(64) {
        if let Ok(byte) = byte.trim().parse::<u8>() {
            let _ = write!(hex, "{byte:02x}");
        }
    }
    hex
}
