//! Workloads that carry a record whose session is gone: its finalizer was taken off by force, or its definition deleted.
//!
//! Workloads with a record are listed first and each record's session is read live afterwards, so that a session that is
//! just being created is never mistaken for one that is gone. Sessions in namespaces that are not watched are left alone.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::api::ListParams;
use kube::core::{DynamicObject, PartialObjectMeta};
use kube::{Api, Client, ResourceExt};

use super::act;
use super::observe;
use super::plan::undo::{self, Undo};
use crate::session::{TLSDebugSession, Target, TargetKind};
use crate::workload::record::{ANNOTATION, Record, RecordOwner};

/// Between two looks at all workloads.
const BETWEEN_SWEEPS: Duration = Duration::from_mins(1);
/// What may pass after a record's deadline before this undoes the change in place of its owner.
const GRACE: SignedDuration = SignedDuration::from_mins(1);
/// Between two tries of a write that was refused because somebody wrote in between.
const BETWEEN_TRIES: Duration = Duration::from_millis(200);
/// How long a restored orphan's pods are waited for before its revision with the flag is given up.
const PATIENCE: Duration = Duration::from_mins(30);

/// The kinds whose template a session changes. A clone goes with its session by itself.
const KINDS: [TargetKind; 3] = [TargetKind::Deployment, TargetKind::StatefulSet, TargetKind::DaemonSet];

type Objects = Api<PartialObjectMeta<DynamicObject>>;

/// Looks for orphans and restores them, for ever. `namespaces`: those that are watched, all when empty.
pub async fn sweep_forever(client: Client, namespaces: Vec<String>) {
    loop {
        for kind in KINDS {
            let resource = observe::resource(kind);
            let apis: Vec<Objects> = if namespaces.is_empty() {
                vec![Api::all_with(client.clone(), &resource)]
            } else {
                let api = |namespace: &String| Api::namespaced_with(client.clone(), namespace, &resource);
                namespaces.iter().map(api).collect()
            };
            for api in apis {
                if let Err(error) = sweep(&client, kind, &api).await {
                    tracing::warn!(%kind, %error, "cannot look for workloads whose session is gone; will try again");
                }
            }
        }
        tokio::time::sleep(BETWEEN_SWEEPS).await;
    }
}

async fn sweep(client: &Client, kind: TargetKind, api: &Objects) -> kube::Result<()> {
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
                Ok(true) => {
                    let target = Target {
                        kind,
                        name,
                        container: None,
                    };
                    drop(tokio::spawn(restore_logged(client.clone(), namespace, target, record)));
                }
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

async fn restore_logged(client: Client, namespace: String, target: Target, record: Record) {
    let (session, kind, name) = (&record.session.name, target.kind, &target.name);
    match tokio::time::timeout(PATIENCE, restore(&client, &namespace, &target, &record)).await {
        Ok(Ok(())) => tracing::info!(%kind, name, namespace, session, "restored a workload whose session is gone"),
        Ok(Err(error)) => {
            tracing::warn!(%kind, name, namespace, session, %error, "cannot restore a workload whose session is gone");
        }
        Err(_) => tracing::warn!(
            %kind,
            name,
            namespace,
            session,
            "pods of a restored workload still carry the flag"
        ),
    }
}

/// The same steps as a session's end: template and record, ownership, then the revision that leads back to the flag.
async fn restore(client: &Client, namespace: &str, target: &Target, record: &Record) -> kube::Result<()> {
    let workloads = observe::workloads(client, namespace, target.kind);
    loop {
        let Some(object) = workloads.get_opt(&target.name).await? else {
            return Ok(());
        };
        let workload = observe::read(target.kind, object)?;
        let uid = &record.session.uid;
        let remains = observe::remains(client, &workload, uid, &record.change, None).await?;
        match undo::next(&workload, &record.change, uid, &remains) {
            Undo::Write(step) => match act::undo(client, namespace, target, &step).await {
                Ok(()) => {}
                // The next look sees it as it is now.
                Err(kube::Error::Api(status)) if [404, 409, 422].contains(&status.code) => {
                    tokio::time::sleep(BETWEEN_TRIES).await;
                }
                Err(error) => return Err(error),
            },
            Undo::Wait => tokio::time::sleep(Duration::from_secs(5)).await,
            Undo::Done => return Ok(()),
        }
    }
}
