//! The operator under load: many sessions at once, over many log streams.
//!
//! Measured on a cluster that KUBECONFIG points to, with the operator of the chart running: its memory, its processor time,
//! what it asks the API server for, how long after a line its answer is in the status, and how long after a session's end the
//! workload is restored. Most pods run on a node of this program ([`kubelet`]): their logs are made, not written by containers.
//! The others are containers of the cluster's own node. Run it with `make bench-operator`.
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark may panic")]

mod figures;
mod kubelet;
mod log;
mod process;
#[path = "../support/mod.rs"]
mod support;
mod watching;
mod workloads;

use std::time::Duration;

use kube::Client;
use tokio::time::{Instant, sleep};

use figures::Figures;
use kubelet::Kubelet;
use process::{Process, Requests};
use watching::Watching;

/// The sessions, each on a Deployment of its own.
const SESSIONS: usize = 100;
/// Of these, the ones whose pods are containers.
const REAL_SESSIONS: usize = 10;
/// Pods of each Deployment.
const REPLICAS: usize = 3;
/// From the first pod that is read on.
const DURATION: Duration = Duration::from_mins(2);
/// Sessions are created as people and pipelines would at most, not all in one moment.
const CREATED_A_SECOND: u32 = 10;
const PATIENCE: Duration = Duration::from_mins(10);

pub const NAMESPACE: &str = "bench";

#[tokio::main]
async fn main() {
    let client = Client::try_default().await.expect("KUBECONFIG points to a cluster");
    let operator = Process::of_the_chart(&client).await;
    eprintln!("the operator at rest: 30 s");
    sleep(Duration::from_secs(30)).await;
    let idle = operator.memory();

    let kubelet = Kubelet::start(client.clone()).await;
    eprintln!("{SESSIONS} Deployments, {} pods", SESSIONS * REPLICAS);
    workloads::create_all(&client).await;
    workloads::ready(&client).await;

    let watching = Watching::start(&client, kubelet.clone());
    let requests = Requests::from_now_on();
    let (begin, busy) = (Instant::now(), operator.processor_time());
    eprintln!("{SESSIONS} sessions of {} s", DURATION.as_secs());
    let samples = operator.sample();
    for number in 0..SESSIONS {
        workloads::create_session(&client, number).await;
        sleep(Duration::from_secs(1) / CREATED_A_SECOND).await;
    }
    let mut told = Instant::now();
    while watching.finished() < SESSIONS {
        assert!(
            begin.elapsed() < PATIENCE,
            "{} sessions have ended",
            watching.finished()
        );
        sleep(Duration::from_millis(500)).await;
        if told.elapsed() > Duration::from_secs(15) {
            told = Instant::now();
            eprintln!(
                "  {:.0} s: {} capture, {} have ended, {} findings",
                begin.elapsed().as_secs_f64(),
                watching.capturing(),
                watching.finished(),
                watching.findings()
            );
        }
    }
    let figures = Figures {
        idle,
        samples: samples.end().await,
        highest: operator.highest_memory(),
        processor_time: operator.processor_time().saturating_sub(busy),
        whole: begin.elapsed(),
        requests: requests.counts(),
        watched: watching.end(),
    };
    print!("{figures}");
}
