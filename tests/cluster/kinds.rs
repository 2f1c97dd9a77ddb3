//! StatefulSets and DaemonSets: the same promises as for Deployments, with revisions of another kind.

use std::time::Duration;

use serde_json::{Value, json};
use tlsdebug::session::{Phase, TargetKind};

use crate::support::workloads::{deployment, literal, of_kind};
use crate::support::{Scenario, scenario};

fn target(kind: TargetKind) -> Value {
    json!({"target": {"kind": kind}})
}

async fn applied(scenario: &Scenario, kind: TargetKind, manifest: &Value) {
    scenario.apply_as("integration-team", manifest).done();
    scenario.all_rolled_out(kind, "orders").await;
}

/// A session from its beginning to its end, after which everything is as it was.
async fn comes_back(scenario: &Scenario, kind: TargetKind, manifest: &Value) {
    applied(scenario, kind, manifest).await;
    let before = scenario.snapshot_of(kind, "orders").await;
    scenario.create_session("session", "orders", &target(kind));
    scenario.reached("session", Phase::Capturing).await;
    assert!(scenario.any_has_flag(kind, "orders").await);
    scenario.stop_session("session");
    let status = scenario.finished("session").await;
    assert_eq!(status.phase, Phase::Completed, "{status:?}");
    scenario.all_settled(kind, "orders").await;
    scenario.assert_as_before("orders", &before).await;
    let resource = format!("{}/orders", kind.to_string().to_lowercase());
    scenario.kubectl(&["rollout", "undo", &resource]);
    assert!(
        !scenario.any_has_flag(kind, "orders").await,
        "kubectl rollout undo brought the flag back"
    );
    scenario.apply_as("integration-team", manifest).done();
}

#[test]
fn stateful_set_in_order_comes_back() {
    scenario("stateful-set", async |scenario| {
        let mut manifest = of_kind(TargetKind::StatefulSet, deployment("orders", &literal()));
        manifest["spec"]["replicas"] = json!(2);
        comes_back(scenario, TargetKind::StatefulSet, &manifest).await;
    });
}

#[test]
fn stateful_set_in_parallel_comes_back() {
    scenario("stateful-set-parallel", async |scenario| {
        let mut manifest = of_kind(TargetKind::StatefulSet, deployment("orders", &Value::Null));
        manifest["spec"]["replicas"] = json!(2);
        manifest["spec"]["podManagementPolicy"] = json!("Parallel");
        // The record is its first annotation.
        manifest["metadata"].as_object_mut().unwrap().remove("annotations");
        comes_back(scenario, TargetKind::StatefulSet, &manifest).await;
    });
}

#[test]
fn daemon_set_comes_back() {
    scenario("daemon-set", async |scenario| {
        let manifest = of_kind(TargetKind::DaemonSet, deployment("orders", &literal()));
        comes_back(scenario, TargetKind::DaemonSet, &manifest).await;
    });
}

/// Ready only without the flag: the JVM that does not come up with it.
fn never_ready_with_flag(manifest: &mut Value) {
    let probe = json!({
        "exec": {"command": ["sh", "-c", "case \"$JAVA_CUSTOM_OPTS\" in *net.debug=ssl*) exit 1;; esac"]}, "periodSeconds": 1
    });
    manifest["spec"]["template"]["spec"]["containers"][0]["readinessProbe"] = probe;
}

#[test]
fn revision_that_never_becomes_ready_is_repaired() {
    scenario("stuck", async |scenario| {
        for (kind, policy) in [
            (TargetKind::StatefulSet, "OrderedReady"),
            (TargetKind::StatefulSet, "Parallel"),
            (TargetKind::DaemonSet, ""),
        ] {
            let mut manifest = of_kind(kind, deployment("orders", &literal()));
            if kind == TargetKind::StatefulSet {
                manifest["spec"]["replicas"] = json!(2);
                manifest["spec"]["podManagementPolicy"] = json!(policy);
            }
            never_ready_with_flag(&mut manifest);
            applied(scenario, kind, &manifest).await;
            let before = scenario.snapshot_of(kind, "orders").await;
            let session = format!("{kind}-{policy}x").to_lowercase();
            scenario.create_session(&session, "orders", &target(kind));
            scenario.reached(&session, Phase::Injecting).await;
            scenario
                .eventually("a pod with the flag that runs", async || {
                    let pods = scenario.pods("orders").await;
                    let runs = |pod: &Value| {
                        pod["spec"].to_string().contains("javax.net.debug") && pod["status"]["phase"] == "Running"
                    };
                    pods.iter().any(|pod| runs(&json!(pod))).then_some(())
                })
                .await;
            scenario
                .stays("Injecting", Duration::from_secs(3), async || {
                    scenario.status(&session).await.phase == Phase::Injecting
                })
                .await;
            scenario.stop_session(&session);
            let status = scenario.finished(&session).await;
            assert_eq!(status.phase, Phase::Completed, "{status:?}");
            scenario.all_settled(kind, "orders").await;
            scenario.assert_as_before("orders", &before).await;
            let resource = format!("{}/orders", kind.to_string().to_lowercase());
            scenario.kubectl(&["delete", &resource, "--cascade=foreground"]).done();
        }
    });
}

#[test]
fn operator_killed_in_each_phase_of_a_stateful_set() {
    scenario("stateful-set-killed", async |scenario| {
        let kind = TargetKind::StatefulSet;
        applied(scenario, kind, &of_kind(kind, deployment("orders", &literal()))).await;
        let before = scenario.snapshot_of(kind, "orders").await;
        scenario.create_session("session", "orders", &target(kind));
        scenario.completes_although_killed_in_each_phase("session").await;
        scenario.all_settled(kind, "orders").await;
        scenario.assert_as_before("orders", &before).await;
    });
}

#[test]
fn kinds_that_would_not_roll_every_pod_are_refused() {
    scenario("kinds-refused", async |scenario| {
        let strategies = [
            (
                TargetKind::StatefulSet,
                json!({"type": "OnDelete"}),
                "TargetUpdatesOnDelete",
            ),
            (
                TargetKind::DaemonSet,
                json!({"type": "OnDelete"}),
                "TargetUpdatesOnDelete",
            ),
            (
                TargetKind::StatefulSet,
                json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}),
                "TargetIsPartitioned",
            ),
        ];
        for (number, (kind, strategy, reason)) in strategies.into_iter().enumerate() {
            let mut manifest = of_kind(kind, deployment("orders", &literal()));
            manifest["spec"]["updateStrategy"] = strategy;
            scenario.apply(&manifest);
            scenario.all_rolled_out(kind, "orders").await;
            let before = scenario.snapshot_of(kind, "orders").await;
            let session = format!("session-{number}");
            scenario.create_session(&session, "orders", &target(kind));
            let failure = scenario.failure(&session).await;
            assert_eq!(failure.reason, reason);
            assert!(failure.message.contains("strategy Clone"), "{}", failure.message);
            scenario.assert_as_before("orders", &before).await;
        }
    });
}

#[test]
fn stateful_set_whose_session_was_deleted_by_force() {
    scenario("stateful-set-orphan", async |scenario| {
        let kind = TargetKind::StatefulSet;
        applied(scenario, kind, &of_kind(kind, deployment("orders", &literal()))).await;
        let before = scenario.snapshot_of(kind, "orders").await;
        scenario.create_session("session", "orders", &target(kind));
        scenario.reached("session", Phase::Capturing).await;
        scenario.kill_operator();
        let without = json!({"metadata": {"finalizers": null}}).to_string();
        scenario
            .kubectl(&[
                "patch",
                "tlsdebugsession",
                "session",
                "--type",
                "merge",
                "--patch",
                &without,
            ])
            .done();
        scenario.kubectl(&["delete", "tlsdebugsession", "session"]).done();
        scenario.start_operator();
        scenario
            .eventually("the restored StatefulSet", async || {
                let left = scenario.controller_revisions("orders").await;
                let is_left = left
                    .iter()
                    .any(|one| json!(one).to_string().contains("javax.net.debug"));
                (!is_left && !scenario.any_has_flag(kind, "orders").await).then_some(())
            })
            .await;
        scenario.all_settled(kind, "orders").await;
        scenario.assert_as_before("orders", &before).await;
    });
}
