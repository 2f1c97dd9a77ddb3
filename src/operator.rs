//! The operator: observe, plan, act, report.
//!
//! Of a session's life [`observe`] is the reader and [`act`] the writer; between them [`plan`] decides, and it is pure: the
//! same observation at the same time gives the same plan. The deadline of every session is data in the cluster, so a
//! killed operator forgets nothing. [`capture`] reads the logs beside it and wakes its own session when there is news;
//! [`orphans`] restores workloads whose session is gone.

pub mod act;
pub mod admin;
pub mod capture;
pub mod events;
pub mod lease;
pub mod observe;
pub mod orphans;
pub mod plan;
pub mod reconcile;
pub mod settings;
pub mod watch;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use kube::runtime::controller::{Config as ControllerConfig, Controller};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::{Predicate, WatchStreamExt, predicates, reflector, watcher};
use kube::{Api, Client, Config};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::session::TLSDebugSession;
use lease::LeaderLease;
use reconcile::Context;
pub use settings::Settings;

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
    /// Another replica acts now.
    #[error("the leader lease is lost, so another replica may act now; this one starts anew as its standby")]
    LeaseLost,
}

/// Runs until SIGTERM or SIGINT. Sessions go on where they are when the next operator starts.
pub async fn run(settings: Settings) -> Result<(), Error> {
    let client = client().await?;
    let scopes = scopes(&settings);
    let (wakes, woken): (Vec<_>, Vec<_>) = scopes.iter().map(|_| mpsc::unbounded_channel()).unzip();
    let wakes = scopes.iter().cloned().zip(wakes).collect();
    let context = Arc::new(Context::new(client.clone(), &settings, wakes));
    let admin = admin::bind(&settings.admin_address).await?;
    let admin = tokio::spawn(admin::serve(admin, context.clone()));
    let lease = settings
        .lease_namespace
        .as_ref()
        .map(|namespace| LeaderLease::new(client.clone(), namespace, &settings.lease_name, &settings.identity));
    let mut terminated = pin!(shutdown_signal());
    if let Some(lease) = &lease {
        tracing::info!(
            lease = settings.lease_name,
            identity = settings.identity,
            "waiting for the leader lease"
        );
        tokio::select! {
            () = lease.acquire() => {}
            () = &mut terminated => return Ok(()),
        }
    }
    tracing::info!(version = env!("CARGO_PKG_VERSION"), namespaces = ?settings.watch_namespaces, "operator started");
    let controllers = scopes
        .iter()
        .zip(woken)
        .map(|(scope, woken)| serve(scope.as_ref(), woken, context.clone()));
    let controllers = futures::future::join_all(controllers);
    let sweep = orphans::sweep_forever(client.clone(), settings.watch_namespaces.clone());
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

/// A client whose faults come back to the reconcile: its own retries of a throttled request would last minutes, and no
/// other look at the session could begin in the meantime.
async fn client() -> Result<Client, Error> {
    let mut config = Config::infer()
        .await
        .map_err(|error| Error::Client(kube::Error::InferConfig(error)))?;
    config.default_retry = false;
    Client::try_from(config).map_err(Error::Client)
}

/// Serves one namespace, or all. Each has a store of its own: a watch that begins anew replaces its whole store.
async fn serve(
    namespace: Option<&String>,
    woken: mpsc::UnboundedReceiver<ObjectRef<TLSDebugSession>>,
    context: Arc<Context>,
) {
    let client = context.client();
    let api: Api<TLSDebugSession> = match namespace {
        Some(namespace) => Api::namespaced(client, namespace),
        None => Api::all(client),
    };
    let woken = futures::stream::unfold(woken, |mut woken| async {
        woken.recv().await.map(|item| (item, woken))
    });
    let (store, writer) = reflector::store();
    let triggers = watcher(api, watcher::Config::default())
        .default_backoff()
        .reflect(writer)
        .applied_objects()
        // A status write of our own must not wake us; the finalizer's write and the deletion must.
        .predicate_filter(
            predicates::generation.combine(predicates::finalizers),
            kube::runtime::PredicateConfig::default(),
        );
    let vanished = forget_vanished(namespace, context.clone(), store.clone());
    let controller = Controller::for_stream(triggers, store)
        .with_config(ControllerConfig::default().concurrency(32))
        .reconcile_on(woken)
        .run(reconcile::reconcile, reconcile::on_error, context)
        .for_each(|result| async {
            if let Err(error) = result {
                tracing::debug!(%error, "reconcile");
            }
        });
    tokio::select! {
        () = controller => {}
        () = vanished => {}
    }
}

async fn forget_vanished(
    namespace: Option<&String>,
    context: Arc<Context>,
    sessions: reflector::Store<TLSDebugSession>,
) {
    loop {
        tokio::time::sleep(Duration::from_mins(1)).await;
        context.retain(namespace, &sessions);
    }
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
fn scopes(settings: &Settings) -> Vec<Option<String>> {
    if settings.watch_namespaces.is_empty() {
        vec![None]
    } else {
        settings.watch_namespaces.iter().cloned().map(Some).collect()
    }
}
