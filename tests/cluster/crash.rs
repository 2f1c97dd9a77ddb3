//! The operator is killed, with no time for a last word, and started again: the session goes on, and in the end the
//! workload is what it was.

use std::time::{Duration, Instant};

use serde_json::json;
use tlsdebug::session::Phase;

use crate::support::random::Random;
use crate::support::workloads::{deployment, literal};
use crate::support::{PATIENCE, scenario};

#[test]
fn killed_once_in_each_phase() {
    scenario("killed-in-phases", async |scenario| {
        let mut manifest = deployment("orders", &literal());
        // Keeps the first rollout going long enough to be killed while Pending.
        manifest["spec"]["minReadySeconds"] = json!(3);
        scenario.apply(&manifest);
        scenario.create_session("session", "orders", &json!({}));
        scenario
            .eventually("the finalizer", async || {
                let session = scenario.session("session").await?;
                session
                    .metadata
                    .finalizers
                    .is_some_and(|all| !all.is_empty())
                    .then_some(())
            })
            .await;
        scenario.kill_operator();
        scenario.rolled_out("orders").await;
        assert_eq!(scenario.status("session").await.phase, Phase::Pending);
        let before = scenario.snapshot("orders").await;
        for phase in [Phase::Injecting, Phase::Capturing, Phase::Restoring, Phase::Completed] {
            scenario.start_operator();
            let status = scenario.reached("session", phase).await;
            assert_eq!((status.phase, status.failure), (phase, None));
            scenario.kill_operator();
            if phase == Phase::Capturing {
                scenario.stop_session("session");
            }
        }
        scenario.assert_as_before("orders", &before).await;
    });
}

#[test]
fn killed_between_the_change_and_its_report() {
    scenario("killed-before-report", async |scenario| {
        scenario.deployed("orders", &literal()).await;
        scenario
            .deployed("payments", &json!([{"name": "OTHER", "value": "1"}]))
            .await;
        let before = (scenario.snapshot("orders").await, scenario.snapshot("payments").await);
        // The change goes through and its report does not, as if the operator were killed in between.
        let no_report = "!has(object.status.phase) || object.status.phase in ['Pending', 'Failed']";
        scenario.install_policy("tlsdebug.io", "tlsdebugsessions/status", no_report);
        scenario.create_session("probe", "nothing", &json!({}));
        scenario.finished("probe").await;
        let report = json!({"status": {"phase": "Injecting"}}).to_string();
        let in_force = async |wanted: bool| {
            scenario
                .eventually("the policy", async || {
                    let arguments = ["patch", "tds", "probe", "--subresource=status", "--dry-run=server"];
                    let patch = scenario.kubectl(&[&arguments[..], &["--type", "merge", "--patch", &report]].concat());
                    (patch.succeeded != wanted).then_some(())
                })
                .await;
        };
        in_force(true).await;
        scenario.create_session("stopped", "orders", &json!({}));
        scenario.create_session("deleted", "payments", &json!({}));
        for name in ["orders", "payments"] {
            scenario
                .eventually("the flag", async || scenario.has_flag(name).await.then_some(()))
                .await;
        }
        scenario.kill_operator();
        assert_eq!(scenario.status("stopped").await.phase, Phase::Pending);
        scenario.remove_policy();
        in_force(false).await;
        scenario.stop_session("stopped");
        scenario
            .kubectl(&["delete", "tlsdebugsession", "deleted", "--wait=false"])
            .done();
        scenario.start_operator();
        assert_eq!(scenario.finished("stopped").await.phase, Phase::Completed);
        scenario.gone("deleted").await;
        scenario.assert_as_before("orders", &before.0).await;
        scenario.assert_as_before("payments", &before.1).await;
    });
}

#[test]
fn killed_again_and_again_at_any_moment() {
    scenario("killed-at-random", async |scenario| {
        let mut random = Random::new();
        let names = ["one", "two", "three"];
        for name in names {
            scenario.apply(&deployment(name, &literal()));
        }
        let mut before = Vec::new();
        for name in names {
            scenario.rolled_out(name).await;
            before.push(scenario.snapshot(name).await);
            scenario.create_session(name, name, &json!({}));
        }
        let begin = Instant::now();
        let mut running = names.to_vec();
        for _ in 0..14 {
            // Starting takes some of it.
            tokio::time::sleep(Duration::from_millis(100 + random.below(900))).await;
            scenario.kill_operator();
            scenario.start_operator();
            if !running.is_empty() && random.below(4) == 0 {
                let index = usize::try_from(random.below(running.len() as u64)).unwrap();
                scenario.stop_session(running.swap_remove(index));
            }
        }
        for name in running {
            scenario.stop_session(name);
        }
        for (name, before) in names.iter().zip(&before) {
            let status = scenario.finished(name).await;
            assert_eq!(status.phase, Phase::Completed, "{status:?}");
            scenario.assert_as_before(name, before).await;
        }
        assert!(begin.elapsed() < PATIENCE);
    });
}

#[test]
fn pod_that_is_gone_when_the_operator_comes_back() {
    scenario("pod-gone-meanwhile", async |scenario| {
        scenario.deployed("orders", &literal()).await;
        let before = scenario.snapshot("orders").await;
        scenario.create_session("session", "orders", &json!({}));
        let status = scenario
            .status_with("session", "to read a pod", |status| !status.pods.is_empty())
            .await;
        scenario.settled("orders").await;
        scenario.kill_operator();
        scenario.kubectl(&["delete", "pod", &status.pods[0].name]).done();
        scenario.start_operator();
        // The answer that was drawn from the old pod stands, and what the new one prints is added to it.
        let status = scenario
            .status_with("session", "to read the new pod", |status| status.pods.len() == 2)
            .await;
        assert_eq!(status.phase, Phase::Capturing);
        scenario.stop_session("session");
        assert_eq!(scenario.finished("session").await.phase, Phase::Completed);
        scenario.assert_as_before("orders", &before).await;
    });
}

#[test]
fn two_operators_that_both_believe_to_be_the_leader() {
    scenario("two-operators", async |scenario| {
        let names = ["one", "two"];
        for name in names {
            scenario.apply(&deployment(name, &literal()));
        }
        let mut before = Vec::new();
        for name in names {
            scenario.rolled_out(name).await;
            before.push(scenario.snapshot(name).await);
        }
        let other = scenario.another_operator();
        for name in names {
            scenario.create_session(name, name, &json!({}));
        }
        for name in names {
            scenario.reached(name, Phase::Capturing).await;
            scenario.stop_session(name);
        }
        for (name, before) in names.iter().zip(&before) {
            let status = scenario.finished(name).await;
            assert_eq!((status.phase, status.failure), (Phase::Completed, None));
            scenario.assert_as_before(name, before).await;
        }
        drop(other);
    });
}
