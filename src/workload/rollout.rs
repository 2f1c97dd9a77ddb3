//! How far a controller has brought its pods to the template.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// How far a controller has brought its pods to the template.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "independent facts of the API")]
pub struct Rollout {
    /// The controller does not act on changes of the template.
    pub paused: bool,
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
    /// No old revision is kept.
    pub forgets: bool,
}

impl Rollout {
    /// Reads a Deployment's status.
    #[must_use]
    pub fn of_deployment(deployment: &Deployment) -> Self {
        let spec = deployment.spec.as_ref();
        let status = deployment.status.as_ref();
        let strategy = spec.and_then(|spec| spec.strategy.as_ref());
        let surge = strategy.and_then(|strategy| strategy.rolling_update.as_ref()?.max_surge.as_ref());
        Self {
            paused: spec.and_then(|spec| spec.paused).unwrap_or(false),
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
            forgets: spec.and_then(|spec| spec.revision_history_limit) == Some(0),
            surges: match surge {
                None => true,
                Some(IntOrString::Int(count)) => *count > 0,
                Some(IntOrString::String(share)) => share.trim_end_matches('%') != "0",
            },
        }
    }

    /// Whether nothing moves: the last rollout is complete, or all wanted pods and no others are of the current template and
    /// the controller does not wait for them to become available. A JVM whose TLS fails may never be.
    #[must_use]
    pub const fn is_at_rest(&self) -> bool {
        let is_replaced = self.updated_replicas >= self.desired_replicas && self.replicas <= self.updated_replicas;
        self.is_complete() || (self.observed && self.is_over && is_replaced)
    }

    /// Whether all wanted pods, and no others, are of the current template and available; the same four counts that
    /// `kubectl rollout status` compares.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.observed
            && self.updated_replicas >= self.desired_replicas
            && self.replicas <= self.updated_replicas
            && self.available_replicas >= self.updated_replicas
    }
}
