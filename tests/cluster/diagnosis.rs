//! A JVM whose handshakes fail: what the session says is what `tlsdebug diagnose` says over the same lines.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tlsdebug::diagnosis::Limits;
use tlsdebug::diagnosis::report::Report;
use tlsdebug::session::conditions::ConditionType;
use tlsdebug::session::{Phase, TLSDebugSessionStatus};

use crate::support::sessions::condition;
use crate::support::workloads::deployment;
use crate::support::{Scenario, scenario};

/// A Deployment of the stand-in for Microservices Runtime.
fn runtime(name: &str, environment: &Value) -> Value {
    let mut manifest = deployment(name, environment);
    let pod = &mut manifest["spec"]["template"]["spec"];
    pod["terminationGracePeriodSeconds"] = json!(30);
    let container = pod["containers"][0].as_object_mut().unwrap();
    container.remove("command");
    container.insert(
        "readinessProbe".to_owned(),
        json!({"httpGet": {"path": "/health/readiness", "port": 5555}, "periodSeconds": 1}),
    );
    manifest
}

fn variables(pairs: &[(&str, &str)]) -> Value {
    pairs
        .iter()
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect()
}

/// Starts a server with a fault, and a client that calls it `attempts` times after each start.
async fn start(scenario: &Scenario, fault: &str, attempts: &str) {
    let fast = [
        ("TLSDEBUG_START_SECONDS", "0"),
        ("TLSDEBUG_STOP_SECONDS", "0"),
        ("TLSDEBUG_FAULT", fault),
    ];
    let server = [&fast[..], &[("TLSDEBUG_ROLE", "server")]].concat();
    let address = format!("bank.{}.svc.cluster.local", scenario.namespace);
    let client = [
        &fast[..],
        &[
            ("JAVA_CUSTOM_OPTS", "-Dorders.region=eu"),
            ("TLSDEBUG_SERVER", "bank.example:443"),
            ("TLSDEBUG_ADDRESS", &address),
            ("TLSDEBUG_ATTEMPTS", attempts),
            ("TLSDEBUG_INTERVAL_MS", "300"),
        ],
    ]
    .concat();
    scenario.apply(&runtime("bank", &variables(&server)));
    scenario.apply(&json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "bank"},
        "spec": {"selector": {"app": "bank"}, "ports": [{"port": 443, "targetPort": 5543}]}
    }));
    scenario.apply(&runtime("orders", &variables(&client)));
    scenario.rolled_out("bank").await;
    scenario.rolled_out("orders").await;
}

/// What `tlsdebug diagnose` says about the log of the pod that the session reads, and how many lines that log has.
fn diagnosed_file(scenario: &Scenario, status: &TLSDebugSessionStatus) -> (Report, u64) {
    let pod = &status.pods.first().expect("a pod was read").name;
    let log = scenario.path(&format!("{pod}.log"));
    let text = scenario.kubectl(&["logs", pod]).done();
    std::fs::write(&log, &text).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_tlsdebug"))
        .args(["diagnose", "--output", "json"])
        .arg(log)
        .output()
        .unwrap();
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    (report, text.lines().count() as u64)
}

/// What is compared: everything that does not name the source.
fn essence(status: &TLSDebugSessionStatus) -> Value {
    let findings: Vec<Value> = status
        .findings
        .iter()
        .map(|finding| {
            let evidence: Vec<_> = finding
                .evidence
                .iter()
                .map(|line| json!([line.line, line.text]))
                .collect();
            json!({
                "cause": finding.cause, "certainty": finding.certainty, "side": finding.side, "peer": finding.peer,
                "count": finding.count, "summary": finding.summary, "remedies": finding.remedies,
                "firstSeen": finding.first_seen, "lastSeen": finding.last_seen, "threads": finding.threads,
                "evidence": evidence
            })
        })
        .collect();
    json!({"verdict": status.verdict, "handshakes": status.handshakes, "findings": findings})
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

/// The same of a report, as a status would hold it.
fn essence_of_report(report: &Report) -> Value {
    let report = report.truncated(Limits::default());
    essence(&TLSDebugSessionStatus {
        verdict: Some(report.verdict),
        handshakes: Some(report.handshakes),
        findings: report.findings,
        ..TLSDebugSessionStatus::default()
    })
}

#[test]
fn missing_intermediate_is_found_and_is_what_the_file_says() {
    scenario("same-report", async |scenario| {
        start(scenario, "missing-intermediate", "3").await;
        let before = scenario.snapshot("orders").await;
        scenario.create_session("session", "orders", &json!({}));
        let status = scenario
            .status_with("session", "three failed handshakes", |status| {
                status.handshakes.is_some_and(|handshakes| handshakes.failed >= 3)
            })
            .await;
        assert_eq!(status.cause.as_deref(), Some("MissingIntermediate"), "{status:#?}");
        assert_eq!(condition(&status, ConditionType::Diagnosed).status, "True");
        // The client has given up, so the log stands still.
        let (report, lines) = diagnosed_file(scenario, &status);
        let status = scenario
            .status_with("session", "the whole log to be read", |status| {
                status.pods[0].lines == lines
            })
            .await;
        assert_eq!(pretty(&essence(&status)), pretty(&essence_of_report(&report)));
        assert_eq!(
            status.cause.as_ref(),
            report.findings.first().map(|finding| &finding.cause)
        );
        assert_eq!(
            status.summary.as_ref(),
            report.findings.first().map(|finding| &finding.summary)
        );

        scenario.stop_session("session");
        let last = scenario.finished("session").await;
        assert_eq!(
            (last.phase, &last.cause, &last.summary),
            (Phase::Completed, &status.cause, &status.summary)
        );
        scenario.assert_as_before("orders", &before).await;
    });
}

#[test]
fn first_failure_ends_the_session() {
    scenario("first-failure", async |scenario| {
        start(scenario, "expired", "0").await;
        let before = scenario.snapshot("orders").await;
        scenario.create_session("session", "orders", &json!({"stopWhen": "FirstFailure"}));
        let status = scenario.finished("session").await;
        assert_eq!(
            (status.phase, status.cause.as_deref()),
            (Phase::Completed, Some("CertificateExpired"))
        );
        assert_eq!(condition(&status, ConditionType::Capturing).reason, "FirstFailure");
        scenario.assert_as_before("orders", &before).await;
    });
}

#[test]
fn failures_with_other_peers_are_named_and_decide_nothing() {
    scenario("no-match", async |scenario| {
        start(scenario, "expired", "2").await;
        scenario.create_session(
            "session",
            "orders",
            &json!({"stopWhen": "FirstFailure", "match": {"serverNames": ["*.payments.example"]}}),
        );
        let status = scenario
            .status_with("session", "two failed handshakes", |status| {
                status.handshakes.is_some_and(|handshakes| handshakes.failed >= 2)
            })
            .await;
        let summary = "2 handshakes failed, none with a peer of spec.match (seen: bank.example).";
        assert_eq!(
            (status.phase, status.cause, status.summary.as_deref()),
            (Phase::Capturing, None, Some(summary))
        );
        scenario.stop_session("session");
        let status = scenario.finished("session").await;
        assert_eq!(
            (status.phase, status.summary.as_deref()),
            (Phase::Completed, Some(summary))
        );
        assert_eq!(condition(&status, ConditionType::Diagnosed).reason, "NoMatch");
    });
}

#[test]
fn good_handshakes_are_an_answer_too() {
    scenario("all-succeeded", async |scenario| {
        start(scenario, "good", "3").await;
        scenario.create_session("session", "orders", &json!({"stopWhen": "FirstFailure"}));
        let status = scenario
            .status_with("session", "three good handshakes", |status| {
                status.handshakes.is_some_and(|handshakes| handshakes.succeeded >= 3)
            })
            .await;
        assert_eq!((status.phase, status.cause), (Phase::Capturing, None));
        scenario.stop_session("session");
        let status = scenario.finished("session").await;
        assert_eq!(status.phase, Phase::Completed);
        assert_eq!(condition(&status, ConditionType::Diagnosed).reason, "AllSucceeded");
    });
}

#[test]
fn counts_alone_are_written_every_two_seconds_at_most() {
    scenario("pace", async |scenario| {
        start(scenario, "good", "0").await;
        scenario.create_session("session", "orders", &json!({}));
        scenario
            .status_with("session", "a good handshake", |status| {
                status.handshakes.is_some_and(|handshakes| handshakes.succeeded > 0)
            })
            .await;
        scenario.settled("orders").await;
        let (begin, writes) = (Instant::now(), scenario.counter("status_writes"));
        let first = scenario.status("session").await.handshakes;
        scenario
            .stays("Capturing", Duration::from_secs(8), async || {
                scenario.status("session").await.phase == Phase::Capturing
            })
            .await;
        let last = scenario.status("session").await.handshakes;
        assert!(last.map(|counts| counts.succeeded) > first.map(|counts| counts.succeeded));
        let writes = scenario.counter("status_writes") - writes;
        assert!(
            writes <= begin.elapsed().as_secs() / 2 + 1,
            "{writes} writes in {:?}",
            begin.elapsed()
        );
    });
}
