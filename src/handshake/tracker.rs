//! Which event belongs to which handshake.
//!
//! JSSE prints no connection id. With blocking sockets a thread has one handshake at a time; an engine's tasks run on many
//! threads, and one event loop serves many connections. So an event goes to the handshake on its thread that can take it,
//! the session id deciding where there is one, and to another thread's only where its own has none.

use super::failure::Weight;
use super::followed::{Followed, Wanted};
use super::{Entry, Failure, Handshake, Knowledge, Outcome, Side, Topic};
use crate::log::{Alert, AlertLevel, Event, Excerpt, Kind, Origin, Sender, Thrown};

/// Handshakes that are followed at the same time; the one that was silent longest gives way.
const FOLLOWED: usize = 128;

/// Follows the handshakes of one log.
#[derive(Debug, Clone, Default)]
pub struct Tracker {
    followed: Vec<Followed>,
    settled: Vec<Followed>,
    knowledge: Knowledge,
    clock: u64,
    /// More handshakes were followed than are kept.
    overflowed: bool,
    /// The error that follows is the first that is printed of a connection.
    begun: bool,
    transcripts: bool,
    /// What the event at hand adds to the transcript of the handshake that takes it.
    entry: Option<(Entry, Option<Sender>)>,
}

impl Tracker {
    /// Keeps of every handshake what happened message by message, and what it offered even if it succeeds.
    #[must_use]
    pub fn with_transcripts() -> Self {
        Self {
            transcripts: true,
            ..Self::default()
        }
    }

    /// Takes an event; answers whether it changed anything that a report shows.
    pub fn apply(&mut self, event: Event) -> bool {
        self.clock += 1;
        if self.transcripts {
            self.entry = Entry::of(&event);
        }
        let Event { origin, kind, lines } = event;
        match kind {
            Kind::ClientHello { sender, retry, hello } => {
                let side = if sender == Sender::This {
                    Side::Client
                } else {
                    Side::Server
                };
                let index = self.hello(side, retry, &hello.random, &origin);
                let handshake = &mut self.followed[index];
                handshake.awaits_retry = false;
                handshake.client_hello = Some(*hello);
                handshake.keep(Topic::ClientHello, lines);
                true
            }
            Kind::TrustStore(store) => {
                self.knowledge.store(store);
                false
            }
            Kind::Seen(certificates) => {
                self.knowledge.saw(&certificates);
                false
            }
            Kind::Begun => {
                self.begun = true;
                false
            }
            Kind::ContextFailed(thrown) => self.context_failed(*thrown, &origin, lines),
            Kind::CloseFailed(thrown) => self.close_failed(*thrown, &origin, lines),
            Kind::InboundClosed => self.inbound_closed(&origin, lines),
            Kind::NoServerKey => {
                let here = self.here(&origin, Outcome::Open);
                if let Some(handshake) = here.map(|index| &mut self.followed[index]) {
                    handshake.keys_missing += u32::from(handshake.side == Some(Side::Server));
                }
                false
            }
            Kind::Fatal { alert, message, thrown } => {
                let peers = peers_alert(&message).or_else(|| unencrypted_alert(&thrown));
                let received = peers.is_some();
                let alert = peers.map_or(alert, str::to_owned);
                let failure = Failure {
                    alert: Some(alert),
                    received,
                    ..Failure::new(message, *thrown)
                };
                self.fail(failure, &origin, lines)
            }
            Kind::Exception(thrown) => self.exception(*thrown, &origin, lines),
            Kind::AlertReceived(Alert {
                level: AlertLevel::Fatal,
                description,
            }) => {
                let message = format!("Received fatal alert: {description}");
                let failure = Failure {
                    alert: Some(description),
                    received: true,
                    ..Failure::new(message, Thrown::default())
                };
                self.fail(failure, &origin, lines)
            }
            Kind::AlertSent(Alert {
                level: AlertLevel::Fatal,
                description,
            }) => self.fail(
                Failure {
                    alert: Some(description),
                    ..Failure::default()
                },
                &origin,
                lines,
            ),
            Kind::AlertReceived(_) | Kind::AlertSent(_) | Kind::KeyMaterial => false,
            other => self.progress(other, &origin, lines),
        }
    }

    /// An exception without an alert beside it.
    fn exception(&mut self, thrown: Thrown, origin: &Origin, lines: Excerpt) -> bool {
        let message = thrown.message();
        let alert = peers_alert(&message).map(str::to_owned);
        let failure = Failure {
            received: alert.is_some(),
            alert,
            ..Failure::new(message, thrown)
        };
        self.fail(failure, origin, lines)
    }

    /// The input has ended.
    pub fn finish(&mut self) {
        self.settled.append(&mut self.followed);
    }

    /// Handshakes about which nothing more is expected; they are handed over once.
    pub fn settled(&mut self) -> impl Iterator<Item = Box<Handshake>> {
        self.settled.drain(..).map(Followed::into_handshake)
    }

    /// Handshakes that are still followed.
    pub fn followed(&self) -> impl Iterator<Item = &Handshake> {
        self.followed.iter().map(|followed| &**followed)
    }

    /// What the log says beyond single handshakes.
    #[must_use]
    pub fn knowledge(&self) -> &Knowledge {
        &self.knowledge
    }

    /// The handshake of a ClientHello: a new one, unless it answers a HelloRetryRequest.
    fn hello(&mut self, side: Side, retry: bool, random: &str, origin: &Origin) -> usize {
        let thread = Wanted::of(origin);
        let continued = self.followed.iter().rposition(|handshake| {
            handshake.side == Some(side)
                && handshake.outcome == Outcome::Open
                && handshake.awaits_retry
                && (handshake
                    .client_hello
                    .as_ref()
                    .is_some_and(|hello| hello.random == random && !random.is_empty())
                    || (retry && handshake.runs_on(thread)))
        });
        if let Some(index) = continued {
            self.touch(index, origin);
            return index;
        }
        // What ended on this thread is settled now: nothing that follows belongs to it.
        let over = self.followed.extract_if(.., |handshake| {
            handshake.runs_on(thread) && handshake.outcome != Outcome::Open && handshake.side == Some(side)
        });
        self.settled.extend(over);
        self.begin(Some(side), origin)
    }

    fn begin(&mut self, side: Option<Side>, origin: &Origin) -> usize {
        if self.followed.len() == FOLLOWED {
            let ended = |handshake: &Followed| (handshake.outcome == Outcome::Open, handshake.active);
            self.overflowed = true;
            if let Some(index) = (0..FOLLOWED).min_by_key(|index| ended(&self.followed[*index])) {
                self.settled.push(self.followed.remove(index));
            }
        }
        self.followed.push(Followed::new(side));
        let index = self.followed.len() - 1;
        self.followed[index].begun = origin.time().map(str::to_owned);
        self.touch(index, origin);
        index
    }

    fn touch(&mut self, index: usize, origin: &Origin) {
        self.touch_on(index, origin, true);
    }

    /// The handshake gets an event; whether its thread becomes one of the handshake's.
    fn touch_on(&mut self, index: usize, origin: &Origin, adopts: bool) {
        let handshake = &mut self.followed[index];
        handshake.active = self.clock;
        if let Some((entry, sender)) = self.entry.take() {
            handshake.record(entry, sender);
        }
        if let Some(time) = origin.time() {
            time.clone_into(handshake.ended.get_or_insert_default());
        }
        if adopts {
            handshake.adopt(Wanted::of(origin));
        }
    }

    /// A message of a handshake that goes on.
    fn progress(&mut self, kind: Kind, origin: &Origin, lines: Excerpt) -> bool {
        if let Kind::Certificates { chain, .. } = &kind {
            self.knowledge.saw(chain);
        }
        let Some(index) = self.takes(&kind, origin).or_else(|| self.begun_before(&kind, origin)) else {
            return false;
        };
        // The legacy layouts print messages without their thread: what stands there is a guess.
        let adopts = !origin.thread_id().is_empty() || self.followed[index].threads.is_empty();
        self.touch_on(index, origin, adopts);
        let handshake = &mut self.followed[index];
        if handshake.may_go_on() {
            handshake.outcome = Outcome::Open;
            handshake.failure = None;
        }
        match kind {
            Kind::ServerHello { retry, hello, .. } => {
                handshake.keep(Topic::ServerHello, lines);
                handshake.awaits_retry = retry;
                if !retry {
                    if handshake.version.is_none() && !hello.version.is_empty() {
                        handshake.version = Some(hello.version.clone());
                    }
                    handshake.server_hello = Some(*hello);
                }
            }
            Kind::NegotiatedVersion(version) => handshake.version = Some(version),
            Kind::Certificates {
                sender: Sender::Peer,
                chain,
                ..
            } => {
                handshake.keep(Topic::PeerCertificates, lines);
                handshake.peer_chain = Some(chain);
            }
            Kind::Certificates {
                sender: Sender::This,
                chain,
                ..
            } => {
                handshake.keep(Topic::OwnCertificates, lines);
                handshake.own_chain = Some(chain);
            }
            Kind::CertificateRequest { authorities, .. } => {
                handshake.keep(Topic::CertificateRequest, lines);
                handshake.requested = Some(authorities);
            }
            Kind::NoClientCertificate => {
                handshake.no_client_certificate = true;
                handshake.keep(Topic::OwnCertificates, lines);
            }
            Kind::Resumed => handshake.resumed = true,
            Kind::Ticket => {
                handshake.ticket = true;
                // The server has finished and goes on: this client has finished too, even if the log has lost the line.
                if handshake.outcome == Outcome::Open {
                    handshake.succeed();
                    return true;
                }
            }
            Kind::Finished { sender, .. } => {
                handshake.finished[usize::from(sender == Sender::Peer)] = true;
                if handshake.finished == [true; 2] && handshake.outcome == Outcome::Open {
                    handshake.succeed();
                    return true;
                }
            }
            _ => {}
        }
        false
    }

    /// The handshake of a message in its midst, on a thread of which nothing is known: the log begins too late, or has a gap.
    fn begun_before(&mut self, kind: &Kind, origin: &Origin) -> Option<usize> {
        let telling = matches!(
            kind,
            Kind::ServerHello { .. } | Kind::Certificates { .. } | Kind::CertificateRequest { .. }
        );
        let thread = Wanted::of(origin);
        let known = |handshake: &Followed| handshake.runs_on(thread) && !is_answer_to_another(handshake, kind);
        (telling && !self.followed.iter().any(known)).then(|| self.begin(side_of(kind), origin))
    }

    /// The handshake that takes a message.
    fn takes(&mut self, kind: &Kind, origin: &Origin) -> Option<usize> {
        let side = side_of(kind);
        let fits = |handshake: &Followed| {
            (side.is_none() || handshake.side.is_none() || handshake.side == side) && accepts(handshake, kind)
        };
        if let Kind::ServerHello { hello, .. } = kind
            && !hello.session_id.is_empty()
        {
            let echoed = self.followed.iter().rposition(|handshake| {
                fits(handshake)
                    && handshake
                        .client_hello
                        .as_ref()
                        .is_some_and(|client| client.session_id == hello.session_id)
            });
            if echoed.is_some() {
                return echoed;
            }
        }
        let thread = Wanted::of(origin);
        let here = |handshake: &Followed| handshake.runs_on(thread) && fits(handshake);
        let latest = |found: &mut dyn Iterator<Item = (usize, &Followed)>| {
            found
                .max_by_key(|(_, handshake)| handshake.active)
                .map(|(index, _)| index)
        };
        if let Some(index) = latest(
            &mut self
                .followed
                .iter()
                .enumerate()
                .filter(|(_, handshake)| here(handshake)),
        ) {
            return Some(index);
        }
        if matches!(
            kind,
            Kind::Ticket | Kind::Progress { .. } | Kind::NegotiatedVersion(_) | Kind::Resumed
        ) {
            return None;
        }
        let elsewhere: Vec<usize> = (0..self.followed.len())
            .filter(|index| fits(&self.followed[*index]))
            .collect();
        let index = latest(&mut elsewhere.iter().map(|index| (*index, &self.followed[*index])))?;
        if elsewhere.len() > 1 {
            self.followed[index].uncertain = true;
        }
        Some(index)
    }

    /// The handshake that was active last on this thread, if it is so far.
    fn here(&self, origin: &Origin, outcome: Outcome) -> Option<usize> {
        let thread = Wanted::of(origin);
        let here = self
            .followed
            .iter()
            .enumerate()
            .filter(|(_, handshake)| handshake.runs_on(thread));
        let (index, handshake) = here.max_by_key(|(_, handshake)| handshake.active)?;
        (handshake.outcome == outcome).then_some(index)
    }

    /// Only on the thread that the handshake runs on: an event loop closes finished connections as well.
    fn inbound_closed(&mut self, origin: &Origin, lines: Excerpt) -> bool {
        if self.here(origin, Outcome::Open).is_none() {
            return false;
        }
        let failure = Failure::new("Connection or inbound has closed".to_owned(), Thrown::default());
        self.fail(failure, origin, lines)
    }

    /// A connection was wanted and could not even begin: counted as a handshake that failed, once for all records on the same
    /// failure.
    fn context_failed(&mut self, thrown: Thrown, origin: &Origin, lines: Excerpt) -> bool {
        let known = self.here(origin, Outcome::Failed).is_some_and(|index| {
            let handshake = &self.followed[index];
            handshake.client_hello.is_none() && handshake.server_hello.is_none()
        });
        if known {
            return false;
        }
        let message = thrown.message();
        let index = self.begin(None, origin);
        let handshake = &mut self.followed[index];
        handshake.failure = Some(Failure::new(message, thrown));
        handshake.keep(Topic::Failure, lines);
        handshake.outcome = Outcome::Failed;
        true
    }

    /// Closing failed: matters only where the server may have refused this client after it had finished.
    fn close_failed(&mut self, thrown: Thrown, origin: &Origin, lines: Excerpt) -> bool {
        let Some(index) = self.here(origin, Outcome::Succeeded) else {
            return false;
        };
        let message = thrown.message();
        let failure = Failure::new(message, thrown);
        if !self.followed[index].undone_by(&failure) {
            return false;
        }
        self.touch(index, origin);
        let handshake = &mut self.followed[index];
        handshake.broken = failure.is_transport();
        handshake.failure = Some(failure);
        handshake.keep(Topic::Failure, lines);
        handshake.outcome = Outcome::Failed;
        true
    }

    /// An error: ends the handshake on this thread, or is the first that is seen of one.
    fn fail(&mut self, mut failure: Failure, origin: &Origin, lines: Excerpt) -> bool {
        let Some(index) = self.fails(&failure, origin) else {
            return false;
        };
        self.touch(index, origin);
        let handshake = &mut self.followed[index];
        handshake.side = side_told(&failure).or(handshake.side);
        let weight = failure.weight();
        let says_more = handshake.failure.as_ref().is_none_or(|known| {
            let known_weight = known.weight();
            weight > known_weight || (weight == known_weight && known.thrown.chain.is_empty())
        });
        if says_more {
            let alert = handshake.failure.take().and_then(|known| known.alert);
            failure.alert = failure.alert.or(alert);
            handshake.broken = weight == Weight::Transport;
            handshake.failure = Some(failure);
            handshake.keep(Topic::Failure, lines);
        }
        let changed = handshake.outcome != Outcome::Failed || says_more;
        handshake.outcome = Outcome::Failed;
        changed
    }

    /// A connection that has only begun fails before any hello: a handshake of its own, unless its thread has another one under way.
    fn fails_at_once(&mut self, failure: &Failure, origin: &Origin) -> Option<usize> {
        // A client would have shown its ClientHello first.
        let waited = failure.received || failure.is_transport() || is_not_tls(failure);
        let thread = Wanted::of(origin);
        let on_thread = self
            .followed
            .iter()
            .filter(|handshake| handshake.runs_on(thread))
            .max_by_key(|handshake| handshake.active);
        let free = on_thread.is_none_or(|handshake| handshake.outcome == Outcome::Failed);
        if !free || !(waited || failure.says("No appropriate protocol")) {
            return None;
        }
        // The beginning tells no thread: it may have been another connection's.
        let rivals = self.overflowed
            || self
                .followed
                .iter()
                .any(|handshake| handshake.outcome != Outcome::Failed);
        let side = side_told(failure).or_else(|| waited.then_some(Side::Server));
        let index = self.begin(side, origin);
        self.followed[index].uncertain = rivals;
        Some(index)
    }

    /// Legacy layouts print a fatal alert of this end and the exception that goes with it apart, in either order.
    fn other_half(&self, failure: &Failure, origin: &Origin) -> Option<usize> {
        if !origin.thread_id().is_empty() || failure.received {
            return None;
        }
        let bare = |failure: &Failure| failure.message.is_empty() && failure.thrown.chain.is_empty();
        if bare(failure) {
            return self.here(origin, Outcome::Failed);
        }
        let thread = Wanted::of(origin);
        let waits = |handshake: &Followed| {
            handshake.runs_on(thread)
                && handshake.outcome == Outcome::Failed
                && handshake
                    .failure
                    .as_ref()
                    .is_some_and(|known| !known.received && bare(known))
        };
        let waiting = self
            .followed
            .iter()
            .enumerate()
            .filter(|(_, handshake)| waits(handshake));
        let (index, _) = waiting.min_by_key(|(_, handshake)| handshake.active)?;
        failure.alert.is_none().then_some(index)
    }

    /// A connection logs one fatal error of its own (`TransportContext.fatal`, before 8u272 `SSLEngineImpl.fatal`): a second one on a thread that serves an
    /// engine's tasks is that of a handshake which went on elsewhere since.
    fn begun_after_failure(&mut self, failure: &Failure, origin: &Origin) -> Option<usize> {
        // The legacy layouts print the alert as well, beside its error and without an exception.
        let whole = |failure: &Failure| !origin.thread_id().is_empty() || !failure.thrown.chain.is_empty();
        let fatal = |failure: &Failure| !failure.received && failure.alert.is_some() && whole(failure);
        let over = &self.followed[self.here(origin, Outcome::Failed)?];
        if !fatal(failure) || !over.failure.as_ref().is_some_and(fatal) {
            return None;
        }
        // Threads of one name, which is all that the legacy layouts tell of them, may fail straight after one another.
        let legacy = origin.thread_id().is_empty();
        let since: Vec<usize> = (0..self.followed.len())
            .filter(|index| {
                let handshake = &self.followed[*index];
                let later = handshake.active > over.active || (legacy && handshake.peer_chain.is_some());
                handshake.outcome == Outcome::Open && handshake.side == over.side && later
            })
            .collect();
        let next = *since.iter().max_by_key(|index| self.followed[**index].active)?;
        self.followed[next].uncertain |= since.len() > 1;
        Some(next)
    }

    /// The handshake that an error ends; one of its own if the log shows no other.
    fn fails(&mut self, failure: &Failure, origin: &Origin) -> Option<usize> {
        if std::mem::take(&mut self.begun)
            && let Some(index) = self.fails_at_once(failure, origin)
        {
            return Some(index);
        }
        if let Some(index) = self.other_half(failure, origin) {
            return Some(index);
        }
        if let Some(next) = self.begun_after_failure(failure, origin) {
            return Some(next);
        }
        let side = side_told(failure);
        let latest = |chosen: &dyn Fn(&Followed) -> bool| {
            let found = self.followed.iter().enumerate().filter(|(_, handshake)| {
                chosen(handshake) && (side.is_none() || handshake.side.is_none() || handshake.side == side)
            });
            found
                .max_by_key(|(_, handshake)| handshake.active)
                .map(|(index, _)| index)
        };
        let thread = Wanted::of(origin);
        let here = |handshake: &Followed| handshake.runs_on(thread);
        if let Some(index) = latest(&|handshake| here(handshake) && handshake.outcome == Outcome::Open) {
            return Some(index);
        }
        // Where a legacy log has lost the lines about records, its side was a guess.
        if let Some(index) = self.here(origin, Outcome::Open)
            && origin.thread_id().is_empty()
        {
            return Some(index);
        }
        // Nor was its thread known.
        let nameless = |handshake: &Followed| handshake.threads.iter().all(|thread| thread.name.is_empty());
        let mut adrift = (0..self.followed.len()).filter(|index| {
            let handshake = &self.followed[*index];
            handshake.outcome == Outcome::Open && nameless(handshake)
        });
        if origin.thread_id().is_empty()
            && failure.alert.is_some()
            && let (Some(index), None) = (adrift.next(), adrift.next())
        {
            return Some(index);
        }
        if let Some(index) = latest(&|handshake| here(handshake) && handshake.outcome == Outcome::Failed) {
            // An alert that comes in after this end's own decision belongs to the other end of the same connection,
            // if that is in this JVM too.
            let own = self.followed[index]
                .failure
                .as_ref()
                .is_some_and(|known| !known.received && !known.is_transport());
            if !(failure.received && own) {
                return Some(index);
            }
            let random = self.followed[index]
                .client_hello
                .as_ref()
                .map(|hello| hello.random.clone());
            let other_end = latest(&|handshake| {
                handshake.outcome == Outcome::Open
                    && handshake.client_hello.as_ref().map(|hello| &hello.random) == random.as_ref()
            });
            return other_end.or(Some(index));
        }
        if let Some(index) = latest(&|handshake| here(handshake) && handshake.outcome == Outcome::Succeeded) {
            return self.followed[index].undone_by(failure).then_some(index);
        }
        if failure.thrown.in_application_data || failure.says("close_notify") {
            return None;
        }
        let elsewhere: Vec<usize> = (0..self.followed.len())
            .filter(|index| {
                let handshake = &self.followed[*index];
                handshake.outcome == Outcome::Open && (side.is_none() || handshake.side == side)
            })
            .collect();
        let engine =
            failure.thrown.checks_server || failure.thrown.checks_client || failure.received || failure.alert.is_some();
        let about_chain = failure.thrown.has("ValidatorException") || failure.thrown.has("CertificateException");
        let likely = |index: &usize| {
            let handshake = &self.followed[*index];
            (about_chain && handshake.peer_chain.is_some(), handshake.active)
        };
        if let Some(index) = elsewhere.iter().copied().max_by_key(likely)
            && engine
            && !failure.thrown.in_handshake
        {
            let rivals = elsewhere
                .iter()
                .filter(|rival| likely(rival).0 == likely(&index).0)
                .count();
            if rivals > 1 {
                self.followed[index].uncertain = true;
            }
            return Some(index);
        }
        let alone = failure.thrown.in_handshake
            || side.is_some()
            || failure.alert.is_some()
            || failure.thrown.has("SSLHandshakeException")
            || failure.says("plaintext connection?");
        // A client would have shown its ClientHello first.
        let waited = failure.is_transport() || is_not_tls(failure);
        let side = side.or_else(|| waited.then_some(Side::Server));
        (alone && !failure.message.is_empty()).then(|| self.begin(side, origin))
    }
}

impl Handshake {
    /// Whether an error after both Finished messages shows that the server refused this client after all: in TLS 1.3 it
    /// judges the client's certificate after the client has finished (RFC 8446 §4.4.2.4).
    fn undone_by(&self, failure: &Failure) -> bool {
        if self.side != Some(Side::Client) || !self.is_tls13() || self.ticket || self.requested.is_none() {
            return false;
        }
        failure.received || (self.sent_no_client_certificate() && failure.is_transport())
    }
}

/// The alert of the peer that a message echoes, fatal or, in the midst of a handshake, a warning that ends it.
pub(super) fn peers_alert(message: &str) -> Option<&str> {
    const ECHOES: [&str; 4] = [
        "Received fatal alert: ",
        "Received handshake warning: ",
        "handshake alert: ",
        "Unknown alert description ",
    ];
    ECHOES.iter().find_map(|echo| message.strip_prefix(echo)).map(str::trim)
}

/// The alert that came in unencrypted where encryption had begun, which newer JDKs name in an exception.
fn unencrypted_alert(thrown: &Thrown) -> Option<&str> {
    const ALERT: &str = "Unexpected plaintext alert received: Level: fatal; Alert: ";
    thrown
        .chain
        .iter()
        .find_map(|link| link.message.strip_prefix(ALERT))
        .map(str::trim)
}

/// Whether what came in was no TLS.
fn is_not_tls(failure: &Failure) -> bool {
    failure.says("plaintext connection?") || failure.says("unrecognized SSL message")
}

/// Which end this is, by the stack or by what only one end says.
fn side_told(failure: &Failure) -> Option<Side> {
    const SERVER: [&str; 9] = [
        "no cipher suites in common",
        "Empty client certificate chain",
        "null cert chain",
        "are not accepted by server preferences",
        "in server context",
        "SSLv2Hello is",
        "TLS client authentication",
        "Unrecognized server name indication",
        "No common named group",
    ];
    const CLIENT: [&str; 4] = [
        "TLS server authentication",
        "is not accepted by client preferences",
        "supported by the client",
        "No subject alternative",
    ];
    match (failure.thrown.checks_server, failure.thrown.checks_client) {
        (true, false) => return Some(Side::Client),
        (false, true) => return Some(Side::Server),
        _ => {}
    }
    if failure.received {
        return None;
    }
    if failure.says_any(&SERVER) {
        Some(Side::Server)
    } else {
        failure.says_any(&CLIENT).then_some(Side::Client)
    }
}

/// Which end's log holds this message.
fn side_of(kind: &Kind) -> Option<Side> {
    let client = match kind {
        Kind::ServerHello { sender, .. } | Kind::CertificateRequest { sender, .. } => *sender == Sender::Peer,
        Kind::Certificates {
            sender,
            from_client: Some(from_client),
            ..
        }
        | Kind::Finished {
            sender,
            from_client: Some(from_client),
        } => *from_client == (*sender == Sender::This),
        Kind::Progress { client: Some(client) } => *client,
        Kind::NoClientCertificate => true,
        _ => return None,
    };
    Some(if client { Side::Client } else { Side::Server })
}

/// Whether a ServerHello answers another ClientHello, which the log has lost: TLS 1.3 echoes the session id (RFC 8446
/// §4.1.3).
fn is_answer_to_another(handshake: &Handshake, kind: &Kind) -> bool {
    let Kind::ServerHello { hello, .. } = kind else {
        return false;
    };
    let Some(client) = &handshake.client_hello else {
        return false;
    };
    hello.version == "TLSv1.3"
        && ![&client.session_id, &hello.session_id]
            .into_iter()
            .any(String::is_empty)
        && client.session_id != hello.session_id
}

/// Whether a handshake can take a message now.
fn accepts(handshake: &Handshake, kind: &Kind) -> bool {
    if is_answer_to_another(handshake, kind) {
        return false;
    }
    if handshake.outcome != Outcome::Open && !handshake.may_go_on() {
        return matches!(kind, Kind::Ticket) && handshake.outcome == Outcome::Succeeded;
    }
    match kind {
        Kind::ServerHello { .. } => handshake.server_hello.is_none(),
        Kind::Certificates {
            sender: Sender::Peer, ..
        } => handshake.peer_chain.is_none(),
        Kind::Certificates {
            sender: Sender::This, ..
        } => handshake.own_chain.is_none(),
        Kind::Finished { sender, .. } => !handshake.finished[usize::from(*sender == Sender::Peer)],
        Kind::Ticket => handshake.finished[1],
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Reader;

    fn record(thread: &str, message: &str, payload: &str) -> String {
        let head = format!("javax.net.ssl|DEBUG|{thread}|t{thread}|2026-11-23 14:54:54.556 GMT|X.java:1|{message}");
        if payload.is_empty() {
            format!("{head}\n")
        } else {
            format!("{head} (\n{payload}\n)\n")
        }
    }

    fn client_hello(thread: &str, id: &str) -> String {
        record(
            thread,
            "Produced ClientHello handshake message",
            &format!("  \"random\" : \"{id}\",\n  \"session id\" : \"{id}\","),
        )
    }

    fn server_hello(thread: &str, id: &str) -> String {
        record(
            thread,
            "Consuming ServerHello handshake message",
            &format!("  \"session id\" : \"{id}\",\n  \"selected version\": [TLSv1.3]"),
        )
    }

    fn finished(thread: &str) -> String {
        record(thread, "Consuming server Finished handshake message", "")
            + &record(thread, "Produced client Finished handshake message", "")
    }

    fn outcomes(log: &str) -> Vec<(Outcome, bool)> {
        let mut tracker = Tracker::default();
        let mut reader = Reader::default();
        reader.feed(log.as_bytes(), |event| {
            tracker.apply(event);
        });
        tracker.finish();
        tracker
            .settled()
            .map(|handshake| (handshake.outcome, handshake.uncertain))
            .collect()
    }

    #[test]
    fn one_thread_after_the_other() {
        let log = client_hello("01", "aa") + &server_hello("01", "aa") + &finished("01") + &client_hello("01", "bb");
        assert_eq!(outcomes(&log), [(Outcome::Succeeded, false), (Outcome::Open, false)]);
    }

    #[test]
    fn an_event_loop_serves_many_connections() {
        let log = client_hello("01", "aa")
            + &client_hello("01", "bb")
            + &server_hello("01", "aa")
            + &finished("01")
            + &server_hello("01", "bb")
            + &finished("01");
        assert_eq!(outcomes(&log), [(Outcome::Succeeded, false); 2]);
    }

    #[test]
    fn an_answer_to_a_hello_that_the_log_has_lost_is_nobody_elses() {
        let fatal = record("01", "Fatal (CERTIFICATE_EXPIRED): x", "  java.lang.Exception: x");
        let log = client_hello("01", "aa") + &server_hello("01", "bb") + &fatal;
        assert_eq!(outcomes(&log), [(Outcome::Open, false), (Outcome::Failed, false)]);
    }

    #[test]
    fn an_engines_tasks_run_on_other_threads() {
        let log = client_hello("01", "aa") + &server_hello("02", "aa") + &finished("03");
        assert_eq!(outcomes(&log), [(Outcome::Succeeded, false)]);
    }

    #[test]
    fn a_retry_is_the_same_handshake() {
        let retry = record(
            "01",
            "Consuming ServerHello handshake message",
            "\"HelloRetryRequest\": {\n  \"session id\" : \"aa\",\n}",
        );
        let second = record(
            "01",
            "Produced ClientHello(HRR) handshake message",
            "  \"random\" : \"aa\",\n  \"session id\" : \"aa\",",
        );
        let log = client_hello("01", "aa") + &retry + &second + &server_hello("01", "aa") + &finished("01");
        assert_eq!(outcomes(&log), [(Outcome::Succeeded, false)]);
    }

    #[test]
    fn what_follows_a_failure_belongs_to_it() {
        let fatal = record(
            "01",
            "Fatal (CERTIFICATE_UNKNOWN): No name matching a found",
            "  java.lang.Exception: x",
        );
        let closed = record(
            "01",
            "Fatal (UNEXPECTED_MESSAGE): Broken pipe",
            "  java.net.SocketException: Broken pipe",
        );
        assert_eq!(
            outcomes(&(client_hello("01", "aa") + &fatal + &closed)),
            [(Outcome::Failed, false)]
        );
    }

    #[test]
    fn an_error_on_an_established_connection_is_no_failed_handshake() {
        let log = client_hello("01", "aa")
            + &server_hello("01", "aa")
            + &finished("01")
            + &record(
                "01",
                "Fatal (UNEXPECTED_MESSAGE): Connection reset",
                "  java.net.SocketException: Connection reset",
            );
        assert_eq!(outcomes(&log), [(Outcome::Succeeded, false)]);
    }

    #[test]
    fn a_broken_connection_on_an_event_loop_may_be_another() {
        let broken = record(
            "01",
            "Fatal (INTERNAL_ERROR): closing inbound before receiving peer's close_notify",
            "  javax.net.ssl.SSLException: closing inbound before receiving peer's close_notify",
        );
        let log = client_hello("01", "aa") + &broken;
        assert_eq!(outcomes(&log), [(Outcome::Failed, false)]);
        assert_eq!(
            outcomes(&(log + &server_hello("01", "aa") + &finished("01"))),
            [(Outcome::Succeeded, false)]
        );
        assert_eq!(outcomes(&broken), []);
    }

    #[test]
    fn a_second_fatal_error_on_a_task_thread_is_the_next_handshakes() {
        let fatal = record(
            "31",
            "Fatal (HANDSHAKE_FAILURE): Invalid DH ServerKeyExchange: unknown extra data",
            "  javax.net.ssl.SSLHandshakeException: Invalid DH ServerKeyExchange: unknown extra data",
        );
        let one = client_hello("01", "aa") + &server_hello("51", "aa") + &fatal;
        let two = client_hello("02", "bb") + &server_hello("51", "bb") + &fatal;
        assert_eq!(
            outcomes(&(one + &two)),
            [(Outcome::Failed, false), (Outcome::Failed, false)]
        );
    }

    #[test]
    fn an_alert_that_came_in_unencrypted_is_the_peers() {
        let fatal = record(
            "01",
            "Fatal (UNEXPECTED_MESSAGE): Unexpected exception",
            "  javax.net.ssl.SSLProtocolException: Unexpected exception\n  Caused by: java.security.GeneralSecurityException: Unexpected plaintext \
             alert received: Level: fatal; Alert: unknown_ca",
        );
        let mut tracker = Tracker::default();
        let mut reader = Reader::default();
        reader.feed((client_hello("01", "aa") + &fatal).as_bytes(), |event| {
            tracker.apply(event);
        });
        reader.finish(|event| {
            tracker.apply(event);
        });
        let failure = tracker.followed[0].failure.as_ref().unwrap();
        assert_eq!((failure.alert.as_deref(), failure.received), (Some("unknown_ca"), true));
    }

    #[test]
    fn an_engine_that_gives_up_reading_in_the_midst_of_a_handshake_has_failed() {
        let closing = record("01", "Closing inbound of SSLEngine", "");
        let hello = client_hello("01", "aa");
        assert_eq!(outcomes(&(hello.clone() + &closing)), [(Outcome::Failed, false)]);
        let whole = hello + &server_hello("01", "aa") + &finished("01");
        assert_eq!(outcomes(&(whole + &closing)), [(Outcome::Succeeded, false)]);
    }

    #[test]
    fn a_read_that_timed_out_may_go_on() {
        let timeout = record(
            "01",
            "handling exception",
            "  java.net.SocketTimeoutException: Read timed out",
        );
        let log = client_hello("01", "aa") + &timeout;
        assert_eq!(outcomes(&log), [(Outcome::Failed, false)]);
        assert_eq!(
            outcomes(&(log + &server_hello("01", "aa") + &finished("01"))),
            [(Outcome::Succeeded, false)]
        );
    }
}
