//! One look at one session: observe, plan, act, report.

mod refused;

use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use kube::runtime::controller::Action as Next;
use tokio::time::Instant;

use super::act::{self, Outcome};
use super::clock;
use super::context::Context;
use super::events;
use super::observe::{self, Observed};
use super::plan::undo::Step;
use super::plan::{self, Action, Plan};
use crate::session::{Phase, TLSDebugSession, TLSDebugSessionStatus};

/// A request may hang, because its connection was dropped without a word; the next look must not wait for it. Every write
/// may be cut off: the next look sees whether it went through.
pub const LONGEST_LOOK: Duration = Duration::from_secs(20);

/// The longest wait while the API server cannot be reached at all.
const LONGEST_SILENT_WAIT: Duration = Duration::from_secs(4);

/// One look at one session, which ends in time.
pub async fn reconcile(session: Arc<TLSDebugSession>, context: Arc<Context>) -> kube::Result<Next> {
    let begin = Instant::now();
    let look = Box::pin(look(session.clone(), context.clone()));
    let next = tokio::time::timeout(LONGEST_LOOK, look).await;
    context.metrics.durations.observe(begin.elapsed().as_secs_f64());
    if let Ok(next) = next {
        return next;
    }
    context.metrics.errors.inc();
    tracing::warn!(session = %session.name_any(), namespace = session.namespace(), "the API server does not answer; will try again");
    Ok(Next::requeue(Duration::from_secs(1)))
}

async fn look(session: Arc<TLSDebugSession>, context: Arc<Context>) -> kube::Result<Next> {
    context.metrics.reconciles.inc();
    let client = &context.client();
    let (namespace, name) = (session.namespace().unwrap_or_default(), session.name_any());
    let uid = session.uid().unwrap_or_default();
    // The cache may lag behind our own writes.
    let Some(session) = observe::session(client, &namespace, &name)
        .await?
        .filter(|live| live.uid().as_ref() == Some(&uid))
    else {
        context.forget(&uid);
        return Ok(Next::await_change());
    };
    if let Some(pause) = context.pause_after_refusal(&session) {
        return Ok(Next::requeue(pause));
    }
    let peer = session.status.as_ref().and_then(|status| status.peer.as_ref());
    let captured = context.captured(&uid, peer.map(|peer| peer.uid.as_str()));
    let observed = observe::observe(client, session, captured, context.requires_policy).await?;
    if let Some(message) = &observed.unreadable {
        tracing::warn!(
            session = name,
            namespace,
            message,
            "the operator may not read what it needs"
        );
    }
    let plan = plan::plan(&observed, clock::now());
    let first = carry_out(&context, &observed, plan).await?;
    let restored = restore_at_once(&context, &observed, &first).await;
    events::publish(
        &context.recorder,
        &observed.session,
        observed.workload.as_ref(),
        first.before,
        &first.status,
    )
    .await;
    Ok(restored?.unwrap_or(first.next))
}

/// That a session ends is reported before its workload is restored; what was read for the one is enough for the other.
async fn restore_at_once(
    context: &Arc<Context>,
    observed: &Observed,
    first: &CarriedOut,
) -> kube::Result<Option<Next>> {
    let has_ended = first.before != Some(Phase::Restoring) && first.status.phase == Phase::Restoring;
    let Some(session) = first.reported.clone().filter(|_| has_ended) else {
        return Ok(None);
    };
    let observed = Observed {
        session,
        ..observed.clone()
    };
    let plan = plan::plan(&observed, clock::now());
    // What else there is to take back was not asked for while the session ran.
    let is_known = match plan.action {
        Action::Undo(Step::Restore(_)) => true,
        Action::Undo(Step::DeletePod(_)) => observed.clone.is_some(),
        _ => false,
    };
    if !is_known {
        return Ok(None);
    }
    Ok(Some(carry_out(context, &observed, plan).await?.next))
}

/// What became of a plan.
struct CarriedOut {
    next: Next,
    /// The phase before it.
    before: Option<Phase>,
    /// What was to be reported.
    status: TLSDebugSessionStatus,
    /// The session after the report; `None`: there was nothing to report, or nobody to report to.
    reported: Option<TLSDebugSession>,
}

async fn carry_out(context: &Arc<Context>, observed: &Observed, mut plan: Plan) -> kube::Result<CarriedOut> {
    let client = &context.client();
    let uid = observed.session.uid().unwrap_or_default();
    let before = observed.session.status.as_ref().map(|status| status.phase);
    let outcome = act::act(client, observed, &plan.action).await?;
    let is_done = matches!(outcome, Outcome::Done);
    let next = match outcome {
        Outcome::Done => {
            context.metrics.wrote(&plan.action);
            Next::requeue(plan.look_again)
        }
        Outcome::Moved => Next::requeue(context.backoff(&observed.session) / 10),
        Outcome::Forbidden(message) => {
            let message = refused::forbidden(observed, &plan.action, &message);
            context.metrics.refused(&plan.action, "Forbidden");
            refused::blocked(&mut plan, observed, "Forbidden", &message);
            Next::requeue(context.refused(&observed.session))
        }
        Outcome::Rejected(message) => {
            context.metrics.refused(&plan.action, "PatchRejected");
            refused::rejected(&mut plan, observed, &message);
            Next::requeue(context.refused(&observed.session))
        }
    };
    context.run_beside(&uid, observed, &plan);
    // A session that was let go cannot be reported to.
    let is_let_go = is_done && plan.action == Action::RemoveFinalizer;
    let reported = if is_let_go {
        None
    } else {
        act::report(client, &observed.session, &plan.status).await?
    };
    if reported.is_some() {
        context.metrics.status_writes.inc();
        context.metrics.reported(observed.session.status.as_ref(), &plan.status);
        log(&observed.session, before, &plan.status);
    }
    if is_done {
        // Not before its report went through: a refused one is tried again at a slower pace as well.
        context.succeeded(&uid);
    }
    if is_let_go {
        context.forget(&uid);
    }
    // What it says is a part of the other end's answer.
    context.wake_controller(&observed.session);
    Ok(CarriedOut {
        next,
        before,
        status: plan.status,
        reported,
    })
}

/// A passing fault of the API: try again, slower each time.
#[allow(clippy::needless_pass_by_value, reason = "the controller's signature")]
pub fn on_error(session: Arc<TLSDebugSession>, error: &kube::Error, context: Arc<Context>) -> Next {
    context.metrics.errors.inc();
    let wait = match error {
        kube::Error::Api(_) => context.backoff(&session),
        // Whoever does not answer is not hurt by being asked.
        _ => context.backoff(&session).min(LONGEST_SILENT_WAIT),
    };
    let advice = match error {
        kube::Error::Api(status) if status.is_forbidden() => {
            "the operator's ServiceAccount lacks a right of the chart's roles: helm upgrade gives it"
        }
        _ => "will try again",
    };
    tracing::warn!(session = %session.name_any(), namespace = session.namespace(), %error, wait = ?wait, "{advice}");
    Next::requeue(wait)
}

fn log(session: &TLSDebugSession, before: Option<Phase>, status: &TLSDebugSessionStatus) {
    if before != Some(status.phase) {
        tracing::info!(
            session = %session.name_any(),
            namespace = session.namespace(),
            target = session.spec.target.name,
            phase = ?status.phase,
            cause = status.cause,
            reason = status.failure.as_ref().map(|failure| failure.reason.as_str()),
            "phase"
        );
    }
}
