//! The operator in its own image, installed by the chart: two replicas, of which the leader is taken away in mid-session.

use kube::api::ListParams;
use serde_json::json;
use tlsdebug::session::Phase;

use crate::support::scenario;
use crate::support::workloads::literal;

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
        scenario.install_chart(&["replicas=2"]);
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
