//! Of several replicas one acts: what happens when it is killed, or stopped and continued. All replicas have the same name.

use std::time::{Duration, Instant};

use kube::Api;
use serde_json::json;
use tlsdebug::operator::lease::DURATION;
use tlsdebug::session::Phase;

use crate::support::operator::Operator;
use crate::support::snapshot::Snapshot;
use crate::support::workloads::literal;
use crate::support::{Scenario, scenario};

async fn holder(scenario: &Scenario) -> Option<String> {
    let leases: Api<k8s_openapi::api::coordination::v1::Lease> =
        Api::namespaced(scenario.client.clone(), &scenario.namespace);
    let lease = leases.get_opt("tlsdebug").await.unwrap()?;
    lease.spec?.holder_identity.filter(|holder| !holder.is_empty())
}

async fn other_holder(scenario: &Scenario, than: &str) -> String {
    scenario
        .eventually("another leader", async || {
            holder(scenario).await.filter(|holder| holder != than)
        })
        .await
}

async fn first_holder(scenario: &Scenario) -> String {
    other_holder(scenario, "").await
}

/// Two replicas, the first of which leads and carries out a session.
struct Replicas {
    leader: Operator,
    standby: Operator,
    /// The leader's name in the lease.
    first: String,
    before: Snapshot,
}

async fn capturing(scenario: &Scenario) -> Replicas {
    scenario.kill_operator();
    let leader = scenario.replica("leader.log");
    let first = first_holder(scenario).await;
    let standby = scenario.replica("standby.log");
    scenario.deployed("orders", &literal()).await;
    let before = scenario.snapshot("orders").await;
    scenario.create_session("session", "orders", &json!({}));
    scenario.reached("session", Phase::Capturing).await;
    Replicas {
        leader,
        standby,
        first,
        before,
    }
}

#[test]
fn standby_takes_over_from_a_leader_that_is_killed() {
    scenario("leader-killed", async |scenario| {
        let Replicas {
            leader,
            standby,
            first,
            before,
        } = capturing(scenario).await;
        assert_eq!(holder(scenario).await.as_ref(), Some(&first), "the standby waits");
        drop(leader);
        let killed = Instant::now();
        other_holder(scenario, &first).await;
        // The standby looks every other second, and its request takes a moment.
        let without = killed.elapsed();
        assert!(without < DURATION + Duration::from_secs(4), "no leader for {without:?}");
        scenario.stop_session("session");
        assert_eq!(scenario.finished("session").await.phase, Phase::Completed);
        scenario.assert_as_before("orders", &before).await;
        drop(standby);
    });
}

#[test]
fn leader_that_was_stopped_longer_than_its_lease_writes_nothing_more() {
    scenario("leader-stopped", async |scenario| {
        let Replicas {
            leader,
            standby,
            first,
            before,
        } = capturing(scenario).await;
        leader.signal("STOP");
        let second = other_holder(scenario, &first).await;

        // There is something to be written, and nobody who may is awake.
        standby.signal("STOP");
        scenario.settled("orders").await;
        scenario.stop_session("session");
        leader.signal("CONT");
        let succeeded = scenario
            .eventually("the leader of before to give up", async || leader.ended())
            .await;
        assert!(!succeeded, "it ends with an error, to be started anew");
        assert_eq!(scenario.status("session").await.phase, Phase::Capturing);
        assert!(scenario.has_flag("orders").await);
        assert_eq!(holder(scenario).await, Some(second));

        // Nobody else has taken the lease, so it is still the standby's.
        standby.signal("CONT");
        assert_eq!(scenario.finished("session").await.phase, Phase::Completed);
        scenario.assert_as_before("orders", &before).await;
    });
}

#[test]
fn probes_tell_of_every_loop() {
    scenario("probes", async |scenario| {
        scenario.kill_operator();
        let leader = scenario.replica("leader.log");
        first_holder(scenario).await;
        let standby = scenario.replica("standby.log");
        // The controller's first sign of life comes though there is not a single session.
        let sessions = format!("sessions in {}: ok", scenario.namespace);
        scenario
            .eventually("signs of life", async || {
                let alive = leader.ask("/livez");
                assert!(alive.starts_with("HTTP/1.1 200"), "{alive}");
                let is_whole = ["lease: ok", "sweep: ok", &sessions]
                    .iter()
                    .all(|loops| alive.contains(loops));
                is_whole.then_some(())
            })
            .await;
        let standby = standby.ask("/livez");
        assert!(
            standby.starts_with("HTTP/1.1 200") && standby.contains("lease: ok"),
            "{standby}"
        );
    });
}
