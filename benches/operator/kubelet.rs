//! A node whose pods run nothing: each is ready at once and gone at once, and prints what [`log`](super::log) makes.

use std::collections::HashMap;
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures::{StreamExt, TryStreamExt};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::NAMESPACE;
use super::log::{FAILURES, PodLog};

/// The name of the node, and of the label that its pods select it by.
pub const NODE: &str = "paced";
/// The address of the cluster's own node, which is in its certificate.
const ADDRESS: &str = "10.244.0.1";
const PORT: u16 = 10260;
/// Between two pieces of a log.
const TICK: Duration = Duration::from_millis(100);
/// No handshake fails before, for all sessions to have begun, and all have failed some time later.
const FIRST_FAILURE: Duration = Duration::from_secs(20);
const BETWEEN_FAILURES: Duration = Duration::from_millis(211);
/// The first numbers of pods, in turns of this many.
const TURN: usize = 300;

/// The node.
#[derive(Clone)]
pub struct Kubelet(Arc<Mutex<HashMap<String, Running>>>);

struct Running {
    workload: String,
    log: PodLog,
    /// When the failed handshake was sent.
    sent: Option<Timestamp>,
}

impl Kubelet {
    /// Registers the node and serves it as long as this program runs.
    pub async fn start(client: Client) -> Self {
        let kubelet = Self(Arc::default());
        register(&client).await;
        tokio::spawn(keep_alive(client.clone()));
        tokio::spawn(kubelet.clone().serve());
        tokio::spawn(kubelet.clone().run_pods(client));
        kubelet
    }

    /// When the failed handshake of a pod was sent.
    pub fn sent(&self, pod: &str) -> Option<Timestamp> {
        self.0.lock().unwrap().get(pod)?.sent
    }

    async fn run_pods(self, client: Client) {
        let pods = Api::<Pod>::namespaced(client, NAMESPACE);
        let own = watcher::Config::default().fields(&format!("spec.nodeName={NODE}"));
        let changes = watcher(pods.clone(), own).default_backoff().applied_objects();
        changes
            .try_for_each_concurrent(16, |pod| {
                let (pods, kubelet) = (pods.clone(), self.clone());
                async move {
                    kubelet.see(&pods, &pod).await;
                    Ok(())
                }
            })
            .await
            .unwrap();
    }

    async fn see(&self, pods: &Api<Pod>, pod: &Pod) {
        let name = pod.name_any();
        if pod.metadata.deletion_timestamp.is_some() {
            let _ = pods.delete(&name, &DeleteParams::default().grace_period(0)).await;
        } else if pod.status.as_ref().and_then(|status| status.phase.as_deref()) != Some("Running") {
            self.run(pod);
            let status = Patch::Merge(running(pod));
            let _ = pods.patch_status(&name, &PatchParams::default(), &status).await;
        }
    }

    fn run(&self, pod: &Pod) {
        let has_flag = json!(pod.spec).to_string().contains("javax.net.debug");
        let mut all = self.0.lock().unwrap();
        let failing = all.values().filter(|running| running.log.failure.is_some());
        let workload = pod.labels()["app"].clone();
        let of_workload = failing.clone().filter(|running| running.workload == workload).count();
        let log = PodLog {
            begin: Timestamp::now(),
            failure: has_flag
                .then(|| FIRST_FAILURE + BETWEEN_FAILURES * u32::try_from(failing.count() % TURN).unwrap()),
            which: of_workload % FAILURES.len(),
        };
        all.entry(pod.name_any()).or_insert(Running {
            workload,
            log,
            sent: None,
        });
    }

    async fn serve(self) {
        let folder = PathBuf::from(std::env::var_os("KUBECONFIG").unwrap()).with_file_name("pki");
        let certificate = CertificateDer::from_pem_file(folder.join("kubelet.crt")).unwrap();
        let key = PrivateKeyDer::from_pem_file(folder.join("kubelet.key")).unwrap();
        let settings = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(settings));
        let listener = TcpListener::bind((ADDRESS, PORT)).await.unwrap();
        loop {
            let (connection, _) = listener.accept().await.unwrap();
            let (acceptor, kubelet) = (acceptor.clone(), self.clone());
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(connection).await else {
                    return;
                };
                let answer = service_fn(move |request| {
                    let response = kubelet.answer(&request);
                    async move { Ok::<_, Infallible>(response) }
                });
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), answer)
                    .await;
            });
        }
    }

    /// `/containerLogs/NAMESPACE/POD/CONTAINER?follow=true&sinceTime=…`
    fn answer(&self, request: &Request<Incoming>) -> Response<Body> {
        let mut parts = request.uri().path().split('/').skip(1);
        let pod = (parts.next() == Some("containerLogs")).then(|| parts.nth(1)).flatten();
        let pod = pod
            .map(str::to_owned)
            .filter(|pod| self.0.lock().unwrap().contains_key(pod));
        let Some(pod) = pod else {
            return Response::builder()
                .status(StatusCode::NOT_FOUND)
                .body(Body::empty())
                .unwrap();
        };
        let since = request.uri().query().and_then(|query| {
            let time = query.split('&').find_map(|pair| pair.strip_prefix("sinceTime="))?;
            time.replace("%3A", ":").parse().ok()
        });
        Response::new(self.clone().stream(pod, since))
    }

    fn stream(self, pod: String, since: Option<Timestamp>) -> Body {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let stream = futures::stream::unfold((ticks, since), move |(mut ticks, read)| {
            let (kubelet, pod) = (self.clone(), pod.clone());
            async move {
                ticks.tick().await;
                let now = Timestamp::now();
                let mut all = kubelet.0.lock().unwrap();
                let running = all.get_mut(&pod)?;
                let (text, has_failed) = running.log.lines(read.unwrap_or(running.log.begin), now);
                if has_failed {
                    running.sent.get_or_insert(now);
                }
                drop(all);
                Some((Ok::<_, Infallible>(Bytes::from(text)), (ticks, Some(now))))
            }
        });
        Body::from_stream(stream.boxed())
    }
}

fn running(pod: &Pod) -> serde_json::Value {
    let now = Timestamp::now();
    let conditions = ["PodScheduled", "Initialized", "ContainersReady", "Ready"]
        .map(|kind| json!({"type": kind, "status": "True", "lastTransitionTime": now}));
    let containers: Vec<_> = pod.spec.iter().flat_map(|spec| &spec.containers).collect();
    let containers = containers.iter().map(|container| {
        json!({
            "name": container.name, "image": container.image, "imageID": "paced", "ready": true, "started": true, "restartCount": 0,
            "containerID": format!("paced://{}", pod.uid().unwrap_or_default()), "state": {"running": {"startedAt": now}}
        })
    });
    json!({"status": {
        "phase": "Running", "startTime": now, "hostIP": ADDRESS, "conditions": conditions,
        "containerStatuses": containers.collect::<Vec<_>>()
    }})
}

async fn register(client: &Client) {
    let capacity = json!({"cpu": "1000", "memory": "1Ti", "pods": "1000"});
    let node = json!({
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE, "labels": {"kubernetes.io/hostname": NODE}},
        "spec": {"taints": [{"key": NODE, "effect": "NoSchedule"}]},
    });
    let nodes = Api::<Node>::all(client.clone());
    nodes
        .create(&PostParams::default(), &serde_json::from_value(node).unwrap())
        .await
        .unwrap();
    let status = json!({"status": {
        "capacity": capacity, "allocatable": capacity,
        "addresses": [{"type": "InternalIP", "address": ADDRESS}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": PORT}},
        "conditions": [{"type": "Ready", "status": "True", "reason": "Paced", "message": "", "lastHeartbeatTime": Timestamp::now(),
            "lastTransitionTime": Timestamp::now()}]
    }});
    nodes
        .patch_status(NODE, &PatchParams::default(), &Patch::Merge(status))
        .await
        .unwrap();
}

/// The node's lease says that it is alive.
async fn keep_alive(client: Client) {
    let leases = Api::<Lease>::namespaced(client, "kube-node-lease");
    loop {
        let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string();
        let lease = json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": NODE},
            "spec": {"holderIdentity": NODE, "leaseDurationSeconds": 40, "renewTime": now}
        });
        let apply = PatchParams::apply(NODE).force();
        let _ = leases.patch(NODE, &apply, &Patch::Apply(lease)).await;
        sleep(Duration::from_secs(10)).await;
    }
}
