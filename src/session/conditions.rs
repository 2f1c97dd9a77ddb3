//! One condition per promise. Texts are stable (no times, counters or ids), because a changed text is a changed status
//! and would wake the reconcile again.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// The promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConditionType {
    /// The spec can be carried out.
    Accepted,
    /// The flag is in the workload's template.
    Injected,
    /// Logs are being read.
    Capturing,
    /// The status holds a verdict.
    Diagnosed,
    /// The template is what it was before.
    TemplateRestored,
    /// No pod that is not terminating carries the flag.
    Restored,
}

impl ConditionType {
    /// The name in `status.conditions[].type`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "Accepted",
            Self::Injected => "Injected",
            Self::Capturing => "Capturing",
            Self::Diagnosed => "Diagnosed",
            Self::TemplateRestored => "TemplateRestored",
            Self::Restored => "Restored",
        }
    }
}

/// Sets a condition. `lastTransitionTime` moves only when the status (True, False) does.
pub fn set(
    conditions: &mut Vec<Condition>,
    kind: ConditionType,
    status: bool,
    reason: &str,
    message: &str,
    generation: Option<i64>,
    now: Timestamp,
) {
    let status = if status { "True" } else { "False" };
    let existing = conditions.iter_mut().find(|condition| condition.type_ == kind.name());
    if let Some(condition) = existing {
        if condition.status != status {
            status.clone_into(&mut condition.status);
            condition.last_transition_time = Time(now);
        }
        reason.clone_into(&mut condition.reason);
        message.clone_into(&mut condition.message);
        condition.observed_generation = generation;
    } else {
        conditions.push(Condition {
            type_: kind.name().to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            message: message.to_owned(),
            observed_generation: generation,
            last_transition_time: Time(now),
        });
    }
}

/// Whether a condition is True.
#[must_use]
pub fn is_true(conditions: &[Condition], kind: ConditionType) -> bool {
    conditions
        .iter()
        .any(|condition| condition.type_ == kind.name() && condition.status == "True")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transition_time_moves_only_with_the_status() {
        let mut conditions = Vec::new();
        let first = Timestamp::from_second(100).expect("valid");
        let later = Timestamp::from_second(200).expect("valid");
        set(
            &mut conditions,
            ConditionType::Accepted,
            true,
            "Valid",
            "first",
            Some(1),
            first,
        );
        set(
            &mut conditions,
            ConditionType::Accepted,
            true,
            "Valid",
            "second",
            Some(2),
            later,
        );
        assert_eq!(conditions[0].last_transition_time, Time(first));
        assert_eq!(conditions[0].message, "second");
        set(
            &mut conditions,
            ConditionType::Accepted,
            false,
            "Gone",
            "third",
            Some(2),
            later,
        );
        assert_eq!(conditions[0].last_transition_time, Time(later));
        assert_eq!(conditions.len(), 1);
    }
}
