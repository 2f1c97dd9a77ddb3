//! The operator is killed before and after each single write of a session's life, and started again. The writes are
//! enumerated: the n-th of them is killed at for every n, until a session ends without having come so far.

use serde_json::{Value, json};
use tlsdebug::session::{Phase, TargetKind};

use super::{Ending, Matrix, note};
use crate::support::faults::{Fault, Request, Rule};
use crate::support::scenario;

/// Kills at each write for which `concerns` holds. Returns how many there were.
async fn killed_at_each(matrix: &Matrix<'_>, cell: &str, concerns: fn(&Request) -> bool) -> usize {
    let proxy = matrix.scenario.proxied();
    let (mut kills, mut sessions) = (0, 0);
    for fault in [Fault::KillBefore, Fault::KillAfter] {
        for number in 0.. {
            let session = format!("session-{sessions}");
            sessions += 1;
            proxy.add(Rule::new(fault, concerns).after(number).times(1));
            matrix.create(&session);
            matrix.captures(&session).await;
            let lived = matrix.ends(&session).await;
            let killed_at = proxy.clear().pop();
            if let Some(status) = &lived.status {
                assert_eq!(
                    (status.phase, &status.failure),
                    (Phase::Completed, &None),
                    "{killed_at:?}"
                );
            }
            let Some(request) = killed_at else { break };
            kills += 1;
            let what = format!("operator {fault}, write {}: {request}", number + 1);
            note(cell, &what, &lived);
        }
    }
    kills
}

fn every_write(name: &str, kind: TargetKind, spec: &Value, ending: Ending, at_least: usize) {
    scenario(name, async |scenario| {
        let matrix = Matrix::new(scenario, kind, spec.clone(), ending).await;
        let cell = format!("{kind} {ending:?}");
        let kills = killed_at_each(&matrix, &cell, Request::is_write).await;
        assert!(kills >= 2 * at_least, "killed {kills} times");
    });
}

#[test]
fn at_the_change_and_its_undoing() {
    scenario("killed-at-template", async |scenario| {
        let matrix = Matrix::new(scenario, TargetKind::Deployment, json!({}), Ending::Stopped).await;
        let kills = killed_at_each(&matrix, "Deployment Stopped", Request::is_of_template).await;
        assert_eq!(kills, 4, "before and after the change, before and after its undoing");
    });
}

// The writes that there are at least: finalizer, four phases, the change, its undoing, ownership, the revision, finalizer.

#[test]
#[ignore = "long: make faults"]
fn at_each_write_on_a_deployment() {
    every_write(
        "killed-deployment",
        TargetKind::Deployment,
        &json!({}),
        Ending::Stopped,
        10,
    );
}

#[test]
#[ignore = "long: make faults"]
fn at_each_write_on_a_stateful_set() {
    every_write(
        "killed-statefulset",
        TargetKind::StatefulSet,
        &json!({}),
        Ending::Stopped,
        10,
    );
}

#[test]
#[ignore = "long: make faults"]
fn at_each_write_on_a_daemon_set() {
    every_write(
        "killed-daemonset",
        TargetKind::DaemonSet,
        &json!({}),
        Ending::Stopped,
        10,
    );
}

#[test]
#[ignore = "long: make faults"]
fn at_each_write_of_a_session_that_is_deleted() {
    every_write("killed-deleted", TargetKind::Deployment, &json!({}), Ending::Deleted, 9);
}

#[test]
#[ignore = "long: make faults"]
fn at_each_write_of_a_session_that_deletes_itself() {
    let spec = json!({"ttlAfterFinished": "1s"});
    every_write("killed-own-end", TargetKind::Deployment, &spec, Ending::Stopped, 11);
}

#[test]
#[ignore = "long: make faults"]
fn at_each_write_of_a_clone() {
    let spec = json!({"strategy": "Clone"});
    every_write("killed-clone", TargetKind::Deployment, &spec, Ending::Stopped, 6);
}

#[test]
#[ignore = "long: make faults"]
fn at_the_first_writes_of_the_lease() {
    scenario("killed-lease", async |scenario| {
        let matrix = Matrix::new(scenario, TargetKind::Deployment, json!({}), Ending::Stopped).await;
        scenario.use_lease();
        let proxy = scenario.proxied();
        let is_claim = |request: &Request| request.is_of_lease() && request.method != axum::http::Method::GET;
        // It is taken, and renewed; whoever comes next waits until it is over.
        for (number, fault) in [0, 1, 2]
            .into_iter()
            .flat_map(|number| [(number, Fault::KillBefore), (number, Fault::KillAfter)])
        {
            let session = format!("session-{number}-{fault:?}").to_lowercase();
            proxy.add(Rule::new(fault, is_claim).after(number).times(1));
            matrix.create(&session);
            matrix.captures(&session).await;
            scenario
                .eventually("the operator to be killed", async || {
                    scenario.keep_operator();
                    (proxy.hits() == 1).then_some(())
                })
                .await;
            let lived = matrix.ends(&session).await;
            let request = proxy.clear().remove(0);
            note(
                "Lease",
                &format!("operator {fault}, write {}: {request}", number + 1),
                &lived,
            );
        }
    });
}
