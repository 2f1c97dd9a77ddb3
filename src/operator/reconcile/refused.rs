//! Writes that do not go through: what the status says of them, and the way out.

use kube::ResourceExt;

use crate::operator::clock;
use crate::operator::observe::Observed;
use crate::operator::plan::undo::Step;
use crate::operator::plan::{self, Action, Plan};
use crate::session::conditions::{self, ConditionType};
use crate::session::{Failure, Phase, TLSDebugSession, peer};

/// What would have been written.
fn written(session: &TLSDebugSession, action: &Action) -> String {
    let target = &session.spec.target;
    match action {
        Action::AddFinalizer | Action::RemoveFinalizer | Action::DeleteSession => {
            format!("TLSDebugSession {:?}", session.name_any())
        }
        Action::Undo(Step::DeleteRevision(revision) | Step::UnmarkRevision(revision)) => {
            format!("{:?} {:?}", revision.kind, revision.name)
        }
        Action::CreateClone(pod) => format!("Pod {:?}", pod.name_any()),
        Action::CreatePeer(_) | Action::StopPeer => format!("TLSDebugSession {:?}", peer::name(session)),
        Action::Undo(Step::DeletePod(pod)) => format!("Pod {:?}", pod.name),
        Action::None | Action::Inject(_) | Action::Undo(_) => format!("{} {:?}", target.kind, target.name),
    }
}

/// What the operator says of a right that it lacks.
pub(super) fn forbidden(observed: &Observed, action: &Action, message: &str) -> String {
    let by_hand = match action {
        Action::Undo(Step::Restore(_)) => {
            " Until then the flag stays in; status.restoreCommand takes it out by hand.".to_owned()
        }
        Action::Inject(_) | Action::AddFinalizer | Action::CreatePeer(_) => " Nothing was changed.".to_owned(),
        Action::RemoveFinalizer => format!(
            " Nothing is left to restore; kubectl patch tlsdebugsession {} -n {} --type merge --patch \
             '{{\"metadata\":{{\"finalizers\":null}}}}' lets the session go by hand.",
            observed.session.name_any(),
            observed.session.namespace().unwrap_or_default()
        ),
        Action::StopPeer => " The session of the other end goes on until its own end; spec.stop ends it.".to_owned(),
        Action::DeleteSession => " Nothing is left to restore; the session can be deleted by hand.".to_owned(),
        Action::CreateClone(_) => {
            " Strategy Clone needs the chart value rbac.allow.clone: true. Nothing was changed.".to_owned()
        }
        Action::Undo(Step::DeletePod(_)) => " A StatefulSet's pod that does not become ready needs the chart value \
                                             rbac.allow.deleteStuckPods: true; until then delete it by hand (kubectl \
                                             delete pod)."
            .to_owned(),
        Action::None | Action::Undo(_) => String::new(),
    };
    format!(
        "The operator may not write {}: {message}. Give its ServiceAccount the rights that the chart gives it (helm \
         upgrade).{by_hand}",
        written(&observed.session, action)
    )
}

/// The write did not go through: the status says so in place of what it would have said.
pub(super) fn blocked(plan: &mut Plan, observed: &Observed, reason: &str, message: &str) {
    let before = observed.session.status.clone().unwrap_or_default();
    // Where only the session itself is left, the promise to the workload is kept.
    let is_over = matches!(plan.action, Action::RemoveFinalizer | Action::DeleteSession);
    let kind = match plan.action {
        Action::Undo(Step::Restore(_)) => ConditionType::TemplateRestored,
        Action::Undo(_) | Action::RemoveFinalizer | Action::DeleteSession | Action::StopPeer => ConditionType::Restored,
        Action::None | Action::AddFinalizer | Action::Inject(_) | Action::CreateClone(_) | Action::CreatePeer(_) => {
            ConditionType::Accepted
        }
    };
    if !is_over {
        plan.status.phase = before.phase;
        plan.status.finished_at = before.finished_at;
    }
    if kind != ConditionType::Restored {
        // Without what the plan would have said of a write that did not go through.
        plan.status.conditions = before.conditions;
    }
    if matches!(plan.action, Action::Inject(_) | Action::CreateClone(_)) {
        plan.status.summary = Some(message.to_owned());
    }
    let generation = observed.session.metadata.generation;
    conditions::set(
        &mut plan.status.conditions,
        kind,
        is_over,
        reason,
        message,
        generation,
        clock::now(),
    );
    tracing::warn!(session = %observed.session.name_any(), reason, message, "blocked");
}

/// The API server does not accept what was to be written: a session that has changed nothing ends with that.
pub(super) fn rejected(plan: &mut Plan, observed: &Observed, message: &str) {
    let message = format!(
        "The API server, a quota, or one of its admission policies or webhooks does not accept the change of {}: {message}",
        written(&observed.session, &plan.action)
    );
    let was_inject = matches!(plan.action, Action::Inject(_) | Action::CreateClone(_));
    blocked(plan, observed, "PatchRejected", &message);
    if was_inject {
        plan.status.phase = Phase::Failed;
        plan.status.finished_at = Some(plan::instant(clock::now()));
        plan.status.summary = Some(message.clone());
        plan.status.cause = Some("PatchRejected".to_owned());
        plan.status.failure = Some(Failure {
            reason: "PatchRejected".to_owned(),
            message,
        });
    }
}
