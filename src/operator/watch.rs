//! Waking a session when its workload or one of its pods changes; only while it is active, and only over its own pods.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::core::{DynamicObject, PartialObjectMeta};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::DefaultBackoff;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use tokio::task::AbortHandle;

use super::capture::Wake;
use super::observe;
use crate::session::{Strategy, TLSDebugSession};
use crate::workload::Workload;
use crate::workload::clone::SESSION_LABEL;

/// After a change, for so long, others only add up to the next wake: each look lists all pods, and a rollout of many changes
/// each of them several times.
const BETWEEN_WAKES: Duration = Duration::from_millis(250);
/// Changes that are taken together, at most.
const AT_ONCE: usize = 1024;

/// The longest wait before a broken watch is opened again: what ends a session must be seen in time.
const LONGEST_WAIT: Duration = Duration::from_secs(8);

/// The waits before a broken watch is opened again: those of client-go, up to [`LONGEST_WAIT`].
#[derive(Default)]
pub(super) struct Reopening(DefaultBackoff);

impl Iterator for Reopening {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.0.next().map(|wait| wait.min(LONGEST_WAIT))
    }
}

impl Backoff for Reopening {
    fn reset(&mut self) {
        self.0.reset();
    }
}

/// The watches of one session. Dropping it ends them.
#[derive(Debug)]
pub struct Watch {
    task: AbortHandle,
}

impl Watch {
    /// Watches the workload and the pods that it selects, or the session's clone.
    #[must_use]
    pub fn start(client: Client, session: &TLSDebugSession, workload: &Workload, wake: Wake) -> Self {
        let namespace = workload.metadata.namespace.clone().unwrap_or_default();
        let pods_of_it = match session.spec.effective_strategy() {
            Strategy::Rollout => workload.selector_text(),
            Strategy::Clone => format!("{SESSION_LABEL}={}", session.name_any()),
        };
        let session = ObjectRef::from_obj(session);
        let by_name = watcher::Config::default().fields(&format!("metadata.name={}", workload.name()));
        let by_label = watcher::Config::default().labels(&pods_of_it);
        let resource = observe::resource(workload.kind);
        let workloads = watcher(
            Api::<PartialObjectMeta<DynamicObject>>::namespaced_with(client.clone(), &namespace, &resource),
            by_name,
        )
        .backoff(Reopening::default())
        .touched_objects()
        .map_ok(drop)
        .boxed();
        // Whole pods and not their metadata: readiness and restarts are in the status.
        let pods = watcher(Api::<Pod>::namespaced(client, &namespace), by_label)
            .backoff(Reopening::default())
            .touched_objects()
            .map_ok(drop)
            .boxed();
        let task = tokio::spawn(async move {
            let mut changes = futures::stream::select(workloads, pods).ready_chunks(AT_ONCE);
            while let Some(changes) = changes.next().await {
                for error in changes.iter().filter_map(|change| change.as_ref().err()) {
                    tracing::debug!(%session, %error, "watch");
                }
                if changes.iter().any(Result::is_ok) && wake.send(session.clone()).is_err() {
                    return;
                }
                tokio::time::sleep(BETWEEN_WAKES).await;
            }
        });
        Self {
            task: task.abort_handle(),
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}
