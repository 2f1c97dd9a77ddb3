//! Events to handshakes: which messages belong to the same connection, what was offered and chosen, which chains were sent.

mod failure;
mod followed;
mod knowledge;
mod tracker;
mod transcript;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::log::{Certificate, ClientHello, Excerpt, Line, Names, ServerHello};

pub use failure::Failure;
pub use knowledge::Knowledge;
pub use tracker::Tracker;
pub use transcript::{Entry, Step};

/// Threads of one handshake that are kept: an engine's tasks run on many.
const KEPT_THREADS: usize = 8;
/// Lines of evidence kept for one topic of a handshake.
const KEPT_LINES: usize = 8;

/// An end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Side {
    /// The end that sent the ClientHello.
    Client,
    /// The end that received it.
    Server,
}

/// What a line of evidence is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// What the client offers.
    ClientHello,
    /// What the server chose.
    ServerHello,
    /// A chain that this end received.
    PeerCertificates,
    /// A chain that this end sent.
    OwnCertificates,
    /// The request for a client certificate.
    CertificateRequest,
    /// How it failed.
    Failure,
}

/// How far a handshake is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Its end has not been seen.
    Open,
    /// Both Finished messages were seen.
    Succeeded,
    /// It ended with an error.
    Failed,
}

/// A thread, as the log names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    /// Its id, opaque; empty in legacy layouts.
    pub id: String,
    /// Its name; empty for virtual threads.
    pub name: String,
}

/// One handshake, as this end saw it.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, not the states of one machine"
)]
#[derive(Debug, Clone)]
pub struct Handshake {
    /// This end; unknown where the log begins too late.
    pub side: Option<Side>,
    /// The threads it ran on, the first one first.
    pub threads: Vec<Thread>,
    /// Time of its first record, as printed.
    pub begun: Option<String>,
    /// Time of its last record, as printed.
    pub ended: Option<String>,
    /// What the client offers.
    pub client_hello: Option<ClientHello>,
    /// What the server chose.
    pub server_hello: Option<ServerHello>,
    /// The negotiated version.
    pub version: Option<String>,
    /// The chain that this end received; empty if the message held none.
    pub peer_chain: Option<Vec<Certificate>>,
    /// The chain that this end sent; empty if the message held none.
    pub own_chain: Option<Vec<Certificate>>,
    /// The authorities of the request for a client certificate, sent or received.
    pub requested: Option<Vec<String>>,
    /// This client said that it has no certificate to send.
    pub no_client_certificate: bool,
    /// The session was resumed.
    pub resumed: bool,
    /// How often this server found no certificate for a key type that was asked for.
    pub keys_missing: u32,
    /// How it failed.
    pub failure: Option<Failure>,
    /// Its messages may belong to another handshake that ran at the same time.
    pub uncertain: bool,
    outcome: Outcome,
    /// It failed because the connection broke.
    broken: bool,
    finished: [bool; 2],
    ticket: bool,
    awaits_retry: bool,
    evidence: Vec<(Topic, Line)>,
    transcript: Vec<Entry>,
}

impl Handshake {
    /// How far it is.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// The lines on some topics, in order.
    #[must_use]
    pub fn evidence(&self, topics: &[Topic]) -> Vec<&Line> {
        let mut lines: Vec<&Line> = self
            .evidence
            .iter()
            .filter(|(topic, _)| topics.contains(topic))
            .map(|(_, line)| line)
            .collect();
        lines.sort_by_key(|line| line.number);
        // A line of JSON may carry a whole record.
        lines.dedup();
        lines
    }

    /// What happened, message by message; empty unless it is [kept](Tracker::with_transcripts).
    #[must_use]
    pub fn transcript(&self) -> &[Entry] {
        &self.transcript
    }

    /// The other end's own certificate.
    #[must_use]
    pub fn peer_certificate(&self) -> Option<&Certificate> {
        self.peer_chain.as_ref().and_then(|chain| chain.first())
    }

    /// Whether this end decided to fail, rather than learn it by an alert or a broken connection.
    #[must_use]
    pub fn decided_here(&self) -> bool {
        self.failure
            .as_ref()
            .is_some_and(|failure| !failure.received && !failure.is_transport())
    }

    /// Whether this client got no answer to its ClientHello so far.
    #[must_use]
    pub fn is_unanswered(&self) -> bool {
        self.outcome == Outcome::Open
            && self.side == Some(Side::Client)
            && self.client_hello.is_some()
            && self.server_hello.is_none()
    }

    /// Whether a client certificate was asked for and this client sent none.
    #[must_use]
    pub fn sent_no_client_certificate(&self) -> bool {
        self.side == Some(Side::Client)
            && self.requested.is_some()
            && (self.no_client_certificate || self.own_chain.as_ref().is_some_and(Vec::is_empty))
    }

    /// Whether this client sent a certificate.
    #[must_use]
    pub fn sent_client_certificate(&self) -> bool {
        self.side == Some(Side::Client) && self.own_chain.as_ref().is_some_and(|chain| !chain.is_empty())
    }

    /// Whether TLS 1.3 is spoken, where a client finishes before the server has judged its certificate.
    #[must_use]
    pub fn is_tls13(&self) -> bool {
        self.version
            .as_deref()
            .is_some_and(|version| version == "TLSv1.3" || version == "TLS13")
    }

    /// Whether it may go on though it seems to have failed: a read that timed out leaves the socket open (since 11), and on
    /// the thread of an event loop a connection that broke may have been another one.
    fn may_go_on(&self) -> bool {
        self.outcome == Outcome::Failed && self.broken
    }

    /// It has succeeded: what only a diagnosis of a failure needs is let go.
    fn succeed(&mut self) {
        self.outcome = Outcome::Succeeded;
        if !self.transcript.is_empty() {
            return;
        }
        self.evidence
            .retain(|(topic, _)| matches!(topic, Topic::CertificateRequest | Topic::OwnCertificates));
        if let Some(hello) = &mut self.client_hello {
            hello.cipher_suites = Names::default();
            hello.groups = Names::default();
            hello.signature_algorithms = Names::default();
        }
        for chain in [&mut self.peer_chain, &mut self.own_chain].into_iter().flatten() {
            chain.truncate(1);
        }
    }

    fn new(side: Option<Side>) -> Self {
        Self {
            side,
            threads: Vec::new(),
            begun: None,
            ended: None,
            client_hello: None,
            server_hello: None,
            version: None,
            peer_chain: None,
            own_chain: None,
            requested: None,
            no_client_certificate: false,
            resumed: false,
            keys_missing: 0,
            failure: None,
            uncertain: false,
            outcome: Outcome::Open,
            broken: false,
            finished: [false; 2],
            ticket: false,
            awaits_retry: false,
            evidence: Vec::new(),
            transcript: Vec::new(),
        }
    }

    fn keep(&mut self, topic: Topic, lines: Excerpt) {
        let kept = self.evidence.iter().filter(|(known, _)| *known == topic).count();
        self.evidence.extend(
            lines
                .into_iter()
                .take(KEPT_LINES.saturating_sub(kept))
                .map(|line| (topic, line)),
        );
    }
}
