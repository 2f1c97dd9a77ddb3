//! Deployments: one that is ready at once and runs no JVM, and waiting for their rollouts.

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use serde_json::{Value, json};

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
        self.eventually(&format!("the rollout of {name}"), async || {
            let deployment = self.deployments().get_opt(name).await.unwrap()?;
            let rollout = tlsdebug::workload::rollout::Rollout::of_deployment(&deployment);
            let is_settled = deployment
                .status
                .as_ref()?
                .conditions
                .iter()
                .flatten()
                .any(|condition| {
                    condition.type_ == "Progressing" && condition.reason.as_deref() == Some("NewReplicaSetAvailable")
                });
            (rollout.is_complete() && is_settled).then_some(deployment)
        })
        .await
    }

    /// Creates the Deployment that most scenarios use and waits for it.
    pub async fn deployed(&self, name: &str, environment: &Value) {
        self.apply(&deployment(name, environment));
        self.rolled_out(name).await;
    }

    /// Waits until a Deployment has no pods left that are ending: then its status does not move any more.
    pub async fn settled(&self, name: &str) {
        self.eventually(&format!("the old pods of {name} to be gone"), async || {
            let pods = self.pods(name).await;
            pods.iter()
                .all(|pod| pod.metadata.deletion_timestamp.is_none())
                .then_some(())
        })
        .await;
        self.rolled_out(name).await;
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
        let deployment = self.deployments().get(name).await.unwrap();
        let template = serde_json::to_string(&deployment.spec.unwrap().template).unwrap();
        template.contains("javax.net.debug")
    }
}
