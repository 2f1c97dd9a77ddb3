//! The fault matrix: what goes wrong at which moment of a session's life. Every cell ends with the workload as it was, and
//! with its template restored in time. `make faults` runs all of it and prints the table.

mod alone;
mod api;
mod kills;
mod workload;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tlsdebug::session::conditions::ConditionType;
use tlsdebug::session::{Phase, TLSDebugSessionStatus, TargetKind};

use crate::support::Scenario;
use crate::support::sessions::has_condition;
use crate::support::snapshot::Snapshot;
use crate::support::table;
use crate::support::workloads::{deployment, literal, of_kind};

/// How long the template may keep the flag after a session's end while the API server answers.
const LATEST: Duration = Duration::from_mins(1);

const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// How a session comes to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Stopped,
    Deleted,
}

/// The workload of most cells.
fn manifest(kind: TargetKind) -> Value {
    of_kind(kind, deployment("orders", &literal()))
}

/// What cells of the matrix have in common: a workload named `orders`, and the sessions that are tried on it.
struct Matrix<'a> {
    scenario: &'a Scenario,
    kind: TargetKind,
    spec: Value,
    ending: Ending,
    before: Snapshot,
}

/// What became of a session.
struct Lived {
    /// Its last status; a session that is gone has none.
    status: Option<TLSDebugSessionStatus>,
    /// From its end until the template was free of the flag.
    template: Duration,
    /// From its end until nothing was left to do.
    whole: Duration,
}

impl<'a> Matrix<'a> {
    /// Deploys the workload. `spec` is merged over a spec that lasts until the session is stopped.
    async fn new(scenario: &'a Scenario, kind: TargetKind, spec: Value, ending: Ending) -> Self {
        Self::of(scenario, kind, spec, ending, manifest(kind)).await
    }

    /// The same with another manifest.
    async fn of(scenario: &'a Scenario, kind: TargetKind, spec: Value, ending: Ending, manifest: Value) -> Self {
        scenario.apply_as("integration-team", &manifest).done();
        scenario.all_rolled_out(kind, "orders").await;
        Self {
            scenario,
            kind,
            spec,
            ending,
            before: scenario.snapshot_of(kind, "orders").await,
        }
    }

    fn create(&self, session: &str) {
        let mut spec = json!({"target": {"kind": self.kind.to_string()}});
        json_patch::merge(&mut spec, &self.spec);
        self.scenario.create_session(session, "orders", &spec);
    }

    /// Waits until the session captures, or has ended early. A watch that has fallen silent is noticed after more than a
    /// minute, and opened again within half of one when it has broken often.
    async fn captures(&self, session: &str) {
        let begin = Instant::now();
        let captures = async || {
            let status = self.scenario.session(session).await.and_then(|session| session.status);
            status.is_some_and(|status| status.phase >= Phase::Capturing)
        };
        while !captures().await {
            self.scenario.keep_operator();
            assert!(begin.elapsed() < 3 * LATEST, "waited in vain for {session} to capture");
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }

    /// Stops the session and waits for the template: when it was stopped, and how long that took.
    async fn stopped(&self, session: &str) -> (Instant, Duration) {
        let begin = Instant::now();
        self.scenario.stop_session(session);
        let restored = |status: &_| has_condition(status, ConditionType::TemplateRestored, "True", "TemplateRestored");
        self.scenario
            .status_with(session, "the template to be restored", restored)
            .await;
        (begin, begin.elapsed())
    }

    /// Ends the session and waits until it is over and let go; then the workload has to be what it was.
    async fn ends(&self, session: &str) -> Lived {
        let begin = Instant::now();
        match self.ending {
            Ending::Stopped => self.scenario.stop_session(session),
            Ending::Deleted => {
                let delete = ["delete", "tlsdebugsession", session, "--wait=false"];
                self.scenario.kubectl(&delete).done();
            }
        }
        let lived = self.is_over(session, begin).await;
        assert!(
            lived.template <= LATEST,
            "{session}: the flag stayed for {:?}",
            lived.template
        );
        self.scenario.assert_as_before("orders", &self.before).await;
        lived
    }

    async fn is_over(&self, session: &str, begin: Instant) -> Lived {
        let scenario = self.scenario;
        let mut template = None;
        loop {
            scenario.keep_operator();
            if template.is_none() && !scenario.any_has_flag(self.kind, "orders").await {
                template = Some(begin.elapsed());
            }
            let found = scenario.session(session).await;
            let is_held = found.as_ref().is_some_and(|session| {
                let has_finalizer = session.metadata.finalizers.as_ref().is_some_and(|all| !all.is_empty());
                let is_finished = session.status.as_ref().is_some_and(|status| status.phase.is_finished());
                // One with a time to live is gone in the end.
                has_finalizer || !is_finished || session.spec.ttl_after_finished.is_some()
            });
            if let Some(template) = template.filter(|_| !is_held) {
                let status = found.and_then(|session| session.status);
                let whole = begin.elapsed();
                return Lived {
                    status,
                    template,
                    whole,
                };
            }
            assert!(begin.elapsed() < 3 * LATEST, "waited in vain for the end of {session}");
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }
}

/// Adds a row to the table.
fn note(cell: &str, what: &str, lived: &Lived) {
    let outcome = match &lived.status {
        Some(status) => match &status.failure {
            Some(failure) => format!("{:?} ({})", status.phase, failure.reason),
            None => format!("{:?}", status.phase),
        },
        None => "gone".to_owned(),
    };
    let seconds = |time: Duration| format!("{:.1}", time.as_secs_f64());
    let row = [cell, what, &outcome, &seconds(lived.template), &seconds(lived.whole)];
    table::row("faults", &row);
}
