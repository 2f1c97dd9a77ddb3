//! How far a controller has brought its pods to the template.

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// How far a controller has brought its pods to the template.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "independent facts of the API")]
pub struct Rollout {
    /// Why the controller does not bring its pods to a changed template.
    pub standstill: Option<Standstill>,
    /// How many pods the workload wants.
    pub desired_replicas: i32,
    /// The controller has seen the current spec.
    pub observed: bool,
    /// Pods of the current template.
    pub updated_replicas: i32,
    /// Pods of any template.
    pub replicas: i32,
    /// Pods that are available.
    pub available_replicas: i32,
    /// The controller expects nothing more of the last rollout: it was completed once, or it has exceeded its deadline.
    pub is_over: bool,
    /// All pods stop before new ones start.
    pub recreate: bool,
    /// A rollout may run more pods than wanted.
    pub surges: bool,
    /// A pod that is not ready stops the rollout, even one that would replace that pod (StatefulSet, `OrderedReady`).
    pub ordered: bool,
    /// No old revision is kept.
    pub forgets: bool,
}

/// Why a controller does not bring its pods to a changed template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standstill {
    /// A Deployment that is paused.
    Paused,
    /// Update strategy `OnDelete`.
    OnDelete,
    /// A StatefulSet that updates only the pods from an ordinal on.
    Partitioned,
}

impl Standstill {
    /// One word.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Paused => "TargetIsPaused",
            Self::OnDelete => "TargetUpdatesOnDelete",
            Self::Partitioned => "TargetIsPartitioned",
        }
    }

    /// What the workload is, to follow its name in a sentence.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::Paused => "is paused",
            Self::OnDelete => "replaces pods only when somebody deletes them (updateStrategy OnDelete)",
            Self::Partitioned => "updates only some of its pods (updateStrategy.rollingUpdate.partition)",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn way_out(self) -> &'static str {
        match self {
            Self::Paused => "Resume it (kubectl rollout resume)",
            Self::OnDelete => "Set updateStrategy.type to RollingUpdate",
            Self::Partitioned => "Set the partition to 0",
        }
    }
}

impl Rollout {
    /// Reads a Deployment's status.
    #[must_use]
    pub fn of_deployment(deployment: &Deployment) -> Self {
        let spec = deployment.spec.as_ref();
        let status = deployment.status.as_ref();
        let strategy = spec.and_then(|spec| spec.strategy.as_ref());
        let surge = strategy.and_then(|strategy| strategy.rolling_update.as_ref()?.max_surge.as_ref());
        let is_paused = spec.and_then(|spec| spec.paused).unwrap_or(false);
        Self {
            standstill: is_paused.then_some(Standstill::Paused),
            desired_replicas: spec.and_then(|spec| spec.replicas).unwrap_or(1),
            observed: status.and_then(|status| status.observed_generation).unwrap_or(0)
                >= deployment.metadata.generation.unwrap_or(0),
            updated_replicas: status.and_then(|status| status.updated_replicas).unwrap_or(0),
            replicas: status.and_then(|status| status.replicas).unwrap_or(0),
            available_replicas: status.and_then(|status| status.available_replicas).unwrap_or(0),
            is_over: status
                .and_then(|status| status.conditions.as_deref())
                .unwrap_or_default()
                .iter()
                .any(|condition| {
                    let reason = condition.reason.as_deref();
                    condition.type_ == "Progressing"
                        && matches!(reason, Some("NewReplicaSetAvailable" | "ProgressDeadlineExceeded"))
                }),
            recreate: strategy.and_then(|strategy| strategy.type_.as_deref()) == Some("Recreate"),
            ordered: false,
            forgets: spec.and_then(|spec| spec.revision_history_limit) == Some(0),
            surges: surge.is_none_or(is_positive),
        }
    }

    /// Reads a StatefulSet's status.
    #[must_use]
    pub fn of_stateful_set(set: &StatefulSet) -> Self {
        let spec = set.spec.as_ref();
        let status = set.status.as_ref();
        let strategy = spec.and_then(|spec| spec.update_strategy.as_ref());
        let partition = strategy.and_then(|strategy| strategy.rolling_update.as_ref()?.partition);
        let standstill = if strategy.and_then(|strategy| strategy.type_.as_deref()) == Some("OnDelete") {
            Some(Standstill::OnDelete)
        } else {
            (partition.unwrap_or(0) > 0).then_some(Standstill::Partitioned)
        };
        Self {
            standstill,
            desired_replicas: spec.and_then(|spec| spec.replicas).unwrap_or(1),
            observed: status.and_then(|status| status.observed_generation).unwrap_or(0)
                >= set.metadata.generation.unwrap_or(0),
            updated_replicas: status.and_then(|status| status.updated_replicas).unwrap_or(0),
            replicas: status.map_or(0, |status| status.replicas),
            available_replicas: status.and_then(|status| status.available_replicas).unwrap_or(0),
            // The update becomes the current revision when the last pod of it was ready.
            is_over: status.is_some_and(|status| status.current_revision == status.update_revision),
            recreate: false,
            surges: false,
            ordered: spec.and_then(|spec| spec.pod_management_policy.as_deref()) != Some("Parallel"),
            forgets: spec.and_then(|spec| spec.revision_history_limit) == Some(0),
        }
    }

    /// Reads a DaemonSet's status. Its replicas are the nodes that it is to run on.
    #[must_use]
    pub fn of_daemon_set(set: &DaemonSet) -> Self {
        let spec = set.spec.as_ref();
        let status = set.status.as_ref();
        let strategy = spec.and_then(|spec| spec.update_strategy.as_ref());
        let surge = strategy.and_then(|strategy| strategy.rolling_update.as_ref()?.max_surge.as_ref());
        let is_on_delete = strategy.and_then(|strategy| strategy.type_.as_deref()) == Some("OnDelete");
        Self {
            standstill: is_on_delete.then_some(Standstill::OnDelete),
            desired_replicas: status.map_or(0, |status| status.desired_number_scheduled),
            observed: status.and_then(|status| status.observed_generation).unwrap_or(0)
                >= set.metadata.generation.unwrap_or(0),
            updated_replicas: status.and_then(|status| status.updated_number_scheduled).unwrap_or(0),
            replicas: status.map_or(0, |status| status.current_number_scheduled),
            available_replicas: status.and_then(|status| status.number_available).unwrap_or(0),
            // A pod that is not available does not stop the controller from replacing it.
            is_over: true,
            recreate: false,
            surges: surge.is_some_and(is_positive),
            ordered: false,
            forgets: spec.and_then(|spec| spec.revision_history_limit) == Some(0),
        }
    }

    /// Whether nothing moves: the last rollout is complete, or all wanted pods and no others are of the current template and
    /// the controller does not wait for them to become available. A JVM whose TLS fails may never be.
    #[must_use]
    pub const fn is_at_rest(&self) -> bool {
        let is_replaced = self.updated_replicas >= self.desired_replicas && self.replicas <= self.updated_replicas;
        self.is_complete() || (self.observed && self.is_over && is_replaced && !self.ordered)
    }

    /// Whether all wanted pods, and no others, are of the current template and available; the same counts that
    /// `kubectl rollout status` compares.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.observed
            && self.updated_replicas >= self.desired_replicas
            && self.replicas <= self.updated_replicas
            && self.available_replicas >= self.updated_replicas
    }
}

fn is_positive(number: &IntOrString) -> bool {
    match number {
        IntOrString::Int(count) => *count > 0,
        IntOrString::String(share) => share.trim_end_matches('%') != "0",
    }
}
