//! Both ends in a session: the other end's session is made first, read together, and ended with it.

use serde_json::{Value, json};
use tlsdebug::diagnosis::report::Side;
use tlsdebug::session::conditions::ConditionType;
use tlsdebug::session::{Phase, TLSDebugSessionStatus};

use crate::diagnosis::start;
use crate::support::sessions::{condition, has_condition};
use crate::support::snapshot::Snapshot;
use crate::support::workloads::literal;
use crate::support::{Scenario, scenario};

fn with_bank() -> Value {
    json!({"peer": {"kind": "Deployment", "name": "bank"}})
}

/// Two workloads that run no JVM, and what they are before.
async fn two(scenario: &Scenario) -> [(&'static str, Snapshot); 2] {
    for name in ["orders", "bank"] {
        scenario.deployed(name, &literal()).await;
    }
    both_now(scenario).await
}

async fn both_now(scenario: &Scenario) -> [(&'static str, Snapshot); 2] {
    [
        ("orders", scenario.snapshot("orders").await),
        ("bank", scenario.snapshot("bank").await),
    ]
}

async fn assert_both_as_before(scenario: &Scenario, before: &[(&'static str, Snapshot); 2]) {
    for (name, before) in before {
        scenario.assert_as_before(name, before).await;
    }
}

/// Waits until both sessions capture.
async fn both_capture(scenario: &Scenario, session: &str) -> TLSDebugSessionStatus {
    scenario.reached(session, Phase::Capturing).await;
    scenario
        .status_with(session, "the other end to capture", |status| {
            status.peer.as_ref().is_some_and(|peer| peer.phase == Phase::Capturing)
        })
        .await
}

#[test]
fn logs_of_both_ends_are_read_as_one() {
    scenario("both-ends", async |scenario| {
        start(scenario, "expired", "0").await;
        let before = both_now(scenario).await;
        scenario.create_session("session", "orders", &with_bank());
        let told =
            "The client's log holds the same connection and tells the reason as the client sees it: CertificateExpired";
        let status = scenario
            .status_with("session", "what only both ends tell", |status| {
                status
                    .findings
                    .iter()
                    .any(|finding| finding.explanation.starts_with(told))
            })
            .await;
        assert_eq!(status.cause.as_deref(), Some("CertificateExpired"));
        let joined = status
            .findings
            .iter()
            .find(|finding| finding.explanation.starts_with(told))
            .unwrap();
        assert_eq!(
            (joined.side, joined.other_end.as_deref()),
            (Side::Server, Some("CertificateExpired"))
        );
        let sources: Vec<&str> = joined.evidence.iter().map(|line| &line.source[..4]).collect();
        assert!(sources.contains(&"bank") && sources.contains(&"orde"), "{sources:?}");
        assert!(
            status.pods.iter().all(|pod| pod.name.starts_with("orders-")),
            "{:?}",
            status.pods
        );

        let page = scenario.plugin(&["report", "session", "--output", "html"]);
        assert_eq!(page.code, Some(1), "{}", page.stderr);
        assert!(
            page.stdout.contains("in the logs of both ends"),
            "one end only is shown"
        );

        scenario.stop_session("session");
        let status = scenario.finished("session").await;
        let peer = status.peer.unwrap();
        assert_eq!(
            (status.phase, peer.name.as_str(), peer.phase),
            (Phase::Completed, "session-peer", Phase::Completed)
        );
        assert_eq!(scenario.status("session-peer").await.phase, Phase::Completed);
        assert_both_as_before(scenario, &before).await;
        scenario.kubectl(&["delete", "tlsdebugsession", "session"]).done();
        scenario.gone("session-peer").await;
    });
}

#[test]
fn where_the_other_end_is_refused_nothing_is_touched() {
    scenario("peer-refused", async |scenario| {
        let before = two(scenario).await;
        let generation = scenario.deployments().get("orders").await.unwrap().metadata.generation;
        let cases = [
            (
                "missing",
                json!({"peer": {"kind": "Deployment", "name": "nobody"}}),
                "TargetNotFound",
            ),
            (
                "container",
                json!({"peer": {"kind": "Deployment", "name": "bank", "container": "nobody"}}),
                "ContainerNotFound",
            ),
        ];
        for (session, spec, reason) in cases {
            scenario.create_session(session, "orders", &spec);
            let failure = scenario.failure(session).await;
            assert_eq!(failure.reason, "PeerRefused");
            for part in [
                reason,
                &format!("{session}-peer"),
                "Deployment \"orders\" was not touched",
            ] {
                assert!(
                    failure.message.contains(part),
                    "{part:?} is not in: {}",
                    failure.message
                );
            }
        }

        // One workload, one session.
        scenario.create_session("first", "bank", &json!({}));
        scenario.reached("first", Phase::Capturing).await;
        scenario.create_session("second", "orders", &with_bank());
        let failure = scenario.failure("second").await;
        assert_eq!(failure.reason, "PeerRefused");
        assert!(
            failure.message.contains("TargetInUse") && failure.message.contains("/first."),
            "{}",
            failure.message
        );
        assert_eq!(scenario.status("first").await.phase, Phase::Capturing);
        scenario.create_session("second-peer2", "orders", &json!({}));
        scenario.reached("second-peer2", Phase::Capturing).await;
        scenario.stop_session("second-peer2");
        scenario.stop_session("first");
        for session in ["first", "second-peer2"] {
            assert_eq!(scenario.finished(session).await.phase, Phase::Completed);
        }
        let now = scenario.deployments().get("orders").await.unwrap().metadata.generation;
        assert_eq!(
            now,
            generation.map(|generation| generation + 2),
            "it was rolled by its own session alone"
        );
        assert_both_as_before(scenario, &before).await;
    });
}

#[test]
fn name_that_somebody_elses_session_has() {
    scenario("peer-name", async |scenario| {
        let before = two(scenario).await;
        scenario.create_session("session-peer", "bank", &json!({}));
        scenario.reached("session-peer", Phase::Capturing).await;
        scenario.create_session("session", "orders", &with_bank());
        let failure = scenario.failure("session").await;
        assert_eq!(failure.reason, "PeerNameTaken");
        assert!(failure.message.contains("another name"), "{}", failure.message);
        assert_eq!(scenario.status("session-peer").await.phase, Phase::Capturing);
        scenario.stop_session("session-peer");
        assert_eq!(scenario.finished("session-peer").await.phase, Phase::Completed);
        assert_both_as_before(scenario, &before).await;
    });
}

#[test]
fn target_that_is_refused_ends_the_other_end() {
    scenario("peer-alone", async |scenario| {
        let before = two(scenario).await;
        scenario.kubectl(&["rollout", "pause", "deployment/orders"]).done();
        scenario.create_session("paused", "orders", &with_bank());
        let failure = scenario.failure("paused").await;
        assert_eq!(failure.reason, "TargetIsPaused");
        assert!(scenario.session("paused-peer").await.is_none(), "nothing was begun");
        scenario.kubectl(&["rollout", "resume", "deployment/orders"]).done();
        assert_both_as_before(scenario, &before).await;
    });
}

#[test]
fn an_end_that_ends_early_takes_the_other_with_it() {
    scenario("peer-ends", async |scenario| {
        let before = two(scenario).await;
        scenario.create_session("deleted", "orders", &with_bank());
        both_capture(scenario, "deleted").await;
        let delete = ["delete", "tlsdebugsession", "deleted-peer", "--wait=false"];
        scenario.kubectl(&delete).done();
        let status = scenario.finished("deleted").await;
        // It is restored before it is gone, and is seen in either state.
        assert!(status.failure.is_none_or(|failure| failure.reason == "PeerEnded"));
        scenario.gone("deleted-peer").await;
        assert_both_as_before(scenario, &before).await;

        scenario.create_session("stopped", "orders", &with_bank());
        both_capture(scenario, "stopped").await;
        scenario.stop_session("stopped-peer");
        let status = scenario.finished("stopped").await;
        assert_eq!(status.phase, Phase::Completed);
        assert_eq!(condition(&status, ConditionType::Capturing).reason, "PeerEnded");
        assert_both_as_before(scenario, &before).await;

        // Somebody takes the flag out of the other end.
        scenario.create_session("drifted", "orders", &with_bank());
        both_capture(scenario, "drifted").await;
        let out =
            json!([{"op": "replace", "path": "/spec/template/spec/containers/0/env/1/value", "value": "-Da=1 -Db=2"}]);
        scenario
            .kubectl(&[
                "patch",
                "deployment",
                "bank",
                "--type",
                "json",
                "--patch",
                &out.to_string(),
            ])
            .done();
        let failure = scenario.failure("drifted").await;
        assert_eq!(failure.reason, "PeerEnded");
        assert!(failure.message.contains("DriftReverted"), "{}", failure.message);
        scenario.assert_as_before("orders", &before[0].1).await;
    });
}

#[test]
fn both_are_restored_when_the_session_is_deleted_or_expires() {
    scenario("peer-deleted", async |scenario| {
        let before = two(scenario).await;
        scenario.create_session("deleted", "orders", &with_bank());
        both_capture(scenario, "deleted").await;
        scenario.kubectl(&["delete", "tlsdebugsession", "deleted"]).done();
        scenario.gone("deleted-peer").await;
        assert_both_as_before(scenario, &before).await;

        scenario.create_session(
            "expired",
            "orders",
            &json!({"peer": {"kind": "Deployment", "name": "bank"}, "duration": "30s"}),
        );
        let status = scenario.finished("expired").await;
        assert_eq!(
            (status.phase, status.peer.map(|peer| peer.phase)),
            (Phase::Completed, Some(Phase::Completed))
        );
        assert!(has_condition(
            &scenario.status("expired").await,
            ConditionType::Restored,
            "True",
            "Restored"
        ));
        assert_both_as_before(scenario, &before).await;
    });
}

#[test]
fn killed_in_each_phase_with_both_ends() {
    scenario("peer-killed", async |scenario| {
        let before = two(scenario).await;
        scenario.create_session("session", "orders", &with_bank());
        scenario.completes_although_killed_in_each_phase("session").await;
        assert_eq!(scenario.finished("session-peer").await.phase, Phase::Completed);
        assert_both_as_before(scenario, &before).await;
    });
}

#[test]
fn from_a_terminal_both_are_rehearsed_before_anything_is_created() {
    scenario("peer-terminal", async |scenario| {
        let before = two(scenario).await;
        let line = ["start", "deploy/orders", "--peer", "deploy/bank", "--name", "s"];
        let preview = scenario.plugin(&[&line[..], &["--dry-run"]].concat()).done();
        for text in ["Patch of Deployment orders", "Patch of Deployment bank"] {
            assert!(preview.contains(text), "{text}: {preview}");
        }
        let refused = scenario.plugin(&["start", "deploy/orders", "--peer", "deploy/nobody"]);
        assert_eq!(refused.code, Some(2));
        assert!(refused.stderr.contains("TargetNotFound"), "{}", refused.text());
        assert!(scenario.plugin(&["list"]).text().contains("No sessions"));

        scenario.plugin(&line).done();
        both_capture(scenario, "s").await;
        scenario.plugin(&["stop", "s", "--wait"]).done();
        let list = scenario.plugin(&["list"]).done();
        assert!(
            list.contains("deployment/orders") && list.contains("deployment/bank"),
            "{list}"
        );
        assert_both_as_before(scenario, &before).await;
    });
}
