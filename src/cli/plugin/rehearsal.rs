//! What a session would do, decided by the operator's own code with the user's rights, before anything is created.

use std::hash::{BuildHasher, RandomState};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};

use super::connection::Cluster;
use crate::operator::capture::Captured;
use crate::operator::observe::{self, Observed};
use crate::operator::plan::{self, Action, FINALIZER};
use crate::session::{Phase, TLSDebugSession, TLSDebugSessionSpec};
use crate::workload::record::RecordOwner;

/// What a session would do first.
#[derive(Debug)]
pub(super) struct Rehearsal {
    /// What was seen.
    pub(super) observed: Observed,
    /// What came of it.
    pub(super) outcome: Outcome,
    /// What the user should know before.
    pub(super) warnings: Vec<String>,
}

/// What a session would come to.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It would fail, for this reason.
    Refused {
        /// One word.
        reason: String,
        /// What is in the way, and the way out.
        message: String,
    },
    /// It would wait for something that may pass, and then look again.
    Waits(String),
    /// It would make this write.
    Acts(Action),
}

/// A session that only this process knows. `created` is the time of its first look.
pub(super) fn session(namespace: &str, spec: TLSDebugSessionSpec, created: Timestamp) -> TLSDebugSession {
    // Unique is enough: it is no secret.
    let unique = format!("{:016x}", RandomState::new().hash_one(created.as_nanosecond()));
    TLSDebugSession {
        metadata: ObjectMeta {
            name: Some(format!("terminal-{}", &unique[..8])),
            namespace: Some(namespace.to_owned()),
            uid: Some(format!("terminal-{unique}")),
            creation_timestamp: Some(Time(created)),
            // The plan asks for it before anything else.
            finalizers: Some(vec![FINALIZER.to_owned()]),
            ..ObjectMeta::default()
        },
        spec,
        status: None,
    }
}

/// Looks at the target once and decides as the operator would.
pub(super) async fn rehearse(
    cluster: &Cluster,
    session: TLSDebugSession,
    owner: RecordOwner,
    now: Timestamp,
) -> kube::Result<Rehearsal> {
    let mut observed = observe::observe(&cluster.client, session, Captured::default(), false).await?;
    observed.owner = owner;
    if let Some(message) = observed.unreadable.take() {
        return Ok(Rehearsal {
            observed,
            outcome: Outcome::Waits(format!("you may not read what decides: {message}")),
            warnings: Vec::new(),
        });
    }
    let mut plan = plan::plan(&observed, now);
    if plan.status.phase == Phase::Pending && plan.action == Action::None {
        // The first look only reports that the session can be carried out; the write comes with the second.
        observed.session.status = Some(plan.status);
        plan = plan::plan(&observed, now);
    }
    let warnings = plan.status.warnings.clone();
    let outcome = match (plan.status.failure, plan.action) {
        (Some(failure), _) => Outcome::Refused {
            reason: failure.reason,
            message: failure.message,
        },
        (None, action @ (Action::Inject(_) | Action::CreateClone(_))) => Outcome::Acts(action),
        (None, _) => Outcome::Waits(plan.status.summary.unwrap_or_default()),
    };
    Ok(Rehearsal {
        observed,
        outcome,
        warnings,
    })
}
