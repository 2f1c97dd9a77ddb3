//! What a workload was before a session, to compare with what it is afterwards.

use k8s_openapi::api::apps::v1::{ControllerRevision, ReplicaSet};
use kube::ResourceExt;
use serde_json::{Value, json};
use tlsdebug::session::TargetKind;

use tlsdebug::workload::ANNOTATION;
use tlsdebug::workload::ownership::FIELD_MANAGER;

use super::Scenario;

/// A workload, its field owners and its revisions, less what time and controllers change by themselves.
#[derive(Debug, PartialEq)]
pub struct Snapshot {
    kind: TargetKind,
    object: Value,
    owners: Vec<Value>,
    revisions: Vec<Value>,
}

impl Snapshot {
    /// The ReplicaSets or ControllerRevisions.
    pub fn revisions(&self) -> &[Value] {
        &self.revisions
    }
}

impl Scenario {
    /// Takes a snapshot of a Deployment.
    pub async fn snapshot(&self, name: &str) -> Snapshot {
        self.snapshot_of(TargetKind::Deployment, name).await
    }

    /// Takes a snapshot of a workload.
    pub async fn snapshot_of(&self, kind: TargetKind, name: &str) -> Snapshot {
        let mut object = json!(self.workloads(kind).get(name).await.unwrap());
        let metadata = object["metadata"].as_object_mut().unwrap();
        metadata.remove("resourceVersion");
        metadata.remove("generation");
        let owners = metadata.remove("managedFields");
        // The controllers' and the API server's own counters of revisions.
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove("deployment.kubernetes.io/revision");
            annotations.remove("deprecated.daemonset.template.generation");
        }
        object.as_object_mut().unwrap().remove("status");
        let mut owners = owners
            .map(|owners| owners.as_array().unwrap().clone())
            .unwrap_or_default();
        // What a controller reports differs with what its pods do just then.
        owners.retain(|entry| entry["manager"] != "kube-controller-manager");
        for entry in &mut owners {
            entry.as_object_mut().unwrap().remove("time");
        }
        owners.sort_by_key(ToString::to_string);
        let mut revisions: Vec<_> = self.replica_sets(name).await.iter().map(replica_set).collect();
        revisions.extend(self.controller_revisions(name).await.iter().map(controller_revision));
        revisions.sort_by_key(ToString::to_string);
        Snapshot {
            kind,
            object,
            owners,
            revisions,
        }
    }

    /// Makes sure that nothing of a session is left on a workload and among its pods.
    pub async fn assert_as_before(&self, name: &str, before: &Snapshot) {
        let after = self.snapshot_of(before.kind, name).await;
        assert_eq!(
            pretty(&after.object),
            pretty(&before.object),
            "{} {name} is not what it was",
            before.kind
        );
        assert_eq!(
            pretty(&json!(after.owners)),
            pretty(&json!(before.owners)),
            "field owners of {name}"
        );
        assert_eq!(after.revisions, before.revisions, "revisions of {name}");
        self.assert_none_has_flag(before.kind, name).await;
    }

    /// Makes sure that neither template, ReplicaSet nor pod of a Deployment carries the flag, and that nothing else of a
    /// session is on them.
    pub async fn assert_no_flag(&self, name: &str) {
        self.assert_none_has_flag(TargetKind::Deployment, name).await;
    }

    /// The same for a workload of any kind.
    pub async fn assert_none_has_flag(&self, kind: TargetKind, name: &str) {
        let metadata = self.workloads(kind).get(name).await.unwrap().metadata;
        // A copy in kubectl's own annotation is what its user applied.
        let has_record = metadata.annotations.is_some_and(|all| all.contains_key(ANNOTATION));
        assert!(!has_record, "the record is left on {name}");
        let mut managers = metadata.managed_fields.iter().flatten();
        assert!(
            managers.all(|entry| entry.manager.as_deref() != Some(FIELD_MANAGER)),
            "the operator owns fields of {name}: {:?}",
            metadata.managed_fields
        );
        assert!(
            !self.any_has_flag(kind, name).await,
            "the template of {name} carries the flag"
        );
        let sets = self
            .replica_sets(name)
            .await
            .into_iter()
            .map(|set| (set.name_any(), json!([set.spec, set.metadata.annotations])));
        let revisions = self.controller_revisions(name).await;
        let revisions = revisions.into_iter().map(|revision| {
            (
                revision.name_any(),
                json!([revision.data, revision.metadata.annotations]),
            )
        });
        for (revision, template) in sets.chain(revisions) {
            assert!(!carries_flag(&template), "revision {revision} leads back to the flag");
            assert!(
                !template.to_string().contains(ANNOTATION),
                "revision {revision} bears a copy of the record"
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

fn controller_revision(revision: &ControllerRevision) -> Value {
    json!({"name": revision.name_any(), "uid": revision.uid(), "data": revision.data, "annotations": revision.annotations()})
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
