//! Reading the API: everything that a plan needs, in one value.

use jiff::Timestamp;
use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};

use super::capture::Captured;
use crate::session::{Phase, TLSDebugSession, TargetKind};
use crate::workload::Workload;
use crate::workload::record::{ANNOTATION, Change, Record};

/// The chart's ValidatingAdmissionPolicy, and its binding.
pub const ADMISSION_POLICY: &str = "tlsdebugsessions.tlsdebug.io";

/// Everything that a plan needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    /// The session, read live.
    pub session: TLSDebugSession,
    /// Sessions may be started: the admission policy is there, or is not asked for.
    pub is_guarded: bool,
    /// Its target, where the kind is supported and the object exists.
    pub workload: Option<Workload>,
    /// What there is of the session's change beside the template.
    pub remains: Remains,
    /// What the operator may not read, in the API server's words; what it would have brought is missing here.
    pub unreadable: Option<String>,
    /// What the log streams have brought so far.
    pub captured: Captured,
}

/// What there is of a change beside the template.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remains {
    /// ReplicaSets of the workload that bear the session's record.
    pub replica_sets: Vec<DebugReplicaSet>,
    /// Pods that carry the flag, oldest first.
    pub pods: Vec<DebugPod>,
}

/// A ReplicaSet that bears a session's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DebugReplicaSet {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Its resource version: it is deleted only as it was seen.
    pub resource_version: String,
    /// The larger of wanted and existing pods.
    pub replicas: i32,
    /// Pods that are ready.
    pub ready_replicas: i32,
    /// Whether its pods carry the flag. Where not, the owner's revision was taken up while the record was there, and only
    /// the record's copy is ours.
    pub carries_flag: bool,
}

/// A pod that carries the flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DebugPod {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
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

/// Reads the session, or `None` where it no longer exists.
pub async fn session(client: &Client, namespace: &str, name: &str) -> kube::Result<Option<TLSDebugSession>> {
    Api::<TLSDebugSession>::namespaced(client.clone(), namespace)
        .get_opt(name)
        .await
}

/// Reads the target and what runs of it. `captured` comes from the session's streams. A right that the operator lacks is no
/// error: the plan decides with what is left.
pub async fn observe(
    client: &Client,
    session: TLSDebugSession,
    captured: Captured,
    requires_policy: bool,
) -> kube::Result<Observed> {
    // The policy is asked for before anything is touched, and not again.
    let is_starting = session.metadata.deletion_timestamp.is_none()
        && session
            .status
            .as_ref()
            .is_none_or(|status| status.phase == Phase::Pending);
    let mut unreadable = None;
    let is_guarded =
        !(requires_policy && is_starting) || readable(has_admission_policy(client).await, &mut unreadable)?;
    let mut observed = Observed {
        session,
        is_guarded,
        workload: None,
        remains: Remains::default(),
        unreadable,
        captured,
    };
    if observed
        .session
        .status
        .as_ref()
        .is_some_and(|status| status.phase.is_finished())
    {
        // Nothing is decided by it any more.
        return Ok(observed);
    }
    observed.workload = readable(workload(client, &observed.session).await, &mut observed.unreadable)?;
    if let Some(workload) = &observed.workload
        && let Some(change) = change(&observed.session, workload)
    {
        let session_uid = observed.session.uid().unwrap_or_default();
        observed.remains = remains(client, workload, &session_uid, &change, &mut observed.unreadable).await?;
        // A pod of an earlier session may take minutes to stop; what it says is not this session's to report.
        let began = observed.session.creation_timestamp().map(|time| time.0);
        observed
            .remains
            .pods
            .retain(|pod| !(pod.terminating && pod.created < began));
    }
    Ok(observed)
}

/// Reads what there is of a change beside the template. What may not be read is left out and named in `unreadable`.
pub(super) async fn remains(
    client: &Client,
    workload: &Workload,
    session_uid: &str,
    change: &Change,
    unreadable: &mut Option<String>,
) -> kube::Result<Remains> {
    let namespace = workload.metadata.namespace.as_deref().unwrap_or_default();
    let selected = ListParams::default().labels(&workload.selector_text());
    let replica_sets = Api::<ReplicaSet>::namespaced(client.clone(), namespace);
    let pods = Api::<Pod>::namespaced(client.clone(), namespace);
    let (replica_sets, pods) = tokio::join!(replica_sets.list(&selected), pods.list(&selected));
    let replica_sets = readable(replica_sets.map(|list| list.items), unreadable)?;
    let mut pods = readable(pods.map(|list| list.items), unreadable)?;
    pods.sort_by(|one, other| {
        (one.creation_timestamp(), one.name_any()).cmp(&(other.creation_timestamp(), other.name_any()))
    });
    Ok(Remains {
        replica_sets: replica_sets
            .iter()
            .filter_map(|set| debug_replica_set(set, workload.uid(), session_uid, change))
            .collect(),
        pods: pods.into_iter().filter_map(|pod| debug_pod(&pod, change)).collect(),
    })
}

/// What the operator may not read is as if it were not there, and is named.
fn readable<T: Default>(result: kube::Result<T>, unreadable: &mut Option<String>) -> kube::Result<T> {
    match result {
        Err(kube::Error::Api(refusal)) if refusal.is_forbidden() => {
            *unreadable = Some(refusal.message);
            Ok(T::default())
        }
        result => result,
    }
}

/// Reads a session's target. `None`: it does not exist, or its kind is not supported.
pub async fn workload(client: &Client, session: &TLSDebugSession) -> kube::Result<Option<Workload>> {
    let namespace = session.namespace().unwrap_or_default();
    let target = &session.spec.target;
    match target.kind {
        TargetKind::Deployment => {
            let api = Api::<Deployment>::namespaced(client.clone(), &namespace);
            Ok(api.get_opt(&target.name).await?.map(Workload::from))
        }
        TargetKind::StatefulSet | TargetKind::DaemonSet | TargetKind::Pod => Ok(None),
    }
}

/// Whether the policy that keeps sessions from lending the operator's rights is installed and bound.
async fn has_admission_policy(client: &Client) -> kube::Result<bool> {
    let policy = Api::<ValidatingAdmissionPolicy>::all(client.clone())
        .get_opt(ADMISSION_POLICY)
        .await?;
    let binding = Api::<ValidatingAdmissionPolicyBinding>::all(client.clone())
        .get_opt(ADMISSION_POLICY)
        .await?;
    // One that only warns, or lets pass what it cannot decide, guards nothing. Fail is the API's default.
    let fails = |policy: ValidatingAdmissionPolicy| {
        policy
            .spec
            .and_then(|spec| spec.failure_policy)
            .is_none_or(|policy| policy == "Fail")
    };
    let denies = |binding: ValidatingAdmissionPolicyBinding| {
        let actions = binding
            .spec
            .and_then(|spec| spec.validation_actions)
            .unwrap_or_default();
        actions.iter().any(|action| action == "Deny")
    };
    Ok(policy.is_some_and(fails) && binding.is_some_and(denies))
}

/// The change that a session has made to its workload: as the record says, else as the status remembers.
#[must_use]
pub fn change(session: &TLSDebugSession, workload: &Workload) -> Option<Change> {
    let recorded = workload
        .record()
        .and_then(Result::ok)
        .filter(|record| Some(&record.session.uid) == session.uid().as_ref());
    recorded.map(|record| record.change).or_else(|| {
        let injection = session.status.as_ref()?.injection.as_ref()?;
        (injection.uid == workload.uid()).then(|| injection.change.clone())
    })
}

/// The session's own ReplicaSets only: the Deployment controller copies the record onto those that it makes or takes up
/// while the record is there (`deployment_util.go`, `SetNewReplicaSetAnnotations`). An older revision whose owner had
/// set the same flag stays.
fn debug_replica_set(
    set: &ReplicaSet,
    workload_uid: &str,
    session_uid: &str,
    change: &Change,
) -> Option<DebugReplicaSet> {
    let spec = set.spec.as_ref()?;
    is_marked(set, workload_uid, session_uid).then(|| DebugReplicaSet {
        replicas: spec
            .replicas
            .unwrap_or(1)
            .max(set.status.as_ref().map_or(0, |status| status.replicas)),
        ready_replicas: set
            .status
            .as_ref()
            .and_then(|status| status.ready_replicas)
            .unwrap_or(0),
        name: set.name_any(),
        uid: set.uid().unwrap_or_default(),
        resource_version: set.resource_version().unwrap_or_default(),
        carries_flag: spec
            .template
            .as_ref()
            .and_then(|template| template.spec.as_ref())
            .is_some_and(|pod| change.is_carried_by_pod(pod)),
    })
}

fn is_marked(set: &ReplicaSet, workload_uid: &str, session_uid: &str) -> bool {
    let is_owned = set
        .owner_references()
        .iter()
        .any(|owner| owner.controller == Some(true) && owner.uid == workload_uid);
    let record = set
        .annotations()
        .get(ANNOTATION)
        .and_then(|text| serde_json::from_str::<Record>(text).ok());
    is_owned && record.is_some_and(|record| record.session.uid == session_uid)
}

fn debug_pod(pod: &Pod, change: &Change) -> Option<DebugPod> {
    if !change.is_carried_by_pod(pod.spec.as_ref()?) {
        return None;
    }
    let status = pod.status.as_ref();
    if status
        .and_then(|status| status.phase.as_deref())
        .is_some_and(|phase| phase == "Succeeded" || phase == "Failed")
    {
        return None;
    }
    let ready = status
        .and_then(|status| status.conditions.as_ref())
        .is_some_and(|conditions| {
            conditions
                .iter()
                .any(|one| one.type_ == "Ready" && one.status == "True")
        });
    let container = status
        .and_then(|status| status.container_statuses.as_ref())
        .and_then(|containers| containers.iter().find(|container| container.name == change.container));
    let state = container.and_then(|container| container.state.as_ref());
    let has_started = state.is_some_and(|state| state.running.is_some() || state.terminated.is_some())
        || container.is_some_and(|container| {
            container
                .last_state
                .as_ref()
                .is_some_and(|last| last.terminated.is_some())
        });
    Some(DebugPod {
        name: pod.name_any(),
        uid: pod.uid().unwrap_or_default(),
        ready,
        created: pod.creation_timestamp().map(|time| time.0),
        terminating: pod.metadata.deletion_timestamp.is_some(),
        restarts: if has_started {
            container.map(|container| container.restart_count)
        } else {
            None
        },
        waiting: state.and_then(|state| state.waiting.as_ref()?.reason.clone()),
    })
}
