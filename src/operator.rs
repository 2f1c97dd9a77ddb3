//! The operator: observe, plan, act, report.
//!
//! Of a session's life [`observe`] is the reader and [`act`] the writer; between them [`plan`] decides, and it is pure: the
//! same observation at the same time gives the same plan. The deadline of every session is data in the cluster, so a
//! killed operator forgets nothing. [`capture`] reads the logs beside it and wakes its own session when there is news;
//! [`orphans`] restores workloads whose session is gone.

pub mod act;
pub mod admin;
pub mod capture;
pub mod check;
pub mod clock;
pub mod context;
pub mod drain;
pub mod events;
pub mod lease;
mod listing;
pub mod metrics;
pub mod observe;
pub mod orphans;
pub mod plan;
pub mod pulse;
pub mod reconcile;
pub mod rights;
pub mod settings;
pub mod watch;

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{Method, Request};
use futures::{Stream, StreamExt, TryStreamExt};
use jiff::Timestamp;
use kube::client::ClientBuilder;
use kube::runtime::controller::{Config as ControllerConfig, Controller, Error as ControllerError};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::{Predicate, WatchStreamExt, predicates, reflector, watcher};
use kube::{Api, Client, Config, ResourceExt};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tower::BoxError;
use tower::filter::FilterLayer;

use crate::session::TLSDebugSession;
use context::{Context, Scope};
use lease::{Held, LeaderLease};
pub use settings::Settings;

/// A connection on which nothing comes for so long is dead: the API server sends a bookmark to each watch once a minute.
pub(crate) const LONGEST_SILENCE: Duration = Duration::from_secs(75);
/// How often the controller is asked for a sign of life.
const BETWEEN_SIGNS: Duration = Duration::from_secs(30);
/// No look takes longer than [`reconcile::LONGEST_LOOK`], so a controller that has answered nothing for this long hangs.
const LONGEST_CONTROLLER_TURN: Duration = Duration::from_mins(3);
/// A turn takes 6 s at the most.
const LONGEST_LEASE_TURN: Duration = Duration::from_mins(1);
/// Each request of a sweep and each pause between two takes a minute at the most.
const LONGEST_SWEEP_TURN: Duration = Duration::from_mins(5);

/// Why the operator cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no way to the API server.
    #[error("cannot set up a client for the Kubernetes API: {0}. Run inside a cluster, or set KUBECONFIG")]
    Client(#[source] kube::Error),
    /// The address of probes and metrics cannot be listened on.
    #[error("cannot listen on admin address {address}: {source}. Choose another one with --admin-address")]
    Admin {
        /// The address.
        address: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// What `--check` found missing.
    #[error("{}", .0.join("; "))]
    Unfit(Vec<String>),
    /// Another replica acts now.
    #[error("the leader lease is lost, so another replica may act now; this one starts anew as its standby")]
    LeaseLost,
}

/// Runs until SIGTERM or SIGINT; with `settings.check` only looks. Sessions go on where they are when the next operator starts.
pub async fn run(settings: Settings) -> Result<(), Error> {
    let config = config().await?;
    if settings.check {
        let missing = check::missing(&client(&config, None)?, &settings, Timestamp::now()).await;
        return if missing.is_empty() {
            Ok(())
        } else {
            Err(Error::Unfit(missing))
        };
    }
    let held = Held::default();
    let fence = settings.lease_namespace.is_some().then(|| held.clone());
    let client = client(&config, fence.clone())?;
    // A log may be silent for as long as its container is.
    let mut patient = config.clone();
    patient.read_timeout = None;
    let logs = self::client(&patient, None)?;
    let mut scopes = BTreeMap::new();
    let mut sources = Vec::new();
    for namespace in namespaces(&settings.watch_namespaces) {
        let (wake, woken) = mpsc::unbounded_channel();
        let (sessions, writer) = reflector::store();
        scopes.insert(namespace.clone(), Scope { wake, sessions });
        sources.push(Source {
            namespace,
            writer,
            woken,
        });
    }
    let context = Context::new(client.clone(), logs, &settings, scopes).with_lease(fence);
    let context = Arc::new(context);
    let admin = admin::bind(&settings.admin_address).await?;
    let admin = tokio::spawn(admin::serve(admin, context.clone()));
    let lease = match &settings.lease_namespace {
        Some(namespace) => {
            let pulse = context.pulses.add("lease", LONGEST_LEASE_TURN);
            let client = self::client(&config, None)?;
            let (name, identity) = (&settings.lease_name, &settings.identity);
            Some(LeaderLease::new(client, namespace, name, identity, held, pulse))
        }
        None => None,
    };
    let mut terminated = pin!(shutdown_signal());
    if let Some(lease) = &lease {
        tracing::info!(
            lease = settings.lease_name,
            identity = lease.identity(),
            "waiting for the leader lease"
        );
        tokio::select! {
            () = lease.acquire() => {}
            () = &mut terminated => return Ok(()),
        }
    }
    tracing::info!(version = env!("CARGO_PKG_VERSION"), namespaces = ?settings.watch_namespaces, "operator started");
    let controllers = sources.into_iter().map(|source| serve(source, context.clone()));
    let controllers = futures::future::join_all(controllers);
    let pulse = context.pulses.add("sweep", LONGEST_SWEEP_TURN);
    let namespaces = settings.watch_namespaces.clone();
    let (gone, metrics) = (&context.gone_unfinished, &context.metrics);
    let sweep = orphans::sweep_forever(client, namespaces, pulse, gone, metrics);
    let result = tokio::select! {
        () = sweep => Ok(()),
        _ = controllers => Ok(()),
        () = terminated => Ok(()),
        () = kept(lease.as_ref()) => Err(Error::LeaseLost),
    };
    if let (Some(lease), Ok(())) = (&lease, &result) {
        lease.release().await;
    }
    admin.abort();
    tracing::info!("operator stopped");
    result
}

/// A configuration with which faults come back to the reconcile: the client's own retries of a throttled request would
/// last minutes, and no other look at the session could begin in the meantime. A request that is never answered, because
/// its connection was dropped without a word, ends as well: a watch would else hear nothing any more.
async fn config() -> Result<Config, Error> {
    let mut config = Config::infer()
        .await
        .map_err(|error| Error::Client(kube::Error::InferConfig(error)))?;
    config.default_retry = false;
    config.read_timeout = Some(LONGEST_SILENCE);
    Ok(config)
}

/// A client that reads always, and writes only while `held` is valid.
fn client(config: &Config, held: Option<Held>) -> Result<Client, Error> {
    let fence = FilterLayer::new(move |request: Request<kube::client::Body>| {
        if request.method() == Method::GET || held.as_ref().is_none_or(Held::is_valid) {
            Ok(request)
        } else {
            Err(BoxError::from(
                "not written: the leader lease could not be renewed in time",
            ))
        }
    });
    let builder = ClientBuilder::try_from(config.clone()).map_err(Error::Client)?;
    Ok(builder.with_layer(&fence).build())
}

/// Where the sessions of one namespace, or of all, come from.
struct Source {
    namespace: Option<String>,
    writer: reflector::store::Writer<TLSDebugSession>,
    woken: mpsc::UnboundedReceiver<ObjectRef<TLSDebugSession>>,
}

/// Serves one namespace, or all. Each has a store of its own: a watch that begins anew replaces its whole store.
async fn serve(source: Source, context: Arc<Context>) {
    let Source {
        namespace,
        writer,
        woken,
    } = source;
    let api: Api<TLSDebugSession> = match &namespace {
        Some(namespace) => Api::namespaced(context.client(), namespace),
        None => Api::all(context.client()),
    };
    let woken = futures::stream::unfold(woken, |mut woken| async {
        woken.recv().await.map(|item| (item, woken))
    });
    let sessions = writer.as_reader();
    let (vanished, scope) = (context.clone(), namespace.clone());
    let triggers = watcher(api, watcher::Config::default())
        .backoff(watch::Reopening::default())
        .reflect(writer)
        // After the store has taken it in: a look that is still under way asks the store.
        .inspect_ok(move |event| match event {
            watcher::Event::Delete(session) => {
                vanished.forget(&session.uid().unwrap_or_default());
                if !session.status.as_ref().is_some_and(|status| status.phase.is_finished()) {
                    vanished.gone_unfinished.notify_one();
                }
            }
            watcher::Event::InitDone => vanished.forget_vanished(scope.as_ref()),
            watcher::Event::Apply(_) | watcher::Event::Init | watcher::Event::InitApply(_) => {}
        })
        .applied_objects()
        // A status write of our own must not wake us; the finalizer's write and the deletion must.
        .predicate_filter(
            predicates::generation.combine(predicates::finalizers),
            kube::runtime::PredicateConfig::default(),
        );
    let name = namespace
        .as_ref()
        .map_or("sessions".to_owned(), |name| format!("sessions in {name}"));
    let pulse = context.pulses.add(name, LONGEST_CONTROLLER_TURN);
    Controller::for_stream(triggers, sessions)
        .with_config(ControllerConfig::default().concurrency(32))
        .reconcile_on(futures::stream::select(woken, sign_of_life(namespace.as_ref())).boxed())
        .run(reconcile::reconcile, reconcile::on_error, context)
        .for_each(|result| async {
            pulse.beat();
            match result {
                Ok(_) | Err(ControllerError::ObjectNotFound(_)) => {}
                Err(error) => tracing::debug!(%error, "reconcile"),
            }
        })
        .await;
}

/// Asks the controller now and then for a session that cannot exist: its answer shows that it is not stuck though there is
/// nothing to do.
fn sign_of_life(namespace: Option<&String>) -> impl Stream<Item = ObjectRef<TLSDebugSession>> + use<> {
    let nobody = ObjectRef::new(".").within(namespace.map_or("", String::as_str));
    futures::stream::unfold((), move |()| {
        let nobody = nobody.clone();
        async move {
            tokio::time::sleep(BETWEEN_SIGNS).await;
            Some((nobody, ()))
        }
    })
}

/// Ends when the lease is lost; never without a lease.
async fn kept(lease: Option<&LeaderLease>) {
    match lease {
        Some(lease) => lease.keep().await,
        None => std::future::pending().await,
    }
}

async fn shutdown_signal() {
    let mut terminate = match signal(SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(error) => {
            tracing::error!(%error, "cannot listen for SIGTERM");
            return std::future::pending().await;
        }
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

/// What is watched: each namespace that is named, or all of them at once.
fn namespaces(watched: &[String]) -> Vec<Option<String>> {
    if watched.is_empty() {
        vec![None]
    } else {
        watched.iter().cloned().map(Some).collect()
    }
}
