//! Sessions that cannot be carried out: nothing is touched, and the condition says what is in the way and what to do.

use serde_json::{Value, json};
use tlsdebug::session::conditions::ConditionType;
use tlsdebug::session::{Phase, TLSDebugSessionStatus};

use crate::support::sessions::condition;
use crate::support::workloads::{deployment, literal};
use crate::support::{Scenario, scenario};

/// A session that is refused at once.
struct Case<'a> {
    reason: &'static str,
    /// What the message has to name: the object, what is wrong with it, the way out.
    names: &'a [&'a str],
    spec: Value,
}

impl Case<'_> {
    /// Creates the session and makes sure that it ends refused and has touched nothing.
    async fn is_refused(&self, scenario: &Scenario, session: &str, target: &str) {
        let before = versions(scenario).await;
        scenario.create_session(session, target, &self.spec);
        let status = scenario.finished(session).await;
        self.assert_status(&status);
        assert_eq!(versions(scenario).await, before, "something was touched");
        let phases = scenario.phases.of(session);
        assert!(
            phases
                .iter()
                .all(|phase| matches!(phase, Phase::Pending | Phase::Failed)),
            "{phases:?}"
        );
    }

    fn assert_status(&self, status: &TLSDebugSessionStatus) {
        assert_eq!(status.phase, Phase::Failed, "{status:?}");
        let accepted = condition(status, ConditionType::Accepted);
        assert_eq!(
            (accepted.status.as_str(), accepted.reason.as_str()),
            ("False", self.reason)
        );
        let failure = status.failure.as_ref().unwrap();
        assert_eq!(
            (&failure.reason, &failure.message),
            (&accepted.reason, &accepted.message)
        );
        assert_eq!(status.summary.as_ref(), Some(&failure.message));
        assert!(status.injection.is_none() && status.restore_command.is_none());
        for name in self.names {
            assert!(
                failure.message.contains(name),
                "{:?} is not in: {}",
                name,
                failure.message
            );
        }
    }
}

/// The resource versions and generations of all workloads of the namespace. The status of a Deployment that is ready does
/// not move by itself.
async fn versions(scenario: &Scenario) -> Vec<Value> {
    let deployments = scenario
        .deployments()
        .list(&kube::api::ListParams::default())
        .await
        .unwrap();
    let mut versions: Vec<_> = deployments
        .items
        .into_iter()
        .map(|one| {
            json!([
                one.metadata.name,
                one.metadata.resource_version,
                one.metadata.generation
            ])
        })
        .collect();
    versions.sort_by_key(ToString::to_string);
    versions
}

#[test]
fn targets_that_are_not_there() {
    scenario("refused-targets", async |scenario| {
        scenario.deployed("orders", &literal()).await;
        Case {
            reason: "TargetNotFound",
            names: &["Deployment \"ordres\"", "kubectl get deployments", "spec.target.name"],
            spec: json!({}),
        }
        .is_refused(scenario, "misspelt", "ordres")
        .await;
        for kind in ["StatefulSet", "DaemonSet", "Pod"] {
            Case {
                reason: "TargetNotFound",
                names: &[kind, "\"orders\""],
                spec: json!({"target": {"kind": kind}}),
            }
            .is_refused(scenario, &kind.to_lowercase(), "orders")
            .await;
        }
    });
}

#[test]
fn containers_that_are_not_named_or_not_there() {
    scenario("refused-containers", async |scenario| {
        let mut manifest = deployment("orders", &literal());
        let containers = manifest["spec"]["template"]["spec"]["containers"]
            .as_array_mut()
            .unwrap();
        let mut proxy = containers[0].clone();
        proxy["name"] = json!("proxy");
        containers.push(proxy);
        scenario.apply(&manifest);
        scenario.rolled_out("orders").await;
        Case {
            reason: "ContainerNotNamed",
            names: &["Deployment \"orders\"", "main, proxy", "spec.target.container"],
            spec: json!({}),
        }
        .is_refused(scenario, "not-named", "orders")
        .await;
        Case {
            reason: "ContainerNotFound",
            names: &[
                "Deployment \"orders\"",
                "\"msr\"",
                "main, proxy",
                "spec.target.container",
            ],
            spec: json!({"target": {"container": "msr"}}),
        }
        .is_refused(scenario, "not-there", "orders")
        .await;
    });
}

#[test]
fn workloads_in_which_no_pod_would_get_the_flag() {
    scenario("refused-states", async |scenario| {
        scenario.deployed("orders", &literal()).await;
        scenario.kubectl(&["rollout", "pause", "deployment/orders"]).done();
        scenario
            .eventually("the pause to be seen", async || {
                let deployment = scenario.deployments().get("orders").await.unwrap();
                let status = deployment.status?;
                let paused = status
                    .conditions?
                    .into_iter()
                    .any(|one| one.reason.as_deref() == Some("DeploymentPaused"));
                // It writes the condition first and what it has observed afterwards.
                (paused && status.observed_generation == deployment.metadata.generation).then_some(())
            })
            .await;
        Case {
            reason: "TargetIsPaused",
            names: &["Deployment \"orders\"", "kubectl rollout resume"],
            spec: json!({}),
        }
        .is_refused(scenario, "paused", "orders")
        .await;

        let mut manifest = deployment("asleep", &literal());
        manifest["spec"]["replicas"] = json!(0);
        scenario.apply(&manifest);
        scenario.rolled_out("asleep").await;
        Case {
            reason: "NoReplicas",
            names: &["Deployment \"asleep\"", "Scale it up"],
            spec: json!({}),
        }
        .is_refused(scenario, "asleep", "asleep")
        .await;

        let mut manifest = deployment("leaving", &literal());
        manifest["metadata"]["finalizers"] = json!(["tlsdebug.example/kept"]);
        scenario.apply(&manifest);
        scenario.rolled_out("leaving").await;
        scenario
            .kubectl(&["delete", "deployment", "leaving", "--wait=false"])
            .done();
        let case = Case {
            reason: "TargetIsBeingDeleted",
            names: &["Deployment \"leaving\"", "Wait until it is gone", "new session"],
            spec: json!({}),
        };
        // Its status counts what is deleted with it.
        scenario.create_session("leaving", "leaving", &json!({}));
        case.assert_status(&scenario.finished("leaving").await);
        let without = json!({"metadata": {"finalizers": null}}).to_string();
        scenario
            .kubectl(&["patch", "deployment", "leaving", "--type", "merge", "--patch", &without])
            .done();
    });
}

#[test]
fn variables_that_cannot_be_appended_to() {
    scenario("refused-variables", async |scenario| {
        let optional = json!({"secretKeyRef": {"name": "secrets", "key": "options", "optional": true}});
        scenario.apply(&deployment(
            "optional",
            &json!([{"name": "JAVA_CUSTOM_OPTS", "valueFrom": optional}]),
        ));
        let secrets = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "secrets"}, "data": {}});
        let settings = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {}});
        scenario.apply(&json!({"apiVersion": "v1", "kind": "List", "items": [secrets, settings]}));
        for (name, source) in [
            ("secret", json!({"secretRef": {"name": "secrets"}})),
            ("config-map", json!({"configMapRef": {"name": "settings"}})),
        ] {
            let mut whole = deployment(name, &Value::Null);
            whole["spec"]["template"]["spec"]["containers"][0]["envFrom"] = json!([source]);
            scenario.apply(&whole);
        }
        for name in ["optional", "secret", "config-map"] {
            scenario.rolled_out(name).await;
        }
        scenario.revoke("configmaps", "get").await;
        for (target, reason, names) in [
            (
                "optional",
                "VariableIsOptional",
                &["Deployment \"optional\"", "optional: true", "spec.variable"][..],
            ),
            (
                "secret",
                "VariableMayBeInSecret",
                &["Deployment \"secret\"", "Secret \"secrets\"", "JAVA_TOOL_OPTIONS"],
            ),
            (
                "config-map",
                "ConfigMapUnreadable",
                &[
                    "Deployment \"config-map\"",
                    "ConfigMap \"settings\"",
                    "rbac.allow.readConfigMaps",
                ],
            ),
        ] {
            let case = Case {
                reason,
                names,
                spec: json!({}),
            };
            case.is_refused(scenario, target, target).await;
        }
    });
}

#[test]
fn workload_that_another_session_holds() {
    scenario("refused-second", async |scenario| {
        scenario.deployed("orders", &literal()).await;
        let before = scenario.snapshot("orders").await;
        scenario.create_session("first", "orders", &json!({}));
        scenario.reached("first", Phase::Capturing).await;
        scenario.settled("orders").await;
        Case {
            reason: "TargetInUse",
            names: &["Deployment \"orders\"", "/first", "spec.stop"],
            spec: json!({}),
        }
        .is_refused(scenario, "second", "orders")
        .await;
        scenario.stop_session("first");
        assert_eq!(scenario.finished("first").await.phase, Phase::Completed);
        scenario.assert_as_before("orders", &before).await;
    });
}
