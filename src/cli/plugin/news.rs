//! What a session tells while it runs: a line for each thing that happens, and one that says how it stands.

use std::collections::BTreeSet;

use jiff::Timestamp;
use kube::ResourceExt;

use super::table::left;
use crate::diagnosis::report::{Certainty, HandshakeCounts};
use crate::session::conditions::ConditionType;
use crate::session::{Phase, TLSDebugSession, TLSDebugSessionStatus};

/// Tells everything once.
#[derive(Debug, Default)]
pub(super) struct News {
    phase: Option<Phase>,
    waiting: Option<String>,
    pods: BTreeSet<(String, i32)>,
    told: BTreeSet<String>,
}

impl News {
    /// The lines for what is new in a session. Times are those since its creation.
    pub(super) fn lines(&mut self, session: &TLSDebugSession, now: Timestamp) -> Vec<String> {
        let status = session.status.clone().unwrap_or_default();
        let mut texts = Vec::new();
        if self.phase.is_none() {
            let spec = &session.spec;
            texts.push(format!(
                "Session {}, {} {}, for {}",
                session.name_any(),
                spec.target.kind,
                spec.target.name,
                spec.duration
            ));
        }
        for warning in status.warnings.iter().filter(|_| !status.phase.is_finished()) {
            if self.told.insert(warning.clone()) {
                texts.push(format!("Warning: {warning}"));
            }
        }
        for pod in &status.pods {
            if self.pods.insert((pod.uid.clone(), pod.restarts)) {
                texts.push(match pod.restarts {
                    0 => format!("Reading pod {}", pod.name),
                    restarts => format!("Reading pod {}, restart {restarts}", pod.name),
                });
            }
        }
        for finding in &status.findings {
            let certainty = certainty(finding.certainty);
            let text = format!("{} ({certainty}): {}", finding.cause, finding.summary);
            if self.told.insert(text.clone()) {
                texts.push(text);
            }
        }
        // The phase that ends reading comes with the last findings.
        let waiting = matches!(status.phase, Phase::Pending | Phase::Injecting)
            .then(|| explanation(&status))
            .flatten();
        if self.phase != Some(status.phase) || (waiting.is_some() && waiting != self.waiting) {
            let at = texts.len().min(usize::from(self.phase.is_none()));
            let text = format!(
                "{:<10}  {}",
                format!("{:?}", status.phase),
                explanation(&status).unwrap_or_default()
            );
            if status.phase == Phase::Capturing {
                texts.insert(at, text);
            } else {
                texts.push(text);
            }
        }
        let is_restored = status
            .conditions
            .iter()
            .any(|one| one.type_ == ConditionType::Restored.name() && one.status == "True" && one.reason == "Restored");
        if status.phase.is_finished() && is_restored {
            let target = &session.spec.target;
            let text = format!("{} {} is as it was", target.kind, target.name);
            if self.told.insert(text.clone()) {
                texts.push(text);
            }
        }
        self.phase = Some(status.phase);
        self.waiting = waiting;
        let since = session
            .creation_timestamp()
            .map_or(0, |created| now.duration_since(created.0).as_secs().max(0));
        texts
            .iter()
            .map(|text| format!("{:>7}  {}", clock(since), text.trim_end()))
            .collect()
    }
}

fn clock(seconds: i64) -> String {
    match seconds / 3600 {
        0 => format!("{}:{:02}", seconds / 60, seconds % 60),
        hours => format!("{hours}:{:02}:{:02}", seconds / 60 % 60, seconds % 60),
    }
}

/// How sure, in a word of a sentence.
pub(super) const fn certainty(certainty: Certainty) -> &'static str {
    match certainty {
        Certainty::Proven => "proven",
        Certainty::Likely => "likely",
        Certainty::Possible => "possible",
    }
}

/// Why a session is where it is.
fn explanation(status: &TLSDebugSessionStatus) -> Option<String> {
    let condition = |kind: ConditionType| {
        let condition = status
            .conditions
            .iter()
            .find(|condition| condition.type_ == kind.name());
        condition.map(|condition| condition.message.clone())
    };
    match status.phase {
        Phase::Pending | Phase::Injecting => status.summary.clone().or_else(|| condition(ConditionType::Accepted)),
        Phase::Capturing => status.expires_at.as_ref().map(|end| format!("Until {end}")),
        Phase::Restoring => condition(ConditionType::Capturing),
        Phase::Completed => Some(ended(status)),
        Phase::Failed => status
            .failure
            .as_ref()
            .map(|failure| format!("{}: {}", failure.reason, failure.message)),
    }
}

fn ended(status: &TLSDebugSessionStatus) -> String {
    match (&status.cause, status.handshakes) {
        (Some(cause), Some(counts)) => format!("{cause}. {}", handshakes(counts)),
        (None, Some(counts)) if counts.total > 0 => handshakes(counts),
        _ => status.summary.clone().unwrap_or_default(),
    }
}

/// Handshakes by outcome, in words.
pub(super) fn handshakes(counts: HandshakeCounts) -> String {
    let of = |count: u64, what: &str| (count > 0).then(|| format!("{count} {what}"));
    let parts = [
        of(counts.failed, "failed"),
        of(counts.succeeded, "succeeded"),
        of(counts.incomplete, "not ended"),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let total = match counts.total {
        0 => return "no handshake".to_owned(),
        1 => "1 handshake".to_owned(),
        total => format!("{total} handshakes"),
    };
    format!("{total}: {}", parts.join(", "))
}

/// How a session stands, for the last line of a terminal.
pub(super) fn standing(status: &TLSDebugSessionStatus, now: Timestamp) -> String {
    let mut parts = vec![format!("{:?}", status.phase)];
    let end = status.expires_at.as_ref().and_then(|end| end.parse::<Timestamp>().ok());
    if let Some(end) = end {
        parts.push(format!("{} left", left(end.duration_since(now).as_secs())));
    }
    let pods: BTreeSet<&str> = status.pods.iter().map(|pod| pod.uid.as_str()).collect();
    if !pods.is_empty() {
        parts.push(format!("{} pod{}", pods.len(), if pods.len() == 1 { "" } else { "s" }));
    }
    if let Some(counts) = status.handshakes {
        parts.push(handshakes(counts));
    }
    parts.join(" · ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn session(status: &serde_json::Value) -> TLSDebugSession {
        serde_json::from_value(json!({
            "apiVersion": "tlsdebug.io/v1alpha1", "kind": "TLSDebugSession",
            "metadata": {"name": "orders-to-bank", "namespace": "demo", "uid": "1", "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"target": {"kind": "Deployment", "name": "orders-msr"}, "duration": "10m"},
            "status": status
        }))
        .expect("a session")
    }

    fn at(seconds: i64) -> Timestamp {
        "2026-01-01T00:00:00Z".parse::<Timestamp>().expect("a time") + jiff::SignedDuration::from_secs(seconds)
    }

    #[test]
    fn a_session_is_told_from_its_start_to_its_end() {
        let finding = json!({
            "cause": "MissingIntermediate", "certainty": "Likely", "side": "Client", "count": 1,
            "summary": "bank.example sent only its leaf", "explanation": ""
        });
        let pod = json!({"name": "orders-msr-1", "uid": "p", "restarts": 0, "lines": 1, "bytes": 1, "gaps": 0});
        let mut news = News::default();
        let mut told = Vec::new();
        for (seconds, status) in [
            (0, json!({})),
            (
                1,
                json!({"phase": "Pending", "summary": "A rollout is under way.", "warnings": ["A single replica."]}),
            ),
            (
                2,
                json!({"phase": "Injecting", "summary": "Waiting for the first pod."}),
            ),
            (
                3,
                json!({"phase": "Injecting", "summary": "Waiting for the first pod. It cannot pull its image."}),
            ),
            (
                62,
                json!({"phase": "Capturing", "expiresAt": "2026-01-01T00:11:02Z", "pods": [pod]}),
            ),
            (
                63,
                json!({"phase": "Capturing", "expiresAt": "2026-01-01T00:11:02Z", "pods": [pod], "findings": [finding],
                "handshakes": {"total": 1, "failed": 1, "succeeded": 0, "incomplete": 0}}),
            ),
            (
                64,
                json!({"phase": "Capturing", "expiresAt": "2026-01-01T00:11:02Z", "pods": [pod], "findings": [finding],
                "handshakes": {"total": 9, "failed": 3, "succeeded": 5, "incomplete": 1}}),
            ),
            (
                662,
                json!({"phase": "Restoring", "pods": [pod], "findings": [finding], "conditions": [
                {"type": "Capturing", "status": "False", "reason": "Expired", "message": "The session's duration is over.",
                 "lastTransitionTime": "2026-01-01T00:11:02Z"}]}),
            ),
            (
                4000,
                json!({"phase": "Completed", "cause": "MissingIntermediate", "pods": [pod], "findings": [finding],
                "conditions": [{"type": "Restored", "status": "True", "reason": "Restored", "message": "",
                    "lastTransitionTime": "2026-01-01T00:11:09Z"}],
                "handshakes": {"total": 9, "failed": 3, "succeeded": 5, "incomplete": 1}}),
            ),
        ] {
            let session = session(&status);
            told.extend(news.lines(&session, at(seconds)));
            told.push(format!(
                "         [{}]",
                standing(&session.status.clone().unwrap_or_default(), at(seconds))
            ));
            assert_eq!(news.lines(&session, at(seconds)), Vec::<String>::new(), "told twice");
        }
        insta::assert_snapshot!(told.join("\n"));
    }

    #[test]
    fn a_session_that_failed_says_why() {
        let failed =
            session(&json!({"phase": "Failed", "failure": {"reason": "TargetNotFound", "message": "There is none."}}));
        assert_eq!(
            News::default().lines(&failed, at(0)),
            [
                "   0:00  Session orders-to-bank, Deployment orders-msr, for 10m",
                "   0:00  Failed      TargetNotFound: There is none."
            ]
        );
    }
}
