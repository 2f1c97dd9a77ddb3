//! Faults that befall a whole cluster: nothing else may run in it. `make faults` runs them one by one after all others.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use kube::ResourceExt;
use serde_json::json;
use tlsdebug::session::{Phase, TargetKind};

use super::{Ending, LATEST, Lived, Matrix, note};
use crate::support::workloads::{deployment, literal};
use crate::support::{Scenario, kubectl, scenario, table};

const CELL: &str = "Cluster";

/// Sends one of the cluster's servers a signal.
fn signal(server: &str, name: &str) {
    let kubeconfig = PathBuf::from(std::env::var_os("KUBECONFIG").unwrap());
    let pid = std::fs::read_to_string(kubeconfig.with_file_name("pid").join(server)).unwrap();
    let pid = pid.split_whitespace().next().unwrap();
    kubectl::run(Command::new("kill").args([&format!("-{name}"), pid]), "").done();
}

/// Ends one of the cluster's servers at once and starts it again after some seconds.
fn restart(server: &str, seconds: &str) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cluster/restart.sh");
    let cluster = std::env::var("TLSDEBUG_CLUSTER").unwrap();
    kubectl::run(Command::new(script).args([cluster.as_str(), server, seconds]), "").done();
}

async fn answers(scenario: &Scenario) {
    scenario
        .eventually("the API server to answer", async || {
            let ready = kubectl::kubectl(&["get", "--raw", "/readyz", "--request-timeout=3s"]);
            ready.succeeded.then_some(())
        })
        .await;
}

#[test]
#[ignore = "needs a cluster for itself: make faults"]
fn api_server_restarts_at_each_moment() {
    scenario("alone-apiserver", async |scenario| {
        let matrix = Matrix::new(scenario, TargetKind::Deployment, json!({}), Ending::Stopped).await;
        for (number, moment) in [Phase::Injecting, Phase::Capturing, Phase::Restoring]
            .into_iter()
            .enumerate()
        {
            let session = format!("session-{number}");
            matrix.create(&session);
            scenario.reached(&session, Phase::Injecting).await;
            if moment == Phase::Injecting {
                restart("kube-apiserver", "2");
                answers(scenario).await;
            }
            matrix.captures(&session).await;
            if moment == Phase::Capturing {
                restart("kube-apiserver", "2");
                answers(scenario).await;
            }
            let begin = Instant::now();
            scenario.stop_session(&session);
            if moment == Phase::Restoring {
                scenario.reached(&session, moment).await;
                restart("kube-apiserver", "2");
                answers(scenario).await;
            }
            let lived = matrix.is_over(&session, begin).await;
            assert!(lived.template < LATEST, "{:?}", lived.template);
            scenario.assert_as_before("orders", &matrix.before).await;
            note(
                CELL,
                &format!("API server killed and started again, {moment:?}"),
                &lived,
            );
        }
    });
}

#[test]
#[ignore = "needs a cluster for itself: make faults"]
fn store_stands_still_at_the_end() {
    scenario("alone-etcd", async |scenario| {
        let matrix = Matrix::new(scenario, TargetKind::Deployment, json!({}), Ending::Stopped).await;
        matrix.create("session");
        matrix.captures("session").await;
        scenario.stop_session("session");
        signal("etcd", "STOP");
        std::thread::sleep(std::time::Duration::from_secs(25));
        signal("etcd", "CONT");
        let begin = Instant::now();
        answers(scenario).await;
        let lived = matrix.is_over("session", begin).await;
        assert!(lived.template < LATEST, "{:?}", lived.template);
        scenario.assert_as_before("orders", &matrix.before).await;
        note(CELL, "etcd answers nothing for 25 s when the session ends", &lived);
    });
}

#[test]
#[ignore = "needs a cluster for itself: make faults"]
fn node_is_lost() {
    scenario("alone-node", async |scenario| {
        let matrix = Matrix::new(scenario, TargetKind::Deployment, json!({}), Ending::Stopped).await;
        matrix.create("session");
        matrix.captures("session").await;
        scenario.settled("orders").await;
        signal("kubelet", "STOP");
        scenario
            .eventually("the node to be lost", async || {
                let node = kubectl::kubectl(&["get", "nodes"]).done();
                node.contains("NotReady").then_some(())
            })
            .await;
        let (begin, template) = matrix.stopped("session").await;
        signal("kubelet", "CONT");
        let lived = Lived {
            template,
            ..matrix.is_over("session", begin).await
        };
        scenario.assert_as_before("orders", &matrix.before).await;
        note(CELL, "node lost when the session ends, and back again", &lived);
    });
}

#[test]
#[ignore = "needs a cluster for itself: make faults"]
fn definition_is_deleted() {
    scenario("alone-definition", async |scenario| {
        let matrix = Matrix::new(scenario, TargetKind::Deployment, json!({}), Ending::Stopped).await;
        matrix.create("session");
        matrix.captures("session").await;
        let begin = Instant::now();
        let name = "customresourcedefinition/tlsdebugsessions.tlsdebug.io";
        kubectl::kubectl(&["delete", name, "--timeout=60s"]).done();
        let whole = begin.elapsed();
        scenario.assert_as_before("orders", &matrix.before).await;
        let definition = concat!(env!("CARGO_MANIFEST_DIR"), "/crds");
        kubectl::kubectl(&["apply", "--server-side", "--filename", definition]).done();
        kubectl::kubectl(&["wait", "--for", "condition=Established", name]).done();
        // The operator serves it again.
        matrix.create("another");
        matrix.captures("another").await;
        matrix.ends("another").await;
        let lived = Lived {
            status: None,
            template: whole,
            whole,
        };
        note("Session", "definition deleted", &lived);
    });
}

#[test]
#[ignore = "needs a cluster for itself: make faults"]
fn namespace_is_deleted() {
    scenario("alone-namespace", async |scenario| {
        scenario.kill_operator();
        let whole = "watchNamespaces=null,requireAdmissionPolicy=false,admissionPolicy.enabled=false";
        scenario.install_chart(&[whole]);
        let namespace = format!("{}-shop", scenario.namespace);
        kubectl::kubectl(&["create", "namespace", &namespace]).done();
        let create = |object: &serde_json::Value| {
            kubectl::with_input(
                &["--namespace", &namespace, "create", "--filename", "-"],
                &object.to_string(),
            )
            .done();
        };
        create(&deployment("orders", &literal()));
        create(&json!({
            "apiVersion": "tlsdebug.io/v1alpha1", "kind": "TLSDebugSession", "metadata": {"name": "session"},
            "spec": {"target": {"kind": "Deployment", "name": "orders"}}
        }));
        let sessions = kube::Api::<tlsdebug::session::TLSDebugSession>::namespaced(scenario.client.clone(), &namespace);
        scenario
            .eventually("the session to capture", async || {
                let session = sessions.get("session").await.unwrap();
                assert!(session.uid().is_some());
                (session.status?.phase == Phase::Capturing).then_some(())
            })
            .await;
        let begin = Instant::now();
        kubectl::kubectl(&["delete", "namespace", &namespace, "--timeout=60s"]).done();
        let seconds = format!("{:.1}", begin.elapsed().as_secs_f64());
        table::row("faults", &["Session", "namespace deleted", "gone", &seconds, &seconds]);
    });
}
