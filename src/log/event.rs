//! What a log says, independent of the layout it is written in.

use smallvec::SmallVec;

use super::{Certificate, Names, Origin};

/// One message of the handshake or one error, as a log prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Where and when it was printed.
    pub origin: Origin,
    /// What it says.
    pub kind: Kind,
    /// The lines that say it: the record's header first, then the payload lines that matter.
    pub lines: Excerpt,
}

/// Lines of one record: of most only the header, which then has no allocation of its own.
pub type Excerpt = SmallVec<[Line; 1]>;

/// One line of the log, without what carried it, cut at 512 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Line number, from 1.
    pub number: u64,
    /// The text.
    pub text: String,
}

/// Which end of the connection sent a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// The end whose log this is.
    This,
    /// The other end.
    Peer,
}

/// What an event says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A ClientHello; `retry` marks the second one after a HelloRetryRequest (RFC 8446 §4.1.4).
    ClientHello {
        /// Who sent it.
        sender: Sender,
        /// Whether it answers a HelloRetryRequest.
        retry: bool,
        /// Its content.
        hello: Box<ClientHello>,
    },
    /// A ServerHello or, with `retry`, a HelloRetryRequest.
    ServerHello {
        /// Who sent it.
        sender: Sender,
        /// Whether it is a HelloRetryRequest.
        retry: bool,
        /// Its content.
        hello: Box<ServerHello>,
    },
    /// `Negotiated protocol version`.
    NegotiatedVersion(String),
    /// A Certificate message: the chain, the sender's own certificate first. Empty when none was sent.
    Certificates {
        /// Who sent it.
        sender: Sender,
        /// Whether the client sent it, where the log says so.
        from_client: Option<bool>,
        /// The chain.
        chain: Vec<Certificate>,
    },
    /// A CertificateRequest with the names of the authorities that it accepts.
    CertificateRequest {
        /// Who sent it.
        sender: Sender,
        /// Distinguished names; empty means any.
        authorities: Vec<String>,
    },
    /// A Finished message.
    Finished {
        /// Who sent it.
        sender: Sender,
        /// Whether the client sent it, where the log says so.
        from_client: Option<bool>,
    },
    /// Any other handshake message: the handshake goes on.
    Progress {
        /// Whether this log's end is the client, where the message says so.
        client: Option<bool>,
    },
    /// This client has no certificate to send although it was asked.
    NoClientCertificate,
    /// The session is resumed: no certificates will come.
    Resumed,
    /// An alert that came in.
    AlertReceived(Alert),
    /// An alert that went out (legacy layouts print it before the exception).
    AlertSent(Alert),
    /// `Fatal (ALERT): message`, this end's own decision or the echo of the peer's alert.
    Fatal {
        /// The alert's name in lower case, as the wire has it.
        alert: String,
        /// The text after the colon.
        message: String,
        /// What the record's throwable says.
        thrown: Box<Thrown>,
    },
    /// An exception that was logged without a fatal alert of its own.
    Exception(Box<Thrown>),
    /// An exception while this end closed the connection. Good connections end with it as well.
    CloseFailed(Box<Thrown>),
    /// No context for connections could be made: a key or trust store could not be read.
    ContextFailed(Box<Thrown>),
    /// `Closing inbound of SSLEngine`: this engine's own code gives up reading, as it does when the connection has ended.
    InboundClosed,
    /// This server has no certificate for a key type that a cipher suite or signature scheme asks for.
    NoServerKey,
    /// Certificates of a trust store, as loaded.
    TrustStore(Vec<Certificate>),
    /// A certificate that is in the log for another reason: the chosen anchor, an own key's chain.
    Seen(Vec<Certificate>),
    /// A session ticket came in after the handshake: the server has accepted this client (RFC 8446 §4.6.1).
    Ticket,
    /// A connection has begun, and what follows on its thread is the first that is printed of it: no hello came before.
    Begun,
    /// The key material of a legacy log begins; nothing of it is ever kept.
    KeyMaterial,
}

/// A ClientHello (RFC 8446 §4.1.2, RFC 5246 §7.4.1.2), as far as a diagnosis needs it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientHello {
    /// The random in lower-case hex; the same in both ends' logs.
    pub random: String,
    /// The session id in lower-case hex; TLS 1.3 servers echo it.
    pub session_id: String,
    /// `legacy_version`: the highest version where there is no `supported_versions`.
    pub version: String,
    /// `supported_versions`, the most wanted first.
    pub versions: Names,
    /// Cipher suite names without their numbers, signalling values included.
    pub cipher_suites: Names,
    /// The host in `server_name`.
    pub server_name: Option<String>,
    /// `supported_groups`.
    pub groups: Names,
    /// `signature_algorithms`.
    pub signature_algorithms: Names,
    /// `application_layer_protocol_negotiation`.
    pub application_protocols: Names,
}

impl ClientHello {
    /// The versions on offer, the most wanted first.
    #[must_use]
    pub fn offered_versions(&self) -> Vec<&str> {
        if self.versions.is_empty() && !self.version.is_empty() {
            return vec![&self.version];
        }
        self.versions.iter().collect()
    }

    /// The cipher suites on offer without signalling values (RFC 5746, RFC 7507).
    pub fn offered_suites(&self) -> impl Iterator<Item = &str> {
        self.cipher_suites.iter().filter(|suite| !suite.ends_with("_SCSV"))
    }
}

/// A ServerHello (RFC 8446 §4.1.3), as far as a diagnosis needs it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerHello {
    /// The server's clock, in seconds since 1970, with which a random begins before TLS 1.3 (RFC 5246 §7.4.1.2); only the legacy
    /// layouts print it as such.
    pub clock: Option<i64>,
    /// The version it selects.
    pub version: String,
    /// The session id in lower-case hex.
    pub session_id: String,
    /// The cipher suite it selects.
    pub cipher_suite: String,
}

/// An alert (RFC 8446 §6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Its level.
    pub level: AlertLevel,
    /// Its description as the wire names it, such as `handshake_failure`.
    pub description: String,
}

/// The level of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertLevel {
    /// The connection may go on.
    Warning,
    /// The connection ends.
    Fatal,
}

/// What a logged throwable says.
#[expect(clippy::struct_excessive_bools, reason = "independent facts about one stack")]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Thrown {
    /// Class and message of the throwable and of each cause, outermost first.
    pub chain: Vec<ThrownBy>,
    /// The stack passes through the check of a server's certificate: this end is the client.
    pub checks_server: bool,
    /// The stack passes through the check of a client's certificate: this end is the server.
    pub checks_client: bool,
    /// The stack passes through the handshake.
    pub in_handshake: bool,
    /// The stack passes through a read or write of application data after the handshake.
    pub in_application_data: bool,
}

/// One link of a throwable's chain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ThrownBy {
    /// The class, such as `java.net.SocketException`.
    pub class: String,
    /// Its message, without the `(alert_name)` that newer JDKs put before it (JDK-8311644).
    pub message: String,
}

/// Links of a throwable's chain that are kept.
const KEPT_LINKS: usize = 8;

impl Thrown {
    /// Adds a cause to the chain; answers whether there was room for it.
    pub(super) fn push(&mut self, cause: ThrownBy) -> bool {
        let room = self.chain.len() < KEPT_LINKS;
        if room {
            self.chain.push(cause);
        }
        room
    }

    /// The outermost message; empty where there is none.
    #[must_use]
    pub fn message(&self) -> String {
        self.chain.first().map(|link| link.message.clone()).unwrap_or_default()
    }

    /// Whether any message of the chain holds this text.
    #[must_use]
    pub fn says(&self, text: &str) -> bool {
        self.chain.iter().any(|link| holds(&link.message, text))
    }

    /// Whether the chain holds an exception of this simple class name.
    #[must_use]
    pub fn has(&self, class: &str) -> bool {
        self.chain
            .iter()
            .any(|link| link.class.rsplit(['.', '$']).next() == Some(class) || holds(&link.message, class))
    }
}

/// Whether a text holds another. Messages are so short that a searcher's preparation would take longer than the search.
pub(crate) fn holds(text: &str, other: &str) -> bool {
    let (text, other) = (text.as_bytes(), other.as_bytes());
    let Some(first) = other.first() else { return true };
    memchr::memchr_iter(*first, text).any(|at| text[at..].starts_with(other))
}
