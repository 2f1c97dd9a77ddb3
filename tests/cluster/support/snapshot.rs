//! What a workload was before a session, to compare with what it is afterwards.

use k8s_openapi::api::apps::v1::ReplicaSet;
use kube::ResourceExt;
use serde_json::{Value, json};

use tlsdebug::workload::ANNOTATION;

use super::Scenario;

/// A Deployment, its field owners and its ReplicaSets, less what time and controllers change by themselves.
#[derive(Debug, PartialEq)]
pub struct Snapshot {
    object: Value,
    owners: Vec<Value>,
    replica_sets: Vec<Value>,
}

impl Snapshot {
    /// The ReplicaSets.
    pub fn replica_sets(&self) -> &[Value] {
        &self.replica_sets
    }
}

impl Scenario {
    /// Takes a snapshot of a Deployment.
    pub async fn snapshot(&self, name: &str) -> Snapshot {
        let mut object = json!(self.deployments().get(name).await.unwrap());
        let metadata = object["metadata"].as_object_mut().unwrap();
        metadata.remove("resourceVersion");
        metadata.remove("generation");
        let owners = metadata.remove("managedFields");
        // The Deployment controller's own counter of its revisions.
        metadata["annotations"]
            .as_object_mut()
            .unwrap()
            .remove("deployment.kubernetes.io/revision");
        object.as_object_mut().unwrap().remove("status");
        let mut owners = owners
            .map(|owners| owners.as_array().unwrap().clone())
            .unwrap_or_default();
        for entry in &mut owners {
            entry.as_object_mut().unwrap().remove("time");
        }
        owners.sort_by_key(ToString::to_string);
        let mut replica_sets: Vec<_> = self.replica_sets(name).await.iter().map(replica_set).collect();
        replica_sets.sort_by_key(ToString::to_string);
        Snapshot {
            object,
            owners,
            replica_sets,
        }
    }

    /// Makes sure that nothing of a session is left on a Deployment and among its pods.
    pub async fn assert_as_before(&self, name: &str, before: &Snapshot) {
        let after = self.snapshot(name).await;
        assert_eq!(
            pretty(&after.object),
            pretty(&before.object),
            "Deployment {name} is not what it was"
        );
        assert_eq!(
            pretty(&json!(after.owners)),
            pretty(&json!(before.owners)),
            "field owners of {name}"
        );
        assert_eq!(after.replica_sets, before.replica_sets, "ReplicaSets of {name}");
        self.assert_no_flag(name).await;
    }

    /// Makes sure that neither template, ReplicaSet nor pod of a Deployment carries the flag, and that nothing else of a
    /// session is on them.
    pub async fn assert_no_flag(&self, name: &str) {
        let metadata = json!(self.deployments().get(name).await.unwrap().metadata).to_string();
        for trace in [ANNOTATION, "\"manager\":\"tlsdebug\""] {
            assert!(!metadata.contains(trace), "{trace} is left on {name}: {metadata}");
        }
        assert!(!self.has_flag(name).await, "the template of {name} carries the flag");
        for set in self.replica_sets(name).await {
            assert!(
                !carries_flag(&json!(set.spec)),
                "ReplicaSet {} leads back to the flag",
                set.name_any()
            );
            assert!(
                !set.annotations().contains_key(ANNOTATION),
                "ReplicaSet {} bears a copy of the record",
                set.name_any()
            );
        }
        for pod in self.pods(name).await {
            let is_terminating = pod.metadata.deletion_timestamp.is_some();
            assert!(
                is_terminating || !carries_flag(&json!(pod.spec)),
                "pod {} carries the flag",
                pod.name_any()
            );
        }
    }
}

fn carries_flag(object: &Value) -> bool {
    object.to_string().contains("javax.net.debug")
}

fn replica_set(set: &ReplicaSet) -> Value {
    json!({
        "name": set.name_any(),
        "uid": set.uid(),
        "hash": set.labels().get("pod-template-hash"),
        "replicas": set.spec.as_ref().and_then(|spec| spec.replicas),
    })
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap()
}
