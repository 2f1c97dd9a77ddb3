//! Logs as containers write them: of several lives, with lines that are nobody's business, and too much of them.

use std::time::Duration;

use serde_json::{Value, json};
use tlsdebug::session::Phase;

use crate::support::workloads::{deployment, literal};
use crate::support::{Scenario, scenario, table};

const EXPIRED: &str = include_str!("../logs/17.0.15-expired-client.log");
const WRONG_HOST: &str = include_str!("../logs/11.0.33-wronghost-client.log");

/// Deploys containers that run `program` when they have the flag. It finds `logs` as files in `/logs`, and keeps in
/// `/state` what outlives a container.
async fn printing(scenario: &Scenario, program: &str, logs: Value) {
    scenario.apply(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "logs"}, "data": logs}));
    let program = format!(
        "trap 'exit 0' TERM\ncase \"$JAVA_CUSTOM_OPTS\" in *.debug=ssl*)\n{program}\n;; esac\nwhile :; do sleep 1 & wait $!; done"
    );
    let mut manifest = deployment("orders", &literal());
    let pod = &mut manifest["spec"]["template"]["spec"];
    pod["volumes"] = json!([{"name": "logs", "configMap": {"name": "logs"}}, {"name": "state", "emptyDir": {}}]);
    pod["containers"][0]["command"] = json!(["sh", "-c", program]);
    pod["containers"][0]["volumeMounts"] =
        json!([{"name": "logs", "mountPath": "/logs"}, {"name": "state", "mountPath": "/state"}]);
    scenario.apply(&manifest);
    scenario.rolled_out("orders").await;
}

#[test]
fn container_that_restarts_is_read_to_its_last_line() {
    scenario("lives", async |scenario| {
        let program =
            "[ -e /state/first ] || { touch /state/first; cat /logs/expired >&2; exit 1; }\ncat /logs/host >&2";
        printing(scenario, program, json!({"expired": EXPIRED, "host": WRONG_HOST})).await;
        let before = scenario.snapshot("orders").await;
        scenario.create_session("session", "orders", &json!({}));
        let status = scenario
            .status_with("session", "findings of both lives", |status| status.findings.len() == 2)
            .await;
        let causes: Vec<&str> = status.findings.iter().map(|finding| finding.cause.as_str()).collect();
        assert_eq!(causes, ["CertificateExpired", "HostnameMismatch"]);
        scenario.stop_session("session");
        let status = scenario.finished("session").await;
        let mut lives: Vec<_> = status
            .pods
            .iter()
            .map(|life| (life.restarts, life.lines, life.gaps))
            .collect();
        lives.sort_unstable();
        let lines = |log: &str| log.lines().count() as u64;
        assert_eq!(lives, [(0, lines(EXPIRED), 0), (1, lines(WRONG_HOST), 0)]);
        let counts = status.handshakes.unwrap();
        assert_eq!((counts.total, counts.failed), (2, 2));
        scenario.assert_as_before("orders", &before).await;
    });
}

#[test]
fn jvm_that_restarts_in_its_container_has_two_lives_in_one_log() {
    scenario("jvms", async |scenario| {
        // The second JVM numbers its threads anew and begins in the middle of what the first one had begun.
        let program = "head -n 40 /logs/expired >&2\necho 'Restarting the server' \ncat /logs/host >&2";
        printing(scenario, program, json!({"expired": EXPIRED, "host": WRONG_HOST})).await;
        scenario.create_session("session", "orders", &json!({}));
        let status = scenario
            .status_with("session", "the second JVM's finding", |status| {
                !status.findings.is_empty()
            })
            .await;
        assert_eq!(status.cause.as_deref(), Some("HostnameMismatch"));
        scenario.stop_session("session");
        assert_eq!(scenario.finished("session").await.phase, Phase::Completed);
    });
}

#[test]
fn lines_of_the_application_stay_in_the_log() {
    scenario("application-lines", async |scenario| {
        let program = "while IFS= read -r line; do\n\
                       printf '%s\\n' \"$line\" >&2\n\
                       echo \"2026-11-23 14:00:00 INFO customer 4711 pays with card-0815 and password opensesame\"\n\
                       done </logs/expired";
        printing(scenario, program, json!({"expired": EXPIRED})).await;
        scenario.create_session("session", "orders", &json!({}));
        scenario
            .status_with("session", "the finding", |status| {
                status.cause.as_deref() == Some("CertificateExpired")
            })
            .await;
        scenario.stop_session("session");
        assert_eq!(scenario.finished("session").await.phase, Phase::Completed);
        // Whoever may read the session may not be allowed to read the log.
        let written = scenario
            .kubectl(&["get", "tlsdebugsessions,events", "--output", "yaml"])
            .done()
            + &scenario.operator_log();
        for part in ["4711", "card-0815", "opensesame"] {
            assert!(!written.contains(part), "{part} is in:\n{written}");
        }
    });
}

#[test]
fn flood_is_read_in_bounded_memory_up_to_the_limit() {
    scenario("flood", async |scenario| {
        let program = "line=$(head -c 200 /dev/zero | tr '\\0' x)\n(while [ ! -e /state/stop ]; do yes \"$line\" | head -n 100000; done) &";
        printing(scenario, program, json!({})).await;
        let before = scenario.snapshot("orders").await;
        let limit: u64 = 24 << 20;
        scenario.create_session("session", "orders", &json!({"maxLogBytes": limit}));
        let status = scenario
            .status_with("session", "to have read as much as it may", |status| {
                status
                    .warnings
                    .iter()
                    .any(|warning| warning.contains("spec.maxLogBytes"))
            })
            .await;
        let read: u64 = status.pods.iter().map(|pod| pod.bytes).sum();
        // The limit is for what comes from the kubelet, whose timestamps are 31 bytes of 232.
        assert!((limit / 232 * 200..limit).contains(&read), "{read} bytes");
        // In a debug build the program itself has about 35 MB.
        let highest = scenario.highest_memory();
        assert!(highest < 64 << 20, "{highest} bytes of memory");
        scenario
            .stays("Capturing", Duration::from_secs(2), async || {
                scenario.status("session").await.phase == Phase::Capturing
            })
            .await;
        scenario.stop_session("session");
        let status = scenario.finished("session").await;
        assert_eq!(status.phase, Phase::Completed);
        let gaps: u64 = status.pods.iter().map(|pod| pod.gaps).sum();
        let megabytes = [read, highest].map(|bytes| format!("{} MB", bytes / 1_000_000));
        table::row("floods", &[&megabytes[0], &megabytes[1], &gaps.to_string()]);
        scenario.assert_as_before("orders", &before).await;
    });
}
