//! What all looks at sessions share, and what runs beside them for each session: its log streams and its watches.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kube::runtime::events::Recorder;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Client, ResourceExt};
use prometheus_client::registry::Registry;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::capture::{Capture, Captured, Wake};
use super::clock;
use super::events;
use super::lease::Held;
use super::metrics::Metrics;
use super::observe::Observed;
use super::plan::Plan;
use super::pulse::Pulses;
use super::settings::Settings;
use super::watch::Watch;
use crate::session::{TLSDebugSession, peer};

/// After a write that was refused, for so long, no change of a pod leads to another attempt.
const AFTER_REFUSAL: Duration = Duration::from_secs(2);

/// What all reconciles share.
pub struct Context {
    client: Client,
    /// The one for log streams, which may be silent.
    logs: Client,
    scopes: BTreeMap<Option<String>, Scope>,
    pub(super) recorder: Recorder,
    pub(super) requires_policy: bool,
    active: Mutex<HashMap<String, Active>>,
    /// The loops that must never hang.
    pub pulses: Pulses,
    /// Told when a session is gone that had not ended: it may have left something.
    pub gone_unfinished: Notify,
    /// Counters for the admin port.
    pub metrics: Metrics,
    /// What is held of the leader lease; `None`: this is the only replica.
    held: Option<Held>,
}

/// One namespace that is watched, or all.
pub struct Scope {
    /// Wakes a session of it.
    pub wake: Wake,
    /// The sessions that exist in it.
    pub sessions: Store<TLSDebugSession>,
}

/// What is kept of one session between two looks.
struct Active {
    namespace: Option<String>,
    capture: Option<Capture>,
    watch: Option<Watch>,
    /// Failures in a row.
    failures: u32,
    /// The last write that was refused: when, and what was asked of the session then.
    refused: Option<(Instant, Asked)>,
}

/// What is asked of a session: its generation, and whether it is deleted.
type Asked = (Option<i64>, bool);

fn asked(session: &TLSDebugSession) -> Asked {
    (
        session.metadata.generation,
        session.metadata.deletion_timestamp.is_some(),
    )
}

impl Active {
    fn of(session: &TLSDebugSession) -> Self {
        Self {
            namespace: session.namespace(),
            capture: None,
            watch: None,
            failures: 0,
            refused: None,
        }
    }

    fn is_running(&self) -> bool {
        self.capture.is_some() || self.watch.is_some()
    }
}

impl Context {
    /// Nothing runs yet. `scopes` has each namespace that is watched, or all under `None`.
    #[must_use]
    pub fn new(client: Client, logs: Client, settings: &Settings, scopes: BTreeMap<Option<String>, Scope>) -> Self {
        let recorder = events::recorder(client.clone(), &settings.identity);
        Self {
            client,
            logs,
            scopes,
            recorder,
            requires_policy: settings.require_admission_policy,
            active: Mutex::default(),
            pulses: Pulses::default(),
            gone_unfinished: Notify::new(),
            metrics: Metrics::default(),
            held: None,
        }
    }

    /// As a replica that acts only while it holds the leader lease.
    #[must_use]
    pub fn with_lease(self, held: Option<Held>) -> Self {
        Self { held, ..self }
    }

    /// What the admin port tells of now.
    pub(super) fn registry(&self) -> Registry {
        let sessions: Vec<_> = self.scopes.values().flat_map(|scope| scope.sessions.state()).collect();
        let is_leader = self.held.as_ref().is_none_or(Held::is_valid);
        let sessions = sessions.iter().map(AsRef::as_ref);
        self.metrics.registry(sessions, is_leader, clock::now())
    }

    /// The client that all share.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Where a session belongs, while it exists.
    fn scope(&self, session: &TLSDebugSession) -> Option<&Scope> {
        let scope = self
            .scopes
            .get(&session.namespace())
            .or_else(|| self.scopes.get(&None))?;
        let stored = scope.sessions.get(&ObjectRef::from_obj(session))?;
        (stored.uid() == session.uid()).then_some(scope)
    }

    /// Changes what is kept of the sessions, by uid.
    fn with_active<T>(&self, change: impl FnOnce(&mut HashMap<String, Active>) -> T) -> T {
        let mut active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut active);
        let running = active.values().filter(|active| active.is_running()).count();
        self.metrics
            .active_sessions
            .set(i64::try_from(running).unwrap_or(i64::MAX));
        result
    }

    /// What a session's streams have brought, read together with those of the other end where there is a `peer`.
    pub(super) fn captured(&self, uid: &str, peer: Option<&str>) -> Captured {
        let active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        let capture = |uid| active.get(uid).and_then(|active| active.capture.as_ref());
        match (capture(uid), peer.and_then(capture)) {
            (Some(own), Some(other)) => own.captured_with(other),
            (Some(own), None) => own.captured(),
            (None, _) => Captured::default(),
        }
    }

    /// Wakes the session whose other end this one is.
    pub(super) fn wake_controller(&self, session: &TLSDebugSession) {
        let Some(controller) = peer::controller(session) else {
            return;
        };
        if let Some(scope) = self.scope(session) {
            let namespace = session.namespace().unwrap_or_default();
            // Without a receiver the operator is ending.
            let _ = scope.wake.send(ObjectRef::new(&controller.name).within(&namespace));
        }
    }

    /// Starts and ends what the plan wants to run beside the reconcile. Nothing is started for a session that vanished
    /// during the look; one that vanishes later is forgotten then.
    pub(super) fn run_beside(&self, uid: &str, observed: &Observed, plan: &Plan) {
        let session = &observed.session;
        self.with_active(|all| {
            let Some(scope) = self.scope(session) else {
                all.remove(uid);
                return;
            };
            let active = all.entry(uid.to_owned()).or_insert_with(|| Active::of(session));
            match &observed.workload {
                Some(workload) if plan.watch => {
                    active.watch.get_or_insert_with(|| {
                        Watch::start(self.client.clone(), session, workload, scope.wake.clone())
                    });
                }
                _ => active.watch = None,
            }
            match plan.status.injection.as_ref().filter(|_| plan.capture) {
                Some(injection) => {
                    let container = injection.change.container.clone();
                    let capture = active.capture.get_or_insert_with(|| {
                        let (client, wake) = (self.logs.clone(), scope.wake.clone());
                        Capture::new(client, session, container, wake, self.metrics.logs.clone())
                    });
                    capture.follow(&observed.remains.pods, session.spec.max_pods);
                }
                None => active.capture = None,
            }
            if !active.is_running() && active.failures == 0 {
                all.remove(uid);
            }
        });
    }

    /// The waiting time after the next failure in a row: 1 s, doubled up to 16 s.
    pub(super) fn backoff(&self, session: &TLSDebugSession) -> Duration {
        let failures = self.with_active(|all| {
            self.scope(session)?;
            let active = all
                .entry(session.uid().unwrap_or_default())
                .or_insert_with(|| Active::of(session));
            active.failures = active.failures.saturating_add(1);
            Some(active.failures)
        });
        let doublings = failures.unwrap_or(1) - 1;
        Duration::from_secs(1 << doublings.min(4))
    }

    /// The waiting time after a write that was refused.
    pub(super) fn refused(&self, session: &TLSDebugSession) -> Duration {
        let wait = self.backoff(session);
        self.with_active(|all| {
            if let Some(active) = all.get_mut(&session.uid().unwrap_or_default()) {
                active.refused = Some((Instant::now(), asked(session)));
            }
        });
        wait
    }

    /// How long nothing is to be tried after a refusal, whatever changes, unless something else is asked of the session.
    pub(super) fn pause_after_refusal(&self, session: &TLSDebugSession) -> Option<Duration> {
        let active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, asked_then) = active.get(&session.uid().unwrap_or_default())?.refused?;
        let left = AFTER_REFUSAL.saturating_sub(since.elapsed());
        (asked_then == asked(session) && !left.is_zero()).then_some(left)
    }

    pub(super) fn succeeded(&self, uid: &str) {
        self.with_active(|all| {
            if let Some(active) = all.get_mut(uid) {
                active.failures = 0;
                active.refused = None;
                if !active.is_running() {
                    all.remove(uid);
                }
            }
        });
    }

    /// Ends what runs for a session that no longer exists.
    pub fn forget(&self, uid: &str) {
        self.with_active(|all| all.remove(uid));
    }

    /// Ends what runs for sessions of a scope that vanished while it could not be watched.
    pub fn forget_vanished(&self, namespace: Option<&String>) {
        let Some(scope) = self.scopes.get(&namespace.cloned()) else {
            return;
        };
        let all: HashSet<String> = scope
            .sessions
            .state()
            .iter()
            .filter_map(|session| session.uid())
            .collect();
        self.with_active(|active| {
            active.retain(|uid, active| {
                let is_elsewhere = namespace.is_some() && active.namespace.as_ref() != namespace;
                is_elsewhere || all.contains(uid)
            });
        });
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::http::{Request, Response};
    use clap::Parser;
    use k8s_openapi::api::apps::v1::Deployment;
    use kube::client::Body;
    use kube::runtime::reflector::store::Writer;
    use kube::runtime::{reflector, watcher};
    use serde_json::json;
    use tokio::sync::mpsc;

    use super::super::observe;
    use super::super::plan::Action;
    use super::*;
    use crate::session::TLSDebugSessionStatus;
    use crate::workload::record::RecordOwner;

    #[derive(Parser)]
    struct Arguments {
        #[command(flatten)]
        settings: Settings,
    }

    fn session(uid: &str) -> TLSDebugSession {
        serde_json::from_value(json!({
            "apiVersion": "tlsdebug.io/v1alpha1", "kind": "TLSDebugSession",
            "metadata": {"name": "session", "namespace": "demo", "uid": uid},
            "spec": {"target": {"kind": "Deployment", "name": "orders"}}
        }))
        .expect("a session")
    }

    fn context_without_cluster() -> (Context, Writer<TLSDebugSession>) {
        let nobody = tower::service_fn(|_: Request<Body>| std::future::pending::<Result<Response<Body>, Infallible>>());
        let client = Client::new(nobody, "demo");
        let (wake, _) = mpsc::unbounded_channel();
        let (sessions, writer) = reflector::store();
        let settings = Arguments::parse_from(["tlsdebug"]).settings;
        let scopes = BTreeMap::from([(None, Scope { wake, sessions })]);
        (Context::new(client.clone(), client, &settings, scopes), writer)
    }

    #[tokio::test]
    async fn nothing_runs_beside_a_session_that_has_vanished() {
        let (context, mut writer) = context_without_cluster();
        let deployment: Deployment = serde_json::from_value(json!({
            "metadata": {"name": "orders", "namespace": "demo", "uid": "d-1"}, "spec": {"selector": {}, "template": {}}
        }))
        .expect("a Deployment");
        let observed = |uid| Observed {
            session: session(uid),
            owner: RecordOwner::Operator,
            is_guarded: true,
            workload: Some(deployment.clone().into()),
            config_maps: BTreeMap::new(),
            service_selectors: Vec::new(),
            clone: None,
            remains: observe::Remains::default(),
            unreadable: None,
            stuck: None,
            is_left_behind: false,
            captured: Captured::default(),
            peer: None,
        };
        let plan = Plan {
            action: Action::None,
            status: TLSDebugSessionStatus::default(),
            look_again: Duration::ZERO,
            capture: false,
            watch: true,
        };
        let running = |uid| {
            context.run_beside(uid, &observed(uid), &plan);
            context.metrics.active_sessions.get()
        };
        assert_eq!(running("s-1"), 0, "it was deleted during the look");
        writer.apply_watcher_event(&watcher::Event::Apply(session("s-1")));
        assert_eq!(running("s-1"), 1);

        // Deleted and created anew under the same name.
        writer.apply_watcher_event(&watcher::Event::Apply(session("s-2")));
        assert_eq!(running("s-1"), 0);
        assert_eq!(running("s-2"), 1);
        writer.apply_watcher_event(&watcher::Event::Init);
        writer.apply_watcher_event(&watcher::Event::InitDone);
        context.forget_vanished(None);
        assert_eq!(context.metrics.active_sessions.get(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_write_is_not_tried_again_at_each_change_of_a_pod() {
        let (context, mut writer) = context_without_cluster();
        let mut session = session("s-1");
        writer.apply_watcher_event(&watcher::Event::Apply(session.clone()));

        assert_eq!(context.pause_after_refusal(&session), None);
        assert_eq!(context.refused(&session), Duration::from_secs(1));
        tokio::time::advance(Duration::from_millis(500)).await;
        assert_eq!(context.pause_after_refusal(&session), Some(Duration::from_millis(1500)));
        session.metadata.generation = Some(2);
        assert_eq!(context.pause_after_refusal(&session), None, "its owner has changed it");

        assert_eq!(context.refused(&session), Duration::from_secs(2));
        tokio::time::advance(AFTER_REFUSAL).await;
        assert_eq!(context.pause_after_refusal(&session), None, "the next attempt is due");
        context.refused(&session);
        context.succeeded("s-1");
        assert_eq!(context.pause_after_refusal(&session), None, "it went through");
    }
}
