//! What owners and controllers do to a workload while a session is on it. Deleting, pausing, editing and reverting it, and
//! pods that never become ready, are in `meanwhile`, `drift`, `kinds` and `endings`.

use std::time::Instant;

use serde_json::{Value, json};
use tlsdebug::session::conditions::ConditionType;
use tlsdebug::session::{Phase, TargetKind};

use super::{Ending, LATEST, Lived, Matrix, note};
use crate::support::sessions::has_condition;
use crate::support::{Scenario, scenario};

const CELL: &str = "Workload";

async fn matrix(scenario: &Scenario) -> Matrix<'_> {
    Matrix::new(scenario, TargetKind::Deployment, json!({}), Ending::Stopped).await
}

/// Stops the session and waits for the template; then `mend`, and waits for the end. What others have changed stays, so
/// nothing of the session is what is asked for.
async fn ends_after(matrix: &Matrix<'_>, mend: impl AsyncFnOnce()) -> Lived {
    let scenario = matrix.scenario;
    let (begin, template) = matrix.stopped("session").await;
    assert!(template <= LATEST && !scenario.has_flag("orders").await);
    mend().await;
    let lived = Lived {
        template,
        ..matrix.is_over("session", begin).await
    };
    scenario.assert_no_flag("orders").await;
    lived
}

fn completed(lived: &Lived) {
    let status = lived.status.as_ref().unwrap();
    assert_eq!((status.phase, &status.failure), (Phase::Completed, &None));
}

#[test]
#[ignore = "long: make faults"]
fn scaled_to_nothing_and_up_again() {
    scenario("scaled", async |scenario| {
        let matrix = matrix(scenario).await;
        matrix.create("session");
        matrix.captures("session").await;
        for replicas in [0, 1] {
            scenario
                .kubectl(&["scale", "deployment/orders", &format!("--replicas={replicas}")])
                .done();
            scenario.settled("orders").await;
            assert_eq!(scenario.status("session").await.phase, Phase::Capturing);
        }
        let lived = ends_after(&matrix, async || {}).await;
        completed(&lived);
        note(CELL, "scaled to 0 and up", &lived);
    });
}

#[test]
#[ignore = "long: make faults"]
fn scaled_to_nothing_at_the_end() {
    scenario("scaled-at-end", async |scenario| {
        let matrix = matrix(scenario).await;
        matrix.create("session");
        matrix.captures("session").await;
        scenario.kubectl(&["scale", "deployment/orders", "--replicas=0"]).done();
        let lived = ends_after(&matrix, async || {}).await;
        completed(&lived);
        note(CELL, "scaled to 0, and left so", &lived);
    });
}

#[test]
#[ignore = "long: make faults"]
fn scaled_by_an_autoscaler_behind_a_disruption_budget() {
    scenario("autoscaled", async |scenario| {
        let matrix = matrix(scenario).await;
        scenario
            .kubectl(&[
                "create",
                "poddisruptionbudget",
                "orders",
                "--selector=app=orders",
                "--min-available=1",
            ])
            .done();
        matrix.create("session");
        matrix.captures("session").await;
        scenario
            .kubectl(&["autoscale", "deployment/orders", "--min=2", "--max=3"])
            .done();
        scenario
            .eventually("two pods", async || {
                let deployment = scenario.deployments().get("orders").await.unwrap();
                (deployment.spec?.replicas == Some(2)).then_some(())
            })
            .await;
        let lived = ends_after(&matrix, async || {}).await;
        completed(&lived);
        note(
            CELL,
            "scaled by a HorizontalPodAutoscaler, with a PodDisruptionBudget",
            &lived,
        );
    });
}

#[test]
#[ignore = "long: make faults"]
fn rolled_by_its_owner_while_the_flag_comes_in() {
    scenario("rolled", async |scenario| {
        let matrix = matrix(scenario).await;
        matrix.create("session");
        scenario.reached("session", Phase::Injecting).await;
        scenario.kubectl(&["rollout", "restart", "deployment/orders"]).done();
        matrix.captures("session").await;
        let lived = ends_after(&matrix, async || {}).await;
        completed(&lived);
        note(CELL, "rolled by its owner while injecting", &lived);
    });
}

#[test]
#[ignore = "long: make faults"]
fn new_image_that_cannot_be_pulled() {
    scenario("unpulled-meanwhile", async |scenario| {
        let matrix = matrix(scenario).await;
        matrix.create("session");
        matrix.captures("session").await;
        let set_image = |image: &str| {
            scenario
                .kubectl(&[
                    "set",
                    "image",
                    "deployment/orders",
                    &format!("main=tlsdebug.local/{image}:1"),
                ])
                .done();
        };
        set_image("absent");
        let lived = ends_after(&matrix, async || {
            // The pods with the flag serve until the owner has put their image right.
            scenario
                .status_with("session", "to wait", |status| {
                    has_condition(status, ConditionType::Restored, "False", "PodsEnding")
                })
                .await;
            set_image("msr");
        })
        .await;
        completed(&lived);
        note(
            CELL,
            "its owner sets an image that cannot be pulled, and mends it after the end",
            &lived,
        );
    });
}

/// What happens to a pod with the flag that cannot run: the session is stopped while it waits for it.
fn flag_never_runs(name: &str, what: &str, spoil: impl AsyncFnOnce(&Scenario) -> Value) {
    scenario(name, async |scenario| {
        let manifest = spoil(scenario).await;
        let matrix = Matrix::of(scenario, TargetKind::Deployment, json!({}), Ending::Stopped, manifest).await;
        matrix.create("session");
        scenario.reached("session", Phase::Injecting).await;
        scenario
            .eventually("a rollout that does not come to its end", async || {
                let deployment = json!(scenario.deployments().get("orders").await.unwrap());
                let conditions = deployment["status"]["conditions"].as_array()?.clone();
                let is_stuck = conditions.iter().any(|condition| {
                    condition["reason"] == "ProgressDeadlineExceeded" || condition["type"] == "ReplicaFailure"
                });
                is_stuck.then_some(())
            })
            .await;
        assert_eq!(scenario.status("session").await.phase, Phase::Injecting);
        let lived = matrix.ends("session").await;
        completed(&lived);
        note(CELL, what, &lived);
    });
}

#[test]
#[ignore = "long: make faults"]
fn crash_loop_with_the_flag() {
    flag_never_runs("crash-loop", "crash loop of the pod with the flag", async |_| {
        let mut manifest = super::manifest(TargetKind::Deployment);
        manifest["spec"]["progressDeadlineSeconds"] = json!(5);
        let command = &mut manifest["spec"]["template"]["spec"]["containers"][0]["command"][2];
        let program = command.as_str().unwrap();
        *command = json!(format!(
            "case \"$JAVA_CUSTOM_OPTS\" in *.debug=ssl*) exit 1;; esac; {program}"
        ));
        manifest
    });
}

#[test]
#[ignore = "long: make faults"]
fn quota_that_forbids_the_surge() {
    flag_never_runs(
        "quota",
        "a ResourceQuota forbids the pod with the flag",
        async |scenario| {
            scenario.kubectl(&["create", "quota", "pods", "--hard=pods=1"]).done();
            super::manifest(TargetKind::Deployment)
        },
    );
}

#[test]
#[ignore = "long: make faults"]
fn same_manifest_applied_after_the_end() {
    scenario("applied-again", async |scenario| {
        let matrix = matrix(scenario).await;
        matrix.create("session");
        matrix.captures("session").await;
        let lived = matrix.ends("session").await;
        let session = json!({
            "apiVersion": "tlsdebug.io/v1alpha1", "kind": "TLSDebugSession", "metadata": {"name": "session"},
            "spec": {"target": {"kind": "Deployment", "name": "orders"}, "duration": "1h"}
        });
        // `stop` stays where it is, for nobody applies it.
        scenario.apply(&session);
        let mut changed = session.clone();
        changed["spec"]["duration"] = json!("2h");
        let refused = scenario.kubectl_with_input(&["apply", "--filename", "-"], &changed);
        assert!(
            !refused.succeeded && refused.stderr.contains("duration"),
            "{}",
            refused.text()
        );
        scenario
            .stays("Completed", std::time::Duration::from_secs(3), async || {
                scenario.status("session").await.phase == Phase::Completed
            })
            .await;
        scenario.assert_as_before("orders", &matrix.before).await;
        note(
            "Session",
            "applied again after its end, and with a changed spec",
            &lived,
        );
    });
}

#[test]
#[ignore = "long: make faults"]
fn admission_that_takes_the_flag_out_at_once() {
    scenario("admission-strips", async |scenario| {
        let matrix = matrix(scenario).await;
        scenario.install_rewriting("'-Da=1 -Db=2'", "-Da=1 -Db=2").await;
        let begin = Instant::now();
        matrix.create("session");
        let lived = matrix.is_over("session", begin).await;
        let failure = lived.status.as_ref().unwrap().failure.clone().unwrap();
        assert_eq!(failure.reason, "DriftReverted");
        scenario.assert_as_before("orders", &matrix.before).await;
        note("Admission", "rewrites the change: takes the flag out", &lived);
    });
}

#[test]
#[ignore = "long: make faults"]
fn admission_that_adds_to_what_is_written() {
    scenario("admission-adds", async |scenario| {
        let matrix = matrix(scenario).await;
        let value = "object.spec.template.spec.containers[0].env[1].value + ' -Dadded=1'";
        scenario
            .install_rewriting(value, "-Djavax.net.debug=ssl -Dadded=1")
            .await;
        matrix.create("session");
        matrix.captures("session").await;
        assert_eq!(scenario.status("session").await.phase, Phase::Capturing);
        let lived = ends_after(&matrix, async || {}).await;
        completed(&lived);
        let deployment = json!(scenario.deployments().get("orders").await.unwrap());
        let environment = &deployment["spec"]["template"]["spec"]["containers"][0]["env"];
        // As whoever edits it in between: their part stays.
        assert_eq!(environment[1]["value"], "-Da=1 -Db=2 -Dadded=1");
        note("Admission", "rewrites the change: adds to it", &lived);
    });
}
