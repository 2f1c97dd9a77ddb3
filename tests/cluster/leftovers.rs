//! What a session leaves whose finalizer is taken off by force, and what an operator leaves that is killed while it puts
//! that right: found and taken back by the next operator, whatever it was.

use kube::api::{DeleteParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use tlsdebug::session::Phase;
use tlsdebug::workload::ownership::FIELD_MANAGER;
use tlsdebug::workload::{ANNOTATION, Workload, restore};

use crate::support::snapshot::Snapshot;
use crate::support::workloads::{deployment, literal};
use crate::support::{Scenario, scenario};

/// Deploys as a team does that applies on the server, and has a session capture there.
async fn captured(scenario: &Scenario, manifest: &Value) -> Snapshot {
    scenario.apply_as("integration-team", manifest).done();
    scenario.rolled_out("orders").await;
    let before = scenario.snapshot("orders").await;
    scenario.create_session("session", "orders", &json!({}));
    scenario.reached("session", Phase::Capturing).await;
    scenario.settled("orders").await;
    before
}

/// The first write of a restoration, as the operator makes it, and nothing more.
async fn restore_template(scenario: &Scenario) {
    let workload = Workload::from(scenario.deployments().get("orders").await.unwrap());
    let record = workload.record().unwrap().unwrap();
    let (patch, _) = restore::plan(&workload, &record.change);
    let parameters = PatchParams::apply(FIELD_MANAGER);
    scenario
        .deployments()
        .patch("orders", &parameters, &Patch::Json::<()>(patch))
        .await
        .unwrap();
    scenario.rolled_out("orders").await;
}

/// The ReplicaSets of the Deployment that bear a copy of the record: whether each is the one that is in use.
async fn marked(scenario: &Scenario) -> Vec<(String, bool)> {
    let sets = scenario.replica_sets("orders").await;
    sets.iter()
        .filter(|set| set.annotations().contains_key(ANNOTATION))
        .map(|set| {
            let is_used = set.spec.as_ref().and_then(|spec| spec.replicas) != Some(0);
            (set.name_any(), is_used)
        })
        .collect()
}

/// Waits until no trace is left; then everything has to be what it was.
async fn comes_back(scenario: &Scenario, before: &Snapshot) {
    scenario
        .eventually("the traces to be gone", async || {
            let metadata = scenario.deployments().get("orders").await.unwrap().metadata;
            let is_owner = json!(metadata.managed_fields)
                .to_string()
                .contains("\"manager\":\"tlsdebug\"");
            let is_clean = !scenario.has_flag("orders").await && !is_owner;
            (is_clean && marked(scenario).await.is_empty()).then_some(())
        })
        .await;
    scenario.assert_as_before("orders", before).await;
    scenario.kubectl(&["rollout", "undo", "deployment/orders"]);
    assert!(
        !scenario.has_flag("orders").await,
        "kubectl rollout undo brought the flag back"
    );
}

#[test]
fn session_that_is_gone_with_the_flag_still_in() {
    scenario("gone-with-flag", async |scenario| {
        let before = captured(scenario, &deployment("orders", &literal())).await;
        assert_eq!(scenario.metric("active_sessions"), 1);
        scenario.remove_by_force("session");
        // Streams and watches end at once, not with the next sweep.
        scenario
            .eventually("nothing to run beside it", async || {
                (scenario.metric("active_sessions") == 0).then_some(())
            })
            .await;
        comes_back(scenario, &before).await;
    });
}

#[test]
fn killed_after_the_template_was_restored() {
    scenario("gone-owning", async |scenario| {
        let before = captured(scenario, &deployment("orders", &literal())).await;
        scenario.kill_operator();
        restore_template(scenario).await;
        scenario.remove_by_force("session");
        assert_eq!(marked(scenario).await.len(), 1);
        scenario.start_operator();
        comes_back(scenario, &before).await;
    });
}

#[test]
fn killed_after_the_template_was_restored_of_what_keeps_no_revisions() {
    scenario("gone-forgotten", async |scenario| {
        let before = captured(scenario, &deployment("orders", &literal())).await;
        scenario.kill_operator();
        restore_template(scenario).await;
        scenario.remove_by_force("session");
        // As the Deployment controller does where revisionHistoryLimit is 0: the former owners are recorded nowhere now.
        let sets =
            Api::<k8s_openapi::api::apps::v1::ReplicaSet>::namespaced(scenario.client.clone(), &scenario.namespace);
        for (name, is_used) in marked(scenario).await {
            assert!(!is_used);
            sets.delete(&name, &DeleteParams::default()).await.unwrap();
        }
        scenario.start_operator();
        comes_back(scenario, &before).await;
    });
}

#[test]
fn killed_before_the_revision_with_the_flag_was_deleted() {
    scenario("gone-revision", async |scenario| {
        // Nothing of an entry that was not there before has an owner afterwards.
        let manifest = deployment("orders", &json!([{"name": "OTHER", "value": "1"}]));
        let before = captured(scenario, &manifest).await;
        scenario.kill_operator();
        restore_template(scenario).await;
        scenario.remove_by_force("session");
        scenario.start_operator();
        comes_back(scenario, &before).await;
    });
}

#[test]
fn record_that_was_copied_onto_the_owners_revision() {
    scenario("gone-copied", async |scenario| {
        let before = captured(scenario, &deployment("orders", &literal())).await;
        scenario.kill_operator();
        // Somebody takes the flag out and leaves the record: the controller copies it onto the ReplicaSet of before.
        scenario
            .kubectl(&["set", "env", "deployment/orders", "JAVA_CUSTOM_OPTS=-Da=1 -Db=2"])
            .done();
        scenario.settled("orders").await;
        let copies = scenario
            .eventually("the record to be copied", async || {
                Some(marked(scenario).await).filter(|all| all.len() == 2)
            })
            .await;
        assert_eq!(copies.iter().filter(|(_, is_used)| *is_used).count(), 1);
        scenario.remove_by_force("session");
        scenario.start_operator();
        scenario
            .eventually("the copies to be gone", async || {
                marked(scenario).await.is_empty().then_some(())
            })
            .await;
        let after = scenario.snapshot("orders").await;
        assert_eq!(after.revisions(), before.revisions());
        scenario.assert_no_flag("orders").await;
    });
}

#[test]
fn template_that_was_restored_while_the_session_exists() {
    scenario("not-gone", async |scenario| {
        let before = captured(scenario, &deployment("orders", &literal())).await;
        scenario.kill_operator();
        restore_template(scenario).await;
        scenario.start_operator();
        assert_eq!(scenario.failure("session").await.reason, "RestoredByHand");
        // The session itself has seen to all of it, so there is nothing to wait for.
        scenario.assert_as_before("orders", &before).await;
    });
}

#[test]
fn session_that_is_created_before_the_sweep_has_come() {
    scenario("before-sweep", async |scenario| {
        let before = captured(scenario, &deployment("orders", &literal())).await;
        scenario.kill_operator();
        scenario.remove_by_force("session");
        scenario.create_session("next", "orders", &json!({}));
        scenario.start_operator();
        scenario.reached("next", Phase::Capturing).await;
        scenario.stop_session("next");
        assert_eq!(scenario.finished("next").await.phase, Phase::Completed);
        scenario.assert_as_before("orders", &before).await;
    });
}

/// Whoever may change a workload may write its annotations.
#[test]
fn records_that_the_operator_did_not_write() {
    scenario("forged", async |scenario| {
        let before = captured(scenario, &deployment("orders", &literal())).await;
        scenario.kill_operator();
        let record = scenario.deployments().get("orders").await.unwrap().annotations()[ANNOTATION].clone();
        let forge = |name: &str, environment: &Value, change: &Value| {
            let mut forged: Value = serde_json::from_str(&record).unwrap();
            json_patch::merge(&mut forged, change);
            let mut manifest = deployment(name, environment);
            manifest["metadata"]["annotations"][ANNOTATION] = json!(forged.to_string());
            scenario.apply(&manifest);
        };
        let flagged = json!([{"name": "JAVA_CUSTOM_OPTS", "value": "-Da=1 -Db=2 -Djavax.net.debug=ssl,handshake"}]);
        forge("copied", &flagged, &json!({"session": {"namespace": "elsewhere"}}));
        forge(
            "endless",
            &literal(),
            &json!({"deadline": "9999-12-30T22:00:00Z", "appended": ""}),
        );
        forge("far", &literal(), &json!({"deadline": "9999-12-30T22:00:00Z"}));
        scenario.start_operator();
        // A copy from another namespace belongs to no session here.
        scenario
            .eventually("nothing to be left on the copy", async || {
                let metadata = scenario.deployments().get("copied").await.unwrap().metadata;
                let is_owner = json!(metadata.managed_fields).to_string().contains(FIELD_MANAGER);
                let revisions = scenario.replica_sets("copied").await.len();
                (revisions == 1 && !is_owner && !scenario.has_flag("copied").await).then_some(())
            })
            .await;
        scenario.assert_no_flag("copied").await;
        scenario.stop_session("session");
        assert_eq!(scenario.finished("session").await.phase, Phase::Completed);
        scenario.assert_as_before("orders", &before).await;
        assert!(!scenario.operator_log().contains("panicked"));
    });
}
