//! A workload as the edits see it, whatever its kind.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Container, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};

use super::record::{ANNOTATION, Record};
use super::rollout::Rollout;
use crate::session::TargetKind;

/// A workload as the edits see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Workload {
    /// Its kind.
    pub kind: TargetKind,
    /// Its metadata, managed fields included.
    pub metadata: ObjectMeta,
    /// Which pods are its own.
    pub selector: LabelSelector,
    /// The pod template.
    pub template: PodTemplateSpec,
    /// How far its controller has brought the pods to the template.
    pub rollout: Rollout,
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

impl Workload {
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
    pub fn record(&self) -> Option<Result<Record, serde_json::Error>> {
        let text = self.metadata.annotations.as_ref()?.get(ANNOTATION)?;
        Some(serde_json::from_str(text))
    }

    /// A container of the template with its position, as the paths of a patch need it.
    #[must_use]
    pub fn container(&self, name: &str) -> Option<(usize, &Container)> {
        let containers = &self.template.spec.as_ref()?.containers;
        containers
            .iter()
            .enumerate()
            .find(|(_, container)| container.name == name)
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
