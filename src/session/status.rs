//! What the operator answers.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diagnosis::report::{Finding, HandshakeCounts, Verdict};
use crate::session::spec::Strategy;
use crate::workload::record::Change;

/// State and result of a session.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TLSDebugSessionStatus {
    /// Where the session is in its life: Pending, Injecting, Capturing, Restoring, then Completed or Failed.
    #[serde(default)]
    pub phase: Phase,
    /// What the handshakes say that were read: FailuresFound, AllSucceeded, Inconclusive (none is shown to its end),
    /// NoHandshakes (debug output without one) or NoDebugOutput.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// The strategy in effect: that of `spec.strategy`, or what stands for it where it is unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    /// The generation of the spec that this status answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// When debugging began: the first pod with the flag was ready, or wrote its first debug record (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "date_time")]
    pub started_at: Option<String>,
    /// When debugging is turned off at the latest (RFC 3339); absent until the duration begins to count, and
    /// once the output is being turned off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "date_time")]
    pub expires_at: Option<String>,
    /// When the session was Completed or Failed (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "date_time")]
    pub finished_at: Option<String>,
    /// What holds and what does not, each with its reason: Accepted, Injected, Capturing, Diagnosed, TemplateRestored,
    /// Restored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions")]
    pub conditions: Vec<Condition>,
    /// What is wrong, in one word: the cause of the first of `findings` that `spec.match` asks for. Where the session failed
    /// before it found one, the reason why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// What is wrong or what is being waited for, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// How many handshakes were seen, by outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handshakes: Option<HandshakeCounts>,
    /// Why handshakes failed: the most certain first (Proven, Likely, Possible), then the most frequent. At most 20, with at
    /// most 10 lines of evidence each; those that `spec.match` asks for come first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// What limits the answer, and what the session means for the workload.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What was read of which pod: one entry for each life of its container, that is from one restart to the next.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pods: Vec<PodCapture>,
    /// What was read in container lives that `pods` no longer lists. It counts in the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier_pods: Option<EarlierPods>,
    /// The session of the other end (`spec.peer`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<PeerSession>,
    /// What was changed in the workload and where; never a value of the variable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub injection: Option<InjectionSummary>,
    /// A command that undoes the change by hand, for when the operator cannot. Absent when there is nothing to undo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore_command: Option<String>,
    /// Why the session failed; absent in a session that ends as planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

/// The session of the other end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PeerSession {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Where it is in its life.
    pub phase: Phase,
}

/// Where a session is in its life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    /// Accepted or waiting for the workload to become ready for a change.
    #[default]
    Pending,
    /// The flag is in the template, no pod with it is ready yet.
    Injecting,
    /// Logs of pods with the flag are being read.
    Capturing,
    /// The template is being put back, or pods with the flag are still ending.
    Restoring,
    /// Ended as planned; the workload is as it was.
    Completed,
    /// Ended for the reason in `failure`; the workload is as it was, unless the condition Restored says otherwise.
    Failed,
}

impl Phase {
    /// Whether nothing more will happen.
    #[must_use]
    pub const fn is_finished(self) -> bool {
        matches!(self, Self::Completed | Self::Failed)
    }
}

/// What was read of one container's life.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodCapture {
    /// Name of the pod.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// How often the container had been restarted before this life.
    pub restarts: i32,
    /// Lines read.
    pub lines: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Stretches of the log that could not be read, for example because it was rotated.
    pub gaps: u64,
}

/// What was read of container lives that are no longer listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EarlierPods {
    /// How many lives.
    pub lives: u64,
    /// Lines read.
    pub lines: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Stretches of their logs that could not be read.
    pub gaps: u64,
}

/// What was changed in the workload, or is different in the clone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InjectionSummary {
    /// uid of the workload, or of the clone.
    pub uid: String,
    /// When the flag must be gone at the latest, as the record on the workload says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "date_time")]
    pub deadline: Option<String>,
    /// The change.
    #[serde(flatten)]
    pub change: Change,
}

/// Why a session ends before its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// One word, such as `TargetNotFound`.
    pub reason: String,
    /// What was tried, why it did not work, and the way out.
    pub message: String,
}

fn date_time(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": "string", "format": "date-time"})
}

fn conditions(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let item = generator.subschema_for::<Condition>();
    schemars::json_schema!({
        "type": "array",
        "items": item,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"]
    })
}
