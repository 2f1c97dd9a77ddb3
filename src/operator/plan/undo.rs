//! Taking a change back, one write at a time, until nothing is left of it: the same for a session's end and for an orphan.
//!
//! The order is such that whoever is killed in between leaves a trace to whoever comes next. The template goes first,
//! together with the record; field ownership next, for the copy of the record that the workload's controller has made on
//! the revision still names the former owners; the revision with that copy last.

use json_patch::Patch;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;

use crate::operator::observe::{DebugPod, DebugRevision, Remains};
use crate::workload::record::{Change, FieldOwner};
use crate::workload::restore::Outcome;
use crate::workload::{Workload, ownership, restore};

/// A write that takes a part of a change back.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Take the flag and the record out.
    Restore(Patch),
    /// Give field ownership back; guarded by the resource version.
    GiveOwnershipBack {
        /// The entries as they are to be.
        managed_fields: Vec<ManagedFieldsEntry>,
        /// The object as it was seen.
        resource_version: String,
    },
    /// Delete a pod: the clone, or one that keeps the workload's controller from replacing it.
    DeletePod(DebugPod),
    /// Remove the way back to the flag.
    DeleteRevision(DebugRevision),
    /// Take the record's copy off a revision of the owner's.
    UnmarkRevision(DebugRevision),
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq)]
pub enum Undo {
    /// This write.
    Write(Step),
    /// Wait until the workload's controller has replaced its pods.
    Wait,
    /// Nothing: no trace is left.
    Done,
}

/// Decides what is next to take `change` back, which the session `session_uid` has made.
#[must_use]
pub fn next(workload: &Workload, change: &Change, session_uid: &str, remains: &Remains) -> Undo {
    let holder = workload.record().and_then(Result::ok).map(|record| record.session.uid);
    let has_record = holder.as_deref() == Some(session_uid);
    let is_held_by_another = holder.is_some() && !has_record;
    if has_record || (!is_held_by_another && restore::leaves_traces(workload, change)) {
        return Undo::Write(Step::Restore(restore::plan(workload, change).0));
    }
    // Where another session has changed the same value since, its end gives ownership back.
    if !is_held_by_another && let Some(step) = give_back(workload, &change.owners) {
        return Undo::Write(step);
    }
    let revisions = &remains.revisions;
    if let Some(revision) = revisions.iter().find(|revision| !revision.carries_flag) {
        return Undo::Write(Step::UnmarkRevision(revision.clone()));
    }
    let rollout = &workload.rollout;
    if !rollout.observed {
        // The controller may still make a revision of the template with the flag.
        return Undo::Wait;
    }
    // It waits for such a pod to become ready before it replaces it, which may never happen.
    let is_stuck = |pod: &&DebugPod| rollout.ordered && !pod.ready && !pod.terminating;
    if rollout.standstill.is_none()
        && let Some(pod) = remains.pods.iter().find(is_stuck)
    {
        return Undo::Write(Step::DeletePod(pod.clone()));
    }
    // Where nothing becomes ready, neither before nor with the flag, a Deployment keeps both revisions for ever: pods that
    // serve nobody are not waited for. A paused controller would put none in their place.
    let is_idle =
        |revision: &&DebugRevision| revision.replicas == 0 || (revision.serves_nobody && rollout.standstill.is_none());
    if let Some(revision) = revisions.iter().find(is_idle) {
        return Undo::Write(Step::DeleteRevision(revision.clone()));
    }
    let has_pods = remains.pods.iter().any(|pod| !pod.terminating);
    if has_pods || !revisions.is_empty() {
        Undo::Wait
    } else {
        Undo::Done
    }
}

/// Gives what the operator still owns of a workload to `owners`; `None`: it owns nothing.
#[must_use]
pub fn give_back(workload: &Workload, owners: &[FieldOwner]) -> Option<Step> {
    Some(Step::GiveOwnershipBack {
        managed_fields: ownership::given_back(&workload.metadata, owners)?,
        resource_version: workload.metadata.resource_version.clone().unwrap_or_default(),
    })
}

/// Who has edited the written value since, to whom ownership of it goes then. `None`: nobody has, or what they have edited
/// makes way for the entry of before.
#[must_use]
pub fn editors(workload: &Workload, change: &Change) -> Option<Vec<FieldOwner>> {
    if change.saved().is_some() && restore::plan(workload, change).1 == Outcome::Exact {
        return None;
    }
    let editors = ownership::owners(&workload.metadata, &ownership::value_path(workload, change));
    (!editors.is_empty()).then_some(editors)
}
