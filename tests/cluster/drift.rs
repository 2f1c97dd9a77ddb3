//! Others take the flag out while a session is on the workload.

use std::process::{Command, Stdio};
use std::time::Duration;

use k8s_openapi::api::apps::v1::ReplicaSet;
use kube::ResourceExt;
use serde_json::{Value, json};
use tlsdebug::session::Phase;
use tlsdebug::workload::ANNOTATION;

use crate::support::snapshot::Snapshot;
use crate::support::workloads::{FLAG, deployment, literal};
use crate::support::{Scenario, kubectl, scenario};

#[test]
fn reverted_by_a_tool_that_keeps_its_own_source() {
    scenario("reverted-by-tool", async |scenario| {
        let manifest = deployment("orders", &literal());
        scenario.apply_as("integration-team", &manifest).done();
        scenario.rolled_out("orders").await;
        let before = scenario.snapshot("orders").await;
        scenario.create_session("session", "orders", &json!({}));
        scenario.reached("session", Phase::Capturing).await;

        let refused = scenario.apply_as("integration-team", &manifest);
        assert!(!refused.succeeded && refused.stderr.contains("tlsdebug"), "{refused:?}");
        let force = [
            "apply",
            "--server-side",
            "--force-conflicts",
            "--field-manager=integration-team",
            "-f",
            "-",
        ];
        scenario.kubectl_with_input(&force, &manifest).done();
        let failure = scenario.failure("session").await;
        assert_eq!(failure.reason, "DriftReverted");
        assert_eq!(
            scenario.status("session").await.summary.as_ref(),
            Some(&failure.message)
        );
        for part in ["\"integration-team\"", "Deployment \"orders\"", "JAVA_CUSTOM_OPTS"] {
            assert!(
                failure.message.contains(part),
                "{part:?} is not in: {}",
                failure.message
            );
        }
        scenario.assert_as_before("orders", &before).await;
    });
}

/// A tool that puts its source back every second, whatever is there; until it is dropped.
struct Loop(std::process::Child);

impl Loop {
    fn start(scenario: &Scenario, manifest: &Value, apply: &str) -> Self {
        let file = scenario.path("source.json");
        std::fs::write(&file, manifest.to_string()).unwrap();
        let namespace = &scenario.namespace;
        let program = format!(
            "while :; do kubectl --namespace {namespace} {apply} --filename {}; sleep 1; done",
            file.display()
        );
        let child = Command::new("sh")
            .args(["-c", &program])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const SERVER_SIDE: &str = "apply --server-side --force-conflicts --field-manager=argocd-controller";

/// One session against a tool that puts its source back all the time: it ends at once, says who did it, and the tool finds
/// nothing more to do.
async fn loses_without_a_fight(scenario: &Scenario, environment: &Value, apply: &str) {
    let manifest = deployment("orders", environment);
    let tool = Loop::start(scenario, &manifest, apply);
    scenario
        .eventually("the tool's first apply", async || {
            scenario.deployments().get_opt("orders").await.unwrap()
        })
        .await;
    scenario.rolled_out("orders").await;
    let before = scenario.snapshot("orders").await;
    scenario.create_session("session", "orders", &json!({}));
    let failure = scenario.failure("session").await;
    assert_eq!(failure.reason, "DriftReverted");
    scenario.settled("orders").await;
    scenario.assert_as_before("orders", &before).await;
    let generation = async || scenario.deployments().get("orders").await.unwrap().metadata.generation;
    let last = generation().await;
    scenario
        .stays("the generation", Duration::from_secs(4), async || {
            generation().await == last
        })
        .await;
    drop(tool);
    let phases = scenario.phases.of("session");
    let injections = phases.iter().filter(|phase| **phase == Phase::Injecting).count();
    assert!(injections <= 1, "{phases:?}");
    if apply == SERVER_SIDE {
        assert!(failure.message.contains("argocd-controller"), "{}", failure.message);
    }
}

#[test]
fn server_side_apply_in_a_loop_wins() {
    scenario("loop-server-side", async |scenario| {
        loses_without_a_fight(scenario, &literal(), SERVER_SIDE).await;
    });
}

#[test]
fn client_side_apply_in_a_loop_wins() {
    scenario("loop-client-side", async |scenario| {
        loses_without_a_fight(scenario, &literal(), "apply --field-manager=argocd-controller").await;
    });
}

/// Lets a tool apply its manifest in a loop, which a session's flag survives until the session is stopped; and what the
/// workload was before.
async fn outlived(scenario: &Scenario, session: &str, apply: &str, manifest: &Value) -> (Loop, Snapshot) {
    let tool = Loop::start(scenario, manifest, apply);
    scenario
        .eventually("the tool's first apply", async || {
            scenario.deployments().get_opt("orders").await.unwrap()
        })
        .await;
    scenario.rolled_out("orders").await;
    let before = scenario.snapshot("orders").await;
    scenario.create_session(session, "orders", &json!({}));
    scenario.reached(session, Phase::Capturing).await;
    scenario
        .stays("the flag", Duration::from_secs(4), async || {
            scenario.has_flag("orders").await
        })
        .await;
    scenario.stop_session(session);
    assert_eq!(scenario.finished(session).await.phase, Phase::Completed);
    (tool, before)
}

/// What the tool's source does not name it leaves alone: an entry that a session has added survives it, and comes out again.
#[test]
fn added_entry_survives_both_loops() {
    scenario("loop-added", async |scenario| {
        for (name, apply) in [("server", SERVER_SIDE), ("client", "apply")] {
            let manifest = deployment("orders", &json!([{"name": "OTHER", "value": "1"}]));
            let (tool, before) = outlived(scenario, name, apply, &manifest).await;
            scenario.assert_as_before("orders", &before).await;
            drop(tool);
            scenario
                .kubectl(&["delete", "deployment", "orders", "--cascade=foreground"])
                .done();
        }
    });
}

/// A moved entry and its source's entry cannot both be there: the API server refuses the tool until the session has ended.
#[test]
fn moved_entry_survives_both_loops() {
    scenario("loop-moved", async |scenario| {
        let settings = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"options": "-Da=1"}
        });
        scenario.apply(&settings);
        let source = json!({"configMapKeyRef": {"name": "settings", "key": "options"}});
        for (name, apply) in [("server", SERVER_SIDE), ("client", "apply")] {
            let manifest = deployment("orders", &json!([{"name": "JAVA_CUSTOM_OPTS", "valueFrom": source}]));
            let (tool, before) = outlived(scenario, name, apply, &manifest).await;
            scenario.settled("orders").await;
            scenario.assert_as_before("orders", &before).await;
            drop(tool);
            scenario
                .kubectl(&["delete", "deployment", "orders", "--cascade=foreground"])
                .done();
        }
    });
}

/// A manager that never forces is refused in mid-session, and goes on afterwards as before; what it changes elsewhere in the
/// workload while the session lasts stays.
#[test]
fn manager_without_force_in_mid_session_and_after() {
    scenario("without-force", async |scenario| {
        let manifest = deployment("orders", &json!([{"name": "OTHER", "value": "1"}]));
        scenario.apply_as("integration-team", &manifest).done();
        scenario.rolled_out("orders").await;
        scenario.create_session("added", "orders", &json!({}));
        scenario.reached("added", Phase::Capturing).await;
        let mut next = manifest.clone();
        next["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] = json!("2");
        scenario.apply_as("integration-team", &next).done();
        scenario.rolled_out("orders").await;
        assert!(scenario.has_flag("orders").await, "their change is none of ours");
        scenario.stop_session("added");
        assert_eq!(scenario.finished("added").await.phase, Phase::Completed);
        scenario.assert_no_flag("orders").await;
        let after = json!(scenario.deployments().get("orders").await.unwrap());
        let environment = &after["spec"]["template"]["spec"]["containers"][0]["env"];
        assert_eq!(*environment, json!([{"name": "OTHER", "value": "2"}]));
        let metadata = after["metadata"].to_string();
        assert!(
            !metadata.contains(ANNOTATION) && !metadata.contains("\"tlsdebug\""),
            "{after:#}"
        );
        scenario.apply_as("integration-team", &manifest).done();
    });
}

#[test]
fn reverted_by_hand() {
    scenario("reverted-by-hand", async |scenario| {
        let manifest = deployment("orders", &json!([{"name": "OTHER", "value": "1"}]));
        scenario.apply_as("integration-team", &manifest).done();
        scenario.rolled_out("orders").await;
        let before = scenario.snapshot("orders").await;
        scenario.create_session("session", "orders", &json!({}));
        scenario.reached("session", Phase::Capturing).await;
        scenario
            .kubectl(&["set", "env", "deployment/orders", "JAVA_CUSTOM_OPTS-"])
            .done();
        let failure = scenario.failure("session").await;
        assert_eq!(failure.reason, "DriftReverted");
        // Whoever only takes something away leaves no trace among the field managers: nobody is blamed for it.
        assert!(!failure.message.contains("integration-team"), "{}", failure.message);
        scenario.assert_as_before("orders", &before).await;
    });
}

#[test]
fn reverted_while_the_record_was_copied_onto_the_owners_revision() {
    scenario("reverted-copied", async |scenario| {
        let manifest = deployment("orders", &literal());
        scenario.apply_as("integration-team", &manifest).done();
        scenario.rolled_out("orders").await;
        let before = scenario.snapshot("orders").await;
        scenario.create_session("session", "orders", &json!({}));
        scenario.reached("session", Phase::Capturing).await;
        scenario.kill_operator();
        let force = [
            "apply",
            "--server-side",
            "--force-conflicts",
            "--field-manager=integration-team",
            "-f",
            "-",
        ];
        scenario.kubectl_with_input(&force, &manifest).done();
        // The record is still there, and the Deployment controller copies it onto the ReplicaSet that it takes up again.
        scenario
            .eventually("the record to be copied", async || {
                let sets = scenario.replica_sets("orders").await;
                let is_marked = |set: &ReplicaSet| set.annotations().contains_key(ANNOTATION);
                (sets.len() == 2 && sets.iter().all(is_marked)).then_some(())
            })
            .await;
        scenario.start_operator();
        assert_eq!(scenario.failure("session").await.reason, "DriftReverted");
        scenario.assert_as_before("orders", &before).await;
    });
}

#[test]
fn taken_out_with_the_restore_command() {
    scenario("restore-command", async |scenario| {
        let awkward = r#"-Da="x y" -Db='<1>' -Dc=\\d+\u00e9 -Dd=$HOME,100%"#;
        let variable =
            |value: &str| json!([{"name": "JAVA_CUSTOM_OPTS", "value": value}, {"name": "OTHER", "value": "1"}]);
        let edited = format!("JAVA_CUSTOM_OPTS=-Dfirst=1 {FLAG} -Dlast=2");
        let cases = [
            ("literal", literal(), None),
            ("awkward", variable(awkward), None),
            ("empty", json!([{"name": "JAVA_CUSTOM_OPTS"}]), None),
            ("absent", json!([{"name": "OTHER", "value": "1"}]), None),
            ("no-list", Value::Null, None),
            ("edited", variable("-Dfirst=1"), Some(edited)),
        ];
        for (name, environment, _) in &cases {
            scenario.deployed(name, environment).await;
        }
        let mut before = Vec::new();
        for (name, ..) in &cases {
            before.push(json!(scenario.deployments().get(name).await.unwrap()));
            scenario.create_session(name, name, &json!({}));
        }
        let mut commands = Vec::new();
        for (name, ..) in &cases {
            let status = scenario.reached(name, Phase::Capturing).await;
            commands.push(status.restore_command.unwrap());
        }
        scenario.kill_operator();
        for (((name, _, edit), command), before) in cases.iter().zip(commands).zip(&before) {
            if let Some(edit) = edit {
                let target = format!("deployment/{name}");
                scenario.kubectl(&["set", "env", &target, edit]).done();
                scenario.rolled_out(name).await;
            }
            assert!(!command.contains("-Da=") && !command.contains("-Dfirst"), "{command}");
            kubectl::run(Command::new("sh").args(["-c", &command]), "").done();
            let after = json!(scenario.deployments().get(name).await.unwrap());
            assert!(after["metadata"]["annotations"][ANNOTATION].is_null(), "{after:#}");
            if edit.is_some() {
                let environment = &after["spec"]["template"]["spec"]["containers"][0]["env"];
                assert_eq!(environment[0]["value"], "-Dfirst=1 -Dlast=2");
            } else {
                assert_eq!(after["spec"], before["spec"], "{command}");
            }
        }
        for (name, ..) in &cases {
            scenario.rolled_out(name).await;
            scenario.settled(name).await;
            for set in scenario.replica_sets(name).await {
                // One patch: at no moment was there a record without the flag, to be copied onto the owner's revision.
                let has_flag = json!(set.spec).to_string().contains("javax.net.debug");
                assert_eq!(set.annotations().contains_key(ANNOTATION), has_flag, "{set:#?}");
            }
        }
        scenario.start_operator();
        for (name, ..) in &cases {
            assert_eq!(scenario.failure(name).await.reason, "RestoredByHand");
            scenario.assert_no_flag(name).await;
            scenario.kubectl(&["rollout", "undo", &format!("deployment/{name}")]);
            assert!(
                !scenario.has_flag(name).await,
                "{name}: kubectl rollout undo brought the flag back"
            );
        }
    });
}
