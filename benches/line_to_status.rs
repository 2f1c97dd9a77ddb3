//! How long after a line is in a container's log its answer is in the status.
//!
//! Measured on a cluster that KUBECONFIG points to, with the operator running: from the container runtime's timestamp of the
//! last line of evidence of a session's first finding to the arrival of that finding at an independent watcher. Run it
//! with `make bench-latency`.
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark may panic")]

mod support;

use std::collections::HashSet;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use tlsdebug::diagnosis::report::Evidence;
use tlsdebug::session::{Phase, TLSDebugSession};
use tokio::sync::mpsc;

use support::{percentile, written};

const WORKLOADS: usize = 5;
const SESSIONS_EACH: usize = 10;
const PATIENCE: Duration = Duration::from_mins(2);

/// The first finding of a session, as the watcher saw it arrive.
struct Arrival {
    session: String,
    at: Timestamp,
    evidence: Evidence,
}

#[tokio::main]
async fn main() {
    let namespace = std::env::var("TLSDEBUG_BENCH_NAMESPACE").unwrap_or_else(|_| "demo".to_owned());
    let client = Client::try_default().await.expect("KUBECONFIG points to a cluster");
    let (arrivals, mut arrived) = mpsc::unbounded_channel();
    tokio::spawn(watch(client.clone(), namespace.clone(), arrivals));

    let mut latencies = Vec::new();
    prepare(&client, &namespace).await;
    for round in 0..SESSIONS_EACH {
        let sessions: Vec<String> = (0..WORKLOADS).map(|index| format!("bench-{round}-{index}")).collect();
        for (index, name) in sessions.iter().enumerate() {
            create(&client, &namespace, name, &workload(index)).await;
        }
        let mut open: Vec<String> = sessions.clone();
        while !open.is_empty() {
            let arrival = tokio::time::timeout(PATIENCE, arrived.recv())
                .await
                .expect("a finding arrives")
                .unwrap();
            if let Some(position) = open.iter().position(|name| *name == arrival.session) {
                open.swap_remove(position);
                let written = written(&client, &namespace, &arrival.evidence).await;
                let written = written.expect("the pod is still there");
                latencies.push(arrival.at.duration_since(written).as_secs_f64());
            }
        }
        for name in &sessions {
            end(&client, &namespace, name).await;
        }
        eprintln!("round {} of {SESSIONS_EACH}", round + 1);
    }
    println!(
        "line to status over {} first findings: p50 {:.0} ms, p95 {:.0} ms, longest {:.0} ms",
        latencies.len(),
        percentile(&latencies, 50),
        percentile(&latencies, 95),
        percentile(&latencies, 100)
    );
    for index in 0..WORKLOADS {
        let deployments = Api::<Deployment>::namespaced(client.clone(), &namespace);
        deployments
            .delete(&workload(index), &DeleteParams::default())
            .await
            .unwrap();
    }
}

fn workload(index: usize) -> String {
    format!("bench-orders-{index}")
}

/// Copies of the demo's client, each with labels of its own.
async fn prepare(client: &Client, namespace: &str) {
    let deployments = Api::<Deployment>::namespaced(client.clone(), namespace);
    let model = deployments.get("orders-msr").await.expect("examples/demo is deployed");
    for index in 0..WORKLOADS {
        let name = workload(index);
        let mut spec = json!(model.spec);
        spec["selector"]["matchLabels"] = json!({"app": name});
        spec["template"]["metadata"]["labels"] = json!({"app": name});
        let copy = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec});
        deployments
            .create(&PostParams::default(), &serde_json::from_value(copy).unwrap())
            .await
            .unwrap();
    }
    for index in 0..WORKLOADS {
        let name = workload(index);
        wait(|| {
            let (deployments, name) = (deployments.clone(), name.clone());
            async move {
                deployments
                    .get(&name)
                    .await
                    .unwrap()
                    .status
                    .is_some_and(|status| status.ready_replicas == Some(1))
            }
        })
        .await;
    }
}

async fn create(client: &Client, namespace: &str, name: &str, workload: &str) {
    let session = json!({
        "apiVersion": "tlsdebug.io/v1alpha1", "kind": "TLSDebugSession", "metadata": {"name": name},
        "spec": {"target": {"kind": "Deployment", "name": workload}, "duration": "5m"}
    });
    let sessions = Api::<TLSDebugSession>::namespaced(client.clone(), namespace);
    sessions
        .create(&PostParams::default(), &serde_json::from_value(session).unwrap())
        .await
        .unwrap();
}

async fn end(client: &Client, namespace: &str, name: &str) {
    let sessions = Api::<TLSDebugSession>::namespaced(client.clone(), namespace);
    let stop = Patch::Merge(json!({"spec": {"stop": true}}));
    sessions.patch(name, &PatchParams::default(), &stop).await.unwrap();
    wait(|| {
        let sessions = sessions.clone();
        async move {
            let status = sessions.get(name).await.unwrap().status.unwrap_or_default();
            assert_ne!(status.phase, Phase::Failed, "{name}: {:?}", status.failure);
            status.phase == Phase::Completed
        }
    })
    .await;
    sessions.delete(name, &DeleteParams::default()).await.unwrap();
}

async fn wait<F: Future<Output = bool>>(mut condition: impl FnMut() -> F) {
    tokio::time::timeout(PATIENCE, async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    })
    .await
    .expect("it happens in time");
}

async fn watch(client: Client, namespace: String, arrivals: mpsc::UnboundedSender<Arrival>) {
    let sessions = Api::<TLSDebugSession>::namespaced(client, &namespace);
    let mut changes = watcher(sessions, watcher::Config::default()).applied_objects().boxed();
    let mut seen = HashSet::new();
    while let Some(session) = changes.try_next().await.unwrap() {
        let at = Timestamp::now();
        let Some(finding) = session.status.as_ref().and_then(|status| status.findings.first()) else {
            continue;
        };
        let Some(evidence) = finding.evidence.iter().max_by_key(|line| line.line) else {
            continue;
        };
        if seen.insert(session.uid()) {
            let _ = arrivals.send(Arrival {
                session: session.name_any(),
                at,
                evidence: evidence.clone(),
            });
        }
    }
}
