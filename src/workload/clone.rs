//! One more pod of a workload's template, with the flag; the workload is left alone.
//!
//! The session owns it as its controller, so no ReplicaSet adopts it and it goes with the session; it ends by itself when
//! its time is over. It keeps the template's labels, less what Services and the workload itself select by.

use std::collections::{BTreeMap, BTreeSet};

use json_patch::Patch;
use k8s_openapi::api::core::v1::{Pod, PodSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use super::inject::{self, Request};
use super::patch::Builder;
use super::record::{ANNOTATION, Record};
use super::refusal::{self, Refusal};
use super::view::{Workload, containers, typed};
use crate::session::TargetKind;

/// The label of a clone: its session's name.
pub const SESSION_LABEL: &str = "tlsdebug.io/session";

/// Labels that controllers give to pods of their own.
const CONTROLLERS_LABELS: [&str; 8] = [
    "apps.kubernetes.io/pod-index",
    "batch.kubernetes.io/controller-uid",
    "batch.kubernetes.io/job-name",
    "controller-revision-hash",
    "controller-uid",
    "pod-template-generation",
    "pod-template-hash",
    "statefulset.kubernetes.io/pod-name",
];

/// Annotations that say something of the pod that they are on, not of one like it.
const OWN_ANNOTATIONS: [&str; 3] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "cni.projectcalico.org/",
    "k8s.v1.cni.cncf.io/network-status",
];

/// What admission mounts where a service account's token is wanted (`plugin/pkg/admission/serviceaccount`).
const TOKEN_VOLUME: &str = "kube-api-access-";

/// How a clone is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms<'a> {
    /// Whether it keeps the labels that Services select.
    pub receive_traffic: bool,
    /// What the namespace's Services select.
    pub service_selectors: &'a [BTreeMap<String, String>],
    /// After how many seconds it ends by itself.
    pub active_deadline_seconds: i64,
}

/// A clone that can be made.
#[derive(Debug, Clone, PartialEq)]
pub struct CloneInjection {
    /// The pod.
    pub pod: Pod,
    /// The record that it bears.
    pub record: Record,
    /// What the user should know before.
    pub warnings: Vec<String>,
}

/// Plans the clone, or says why it is not made.
pub fn plan(workload: &Workload, request: &Request<'_>, terms: &Terms<'_>) -> Result<CloneInjection, Refusal> {
    refusal::unless_free(workload, &request.session.uid)?;
    let edit = inject::edit(workload, request)?;
    let patch = edit.add_to(Builder::default(), &[]).build();
    let template = workload.template.spec.clone().unwrap_or_default();
    let mut spec = edited(&template, &patch).ok_or_else(|| {
        let title = workload.title();
        Refusal::permanent(
            "CloneImpossible",
            format!("The pod template of {title} cannot be copied."),
        )
    })?;
    refuse_shared(workload, &spec)?;
    let record = inject::record(request, &edit);
    let labels = labels(workload, request, terms);
    let mut warnings = edit.warnings();
    warnings.extend(own_warnings(workload, &spec, &labels, terms));
    make_its_own(&mut spec, terms);
    let metadata = workload.template.metadata.clone().unwrap_or_default();
    let mut annotations = metadata.annotations.unwrap_or_default();
    annotations.retain(|name, _| !OWN_ANNOTATIONS.iter().any(|own| name.starts_with(own)));
    annotations.insert(ANNOTATION.to_owned(), record.text());
    let session = &request.session;
    let pod = Pod {
        metadata: ObjectMeta {
            name: Some(name(&session.name, &session.uid)),
            namespace: Some(session.namespace.clone()),
            labels: Some(labels),
            annotations: Some(annotations),
            owner_references: Some(vec![OwnerReference {
                api_version: "tlsdebug.io/v1alpha1".to_owned(),
                kind: "TLSDebugSession".to_owned(),
                name: session.name.clone(),
                uid: session.uid.clone(),
                controller: Some(true),
                block_owner_deletion: None,
            }]),
            ..ObjectMeta::default()
        },
        spec: Some(spec),
        status: None,
    };
    Ok(CloneInjection { pod, record, warnings })
}

/// The same for the same session, so that one that is made twice is refused the second time.
fn name(session: &str, uid: &str) -> String {
    let suffix: String = uid.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
    format!("{session}-clone-{suffix}")
}

fn edited(spec: &PodSpec, patch: &Patch) -> Option<PodSpec> {
    let mut value = serde_json::from_str(&serde_json::to_string(spec).ok()?).ok()?;
    json_patch::patch(&mut value, patch).ok()?;
    typed(&value).ok()
}

/// A second pod must not write where the first one writes, nor take its place on a node.
fn refuse_shared(workload: &Workload, spec: &PodSpec) -> Result<(), Refusal> {
    let title = workload.title();
    let way_out = if workload.kind == TargetKind::Pod {
        "Debug it where nothing is shared."
    } else {
        "Use strategy Rollout in a new session."
    };
    let volumes: Vec<_> = spec.volumes.iter().flatten().collect();
    if let Some(volume) = volumes.iter().find(|volume| volume.persistent_volume_claim.is_some()) {
        return Err(Refusal::permanent(
            "CloneSharesVolume",
            format!(
                "Volume {:?} of {title} is a PersistentVolumeClaim; a clone would write to the same one. {way_out}",
                volume.name
            ),
        ));
    }
    let all = || containers(spec).map(|(_, container)| container);
    let mounts = all().flat_map(|container| container.volume_mounts.iter().flatten());
    let is_known = |name: &str| volumes.iter().any(|volume| volume.name == name);
    if let Some(mount) = mounts.into_iter().find(|mount| !is_known(&mount.name)) {
        return Err(Refusal::permanent(
            "CloneSharesVolume",
            format!(
                "Volume {:?} of {title} comes from its volumeClaimTemplates; a clone has none of its own. {way_out}",
                mount.name
            ),
        ));
    }
    let mut ports = all().flat_map(|container| container.ports.iter().flatten());
    if spec.host_network == Some(true) || ports.any(|port| port.host_port.unwrap_or(0) > 0) {
        return Err(Refusal::permanent(
            "CloneSharesHostPort",
            format!(
                "{title} uses ports of its node (hostNetwork or hostPort), which a clone could not have. {way_out}"
            ),
        ));
    }
    Ok(())
}

fn labels(workload: &Workload, request: &Request<'_>, terms: &Terms<'_>) -> BTreeMap<String, String> {
    let metadata = workload.template.metadata.as_ref();
    let mut labels = metadata
        .and_then(|metadata| metadata.labels.clone())
        .unwrap_or_default();
    if !terms.receive_traffic {
        for key in selected_by(workload, &labels, terms) {
            labels.remove(&key);
        }
    }
    labels.retain(|name, _| !CONTROLLERS_LABELS.contains(&name.as_str()));
    labels.insert(SESSION_LABEL.to_owned(), request.session.name.clone());
    labels
}

/// The labels by which Services or the workload itself would select the clone.
fn selected_by(workload: &Workload, labels: &BTreeMap<String, String>, terms: &Terms<'_>) -> BTreeSet<String> {
    let selects = |selector: &&BTreeMap<String, String>| {
        !selector.is_empty() && selector.iter().all(|(key, value)| labels.get(key) == Some(value))
    };
    let by_services = terms.service_selectors.iter().filter(selects).flat_map(BTreeMap::keys);
    let by_workload = workload.selector.match_labels.iter().flat_map(BTreeMap::keys);
    let expressions = workload.selector.match_expressions.iter().flatten();
    by_services
        .chain(by_workload)
        .chain(expressions.map(|expression| &expression.key))
        .cloned()
        .collect()
}

fn own_warnings(
    workload: &Workload,
    spec: &PodSpec,
    labels: &BTreeMap<String, String>,
    terms: &Terms<'_>,
) -> Vec<String> {
    let mut warnings = vec![
        "The clone is one more instance: it takes work from queues, topics, schedulers and databases as the others do."
            .to_owned(),
    ];
    let before = workload
        .template
        .metadata
        .as_ref()
        .and_then(|metadata| metadata.labels.as_ref());
    let is_lost = |key: &&String| !labels.contains_key(*key) && !CONTROLLERS_LABELS.contains(&key.as_str());
    let lost: Vec<_> = before
        .into_iter()
        .flat_map(BTreeMap::keys)
        .filter(is_lost)
        .cloned()
        .collect();
    if terms.receive_traffic {
        warnings.push(
            "The clone keeps the workload's labels: Services send it requests, and autoscalers and disruption budgets count \
             it."
                .to_owned(),
        );
    } else if !lost.is_empty() {
        warnings.push(format!(
            "The clone has not the labels {}, so that no Service selects it. Network policies that select by them treat it \
             differently.",
            lost.join(", ")
        ));
    }
    if spec.volumes.iter().flatten().any(|volume| volume.host_path.is_some()) {
        warnings
            .push("The clone uses the same directories of a node (hostPath) as pods of the workload there.".to_owned());
    }
    warnings
}

/// Takes off what belongs to one pod alone, or to what admission has added to it and adds again.
fn make_its_own(spec: &mut PodSpec, terms: &Terms<'_>) {
    spec.active_deadline_seconds = Some(terms.active_deadline_seconds);
    spec.ephemeral_containers = None;
    spec.node_name = None;
    spec.hostname = None;
    spec.subdomain = None;
    spec.priority = None;
    spec.preemption_policy = None;
    spec.overhead = None;
    spec.scheduling_gates = None;
    // A load balancer that knows nothing of the clone would never report it ready.
    spec.readiness_gates = None;
    let is_token = |name: &str| name.starts_with(TOKEN_VOLUME);
    if let Some(volumes) = &mut spec.volumes {
        volumes.retain(|volume| !is_token(&volume.name));
    }
    let init = spec.init_containers.iter_mut().flatten();
    for container in spec.containers.iter_mut().chain(init) {
        if let Some(mounts) = &mut container.volume_mounts {
            mounts.retain(|mount| !is_token(&mount.name));
        }
    }
}
