//! Waking a session when its workload or one of its pods changes; only while it is active, and only over its own pods.

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::core::PartialObjectMeta;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use tokio::task::AbortHandle;

use super::capture::Wake;
use crate::session::TLSDebugSession;
use crate::workload::Workload;

/// The watches of one session. Dropping it ends them.
#[derive(Debug)]
pub struct Watch {
    task: AbortHandle,
}

impl Watch {
    /// Watches the workload and the pods that it selects.
    #[must_use]
    pub fn start(client: Client, session: &TLSDebugSession, workload: &Workload, wake: Wake) -> Self {
        let session = ObjectRef::from_obj(session);
        let namespace = workload.metadata.namespace.clone().unwrap_or_default();
        let by_name = watcher::Config::default().fields(&format!("metadata.name={}", workload.name()));
        let by_label = watcher::Config::default().labels(&workload.selector_text());
        let workloads = watcher(
            Api::<PartialObjectMeta<Deployment>>::namespaced(client.clone(), &namespace),
            by_name,
        )
        .default_backoff()
        .touched_objects()
        .map_ok(drop)
        .boxed();
        // Whole pods and not their metadata: readiness and restarts are in the status.
        let pods = watcher(Api::<Pod>::namespaced(client, &namespace), by_label)
            .default_backoff()
            .touched_objects()
            .map_ok(drop)
            .boxed();
        let task = tokio::spawn(async move {
            let mut changes = futures::stream::select(workloads, pods);
            while let Some(change) = changes.next().await {
                match change {
                    Ok(()) => {
                        if wake.send(session.clone()).is_err() {
                            return;
                        }
                    }
                    Err(error) => tracing::debug!(%session, %error, "watch"),
                }
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
