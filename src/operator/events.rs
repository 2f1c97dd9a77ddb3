//! Events on the session and on its workload, at each change of phase.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource};

use super::observe;
use crate::session::{Phase, Strategy, TLSDebugSession, TLSDebugSessionStatus};
use crate::workload::Workload;

/// A recorder that signs with this replica's identity.
#[must_use]
pub fn recorder(client: Client, identity: &str) -> Recorder {
    Recorder::new(
        client,
        Reporter {
            controller: "tlsdebug".to_owned(),
            instance: Some(identity.to_owned()),
        },
    )
}

/// Publishes a change of phase on the session and on its workload. An event that cannot be written is logged only: the
/// same is said by the status.
pub async fn publish(
    recorder: &Recorder,
    session: &TLSDebugSession,
    workload: Option<&Workload>,
    before: Option<Phase>,
    status: &TLSDebugSessionStatus,
) {
    if before == Some(status.phase) {
        return;
    }
    let Some((reason, note)) = describe(session, status) else {
        return;
    };
    let mut event = Event {
        type_: if status.phase == Phase::Failed {
            EventType::Warning
        } else {
            EventType::Normal
        },
        reason,
        note: Some(cut(note)),
        action: format!("{:?}", status.phase),
        secondary: None,
    };
    let target = workload.map(|workload| ObjectReference {
        api_version: Some(observe::resource(workload.kind).api_version),
        kind: Some(workload.kind.to_string()),
        name: Some(workload.name().to_owned()),
        namespace: workload.metadata.namespace.clone(),
        uid: workload.metadata.uid.clone(),
        ..ObjectReference::default()
    });
    let session = session.object_ref(&());
    for reference in [Some(session.clone()), target].into_iter().flatten() {
        // Events of the same kind on one workload are counted together unless they are related to different sessions.
        event.secondary = (reference != session).then(|| session.clone());
        if let Err(error) = recorder.publish(&event, &reference).await {
            tracing::warn!(kind = reference.kind, name = reference.name, %error, "cannot write an event");
        }
    }
}

fn describe(session: &TLSDebugSession, status: &TLSDebugSessionStatus) -> Option<(String, String)> {
    let name = session.metadata.name.as_deref().unwrap_or_default();
    let answer = || status.summary.clone().unwrap_or_default();
    Some(match status.phase {
        Phase::Pending => return None,
        Phase::Injecting => {
            let (flag, variable) = (session.spec.flag(), session.spec.variable.name());
            let note = match session.spec.effective_strategy() {
                Strategy::Rollout => format!("Session {name} added {flag} to {variable}; pods are being replaced."),
                Strategy::Clone => format!("Session {name} started a clone with {flag} in {variable}."),
            };
            ("TLSDebugOn".to_owned(), note)
        }
        Phase::Capturing => (
            "TLSDebugCapturing".to_owned(),
            format!("Session {name} reads the logs of pods with the flag."),
        ),
        Phase::Restoring => (
            "TLSDebugOff".to_owned(),
            match session.spec.effective_strategy() {
                Strategy::Rollout => format!("Session {name} takes the flag out; pods are being replaced."),
                Strategy::Clone => format!("Session {name} removes its clone."),
            },
        ),
        Phase::Completed => (
            "TLSDebugCompleted".to_owned(),
            match &status.cause {
                Some(cause) => format!("Session {name}: {cause}: {}", answer()),
                None => format!("Session {name}: {}", answer()),
            },
        ),
        Phase::Failed => match &status.failure {
            Some(failure) => (failure.reason.clone(), format!("Session {name}: {}", failure.message)),
            None => ("TLSDebugFailed".to_owned(), format!("Session {name}: {}", answer())),
        },
    })
}

/// The API server takes 1024 bytes.
fn cut(mut note: String) -> String {
    if note.len() > 1000 {
        let end = (0..=1000).rev().find(|&end| note.is_char_boundary(end)).unwrap_or(0);
        note.truncate(end);
        note.push('…');
    }
    note
}
