//! Taking a change back whose session is gone, as far as it goes now.

use kube::api::ListParams;
use kube::core::{DynamicObject, Status};
use kube::{Api, Client, ResourceExt};
use prometheus_client::metrics::counter::Counter;

use super::traces::Key;
use crate::operator::observe::RevisionKind;
use crate::operator::plan::undo::{self, Step, Undo};
use crate::operator::{act, observe};
use crate::session::{TLSDebugSession, Target};
use crate::workload::record::Record;
use crate::workload::redaction::without_values;
use crate::workload::rollout::Standstill;
use crate::workload::{Workload, ownership};

/// How many writes are tried on one workload in one sweep; others may write in between.
const ATTEMPTS: usize = 12;

/// Why what was left cannot be taken back now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hindrance {
    /// The API server, or one that it asks, does not accept the write; its words, without the values of variables.
    Refused(String),
    /// The workload does not replace its pods.
    Standstill(Standstill),
}

/// Takes the change back as far as it goes now. Returns whether nothing is left of it.
pub(super) async fn take_back(
    client: &Client,
    key: &Key,
    record: &Record,
    count: &Counter,
    hindrance: &mut Option<Hindrance>,
) -> kube::Result<bool> {
    let (namespace, kind, name) = key;
    let mut change = record.change.clone();
    let mut refused = None;
    for attempt in 0..ATTEMPTS {
        let Some(workload) = workload(client, key).await? else {
            return Ok(true);
        };
        if let Some(message) = refusal(&workload, refused.take()) {
            *hindrance = Some(Hindrance::Refused(message));
            return Ok(false);
        }
        // Whoever has edited the value meanwhile is its owner; the next write takes that from them.
        if let Some(editors) = undo::editors(&workload, &change).filter(|_| workload.record().is_some()) {
            change.owners = editors;
        }
        let mut unreadable = None;
        let remains = observe::remains(client, &workload, &record.session.uid, &change, &mut unreadable).await?;
        match undo::next(&workload, &change, &record.session.uid, &remains) {
            Undo::Write(step) => {
                refused = write(client, &workload, &step).await?;
                if refused.is_none() && matches!(step, Step::Restore(_)) {
                    count.inc();
                }
            }
            Undo::Wait => {
                *hindrance = workload.rollout.standstill.map(Hindrance::Standstill);
                return Ok(false);
            }
            Undo::Done => {
                if let Some(message) = &unreadable {
                    tracing::warn!(
                        %kind,
                        name,
                        namespace,
                        message,
                        "cannot see what a session that is gone has left"
                    );
                } else if attempt > 0 {
                    let session = &record.session.name;
                    tracing::info!(
                        %kind,
                        name,
                        namespace,
                        session,
                        "took back what a session that is gone had left"
                    );
                }
                return Ok(unreadable.is_none());
            }
        }
    }
    Ok(false)
}

async fn workload(client: &Client, (namespace, kind, name): &Key) -> kube::Result<Option<Workload>> {
    let object = observe::workloads(client, namespace, *kind).get_opt(name).await?;
    object.map(|object| observe::read(*kind, object)).transpose()
}

/// The revisions of the workload with this uid.
pub(super) async fn own_revisions(client: &Client, key: &Key, uid: Option<&str>) -> kube::Result<Vec<DynamicObject>> {
    let (namespace, kind, _) = key;
    let Some(kind) = RevisionKind::of(*kind) else {
        return Ok(Vec::new());
    };
    let revisions = observe::revisions::api(client, namespace, kind);
    let mut all = revisions.list(&ListParams::default()).await?.items;
    all.retain(|one| {
        one.owner_references()
            .iter()
            .any(|owner| Some(owner.uid.as_str()) == uid)
    });
    Ok(all)
}

/// Gives back what the operator owns of a workload without a record.
pub(super) async fn give_back(client: &Client, key: &Key, hindrance: &mut Option<Hindrance>) -> kube::Result<bool> {
    let (namespace, ..) = key;
    let mut refused = None;
    for _ in 0..ATTEMPTS {
        let Some(workload) = workload(client, key).await? else {
            return Ok(true);
        };
        if let Some(message) = refusal(&workload, refused.take()) {
            *hindrance = Some(Hindrance::Refused(message));
            return Ok(false);
        }
        if workload.record().is_some() {
            return Ok(true);
        }
        // Its status knows the former owners.
        let is_about_to = |session: &TLSDebugSession| {
            session.status.as_ref().is_some_and(|status| {
                let injection = status.injection.as_ref();
                !status.phase.is_finished() && injection.is_some_and(|injection| injection.uid == workload.uid())
            })
        };
        let sessions = Api::<TLSDebugSession>::namespaced(client.clone(), namespace);
        let sessions = observe::existing(sessions.list(&ListParams::default()).await.map(|list| list.items))?;
        if sessions.iter().any(is_about_to) {
            return Ok(true);
        }
        // A copy of the record knows them as well: whoever made the change is about to give them back, or a sweep over the
        // revisions does.
        let revisions = own_revisions(client, key, Some(workload.uid())).await?;
        if revisions
            .iter()
            .any(|revision| Record::of(&revision.metadata).is_some())
        {
            return Ok(false);
        }
        let paths = ownership::owned(&workload.metadata);
        let owners: Vec<_> = paths
            .iter()
            .flat_map(|path| ownership::former_owners(&workload.metadata, path))
            .collect();
        let Some(step) = undo::give_back(&workload, &owners) else {
            return Ok(true);
        };
        refused = write(client, &workload, &step).await?;
    }
    Ok(false)
}

/// A write that the API server refused: as which version the workload was seen, and the answer.
type Refused = (Option<String>, Status);

/// Writes. A refusal is no error yet: most often the object has moved, and the next look sees it as it is.
async fn write(client: &Client, workload: &Workload, step: &Step) -> kube::Result<Option<Refused>> {
    let namespace = workload.metadata.namespace.as_deref().unwrap_or_default();
    let target = Target {
        kind: workload.kind,
        name: workload.name().to_owned(),
        container: None,
    };
    let status = match act::undo(client, namespace, &target, step).await {
        Ok(()) => return Ok(None),
        Err(kube::Error::Api(status)) => Status {
            message: without_values(&status.message, workload),
            ..*status
        },
        Err(error) => return Err(error),
    };
    if [404, 409, 422].contains(&status.code) {
        return Ok(Some((workload.metadata.resource_version.clone(), status)));
    }
    Err(kube::Error::Api(status.boxed()))
}

/// The API server's words, where a write was refused though nothing has moved: admission does not accept it, or a
/// ReplicaSet moves.
fn refusal(workload: &Workload, refused: Option<Refused>) -> Option<String> {
    let (version, status) = refused.filter(|(version, _)| *version == workload.metadata.resource_version)?;
    let (name, namespace, code) = (workload.name(), workload.metadata.namespace.as_deref(), status.code);
    tracing::warn!(
        name,
        namespace,
        version,
        code,
        "the API server does not accept the restoration; will try again"
    );
    Some(status.message)
}
