//! What the user may do, as the API server's authorizer says.

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::Api;
use kube::api::PostParams;

use super::connection::Cluster;
use super::problem::Problem;
use crate::session::TargetKind;

/// A right in a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Right {
    group: &'static str,
    resource: &'static str,
    subresource: &'static str,
    verbs: &'static [&'static str],
}

impl Right {
    const fn of(group: &'static str, resource: &'static str, verbs: &'static [&'static str]) -> Self {
        Self {
            group,
            resource,
            subresource: "",
            verbs,
        }
    }

    const LOGS: Self = Self {
        group: "",
        resource: "pods",
        subresource: "log",
        verbs: &["get"],
    };

    fn name(self) -> String {
        let subresource = if self.subresource.is_empty() {
            String::new()
        } else {
            format!("/{}", self.subresource)
        };
        format!("{}{subresource}", self.resource)
    }
}

/// For `start`, `watch`, `list`, `report` and `stop`.
pub(super) const SESSIONS: [Right; 1] = [Right::of(
    "tlsdebug.io",
    "tlsdebugsessions",
    &["create", "get", "list", "watch", "patch"],
)];

/// What the chart's admission policy asks of whoever creates a session on this kind.
pub(super) fn of_policy(kind: TargetKind) -> Vec<Right> {
    vec![Right::of("apps", resource(kind), &["get", "patch"]), Right::LOGS]
}

/// For `run`, which does what the operator does.
pub(super) fn of_run(kind: TargetKind) -> Vec<Right> {
    let revisions = match kind {
        TargetKind::Deployment | TargetKind::Pod => "replicasets",
        TargetKind::StatefulSet | TargetKind::DaemonSet => "controllerrevisions",
    };
    vec![
        Right::of("apps", resource(kind), &["get", "list", "watch", "patch"]),
        Right::of("apps", revisions, &["list", "delete", "patch"]),
        Right::of("", "pods", &["get", "list", "watch"]),
        Right::LOGS,
    ]
}

/// For `restore`, which reads no log.
pub(super) fn of_restore(kind: TargetKind) -> Vec<Right> {
    let mut rights = of_run(kind);
    rights.retain(|right| *right != Right::LOGS);
    rights
}

const fn resource(kind: TargetKind) -> &'static str {
    match kind {
        TargetKind::Deployment => "deployments",
        TargetKind::StatefulSet => "statefulsets",
        TargetKind::DaemonSet => "daemonsets",
        TargetKind::Pod => "pods",
    }
}

/// Those of `rights` that the user has not, such as `patch deployments`.
pub(super) async fn missing(cluster: &Cluster, rights: &[Right]) -> Result<Vec<String>, Problem> {
    let reviews = Api::<SelfSubjectAccessReview>::all(cluster.client.clone());
    let mut missing = Vec::new();
    for right in rights {
        let mut verbs = Vec::new();
        for verb in right.verbs {
            let review = SelfSubjectAccessReview {
                spec: SelfSubjectAccessReviewSpec {
                    resource_attributes: Some(ResourceAttributes {
                        namespace: Some(cluster.namespace.clone()),
                        verb: Some((*verb).to_owned()),
                        group: Some(right.group.to_owned()),
                        resource: Some(right.resource.to_owned()),
                        subresource: (!right.subresource.is_empty()).then(|| right.subresource.to_owned()),
                        ..ResourceAttributes::default()
                    }),
                    ..SelfSubjectAccessReviewSpec::default()
                },
                ..SelfSubjectAccessReview::default()
            };
            let answer = reviews
                .create(&PostParams::default(), &review)
                .await
                .map_err(|error| Problem::of("ask what you may do", &error))?;
            if !answer.status.is_some_and(|status| status.allowed) {
                verbs.push(*verb);
            }
        }
        if !verbs.is_empty() {
            missing.push(format!("{} {}", verbs.join(", "), right.name()));
        }
    }
    Ok(missing)
}

/// Refuses to begin what could not be brought to its end.
pub(super) async fn demand(cluster: &Cluster, what: &str, rights: &[Right]) -> Result<(), Problem> {
    let missing = missing(cluster, rights).await?;
    if missing.is_empty() {
        return Ok(());
    }
    Err(Problem::new(format!(
        "cannot {what}: in namespace {:?} you may not {}. {}. Nothing was changed",
        cluster.namespace,
        missing.join("; "),
        if missing.iter().any(|right| right.contains("controllerrevisions")) {
            "The cluster role admin and a Role for controllerrevisions grant all of it"
        } else {
            "The cluster role edit grants all of it"
        }
    )))
}
