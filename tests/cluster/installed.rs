//! The operator in its own image, installed by the chart: two replicas, of which the leader is taken away in mid-session;
//! upgraded and uninstalled while sessions run.

use std::time::Instant;

use kube::api::ListParams;
use serde_json::json;
use tlsdebug::session::Phase;

use crate::support::workloads::literal;
use crate::support::{scenario, table};

/// Nothing outside of the namespace: of that there is one in the cluster, and another scenario has it.
const ALONE: &str = "admissionPolicy.enabled=false,requireAdmissionPolicy=false,rbac.aggregateToEdit=false";

const LABEL: &str = "pod-security.kubernetes.io/enforce";

#[test]
fn standby_takes_over_in_mid_session() {
    scenario("installed", async |scenario| {
        scenario.kill_operator();
        // What is installed now has to comply with the restricted standard.
        let namespace = scenario.namespace.clone();
        scenario
            .kubectl(&["label", "namespace", &namespace, &format!("{LABEL}=restricted")])
            .done();
        scenario.install_chart(&["replicas=2", "podDisruptionBudget.enabled=true"]);
        scenario.test_chart();
        scenario
            .kubectl(&["label", "namespace", &namespace, &format!("{LABEL}-")])
            .done();

        scenario.deployed("orders", &literal()).await;
        let before = scenario.snapshot("orders").await;
        scenario.create_session("session", "orders", &json!({}));
        scenario.reached("session", Phase::Capturing).await;
        let leases =
            kube::Api::<k8s_openapi::api::coordination::v1::Lease>::namespaced(scenario.client.clone(), &namespace);
        let leader = async || -> Option<String> {
            let lease = leases.list(&ListParams::default()).await.unwrap().items.pop()?;
            let holder = lease.spec?.holder_identity.filter(|holder| !holder.is_empty())?;
            // The pod's name with a random suffix.
            holder.rsplit_once('_').map(|(pod, _)| pod.to_owned())
        };
        let first = leader().await.unwrap();
        scenario.kubectl(&["delete", "pod", &first, "--wait=false"]).done();
        scenario
            .eventually("another leader", async || {
                leader().await.filter(|holder| *holder != first)
            })
            .await;
        scenario.stop_session("session");
        assert_eq!(scenario.finished("session").await.phase, Phase::Completed);
        scenario.assert_as_before("orders", &before).await;
        let pods = scenario
            .kubectl(&[
                "get",
                "pods",
                "--selector",
                "app.kubernetes.io/name=tlsdebug",
                "-o",
                "json",
            ])
            .done();
        assert_eq!(
            pods.matches("\"restartCount\": ").count(),
            pods.matches("\"restartCount\": 0").count(),
            "a replica has failed: {pods}"
        );
    });
}

#[test]
fn upgraded_and_uninstalled_in_mid_session() {
    scenario("uninstalled", async |scenario| {
        scenario.kill_operator();
        scenario.install_chart(&[ALONE, "uninstall.patienceSeconds=60"]);
        scenario.deployed("orders", &literal()).await;
        let before = scenario.snapshot("orders").await;
        scenario.create_session("session", "orders", &json!({}));
        scenario.reached("session", Phase::Capturing).await;

        scenario.upgrade_chart(&["podAnnotations.version=two"]);
        // The pod of before is gone: whatever is restored now, the new one does.
        assert_eq!(scenario.status("session").await.phase, Phase::Capturing);
        assert!(scenario.has_flag("orders").await);

        let begin = Instant::now();
        scenario.uninstall_chart().done();
        let seconds = format!("{:.1}", begin.elapsed().as_secs_f64());
        scenario.assert_as_before("orders", &before).await;
        let session = scenario.session("session").await.unwrap();
        let status = session.status.unwrap();
        assert_eq!((status.phase, status.failure), (Phase::Completed, None));
        assert_eq!(session.metadata.finalizers, None, "nobody would take it off");
        table::row(
            "faults",
            &[
                "Chart",
                "helm uninstall with a running session",
                "Completed",
                &seconds,
                &seconds,
            ],
        );
    });
}

#[test]
#[ignore = "long: make faults"]
fn what_an_uninstallation_cannot_restore_keeps_the_release() {
    scenario("uninstalled-late", async |scenario| {
        scenario.kill_operator();
        scenario.install_chart(&[ALONE, "uninstall.patienceSeconds=5"]);
        scenario.deployed("orders", &literal()).await;
        let before = scenario.snapshot("orders").await;
        scenario.create_session("session", "orders", &json!({}));
        scenario.reached("session", Phase::Capturing).await;
        let scale = |replicas: &str| {
            scenario
                .kubectl(&["scale", "deployment/installed-tlsdebug", replicas])
                .done()
        };
        scale("--replicas=0");
        scenario
            .eventually("the operator to be gone", async || {
                let pods = scenario.kubectl(&[
                    "get",
                    "pods",
                    "--selector",
                    "app.kubernetes.io/name=tlsdebug",
                    "-o",
                    "name",
                ]);
                pods.stdout.is_empty().then_some(())
            })
            .await;
        let refused = scenario.uninstall_chart();
        assert!(!refused.succeeded);
        // Helm puts the Job's output into one quoted line of its own log.
        let remains = refused.text().replace("\\\"", "\"");
        for part in [
            "these are not restored within 5s",
            &format!("{}/session: Capturing, Deployment \"orders\"", scenario.namespace),
            "by hand: ",
            "--no-hooks",
        ] {
            assert!(remains.contains(part), "{part:?} is not in: {remains}");
        }
        scale("--replicas=1");
        scenario.finished("session").await;
        scenario.uninstall_chart().done();
        scenario.assert_as_before("orders", &before).await;
    });
}
