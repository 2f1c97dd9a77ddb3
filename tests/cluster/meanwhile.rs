//! Others change, pause, delete or recreate the workload while a session is on it, or it was never well.

use serde_json::{Value, json};
use tlsdebug::session::Phase;
use tlsdebug::session::conditions::ConditionType;
use tlsdebug::workload::ANNOTATION;

use crate::support::scenario;
use crate::support::sessions::{condition, has_condition};
use crate::support::workloads::{FLAG, deployment, literal};

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
fn list_that_the_session_has_created_and_others_have_added_to() {
    scenario("list-shared", async |scenario| {
        scenario.deployed("orders", &Value::Null).await;
        scenario.create_session("session", "orders", &json!({}));
        scenario.reached("session", Phase::Capturing).await;
        scenario
            .kubectl(&["set", "env", "deployment/orders", "VERSION=2"])
            .done();
        scenario.rolled_out("orders").await;
        scenario.stop_session("session");
        assert_eq!(scenario.finished("session").await.phase, Phase::Completed);
        let deployment = json!(scenario.deployments().get("orders").await.unwrap());
        let environment = &deployment["spec"]["template"]["spec"]["containers"][0]["env"];
        assert_eq!(*environment, json!([{"name": "VERSION", "value": "2"}]));
        // The list itself stays, and must not be the operator's.
        scenario.assert_no_flag("orders").await;
    });
}

#[test]
fn new_version_in_mid_session() {
    scenario("new-version", async |scenario| {
        scenario.deployed("orders", &literal()).await;
        scenario.create_session("session", "orders", &json!({}));
        scenario.reached("session", Phase::Capturing).await;
        scenario
            .kubectl(&["set", "env", "deployment/orders", "VERSION=2"])
            .done();
        scenario.rolled_out("orders").await;
        assert!(scenario.has_flag("orders").await);
        scenario.stop_session("session");
        let status = scenario.finished("session").await;
        assert_eq!((status.phase, status.failure), (Phase::Completed, None));
        let deployment = json!(scenario.deployments().get("orders").await.unwrap());
        let environment = &deployment["spec"]["template"]["spec"]["containers"][0]["env"];
        assert_eq!(
            (&environment[1]["value"], &environment[3]["value"]),
            (&json!("-Da=1 -Db=2"), &json!("2"))
        );
        // Both versions had a ReplicaSet with the flag.
        scenario.assert_no_flag("orders").await;
        scenario.kubectl(&["rollout", "undo", "deployment/orders"]).done();
        assert!(!scenario.has_flag("orders").await);
    });
}

#[test]
fn workload_that_never_becomes_ready() {
    scenario("never-ready", async |scenario| {
        let mut manifest = deployment("orders", &literal());
        manifest["spec"]["progressDeadlineSeconds"] = json!(2);
        let container = &mut manifest["spec"]["template"]["spec"]["containers"][0];
        container["readinessProbe"] = json!({"exec": {"command": ["false"]}, "periodSeconds": 1});
        // What a JVM with the flag prints at its start.
        let record = "javax.net.ssl|DEBUG|10|main|2026-11-24 19:59:22.885 GMT|SSLContextImpl.java:115|trigger seeding";
        let program = container["command"][2].as_str().unwrap();
        container["command"][2] = json!(format!(
            "case \"$JAVA_CUSTOM_OPTS\" in *.debug=ssl*) echo '{record}';; esac; {program}"
        ));
        scenario.apply(&manifest);
        scenario.create_session("session", "orders", &json!({}));
        // It is waited for until its own controller no longer does.
        let status = scenario.reached("session", Phase::Capturing).await;
        let warning = "Not all pods of the workload were available";
        assert!(
            status.warnings.iter().any(|one| one.starts_with(warning)),
            "{:?}",
            status.warnings
        );
        scenario.stop_session("session");
        let status = scenario.finished("session").await;
        assert_eq!((status.phase, status.failure), (Phase::Completed, None));
        scenario.assert_no_flag("orders").await;
        assert_eq!(scenario.replica_sets("orders").await.len(), 1);
    });
}

#[test]
fn deleted_and_created_anew() {
    scenario("deleted-workload", async |scenario| {
        scenario.deployed("orders", &literal()).await;
        scenario.create_session("deleted", "orders", &json!({}));
        scenario.reached("deleted", Phase::Capturing).await;
        scenario.kubectl(&["delete", "deployment", "orders"]).done();
        let gone = scenario.failure("deleted").await;
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
        assert_eq!(scenario.failure("anew").await.reason, "TargetGone");
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
