//! Workloads: ones that are ready at once and run no JVM, and waiting for their rollouts.

use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::core::DynamicObject;
use serde_json::{Value, json};
use tlsdebug::session::TargetKind;
use tlsdebug::workload::Workload;

use super::Scenario;

/// What a session adds when its spec does not say otherwise.
pub const FLAG: &str = "-Djavax.net.debug=ssl,handshake";

/// A Deployment whose pods are ready and gone at once: everything that needs no JVM.
pub fn deployment(name: &str, environment: &Value) -> Value {
    // The loop gives the shell its turn to end at once when asked to.
    let program = "trap 'exit 0' TERM; while :; do sleep 1 & wait $!; done";
    let mut container = json!({
        "name": "main", "image": "tlsdebug.local/msr:1", "command": ["sh", "-c", program],
        "resources": {"requests": {"cpu": "1m", "memory": "8Mi"}}
    });
    if !environment.is_null() {
        container["env"] = environment.clone();
    }
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "labels": {"app": name, "team": "integration"}, "annotations": {"owner": "integration"}},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"terminationGracePeriodSeconds": 2, "automountServiceAccountToken": false, "containers": [container]}
            }
        }
    })
}

/// The same as another kind, with one replica, or one on each node.
pub fn of_kind(kind: TargetKind, mut manifest: Value) -> Value {
    manifest["kind"] = json!(kind.to_string());
    match kind {
        TargetKind::StatefulSet => manifest["spec"]["serviceName"] = manifest["metadata"]["name"].clone(),
        TargetKind::DaemonSet => drop(manifest["spec"].as_object_mut().unwrap().remove("replicas")),
        TargetKind::Deployment | TargetKind::Pod => {}
    }
    manifest
}

/// An environment in which the default variable is a literal.
pub fn literal() -> Value {
    json!([{"name": "FIRST", "value": "1"}, {"name": "JAVA_CUSTOM_OPTS", "value": "-Da=1 -Db=2"}, {"name": "LAST", "value": "3"}])
}

impl Scenario {
    /// The API of the scenario's Deployments.
    pub fn deployments(&self) -> Api<Deployment> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Creates or updates with kubectl's client-side apply.
    pub fn apply(&self, manifest: &Value) {
        self.kubectl_with_input(&["apply", "--filename", "-"], manifest).done();
    }

    /// Creates or updates with a server-side apply as field manager `manager`, without force.
    pub fn apply_as(&self, manager: &str, manifest: &Value) -> super::kubectl::Output {
        let manager = format!("--field-manager={manager}");
        self.kubectl_with_input(&["apply", "--server-side", &manager, "--filename", "-"], manifest)
    }

    /// Waits until a Deployment's rollout is complete, which is when nothing of it moves any more.
    pub async fn rolled_out(&self, name: &str) -> Deployment {
        self.all_rolled_out(TargetKind::Deployment, name).await;
        self.deployments().get(name).await.unwrap()
    }

    /// Waits until a workload's rollout is complete.
    pub async fn all_rolled_out(&self, kind: TargetKind, name: &str) {
        self.eventually(&format!("the rollout of {name}"), async || {
            let object = self.workloads(kind).get_opt(name).await.unwrap()?;
            let conditions = object.data["status"]["conditions"].clone();
            let workload = Workload::read(kind, &json!(object)).unwrap();
            // Only a Deployment says that nothing more is to come.
            let is_settled = kind != TargetKind::Deployment
                || conditions.as_array()?.iter().any(|condition| {
                    condition["type"] == "Progressing" && condition["reason"] == "NewReplicaSetAvailable"
                });
            let rollout = workload.rollout;
            let is_over = rollout.is_over || kind == TargetKind::Deployment;
            // Before its controller has counted the nodes, a DaemonSet wants no pod.
            let is_counted = rollout.desired_replicas > 0 || kind != TargetKind::DaemonSet;
            (rollout.is_complete() && is_over && is_settled && is_counted).then_some(())
        })
        .await;
    }

    /// The API of a kind of workload.
    pub fn workloads(&self, kind: TargetKind) -> Api<DynamicObject> {
        tlsdebug::operator::observe::workloads(&self.client, &self.namespace, kind)
    }

    /// Creates the Deployment that most scenarios use and waits for it.
    pub async fn deployed(&self, name: &str, environment: &Value) {
        self.apply(&deployment(name, environment));
        self.rolled_out(name).await;
    }

    /// Waits until a Deployment has no pods left that are ending: then its status does not move any more.
    pub async fn settled(&self, name: &str) {
        self.all_settled(TargetKind::Deployment, name).await;
    }

    /// Waits until a workload has no pods left that are ending.
    pub async fn all_settled(&self, kind: TargetKind, name: &str) {
        // Before, the pods of the last revision may not have been asked to end yet.
        self.all_rolled_out(kind, name).await;
        self.eventually(&format!("the old pods of {name} to be gone"), async || {
            let pods = self.pods(name).await;
            pods.iter()
                .all(|pod| pod.metadata.deletion_timestamp.is_none())
                .then_some(())
        })
        .await;
        self.all_rolled_out(kind, name).await;
    }

    /// The ControllerRevisions of workload `name`.
    pub async fn controller_revisions(&self, name: &str) -> Vec<ControllerRevision> {
        self.selected(name).await
    }

    /// The ReplicaSets of Deployment `name`.
    pub async fn replica_sets(&self, name: &str) -> Vec<ReplicaSet> {
        self.selected(name).await
    }

    /// The pods of Deployment `name`.
    pub async fn pods(&self, name: &str) -> Vec<Pod> {
        self.selected(name).await
    }

    async fn selected<K>(&self, name: &str) -> Vec<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + serde::de::DeserializeOwned,
        K::DynamicType: Default,
    {
        let api = Api::<K>::namespaced(self.client.clone(), &self.namespace);
        let selected = kube::api::ListParams::default().labels(&format!("app={name}"));
        api.list(&selected).await.unwrap().items
    }

    /// Whether the flag is in a Deployment's template.
    pub async fn has_flag(&self, name: &str) -> bool {
        self.any_has_flag(TargetKind::Deployment, name).await
    }

    /// Whether the flag is in a workload's template.
    pub async fn any_has_flag(&self, kind: TargetKind, name: &str) -> bool {
        let object = self.workloads(kind).get(name).await.unwrap();
        object.data["spec"]["template"].to_string().contains("javax.net.debug")
    }
}
