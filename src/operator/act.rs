//! Writing to the API: one plan's action, and the status.

use json_patch::Patch as JsonPatch;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::Status;
use kube::{Api, Client, ResourceExt};
use serde_json::json;

use super::observe::{self, DebugRevision, Observed, workload};
use super::plan::undo::Step;
use super::plan::{Action, FINALIZER};
use crate::session::{TLSDebugSession, TLSDebugSessionStatus, Target};
use crate::workload::ownership::FIELD_MANAGER;
use crate::workload::patch::Builder;
use crate::workload::redaction::without_values;
use crate::workload::{ANNOTATION, Workload};

/// What became of a write.
#[derive(Debug)]
pub enum Outcome {
    /// It went through, or there was nothing to write.
    Done,
    /// The world has moved since it was observed: plan anew.
    Moved,
    /// The operator may not do it.
    Forbidden(String),
    /// The API server does not accept it, though nothing has moved.
    Rejected(String),
}

/// Carries out one action.
pub async fn act(client: &Client, observed: &Observed, action: &Action) -> kube::Result<Outcome> {
    let session = &observed.session;
    let namespace = session.namespace().unwrap_or_default();
    let sessions = Api::<TLSDebugSession>::namespaced(client.clone(), &namespace);
    let result = match action {
        Action::None => return Ok(Outcome::Done),
        Action::AddFinalizer => write(&sessions, &session.name_any(), finalizer(session, true)).await,
        Action::RemoveFinalizer => write(&sessions, &session.name_any(), finalizer(session, false)).await,
        Action::Inject(patch) => {
            let workloads = observe::workloads(client, &namespace, session.spec.target.kind);
            write(&workloads, &session.spec.target.name, patch.clone()).await
        }
        Action::Undo(step) => undo(client, &namespace, &session.spec.target, step).await,
        Action::CreateClone(pod) => {
            let pods = Api::<Pod>::namespaced(client.clone(), &namespace);
            pods.create(&PostParams::default(), pod).await.map(drop)
        }
        Action::CreatePeer(peer) => {
            let parameters = PostParams {
                field_manager: Some(FIELD_MANAGER.to_owned()),
                ..PostParams::default()
            };
            sessions.create(&parameters, peer).await.map(drop)
        }
        Action::StopPeer => {
            let Some(peer) = &observed.peer else {
                return Ok(Outcome::Done);
            };
            let stop = Builder::default()
                .test(&["metadata", "uid"], peer.uid().unwrap_or_default())
                .add(&["spec", "stop"], true)
                .build();
            write(&sessions, &peer.name_any(), stop).await
        }
        Action::DeleteSession => {
            let parameters = DeleteParams::background().preconditions(Preconditions {
                uid: session.uid(),
                resource_version: None,
            });
            sessions.delete(&session.name_any(), &parameters).await.map(|_| ())
        }
    };
    match result {
        Ok(()) => Ok(Outcome::Done),
        Err(kube::Error::Api(status)) => judge(client, observed, action, *status).await,
        Err(error) => Err(error),
    }
}

/// Takes a part of a change to `target` back. Each write goes through only on what was seen: else it is refused with 404,
/// 409 or 422.
pub(super) async fn undo(client: &Client, namespace: &str, target: &Target, step: &Step) -> kube::Result<()> {
    let workloads = observe::workloads(client, namespace, target.kind);
    match step {
        Step::Restore(patch) => write(&workloads, &target.name, patch.clone()).await,
        Step::GiveOwnershipBack {
            managed_fields,
            resource_version,
        } => {
            let patch = Builder::default()
                .test(&["metadata", "resourceVersion"], resource_version.as_str())
                .replace(&["metadata", "managedFields"], json!(managed_fields))
                .build();
            write(&workloads, &target.name, patch).await
        }
        Step::DeletePod(pod) => {
            let pods = Api::<Pod>::namespaced(client.clone(), namespace);
            let parameters = as_seen(&pod.uid, &pod.resource_version);
            pods.delete(&pod.name, &parameters).await.map(drop)
        }
        Step::DeleteRevision(revision) => {
            let parameters = as_seen(&revision.uid, &revision.resource_version);
            let revisions = observe::revisions::api(client, namespace, revision.kind);
            revisions.delete(&revision.name, &parameters).await.map(drop)
        }
        Step::UnmarkRevision(revision) => {
            let patch = Builder::default()
                .test(&["metadata", "resourceVersion"], revision.resource_version.as_str())
                .remove(&["metadata", "annotations", ANNOTATION])
                .build();
            let revisions = observe::revisions::api(client, namespace, revision.kind);
            write(&revisions, &revision.name, patch).await
        }
    }
}

fn as_seen(uid: &str, resource_version: &str) -> DeleteParams {
    DeleteParams::background().preconditions(Preconditions {
        uid: Some(uid.to_owned()),
        resource_version: Some(resource_version.to_owned()),
    })
}

/// Reports a status and returns the session as it is then. `None`: nothing was written, for the status is the same, or the
/// session is gone.
pub async fn report(
    client: &Client,
    session: &TLSDebugSession,
    status: &TLSDebugSessionStatus,
) -> kube::Result<Option<TLSDebugSession>> {
    if session.status.as_ref() == Some(status) {
        return Ok(None);
    }
    let namespace = session.namespace().unwrap_or_default();
    let sessions = Api::<TLSDebugSession>::namespaced(client.clone(), &namespace);
    let mut patch = Builder::default().test(&["metadata", "uid"], session.uid().unwrap_or_default());
    if let Some(stored) = &session.status {
        // A replica that does not know yet that it no longer leads must not take a session back to an earlier phase.
        patch = patch.test(&["status", "phase"], json!(stored.phase));
    }
    let patch = patch.add(&["status"], json!(status)).build();
    let parameters = PatchParams::apply(FIELD_MANAGER);
    match sessions
        .patch_status(&session.name_any(), &parameters, &Patch::Json::<()>(patch))
        .await
    {
        Ok(session) => Ok(Some(session)),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes one patch.
pub(super) async fn write<K>(api: &Api<K>, name: &str, patch: JsonPatch) -> kube::Result<()>
where
    K: Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    api.patch(name, &PatchParams::apply(FIELD_MANAGER), &Patch::Json::<()>(patch))
        .await
        .map(drop)
}

fn finalizer(session: &TLSDebugSession, wanted: bool) -> JsonPatch {
    // Another controller's finalizer that came in between must not be lost.
    let unchanged = Builder::default()
        .test(&["metadata", "uid"], session.uid().unwrap_or_default())
        .test(
            &["metadata", "resourceVersion"],
            session.resource_version().unwrap_or_default(),
        );
    let position = session.finalizers().iter().position(|finalizer| finalizer == FINALIZER);
    match (wanted, position) {
        (true, None) if session.finalizers().is_empty() => {
            unchanged.add(&["metadata", "finalizers"], json!([FINALIZER]))
        }
        (true, None) => unchanged.add(&["metadata", "finalizers", "-"], FINALIZER),
        (false, Some(position)) => {
            let position = position.to_string();
            let path = ["metadata", "finalizers", position.as_str()];
            unchanged.test(&path, FINALIZER).remove(&path)
        }
        _ => unchanged,
    }
    .build()
}

/// A failed `test` is answered 422 without details, exactly as a rejected template is: only a fresh read tells them apart.
/// Admission webhooks choose their own code, 403 among them.
async fn judge(client: &Client, observed: &Observed, action: &Action, status: Status) -> kube::Result<Outcome> {
    let message = match &observed.workload {
        Some(workload) => without_values(&status.message, workload),
        None => status.message.clone(),
    };
    if is_unauthorized(&status) {
        return Ok(Outcome::Forbidden(message));
    }
    if status.is_not_found() || status.is_conflict() {
        return Ok(Outcome::Moved);
    }
    if !(400..500).contains(&status.code) || [401, 408, 429].contains(&status.code) {
        return Err(kube::Error::Api(Status { message, ..status }.boxed()));
    }
    let is_same = match action {
        Action::Inject(_) | Action::Undo(Step::Restore(_)) => {
            match (&workload(client, &observed.session).await?, &observed.workload) {
                (Some(fresh), Some(seen)) => {
                    // A patch of an object without annotations is guarded by its resource version as well.
                    let has_moved = seen.metadata.annotations.is_none()
                        && fresh.metadata.resource_version != seen.metadata.resource_version;
                    let guarded = |workload: &Workload| (workload.uid().to_owned(), workload.metadata.generation);
                    !has_moved && guarded(fresh) == guarded(seen) && fresh.template == seen.template
                }
                _ => false,
            }
        }
        Action::Undo(Step::GiveOwnershipBack { resource_version, .. }) => workload(client, &observed.session)
            .await?
            .is_some_and(|fresh| fresh.metadata.resource_version.as_ref() == Some(resource_version)),
        Action::Undo(Step::UnmarkRevision(revision)) => is_there(client, observed, revision).await?,
        Action::AddFinalizer | Action::RemoveFinalizer => {
            let session = &observed.session;
            observe::session(client, &session.namespace().unwrap_or_default(), &session.name_any())
                .await?
                .is_some_and(|fresh| fresh.resource_version() == session.resource_version())
        }
        // Their preconditions fail with a conflict.
        Action::Undo(Step::DeleteRevision(_) | Step::DeletePod(_))
        | Action::DeleteSession
        | Action::CreateClone(_)
        | Action::CreatePeer(_) => true,
        Action::None | Action::StopPeer => false,
    };
    Ok(if is_same {
        Outcome::Rejected(message)
    } else {
        Outcome::Moved
    })
}

/// Whether the operator lacks a right. What the authorizer says is `User "NAME" cannot VERB resource …`; quotas, pod security and
/// policies say otherwise.
pub(super) fn is_unauthorized(status: &Status) -> bool {
    status.is_forbidden() && status.message.contains("\" cannot ")
}

/// Whether a revision is still what was seen.
async fn is_there(client: &Client, observed: &Observed, revision: &DebugRevision) -> kube::Result<bool> {
    let Some(workload) = &observed.workload else {
        return Ok(false);
    };
    let Some(change) = observe::change(&observed.session, workload) else {
        return Ok(false);
    };
    let session_uid = observed.session.uid().unwrap_or_default();
    let remains = observe::remains(client, workload, &session_uid, &change, &mut None).await?;
    Ok(remains.revisions.contains(revision))
}
