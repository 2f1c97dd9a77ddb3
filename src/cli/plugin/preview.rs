//! What `--dry-run` prints: the patch that would be made, and what would restart.

use std::fmt::Write as _;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use super::connection::Cluster;
use super::problem::Problem;
use super::rehearsal::{Outcome, Rehearsal};
use super::table::{age, table};
use crate::operator::observe;
use crate::operator::plan::Action;
use crate::session::TargetKind;
use crate::workload::Workload;

/// Stands for the value of now: it may hold passwords, and terminals are shown around.
const HIDDEN: &str = "…";

/// What a rollout of the workload means.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Restarts {
    replicas: i32,
    strategy: String,
    last_rollout: Option<i64>,
    budgets: Vec<String>,
}

/// Reads what a rollout of the rehearsed workload means. What may not be read is left out.
pub(super) async fn restarts(cluster: &Cluster, workload: &Workload) -> Result<Restarts, Problem> {
    let tried = || format!("read {}", workload.title());
    let objects = observe::workloads(&cluster.client, &cluster.namespace, workload.kind);
    let object = objects
        .get(workload.name())
        .await
        .map_err(|error| Problem::of(tried(), &error))?;
    let selected = ListParams::default().labels(&workload.selector_text());
    let pods = Api::<Pod>::namespaced(cluster.client.clone(), &cluster.namespace)
        .list(&selected)
        .await;
    let budgets = Api::<PodDisruptionBudget>::namespaced(cluster.client.clone(), &cluster.namespace);
    let budgets = budgets.list(&ListParams::default()).await;
    Ok(Restarts {
        replicas: workload.rollout.desired_replicas,
        strategy: strategy(workload.kind, &object.data["spec"]),
        last_rollout: pods.ok().and_then(|pods| last_rollout(&pods.items)),
        budgets: budgets.map_or_else(
            |_| Vec::new(),
            |budgets| {
                budgets
                    .items
                    .iter()
                    .filter(|budget| is_of(budget, workload))
                    .map(budget)
                    .collect()
            },
        ),
    })
}

/// What a person reads before a session is started.
pub(super) fn text(rehearsal: &Rehearsal, restarts: Option<&Restarts>) -> String {
    let mut out = String::new();
    match &rehearsal.outcome {
        Outcome::Refused { reason, message } => {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "Not possible ({reason}): {message}");
            return out;
        }
        Outcome::Waits(why) => {
            let _ = writeln!(out, "It would wait first: {why}");
        }
        Outcome::Acts(Action::Inject(patch)) => {
            let target = &rehearsal.observed.session.spec.target;
            let _ = writeln!(
                out,
                "Patch of {} {} ({HIDDEN} stands for the value of now):",
                target.kind, target.name
            );
            for operation in &patch.0 {
                let _ = writeln!(
                    out,
                    "  {}",
                    hidden(json!(operation), &rehearsal.observed.session.spec.flag())
                );
            }
        }
        Outcome::Acts(Action::CreateClone(pod)) => {
            let _ = writeln!(
                out,
                "One more pod, {}; the workload is left alone. Its labels:",
                pod.name_any()
            );
            for (name, value) in pod.labels() {
                let _ = writeln!(out, "  {name}={value}");
            }
        }
        Outcome::Acts(_) => {}
    }
    let is_clone = matches!(rehearsal.outcome, Outcome::Acts(Action::CreateClone(_)));
    if let Some(restarts) = restarts.filter(|_| !is_clone) {
        let _ = writeln!(
            out,
            "\nWhat restarts, once to switch the output on and once to switch it off:"
        );
        let row = vec![
            restarts.replicas.to_string(),
            restarts.strategy.clone(),
            restarts.last_rollout.map_or_else(|| "<unknown>".to_owned(), age),
            if restarts.budgets.is_empty() {
                "<none>".to_owned()
            } else {
                restarts.budgets.join(", ")
            },
        ];
        for line in table(&["REPLICAS", "STRATEGY", "LAST ROLLOUT", "DISRUPTION BUDGET"], &[row]).lines() {
            let _ = writeln!(out, "  {line}");
        }
    }
    for warning in &rehearsal.warnings {
        let _ = writeln!(out, "\nWarning: {warning}");
    }
    out.push_str("\nNothing was changed.\n");
    out
}

/// One operation on a line, without what the variable holds beside the flag.
fn hidden(mut operation: Value, flag: &str) -> String {
    let is_value = operation["path"]
        .as_str()
        .is_some_and(|path| path.contains("/env/") && path.ends_with("/value"));
    if let Some(value) = operation["value"].as_str().filter(|_| is_value) {
        operation["value"] = match value.strip_suffix(flag) {
            Some("") => json!(flag),
            Some(_) if operation["op"] != "test" => json!(format!("{HIDDEN} {flag}")),
            _ => json!(HIDDEN),
        };
    }
    operation.to_string()
}

fn strategy(kind: TargetKind, spec: &Value) -> String {
    let (field, default) = match kind {
        TargetKind::Deployment => ("strategy", "RollingUpdate"),
        _ => ("updateStrategy", "RollingUpdate"),
    };
    let strategy = &spec[field];
    let mut text = strategy["type"].as_str().unwrap_or(default).to_owned();
    let bounds: Vec<String> = ["maxSurge", "maxUnavailable"]
        .iter()
        .filter_map(|bound| match &strategy["rollingUpdate"][bound] {
            Value::Null => None,
            Value::String(value) => Some(format!("{bound} {value}")),
            value => Some(format!("{bound} {value}")),
        })
        .collect();
    if !bounds.is_empty() {
        let _ = write!(text, " ({})", bounds.join(", "));
    }
    if kind == TargetKind::StatefulSet {
        let _ = write!(
            text,
            ", {}",
            spec["podManagementPolicy"].as_str().unwrap_or("OrderedReady")
        );
    }
    text
}

/// Seconds from the creation of the first pod of the newest revision to the readiness of its last one. `None`: it is not
/// complete, or a container was restarted since, which moves the time of its readiness.
fn last_rollout(pods: &[Pod]) -> Option<i64> {
    let revision = |pod: &Pod| {
        let labels = pod.labels();
        labels
            .get("pod-template-hash")
            .or_else(|| labels.get("controller-revision-hash"))
            .cloned()
    };
    let created = |pod: &Pod| pod.creation_timestamp().map(|time| time.0);
    let newest = pods.iter().max_by_key(|pod| created(pod)).and_then(revision)?;
    let pods = pods
        .iter()
        .filter(|pod| revision(pod).as_ref() == Some(&newest) && pod.metadata.deletion_timestamp.is_none());
    let (mut first, mut last): (Option<Timestamp>, Option<Timestamp>) = (None, None);
    for pod in pods {
        let status = pod.status.as_ref()?;
        if status
            .container_statuses
            .iter()
            .flatten()
            .any(|container| container.restart_count > 0)
        {
            return None;
        }
        let ready = status
            .conditions
            .iter()
            .flatten()
            .find(|one| one.type_ == "Ready" && one.status == "True")?;
        first = [first, created(pod)].into_iter().flatten().min();
        last = [last, ready.last_transition_time.as_ref().map(|time| time.0)]
            .into_iter()
            .flatten()
            .max();
    }
    Some(last?.duration_since(first?).as_secs().max(0))
}

fn is_of(budget: &PodDisruptionBudget, workload: &Workload) -> bool {
    let labels = workload
        .template
        .metadata
        .as_ref()
        .and_then(|metadata| metadata.labels.clone())
        .unwrap_or_default();
    let Some(LabelSelector {
        match_labels,
        match_expressions,
    }) = budget.spec.as_ref().and_then(|spec| spec.selector.clone())
    else {
        return false;
    };
    let holds = match_labels
        .iter()
        .flatten()
        .all(|(name, value)| labels.get(name) == Some(value));
    holds
        && match_expressions.iter().flatten().all(|expression| {
            let value = labels.get(&expression.key);
            let values = expression.values.as_deref().unwrap_or_default();
            match expression.operator.as_str() {
                "In" => value.is_some_and(|value| values.contains(value)),
                "NotIn" => value.is_none_or(|value| !values.contains(value)),
                "Exists" => value.is_some(),
                _ => value.is_none(),
            }
        })
}

fn budget(budget: &PodDisruptionBudget) -> String {
    let spec = budget.spec.clone().unwrap_or_default();
    let number = |value: IntOrString| match value {
        IntOrString::Int(number) => number.to_string(),
        IntOrString::String(text) => text,
    };
    let least = spec
        .min_available
        .map(|least| format!("minAvailable {}", number(least)));
    let most = spec
        .max_unavailable
        .map(|most| format!("maxUnavailable {}", number(most)));
    let bound = least.or(most).unwrap_or_else(|| "minAvailable 1".to_owned());
    let allowed = budget.status.as_ref().map_or(0, |status| status.disruptions_allowed);
    format!("{} ({bound}, {allowed} allowed now)", budget.name_any())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::Deployment;

    use super::super::rehearsal;
    use super::*;
    use crate::operator::capture::Captured;
    use crate::operator::observe::{Observed, Remains};
    use crate::operator::plan;
    use crate::session::{Phase, TLSDebugSessionStatus};
    use crate::workload::record::RecordOwner;

    fn rehearsed(value: &str) -> Rehearsal {
        let deployment: Deployment = serde_json::from_value(json!({
            "metadata": {"name": "orders-msr", "namespace": "demo", "uid": "d-1", "generation": 4},
            "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "orders"}}, "template": {
                "metadata": {"labels": {"app": "orders"}},
                "spec": {"containers": [{"name": "msr", "env": [{"name": "JAVA_CUSTOM_OPTS", "value": value}]}]}
            }},
            "status": {"observedGeneration": 4, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, "readyReplicas": 2,
                "conditions": [{"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}]}
        }))
        .expect("a Deployment");
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
        let spec =
            serde_json::from_value(json!({"target": {"kind": "Deployment", "name": "orders-msr"}})).expect("a spec");
        let mut session = rehearsal::session("demo", spec, now);
        session.metadata.uid = Some("terminal-1".to_owned());
        session.metadata.name = Some("terminal-1".to_owned());
        let mut observed = Observed {
            session,
            owner: RecordOwner::Terminal,
            is_guarded: true,
            workload: Some(deployment.into()),
            config_maps: std::collections::BTreeMap::new(),
            service_selectors: Vec::new(),
            clone: None,
            remains: Remains::default(),
            stuck: None,
            is_left_behind: false,
            unreadable: None,
            captured: Captured::default(),
            peer: None,
        };
        let first = plan::plan(&observed, now);
        assert_eq!(first.status.phase, Phase::Pending);
        observed.session.status = Some(TLSDebugSessionStatus { ..first.status });
        let second = plan::plan(&observed, now);
        Rehearsal {
            observed,
            warnings: second.status.warnings.clone(),
            outcome: Outcome::Acts(second.action),
        }
    }

    #[test]
    fn the_preview_shows_the_patch_and_no_value() {
        let rehearsal = rehearsed("-Dpassword=secret");
        let restarts = Restarts {
            replicas: 2,
            strategy: "RollingUpdate (maxSurge 25%, maxUnavailable 25%)".to_owned(),
            last_rollout: Some(154),
            budgets: vec!["orders (minAvailable 1, 1 allowed now)".to_owned()],
        };
        let text = text(&rehearsal, Some(&restarts));
        assert!(!text.contains("secret"), "{text}");
        // The annotation holds the hash of a value; nothing else of it.
        insta::assert_snapshot!(text);
    }

    #[test]
    fn strategies_are_said_with_their_bounds() {
        let deployment =
            json!({"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}}});
        assert_eq!(
            strategy(TargetKind::Deployment, &deployment),
            "RollingUpdate (maxSurge 25%, maxUnavailable 0)"
        );
        assert_eq!(
            strategy(TargetKind::Deployment, &json!({"strategy": {"type": "Recreate"}})),
            "Recreate"
        );
        assert_eq!(
            strategy(TargetKind::StatefulSet, &json!({})),
            "RollingUpdate, OrderedReady"
        );
    }

    fn pod(revision: &str, created: &str, ready: Option<&str>, restarts: i32) -> Pod {
        let conditions = ready.map(|time| json!([{"type": "Ready", "status": "True", "lastTransitionTime": time}]));
        serde_json::from_value(json!({
            "metadata": {"labels": {"pod-template-hash": revision}, "creationTimestamp": created},
            "status": {"conditions": conditions, "containerStatuses": [
                {"name": "msr", "image": "", "imageID": "", "ready": true, "restartCount": restarts}]}
        }))
        .expect("a pod")
    }

    #[test]
    fn the_last_rollout_is_that_of_the_newest_revision() {
        let old = pod("a", "2026-01-01T00:00:00Z", Some("2026-01-01T05:00:00Z"), 0);
        let one = pod("b", "2026-01-02T00:00:00Z", Some("2026-01-02T00:00:40Z"), 0);
        let two = pod("b", "2026-01-02T00:00:41Z", Some("2026-01-02T00:01:30Z"), 0);
        assert_eq!(last_rollout(&[old.clone(), one.clone(), two.clone()]), Some(90));
        let waiting = pod("b", "2026-01-02T00:00:41Z", None, 0);
        assert_eq!(last_rollout(&[one.clone(), waiting]), None);
        let restarted = pod("b", "2026-01-02T00:00:41Z", Some("2026-01-03T00:00:00Z"), 1);
        assert_eq!(last_rollout(&[one, restarted]), None);
        assert_eq!(last_rollout(&[]), None);
    }

    #[test]
    fn a_budget_is_the_workloads_where_its_selector_takes_the_pods() {
        let Outcome::Acts(_) = rehearsed("").outcome else {
            panic!("it acts")
        };
        let workload = rehearsed("").observed.workload.expect("a workload");
        let of = |selector: Value| {
            let budget = serde_json::from_value(json!({"metadata": {"name": "b"}, "spec": {"selector": selector}}));
            is_of(&budget.expect("a budget"), &workload)
        };
        assert!(of(json!({"matchLabels": {"app": "orders"}})));
        assert!(of(
            json!({"matchExpressions": [{"key": "app", "operator": "In", "values": ["orders", "x"]}]})
        ));
        assert!(!of(json!({"matchLabels": {"app": "bank"}})));
        assert!(!of(
            json!({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]})
        ));
    }
}
