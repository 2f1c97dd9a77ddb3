//! What the user needs for each command.

use super::connection::Cluster;
use super::problem::Problem;
use crate::operator::rights;
pub(super) use crate::operator::rights::Right;
use crate::session::TargetKind;

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
    rights::missing(&cluster.client, Some(&cluster.namespace), rights)
        .await
        .map_err(|error| Problem::of("ask what you may do", &error))
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
