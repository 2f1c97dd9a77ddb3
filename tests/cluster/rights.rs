//! Rights that are missing, and admission that refuses: said with what to do about it, tried again at a slow pace, and
//! carried on with when the way is free.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tlsdebug::session::Phase;
use tlsdebug::session::conditions::ConditionType;

use crate::support::policies::MESSAGE;
use crate::support::sessions::{condition, has_condition};
use crate::support::workloads::literal;
use crate::support::{Scenario, kubectl, scenario};

#[test]
fn rights_taken_away_in_mid_session() {
    scenario("rights-taken", async |scenario| {
        scenario.deployed("orders", &literal()).await;
        let before = scenario.snapshot("orders").await;
        scenario.create_session("session", "orders", &json!({}));
        scenario.reached("session", Phase::Capturing).await;
        scenario.revoke("deployments", "patch").await;
        scenario.stop_session("session");
        let status = scenario
            .status_with("session", "to tell of the missing right", |status| {
                has_condition(status, ConditionType::TemplateRestored, "False", "Forbidden")
            })
            .await;
        assert_eq!(status.phase, Phase::Restoring);
        let message = &condition(&status, ConditionType::TemplateRestored).message;
        for part in [
            "Deployment \"orders\"",
            "cannot patch",
            "helm upgrade",
            "status.restoreCommand",
        ] {
            assert!(message.contains(part), "{part:?} is not in: {message}");
        }
        assert!(status.restore_command.is_some());

        let attempts = || scenario.operator_log().matches("blocked").count();
        let (first, writes) = (attempts(), scenario.counter("status_writes"));
        scenario
            .stays("Restoring", Duration::from_secs(6), async || {
                scenario.status("session").await.phase == Phase::Restoring
            })
            .await;
        let more = attempts() - first;
        assert!(more <= 4, "{more} attempts in 6 s");
        assert!(
            scenario.counter("status_writes") - writes <= 1,
            "the status is written anew for the same refusal"
        );

        scenario.grant_rights();
        assert_eq!(scenario.finished("session").await.phase, Phase::Completed);
        scenario.assert_as_before("orders", &before).await;
    });
}

#[test]
fn rights_missing_from_the_beginning() {
    scenario("rights-missing", async |scenario| {
        scenario.deployed("orders", &literal()).await;
        let before = scenario.snapshot("orders").await;
        scenario.revoke("deployments", "patch").await;
        scenario.create_session("session", "orders", &json!({}));
        let status = scenario
            .status_with("session", "to tell of the missing right", |status| {
                has_condition(status, ConditionType::Accepted, "False", "Forbidden")
            })
            .await;
        assert_eq!(status.phase, Phase::Pending);
        let message = &condition(&status, ConditionType::Accepted).message;
        assert!(
            message.contains("Nothing was changed.") && !message.contains("restoreCommand"),
            "{message}"
        );
        scenario.assert_as_before("orders", &before).await;

        let attempts = || scenario.operator_log().matches("blocked").count();
        let (first, writes) = (attempts(), scenario.counter("status_writes"));
        scenario
            .stays("Pending", Duration::from_secs(5), async || {
                let status = scenario.status("session").await;
                status.phase == Phase::Pending && has_condition(&status, ConditionType::Accepted, "False", "Forbidden")
            })
            .await;
        assert!(attempts() - first <= 4, "{} attempts in 5 s", attempts() - first);
        assert_eq!(
            scenario.counter("status_writes"),
            writes,
            "the same refusal is written anew"
        );

        // What could not be watched over is not begun.
        scenario.revoke("pods", "list").await;
        scenario.grant("deployments", "patch").await;
        scenario
            .status_with("session", "to tell what it could not see", |status| {
                has_condition(status, ConditionType::Accepted, "False", "Forbidden")
                    && condition(status, ConditionType::Accepted)
                        .message
                        .contains("cannot list")
            })
            .await;
        scenario.assert_as_before("orders", &before).await;

        // What the operator may not even read is said as well.
        scenario.revoke("deployments", "get").await;
        scenario
            .status_with("session", "to tell what cannot be read", |status| {
                has_condition(status, ConditionType::Accepted, "False", "Forbidden")
                    && condition(status, ConditionType::Accepted)
                        .message
                        .contains("cannot get")
            })
            .await;
        scenario.grant_rights();
        scenario.reached("session", Phase::Capturing).await;
        scenario.stop_session("session");
        assert_eq!(scenario.finished("session").await.phase, Phase::Completed);
        scenario.assert_as_before("orders", &before).await;
    });
}

#[test]
fn what_cannot_be_read_is_not_waited_for_without_end() {
    scenario("unreadable", async |scenario| {
        scenario.deployed("orders", &literal()).await;
        scenario.deployed("payments", &literal()).await;
        let before = scenario.snapshot("orders").await;
        scenario.create_session("running", "orders", &json!({}));
        scenario.reached("running", Phase::Capturing).await;

        // Pods that it cannot see are no reason to leave the flag in.
        scenario.revoke("pods", "list").await;
        scenario.stop_session("running");
        let status = scenario
            .status_with("running", "to tell what cannot be read", |status| {
                has_condition(status, ConditionType::TemplateRestored, "True", "TemplateRestored")
                    && has_condition(status, ConditionType::Restored, "False", "Forbidden")
            })
            .await;
        let message = &condition(&status, ConditionType::Restored).message;
        assert!(
            message.contains("cannot list") && message.contains("helm upgrade"),
            "{message}"
        );
        assert!(!scenario.has_flag("orders").await);

        scenario.revoke("deployments", "get").await;
        scenario.create_session("waiting", "payments", &json!({"progressDeadline": "1m"}));
        scenario
            .status_with("waiting", "to tell what cannot be read", |status| {
                has_condition(status, ConditionType::Accepted, "False", "Forbidden")
            })
            .await;
        let failure = scenario.failure("waiting").await;
        assert_eq!(failure.reason, "ProgressDeadlineExceeded");
        for part in ["cannot get", "helm upgrade", "Deployment \"payments\""] {
            assert!(
                failure.message.contains(part),
                "{part:?} is not in: {}",
                failure.message
            );
        }
        assert_eq!(scenario.status("running").await.phase, Phase::Restoring);
        scenario.grant_rights();
        assert_eq!(scenario.finished("running").await.phase, Phase::Completed);
        scenario.assert_as_before("orders", &before).await;
    });
}

#[test]
fn logs_that_may_not_be_read() {
    scenario("unreadable-logs", async |scenario| {
        scenario.deployed("orders", &literal()).await;
        let before = scenario.snapshot("orders").await;
        scenario.revoke("pods/log", "get").await;
        scenario.create_session("session", "orders", &json!({}));
        let status = scenario
            .status_with("session", "to tell what cannot be read", |status| {
                has_condition(status, ConditionType::Restored, "False", "Forbidden")
            })
            .await;
        let message = &condition(&status, ConditionType::Restored).message;
        assert!(
            message.contains("cannot get resource \"pods/log\"") && message.contains("helm upgrade"),
            "{message}"
        );
        scenario.grant_rights();
        scenario
            .status_with("session", "to tell of it no longer", |status| {
                has_condition(status, ConditionType::Restored, "False", "FlagInTemplate")
            })
            .await;
        scenario.revoke("pods/log", "get").await;
        scenario.stop_session("session");
        assert_eq!(scenario.finished("session").await.phase, Phase::Completed);
        scenario.assert_as_before("orders", &before).await;
    });
}

#[test]
fn session_that_the_operator_may_not_let_go() {
    scenario("finalizer-kept", async |scenario| {
        scenario.deployed("orders", &literal()).await;
        let before = scenario.snapshot("orders").await;
        for name in ["by-itself", "by-hand"] {
            scenario.create_session(name, "orders", &json!({}));
            scenario.reached(name, Phase::Capturing).await;
            scenario.revoke("tlsdebugsessions", "patch").await;
            scenario
                .kubectl(&["delete", "tlsdebugsession", name, "--wait=false"])
                .done();
            let status = scenario
                .status_with(name, "to tell of the missing right", |status| {
                    has_condition(status, ConditionType::Restored, "True", "Forbidden")
                })
                .await;
            assert_eq!(status.phase, Phase::Completed);
            let message = &condition(&status, ConditionType::Restored).message;
            for part in [name, "cannot patch", "helm upgrade", "Nothing is left to restore"] {
                assert!(message.contains(part), "{part:?} is not in: {message}");
            }
            scenario.assert_as_before("orders", &before).await;
            if name == "by-hand" {
                let (_, command) = message.split_once("; ").unwrap();
                let (command, _) = command.split_once(" lets the session go").unwrap();
                kubectl::run(Command::new("sh").args(["-c", command]), "").done();
            } else {
                scenario.grant_rights();
            }
            scenario.gone(name).await;
        }
    });
}

/// A Deployment may not change its template.
const FROZEN: &str = "object.spec.template == oldObject.spec.template";

/// Waits until a change of the Deployment's template is refused, or is not: policies take a moment to be in force.
async fn policy_in_force(scenario: &Scenario, wanted: bool) {
    let value = |text: &str| -> Value {
        json!([{"op": "add", "path": "/spec/template/spec/containers/0/env/1/value", "value": text}])
    };
    scenario
        .eventually("the policy", async || {
            let flag = value("-Djavax.net.debug=ssl").to_string();
            let dry_run = [
                "patch",
                "deployment",
                "orders",
                "--type",
                "json",
                "--dry-run=server",
                "--patch",
                &flag,
            ];
            (scenario.kubectl(&dry_run).succeeded != wanted).then_some(())
        })
        .await;
}

#[test]
fn admission_that_refuses_the_change_and_its_undoing() {
    scenario("admission-refuses", async |scenario| {
        scenario.deployed("orders", &literal()).await;
        let before = scenario.snapshot("orders").await;
        scenario.install_policy("apps", "deployments", FROZEN);
        policy_in_force(scenario, true).await;
        scenario.create_session("refused", "orders", &json!({}));
        let status = scenario.finished("refused").await;
        let failure = status.failure.unwrap();
        assert_eq!(
            (status.phase, failure.reason.as_str()),
            (Phase::Failed, "PatchRejected")
        );
        for part in ["Deployment \"orders\"", MESSAGE] {
            assert!(
                failure.message.contains(part),
                "{part:?} is not in: {}",
                failure.message
            );
        }
        scenario.assert_as_before("orders", &before).await;

        scenario.remove_policy();
        policy_in_force(scenario, false).await;
        scenario.create_session("session", "orders", &json!({}));
        scenario.reached("session", Phase::Capturing).await;
        scenario.install_policy("apps", "deployments", FROZEN);
        policy_in_force(scenario, true).await;
        scenario.stop_session("session");
        let status = scenario
            .status_with("session", "to tell of the refusal", |status| {
                has_condition(status, ConditionType::TemplateRestored, "False", "PatchRejected")
            })
            .await;
        assert_eq!(status.phase, Phase::Restoring);
        scenario.remove_policy();
        assert_eq!(scenario.finished("session").await.phase, Phase::Completed);
        scenario.assert_as_before("orders", &before).await;
    });
}
