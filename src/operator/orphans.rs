//! What was left behind by a session that is gone (its finalizer was taken off by force, or its definition deleted), and
//! by an operator that was killed while it put that right.
//!
//! Nothing is remembered between two sweeps, so none of them can be killed at a bad moment: each looks for all that can be
//! left. A workload's record says that the flag is in the template. A copy of the record on a revision says that the
//! template was restored and the rest was not ([`undo`](super::plan::undo) removes it last). Where neither is left, as with a
//! `revisionHistoryLimit` of 0, the operator's entry in `metadata.managedFields` tells.
//!
//! What is left is listed first and each session is read live afterwards, so that a session that is just being created is
//! never mistaken for one that is gone. Sessions in namespaces that are not watched are left alone.

mod left;
mod taking_back;
mod traces;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::Client;
use kube::core::ApiResource;
use tokio::sync::Notify;

use super::listing::{KINDS, each_page};
use super::metrics::Metrics;
use super::observe::RevisionKind;
use super::pulse::Pulse;
use super::{act, clock, observe};
use crate::workload::record::RecordOwner;
pub use left::{Left, Unreadable, left_on};
pub use taking_back::Hindrance;
use taking_back::{give_back, take_back};
pub use traces::Key;
use traces::{Found, Object, Traces};

/// Between two sweeps.
const BETWEEN_SWEEPS: Duration = Duration::from_mins(1);
/// Between a sweep that could not finish, because pods are still being replaced, and the next one; doubled each time up to
/// [`BETWEEN_SWEEPS`].
const SOON: Duration = Duration::from_secs(4);
/// Each so many sweeps look at the revisions as well, and those that follow one which could not finish.
const SWEEPS_OF_REVISIONS: u64 = 5;
/// After a sweep that left nothing, however many sessions go meanwhile: each sweep lists all workloads.
const SHORTEST_PAUSE: Duration = Duration::from_secs(10);
/// What may pass after a record's deadline before this undoes the change in place of its owner.
const GRACE: SignedDuration = SignedDuration::from_mins(1);
/// A request may hang; the other workloads must not wait for it.
const LONGEST: Duration = Duration::from_mins(1);

const REVISIONS: [RevisionKind; 2] = [RevisionKind::ReplicaSet, RevisionKind::ControllerRevision];

/// Looks for what was left behind and takes it back, for ever, and at once when told that a session is `gone`. `namespaces`:
/// those that are watched, all when empty. `metrics` tell of each template that is put back, and of each refusal.
pub async fn sweep_forever(client: Client, namespaces: Vec<String>, pulse: Pulse, gone: &Notify, metrics: &Metrics) {
    let scopes: Vec<Option<&str>> = if namespaces.is_empty() {
        vec![None]
    } else {
        namespaces.iter().map(|namespace| Some(namespace.as_str())).collect()
    };
    let mut pause = SOON;
    let mut is_expected = true;
    for number in 0_u64.. {
        // A cluster has many revisions.
        let with_revisions = is_expected || number % SWEEPS_OF_REVISIONS == 0;
        let mut is_clean = true;
        for scope in &scopes {
            is_clean &= sweep(&client, *scope, with_revisions, &pulse, metrics).await;
        }
        let rest = if is_clean {
            tokio::time::sleep(SHORTEST_PAUSE).await;
            BETWEEN_SWEEPS.saturating_sub(SHORTEST_PAUSE)
        } else {
            pause
        };
        is_expected = tokio::select! {
            () = tokio::time::sleep(rest) => !is_clean,
            () = gone.notified() => true,
        };
        pause = if is_clean {
            SOON
        } else {
            (pause * 2).min(BETWEEN_SWEEPS)
        };
    }
}

/// One sweep. Returns whether nothing is left that it could not finish. What cannot be listed keeps nothing else from being
/// put right.
async fn sweep(
    client: &Client,
    namespace: Option<&str>,
    with_revisions: bool,
    pulse: &Pulse,
    metrics: &Metrics,
) -> bool {
    let mut traces = Traces::default();
    for kind in KINDS {
        let resource = observe::resource(kind);
        each(client, namespace, &resource, pulse, |object| {
            traces.see_workload(kind, &object);
        })
        .await;
    }
    for kind in REVISIONS.into_iter().filter(|_| with_revisions) {
        let resource = observe::revisions::resource(kind);
        each(client, namespace, &resource, pulse, |object| {
            traces.see_revision(&object);
        })
        .await;
    }
    let mut is_clean = true;
    for ((key, _), found) in &traces.changes {
        let finish = async |hindrance: &mut _| {
            if is_orphan(client, key, found, clock::now()).await? {
                take_back(client, key, &found.record, &metrics.orphans, hindrance).await
            } else {
                Ok(true)
            }
        };
        is_clean &= told(key, metrics, finish).await;
        pulse.beat();
    }
    for key in &traces.owned {
        let finish = async |hindrance: &mut _| give_back(client, key, hindrance).await;
        is_clean &= told(key, metrics, finish).await;
        pulse.beat();
    }
    is_clean
}

/// Shows all objects of a kind. What cannot be listed is logged, and looked at by the next sweep.
async fn each(
    client: &Client,
    namespace: Option<&str>,
    resource: &ApiResource,
    pulse: &Pulse,
    mut see: impl FnMut(Object),
) {
    pulse.beat();
    let seen = each_page(client, namespace, resource, LONGEST, |page| {
        pulse.beat();
        page.into_iter().for_each(&mut see);
    });
    if let Err(error) = seen.await {
        tracing::warn!(
            error,
            "cannot look for what sessions that are gone have left; will try again"
        );
    }
}

async fn is_orphan(client: &Client, (namespace, ..): &Key, found: &Found, now: Timestamp) -> kube::Result<bool> {
    let record = &found.record;
    let is_late = record
        .deadline
        .parse::<Timestamp>()
        .is_ok_and(|deadline| now.duration_since(deadline) > GRACE);
    if record.owner == RecordOwner::Terminal {
        return Ok(is_late);
    }
    // Whoever was to undo the change is late: its status cannot be written.
    if is_late && !found.is_copy {
        return Ok(true);
    }
    observe::is_gone(client, namespace, &record.session).await
}

/// Whether all was done; what went wrong is logged and counted, and the next sweep tries again.
async fn told(
    (namespace, kind, name): &Key,
    metrics: &Metrics,
    work: impl AsyncFnOnce(&mut Option<Hindrance>) -> kube::Result<bool>,
) -> bool {
    let mut hindrance = None;
    let outcome = tokio::time::timeout(LONGEST, work(&mut hindrance)).await;
    if let Some(Hindrance::Refused(_)) = hindrance {
        metrics.restoration_refused("PatchRejected");
    }
    match outcome {
        Ok(Ok(is_done)) => is_done,
        Ok(Err(error)) => {
            if let kube::Error::Api(status) = &error
                && status.is_forbidden()
            {
                let is_unauthorized = act::is_unauthorized(status);
                metrics.restoration_refused(if is_unauthorized { "Forbidden" } else { "PatchRejected" });
            }
            tracing::warn!(%kind, name, namespace, %error, "cannot take back what a session that is gone has left");
            false
        }
        Err(_) => {
            tracing::warn!(%kind, name, namespace, "the API server does not answer; will try again");
            false
        }
    }
}
