//! Lists of a namespace or of all, for whoever looks at every workload: only metadata, page by page, so that the objects of a
//! large cluster are never in memory at once.

use std::time::Duration;

use kube::api::ListParams;
use kube::core::{ApiResource, DynamicObject, PartialObjectMeta};
use kube::{Api, Client};

use crate::session::TargetKind;

/// The kinds whose template a session changes. A clone goes with its session by itself.
pub(super) const KINDS: [TargetKind; 3] = [TargetKind::Deployment, TargetKind::StatefulSet, TargetKind::DaemonSet];

/// Objects of one page.
const PAGE: u32 = 500;

/// Shows all objects of a kind, a page at a time, each of which has to come within `longest`. The error says why not all were
/// seen.
pub(super) async fn each_page(
    client: &Client,
    namespace: Option<&str>,
    resource: &ApiResource,
    longest: Duration,
    mut see: impl FnMut(Vec<PartialObjectMeta<DynamicObject>>),
) -> Result<(), String> {
    let api: Api<DynamicObject> = match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, resource),
        None => Api::all_with(client.clone(), resource),
    };
    let mut page = ListParams::default().limit(PAGE);
    loop {
        let list = answer(longest, api.list_metadata(&page)).await?;
        see(list.items);
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => return Ok(()),
        }
    }
}

/// A request may hang; the others must not wait for it.
pub(super) async fn answer<T>(longest: Duration, request: impl Future<Output = kube::Result<T>>) -> Result<T, String> {
    match tokio::time::timeout(longest, request).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!("the API server has not answered within {longest:?}")),
    }
}
