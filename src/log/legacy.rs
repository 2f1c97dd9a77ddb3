//! The layouts of JDK 6, 7 and 8 before 8u272, and of IBM JSSE2: blocks of lines, most without a thread.
//!
//! Nothing says which way a message went. A block that this end receives stands after `T, READ: … Handshake`; one that it
//! sends stands before `T, WRITE: … Handshake`. Which end this is follows from the ClientHello.

mod announced;
pub(super) mod dump;
mod fields;
mod finishing;
pub(super) mod threaded;

use std::collections::VecDeque;

use smallvec::smallvec;

use self::announced::Announced;
use self::dump::{broken_off, is_row_behind_blanks};
use self::fields::{client_hello, request, server_hello};
use self::finishing::Finishing;
use self::threaded::{alert, alert_name, split_thread};
use super::certificate::Certificates;
use super::payload::{INTERNAL_CAUSE, line_of, link};
use super::text::text as lossy;
use super::{AlertLevel, Certificate, ClientHello, Event, Excerpt, Kind, Origin, Sender, ServerHello, Thrown};

/// Threads that are remembered for one purpose.
const KEPT_THREADS: usize = 32;
/// Lines kept as evidence for one block.
const KEPT_LINES: usize = 8;
/// Certificates of a trust store that are kept.
const KEPT_ANCHORS: usize = 1024;

/// A block that is being read.
#[derive(Debug, Clone)]
struct Block {
    body: Body,
    /// Whether the message was read, as far as can be told.
    read: Option<bool>,
    number: u64,
    lines: Excerpt,
}

/// What the other lines of a connection are read against.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, not the states of one machine"
)]
#[derive(Debug, Clone, Default)]
struct Context {
    /// Which end this is follows from a hello, and is no guess.
    told: bool,
    /// This end is the server.
    server: bool,
    /// The server has said all it has to say: what follows is the client's.
    hello_done: bool,
    /// The server asked for the client's certificate.
    requested: bool,
    /// This end's Finished has been printed.
    finished: bool,
}

#[derive(Debug, Clone)]
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
    /// An error whose exception goes on on the next line: `fatal error: 46: …`, or a message of IBM's that names its cause there.
    Failure {
        /// The alert of a fatal error.
        alert: Option<String>,
        thrown: Thrown,
    },
}

/// Beginnings of lines that say nothing and are half of a log.
const IDLE: [&[u8]; 4] = [
    b"upcoming handshake states: ",
    b"update handshake state: ",
    b"check handshake state: ",
    b"Ignoring un",
];

/// Beginnings of lines that tell of a context which could not be made; the exception follows.
const CONTEXT_FAILED: [&[u8]; 2] = [b"SunX509: skip default keystore: ", b"default context init failed: "];

/// Beginnings of lines that only IBM's provider prints.
const IBM: [&[u8]; 5] = [
    b"IBMJSSE",
    b"JsseJCE:  ",
    b"JsseJce:  ",
    b"CipherBox:  ",
    b"SSLContextImpl:  ",
];

/// Reads the legacy layouts.
#[derive(Debug, Clone, Default)]
pub(super) struct Legacy {
    block: Option<Block>,
    /// The thread whose messages are being printed.
    thread: String,
    /// Threads that read a handshake record whose messages have not been printed yet.
    fresh: VecDeque<String>,
    finishing: Finishing,
    /// Threads whose ClientHello was this end's own.
    clients: VecDeque<String>,
    /// Randoms of this end's own `ClientHello`s: an engine's log prints them again as received by the other end.
    sent: VecDeque<String>,
    announced: Announced,
    /// The thread that read a handshake record last.
    reader: String,
    /// This log has lines about records that were written.
    writes: bool,
    context: Context,
    /// `ClientHello`s of this end, whose thread only the next record tells.
    unsent: VecDeque<Event>,
    anchors: Vec<Certificate>,
    anchor_open: bool,
}

/// Receives the events of a line.
type Emit<'a> = &'a mut dyn FnMut(Event);

impl Legacy {
    /// Takes a line; answers whether it is of these layouts.
    pub(super) fn line(&mut self, line: &[u8], number: u64, emit: Emit<'_>) -> bool {
        let mut rest = line;
        while let Some(end) = broken_off(rest) {
            self.whole_line(&rest[..end], number, emit);
            rest = &rest[end..];
        }
        self.whole_line(rest, number, emit)
    }

    fn whole_line(&mut self, line: &[u8], number: u64, emit: Emit<'_>) -> bool {
        match line.first() {
            Some(b'*') if line.starts_with(b"***") => self.stars(line, number, emit),
            Some(b'%') if line.starts_with(b"%% ") => {
                self.end_block(emit);
                self.session(line, number, emit);
                true
            }
            Some(b'a') if line.starts_with(b"adding as trusted cert:") => {
                if !self.anchor_open {
                    self.end_block(emit);
                }
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
                    smallvec![line_of(line, number)],
                    emit,
                );
                true
            }
            Some(b'S' | b'd') if CONTEXT_FAILED.iter().any(|start| line.starts_with(start)) => {
                self.end_block(emit);
                let text = lossy(line);
                let said = text.strip_prefix("SunX509: ").unwrap_or(&text);
                let thrown = Thrown {
                    chain: said
                        .split_once(": ")
                        .and_then(|(_, thrown)| link(thrown))
                        .into_iter()
                        .collect(),
                    ..Thrown::default()
                };
                self.emit(
                    Kind::ContextFailed(Box::new(thrown)),
                    number,
                    smallvec![line_of(line, number)],
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
                self.emit(Kind::KeyMaterial, number, Excerpt::new(), emit);
                true
            }
            Some(b'I' | b'J' | b'C' | b'S') if IBM.iter().any(|start| line.starts_with(start)) => {
                self.end_block(emit);
                true
            }
            Some(b'u' | b'c' | b'I') if IDLE.iter().any(|start| line.starts_with(start)) => false,
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
            self.take_if_read(false);
            self.context.hello_done = true;
            self.emit(
                Kind::Progress { client: None },
                number,
                smallvec![line_of(line, number)],
                emit,
            );
        } else if name.contains("KeyExchange")
            || name.starts_with("CertificateVerify")
            || name.starts_with("HelloRequest")
        {
            self.take_if_read(!name.contains("ServerKeyExchange") && !name.starts_with("HelloRequest"));
            self.emit(
                Kind::Progress { client: None },
                number,
                smallvec![line_of(line, number)],
                emit,
            );
        }
        true
    }

    /// Whether a message was read that has not been printed yet; its thread is current then.
    fn take_fresh(&mut self) -> bool {
        let Some(thread) = self.fresh.pop_front() else {
            return false;
        };
        self.thread = thread;
        true
    }

    /// The same for a message that only one end sends, unless that is this one.
    fn take_if_read(&mut self, from_client: bool) -> bool {
        (!self.context.told || from_client == self.context.server) && self.take_fresh()
    }

    fn begin(&mut self, body: Body, line: &[u8], number: u64) {
        let read = match &body {
            Body::ClientHello(_) => self.client_hello_read(),
            Body::ServerHello(_) => self.server_hello_read(),
            Body::Finished => self.finished_read(number),
            Body::Chain(_) => self.take_if_read(self.context.hello_done).then_some(true),
            Body::Request { .. } => self.take_if_read(false).then_some(true),
            Body::Seen(_) | Body::Failure { .. } => None,
        };
        self.block = Some(Block {
            body,
            read,
            number,
            lines: smallvec![line_of(line, number)],
        });
    }

    fn finished_read(&mut self, number: u64) -> Option<bool> {
        let Some((thread, own)) = self.finishing.next(number) else {
            return self.take_fresh().then_some(true);
        };
        self.thread = thread;
        Some(!own)
    }

    fn client_hello_read(&mut self) -> Option<bool> {
        if self.announced.client_hello() {
            return Some(false);
        }
        if self.fresh.is_empty() && self.announced.only_server() {
            self.thread.clone_from(&self.reader);
            return Some(true);
        }
        let own = self.fresh.front().is_none_or(|thread| self.clients.contains(thread));
        (!own && self.take_fresh()).then_some(true)
    }

    fn server_hello_read(&mut self) -> Option<bool> {
        let own = self.announced.server_hello();
        if own == Some(true) {
            return Some(false);
        }
        if self.take_fresh() {
            return Some(true);
        }
        // Several records were read before the first one's messages were printed, as by an engine.
        let read = own == Some(false) && !self.clients.is_empty();
        if read {
            self.thread.clone_from(&self.reader);
        }
        read.then_some(true)
    }

    /// `%% …`: what happens to the session.
    fn session(&mut self, line: &[u8], number: u64, emit: Emit<'_>) {
        self.announced.session(line);
        if line.starts_with(b"%% Server resumed") || line.starts_with(b"%% Resuming") {
            self.emit(Kind::Resumed, number, Excerpt::new(), emit);
        }
    }

    /// A line `THREAD, WHAT`.
    fn threaded(&mut self, line: &[u8], number: u64, emit: Emit<'_>) -> bool {
        if line.first().is_none_or(|byte| matches!(byte, b' ' | b'\t')) || is_row_behind_blanks(line) {
            return false;
        }
        let Some((thread, what)) = split_thread(line) else {
            return false;
        };
        let text = lossy(what);
        let thread = lossy(thread).into_owned();
        if !self.awaits_exception() && !self.passes_by(&text) {
            self.end_block(emit);
        }
        let first = self.announced.first_of(&thread, &text);
        if let Some(record) = text.strip_prefix("READ: ") {
            if !self.finishing.read(&thread, record, number) && record.contains("Handshake") {
                self.reader.clone_from(&thread);
                remember(&mut self.fresh, thread);
            }
        } else if let Some(record) = text.strip_prefix("WRITE: ") {
            self.writes = true;
            self.fresh.retain(|known| *known != thread);
            self.finishing.written(&thread, record, number);
            if record.contains("andshake") || record.contains("hello") {
                self.send(&thread, emit);
            }
            self.thread = thread;
        } else if let Some(exception) = text.strip_prefix("handling exception: ") {
            self.failing(&thread, first, number, emit);
            let thrown = Thrown {
                chain: link(exception).into_iter().collect(),
                ..Thrown::default()
            };
            let lines = smallvec![line_of(line, number)];
            if exception.trim_end().ends_with(INTERNAL_CAUSE) {
                self.thread = thread;
                self.begin_failure(None, thrown, lines, number);
            } else {
                Self::emit_on(&thread, Kind::Exception(Box::new(thrown)), number, lines, emit);
            }
        } else if let Some(error) = text.strip_prefix("fatal error: ") {
            self.failing(&thread, first, number, emit);
            self.thread = thread;
            let alert = alert_name(error.split(':').next().unwrap_or_default()).to_owned();
            let lines = smallvec![line_of(line, number)];
            self.begin_failure(Some(alert), Thrown::default(), lines, number);
        } else if let Some((direction, alert)) = alert(&text) {
            if alert.level == AlertLevel::Fatal {
                self.failing(&thread, first, number, emit);
            }
            let kind = if direction == Sender::This {
                Kind::AlertSent(alert)
            } else {
                Kind::AlertReceived(alert)
            };
            Self::emit_on(&thread, kind, number, smallvec![line_of(line, number)], emit);
        }
        true
    }

    /// Whether a line may be another thread's that the open block has nothing to do with: one that closes connections is, and a
    /// chain ends with a mark of its own.
    fn passes_by(&self, what: &str) -> bool {
        let chain = matches!(
            &self.block,
            Some(Block {
                body: Body::Chain(_),
                ..
            })
        );
        what.starts_with("called close") || (chain && (what.starts_with("READ: ") || what.starts_with("WRITE: ")))
    }

    /// Whether the exception of a fatal error is still to come.
    fn awaits_exception(&self) -> bool {
        self.block
            .as_ref()
            .is_some_and(|block| matches!(&block.body, Body::Failure { thrown, .. } if thrown.chain.is_empty()))
    }

    fn begin_failure(&mut self, alert: Option<String>, thrown: Thrown, lines: Excerpt, number: u64) {
        self.block = Some(Block {
            body: Body::Failure { alert, thrown },
            read: None,
            number,
            lines,
        });
    }

    /// A thread's connection fails: what is known of it by then is told first.
    fn failing(&mut self, thread: &str, first: bool, number: u64, emit: Emit<'_>) {
        // Where the lines about records are missing, nothing but this tells the ClientHello's thread.
        if !self.writes && self.unsent.len() == 1 {
            self.send(thread, emit);
        }
        if first {
            Self::emit_on(thread, Kind::Begun, number, Excerpt::new(), emit);
        }
    }

    /// The oldest ClientHello that waits for its thread has found it.
    fn send(&mut self, thread: &str, emit: Emit<'_>) {
        if let Some(mut event) = self.unsent.pop_front() {
            event.origin = Origin::on_thread(event.origin.line, thread);
            emit(event);
            remember(&mut self.clients, thread.to_owned());
        }
    }

    /// A line within a block, or within the description of a trusted certificate.
    fn within(&mut self, line: &[u8], number: u64, emit: Emit<'_>) -> bool {
        if self.anchor_open {
            return self.anchor(line, number, emit);
        }
        let Some(block) = &mut self.block else { return false };
        let shown = match &mut block.body {
            Body::ClientHello(hello) => client_hello(&lossy(line), hello),
            Body::ServerHello(hello) => server_hello(&lossy(line), hello),
            Body::Chain(certificates) | Body::Seen(certificates) => certificates.legacy(line, number),
            Body::Request { authorities, within } => request(&lossy(line), authorities, within),
            Body::Finished => return line.starts_with(b"verify_data"),
            Body::Failure { thrown, .. } => {
                let text = lossy(line);
                let Some(next) = link(text.trim_start()) else {
                    self.end_block(emit);
                    return false;
                };
                let kept = thrown.push(next);
                if kept && block.lines.len() < KEPT_LINES {
                    block.lines.push(line_of(line, number));
                }
                if !kept || !text.trim_end().ends_with(INTERNAL_CAUSE) {
                    self.end_block(emit);
                }
                return true;
            }
        };
        if shown && block.lines.len() < KEPT_LINES {
            block.lines.push(line_of(line, number));
        }
        shown
    }

    fn anchor(&mut self, line: &[u8], number: u64, emit: Emit<'_>) -> bool {
        let field = line.trim_ascii_start();
        if let Some(certificate) = self.anchors.last_mut() {
            if let Some(subject) = field.strip_prefix(b"Subject: ") {
                lossy(subject).trim().clone_into(&mut certificate.subject);
                certificate.line = number;
                return true;
            }
            if let Some(issuer) = field.strip_prefix(b"Issuer: ") {
                lossy(issuer).trim().clone_into(&mut certificate.issuer);
                return true;
            }
            if let Some((_, serial)) = lossy(field).split_once("Serial number: 0x") {
                certificate.serial = super::certificate::hex(serial.as_bytes());
                return true;
            }
        }
        if field.is_empty() || field.starts_with(b"Valid from") {
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
            self.emit(Kind::TrustStore(anchors), number, Excerpt::new(), emit);
        }
        let Some(block) = self.block.take() else { return };
        let Block {
            body,
            read,
            number,
            lines,
        } = block;
        let fresh = read == Some(true);
        let server = self.context.server;
        let kind = match body {
            Body::ClientHello(hello) => {
                let fresh = self.ends_client_hello(&hello, read);
                let sender = if fresh { Sender::Peer } else { Sender::This };
                let kind = Kind::ClientHello {
                    sender,
                    retry: false,
                    hello: Box::new(hello),
                };
                if !fresh {
                    return self.keep_unsent(kind, number, lines);
                }
                kind
            }
            Body::ServerHello(hello) => {
                // Where the lines about records are cut out, the ClientHello still waits for its thread.
                if read.is_none()
                    && let Some(mut event) = self.unsent.pop_front()
                {
                    event.origin = Origin::on_thread(event.origin.line, &self.thread);
                    emit(event);
                    self.context = Context::default();
                } else {
                    self.context = Context {
                        told: true,
                        server: !fresh,
                        ..Context::default()
                    };
                }
                let sender = if self.context.server {
                    Sender::This
                } else {
                    Sender::Peer
                };
                Kind::ServerHello {
                    sender,
                    retry: false,
                    hello: Box::new(hello),
                }
            }
            Body::Chain(certificates) => {
                let from_client = self.context.hello_done && self.context.requested && (!server || fresh);
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
                self.context.requested = true;
                let sender = if server { Sender::This } else { Sender::Peer };
                Kind::CertificateRequest { sender, authorities }
            }
            Body::Seen(certificates) => Kind::Seen(certificates.into_found()),
            Body::Finished => {
                let sender = if read.unwrap_or(self.context.finished) {
                    Sender::Peer
                } else {
                    Sender::This
                };
                self.context.finished = sender == Sender::This;
                Kind::Finished {
                    sender,
                    from_client: None,
                }
            }
            Body::Failure { thrown, .. } if thrown.chain.is_empty() => return,
            Body::Failure { alert, thrown } => failure(alert, thrown),
        };
        self.emit(kind, number, lines, emit);
    }

    /// A ClientHello is over; answers whether it came in.
    fn ends_client_hello(&mut self, hello: &ClientHello, read: Option<bool>) -> bool {
        let again = read.is_none() && self.sent.contains(&hello.random);
        let fresh = read == Some(true) || (again && self.take_fresh());
        if fresh {
            self.announced.answers();
        } else if !hello.random.is_empty() {
            remember(&mut self.sent, hello.random.clone());
        }
        self.context = Context {
            told: true,
            server: fresh,
            ..Context::default()
        };
        fresh
    }

    /// Keeps a ClientHello of this end until its thread is known.
    fn keep_unsent(&mut self, kind: Kind, number: u64, lines: Excerpt) {
        let origin = Origin::new(number);
        if self.unsent.len() < KEPT_THREADS {
            self.unsent.push_back(Event { origin, kind, lines });
        }
    }

    fn emit(&self, kind: Kind, number: u64, lines: Excerpt, emit: Emit<'_>) {
        Self::emit_on(&self.thread, kind, number, lines, emit);
    }

    fn emit_on(thread: &str, kind: Kind, number: u64, lines: Excerpt, emit: Emit<'_>) {
        let origin = Origin::on_thread(number, thread);
        emit(Event { origin, kind, lines });
    }
}

/// What an error says: the outermost exception's message is the record's.
fn failure(alert: Option<String>, thrown: Thrown) -> Kind {
    let thrown = Box::new(thrown);
    match alert {
        Some(alert) => Kind::Fatal {
            alert,
            message: thrown.message(),
            thrown,
        },
        None => Kind::Exception(thrown),
    }
}

/// Keeps a thread, the oldest giving way.
fn remember(threads: &mut VecDeque<String>, thread: String) {
    threads.retain(|known| *known != thread);
    if threads.len() == KEPT_THREADS {
        threads.pop_front();
    }
    threads.push_back(thread);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Reader;

    fn events(log: &str) -> Vec<Event> {
        let mut found = Vec::new();
        let mut reader = Reader::default();
        reader.feed(log.as_bytes(), |event| found.push(event));
        reader.finish(|event| found.push(event));
        found
    }

    const CLIENT: &str = "*** ClientHello, TLSv1.2\n\
        RandomCookie:  GMT: 1795445472 bytes = { 177, 168 }\n\
        Session ID:  {}\n\
        Cipher Suites: [A, B, TLS_EMPTY_RENEGOTIATION_INFO_SCSV]\n\
        Extension server_name, server_name: [type=host_name (0), value=a.example.com]\n\
        ***\n\
        Thread-1, with comma, WRITE: TLSv1.2 Handshake, length = 161\n\
        Thread-1, with comma, READ: TLSv1.2 Handshake, length = 3020\n\
        *** ServerHello, TLSv1.2\n\
        Cipher Suite: A\n\
        ***\n";

    #[test]
    fn a_clients_thread_comes_with_the_record_that_is_written() {
        let found = events(CLIENT);
        assert!(
            found
                .iter()
                .all(|event| event.origin.thread() == "Thread-1, with comma"),
            "{found:?}"
        );
        let Kind::ClientHello {
            sender: Sender::This,
            hello,
            ..
        } = &found[0].kind
        else {
            panic!("{found:?}")
        };
        assert_eq!(hello.random, "6b0453e0b1a8");
        assert_eq!(hello.offered_suites().collect::<Vec<_>>(), ["A", "B"]);
        assert_eq!(hello.server_name.as_deref(), Some("a.example.com"));
        assert!(
            matches!(&found[1].kind, Kind::ServerHello { sender: Sender::Peer, hello, .. } if hello.cipher_suite == "A")
        );
    }

    #[test]
    fn a_server_reads_the_client_hello_first() {
        let log = "main, READ: TLSv1.2 Handshake, length = 161\n*** ClientHello, TLSv1.2\n***\n*** ServerHello, TLSv1.2\n***\n";
        let found = events(log);
        assert!(matches!(
            found[0].kind,
            Kind::ClientHello {
                sender: Sender::Peer,
                ..
            }
        ));
        assert!(matches!(
            found[1].kind,
            Kind::ServerHello {
                sender: Sender::This,
                ..
            }
        ));
    }

    #[test]
    fn an_engines_exception_stands_on_the_next_line() {
        let log = "t, fatal error: 46: General SSLEngine problem\njavax.net.ssl.SSLException: a: b\n";
        let found = events(log);
        let Kind::Fatal { alert, message, .. } = &found[0].kind else {
            panic!("{found:?}")
        };
        assert_eq!(
            (alert.as_str(), message.as_str(), found[0].lines.len()),
            ("certificate_unknown", "a: b", 2)
        );
    }

    #[test]
    fn alerts_of_both_ends() {
        let found = events(
            "t, SEND TLSv1.2 ALERT:  fatal, description = handshake_failure\nt, RECV TLSv1.2 ALERT:  warning, close_notify\n",
        );
        assert!(
            matches!(&found[0].kind, Kind::AlertSent(alert) if alert.level == AlertLevel::Fatal && alert.description == "handshake_failure")
        );
        assert!(matches!(&found[1].kind, Kind::AlertReceived(alert) if alert.level == AlertLevel::Warning));
    }

    #[test]
    fn trusted_certificates() {
        let log = "adding as trusted cert:\n  Subject: CN=A\n  Issuer:  CN=A\n  Algorithm: RSA; Serial number: 0xcb\n  Valid from x until y\n\n\
                   adding as trusted cert:\n  Subject: CN=B\n  Issuer:  CN=B\n\ntrigger seeding of SecureRandom\n";
        let found = events(log);
        let Kind::TrustStore(anchors) = &found[0].kind else {
            panic!("{found:?}")
        };
        assert_eq!(
            anchors.iter().map(|anchor| anchor.subject.as_str()).collect::<Vec<_>>(),
            ["CN=A", "CN=B"]
        );
    }

    #[test]
    fn a_chain_without_end_is_cut() {
        let log = "main, fatal error: 46: x\n".to_owned() + &"java.lang.Error: internal cause is:\n".repeat(100);
        let found = events(&log);
        let Kind::Fatal { thrown, .. } = &found[0].kind else {
            panic!("{found:?}")
        };
        assert_eq!((found.len(), thrown.chain.len(), found[0].lines.len()), (1, 8, 8));
    }

    #[test]
    fn a_line_may_be_broken_off_any_number_of_times() {
        let line = "Session ID:{".repeat(5000) + "\n*** ClientHello, TLSv1.2\n***\n";
        assert_eq!(events(&line).len(), 1);
    }

    #[test]
    fn key_material_is_told_and_not_kept() {
        let found = events("SESSION KEYGEN:\nPreMaster Secret:\n0000: 03 03 AA\n");
        assert!(
            found
                .iter()
                .all(|event| event.kind == Kind::KeyMaterial && event.lines.is_empty())
        );
        assert_eq!(found.len(), 2);
    }
}
