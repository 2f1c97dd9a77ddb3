//! How sessions end: by their duration, by their time to live, stopped before they began, and deleted in any phase.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::json;
use tlsdebug::session::Phase;
use tlsdebug::session::conditions::ConditionType;

use crate::support::faults::Request;
use crate::support::scenario;
use crate::support::sessions::{condition, has_condition};
use crate::support::workloads::{deployment, literal};

#[test]
fn expires_and_costs_nothing_while_nothing_happens() {
    scenario("expires", async |scenario| {
        scenario.deployed("orders", &literal()).await;
        let before = scenario.snapshot("orders").await;
        scenario.create_session("session", "orders", &json!({"duration": "30s"}));
        let status = scenario.reached("session", Phase::Capturing).await;
        let time = |text: Option<&String>| text.unwrap().parse::<Timestamp>().unwrap();
        let (started, expires) = (time(status.started_at.as_ref()), time(status.expires_at.as_ref()));
        assert_eq!(expires.duration_since(started).as_secs(), 30);

        scenario.settled("orders").await;
        scenario.quiet().await;
        let looks = scenario.counter("reconciles");
        let writes = scenario.counter("status_writes");
        scenario
            .stays("Capturing", Duration::from_secs(8), async || {
                scenario.status("session").await.phase == Phase::Capturing
            })
            .await;
        let looks = scenario.counter("reconciles") - looks;
        assert!(looks <= 3, "{looks} looks in 8 s in which nothing happened");
        assert_eq!(scenario.counter("status_writes"), writes);

        let status = scenario.reached("session", Phase::Restoring).await;
        let late = Timestamp::now().duration_since(expires);
        assert!((0..10).contains(&late.as_secs()), "restored {late:#} after its end");
        assert_eq!(condition(&status, ConditionType::Capturing).reason, "Expired");
        let status = scenario.finished("session").await;
        assert_eq!((status.phase, status.restore_command), (Phase::Completed, None));
        scenario.assert_as_before("orders", &before).await;
        let looks = scenario.counter("reconciles");
        assert!(looks < 80, "{looks} looks at one session");
    });
}

#[test]
fn from_the_end_to_the_restored_template_nothing_is_read() {
    scenario("restored-at-once", async |scenario| {
        scenario.deployed("orders", &literal()).await;
        let before = scenario.snapshot("orders").await;
        let proxy = scenario.proxied();
        scenario.create_session("session", "orders", &json!({}));
        scenario.reached("session", Phase::Capturing).await;
        scenario.settled("orders").await;
        scenario.stop_session("session");
        assert_eq!(scenario.finished("session").await.phase, Phase::Completed);
        scenario.assert_as_before("orders", &before).await;
        // The lease, the streams and the watches go on beside it.
        let is_of_the_look = |request: &Request| !request.is_of_lease() && !request.is_log() && !request.is_watch();
        let requests = proxy.requests();
        let of_the_end = requests
            .iter()
            .filter(|request| is_of_the_look(request))
            .map(ToString::to_string)
            .skip_while(|request| !request.ends_with("(Restoring)"));
        assert_eq!(
            of_the_end.take(2).collect::<Vec<_>>(),
            [
                "PATCH tlsdebugsessions/status (Restoring)",
                "PATCH deployments (template)"
            ]
        );
    });
}

#[test]
fn stopped_or_deleted_before_it_began() {
    scenario("ends-pending", async |scenario| {
        let mut manifest = deployment("orders", &literal());
        manifest["spec"]["minReadySeconds"] = json!(300);
        scenario.apply(&manifest);
        for name in ["stopped", "deleted"] {
            scenario.create_session(name, "orders", &json!({}));
            scenario
                .status_with(name, "to wait", |status| {
                    has_condition(status, ConditionType::Accepted, "False", "RolloutInProgress")
                })
                .await;
        }
        scenario.stop_session("stopped");
        let status = scenario.finished("stopped").await;
        assert_eq!(status.phase, Phase::Completed);
        assert_eq!(status.summary.as_deref(), Some("Stopped before anything was changed."));
        scenario
            .kubectl(&["delete", "tlsdebugsession", "deleted", "--wait=false"])
            .done();
        scenario.gone("deleted").await;
        let deployment = scenario.deployments().get("orders").await.unwrap();
        assert_eq!(deployment.metadata.generation, Some(1), "it was touched");
    });
}

#[test]
fn deleted_in_every_phase() {
    scenario("deleted-in-phases", async |scenario| {
        let phases = [Phase::Injecting, Phase::Capturing, Phase::Restoring];
        let name = |phase: Phase| format!("{phase:?}").to_lowercase();
        for phase in phases {
            scenario.apply(&deployment(&name(phase), &literal()));
        }
        for phase in phases {
            let name = name(phase);
            scenario.rolled_out(&name).await;
            let before = scenario.snapshot(&name).await;
            scenario.create_session(&name, &name, &json!({}));
            if phase == Phase::Restoring {
                scenario.reached(&name, Phase::Capturing).await;
                scenario.stop_session(&name);
            }
            assert_eq!(scenario.reached(&name, phase).await.phase, phase);
            scenario
                .kubectl(&["delete", "tlsdebugsession", &name, "--wait=false"])
                .done();
            scenario.gone(&name).await;
            // The finalizer keeps the session until the workload is restored, so there is nothing to wait for.
            scenario.assert_as_before(&name, &before).await;
        }
    });
}

#[test]
fn ended_session_deletes_itself_or_can_be_deleted_without_an_operator() {
    scenario("after-its-end", async |scenario| {
        scenario.create_session("short-lived", "nothing", &json!({"ttlAfterFinished": "1s"}));
        scenario.create_session("kept", "nothing", &json!({}));
        assert_eq!(scenario.finished("kept").await.phase, Phase::Failed);
        scenario.gone("short-lived").await;
        scenario
            .eventually("its finalizer to be gone", async || {
                scenario
                    .session("kept")
                    .await?
                    .metadata
                    .finalizers
                    .is_none()
                    .then_some(())
            })
            .await;
        scenario.kill_operator();
        scenario
            .kubectl(&["delete", "tlsdebugsession", "kept", "--timeout=10s"])
            .done();
    });
}

#[test]
fn pods_that_never_become_ready_with_the_flag() {
    scenario("progress-deadline", async |scenario| {
        let mut manifest = deployment("orders", &literal());
        let container = &mut manifest["spec"]["template"]["spec"]["containers"][0];
        let only_without = "case \"$JAVA_CUSTOM_OPTS\" in *.debug=ssl*) exit 1;; esac";
        container["readinessProbe"] = json!({"exec": {"command": ["sh", "-c", only_without]}, "periodSeconds": 1});
        scenario.apply_as("integration-team", &manifest).done();
        scenario.rolled_out("orders").await;
        let before = scenario.snapshot("orders").await;
        scenario.create_session("session", "orders", &json!({"progressDeadline": "1m"}));
        scenario.reached("session", Phase::Injecting).await;
        let begin = Instant::now();
        let status = scenario.reached("session", Phase::Restoring).await;
        let late = begin.elapsed();
        assert!((58..75).contains(&late.as_secs()), "restored after {late:?}");
        let failure = status.failure.unwrap();
        assert_eq!(failure.reason, "ProgressDeadlineExceeded");
        for part in ["spec.progressDeadline", "not ready", "events"] {
            assert!(
                failure.message.contains(part),
                "{part:?} is not in: {}",
                failure.message
            );
        }
        let status = scenario.finished("session").await;
        assert_eq!((status.phase, status.failure.as_ref()), (Phase::Failed, Some(&failure)));
        assert_eq!(condition(&status, ConditionType::Restored).status, "True");
        scenario.assert_as_before("orders", &before).await;
        assert_eq!(
            scenario.phases.of("session"),
            [Phase::Pending, Phase::Injecting, Phase::Restoring, Phase::Failed]
        );
    });
}

#[test]
fn the_next_session_does_not_read_pods_of_the_one_before() {
    scenario("one-after-another", async |scenario| {
        let mut manifest = deployment("orders", &literal());
        let pod = &mut manifest["spec"]["template"]["spec"];
        pod["terminationGracePeriodSeconds"] = json!(20);
        // It does not end when asked to.
        pod["containers"][0]["command"] = json!(["sh", "-c", "trap : TERM; while :; do sleep 1 & wait $!; done"]);
        scenario.apply(&manifest);
        scenario.rolled_out("orders").await;
        scenario.create_session("first", "orders", &json!({}));
        scenario.reached("first", Phase::Capturing).await;
        let first = scenario
            .status_with("first", "to read a pod", |status| !status.pods.is_empty())
            .await
            .pods[0]
            .clone();
        scenario.stop_session("first");
        scenario.finished("first").await;

        scenario.create_session("second", "orders", &json!({}));
        let status = scenario
            .status_with("second", "to read a pod", |status| !status.pods.is_empty())
            .await;
        let earlier = scenario
            .pods("orders")
            .await
            .into_iter()
            .find(|pod| pod.metadata.uid.as_deref() == Some(&first.uid));
        assert!(earlier.is_some(), "{} has ended too early to show anything", first.name);
        assert!(
            status.pods.iter().all(|pod| pod.uid != first.uid),
            "it reads {}",
            first.name
        );
        scenario.stop_session("second");
        let status = scenario.finished("second").await;
        assert!(
            status.pods.iter().all(|pod| pod.uid != first.uid),
            "it read {}",
            first.name
        );
    });
}
