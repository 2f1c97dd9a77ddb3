//! Reading the API: everything that a plan needs, in one value.

pub mod pods;
pub mod revisions;
pub mod stuck;

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service};
use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::{Api, Client, ResourceExt};

use self::stuck::StuckPod;
use super::capture::Captured;
use crate::session::{Phase, Strategy, TLSDebugSession, TargetKind, peer};
use crate::workload::clone::SESSION_LABEL;
use crate::workload::environment::{self, ConfigMapKeys};
use crate::workload::record::{Change, RecordOwner, SessionReference};
use crate::workload::{Workload, refusal};
pub use pods::{ClonePod, DebugPod};
pub use revisions::{DebugRevision, RevisionKind};

/// The chart's ValidatingAdmissionPolicy, and its binding.
pub const ADMISSION_POLICY: &str = "tlsdebugsessions.tlsdebug.io";

/// Everything that a plan needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    /// The session, read live.
    pub session: TLSDebugSession,
    /// Who carries the session out.
    pub owner: RecordOwner,
    /// Sessions may be started: the admission policy is there, or is not asked for.
    pub is_guarded: bool,
    /// Its target, where it exists.
    pub workload: Option<Workload>,
    /// The keys of the ConfigMaps on which the change depends; read before anything is changed.
    pub config_maps: ConfigMapKeys,
    /// What the namespace's Services select; read before a clone is made.
    pub service_selectors: Vec<BTreeMap<String, String>>,
    /// The session's clone, where its strategy is Clone and the pod is there.
    pub clone: Option<ClonePod>,
    /// What there is of the session's change beside the template.
    pub remains: Remains,
    /// Before the change: a pod that keeps the workload from coming to rest.
    pub stuck: Option<StuckPod>,
    /// Before the change: another session's record is on the workload, and that session is gone or over.
    pub is_left_behind: bool,
    /// What the operator may not read, in the API server's words; what it would have brought is missing here.
    pub unreadable: Option<String>,
    /// What the log streams have brought so far.
    pub captured: Captured,
    /// What there is under the name of the session of the other end, where one is asked for.
    pub peer: Option<TLSDebugSession>,
}

/// What there is of a change beside the template.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remains {
    /// Revisions of the workload that bear the session's record.
    pub revisions: Vec<DebugRevision>,
    /// Pods that carry the flag, oldest first, the session's clone among them; for a session, less those of an earlier one
    /// that are on their way out.
    pub pods: Vec<DebugPod>,
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
    let phase = session.status.as_ref().map(|status| status.phase).unwrap_or_default();
    // The policy is asked for before anything is touched, and not again.
    let is_starting = session.metadata.deletion_timestamp.is_none() && phase == Phase::Pending;
    let mut unreadable = captured.unreadable.clone();
    let is_guarded =
        !(requires_policy && is_starting) || readable(has_admission_policy(client).await, &mut unreadable)?;
    let mut observed = Observed {
        is_guarded,
        owner: RecordOwner::Operator,
        session,
        workload: None,
        config_maps: ConfigMapKeys::new(),
        service_selectors: Vec::new(),
        clone: None,
        remains: Remains::default(),
        stuck: None,
        is_left_behind: false,
        unreadable,
        captured,
        peer: None,
    };
    if observed.session.spec.peer.is_some() {
        let (namespace, name) = (
            observed.session.namespace().unwrap_or_default(),
            peer::name(&observed.session),
        );
        observed.peer = self::session(client, &namespace, &name).await?;
    }
    if phase.is_finished() {
        // Nothing is decided by it any more.
        return Ok(observed);
    }
    let unreadable = &mut observed.unreadable;
    observed.workload = readable(workload(client, &observed.session).await, unreadable)?;
    let is_clone = observed.session.spec.effective_strategy() == Strategy::Clone;
    if is_starting && let Some(workload) = &observed.workload {
        observed.config_maps = config_maps(client, &observed.session, workload).await?;
        if is_clone {
            observed.service_selectors = readable(service_selectors(client, &observed.session).await, unreadable)?;
        }
    }
    if is_clone {
        observed.clone = readable(clone_pod(client, &observed.session).await, unreadable)?;
        observed.remains.pods = observed.clone.iter().map(|clone| clone.pod.clone()).collect();
    } else if let Some(workload) = &observed.workload
        && let Some(change) = change(&observed.session, workload)
    {
        let session_uid = observed.session.uid().unwrap_or_default();
        // What leads back to the flag matters when it is taken out; until then it is not asked for at each look.
        let is_running = observed.session.metadata.deletion_timestamp.is_none()
            && matches!(phase, Phase::Injecting | Phase::Capturing);
        observed.remains = if is_running {
            Remains {
                pods: debug_pods(client, workload, &change, unreadable).await?,
                revisions: Vec::new(),
            }
        } else {
            remains(client, workload, &session_uid, &change, unreadable).await?
        };
        // A pod of an earlier session may take minutes to stop; what it says is not this session's to report.
        let began = observed.session.creation_timestamp().map(|time| time.0);
        observed
            .remains
            .pods
            .retain(|pod| !(pod.terminating && pod.created < began));
    } else if let Some(workload) = observed.workload.as_ref().filter(|_| is_starting) {
        // What cannot be watched over is not begun.
        observed.stuck = readable(stuck_pod(client, workload).await, unreadable)?;
        readable(revisions::are_visible(client, workload).await, unreadable)?;
        observed.is_left_behind = is_left_behind(client, workload, &observed.session).await?;
    }
    Ok(observed)
}

/// What keeps a workload from coming to rest.
async fn stuck_pod(client: &Client, workload: &Workload) -> kube::Result<Option<StuckPod>> {
    let namespace = workload.metadata.namespace.as_deref().unwrap_or_default();
    let selected = ListParams::default().labels(&workload.selector_text());
    let is_at_rest = workload.rollout.is_at_rest();
    let selected = if is_at_rest { selected.limit(1) } else { selected };
    let pods = Api::<Pod>::namespaced(client.clone(), namespace)
        .list(&selected)
        .await?;
    Ok(stuck::first(&pods.items).filter(|_| !is_at_rest))
}

/// Whether the workload bears the record of a session that is gone or over: a sweep will take it away.
async fn is_left_behind(client: &Client, workload: &Workload, session: &TLSDebugSession) -> kube::Result<bool> {
    match workload.record() {
        // A terminal's session is no object; until its deadline it may come back to its record.
        Some(Ok(record)) if record.owner == RecordOwner::Terminal => Ok(false),
        Some(Ok(record)) if Some(&record.session.uid) != session.uid().as_ref() => {
            let namespace = workload.metadata.namespace.as_deref().unwrap_or_default();
            is_gone(client, namespace, &record.session).await
        }
        _ => Ok(false),
    }
}

/// Whether the session of a record that was found in `namespace` will not take its change back: it does not exist, is over,
/// or is one of another namespace, whose record has come with a copy of its workload.
pub(super) async fn is_gone(client: &Client, namespace: &str, reference: &SessionReference) -> kube::Result<bool> {
    if reference.namespace != namespace {
        return Ok(true);
    }
    let found = existing(session(client, namespace, &reference.name).await)?;
    // A finished session has taken its record away; one that is there again came back with somebody's copy of the object.
    let is_over = |session: &TLSDebugSession| session.status.as_ref().is_some_and(|status| status.phase.is_finished());
    Ok(found.is_none_or(|session| session.uid().as_ref() != Some(&reference.uid) || is_over(&session)))
}

/// Nothing is there either where the definition of the kind itself is gone.
pub(super) fn existing<T: Default>(result: kube::Result<T>) -> kube::Result<T> {
    match result {
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(T::default()),
        result => result,
    }
}

/// The API of a kind of workload.
#[must_use]
pub fn workloads(client: &Client, namespace: &str, kind: TargetKind) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), namespace, &resource(kind))
}

/// How the API server names a kind of workload.
#[must_use]
pub fn resource(kind: TargetKind) -> ApiResource {
    match kind {
        TargetKind::Deployment => ApiResource::erase::<Deployment>(&()),
        TargetKind::StatefulSet => ApiResource::erase::<StatefulSet>(&()),
        TargetKind::DaemonSet => ApiResource::erase::<DaemonSet>(&()),
        TargetKind::Pod => ApiResource::erase::<Pod>(&()),
    }
}

/// Reads a session's target. `None`: it does not exist.
pub async fn workload(client: &Client, session: &TLSDebugSession) -> kube::Result<Option<Workload>> {
    let namespace = session.namespace().unwrap_or_default();
    let target = &session.spec.target;
    let object = workloads(client, &namespace, target.kind).get_opt(&target.name).await?;
    object.map(|object| read(target.kind, object)).transpose()
}

/// A workload of what the API server returned.
pub fn read(kind: TargetKind, object: DynamicObject) -> kube::Result<Workload> {
    let object = serde_json::to_value(object).map_err(kube::Error::SerdeError)?;
    Workload::read(kind, &object).map_err(kube::Error::SerdeError)
}

/// Reads what there is of a change beside the template. What may not be read is left out and named in `unreadable`.
pub(super) async fn remains(
    client: &Client,
    workload: &Workload,
    session_uid: &str,
    change: &Change,
    unreadable: &mut Option<String>,
) -> kube::Result<Remains> {
    let mut hidden = None;
    let pods = debug_pods(client, workload, change, &mut hidden);
    let (marked, pods) = tokio::join!(revisions::marked(client, workload, session_uid), pods);
    let (marked, pods) = (readable(marked, unreadable)?, pods?);
    if hidden.is_some() {
        *unreadable = hidden;
    }
    Ok(Remains {
        revisions: marked.seen(change, &pods),
        pods,
    })
}

/// The pods of the workload that carry the flag, oldest first.
async fn debug_pods(
    client: &Client,
    workload: &Workload,
    change: &Change,
    unreadable: &mut Option<String>,
) -> kube::Result<Vec<DebugPod>> {
    let namespace = workload.metadata.namespace.as_deref().unwrap_or_default();
    let selected = ListParams::default().labels(&workload.selector_text());
    let pods = Api::<Pod>::namespaced(client.clone(), namespace).list(&selected).await;
    let mut pods = readable(pods.map(|list| list.items), unreadable)?;
    pods.sort_by(|one, other| {
        (one.creation_timestamp(), one.name_any()).cmp(&(other.creation_timestamp(), other.name_any()))
    });
    Ok(pods.iter().filter_map(|pod| pods::debug_pod(pod, change)).collect())
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

async fn clone_pod(client: &Client, session: &TLSDebugSession) -> kube::Result<Option<ClonePod>> {
    let namespace = session.namespace().unwrap_or_default();
    let labelled = ListParams::default().labels(&format!("{SESSION_LABEL}={}", session.name_any()));
    let pods = Api::<Pod>::namespaced(client.clone(), &namespace)
        .list(&labelled)
        .await?;
    let uid = session.uid().unwrap_or_default();
    Ok(pods.items.iter().find_map(|pod| pods::clone_pod(pod, &uid)))
}

/// The keys of the ConfigMaps that decide in which shape the variable is. No value is kept.
async fn config_maps(client: &Client, session: &TLSDebugSession, workload: &Workload) -> kube::Result<ConfigMapKeys> {
    let api = Api::<ConfigMap>::namespaced(client.clone(), &session.namespace().unwrap_or_default());
    let mut keys = ConfigMapKeys::new();
    let Ok((_, container)) = refusal::choose_container(workload, session.spec.target.container.as_deref()) else {
        return Ok(keys);
    };
    for name in environment::config_maps_of(container, session.spec.variable.name()) {
        let known = match api.get_opt(name).await {
            Ok(None) => Some(BTreeSet::new()),
            Ok(Some(config_map)) => Some(config_map.data.unwrap_or_default().into_keys().collect()),
            Err(kube::Error::Api(status)) if status.is_forbidden() => None,
            Err(error) => return Err(error),
        };
        keys.insert(name.to_owned(), known);
    }
    Ok(keys)
}

async fn service_selectors(client: &Client, session: &TLSDebugSession) -> kube::Result<Vec<BTreeMap<String, String>>> {
    let api = Api::<Service>::namespaced(client.clone(), &session.namespace().unwrap_or_default());
    let services = api.list(&ListParams::default()).await?.items;
    Ok(services
        .into_iter()
        .filter_map(|service| service.spec?.selector)
        .collect())
}

/// Whether the policy that keeps sessions from lending the operator's rights is installed and bound.
pub(crate) async fn has_admission_policy(client: &Client) -> kube::Result<bool> {
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
