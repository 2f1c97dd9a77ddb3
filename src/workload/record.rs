//! The record of a change: an annotation on the workload's own metadata, written and removed in the same patches as the
//! flag. Whoever finds it can undo the change from the object alone; no value of the variable is in it.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::PodSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{environment, view};
use crate::session::OptionsVariable;
use crate::session::spec::FLAG;

/// The annotation that holds the record.
pub const ANNOTATION: &str = "tlsdebug.io/injection";

/// Before the variable's name in the name that an entry bears while another one refers to it.
pub(super) const SAVED: &str = "TLSDEBUG_SAVED_";

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
    /// The variable to which the written value refers as `$(NAME)` for the value of before. The variable itself where a
    /// ConfigMap or an earlier entry sets it; another name is the one that the entry of before bears meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refers_to: Option<String>,
    /// SHA-256 of the value before, in hexadecimal; absent where that was no literal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256_before: Option<String>,
    /// SHA-256 of the value that was written, in hexadecimal: a pod carries the flag when its value has this hash.
    pub sha256_written: String,
    /// Whether an entry of the variable held the same flag before, so that finding it proves nothing.
    #[serde(default)]
    pub flag_present_before: bool,
    /// How many other entries held the written text before; they are not touched.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub copies_before: u32,
    /// The managers that owned the value before, to whom ownership is given back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<FieldOwner>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// Why an annotation is no record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// It does not have the record's fields.
    #[error("it is no JSON of a record: {0}")]
    Syntax(#[from] serde_json::Error),
    /// A field holds what the operator never writes.
    #[error("its field {0} does not hold what the operator writes there")]
    Field(&'static str),
}

impl Record {
    /// Reads the text of the annotation. Whoever may change the workload may write there what they like, so what the
    /// operator cannot have written is refused: it must reach no patch, no arithmetic and no shell command.
    pub fn read(text: &str) -> Result<Self, RecordError> {
        let record: Self = serde_json::from_str(text)?;
        let is_name = |text: &str| {
            let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
            (1..=253).contains(&text.len()) && !text.starts_with('.') && text.bytes().all(is_allowed)
        };
        let SessionReference { namespace, name, uid } = &record.session;
        if ![namespace, name, uid].into_iter().all(|part| is_name(part)) {
            return Err(RecordError::Field("session"));
        }
        if record.deadline.parse::<Timestamp>().is_err() {
            return Err(RecordError::Field("deadline"));
        }
        match record.change.implausible_field() {
            Some(field) => Err(RecordError::Field(field)),
            None => Ok(record),
        }
    }

    /// Reads an object's record, or its copy on a revision or clone. `None`: it has none.
    #[must_use]
    pub fn of(metadata: &ObjectMeta) -> Option<Result<Self, RecordError>> {
        Some(Self::read(metadata.annotations.as_ref()?.get(ANNOTATION)?))
    }

    /// The text of the annotation.
    #[must_use]
    pub fn text(&self) -> String {
        // Text, numbers and lists of them always can be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Change {
    /// A field that holds what no session writes there.
    fn implausible_field(&self) -> Option<&'static str> {
        let is_label = |text: &str| {
            let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            (1..=63).contains(&text.len()) && text.bytes().all(is_allowed)
        };
        let is_flag = |text: &str| {
            let words = text.strip_prefix(FLAG).unwrap_or_default();
            !words.is_empty() && words.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b',')
        };
        let is_other_name = |name: &str| {
            let rest = name
                .strip_prefix(SAVED)
                .and_then(|name| name.strip_prefix(&self.variable));
            name == self.variable || rest.is_some_and(|rest| rest.bytes().all(|byte| byte == b'_'))
        };
        let refers_to = self.refers_to.as_deref();
        if !is_label(&self.container) {
            Some("container")
        } else if OptionsVariable::of_name(&self.variable).is_none() {
            Some("variable")
        } else if !is_flag(self.appended.strip_prefix(' ').unwrap_or(&self.appended)) {
            Some("appended")
        } else if !refers_to.is_none_or(is_other_name) {
            Some("refersTo")
        } else {
            None
        }
    }

    /// The name that the entry of before bears meanwhile, where it was moved.
    #[must_use]
    pub fn saved(&self) -> Option<&str> {
        self.refers_to.as_deref().filter(|name| *name != self.variable)
    }

    /// The reference to the value of before, where the written value has one.
    #[must_use]
    pub fn reference(&self) -> Option<String> {
        self.refers_to.as_deref().map(environment::reference)
    }

    /// The flag without the blank before it.
    #[must_use]
    pub fn flag(&self) -> &str {
        self.appended.trim_start()
    }

    /// What is left of somebody's edit of the written value without the flag that this change brought in. `None`: it does
    /// not carry that flag.
    #[must_use]
    pub fn edit_without_flag(&self, value: &str) -> Option<String> {
        if self.sha256_before.as_ref() == Some(&sha256(value)) {
            return None;
        }
        let remaining = environment::without_flag(value, self.flag())?;
        let is_ours = !self.flag_present_before
            || environment::without_flag(&remaining, self.flag()).is_some()
            || self.reference().is_some_and(|reference| value.contains(&reference));
        is_ours.then_some(remaining)
    }

    /// Whether a value of the variable carries the flag that this change brought in.
    #[must_use]
    pub fn is_carried_by(&self, value: &str) -> bool {
        sha256(value) == self.sha256_written || self.edit_without_flag(value).is_some()
    }

    /// Whether a pod carries the flag that this change brought in.
    #[must_use]
    pub fn is_carried_by_pod(&self, pod: &PodSpec) -> bool {
        view::containers(pod)
            .find(|(_, container)| container.name == self.container)
            .and_then(|(_, container)| environment::entry(container, &self.variable))
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
    /// What it owns below the value (JSON of `FieldsV1`), where the value is no leaf.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<String>,
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(changed: &Value) -> Result<Record, RecordError> {
        let mut record = json!({
            "session": {"namespace": "demo", "name": "orders-to-bank", "uid": "9c7d-1"}, "owner": "operator",
            "deadline": "2026-11-25T10:00:00Z", "container": "msr", "variable": "JAVA_CUSTOM_OPTS",
            "appended": " -Djavax.net.debug=ssl,handshake", "entryCreated": false, "listCreated": false,
            "sha256Written": ""
        });
        json_patch::merge(&mut record, changed);
        Record::read(&record.to_string())
    }

    #[test]
    fn what_the_operator_writes_is_read() {
        let saved = json!({"refersTo": "TLSDEBUG_SAVED_JAVA_CUSTOM_OPTS_"});
        let itself = json!({"refersTo": "JAVA_CUSTOM_OPTS"});
        let empty_before = json!({"appended": "-Djavax.net.debug=ssl"});
        for record in [json!({}), saved, itself, empty_before] {
            assert!(read(&record).is_ok(), "{record}");
        }
    }

    #[test]
    fn what_somebody_else_has_put_there_is_refused() {
        for (field, forged) in [
            ("session", json!({"session": {"name": "../secrets"}})),
            ("session", json!({"session": {"namespace": ""}})),
            ("deadline", json!({"deadline": "tomorrow"})),
            ("container", json!({"container": "msr'; reboot; '"})),
            ("variable", json!({"variable": "PATH"})),
            ("appended", json!({"appended": ""})),
            ("appended", json!({"appended": " "})),
            ("appended", json!({"appended": " -Djavax.net.debug=ssl'; reboot; '"})),
            ("appended", json!({"appended": " -Dpassword=secret"})),
            ("refersTo", json!({"refersTo": "DATABASE_PASSWORD"})),
            ("refersTo", json!({"refersTo": "TLSDEBUG_SAVED_JAVA_CUSTOM_OPTS'"})),
        ] {
            match read(&forged) {
                Err(RecordError::Field(refused)) => assert_eq!(refused, field, "{forged}"),
                other => panic!("{forged}: {other:?}"),
            }
        }
        assert!(matches!(Record::read("{}"), Err(RecordError::Syntax(_))));
    }
}
