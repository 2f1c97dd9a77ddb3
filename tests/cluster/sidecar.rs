//! The example of a sidecar: a namespaced Role, its own pod's log, findings as lines of JSON.

use serde_json::{Value, json};

use crate::diagnosis::start;
use crate::support::scenario;

const EXAMPLE: &str = include_str!("../../deploy/sidecar/example.yaml");

/// The example's objects: the program comes from this machine, and the other container is a client whose handshakes fail.
fn example(address: &str) -> Vec<Value> {
    let mut objects: Vec<Value> = EXAMPLE
        .split("\n---\n")
        .map(|object| serde_norway::from_str(object).unwrap())
        .collect();
    let pod = &mut objects.last_mut().unwrap()["spec"]["template"]["spec"];
    let program = env!("CARGO_BIN_EXE_tlsdebug");
    pod["volumes"] = json!([{"name": "program", "hostPath": {"path": program, "type": "File"}}]);
    let sidecar = &mut pod["initContainers"][0];
    sidecar["image"] = json!("tlsdebug.local/msr:1");
    sidecar["command"] = json!(["/tlsdebug"]);
    sidecar["volumeMounts"] = json!([{"name": "program", "mountPath": "/tlsdebug"}]);
    sidecar["securityContext"]["runAsUser"] = json!(65532);
    sidecar["resources"]["limits"]["memory"] = json!("512Mi");
    let variables = [
        ("TLSDEBUG_START_SECONDS", "0"),
        ("TLSDEBUG_STOP_SECONDS", "0"),
        ("TLSDEBUG_SERVER", "bank.example:443"),
        ("TLSDEBUG_ADDRESS", address),
        ("TLSDEBUG_ATTEMPTS", "0"),
        ("TLSDEBUG_INTERVAL_MS", "300"),
    ];
    let own = pod["containers"][0]["env"].as_array_mut().unwrap();
    own.extend(variables.map(|(name, value)| json!({"name": name, "value": value})));
    objects
}

#[test]
fn a_sidecar_tells_what_it_finds() {
    scenario("sidecar", async |scenario| {
        scenario.kill_operator();
        start(scenario, "missing-intermediate", "1").await;
        for object in example(&format!("bank.{}.svc.cluster.local", scenario.namespace)) {
            scenario.apply(&object);
        }
        scenario.rolled_out("orders-msr").await;
        let lines = async || {
            scenario
                .kubectl(&["logs", "deployment/orders-msr", "--container", "tlsdebug"])
                .stdout
        };
        let causes = async || -> Vec<String> {
            let lines = lines().await;
            let findings = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            findings
                .map(|finding| finding["cause"].as_str().unwrap().to_owned())
                .collect()
        };
        let expected = "MissingIntermediate".to_owned();
        scenario
            .eventually("the finding", async || causes().await.contains(&expected).then_some(()))
            .await;
        let count = causes().await.iter().filter(|cause| **cause == expected).count();
        assert_eq!(count, 1, "a finding is told once");
        let pod = scenario.pods("orders-msr").await.remove(0);
        let address = pod.status.unwrap().pod_ip.unwrap();
        let mut curl = std::process::Command::new("curl");
        curl.args(["--silent", &format!("http://{address}:8081/metrics")]);
        let metrics = crate::support::kubectl::run(&mut curl, "").done();
        assert!(
            metrics.contains("tlsdebug_failed_handshakes_total{cause=\"MissingIntermediate\"}"),
            "{metrics}"
        );
    });
}
