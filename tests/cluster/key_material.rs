//! A JVM that prints master secrets with its debug output, as JDK 8 did before 8u272: the session ends at once, and nothing
//! of them is in anything that the operator writes.

use serde_json::json;
use tlsdebug::session::Phase;

use crate::support::workloads::{deployment, literal};
use crate::support::{Scenario, scenario};

/// What such a JVM has printed: a handshake that succeeds, and one whose client certificate is missing.
const LOGS: [&str; 2] = [
    include_str!("../logs/8u252-legacy-jsse-ok-tls12-client.log"),
    include_str!("../logs/8u252-legacy-jsse-clientauth-none-tls12-client.log"),
];

/// Deploys containers that print one of these logs when they have the flag.
async fn old_jvm(scenario: &Scenario, log: &str) {
    scenario.apply(&json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "printed"}, "data": {"log": log}
    }));
    let program = "trap 'exit 0' TERM\n\
                   case \"$JAVA_CUSTOM_OPTS\" in *.debug=ssl*) cat /printed/log >&2 ;; esac\n\
                   while :; do sleep 1 & wait $!; done";
    let mut manifest = deployment("orders", &literal());
    let pod = &mut manifest["spec"]["template"]["spec"];
    pod["volumes"] = json!([{"name": "printed", "configMap": {"name": "printed"}}]);
    pod["containers"][0]["command"] = json!(["sh", "-c", program]);
    pod["containers"][0]["volumeMounts"] = json!([{"name": "printed", "mountPath": "/printed"}]);
    scenario.apply(&manifest);
    scenario.rolled_out("orders").await;
}

/// The secrets of a log: the lines of bytes below each title that ends in `Secret:` or `write key:`.
fn secrets(log: &str) -> Vec<&str> {
    let mut is_secret = false;
    let mut secrets = Vec::new();
    for line in log.lines() {
        if line.ends_with("Secret:") || line.ends_with("write key:") {
            is_secret = true;
        } else if let Some((_, bytes)) = line.split_once(": ").filter(|(at, _)| is_secret && at.len() == 4) {
            secrets.push(bytes.get(..23).expect("eight bytes at least"));
        } else {
            is_secret = false;
        }
    }
    secrets
}

/// Looks for secrets in all that the operator has written.
fn assert_told_nobody(scenario: &Scenario, log: &str) {
    let objects = "tlsdebugsessions,events,deployments,replicasets,pods";
    let written = [
        scenario.kubectl(&["get", objects, "--output", "yaml"]).done(),
        scenario.operator_log(),
        scenario.metrics(),
    ];
    let secrets = secrets(log);
    assert!(secrets.len() >= 10, "{secrets:?}");
    for text in written {
        let text = text.to_uppercase();
        for secret in &secrets {
            let joined = secret.replace(' ', "");
            assert!(
                !text.contains(secret) && !text.contains(&joined),
                "{secret} is in:\n{text}"
            );
        }
        assert!(!text.contains("MASTER SECRET:"), "{text}");
    }
}

#[test]
fn ends_the_session_at_once() {
    scenario("key-material", async |scenario| {
        for (number, log) in LOGS.into_iter().enumerate() {
            old_jvm(scenario, log).await;
            let before = scenario.snapshot("orders").await;
            let session = format!("session-{number}");
            scenario.create_session(&session, "orders", &json!({}));
            let failure = scenario.failure(&session).await;
            assert_eq!(failure.reason, "KeyMaterialInLog");
            for part in ["treat that log as secret", "spec.allowKeyMaterial"] {
                assert!(
                    failure.message.contains(part),
                    "{part:?} is not in: {}",
                    failure.message
                );
            }
            assert_told_nobody(scenario, log);
            scenario.assert_as_before("orders", &before).await;
        }
    });
}

#[test]
fn stays_in_the_log_where_the_session_allows_it() {
    scenario("key-material-allowed", async |scenario| {
        let log = LOGS[1];
        old_jvm(scenario, log).await;
        let before = scenario.snapshot("orders").await;
        scenario.create_session("session", "orders", &json!({"allowKeyMaterial": true}));
        let status = scenario
            .status_with("session", "a finding", |status| !status.findings.is_empty())
            .await;
        assert_eq!(status.cause.as_deref(), Some("ClientCertificateMissing"));
        scenario.stop_session("session");
        assert_eq!(scenario.finished("session").await.phase, Phase::Completed);
        assert_told_nobody(scenario, log);
        scenario.assert_as_before("orders", &before).await;
    });
}
