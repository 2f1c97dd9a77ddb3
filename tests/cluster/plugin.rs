//! `kubectl tlsdebug`, by the real kubectl: sessions with an operator, and whole ones without.

use serde_json::{Value, json};
use tlsdebug::diagnosis::report::{Finding, Report};
use tlsdebug::session::Phase;
use tlsdebug::workload::ANNOTATION;

use crate::diagnosis::start;
use crate::support::workloads::literal;
use crate::support::{Scenario, scenario};

/// On a busy machine a connection may end before the server has answered: that is a failure of its own.
fn is_expected(finding: &Finding) -> bool {
    finding.cause == "MissingIntermediate"
}

/// The record on the Deployment.
async fn record(scenario: &Scenario, name: &str) -> Value {
    let deployment = scenario.deployments().get(name).await.unwrap();
    let text = deployment
        .metadata
        .annotations
        .unwrap_or_default()
        .remove(ANNOTATION)
        .unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

#[test]
fn a_session_from_its_start_to_its_page() {
    scenario("plugin-start", async |scenario| {
        start(scenario, "missing-intermediate", "0").await;
        let before = scenario.snapshot("orders").await;
        let preview = scenario.plugin(&["start", "deploy/orders", "--dry-run"]).done();
        for text in [
            "… -Djavax.net.debug=ssl,handshake",
            "REPLICAS",
            "RollingUpdate",
            "Nothing was changed.",
        ] {
            assert!(preview.contains(text), "{text}: {preview}");
        }
        assert!(!preview.contains("orders.region"), "a value is shown: {preview}");
        assert!(scenario.plugin(&["list"]).text().contains("No sessions"));

        let line = ["start", "deploy/orders", "--name", "s", "--duration", "1h", "--watch"];
        let mut watched = scenario.start_plugin("start", &line);
        watched.printed(scenario, "MissingIntermediate (").await;
        scenario.plugin(&["stop", "s"]).done();
        assert_eq!(watched.exit_code(scenario).await, Some(1), "{}", watched.text());
        for text in [
            "s created",
            "Injecting",
            "Capturing",
            "Reading pod orders-",
            "Completed",
            "orders is as it was",
        ] {
            assert!(watched.stdout().contains(text), "{text}: {}", watched.text());
        }
        let list = scenario.plugin(&["list"]).done();
        assert!(
            list.contains("deployment/orders") && list.contains("Completed"),
            "{list}"
        );

        let report = scenario.plugin(&["report", "s", "--output", "json"]);
        assert_eq!(report.code, Some(1));
        let report: Report = serde_json::from_str(&report.stdout).unwrap();
        assert!(report.findings.iter().any(is_expected), "{report:?}");
        assert!(scenario.plugin(&["report", "s"]).stdout.starts_with("Failures found: "));
        let page = scenario.plugin(&["report", "s", "--output", "html"]).stdout;
        assert!(page.starts_with("<!DOCTYPE html>") && page.contains("MissingIntermediate"));
        scenario.settled("orders").await;
        scenario.assert_as_before("orders", &before).await;
    });
}

#[test]
fn who_looks_away_leaves_the_session_running() {
    scenario("plugin-watch", async |scenario| {
        scenario.deployed("orders", &literal()).await;
        let created = scenario.plugin(&["start", "deploy/orders", "--name", "s", "--duration", "1h"]);
        assert_eq!(
            created.stdout,
            "tlsdebugsession.tlsdebug.io/s created\n",
            "{}",
            created.text()
        );
        let mut watch = scenario.start_plugin("watch", &["watch", "s"]);
        watch.printed(scenario, "Capturing").await;
        watch.signal("INT");
        assert_eq!(watch.exit_code(scenario).await, Some(130));
        assert!(
            watch.text().contains("The session goes on. kubectl tlsdebug stop s"),
            "{}",
            watch.text()
        );
        assert_eq!(scenario.status("s").await.phase, Phase::Capturing);
        let again = scenario.plugin(&["start", "deploy/orders"]);
        assert_eq!(again.code, Some(2));
        assert!(again.stderr.contains("TargetInUse: Deployment"), "{}", again.text());
        let stopped = scenario.plugin(&["stop", "s", "--wait"]).done();
        assert_eq!(
            stopped,
            "tlsdebugsession.tlsdebug.io/s stopped\ntlsdebugsession.tlsdebug.io/s ended\n"
        );
        assert_eq!(scenario.status("s").await.phase, Phase::Completed);
        assert!(scenario.plugin(&["stop", "s"]).done().contains("has ended before"));
        assert!(
            scenario
                .plugin(&["watch", "nobody"])
                .stderr
                .contains("\"nobody\" not found")
        );
    });
}

#[test]
fn a_whole_session_without_an_operator() {
    scenario("plugin-run", async |scenario| {
        scenario.kill_operator();
        start(scenario, "missing-intermediate", "0").await;
        let before = scenario.snapshot("orders").await;
        let preview = scenario.plugin(&["run", "deploy/orders", "--dry-run"]).done();
        assert!(preview.contains("\\\"owner\\\":\\\"terminal\\\""), "{preview}");
        let mut run = scenario.start_plugin("run", &["run", "deploy/orders", "--output", "json"]);
        run.printed(scenario, "MissingIntermediate (").await;
        run.signal("INT");
        assert_eq!(run.exit_code(scenario).await, Some(1), "{}", run.text());
        let report: Report = serde_json::from_str(&run.stdout()).unwrap();
        assert!(report.findings.iter().any(is_expected), "{report:?}");
        for text in ["Injecting", "Capturing", "Restoring", "Completed"] {
            assert!(run.text().contains(text), "{text}: {}", run.text());
        }
        scenario.settled("orders").await;
        scenario.assert_as_before("orders", &before).await;

        // The page has the handshakes as well, though their pods are gone.
        let page = scenario.plugin(&["run", "deploy/orders", "--first-failure", "--output", "html"]);
        assert_eq!(page.code, Some(1), "{}", page.stderr);
        assert!(
            page.stdout.starts_with("<!DOCTYPE html>") && page.stdout.contains("class=\"ladder"),
            "no handshake is drawn"
        );
    });
}

#[test]
fn an_interrupted_run_restores() {
    scenario("plugin-int", async |scenario| {
        scenario.kill_operator();
        scenario.deployed("orders", &literal()).await;
        let before = scenario.snapshot("orders").await;
        for signal in ["INT", "HUP"] {
            let mut run = scenario.start_plugin("run", &["run", "deploy/orders", "--duration", "1h"]);
            run.printed(scenario, "Capturing").await;
            let record = record(scenario, "orders").await;
            assert_eq!(record["owner"], "terminal");
            run.signal(signal);
            assert_eq!(
                run.exit_code(scenario).await,
                Some(2),
                "nothing was found: {}",
                run.text()
            );
            assert!(run.text().contains("Completed"), "{}", run.text());
            scenario.settled("orders").await;
            scenario.assert_as_before("orders", &before).await;
        }
    });
}

#[test]
fn what_a_killed_run_leaves_is_restored() {
    scenario("plugin-killed", async |scenario| {
        scenario.deployed("orders", &literal()).await;
        let before = scenario.snapshot("orders").await;
        let killed = async || {
            let run = scenario.start_plugin("run", &["run", "deploy/orders", "--duration", "1h"]);
            run.printed(scenario, "Capturing").await;
        };
        killed().await;
        assert!(scenario.has_flag("orders").await);
        let refused = scenario.plugin(&["restore", "deploy/orders"]);
        assert_eq!(refused.code, Some(2));
        assert!(
            refused.stderr.contains("a terminal has it until "),
            "{}",
            refused.text()
        );
        let session = scenario.plugin(&["start", "deploy/orders"]);
        assert!(
            session.stderr.contains("held by somebody's terminal"),
            "{}",
            session.text()
        );
        let restored = scenario.plugin(&["restore", "deploy/orders", "--force"]).done();
        assert!(restored.ends_with("restored\n"), "{restored}");
        scenario.settled("orders").await;
        scenario.assert_as_before("orders", &before).await;
        assert!(
            scenario
                .plugin(&["restore", "deploy/orders"])
                .done()
                .contains("carries no change")
        );

        // After its deadline an operator's sweep does the same.
        killed().await;
        let mut record = record(scenario, "orders").await;
        record["deadline"] = json!("2026-01-01T00:00:00Z");
        let annotation = format!("{ANNOTATION}={record}");
        scenario
            .kubectl(&["annotate", "--overwrite", "deployment", "orders", &annotation])
            .done();
        scenario
            .eventually("the operator to restore", async || {
                (!scenario.has_flag("orders").await).then_some(())
            })
            .await;
    });
}

#[test]
fn rights_that_are_missing_are_named_before_anything_is_touched() {
    scenario("plugin-rights", async |scenario| {
        scenario.deployed("orders", &literal()).await;
        let before = scenario.snapshot("orders").await;
        let run = scenario.plugin(&["run", "deploy/orders", "--as", "jane"]);
        assert_eq!(run.code, Some(2));
        assert!(
            run.stderr.contains("you may not get, list, watch, patch deployments"),
            "{}",
            run.text()
        );
        let start = scenario.plugin(&["start", "deploy/orders", "--as", "jane"]);
        assert!(
            start.stderr.contains("User \"jane\" cannot create resource"),
            "{}",
            start.text()
        );
        scenario.assert_as_before("orders", &before).await;

        let doctor = scenario.plugin(&["doctor", "--as", "jane"]);
        assert_eq!(doctor.code, Some(1));
        for text in [
            "ok        Kubernetes v1.",
            "ok        kind TLSDebugSession",
            "unknown   operator: ",
            "rights of jane",
        ] {
            assert!(doctor.stdout.contains(text), "{text}: {}", doctor.text());
        }
        // What it says mends it.
        let mend = doctor
            .stdout
            .lines()
            .find_map(|line| line.trim().strip_prefix("kubectl create rolebinding "))
            .unwrap();
        let (mend, _) = mend.split_once("   (").unwrap();
        let words: Vec<&str> = mend.split(' ').map(|word| word.trim_matches('"')).collect();
        scenario
            .kubectl(&[&["create", "rolebinding"], words.as_slice()].concat())
            .done();
        scenario
            .eventually("the rights", async || {
                let doctor = scenario.plugin(&["doctor", "--as", "jane"]);
                doctor
                    .stdout
                    .contains("ok        rights of jane in namespace")
                    .then_some(())
            })
            .await;
        let mut run = scenario.start_plugin("run", &["run", "deploy/orders", "--as", "jane", "--duration", "30s"]);
        assert_eq!(run.exit_code(scenario).await, Some(2), "{}", run.text());
        assert!(run.text().contains("Completed"), "{}", run.text());
    });
}

#[test]
fn kubectl_completes_the_plugin() {
    scenario("plugin-complete", async |scenario| {
        let completed = scenario.kubectl_with_plugin(&["__complete", "tlsdebug", "st"]);
        assert!(
            completed.stdout.contains("start\t") && completed.stdout.contains("stop\t"),
            "{}",
            completed.text()
        );
        let listed = scenario.kubectl_with_plugin(&["plugin", "list"]);
        assert!(listed.text().contains("kubectl-tlsdebug"), "{}", listed.text());
    });
}
