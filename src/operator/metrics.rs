//! What is counted, for the admin port. No label has a value that users make up: causes and reasons are this program's own
//! words, and sessions are counted, not named.

use jiff::Timestamp;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use super::plan::Action;
use super::plan::undo::Step;
use crate::session::conditions::ConditionType;
use crate::session::{Phase, TLSDebugSession, TLSDebugSessionStatus};

/// A name and a value.
type Label = [(&'static str, String); 1];
type Labels = [(&'static str, String); 2];

const PHASES: [Phase; 6] = [
    Phase::Pending,
    Phase::Injecting,
    Phase::Capturing,
    Phase::Restoring,
    Phase::Completed,
    Phase::Failed,
];

/// What is counted from the start of the process on.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// Looks at sessions.
    pub reconciles: Counter,
    /// Looks that ended with an error of the API.
    pub errors: Counter,
    /// Status writes.
    pub status_writes: Counter,
    /// Sessions beside which logs are read or a workload is watched.
    pub active_sessions: Gauge,
    /// How long looks take, in seconds.
    pub durations: Histogram,
    /// What is read of logs.
    pub logs: LogMetrics,
    /// Templates put back whose session was gone or too late.
    pub orphans: Counter,
    handshakes: Family<Label, Counter>,
    failures: Family<Label, Counter>,
    injections: Family<Label, Counter>,
    restorations: Counter,
    refused: Family<Labels, Counter>,
    failed_sessions: Family<Label, Counter>,
}

/// What is read of logs.
#[derive(Debug, Clone, Default)]
pub struct LogMetrics {
    /// Bytes.
    pub bytes: Counter,
    /// Stretches that could not be read.
    pub gaps: Counter,
    /// Streams that were opened again after they had ended or broken.
    pub reconnects: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            reconciles: Counter::default(),
            errors: Counter::default(),
            status_writes: Counter::default(),
            active_sessions: Gauge::default(),
            // From 5 ms to 20 s, which is the longest look.
            durations: Histogram::new(exponential_buckets(0.005, 2.0, 13)),
            logs: LogMetrics::default(),
            orphans: Counter::default(),
            handshakes: Family::default(),
            failures: Family::default(),
            injections: Family::default(),
            restorations: Counter::default(),
            refused: Family::default(),
            failed_sessions: Family::default(),
        }
    }
}

impl Metrics {
    /// Counts a write that went through.
    pub(super) fn wrote(&self, action: &Action) {
        match action {
            Action::Inject(_) => drop(
                self.injections
                    .get_or_create(&[("strategy", "Rollout".to_owned())])
                    .inc(),
            ),
            Action::CreateClone(_) => drop(self.injections.get_or_create(&[("strategy", "Clone".to_owned())]).inc()),
            Action::Undo(Step::Restore(_)) => drop(self.restorations.inc()),
            _ => {}
        }
    }

    /// Counts a write that the API server refused, `reason` being Forbidden or PatchRejected.
    pub(super) fn refused(&self, action: &Action, reason: &str) {
        let write = match action {
            Action::Inject(_) | Action::CreateClone(_) => "inject",
            Action::Undo(_) => "restore",
            _ => "session",
        };
        self.refused_write(write, reason);
    }

    /// Counts a restoration that the API server refused where no session is left to say it.
    pub(super) fn restoration_refused(&self, reason: &str) {
        self.refused_write("restore", reason);
    }

    fn refused_write(&self, write: &str, reason: &str) {
        self.refused
            .get_or_create(&[("write", write.to_owned()), ("reason", reason.to_owned())])
            .inc();
    }

    /// Counts what a status says more than the one before it.
    pub(crate) fn reported(&self, before: Option<&TLSDebugSessionStatus>, after: &TLSDebugSessionStatus) {
        let nothing = TLSDebugSessionStatus::default();
        let before = before.unwrap_or(&nothing);
        let (old, new) = (
            before.handshakes.unwrap_or_default(),
            after.handshakes.unwrap_or_default(),
        );
        let ends_now = after.phase.is_finished() && !before.phase.is_finished();
        for (outcome, more) in [
            ("succeeded", new.succeeded.saturating_sub(old.succeeded)),
            ("failed", new.failed.saturating_sub(old.failed)),
            // Until the end one of them may still succeed or fail.
            ("incomplete", if ends_now { new.incomplete } else { 0 }),
        ] {
            if more > 0 {
                self.handshakes
                    .get_or_create(&[("outcome", outcome.to_owned())])
                    .inc_by(more);
            }
        }
        for finding in &after.findings {
            let count = |status: &TLSDebugSessionStatus| -> u64 {
                let alike = status.findings.iter().filter(|other| other.cause == finding.cause);
                alike.map(|other| other.count).sum()
            };
            let is_first = after.findings.iter().find(|other| other.cause == finding.cause) == Some(finding);
            let more = count(after).saturating_sub(count(before));
            if is_first && more > 0 {
                self.failures
                    .get_or_create(&[("cause", finding.cause.clone())])
                    .inc_by(more);
            }
        }
        if let Some(failure) = after.failure.as_ref().filter(|_| ends_now) {
            self.failed_sessions
                .get_or_create(&[("reason", failure.reason.clone())])
                .inc();
        }
    }

    /// Everything, with what the sessions that exist say at this time. `is_leader`: whether this replica may act.
    pub(super) fn registry<'a>(
        &self,
        sessions: impl Iterator<Item = &'a TLSDebugSession>,
        is_leader: bool,
        now: Timestamp,
    ) -> Registry {
        let mut registry = Registry::with_prefix("tlsdebug");
        let by_phase = Family::<Label, Gauge>::default();
        for phase in PHASES {
            by_phase.get_or_create(&[("phase", format!("{phase:?}"))]).set(0);
        }
        let mut longest = 0;
        for session in sessions {
            let phase = session.status.as_ref().map(|status| status.phase).unwrap_or_default();
            by_phase.get_or_create(&[("phase", format!("{phase:?}"))]).inc();
            longest = longest.max(overdue(session, now));
        }
        let (leader, overdue, build) = (
            Gauge::<i64>::default(),
            Gauge::<i64>::default(),
            Family::<Label, Gauge>::default(),
        );
        leader.set(i64::from(is_leader));
        overdue.set(longest);
        build
            .get_or_create(&[("version", env!("CARGO_PKG_VERSION").to_owned())])
            .set(1);
        registry.register("build_info", "The version of the operator", build);
        registry.register("leader", "Whether this replica holds the lease and acts", leader);
        registry.register("sessions", "Sessions that exist, by phase", by_phase);
        registry.register_with_unit(
            "session_overdue",
            "How long the most overdue session has been at its end without its workload being restored",
            Unit::Seconds,
            overdue,
        );
        self.register_logs(&mut registry);
        registry.register(
            "injections",
            "Changes that switch the output on, by strategy",
            self.injections.clone(),
        );
        registry.register(
            "restorations",
            "Templates that were put back",
            self.restorations.clone(),
        );
        registry.register(
            "refused_writes",
            "Writes that the API server refused, by what they do and the reason",
            self.refused.clone(),
        );
        registry.register(
            "failed_sessions",
            "Sessions that have failed, by reason",
            self.failed_sessions.clone(),
        );
        registry.register(
            "orphans",
            "Templates put back whose session was gone or too late",
            self.orphans.clone(),
        );
        registry.register("reconciles", "Looks at sessions", self.reconciles.clone());
        registry.register(
            "reconcile_errors",
            "Looks that ended with an error of the API",
            self.errors.clone(),
        );
        registry.register_with_unit(
            "reconcile_duration",
            "How long a look takes",
            Unit::Seconds,
            self.durations.clone(),
        );
        registry.register("status_writes", "Status writes", self.status_writes.clone());
        registry.register(
            "active_sessions",
            "Sessions whose workload is watched or whose logs are read",
            self.active_sessions.clone(),
        );
        registry
    }

    /// What is read of logs and found in them: all that there is where no session is.
    #[must_use]
    pub fn registry_of_logs(&self) -> Registry {
        let mut registry = Registry::with_prefix("tlsdebug");
        self.register_logs(&mut registry);
        registry
    }

    fn register_logs(&self, registry: &mut Registry) {
        registry.register(
            "handshakes",
            "Handshakes that were seen, by outcome",
            self.handshakes.clone(),
        );
        registry.register(
            "failed_handshakes",
            "Failed handshakes, by cause",
            self.failures.clone(),
        );
        registry.register_with_unit(
            "log",
            "Bytes of logs that were read",
            Unit::Bytes,
            self.logs.bytes.clone(),
        );
        registry.register(
            "log_gaps",
            "Stretches of logs that could not be read",
            self.logs.gaps.clone(),
        );
        registry.register(
            "log_reconnects",
            "Log streams that were opened again",
            self.logs.reconnects.clone(),
        );
    }
}

/// Seconds since a session came to its end, while its workload is not restored; 0 for all others.
fn overdue(session: &TLSDebugSession, now: Timestamp) -> i64 {
    let Some(status) = &session.status else { return 0 };
    let parse = |time: &Option<String>| time.as_deref().and_then(|time| time.parse().ok());
    // The flag may be in before the duration begins to count.
    let before_capturing = || {
        let injection = status.injection.as_ref()?;
        let deleted = session.metadata.deletion_timestamp.as_ref().map(|time| time.0);
        deleted.or_else(|| parse(&injection.deadline))
    };
    let since = match status.phase {
        Phase::Injecting => before_capturing(),
        Phase::Capturing => parse(&status.expires_at),
        Phase::Restoring => {
            let conditions = status.conditions.iter();
            let ended = conditions.filter(|one| one.type_ == ConditionType::Capturing.name() && one.status == "False");
            let ended = ended.map(|one| one.last_transition_time.0).next();
            ended.or_else(before_capturing)
        }
        _ => None,
    };
    since.map_or(0, |since: Timestamp| now.duration_since(since).as_secs().max(0))
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use serde_json::json;

    use super::*;

    fn status(status: serde_json::Value) -> TLSDebugSessionStatus {
        serde_json::from_value(status).expect("a status")
    }

    fn finding(cause: &str, count: u64) -> serde_json::Value {
        json!({"cause": cause, "certainty": "Likely", "side": "Client", "count": count, "summary": "", "explanation": ""})
    }

    fn session(status: &serde_json::Value) -> TLSDebugSession {
        serde_json::from_value(json!({
            "apiVersion": "tlsdebug.io/v1alpha1", "kind": "TLSDebugSession", "metadata": {"name": "s", "namespace": "demo"},
            "spec": {"target": {"kind": "Deployment", "name": "orders"}}, "status": status
        }))
        .expect("a session")
    }

    fn text(metrics: &Metrics, sessions: &[TLSDebugSession]) -> String {
        let now = "2026-01-01T01:00:00Z".parse().expect("a time");
        let mut text = String::new();
        encode(&mut text, &metrics.registry(sessions.iter(), true, now)).expect("text");
        // The samples of a metric come in any order.
        let mut blocks: Vec<Vec<&str>> = Vec::new();
        for line in text.lines() {
            match blocks.last_mut() {
                Some(block) if !line.starts_with('#') && !block[0].starts_with('#') => block.push(line),
                _ => blocks.push(vec![line]),
            }
        }
        blocks
            .iter_mut()
            .filter(|block| !block[0].contains("_duration_"))
            .for_each(|block| block.sort_unstable());
        blocks.concat().join("\n").replace(env!("CARGO_PKG_VERSION"), "VERSION")
    }

    #[test]
    fn a_session_that_was_deleted_while_the_flag_went_in_gets_overdue() {
        let now = "2026-01-01T01:00:00Z".parse().expect("a time");
        let injection = json!({"uid": "w", "deadline": "2026-01-01T00:59:00Z", "container": "main",
            "variable": "JAVA_TOOL_OPTIONS", "appended": "-Djavax.net.debug=ssl", "entryCreated": true, "listCreated": true,
            "sha256Written": "00"});
        for phase in ["Injecting", "Restoring"] {
            let mut session = session(&json!({"phase": phase, "injection": injection}));
            assert_eq!(overdue(&session, now), 60, "{phase}");
            session.metadata.deletion_timestamp =
                serde_json::from_value(json!("2026-01-01T00:50:00Z")).expect("a time");
            assert_eq!(overdue(&session, now), 600, "{phase}");
        }
        let untouched = session(&json!({"phase": "Injecting"}));
        assert_eq!(overdue(&untouched, now), 0);
    }

    #[test]
    fn what_a_scrape_shows() {
        let metrics = Metrics::default();
        let counts = |succeeded, failed, incomplete| json!({"total": succeeded + failed + incomplete, "succeeded": succeeded, "failed": failed, "incomplete": incomplete});
        let first = status(
            json!({"phase": "Capturing", "handshakes": counts(1, 2, 1), "findings": [
            finding("MissingIntermediate", 1), finding("CertificateExpired", 1)]}),
        );
        metrics.reported(None, &first);
        // Two findings of one cause, with different servers.
        let second = status(
            json!({"phase": "Failed", "handshakes": counts(1, 5, 2), "failure": {"reason": "DriftReverted", "message": ""},
            "findings": [finding("MissingIntermediate", 1), finding("MissingIntermediate", 3), finding("CertificateExpired", 1)]}),
        );
        metrics.reported(Some(&first), &second);
        metrics.reported(Some(&second), &second);
        metrics.wrote(&Action::Inject(json_patch::Patch::default()));
        metrics.wrote(&Action::Undo(Step::Restore(json_patch::Patch::default())));
        metrics.refused(&Action::Undo(Step::Restore(json_patch::Patch::default())), "Forbidden");
        metrics.durations.observe(0.02);
        metrics.logs.bytes.inc_by(1000);
        let sessions = [
            session(&json!({"phase": "Capturing", "expiresAt": "2026-01-01T00:59:30Z"})),
            session(
                &json!({"phase": "Restoring", "conditions": [{"type": "Capturing", "status": "False", "reason": "Expired",
                "message": "", "lastTransitionTime": "2026-01-01T00:50:00Z"}]}),
            ),
            session(&json!({"phase": "Completed"})),
            session(&json!({"phase": "Capturing", "expiresAt": "2026-01-01T02:00:00Z"})),
        ];
        insta::assert_snapshot!(text(&metrics, &sessions));
    }
}
