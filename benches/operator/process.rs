//! The operator's process, as `/proc` and the API server's audit log show it.

#[path = "../../tests/cluster/support/memory.rs"]
mod memory;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use memory::memory;

/// Of `/proc/PID/stat` (proc(5)): hundredths of a second on Linux.
const TICKS_A_SECOND: f64 = 100.0;

#[derive(Debug, Clone, Copy)]
pub struct Process {
    pid: u32,
}

/// The memory over time, in bytes.
pub struct Samples {
    is_over: Arc<AtomicBool>,
    task: JoinHandle<Vec<u64>>,
}

impl Process {
    /// The one replica of the chart's operator.
    pub async fn of_the_chart(client: &Client) -> Self {
        let pods = Api::<Pod>::all(client.clone());
        let operator = ListParams::default().labels("app.kubernetes.io/name=tlsdebug");
        let pods = pods.list(&operator).await.unwrap().items;
        let [pod] = pods.as_slice() else {
            panic!("{} operators run, not one", pods.len());
        };
        let uid = pod.uid().unwrap();
        let is_own = |pid: &u32| {
            let file = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
            file("cgroup").contains(&uid) && file("cmdline").contains("operator")
        };
        let processes = fs::read_dir("/proc").unwrap();
        let pids = processes.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
        let pid = pids.into_iter().find(is_own).expect("the operator's process");
        Self { pid }
    }

    /// Resident, in bytes.
    pub fn memory(self) -> u64 {
        memory(self.pid, "VmRSS")
    }

    /// The most that was ever resident, in bytes.
    pub fn highest_memory(self) -> u64 {
        memory(self.pid, "VmHWM")
    }

    /// Of user and kernel.
    pub fn processor_time(self) -> Duration {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap();
        let (_, fields) = text.rsplit_once(") ").unwrap();
        let ticks: f64 = fields
            .split(' ')
            .skip(11)
            .take(2)
            .map(|ticks| ticks.parse::<f64>().unwrap())
            .sum();
        Duration::from_secs_f64(ticks / TICKS_A_SECOND)
    }

    /// Looks at the memory once a second.
    pub fn sample(self) -> Samples {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = is_over.clone();
        let task = tokio::spawn(async move {
            let mut samples = Vec::new();
            while !over.load(Ordering::Relaxed) {
                samples.push(self.memory());
                sleep(Duration::from_secs(1)).await;
            }
            samples
        });
        Samples { is_over, task }
    }
}

impl Samples {
    pub async fn end(self) -> Vec<u64> {
        self.is_over.store(true, Ordering::Relaxed);
        self.task.await.unwrap()
    }
}

/// What the operator asks the API server for.
pub struct Requests {
    audit: PathBuf,
    begin: u64,
}

impl Requests {
    pub fn from_now_on() -> Self {
        let audit = PathBuf::from(std::env::var_os("KUBECONFIG").unwrap())
            .with_file_name("log")
            .join("audit.log");
        let begin = audit.metadata().unwrap().len();
        Self { audit, begin }
    }

    /// How many of each, such as `patch deployments`, and whether one was a watch of pods without a selector.
    pub fn counts(&self) -> (BTreeMap<String, usize>, bool) {
        let mut file = fs::File::open(&self.audit).unwrap();
        file.seek(SeekFrom::Start(self.begin)).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        let mut counts = BTreeMap::new();
        let mut has_watched_all = false;
        for event in text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
            let field = |name: &str| event["objectRef"][name].as_str().unwrap_or_default().to_owned();
            let user = event["user"]["username"].as_str().unwrap_or_default();
            if !user.starts_with("system:serviceaccount:") || !user.ends_with(":tlsdebug") {
                continue;
            }
            // A watch is told of when it begins and when it ends.
            if event["verb"] == "watch" && event["stage"] != "ResponseComplete" {
                continue;
            }
            let subresource = Some(field("subresource")).filter(|name| !name.is_empty());
            let resource = field("resource") + &subresource.map_or_else(String::new, |name| format!("/{name}"));
            let verb = event["verb"].as_str().unwrap_or_default();
            *counts.entry(format!("{verb} {resource}")).or_default() += 1;
            let uri = event["requestURI"].as_str().unwrap_or_default();
            has_watched_all |= verb == "watch" && resource == "pods" && !uri.contains("labelSelector=");
        }
        (counts, has_watched_all)
    }
}
