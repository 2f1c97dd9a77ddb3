//! A workload as the edits see it, whatever its kind.

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::record::{Record, RecordError};
use super::rollout::Rollout;
use crate::session::TargetKind;

/// The path to the pod's spec in a workload.
pub(super) const TEMPLATE: [&str; 3] = ["spec", "template", "spec"];

/// A workload as the edits see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Workload {
    /// Its kind.
    pub kind: TargetKind,
    /// Its metadata, managed fields included.
    pub metadata: ObjectMeta,
    /// Which pods are its own; nothing for a bare pod.
    pub selector: LabelSelector,
    /// The pod template; of a bare pod, the pod's own labels, annotations and spec.
    pub template: PodTemplateSpec,
    /// How far its controller has brought the pods to the template.
    pub rollout: Rollout,
}

/// Where a container is in a pod's spec.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Place {
    is_init: bool,
    position: usize,
}

impl Place {
    /// The list that it is in.
    #[must_use]
    pub const fn list(self) -> &'static str {
        if self.is_init { "initContainers" } else { "containers" }
    }

    /// Its position in the list.
    #[must_use]
    pub const fn position(self) -> usize {
        self.position
    }

    /// Whether it is an init container; a sidecar is one that is restarted always.
    #[must_use]
    pub const fn is_init(self) -> bool {
        self.is_init
    }
}

impl From<Deployment> for Workload {
    fn from(deployment: Deployment) -> Self {
        let rollout = Rollout::of_deployment(&deployment);
        let spec = deployment.spec.unwrap_or_default();
        Self {
            kind: TargetKind::Deployment,
            metadata: deployment.metadata,
            selector: spec.selector,
            template: spec.template,
            rollout,
        }
    }
}

impl From<StatefulSet> for Workload {
    fn from(set: StatefulSet) -> Self {
        let rollout = Rollout::of_stateful_set(&set);
        let spec = set.spec.unwrap_or_default();
        Self {
            kind: TargetKind::StatefulSet,
            metadata: set.metadata,
            selector: spec.selector,
            template: spec.template,
            rollout,
        }
    }
}

impl From<DaemonSet> for Workload {
    fn from(set: DaemonSet) -> Self {
        let rollout = Rollout::of_daemon_set(&set);
        let spec = set.spec.unwrap_or_default();
        Self {
            kind: TargetKind::DaemonSet,
            metadata: set.metadata,
            selector: spec.selector,
            template: spec.template,
            rollout,
        }
    }
}

impl From<Pod> for Workload {
    fn from(pod: Pod) -> Self {
        let template = PodTemplateSpec {
            metadata: Some(ObjectMeta {
                labels: pod.metadata.labels.clone(),
                annotations: pod.metadata.annotations.clone(),
                ..ObjectMeta::default()
            }),
            spec: pod.spec,
        };
        Self {
            kind: TargetKind::Pod,
            metadata: pod.metadata,
            selector: LabelSelector::default(),
            template,
            rollout: Rollout::default(),
        }
    }
}

/// Reads an object by way of its text: the program reads pods from text anyway, and code that reads all that a pod can hold
/// from a [`Value`] as well would make the image a good deal larger.
pub(crate) fn typed<T: DeserializeOwned>(value: &Value) -> Result<T, serde_json::Error> {
    serde_json::from_str(&value.to_string())
}

impl Workload {
    /// Reads an object of `kind` as the API returns it.
    pub fn read(kind: TargetKind, object: &Value) -> Result<Self, serde_json::Error> {
        Ok(match kind {
            TargetKind::Deployment => typed::<Deployment>(object)?.into(),
            TargetKind::StatefulSet => typed::<StatefulSet>(object)?.into(),
            TargetKind::DaemonSet => typed::<DaemonSet>(object)?.into(),
            TargetKind::Pod => typed::<Pod>(object)?.into(),
        })
    }

    /// The object's name; empty only for an object that no API server has seen.
    #[must_use]
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// The object's uid; empty only for an object that no API server has seen.
    #[must_use]
    pub fn uid(&self) -> &str {
        self.metadata.uid.as_deref().unwrap_or_default()
    }

    /// Kind and name as a sentence names them.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{} {:?}", self.kind, self.name())
    }

    /// The record of the change that is in the template now. `Some(Err)`: the annotation is there but unreadable.
    #[must_use]
    pub fn record(&self) -> Option<Result<Record, RecordError>> {
        Record::of(&self.metadata)
    }

    /// All containers of the template: the ones that run side by side first, then those that start before them.
    pub fn containers(&self) -> impl Iterator<Item = (Place, &Container)> {
        self.template.spec.as_ref().into_iter().flat_map(containers)
    }

    /// A container of the template with its place, as the paths of a patch need it.
    #[must_use]
    pub fn container(&self, name: &str) -> Option<(Place, &Container)> {
        self.containers().find(|(_, container)| container.name == name)
    }

    /// The selector in the form of a list request's parameter.
    #[must_use]
    pub fn selector_text(&self) -> String {
        let labels = self
            .selector
            .match_labels
            .iter()
            .flatten()
            .map(|(key, value)| format!("{key}={value}"));
        let expressions = self
            .selector
            .match_expressions
            .iter()
            .flatten()
            .filter_map(|expression| {
                let values = expression.values.as_deref().unwrap_or_default().join(",");
                match expression.operator.as_str() {
                    "In" => Some(format!("{} in ({values})", expression.key)),
                    "NotIn" => Some(format!("{} notin ({values})", expression.key)),
                    "Exists" => Some(expression.key.clone()),
                    "DoesNotExist" => Some(format!("!{}", expression.key)),
                    _ => None,
                }
            });
        labels.chain(expressions).collect::<Vec<_>>().join(",")
    }
}

/// All containers of a pod; ephemeral ones are in no template and take no changes.
pub fn containers(pod: &PodSpec) -> impl Iterator<Item = (Place, &Container)> {
    let place = |is_init| move |(position, container)| (Place { is_init, position }, container);
    let main = pod.containers.iter().enumerate().map(place(false));
    let init = pod.init_containers.iter().flatten().enumerate().map(place(true));
    main.chain(init)
}
