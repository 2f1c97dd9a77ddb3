//! Shapes of the variable: the JVM gets the flag behind whatever it got before, and the template comes back to the byte.

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};
use tlsdebug::session::Phase;

use crate::restoration::comes_back;
use crate::support::workloads::{FLAG, deployment};
use crate::support::{Scenario, scenario};

/// What the variable comes from where it is no literal.
fn sources() -> Value {
    json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "options"}, "data": {
            "JAVA_CUSTOM_OPTS": "-Dfrom=config-map -Dq=\"x y\"", "JAVA_TOOL_OPTIONS": "-Dtool=1", "other": "$(HOME)"
        }},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "secrets"}, "stringData": {"options": "-Dpassword=geheim"}}
    ]})
}

fn from_config_map() -> Value {
    json!({"configMapKeyRef": {"name": "options", "key": "JAVA_CUSTOM_OPTS"}})
}

/// The pod of `orders` that carries the flag.
async fn flagged(scenario: &Scenario) -> Pod {
    let pods = scenario.pods("orders").await;
    let carries = |pod: &&Pod| pod.metadata.deletion_timestamp.is_none() && json!(pod.spec).to_string().contains(FLAG);
    pods.iter().find(carries).expect("a pod with the flag").clone()
}

/// A variable as the process in a container of the pod with the flag sees it.
async fn seen(scenario: &Scenario, container: &str, variable: &str) -> String {
    let pod = flagged(scenario).await.metadata.name.unwrap();
    let answer = scenario.kubectl(&[
        "exec",
        &pod,
        "--container",
        container,
        "--",
        "sh",
        "-c",
        &format!("echo \"${variable}\""),
    ]);
    answer.done().trim_end().to_owned()
}

/// A session on `orders` until its pods have the flag; then `expected` is what the process got.
async fn gets(scenario: &Scenario, session: &str, spec: &Value, variable: &str, expected: &str) {
    scenario.create_session(session, "orders", spec);
    scenario.reached(session, Phase::Capturing).await;
    let container = spec["target"]["container"].as_str().unwrap_or("main");
    assert_eq!(seen(scenario, container, variable).await, expected, "{session}");
    scenario.stop_session(session);
    let status = scenario.finished(session).await;
    assert_eq!(status.phase, Phase::Completed, "{status:?}");
}

#[test]
fn value_from_elsewhere_comes_back() {
    scenario("value-from", async |scenario| {
        scenario.apply(&sources());
        for (name, source, expected) in [
            ("config-map", from_config_map(), "-Dfrom=config-map -Dq=\"x y\""),
            (
                "secret",
                json!({"secretKeyRef": {"name": "secrets", "key": "options"}}),
                "-Dpassword=geheim",
            ),
            (
                "field",
                json!({"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.labels['app']"}}),
                "orders",
            ),
        ] {
            let environment = json!([
                {"name": "FIRST", "value": "1"}, {"name": "JAVA_CUSTOM_OPTS", "valueFrom": source}, {"name": "LAST", "value": "3"}
            ]);
            scenario
                .apply_as("integration-team", &deployment("orders", &environment))
                .done();
            scenario.rolled_out("orders").await;
            let before = scenario.snapshot("orders").await;
            gets(
                scenario,
                name,
                &json!({}),
                "JAVA_CUSTOM_OPTS",
                &format!("{expected} {FLAG}"),
            )
            .await;
            scenario.assert_as_before("orders", &before).await;
            // The owner's next apply is no conflict.
            scenario
                .apply_as("integration-team", &deployment("orders", &environment))
                .done();
            scenario
                .kubectl(&["delete", "deployment", "orders", "--cascade=foreground"])
                .done();
            let status = json!(scenario.status(name).await).to_string();
            assert!(!status.contains("geheim") && !scenario.operator_log().contains("geheim"));
        }
    });
}

#[test]
fn value_from_elsewhere_of_a_client_side_apply_comes_back() {
    scenario("value-from-client", async |scenario| {
        scenario.apply(&sources());
        let environment = json!([{"name": "JAVA_CUSTOM_OPTS", "valueFrom": from_config_map()}]);
        comes_back(scenario, &deployment("orders", &environment), |manifest| {
            scenario.apply(manifest);
        })
        .await;
    });
}

#[test]
fn value_of_a_whole_config_map_comes_back() {
    scenario("env-from", async |scenario| {
        scenario.apply(&sources());
        let mut manifest = deployment("orders", &Value::Null);
        manifest["spec"]["template"]["spec"]["containers"][0]["envFrom"] = json!([
            {"prefix": "DB_", "secretRef": {"name": "secrets"}}, {"configMapRef": {"name": "options"}}
        ]);
        scenario.apply_as("integration-team", &manifest).done();
        scenario.rolled_out("orders").await;
        let before = scenario.snapshot("orders").await;
        let expected = format!("-Dfrom=config-map -Dq=\"x y\" {FLAG}");
        gets(scenario, "set-there", &json!({}), "JAVA_CUSTOM_OPTS", &expected).await;
        scenario.assert_as_before("orders", &before).await;
        let absent = json!({"variable": "JAVA_DEBUGGER_OPTS"});
        gets(scenario, "not-set-there", &absent, "JAVA_DEBUGGER_OPTS", FLAG).await;
        scenario.assert_as_before("orders", &before).await;
    });
}

#[test]
fn variable_that_is_listed_twice_comes_back() {
    scenario("listed-twice", async |scenario| {
        let twice =
            json!([{"name": "JAVA_CUSTOM_OPTS", "value": "-Da=1"}, {"name": "JAVA_CUSTOM_OPTS", "value": "-Da=2"}]);
        // Neither apply takes it.
        let create = ["create", "--validate=false", "--filename", "-"];
        scenario
            .kubectl_with_input(&create, &deployment("orders", &twice))
            .done();
        scenario.rolled_out("orders").await;
        let before = scenario.snapshot("orders").await;
        gets(
            scenario,
            "session",
            &json!({}),
            "JAVA_CUSTOM_OPTS",
            &format!("-Da=2 {FLAG}"),
        )
        .await;
        scenario.assert_as_before("orders", &before).await;
    });
}

#[test]
fn quotes_and_a_setting_of_its_own_come_back() {
    scenario("own-setting", async |scenario| {
        let value = "-Djavax.net.debug=all  -Dq=\"x y\" -Ds='z'";
        let environment =
            json!([{"name": "JAVA_CUSTOM_OPTS", "value": value}, {"name": "JDK_JAVA_OPTIONS", "value": FLAG}]);
        scenario
            .apply_as("integration-team", &deployment("orders", &environment))
            .done();
        scenario.rolled_out("orders").await;
        let before = json!(scenario.deployments().get("orders").await.unwrap());
        for (session, variable, expected) in [
            ("quotes", "JAVA_CUSTOM_OPTS", format!("{value} {FLAG}")),
            ("same-flag", "JDK_JAVA_OPTIONS", format!("{FLAG} {FLAG}")),
            ("tool", "JAVA_TOOL_OPTIONS", FLAG.to_owned()),
            ("debugger", "JAVA_DEBUGGER_OPTS", FLAG.to_owned()),
        ] {
            scenario.settled("orders").await;
            gets(scenario, session, &json!({"variable": variable}), variable, &expected).await;
            let after = json!(scenario.deployments().get("orders").await.unwrap());
            assert_eq!(after["spec"], before["spec"], "{session}");
        }
        scenario
            .apply_as("integration-team", &deployment("orders", &environment))
            .done();
    });
}

#[test]
fn sidecar_comes_back() {
    scenario("sidecar", async |scenario| {
        let environment = json!([{"name": "JAVA_CUSTOM_OPTS", "value": "-Da=1"}]);
        let mut manifest = deployment("orders", &environment);
        let spec = &mut manifest["spec"]["template"]["spec"];
        let mut sidecar = spec["containers"][0].clone();
        sidecar["name"] = json!("proxy");
        sidecar["restartPolicy"] = json!("Always");
        let mut init = spec["containers"][0].clone();
        init["name"] = json!("prepare");
        init["command"] = json!(["echo", "prepared"]);
        spec["initContainers"] = json!([init, sidecar]);
        scenario.apply_as("integration-team", &manifest).done();
        scenario.rolled_out("orders").await;
        let before = scenario.snapshot("orders").await;
        let expected = format!("-Da=1 {FLAG}");
        gets(
            scenario,
            "proxy",
            &json!({"target": {"container": "proxy"}}),
            "JAVA_CUSTOM_OPTS",
            &expected,
        )
        .await;
        scenario.assert_as_before("orders", &before).await;
        // One that is no sidecar has ended when the pod is ready: its log is read all the same.
        scenario.create_session("prepare", "orders", &json!({"target": {"container": "prepare"}}));
        scenario
            .status_with("prepare", "to have read its line", |status| {
                status.phase == Phase::Capturing && status.pods.iter().any(|pod| pod.lines == 1)
            })
            .await;
        let spec = json!(flagged(scenario).await.spec);
        assert_eq!(spec["initContainers"][0]["env"][0]["value"], expected);
        scenario.stop_session("prepare");
        assert_eq!(scenario.finished("prepare").await.phase, Phase::Completed);
        scenario.assert_as_before("orders", &before).await;
    });
}

#[test]
fn moved_entry_after_an_edit_and_with_the_restore_command() {
    scenario("value-from-edited", async |scenario| {
        scenario.apply(&sources());
        let environment = json!([{"name": "JAVA_CUSTOM_OPTS", "valueFrom": from_config_map()}]);
        let manifest = deployment("orders", &environment);
        scenario.apply_as("integration-team", &manifest).done();
        scenario.rolled_out("orders").await;
        let before = json!(scenario.deployments().get("orders").await.unwrap());
        scenario.create_session("by-hand", "orders", &json!({}));
        let status = scenario.reached("by-hand", Phase::Capturing).await;
        // Whoever applies the source meanwhile is refused and changes nothing.
        assert!(!scenario.apply_as("integration-team", &manifest).succeeded);
        scenario.kill_operator();
        let command = status.restore_command.unwrap();
        crate::support::kubectl::run(std::process::Command::new("sh").args(["-c", &command]), "").done();
        scenario.start_operator();
        assert_eq!(scenario.failure("by-hand").await.reason, "RestoredByHand");
        scenario.assert_no_flag("orders").await;
        scenario.apply_as("integration-team", &manifest).done();
        let after = json!(scenario.deployments().get("orders").await.unwrap());
        assert_eq!(after["spec"], before["spec"]);
        assert!(!after["metadata"].to_string().contains("tlsdebug.io") && !after.to_string().contains("\"tlsdebug\""));
    });
}
