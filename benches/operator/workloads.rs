//! The Deployments that are debugged, and their sessions.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::{ListParams, PostParams};
use kube::{Api, Client};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tlsdebug::session::TLSDebugSession;
use tokio::time::sleep;

use super::kubelet::NODE;
use super::log::{FAILURES, LINES_A_SECOND};
use super::{DURATION, NAMESPACE, REAL_SESSIONS, REPLICAS, SESSIONS};

/// Prints as [`log`](super::log) does, once its JVM would: in pieces of a fifth of a second, and the failed handshake after
/// half a minute or so.
const PROGRAM: &str = r#"
trap 'exit 0' TERM
case "$JAVA_CUSTOM_OPTS" in *.debug=ssl*) ;; *) while :; do sleep 1 & wait $!; done ;; esac
n=0
fails=$((150 + $(od -An -N1 -tu1 /dev/urandom)))
while :; do
	n=$((n + 1)) i=0
	while [ $i -lt $LINES ]; do
		i=$((i + 1))
		echo "2026-11-23 14:00:00,000 INFO  [pool-3-thread-$i] com.example.orders.OrderService - Processing finished in time, order=$n total=$i"
	done
	[ $n -ne $fails ] || cat /failure/log >&2
	sleep 0.2 & wait $!
done
"#;

pub fn workload(number: usize) -> String {
    format!("orders-{number}")
}

/// Whether the pods of this session are containers.
pub fn is_real(number: usize) -> bool {
    number < REAL_SESSIONS
}

pub async fn create_all(client: &Client) {
    create(
        &Api::<Namespace>::all(client.clone()),
        json!({"metadata": {"name": NAMESPACE}}),
    )
    .await;
    let failure = json!({"metadata": {"name": "failure"}, "data": {"log": FAILURES[0]}});
    create(&Api::<ConfigMap>::namespaced(client.clone(), NAMESPACE), failure).await;
    for number in 0..SESSIONS {
        create(
            &Api::<Deployment>::namespaced(client.clone(), NAMESPACE),
            deployment(number),
        )
        .await;
    }
}

fn deployment(number: usize) -> Value {
    let name = workload(number);
    let mut pod = json!({
        "terminationGracePeriodSeconds": 2, "automountServiceAccountToken": false,
        "containers": [{
            "name": "main", "image": "tlsdebug.local/msr:1", "command": ["sh", "-c", PROGRAM],
            "env": [{"name": "JAVA_CUSTOM_OPTS", "value": "-Da=1"}, {"name": "LINES", "value": (LINES_A_SECOND / 5).to_string()}],
            "volumeMounts": [{"name": "failure", "mountPath": "/failure"}]
        }],
        "volumes": [{"name": "failure", "configMap": {"name": "failure"}}]
    });
    if !is_real(number) {
        pod["nodeSelector"] = json!({"kubernetes.io/hostname": NODE});
        pod["tolerations"] = json!([{"key": NODE, "operator": "Exists"}]);
    }
    json!({
        "metadata": {"name": name},
        "spec": {
            "replicas": REPLICAS, "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": pod}
        }
    })
}

/// Waits until all pods are ready.
pub async fn ready(client: &Client) {
    let deployments = Api::<Deployment>::namespaced(client.clone(), NAMESPACE);
    let wanted = i32::try_from(REPLICAS).unwrap();
    tokio::time::timeout(Duration::from_mins(5), async {
        loop {
            let all = deployments.list(&ListParams::default()).await.unwrap().items;
            let is_ready =
                |one: &Deployment| one.status.as_ref().and_then(|status| status.ready_replicas) == Some(wanted);
            if all.len() == SESSIONS && all.iter().all(is_ready) {
                return;
            }
            sleep(Duration::from_secs(1)).await;
        }
    })
    .await
    .expect("all pods are ready in time");
}

pub async fn create_session(client: &Client, number: usize) {
    let session = json!({
        "metadata": {"name": workload(number)},
        "spec": {
            "target": {"kind": "Deployment", "name": workload(number)}, "duration": format!("{}s", DURATION.as_secs()),
            "maxPods": REPLICAS
        }
    });
    create(&Api::<TLSDebugSession>::namespaced(client.clone(), NAMESPACE), session).await;
}

async fn create<K>(api: &Api<K>, object: Value)
where
    K: kube::Resource<DynamicType = ()> + Clone + std::fmt::Debug + serde::Serialize + DeserializeOwned,
{
    let mut object = object;
    object["apiVersion"] = json!(K::api_version(&()));
    object["kind"] = json!(K::kind(&()));
    api.create(&PostParams::default(), &serde_json::from_value(object).unwrap())
        .await
        .unwrap();
}
