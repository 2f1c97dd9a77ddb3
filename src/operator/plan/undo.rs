//! Taking a change back, one write at a time, until nothing is left of it: the same for a session's end and for an orphan.
//!
//! The order is such that whoever is killed in between leaves a trace to whoever comes next. The template goes first,
//! together with the record; field ownership next, for the copy of the record that the Deployment controller has made on
//! the ReplicaSet still names the former owners; the ReplicaSet with that copy last.

use json_patch::Patch;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;

use crate::operator::observe::{DebugReplicaSet, Remains};
use crate::workload::record::{Change, FieldOwner};
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
    /// Remove the way back to the flag.
    DeleteReplicaSet(DebugReplicaSet),
    /// Take the record's copy off a revision of the owner's.
    UnmarkReplicaSet(DebugReplicaSet),
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
    if has_record || (!is_held_by_another && restore::carries_flag(workload, change)) {
        return Undo::Write(Step::Restore(restore::plan(workload, change).0));
    }
    // Where another session has changed the same value since, its end gives ownership back.
    if !is_held_by_another && let Some(step) = give_back(workload, &change.owners) {
        return Undo::Write(step);
    }
    let sets = &remains.replica_sets;
    if let Some(set) = sets.iter().find(|set| !set.carries_flag) {
        return Undo::Write(Step::UnmarkReplicaSet(set.clone()));
    }
    // Until the controller has seen the restored template it may still make a ReplicaSet of the one with the flag.
    // Where nothing becomes ready, neither before nor with the flag, it keeps both for ever: pods that serve nobody
    // are not waited for. A paused controller would put none in their place.
    let is_idle = |set: &&DebugReplicaSet| set.replicas == 0 || (set.ready_replicas == 0 && !workload.rollout.paused);
    if workload.rollout.observed
        && let Some(set) = sets.iter().find(is_idle)
    {
        return Undo::Write(Step::DeleteReplicaSet(set.clone()));
    }
    let has_pods = remains.pods.iter().any(|pod| !pod.terminating);
    if has_pods || !sets.is_empty() || !workload.rollout.observed {
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
