//! One look at one session: observe, plan, act, report.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use kube::runtime::controller::Action as Next;
use kube::runtime::events::Recorder;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Client, ResourceExt};

use super::act::{self, Outcome};
use super::admin::Metrics;
use super::capture::{Capture, Captured, Wake};
use super::events;
use super::observe::{self, Observed};
use super::plan::undo::Step;
use super::plan::{self, Action, Plan};
use super::settings::Settings;
use super::watch::Watch;
use crate::session::conditions::{self, ConditionType};
use crate::session::{Failure, Phase, Strategy, TLSDebugSession, TLSDebugSessionStatus};

/// What all reconciles share.
pub struct Context {
    client: Client,
    wakes: BTreeMap<Option<String>, Wake>,
    recorder: Recorder,
    requires_policy: bool,
    active: Mutex<HashMap<String, Active>>,
    failures: Mutex<HashMap<String, u32>>,
    /// Counters for the admin port.
    pub metrics: Metrics,
}

/// What runs beside the reconcile for one session.
struct Active {
    session: ObjectRef<TLSDebugSession>,
    capture: Option<Capture>,
    watch: Option<Watch>,
}

impl Context {
    /// Nothing runs yet. `wakes` has the way to each namespace that is watched, or one to all under `None`.
    #[must_use]
    pub fn new(client: Client, settings: &Settings, wakes: BTreeMap<Option<String>, Wake>) -> Self {
        let recorder = events::recorder(client.clone(), &settings.identity);
        Self {
            client,
            wakes,
            recorder,
            requires_policy: settings.require_admission_policy,
            active: Mutex::default(),
            failures: Mutex::default(),
            metrics: Metrics::default(),
        }
    }

    /// The client that all share.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    fn wake(&self, session: &TLSDebugSession) -> Option<Wake> {
        let own = self.wakes.get(&session.namespace());
        own.or_else(|| self.wakes.get(&None)).cloned()
    }

    fn captured(&self, uid: &str) -> Captured {
        let active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        active
            .get(uid)
            .and_then(|active| active.capture.as_ref())
            .map(Capture::captured)
            .unwrap_or_default()
    }

    /// Starts and ends what the plan wants to run beside the reconcile.
    fn run_beside(&self, uid: &str, observed: &Observed, plan: &Plan) {
        let mut all = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        if !plan.capture && !plan.watch {
            all.remove(uid);
            return;
        }
        let session = &observed.session;
        let Some(wake) = self.wake(session) else { return };
        let active = all.entry(uid.to_owned()).or_insert_with(|| Active {
            session: ObjectRef::from_obj(session),
            capture: None,
            watch: None,
        });
        match &observed.workload {
            Some(workload) if plan.watch => {
                active
                    .watch
                    .get_or_insert_with(|| Watch::start(self.client.clone(), session, workload, wake.clone()));
            }
            _ => active.watch = None,
        }
        match plan.status.injection.as_ref().filter(|_| plan.capture) {
            Some(injection) => {
                let container = injection.change.container.clone();
                let capture = active
                    .capture
                    .get_or_insert_with(|| Capture::new(self.client.clone(), session, container, wake));
                capture.follow(&observed.remains.pods, session.spec.max_pods);
            }
            None => active.capture = None,
        }
    }

    /// The waiting time after the next failure in a row: 1 s, doubled up to 30 s.
    fn backoff(&self, uid: &str) -> Duration {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(uid.to_owned()).or_insert(0);
        *count = count.saturating_add(1);
        Duration::from_secs(1 << (*count - 1).min(5)).min(Duration::from_secs(30))
    }

    fn succeeded(&self, uid: &str) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }

    /// Ends what runs for sessions that vanished without a last look, because their finalizer was taken off by force.
    pub fn retain(&self, namespace: Option<&String>, sessions: &Store<TLSDebugSession>) {
        let mut active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        active.retain(|uid, active| {
            let is_elsewhere = namespace.is_some_and(|namespace| active.session.namespace.as_ref() != Some(namespace));
            let session = sessions.get(&active.session);
            is_elsewhere || session.is_some_and(|session| session.metadata.uid.as_ref() == Some(uid))
        });
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.retain(|uid, _| active.contains_key(uid));
    }

    fn forget(&self, uid: &str) {
        self.active.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
        self.succeeded(uid);
    }
}

/// A request may hang, because its connection was dropped without a word; the next look must not wait for it. Every write
/// may be cut off: the next look sees whether it went through.
const LONGEST_LOOK: Duration = Duration::from_secs(20);

/// One look at one session, which ends in time.
pub async fn reconcile(session: Arc<TLSDebugSession>, context: Arc<Context>) -> kube::Result<Next> {
    let look = Box::pin(look(session.clone(), context.clone()));
    if let Ok(next) = tokio::time::timeout(LONGEST_LOOK, look).await {
        return next;
    }
    context.metrics.errors.inc();
    tracing::warn!(session = %session.name_any(), namespace = session.namespace(), "the API server does not answer; will try again");
    Ok(Next::requeue(Duration::from_secs(1)))
}

async fn look(session: Arc<TLSDebugSession>, context: Arc<Context>) -> kube::Result<Next> {
    context.metrics.reconciles.inc();
    let client = &context.client;
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
    let captured = context.captured(&uid);
    let observed = match observe::observe(client, session.clone(), captured, context.requires_policy).await {
        Err(kube::Error::Api(refusal)) if refusal.is_forbidden() => {
            report_unreadable(&context, &session, &refusal.message).await?;
            return Ok(Next::requeue(context.backoff(&uid)));
        }
        observed => observed?,
    };
    let before = observed.session.status.as_ref().map(|status| status.phase);
    let mut plan = plan::plan(&observed, Timestamp::now());
    let outcome = act::act(client, &observed, &plan.action).await?;
    let is_done = matches!(outcome, Outcome::Done);
    let next = match outcome {
        Outcome::Done => Next::requeue(plan.look_again),
        Outcome::Moved => Next::requeue(context.backoff(&uid) / 10),
        Outcome::Forbidden(message) => {
            let message = forbidden(&observed, &plan.action, &message);
            blocked(&mut plan, &observed, "Forbidden", &message);
            Next::requeue(context.backoff(&uid))
        }
        Outcome::Rejected(message) => {
            rejected(&mut plan, &observed, &message);
            Next::requeue(context.backoff(&uid))
        }
    };
    context.run_beside(&uid, &observed, &plan);
    // A session that is let go cannot be reported to.
    if plan.action != Action::RemoveFinalizer && act::report(client, &observed.session, &plan.status).await? {
        context.metrics.status_writes.inc();
        log(&observed.session, before, &plan.status);
    }
    if is_done {
        // Not before its report went through: a refused one is tried again at a slower pace as well.
        context.succeeded(&uid);
    }
    events::publish(
        &context.recorder,
        &observed.session,
        observed.workload.as_ref(),
        before,
        &plan.status,
    )
    .await;
    if plan.action == Action::RemoveFinalizer {
        context.forget(&uid);
    }
    Ok(next)
}

/// A passing fault of the API: try again, slower each time.
#[allow(clippy::needless_pass_by_value, reason = "the controller's signature")]
pub fn on_error(session: Arc<TLSDebugSession>, error: &kube::Error, context: Arc<Context>) -> Next {
    context.metrics.errors.inc();
    let wait = context.backoff(&session.uid().unwrap_or_default());
    let advice = match error {
        kube::Error::Api(status) if status.is_forbidden() => {
            "the operator's ServiceAccount lacks a right of the chart's roles: helm upgrade gives it"
        }
        _ => "will try again",
    };
    tracing::warn!(session = %session.name_any(), namespace = session.namespace(), %error, wait = ?wait, "{advice}");
    Next::requeue(wait)
}

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
        Action::Undo(Step::DeletePod(pod)) => format!("Pod {:?}", pod.name),
        Action::None | Action::Inject(_) | Action::Undo(_) => format!("{} {:?}", target.kind, target.name),
    }
}

fn forbidden(observed: &Observed, action: &Action, message: &str) -> String {
    let by_hand = match action {
        Action::Undo(Step::Restore(_)) => " Until then the flag stays in; status.restoreCommand takes it out by hand.",
        Action::Inject(_) | Action::AddFinalizer => " Nothing was changed.",
        Action::CreateClone(_) => " Strategy Clone needs the chart value rbac.allow.clone: true. Nothing was changed.",
        Action::Undo(Step::DeletePod(_)) => {
            " A StatefulSet's pod that does not become ready needs the chart value rbac.allow.deleteStuckPods: true; until \
             then delete it by hand (kubectl delete pod)."
        }
        _ => "",
    };
    format!(
        "The operator may not write {}: {message}. Give its ServiceAccount the rights that the chart gives it (helm \
         upgrade).{by_hand}",
        written(&observed.session, action)
    )
}

/// What the operator may not read it cannot decide upon: the session stays where it is, and says so.
async fn report_unreadable(context: &Context, session: &TLSDebugSession, message: &str) -> kube::Result<()> {
    let mut status = session.status.clone().unwrap_or_default();
    let clone = match session.spec.effective_strategy() {
        Strategy::Rollout => "",
        Strategy::Clone => ", for strategy Clone with the chart value rbac.allow.clone: true",
    };
    let message = format!(
        "The operator may not read what it needs: {message}. Give its ServiceAccount the rights that the chart gives it \
         (helm upgrade{clone})."
    );
    let kind = match status.phase {
        Phase::Pending => ConditionType::Accepted,
        _ => ConditionType::Restored,
    };
    if !status.phase.is_finished() {
        let generation = session.metadata.generation;
        conditions::set(
            &mut status.conditions,
            kind,
            false,
            "Forbidden",
            &message,
            generation,
            Timestamp::now(),
        );
    }
    act::report(&context.client, session, &status).await?;
    tracing::warn!(session = %session.name_any(), message, "blocked");
    Ok(())
}

/// The write did not go through: the status says so in place of what it would have said.
fn blocked(plan: &mut Plan, observed: &Observed, reason: &str, message: &str) {
    let before = observed.session.status.clone().unwrap_or_default();
    let kind = match plan.action {
        Action::Undo(Step::Restore(_)) => ConditionType::TemplateRestored,
        Action::Undo(_) => ConditionType::Restored,
        _ => ConditionType::Accepted,
    };
    plan.status.phase = before.phase;
    plan.status.finished_at = before.finished_at;
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
        false,
        reason,
        message,
        generation,
        Timestamp::now(),
    );
    tracing::warn!(session = %observed.session.name_any(), reason, message, "blocked");
}

fn rejected(plan: &mut Plan, observed: &Observed, message: &str) {
    let message = format!(
        "The API server, a quota, or one of its admission policies or webhooks does not accept the change of {}: {message}",
        written(&observed.session, &plan.action)
    );
    let was_inject = matches!(plan.action, Action::Inject(_) | Action::CreateClone(_));
    blocked(plan, observed, "PatchRejected", &message);
    if was_inject {
        plan.status.phase = Phase::Failed;
        plan.status.finished_at = Some(plan::instant(Timestamp::now()));
        plan.status.summary = Some(message.clone());
        plan.status.failure = Some(Failure {
            reason: "PatchRejected".to_owned(),
            message,
        });
    }
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
