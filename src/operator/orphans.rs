//! Workloads that carry a record whose session is gone: its finalizer was taken off by force, or its definition deleted.
//!
//! Workloads with a record are listed first and each record's session is read live afterwards, so that a session that is
//! just being created is never mistaken for one that is gone. Sessions in namespaces that are not watched are left alone.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use kube::api::{ListParams, Patch, PatchParams};
use kube::core::PartialObjectMeta;
use kube::{Api, Client, ResourceExt};
use serde_json::json;

use super::act;
use super::observe::{self, DebugReplicaSet};
use crate::session::TLSDebugSession;
use crate::workload::ownership::{self, FIELD_MANAGER};
use crate::workload::patch::Builder;
use crate::workload::record::{ANNOTATION, Record, RecordOwner};
use crate::workload::{Workload, restore};

/// Between two looks at all workloads.
const BETWEEN_SWEEPS: Duration = Duration::from_mins(1);
/// What may pass after a record's deadline before this undoes the change in place of its owner.
const GRACE: SignedDuration = SignedDuration::from_mins(1);
/// How often giving ownership back is tried against writes of others.
const ATTEMPTS: usize = 10;
/// How long a restored orphan's pods are waited for before its revision with the flag is given up.
const PATIENCE: Duration = Duration::from_mins(30);

/// Looks for orphans and restores them, for ever. `namespaces`: those that are watched, all when empty.
pub async fn sweep_forever(client: Client, namespaces: Vec<String>) {
    loop {
        let apis: Vec<Api<PartialObjectMeta<Deployment>>> = if namespaces.is_empty() {
            vec![Api::all(client.clone())]
        } else {
            namespaces
                .iter()
                .map(|namespace| Api::namespaced(client.clone(), namespace))
                .collect()
        };
        for api in apis {
            if let Err(error) = sweep(&client, &api).await {
                tracing::warn!(%error, "cannot look for workloads whose session is gone; will try again");
            }
        }
        tokio::time::sleep(BETWEEN_SWEEPS).await;
    }
}

async fn sweep(client: &Client, api: &Api<PartialObjectMeta<Deployment>>) -> kube::Result<()> {
    let mut page = ListParams::default().limit(500);
    loop {
        let list = api.list(&page).await?;
        for object in list
            .items
            .iter()
            .filter(|object| object.annotations().contains_key(ANNOTATION))
        {
            let Some(Ok(record)) = object
                .annotations()
                .get(ANNOTATION)
                .map(|text| serde_json::from_str::<Record>(text))
            else {
                tracing::warn!(name = %object.name_any(), namespace = object.namespace(), "unreadable annotation {ANNOTATION}");
                continue;
            };
            let namespace = object.namespace().unwrap_or_default();
            let name = object.name_any();
            if record.session.namespace != namespace {
                tracing::warn!(
                    name,
                    namespace,
                    "annotation {ANNOTATION} names a session of another namespace"
                );
                continue;
            }
            match is_orphan(client, &record, Timestamp::now()).await {
                Ok(true) => drop(tokio::spawn(restore_logged(client.clone(), namespace, name, record))),
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(name, namespace, %error, "cannot tell whether the session of a record is gone");
                }
            }
        }
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => return Ok(()),
        }
    }
}

async fn is_orphan(client: &Client, record: &Record, now: Timestamp) -> kube::Result<bool> {
    // Whoever was to undo the change is late: a terminal that was closed, a session whose status cannot be written.
    if record
        .deadline
        .parse::<Timestamp>()
        .is_ok_and(|deadline| deadline + GRACE < now)
    {
        return Ok(true);
    }
    if record.owner == RecordOwner::Terminal {
        return Ok(false);
    }
    let reference = &record.session;
    let session = match observe::session(client, &reference.namespace, &reference.name).await {
        Ok(session) => session,
        // The definition itself is gone.
        Err(kube::Error::Api(status)) if status.is_not_found() => None,
        Err(error) => return Err(error),
    };
    // A finished session has taken its record away; one that is there again came back with somebody's copy of the object.
    let is_finished =
        |session: &TLSDebugSession| session.status.as_ref().is_some_and(|status| status.phase.is_finished());
    Ok(session.is_none_or(|session| session.uid().as_ref() != Some(&reference.uid) || is_finished(&session)))
}

async fn restore_logged(client: Client, namespace: String, name: String, record: Record) {
    let session = &record.session.name;
    match tokio::time::timeout(PATIENCE, restore(&client, &namespace, &name, &record)).await {
        Ok(Ok(())) => tracing::info!(name, namespace, session, "restored a workload whose session is gone"),
        Ok(Err(error)) => {
            tracing::warn!(name, namespace, session, %error, "cannot restore a workload whose session is gone");
        }
        Err(_) => tracing::warn!(
            name,
            namespace,
            session,
            "pods of a restored workload still carry the flag"
        ),
    }
}

/// The same steps as a session's end: template and record, ownership, then the revision that leads back to the flag.
async fn restore(client: &Client, namespace: &str, name: &str, record: &Record) -> kube::Result<()> {
    let deployments = Api::<Deployment>::namespaced(client.clone(), namespace);
    let parameters = PatchParams::apply(FIELD_MANAGER);
    let change = &record.change;
    let Some(workload) = deployments.get_opt(name).await?.map(Workload::from) else {
        return Ok(());
    };
    if !matches!(workload.record(), Some(Ok(found)) if found == *record) {
        return Ok(());
    }
    let (patch, _) = restore::plan(&workload, change);
    let mut workload = Workload::from(deployments.patch(name, &parameters, &Patch::Json::<()>(patch)).await?);
    let path = ownership::value_path(&change.container, &change.variable);
    for _ in 0..ATTEMPTS {
        let Some(managed_fields) = ownership::given_back(&workload.metadata, &change.owners, &path) else {
            break;
        };
        let patch = Builder::default()
            .test(
                &["metadata", "resourceVersion"],
                workload.metadata.resource_version.clone().unwrap_or_default(),
            )
            .replace(&["metadata", "managedFields"], json!(managed_fields))
            .build();
        workload = match deployments.patch(name, &parameters, &Patch::Json::<()>(patch)).await {
            Ok(deployment) => Workload::from(deployment),
            // Somebody wrote in between, most often the controller its status.
            Err(kube::Error::Api(status)) if status.is_invalid() || status.is_conflict() => {
                Workload::from(deployments.get(name).await?)
            }
            Err(error) => return Err(error),
        };
    }
    while !is_way_back_removed(client, namespace, &workload, record).await? {
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    Ok(())
}

async fn is_way_back_removed(
    client: &Client,
    namespace: &str,
    workload: &Workload,
    record: &Record,
) -> kube::Result<bool> {
    let replica_sets = Api::<ReplicaSet>::namespaced(client.clone(), namespace);
    let all = replica_sets
        .list(&ListParams::default().labels(&workload.selector_text()))
        .await?;
    let sets: Vec<DebugReplicaSet> = all
        .items
        .iter()
        .filter_map(|set| observe::debug_replica_set(set, workload.uid(), &record.session.uid, &record.change))
        .collect();
    for set in sets.iter().filter(|set| set.replicas == 0 || !set.carries_flag) {
        let written = if set.carries_flag {
            act::delete_replica_set(client, namespace, set).await
        } else {
            act::unmark_replica_set(client, namespace, set).await
        };
        match written {
            Ok(()) => {}
            // The next look sees it as it is now.
            Err(kube::Error::Api(status)) if [404, 409, 422].contains(&status.code) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(sets.is_empty())
}
