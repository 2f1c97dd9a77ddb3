//! Others change, revert, delete or recreate the workload while a session is on it.

use std::process::Command;

use serde_json::{Value, json};
use tlsdebug::session::conditions::ConditionType;
use tlsdebug::session::{Failure, Phase};
use tlsdebug::workload::ANNOTATION;

use crate::support::sessions::{condition, has_condition};
use crate::support::workloads::{FLAG, deployment, literal};
use crate::support::{Scenario, kubectl, scenario};

/// Waits for the end of a session and returns why it failed.
async fn failure(scenario: &Scenario, session: &str) -> Failure {
    let status = scenario.finished(session).await;
    assert_eq!(status.phase, Phase::Failed, "{status:?}");
    status.failure.unwrap()
}

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
        let failure = failure(scenario, "session").await;
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
        let failure = failure(scenario, "session").await;
        assert_eq!(failure.reason, "DriftReverted");
        // Whoever only takes something away leaves no trace among the field managers: nobody is blamed for it.
        assert!(!failure.message.contains("integration-team"), "{}", failure.message);
        scenario.assert_as_before("orders", &before).await;
    });
}

#[test]
fn edited_by_hand_with_the_flag_left_in() {
    scenario("edited-by-hand", async |scenario| {
        scenario.deployed("orders", &literal()).await;
        scenario.create_session("session", "orders", &json!({}));
        scenario.reached("session", Phase::Capturing).await;
        let edited = format!("JAVA_CUSTOM_OPTS=-Da=1 -Db=2 {FLAG} -Dc=3");
        scenario.kubectl(&["set", "env", "deployment/orders", &edited]).done();
        scenario.rolled_out("orders").await;
        assert_eq!(scenario.status("session").await.phase, Phase::Capturing);
        scenario.stop_session("session");
        assert_eq!(scenario.finished("session").await.phase, Phase::Completed);
        let deployment = json!(scenario.deployments().get("orders").await.unwrap());
        let environment = &deployment["spec"]["template"]["spec"]["containers"][0]["env"];
        assert_eq!(environment[1]["value"], "-Da=1 -Db=2 -Dc=3");
        let metadata = deployment["metadata"].to_string();
        assert!(
            deployment["metadata"]["annotations"][ANNOTATION].is_null()
                && !metadata.contains("\"manager\":\"tlsdebug\""),
            "{deployment:#}"
        );
        scenario.assert_no_flag("orders").await;
    });
}

#[test]
fn taken_out_with_the_restore_command() {
    scenario("restore-command", async |scenario| {
        let absent = json!([{"name": "OTHER", "value": "1"}]);
        for (name, environment) in [("literal", literal()), ("absent", absent)] {
            scenario.deployed(name, &environment).await;
            let before = json!(scenario.deployments().get(name).await.unwrap());
            scenario.create_session(name, name, &json!({}));
            let status = scenario.reached(name, Phase::Injecting).await;
            scenario.kill_operator();
            let command = status.restore_command.unwrap();
            kubectl::run(Command::new("sh").args(["-c", &command]), "").done();
            let after = json!(scenario.deployments().get(name).await.unwrap());
            assert_eq!(after["spec"], before["spec"]);
            assert!(after["metadata"]["annotations"][ANNOTATION].is_null(), "{after:#}");
            scenario.start_operator();
            assert_eq!(failure(scenario, name).await.reason, "DriftReverted");
            scenario.assert_no_flag(name).await;
        }
    });
}

#[test]
fn deleted_and_created_anew() {
    scenario("deleted-workload", async |scenario| {
        scenario.deployed("orders", &literal()).await;
        scenario.create_session("deleted", "orders", &json!({}));
        scenario.reached("deleted", Phase::Capturing).await;
        scenario.kubectl(&["delete", "deployment", "orders"]).done();
        let gone = failure(scenario, "deleted").await;
        assert_eq!(gone.reason, "TargetGone");
        assert!(gone.message.contains("Deployment \"orders\""), "{}", gone.message);
        let status = scenario.status("deleted").await;
        assert_eq!(condition(&status, ConditionType::Restored).reason, "TargetGone");

        scenario.deployed("orders", &literal()).await;
        scenario.create_session("anew", "orders", &json!({}));
        scenario.reached("anew", Phase::Capturing).await;
        scenario.kill_operator();
        scenario.kubectl(&["delete", "deployment", "orders"]).done();
        scenario.deployed("orders", &literal()).await;
        let before = scenario.snapshot("orders").await;
        scenario.start_operator();
        assert_eq!(failure(scenario, "anew").await.reason, "TargetGone");
        scenario.assert_as_before("orders", &before).await;
    });
}

#[test]
fn created_anew_from_a_copy_with_flag_and_record() {
    scenario("copied-workload", async |scenario| {
        scenario.deployed("orders", &literal()).await;
        let before = json!(scenario.deployments().get("orders").await.unwrap());
        scenario.create_session("session", "orders", &json!({}));
        scenario.reached("session", Phase::Capturing).await;
        scenario.kill_operator();
        let copy = scenario
            .kubectl(&["get", "deployment", "orders", "--output", "json"])
            .done();
        let copy: Value = serde_json::from_str(&copy).unwrap();
        scenario
            .kubectl_with_input(&["replace", "--force", "--filename", "-"], &copy)
            .done();
        scenario.start_operator();
        scenario.stop_session("session");
        assert_eq!(scenario.finished("session").await.phase, Phase::Completed);
        let after = json!(scenario.deployments().get("orders").await.unwrap());
        assert_eq!(after["spec"], before["spec"]);
        assert!(after["metadata"]["annotations"][ANNOTATION].is_null(), "{after:#}");
        scenario.assert_no_flag("orders").await;
    });
}

#[test]
fn paused_in_mid_session() {
    scenario("paused-meanwhile", async |scenario| {
        scenario.deployed("orders", &literal()).await;
        let before = scenario.snapshot("orders").await;
        scenario.create_session("session", "orders", &json!({}));
        scenario.reached("session", Phase::Capturing).await;
        scenario.settled("orders").await;
        scenario.kubectl(&["rollout", "pause", "deployment/orders"]).done();
        scenario.stop_session("session");
        let status = scenario
            .status_with("session", "to tell of the pause", |status| {
                has_condition(status, ConditionType::Restored, "False", "TargetIsPaused")
            })
            .await;
        assert_eq!(status.phase, Phase::Restoring);
        assert_eq!(condition(&status, ConditionType::TemplateRestored).status, "True");
        assert!(
            condition(&status, ConditionType::Restored)
                .message
                .contains("kubectl rollout resume")
        );
        scenario.kubectl(&["rollout", "resume", "deployment/orders"]).done();
        assert_eq!(scenario.finished("session").await.phase, Phase::Completed);
        scenario.assert_as_before("orders", &before).await;
    });
}
