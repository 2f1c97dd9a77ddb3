//! The report: the contract of `tlsdebug diagnose --output json` and of a session's status.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::handshake::Side;

/// What a log says about its TLS handshakes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The answer in one word.
    pub verdict: Verdict,
    /// How many handshakes the log holds, by outcome.
    pub handshakes: HandshakeCounts,
    /// Root causes, the most certain first, then the most frequent, then the most recent.
    pub findings: Vec<Finding>,
    /// What limits the answer: unread input, gaps, a log without debug output.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// The answer in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Verdict {
    /// At least one handshake failed.
    FailuresFound,
    /// Every handshake that the log shows to its end succeeded.
    AllSucceeded,
    /// Handshakes began, none is shown to its end.
    Inconclusive,
    /// Debug output is there, but no handshake in it.
    NoHandshakes,
    /// Not a single record of JSSE debug output.
    NoDebugOutput,
}

/// Handshakes by outcome; `total` is the sum of the other three.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HandshakeCounts {
    /// All handshakes that began.
    pub total: u64,
    /// Those that reached their last Finished message.
    pub succeeded: u64,
    /// Those that ended with an error.
    pub failed: u64,
    /// Those whose end the log does not show.
    pub incomplete: u64,
}

/// One root cause, with the handshakes that it explains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The name of the cause in the catalogue, such as `MissingIntermediate`.
    pub cause: String,
    /// How sure the log lets us be.
    pub certainty: Certainty,
    /// This log's end of the connection.
    pub side: Side,
    /// The other end, as far as the log names it.
    #[serde(default)]
    pub peer: Peer,
    /// How many failed handshakes this explains.
    pub count: u64,
    /// The cause that the other end's log names for the same connections, where that end decided and its log was read as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_end: Option<String>,
    /// One sentence: what is wrong.
    pub summary: String,
    /// Why the log proves or suggests it, and what else it could be.
    pub explanation: String,
    /// What to do, the most likely remedy first.
    #[serde(default)]
    pub remedies: Vec<String>,
    /// The lines that show it; JSSE records and exceptions only.
    #[serde(default)]
    pub evidence: Vec<Evidence>,
    /// Time of the first handshake, as the log prints it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<String>,
    /// Time of the last handshake, as the log prints it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<String>,
    /// Names of the threads on which it happened.
    #[serde(default)]
    pub threads: Vec<String>,
}

/// How sure a finding is; the order is that of rising certainty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Certainty {
    /// This end cannot tell; the other end's log can.
    Possible,
    /// One explanation fits everything seen.
    Likely,
    /// The log shows the cause itself.
    Proven,
}

/// The other end of a connection, as far as the log names it. JSSE logs neither address nor port.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Peer {
    /// The name in the ClientHello's `server_name` extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// Subject of the certificate that the other end sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_subject: Option<String>,
}

/// One line of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// File or pod that holds the line.
    pub source: String,
    /// Line number, from 1.
    pub line: u64,
    /// The line, without what its carrier put before it, cut at 512 characters.
    pub text: String,
}
