//! Sessions: creating them, and waiting for their phases.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde_json::{Value, json};
use tlsdebug::session::conditions::ConditionType;
use tlsdebug::session::{Failure, Phase, TLSDebugSession, TLSDebugSessionStatus};

use super::Scenario;

impl Scenario {
    /// Creates a session on Deployment `target`; `spec` is merged over a spec that lasts until it is stopped.
    pub fn create_session(&self, name: &str, target: &str, spec: &Value) {
        let mut whole = json!({"target": {"kind": "Deployment", "name": target}, "duration": "1h"});
        json_patch::merge(&mut whole, spec);
        let session = json!({
            "apiVersion": "tlsdebug.io/v1alpha1", "kind": "TLSDebugSession",
            "metadata": {"name": name}, "spec": whole
        });
        self.kubectl_with_input(&["create", "--filename", "-"], &session).done();
    }

    /// Ends a session.
    pub fn stop_session(&self, name: &str) {
        let patch = json!({"spec": {"stop": true}}).to_string();
        self.kubectl(&["patch", "tlsdebugsession", name, "--type", "merge", "--patch", &patch])
            .done();
    }

    /// Deletes a session and takes its finalizer off by force.
    pub fn remove_by_force(&self, name: &str) {
        self.kubectl(&["delete", "tlsdebugsession", name, "--wait=false"])
            .done();
        let without = json!({"metadata": {"finalizers": null}}).to_string();
        self.kubectl(&["patch", "tlsdebugsession", name, "--type", "merge", "--patch", &without])
            .done();
    }

    /// Reads a session.
    pub async fn session(&self, name: &str) -> Option<TLSDebugSession> {
        self.sessions().get_opt(name).await.unwrap()
    }

    /// Reads a session's status.
    pub async fn status(&self, name: &str) -> TLSDebugSessionStatus {
        self.session(name)
            .await
            .and_then(|session| session.status)
            .unwrap_or_default()
    }

    /// Waits for a phase, or for one that comes after it.
    pub async fn reached(&self, name: &str, phase: Phase) -> TLSDebugSessionStatus {
        self.status_with(name, &format!("{phase:?}"), |status| status.phase >= phase)
            .await
    }

    /// Waits until nothing more will happen.
    pub async fn finished(&self, name: &str) -> TLSDebugSessionStatus {
        self.reached(name, Phase::Completed).await
    }

    /// Waits for the end of a session that fails, and returns why it did.
    pub async fn failure(&self, name: &str) -> Failure {
        let status = self.finished(name).await;
        assert_eq!(status.phase, Phase::Failed, "{status:?}");
        status.failure.unwrap()
    }

    /// Waits until a session that is being deleted is no longer there.
    pub async fn gone(&self, name: &str) {
        let what = format!("session {name} to be gone");
        self.eventually(&what, async || self.session(name).await.is_none().then_some(()))
            .await;
    }

    /// Waits for a status that `is_wanted`.
    pub async fn status_with(
        &self,
        name: &str,
        what: &str,
        is_wanted: impl Fn(&TLSDebugSessionStatus) -> bool,
    ) -> TLSDebugSessionStatus {
        self.eventually(&format!("session {name}: {what}"), async || {
            let status = self.session(name).await?.status?;
            is_wanted(&status).then_some(status)
        })
        .await
    }
}

/// A condition of a status.
#[track_caller]
pub fn condition(status: &TLSDebugSessionStatus, kind: ConditionType) -> &Condition {
    status
        .conditions
        .iter()
        .find(|condition| condition.type_ == kind.name())
        .unwrap_or_else(|| panic!("no condition {} in {status:?}", kind.name()))
}

/// Whether a status has a condition with this status and reason.
pub fn has_condition(status: &TLSDebugSessionStatus, kind: ConditionType, value: &str, reason: &str) -> bool {
    status
        .conditions
        .iter()
        .any(|condition| condition.type_ == kind.name() && condition.status == value && condition.reason == reason)
}
