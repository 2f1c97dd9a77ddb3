//! Others take the flag out while a session is on the workload.

use std::process::Command;

use serde_json::json;
use tlsdebug::session::Phase;
use tlsdebug::workload::ANNOTATION;

use crate::support::workloads::{deployment, literal};
use crate::support::{kubectl, scenario};

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
            assert_eq!(scenario.failure(name).await.reason, "DriftReverted");
            scenario.assert_no_flag(name).await;
        }
    });
}
