//! The record of a change: an annotation on the workload's own metadata, written and removed in the same patches as the
//! flag. Whoever finds it can undo the change from the object alone; no value of the variable is in it.

use k8s_openapi::api::core::v1::PodSpec;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::environment;

/// The annotation that holds the record.
pub const ANNOTATION: &str = "tlsdebug.io/injection";

/// What was changed, for whom, until when, and how to undo it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The session for which the change was made.
    pub session: SessionReference,
    /// Who undoes it.
    pub owner: RecordOwner,
    /// When the flag must be gone at the latest (RFC 3339).
    pub deadline: String,
    /// What was changed and how to undo it.
    #[serde(flatten)]
    pub change: Change,
}

/// What was changed in the template, as its own inverse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The container that was changed.
    pub container: String,
    /// The variable that was changed.
    pub variable: String,
    /// The text that was appended to the value, with the blank before it.
    pub appended: String,
    /// Whether the entry did not exist before.
    pub entry_created: bool,
    /// Whether the container had no environment list before.
    pub list_created: bool,
    /// SHA-256 of the value before, in hexadecimal; absent where the entry was created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256_before: Option<String>,
    /// SHA-256 of the value that was written, in hexadecimal: a pod carries the flag when its value has this hash.
    pub sha256_written: String,
    /// Whether the value held the same flag before, so that finding it proves nothing.
    #[serde(default)]
    pub flag_present_before: bool,
    /// The managers that owned the value before, to whom ownership is given back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<FieldOwner>,
}

impl Change {
    /// The flag without the blank before it.
    #[must_use]
    pub fn flag(&self) -> &str {
        self.appended.trim_start()
    }

    /// Whether a value of the variable carries the flag that this change brought in.
    #[must_use]
    pub fn is_carried_by(&self, value: &str) -> bool {
        let hash = sha256(value);
        hash == self.sha256_written
            || (!self.flag_present_before
                && self.sha256_before.as_ref() != Some(&hash)
                && environment::without_flag(value, self.flag()).is_some())
    }

    /// Whether a pod carries the flag that this change brought in.
    #[must_use]
    pub fn is_carried_by_pod(&self, pod: &PodSpec) -> bool {
        pod.containers
            .iter()
            .find(|container| container.name == self.container)
            .and_then(|container| environment::entry(container, &self.variable))
            .and_then(|(_, entry)| entry.value.as_deref())
            .is_some_and(|value| self.is_carried_by(value))
    }
}

/// A field manager as `metadata.managedFields` names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FieldOwner {
    /// Name of the manager.
    pub manager: String,
    /// `Apply` or `Update`.
    pub operation: String,
    /// API version of its entry.
    pub api_version: String,
}

/// A session, told apart from a later one of the same name by its uid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionReference {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

/// Who undoes a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordOwner {
    /// The operator, when the session ends.
    Operator,
    /// The terminal that made it; the operator only after the deadline.
    Terminal,
}

/// SHA-256 of a value, in hexadecimal.
#[must_use]
pub fn sha256(value: &str) -> String {
    use std::fmt::Write as _;
    Sha256::digest(value.as_bytes())
        .iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}
