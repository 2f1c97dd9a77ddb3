//! Sessions that come at the wrong moment: one waits for a rollout, of two one is refused.

use serde_json::json;
use tlsdebug::session::Phase;
use tlsdebug::session::conditions::ConditionType;

use crate::support::scenario;
use crate::support::sessions::has_condition;
use crate::support::workloads::{deployment, literal};

#[test]
fn of_two_sessions_at_once_one_is_refused() {
    scenario("refused-of-two", async |scenario| {
        scenario.deployed("orders", &literal()).await;
        let before = scenario.snapshot("orders").await;
        // One request: the operator sees both before it has served either.
        let session = |name| {
            json!({
                "apiVersion": "tlsdebug.io/v1alpha1", "kind": "TLSDebugSession", "metadata": {"name": name},
                "spec": {"target": {"kind": "Deployment", "name": "orders"}}
            })
        };
        let both = json!({"apiVersion": "v1", "kind": "List", "items": [session("one"), session("two")]});
        scenario
            .kubectl_with_input(&["create", "--filename", "-"], &both)
            .done();
        let (held, refused) = scenario
            .eventually("one of two sessions to be refused", async || {
                let (one, two) = (scenario.status("one").await, scenario.status("two").await);
                match (one.phase, two.phase) {
                    (Phase::Failed, _) => Some(("two", one)),
                    (_, Phase::Failed) => Some(("one", two)),
                    _ => None,
                }
            })
            .await;
        assert_eq!(refused.failure.unwrap().reason, "TargetInUse");
        scenario.reached(held, Phase::Capturing).await;
        scenario.stop_session(held);
        assert_eq!(scenario.finished(held).await.phase, Phase::Completed);
        scenario.assert_as_before("orders", &before).await;
    });
}

#[test]
fn rollout_in_progress_is_waited_for() {
    scenario("waits-for-rollout", async |scenario| {
        let mut manifest = deployment("orders", &literal());
        let container = &mut manifest["spec"]["template"]["spec"]["containers"][0];
        container["readinessProbe"] = json!({"exec": {"command": ["test", "-e", "/tmp/ready"]}, "periodSeconds": 1});
        scenario.apply(&manifest);
        scenario.create_session("session", "orders", &json!({}));
        let status = scenario
            .status_with("session", "to wait", |status| {
                has_condition(status, ConditionType::Accepted, "False", "RolloutInProgress")
            })
            .await;
        assert_eq!(status.phase, Phase::Pending);
        let summary = status.summary.unwrap();
        assert!(
            summary.contains("Deployment \"orders\"") && summary.contains("spec.progressDeadline"),
            "{summary}"
        );
        assert!(!scenario.has_flag("orders").await);

        let make_ready = async |replicas: usize| {
            scenario
                .eventually("the pods to be there", async || {
                    let running = scenario.pods("orders").await.into_iter().filter(|pod| {
                        pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Running")
                    });
                    let names: Vec<_> = running.filter_map(|pod| pod.metadata.name).collect();
                    (names.len() >= replicas).then(|| {
                        for name in names {
                            scenario.kubectl(&["exec", &name, "--", "touch", "/tmp/ready"]);
                        }
                    })
                })
                .await;
        };
        make_ready(1).await;
        scenario.reached("session", Phase::Injecting).await;
        make_ready(2).await;
        scenario.reached("session", Phase::Capturing).await;
        scenario.stop_session("session");
        assert_eq!(scenario.reached("session", Phase::Restoring).await.failure, None);
        make_ready(1).await;
        scenario
            .eventually("the session to end", async || {
                make_ready(1).await;
                scenario.status("session").await.phase.is_finished().then_some(())
            })
            .await;
        assert_eq!(scenario.status("session").await.phase, Phase::Completed);
        scenario.assert_no_flag("orders").await;
    });
}

#[test]
fn a_workload_that_never_starts_is_told_by_its_pod() {
    scenario("waits-for-stuck", async |scenario| {
        let mut crashing = deployment("crashing", &literal());
        let container = &mut crashing["spec"]["template"]["spec"]["containers"][0];
        container["command"] = json!(["sh", "-c", "exit 1"]);
        // Without it the container is ready until the kubelet sees its end.
        container["readinessProbe"] = json!({"exec": {"command": ["false"]}});
        scenario.apply(&crashing);
        let mut unpulled = deployment("unpulled", &literal());
        unpulled["spec"]["template"]["spec"]["containers"][0]["image"] = json!("tlsdebug.local/absent:1");
        scenario.apply(&unpulled);
        for (name, word, way) in [
            ("crashing", "CrashLoopBackOff", "kubectl logs -n"),
            ("unpulled", "ImagePullBackOff", "kubectl describe pod -n"),
        ] {
            scenario.create_session(name, name, &json!({}));
            let status = scenario
                .status_with(name, "to name the pod", |status| {
                    has_condition(status, ConditionType::Accepted, "False", "RolloutStuck")
                })
                .await;
            let pod = scenario.pods(name).await.remove(0).metadata.name.unwrap();
            let summary = status.summary.unwrap();
            for part in [pod.as_str(), "\"main\"", word, way, "kubectl rollout undo"] {
                assert!(summary.contains(part), "{part:?} is not in: {summary}");
            }
            assert_eq!(status.phase, Phase::Pending);
            assert!(!scenario.has_flag(name).await);
        }
    });
}
