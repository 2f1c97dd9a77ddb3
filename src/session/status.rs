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
    /// Where the session is in its life.
    #[serde(default)]
    pub phase: Phase,
    /// The answer in one word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// The strategy in effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    /// The generation of the spec that this status answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// When debugging began: the first pod with the flag was ready, or wrote its first debug record (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "date_time")]
    pub started_at: Option<String>,
    /// When debugging is turned off at the latest (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "date_time")]
    pub expires_at: Option<String>,
    /// When the session was Completed or Failed (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "date_time")]
    pub finished_at: Option<String>,
    /// One condition per promise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions")]
    pub conditions: Vec<Condition>,
    /// The first cause, by certainty, then count, then last seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// What is wrong, in one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// How many handshakes were seen, by outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handshakes: Option<HandshakeCounts>,
    /// At most 20 findings with at most 10 lines of evidence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// What limits the answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What was read of which pod.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pods: Vec<PodCapture>,
    /// What was changed in the workload and where; never a value of the variable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub injection: Option<InjectionSummary>,
    /// A command that undoes the change by hand, for when the operator cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore_command: Option<String>,
    /// Why the session ends or ended before its time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
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
    /// Ended for a reason that the conditions name; the workload is as it was unless Restored says otherwise.
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
    /// How often the container had been restarted in this life.
    pub restarts: i32,
    /// Lines read.
    pub lines: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Stretches of the log that could not be read, for example because it was rotated.
    pub gaps: u64,
}

/// What was changed in the workload, or is different in the clone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InjectionSummary {
    /// uid of the workload, or of the clone.
    pub uid: String,
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
