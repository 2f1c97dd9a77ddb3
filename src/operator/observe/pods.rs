//! Pods that carry the flag.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::ResourceExt;

use crate::workload::controller_of;
use crate::workload::record::{Change, Record};

/// A pod that carries the flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DebugPod {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Its resource version: one that is in the way of a rollout is deleted only as it was seen.
    pub resource_version: String,
    /// Whether it is ready.
    pub ready: bool,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// Whether it is being deleted.
    pub terminating: bool,
    /// How often the container has been restarted; `None` before its first start.
    pub restarts: Option<i32>,
    /// Why the container waits, such as ImagePullBackOff.
    pub waiting: Option<String>,
}

/// The pod of a session of strategy Clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClonePod {
    /// The record that it bears.
    pub record: Record,
    /// The pod.
    pub pod: DebugPod,
    /// Why it has ended, such as `DeadlineExceeded` or `Evicted`.
    pub ended: Option<String>,
}

/// A pod of the workload, where it carries the flag and runs.
pub(super) fn debug_pod(pod: &Pod, change: &Change) -> Option<DebugPod> {
    let carries_flag = change.is_carried_by_pod(pod.spec.as_ref()?);
    // The clone of another session may bear the labels by which the workload selects.
    let is_clone = pod
        .owner_references()
        .iter()
        .any(|owner| owner.kind == "TLSDebugSession");
    (carries_flag && !is_clone && ended(pod).is_none()).then(|| seen(pod, &change.container))
}

/// The clone of the session with this uid. A label can be anybody's; the owner decides.
pub(super) fn clone_pod(pod: &Pod, session_uid: &str) -> Option<ClonePod> {
    let is_owned = controller_of(&pod.metadata).is_some_and(|owner| owner.uid == session_uid);
    let record = Record::of(&pod.metadata).filter(|_| is_owned)?.ok()?;
    Some(ClonePod {
        pod: seen(pod, &record.change.container),
        ended: ended(pod),
        record,
    })
}

/// What a pod's status says of one of its containers, an init container or sidecar too.
pub(crate) fn container_status<'a>(pod: &'a Pod, name: &str) -> Option<&'a ContainerStatus> {
    let status = pod.status.as_ref()?;
    let lists = [&status.container_statuses, &status.init_container_statuses];
    let mut all = lists.into_iter().flat_map(|list| list.iter().flatten());
    all.find(|container| container.name == name)
}

fn ended(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let phase = status
        .phase
        .clone()
        .filter(|phase| phase == "Succeeded" || phase == "Failed")?;
    Some(status.reason.clone().unwrap_or(phase))
}

fn seen(pod: &Pod, container: &str) -> DebugPod {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    let ready = conditions.is_some_and(|conditions| {
        conditions
            .iter()
            .any(|one| one.type_ == "Ready" && one.status == "True")
    });
    let container = container_status(pod, container);
    let state = container.and_then(|container| container.state.as_ref());
    let has_started = state.is_some_and(|state| state.running.is_some() || state.terminated.is_some())
        || container.is_some_and(|container| {
            container
                .last_state
                .as_ref()
                .is_some_and(|last| last.terminated.is_some())
        });
    DebugPod {
        name: pod.name_any(),
        uid: pod.uid().unwrap_or_default(),
        resource_version: pod.resource_version().unwrap_or_default(),
        ready,
        created: pod.creation_timestamp().map(|time| time.0),
        terminating: pod.metadata.deletion_timestamp.is_some(),
        restarts: if has_started {
            container.map(|container| container.restart_count)
        } else {
            None
        },
        waiting: state.and_then(|state| state.waiting.as_ref()?.reason.clone()),
    }
}
