//! A session from its beginning to its end, and that the workload is afterwards what it was.

use serde_json::{Value, json};
use tlsdebug::session::Phase;

use crate::support::workloads::{deployment, literal};
use crate::support::{Scenario, scenario};

/// The phases of a session that ends as planned.
const COMPLETE: [Phase; 5] = [
    Phase::Pending,
    Phase::Injecting,
    Phase::Capturing,
    Phase::Restoring,
    Phase::Completed,
];

/// What every one of these scenarios is about; `next` is the owner's next apply.
pub async fn comes_back(scenario: &Scenario, manifest: &Value, apply: impl Fn(&Value)) {
    apply(manifest);
    scenario.rolled_out("orders").await;
    let before = scenario.snapshot("orders").await;

    scenario.create_session("session", "orders", &json!({}));
    scenario.reached("session", Phase::Capturing).await;
    assert!(scenario.has_flag("orders").await);
    scenario.stop_session("session");
    let status = scenario.finished("session").await;

    assert_eq!(status.phase, Phase::Completed, "{status:?}");
    scenario.assert_as_before("orders", &before).await;
    assert_eq!(scenario.phases.of("session"), COMPLETE);

    // There is no earlier revision, or it is one without the flag.
    scenario.kubectl(&["rollout", "undo", "deployment/orders"]);
    assert!(
        !scenario.has_flag("orders").await,
        "kubectl rollout undo brought the flag back"
    );

    let mut next = manifest.clone();
    next["spec"]["template"]["spec"]["containers"][0]["env"] =
        json!([{"name": "JAVA_CUSTOM_OPTS", "value": "-Dthe.next=one"}]);
    apply(&next);
    let deployment = json!(scenario.rolled_out("orders").await);
    assert_eq!(
        deployment["spec"]["template"]["spec"]["containers"][0]["env"],
        next["spec"]["template"]["spec"]["containers"][0]["env"]
    );
}

fn without_force(scenario: &Scenario) -> impl Fn(&Value) {
    |manifest| {
        scenario.apply_as("integration-team", manifest).done();
    }
}

#[test]
fn literal_of_a_server_side_apply_comes_back() {
    scenario("literal-server-side", async |scenario| {
        comes_back(scenario, &deployment("orders", &literal()), without_force(scenario)).await;
    });
}

#[test]
fn literal_of_a_client_side_apply_comes_back() {
    scenario("literal-client-side", async |scenario| {
        comes_back(scenario, &deployment("orders", &literal()), |manifest| {
            scenario.apply(manifest);
        })
        .await;
    });
}

#[test]
fn literal_that_json_may_write_in_two_ways_comes_back() {
    scenario("literal-escapes", async |scenario| {
        let value = r#"-Durl=https://bank.example/?a=1&b=<2> -Dc="x y" -Dd='\d+' -De=é"#;
        let environment = json!([{"name": "JAVA_CUSTOM_OPTS", "value": value}]);
        comes_back(scenario, &deployment("orders", &environment), without_force(scenario)).await;
    });
}

#[test]
fn empty_literal_comes_back() {
    scenario("literal-empty", async |scenario| {
        let environment = json!([{"name": "JAVA_CUSTOM_OPTS"}]);
        comes_back(scenario, &deployment("orders", &environment), without_force(scenario)).await;
    });
}

#[test]
fn absent_variable_in_a_list_comes_back() {
    scenario("absent-in-list", async |scenario| {
        let environment = json!([{"name": "OTHER", "value": "1"}]);
        comes_back(scenario, &deployment("orders", &environment), without_force(scenario)).await;
    });
}

#[test]
fn absent_variable_without_a_list_comes_back() {
    scenario("absent-without-list", async |scenario| {
        comes_back(scenario, &deployment("orders", &Value::Null), |manifest| {
            scenario.apply(manifest);
        })
        .await;
    });
}
