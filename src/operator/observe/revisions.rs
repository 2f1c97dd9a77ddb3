//! Revisions that lead back to the flag: a Deployment's ReplicaSets, a StatefulSet's or DaemonSet's ControllerRevisions.
//!
//! The controllers copy a workload's annotations, the record among them, onto the revisions that they make while it is
//! there (`deployment_util.go`, `SetNewReplicaSetAnnotations`; `stateful_set_control.go`, `newRevision`;
//! `daemon/update.go`, `snapshot`). So the session's own are told from one in which the owner had set the same flag.

use k8s_openapi::api::apps::v1::{ControllerRevision, ReplicaSet};
use k8s_openapi::api::core::v1::PodSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::{Api, Client, ResourceExt};

use super::pods::DebugPod;
use crate::session::TargetKind;
use crate::workload::record::{Change, Record};
use crate::workload::view::typed;
use crate::workload::{Workload, controller_of};

/// A revision that bears a session's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DebugRevision {
    /// What holds it.
    pub kind: RevisionKind,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Its resource version: it is deleted only as it was seen.
    pub resource_version: String,
    /// The larger of wanted and existing pods.
    pub replicas: i32,
    /// Whether none of these pods serves anybody, and the controller does not need the revision to replace them.
    pub serves_nobody: bool,
    /// Whether its pods carry the flag. Where not, the owner's revision was taken up while the record was there, and only
    /// the record's copy is ours.
    pub carries_flag: bool,
}

/// What holds a revision of a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the Kubernetes kinds")]
pub enum RevisionKind {
    ReplicaSet,
    ControllerRevision,
}

impl RevisionKind {
    /// What holds the revisions of a kind of workload; a bare pod has none.
    #[must_use]
    pub const fn of(kind: TargetKind) -> Option<Self> {
        match kind {
            TargetKind::Deployment => Some(Self::ReplicaSet),
            TargetKind::StatefulSet | TargetKind::DaemonSet => Some(Self::ControllerRevision),
            TargetKind::Pod => None,
        }
    }
}

/// The API of a kind of revision.
#[must_use]
pub fn api(client: &Client, namespace: &str, kind: RevisionKind) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), namespace, &resource(kind))
}

/// How the API server names a kind of revision.
#[must_use]
pub fn resource(kind: RevisionKind) -> ApiResource {
    match kind {
        RevisionKind::ReplicaSet => ApiResource::erase::<ReplicaSet>(&()),
        RevisionKind::ControllerRevision => ApiResource::erase::<ControllerRevision>(&()),
    }
}

/// The revisions of a workload that bear a session's record, as the API server has them.
#[derive(Debug, Default)]
pub(super) struct Marked {
    replica_sets: Vec<ReplicaSet>,
    controller_revisions: Vec<ControllerRevision>,
}

impl Marked {
    /// What they mean for `change`; `pods` carry the flag.
    pub(super) fn seen(&self, change: &Change, pods: &[DebugPod]) -> Vec<DebugRevision> {
        let left = pods.iter().filter(|pod| !pod.terminating).count();
        let sets = self.replica_sets.iter().map(|set| replica_set(set, change));
        let revisions = self
            .controller_revisions
            .iter()
            .map(|revision| controller_revision(revision, change, left));
        sets.chain(revisions).collect()
    }
}

/// The revisions of a workload that bear the record of the session with this uid.
pub(super) async fn marked(client: &Client, workload: &Workload, session_uid: &str) -> kube::Result<Marked> {
    let namespace = workload.metadata.namespace.clone().unwrap_or_default();
    let selected = ListParams::default().labels(&workload.selector_text());
    let is_marked = |metadata: &ObjectMeta| is_marked(metadata, workload.uid(), session_uid);
    let mut marked = Marked::default();
    match RevisionKind::of(workload.kind) {
        Some(RevisionKind::ReplicaSet) => {
            let api = Api::<ReplicaSet>::namespaced(client.clone(), &namespace);
            marked.replica_sets = api.list(&selected).await?.items;
            marked.replica_sets.retain(|set| is_marked(&set.metadata));
        }
        Some(RevisionKind::ControllerRevision) => {
            let api = Api::<ControllerRevision>::namespaced(client.clone(), &namespace);
            marked.controller_revisions = api.list(&selected).await?.items;
            marked
                .controller_revisions
                .retain(|revision| is_marked(&revision.metadata));
        }
        None => {}
    }
    Ok(marked)
}

/// Asks for the revisions of a workload only to learn whether they may be read.
pub(super) async fn are_visible(client: &Client, workload: &Workload) -> kube::Result<()> {
    let namespace = workload.metadata.namespace.as_deref().unwrap_or_default();
    if let Some(kind) = RevisionKind::of(workload.kind) {
        let selected = ListParams::default().labels(&workload.selector_text()).limit(1);
        api(client, namespace, kind).list_metadata(&selected).await?;
    }
    Ok(())
}

fn is_marked(metadata: &ObjectMeta, workload_uid: &str, session_uid: &str) -> bool {
    let is_owned = controller_of(metadata).is_some_and(|owner| owner.uid == workload_uid);
    let record = Record::of(metadata).and_then(Result::ok);
    is_owned && record.is_some_and(|record| record.session.uid == session_uid)
}

fn replica_set(set: &ReplicaSet, change: &Change) -> DebugRevision {
    let status = set.status.as_ref();
    let spec = set.spec.as_ref();
    let wanted = spec.and_then(|spec| spec.replicas).unwrap_or(1);
    let template = spec.and_then(|spec| spec.template.as_ref());
    DebugRevision {
        kind: RevisionKind::ReplicaSet,
        name: set.name_any(),
        uid: set.uid().unwrap_or_default(),
        resource_version: set.resource_version().unwrap_or_default(),
        replicas: wanted.max(status.map_or(0, |status| status.replicas)),
        serves_nobody: status.and_then(|status| status.ready_replicas).unwrap_or(0) == 0,
        carries_flag: template
            .and_then(|template| template.spec.as_ref())
            .is_some_and(|pod| change.is_carried_by_pod(pod)),
    }
}

/// Its controller makes no more pods of it once it has seen the restored template, even where its status still names it as
/// the current one (`stateful_set_utils.go`, `newVersionedStatefulSetPod`): the pods that are left count.
fn controller_revision(revision: &ControllerRevision, change: &Change, pods_left: usize) -> DebugRevision {
    // A patch that replaces the template (`getPatch` of both controllers).
    let template = revision
        .data
        .as_ref()
        .and_then(|data| data.0.pointer("/spec/template/spec"));
    let pod = template.and_then(|template| typed::<PodSpec>(template).ok());
    DebugRevision {
        kind: RevisionKind::ControllerRevision,
        uid: revision.uid().unwrap_or_default(),
        resource_version: revision.resource_version().unwrap_or_default(),
        replicas: i32::try_from(pods_left).unwrap_or(i32::MAX),
        serves_nobody: false,
        carries_flag: pod.is_some_and(|pod| change.is_carried_by_pod(&pod)),
        name: revision.name_any(),
    }
}
