//! Strategy Clone: one more pod with the flag, and the workload is left alone.

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use serde_json::{Value, json};
use tlsdebug::session::conditions::ConditionType;
use tlsdebug::session::{Phase, TargetKind};

use crate::support::sessions::condition;
use crate::support::workloads::{FLAG, deployment, literal, of_kind};
use crate::support::{Scenario, scenario};

fn cloning(kind: TargetKind) -> Value {
    json!({"target": {"kind": kind}, "strategy": "Clone", "duration": "30m", "progressDeadline": "10m"})
}

/// The clone of a session.
async fn clone_of(scenario: &Scenario, session: &str) -> Option<Value> {
    let api = Api::<Pod>::namespaced(scenario.client.clone(), &scenario.namespace);
    let labelled = kube::api::ListParams::default().labels(&format!("tlsdebug.io/session={session}"));
    let pods = api.list(&labelled).await.unwrap().items;
    assert!(pods.len() < 2, "more than one clone");
    pods.first().map(|pod| json!(pod))
}

async fn clone_gone(scenario: &Scenario, session: &str) {
    scenario
        .eventually("the clone to be gone", async || {
            clone_of(scenario, session).await.is_none().then_some(())
        })
        .await;
}

/// Everything of a workload that a session could have moved.
async fn untouched(scenario: &Scenario, kind: TargetKind, name: &str) -> Value {
    let object = json!(scenario.workloads(kind).get(name).await.unwrap());
    json!([
        object["spec"],
        object["metadata"]["annotations"],
        object["metadata"]["generation"],
        object["status"]["replicas"]
    ])
}

#[test]
fn clone_of_each_kind_runs_beside_it_and_goes_with_the_session() {
    scenario("clones", async |scenario| {
        scenario.apply(&json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "front"},
            "spec": {"selector": {"tier": "web"}, "ports": [{"port": 80}]}
        }));
        for kind in [TargetKind::Deployment, TargetKind::StatefulSet, TargetKind::DaemonSet] {
            let mut manifest = of_kind(kind, deployment("orders", &literal()));
            manifest["spec"]["template"]["metadata"]["labels"] =
                json!({"app": "orders", "tier": "web", "policy": "egress"});
            scenario.apply(&manifest);
            scenario.all_rolled_out(kind, "orders").await;
            let before = untouched(scenario, kind, "orders").await;
            let session = kind.to_string().to_lowercase();
            scenario.create_session(&session, "orders", &cloning(kind));
            let status = scenario.reached(&session, Phase::Capturing).await;

            let clone = clone_of(scenario, &session).await.expect("a clone");
            assert_eq!(
                clone["metadata"]["labels"],
                json!({"policy": "egress", "tlsdebug.io/session": session}),
                "neither the Service nor the workload selects it"
            );
            assert_eq!(
                clone["spec"]["containers"][0]["env"][1]["value"],
                format!("-Da=1 -Db=2 {FLAG}")
            );
            assert_eq!(clone["spec"]["activeDeadlineSeconds"], 40 * 60);
            let owner = &clone["metadata"]["ownerReferences"][0];
            assert_eq!(
                (&owner["kind"], &owner["controller"]),
                (&json!("TLSDebugSession"), &json!(true))
            );
            let injected = condition(&status, ConditionType::Injected);
            assert_eq!(injected.reason, "CloneCreated");
            assert!(injected.message.contains("network policies"), "{}", injected.message);
            let warnings = status.warnings.join(" ");
            assert!(
                warnings.contains("queues") && warnings.contains("app, tier"),
                "{warnings}"
            );
            let name = clone["metadata"]["name"].as_str().unwrap();
            assert!(status.restore_command.unwrap().ends_with(name));

            scenario.stop_session(&session);
            let status = scenario.finished(&session).await;
            assert_eq!(status.phase, Phase::Completed, "{status:?}");
            clone_gone(scenario, &session).await;
            assert_eq!(untouched(scenario, kind, "orders").await, before);
            scenario
                .kubectl(&["delete", &format!("{session}/orders"), "--cascade=foreground"])
                .done();
        }
    });
}

#[test]
fn clone_of_a_pod_and_of_a_workload_without_replicas() {
    scenario("clone-pod", async |scenario| {
        let template = deployment("orders", &literal())["spec"]["template"]["spec"].clone();
        let mut spec = template;
        spec["automountServiceAccountToken"] = json!(true);
        scenario.apply(&json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "orders", "labels": {"app": "orders"}}, "spec": spec
        }));
        scenario
            .kubectl(&["wait", "--for", "condition=Ready", "pod/orders", "--timeout=90s"])
            .done();
        let before = json!(scenario.workloads(TargetKind::Pod).get("orders").await.unwrap());
        let session = json!({"target": {"kind": "Pod"}, "receiveTraffic": true});
        scenario.create_session("pod", "orders", &session);
        let status = scenario.reached("pod", Phase::Capturing).await;
        assert_eq!(json!(status.strategy), "Clone");
        let clone = clone_of(scenario, "pod").await.unwrap();
        assert_eq!(clone["metadata"]["labels"]["app"], "orders");
        let tokens = clone["spec"]["volumes"].as_array().unwrap().len();
        assert_eq!(tokens, 1, "admission has added the token once");
        // Deleting the session removes it as well.
        scenario.kubectl(&["delete", "tlsdebugsession", "pod"]).done();
        clone_gone(scenario, "pod").await;
        let after = json!(scenario.workloads(TargetKind::Pod).get("orders").await.unwrap());
        assert_eq!(
            (&after["spec"], &after["metadata"]),
            (&before["spec"], &before["metadata"])
        );

        let mut asleep = deployment("asleep", &literal());
        asleep["spec"]["replicas"] = json!(0);
        asleep["spec"]["paused"] = json!(true);
        scenario.apply(&asleep);
        scenario.create_session("asleep", "asleep", &cloning(TargetKind::Deployment));
        scenario.reached("asleep", Phase::Capturing).await;
        scenario.stop_session("asleep");
        assert_eq!(scenario.finished("asleep").await.phase, Phase::Completed);
    });
}

#[test]
fn clone_outlives_no_session_and_no_operator() {
    scenario("clone-faults", async |scenario| {
        scenario.deployed("orders", &literal()).await;
        // The clone is deleted by somebody.
        scenario.create_session("deleted", "orders", &cloning(TargetKind::Deployment));
        scenario.reached("deleted", Phase::Capturing).await;
        scenario
            .kubectl(&["delete", "pod", "--selector", "tlsdebug.io/session=deleted"])
            .done();
        assert_eq!(scenario.failure("deleted").await.reason, "CloneGone");

        // The operator is killed in each phase.
        scenario.create_session("killed", "orders", &cloning(TargetKind::Deployment));
        scenario.completes_although_killed_in_each_phase("killed").await;
        clone_gone(scenario, "killed").await;

        // The session goes by force while no operator runs: the garbage collector takes the clone.
        scenario.create_session("forced", "orders", &cloning(TargetKind::Deployment));
        scenario.reached("forced", Phase::Capturing).await;
        scenario.kill_operator();
        let without = json!({"metadata": {"finalizers": null}}).to_string();
        scenario
            .kubectl(&[
                "patch",
                "tlsdebugsession",
                "forced",
                "--type",
                "merge",
                "--patch",
                &without,
            ])
            .done();
        scenario.kubectl(&["delete", "tlsdebugsession", "forced"]).done();
        clone_gone(scenario, "forced").await;
    });
}

#[test]
fn clones_that_would_share_something_or_may_not_be_made() {
    scenario("clone-refused", async |scenario| {
        let mut volume = deployment("volume", &literal());
        let spec = &mut volume["spec"]["template"]["spec"];
        spec["volumes"] = json!([{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]);
        let mut port = deployment("port", &literal());
        port["spec"]["template"]["spec"]["containers"][0]["ports"] = json!([{"containerPort": 5555, "hostPort": 5555}]);
        for (name, manifest, reason) in [
            ("volume", volume, "CloneSharesVolume"),
            ("port", port, "CloneSharesHostPort"),
        ] {
            scenario.apply(&manifest);
            scenario.create_session(name, name, &cloning(TargetKind::Deployment));
            let failure = scenario.failure(name).await;
            assert_eq!(failure.reason, reason);
            for part in [format!("{name:?}"), "strategy Rollout".to_owned()] {
                assert!(failure.message.contains(&part), "{part} is not in: {}", failure.message);
            }
        }

        // A quota that forbids it is no right that the operator lacks.
        scenario.deployed("orders", &literal()).await;
        scenario.apply(&json!({
            "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "full"}, "spec": {"hard": {"pods": "0"}}
        }));
        scenario
            .eventually("the quota to be counted", async || {
                let quota = scenario
                    .kubectl(&["get", "resourcequota", "full", "--output", "json"])
                    .done();
                quota.contains("\"used\"").then_some(())
            })
            .await;
        scenario.create_session("quota", "orders", &cloning(TargetKind::Deployment));
        let failure = scenario.failure("quota").await;
        assert_eq!(failure.reason, "PatchRejected");
        assert!(failure.message.contains("exceeded quota"), "{}", failure.message);
        scenario.kubectl(&["delete", "resourcequota", "full"]).done();

        scenario.revoke("pods", "create").await;
        scenario.create_session("right", "orders", &cloning(TargetKind::Deployment));
        let status = scenario
            .status_with("right", "to tell of the missing right", |status| {
                status
                    .conditions
                    .iter()
                    .any(|condition| condition.reason == "Forbidden")
            })
            .await;
        let message = &condition(&status, ConditionType::Accepted).message;
        assert!(message.contains("rbac.allow.clone"), "{message}");
    });
}

#[test]
fn clone_that_the_workload_selects_is_no_pod_of_a_rollout() {
    scenario("clone-selected", async |scenario| {
        scenario.deployed("orders", &literal()).await;
        let before = scenario.snapshot("orders").await;
        let mut receiving = cloning(TargetKind::Deployment);
        receiving["receiveTraffic"] = json!(true);
        scenario.create_session("cloning", "orders", &receiving);
        scenario.reached("cloning", Phase::Capturing).await;
        scenario.create_session("rolling", "orders", &json!({}));
        let status = scenario
            .status_with("rolling", "to read a pod", |status| !status.pods.is_empty())
            .await;
        let clone = clone_of(scenario, "cloning").await.unwrap();
        assert!(
            status
                .pods
                .iter()
                .all(|pod| json!(pod.name) != clone["metadata"]["name"])
        );
        scenario.stop_session("rolling");
        assert_eq!(scenario.finished("rolling").await.phase, Phase::Completed);
        assert!(clone_of(scenario, "cloning").await.is_some());
        scenario.stop_session("cloning");
        assert_eq!(scenario.finished("cloning").await.phase, Phase::Completed);
        clone_gone(scenario, "cloning").await;
        scenario.assert_as_before("orders", &before).await;
    });
}
