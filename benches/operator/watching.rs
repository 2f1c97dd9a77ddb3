//! What an independent watcher sees of the sessions and their workloads, and when.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use futures::TryStreamExt;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use tlsdebug::diagnosis::report::Evidence;
use tlsdebug::session::{Phase, TLSDebugSession};
use tokio::task::JoinSet;

use super::NAMESPACE;
use super::kubelet::Kubelet;
use super::support::written;

/// Seen so far; times in seconds.
#[derive(Debug, Default)]
pub struct Watched {
    phases: HashMap<String, Phase>,
    expiries: HashMap<String, Timestamp>,
    seen: HashSet<(String, String)>,
    /// From a line until its answer was in the status.
    pub line_to_status: Vec<f64>,
    /// The same for lines that containers have written, by the container runtime's time.
    pub line_to_status_of_containers: Vec<f64>,
    /// From the end of a session until the flag was out of the template.
    pub expiry_to_template: Vec<f64>,
    /// From the end of a session until no pod had the flag.
    pub expiry_to_restored: Vec<f64>,
    /// Read from all logs, in bytes.
    pub bytes: u64,
    /// Sessions that have not ended as planned.
    pub failed: usize,
    /// Stretches of logs that could not be read.
    pub gaps: u64,
}

pub struct Watching {
    watched: Arc<Mutex<Watched>>,
    tasks: JoinSet<()>,
}

impl Watching {
    pub fn start(client: &Client, kubelet: Kubelet) -> Self {
        let watched = Arc::<Mutex<Watched>>::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(watch_sessions(client.clone(), kubelet, watched.clone()));
        tasks.spawn(watch_templates(client.clone(), watched.clone()));
        Self { watched, tasks }
    }

    pub fn capturing(&self) -> usize {
        self.count(|phase| phase == Phase::Capturing)
    }

    pub fn finished(&self) -> usize {
        self.count(Phase::is_finished)
    }

    pub fn findings(&self) -> usize {
        self.watched.lock().unwrap().seen.len()
    }

    fn count(&self, is_meant: impl Fn(Phase) -> bool) -> usize {
        let watched = self.watched.lock().unwrap();
        watched.phases.values().filter(|phase| is_meant(**phase)).count()
    }

    pub fn end(mut self) -> Watched {
        self.tasks.abort_all();
        std::mem::take(&mut self.watched.lock().unwrap())
    }
}

async fn watch_sessions(client: Client, kubelet: Kubelet, watched: Arc<Mutex<Watched>>) {
    let sessions = Api::<TLSDebugSession>::namespaced(client.clone(), NAMESPACE);
    watcher(sessions, watcher::Config::default())
        .default_backoff()
        .applied_objects()
        .try_for_each(async |session| {
            let now = Timestamp::now();
            for evidence in watched.lock().unwrap().see(&session, &kubelet, now) {
                let (client, watched) = (client.clone(), watched.clone());
                tokio::spawn(async move {
                    if let Some(written) = written(&client, NAMESPACE, &evidence).await {
                        let seconds = now.duration_since(written).as_secs_f64();
                        watched.lock().unwrap().line_to_status_of_containers.push(seconds);
                    }
                });
            }
            Ok(())
        })
        .await
        .unwrap();
}

impl Watched {
    /// Returns the last lines of evidence that containers have written.
    fn see(&mut self, session: &TLSDebugSession, kubelet: &Kubelet, now: Timestamp) -> Vec<Evidence> {
        let name = session.name_any();
        let Some(status) = &session.status else {
            return Vec::new();
        };
        if let Some(expiry) = status.expires_at.as_ref().and_then(|time| time.parse().ok()) {
            self.expiries.insert(name.clone(), expiry);
        }
        let before = self.phases.insert(name.clone(), status.phase);
        if status.phase.is_finished() && before != Some(status.phase) {
            self.failed += usize::from(status.phase == Phase::Failed);
            self.bytes += status.pods.iter().map(|pod| pod.bytes).sum::<u64>();
            self.gaps += status.pods.iter().map(|pod| pod.gaps).sum::<u64>();
            if let Some(expiry) = self.expiries.get(&name) {
                self.expiry_to_restored.push(now.duration_since(*expiry).as_secs_f64());
            }
        }
        let mut of_containers = Vec::new();
        for finding in &status.findings {
            let Some(evidence) = finding.evidence.iter().max_by_key(|line| line.line) else {
                continue;
            };
            if !self.seen.insert((name.clone(), finding.cause.clone())) {
                continue;
            }
            match kubelet.sent(&evidence.source) {
                Some(sent) => self.line_to_status.push(now.duration_since(sent).as_secs_f64()),
                None => of_containers.push(evidence.clone()),
            }
        }
        of_containers
    }
}

async fn watch_templates(client: Client, watched: Arc<Mutex<Watched>>) {
    let deployments = Api::<Deployment>::namespaced(client, NAMESPACE);
    let mut flagged = HashSet::new();
    watcher(deployments, watcher::Config::default())
        .default_backoff()
        .applied_objects()
        .try_for_each(|deployment| {
            let now = Timestamp::now();
            let name = deployment.name_any();
            if json!(deployment.spec).to_string().contains("javax.net.debug") {
                flagged.insert(name);
            } else if flagged.remove(&name) {
                let mut watched = watched.lock().unwrap();
                if let Some(expiry) = watched.expiries.get(&name) {
                    let seconds = now.duration_since(*expiry).as_secs_f64();
                    watched.expiry_to_template.push(seconds);
                }
            }
            futures::future::ready(Ok(()))
        })
        .await
        .unwrap();
}
