//! What was left behind by a session that is gone (its finalizer was taken off by force, or its definition deleted), and
//! by an operator that was killed while it put that right.
//!
//! Nothing is remembered between two sweeps, so none of them can be killed at a bad moment: each looks for all that can be
//! left. A workload's record says that the flag is in the template. A copy of the record on a revision says that the
//! template was restored and the rest was not ([`undo`] removes it last). Where neither is left, as with a
//! `revisionHistoryLimit` of 0, the operator's entry in `metadata.managedFields` tells.
//!
//! What is left is listed first and each session is read live afterwards, so that a session that is just being created is
//! never mistaken for one that is gone. Sessions in namespaces that are not watched are left alone.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::api::ListParams;
use kube::core::{ApiResource, DynamicObject, PartialObjectMeta, Status};
use kube::{Api, Client, ResourceExt};
use prometheus_client::metrics::counter::Counter;
use tokio::sync::Notify;

use super::listing::{KINDS, each_page};
use super::metrics::Metrics;
use super::observe::RevisionKind;
use super::plan::undo::{self, Step, Undo};
use super::pulse::Pulse;
use super::{act, clock, observe};
use crate::session::{TLSDebugSession, Target, TargetKind};
use crate::workload::record::{ANNOTATION, Record, RecordOwner};
use crate::workload::redaction::without_values;
use crate::workload::rollout::Standstill;
use crate::workload::{Workload, ownership};

/// Between two sweeps.
const BETWEEN_SWEEPS: Duration = Duration::from_mins(1);
/// Between a sweep that could not finish, because pods are still being replaced, and the next one; doubled each time up to
/// [`BETWEEN_SWEEPS`].
const SOON: Duration = Duration::from_secs(4);
/// Each so many sweeps look at the revisions as well, and those that follow one which could not finish.
const SWEEPS_OF_REVISIONS: u64 = 5;
/// After a sweep that left nothing, however many sessions go meanwhile: each sweep lists all workloads.
const SHORTEST_PAUSE: Duration = Duration::from_secs(10);
/// What may pass after a record's deadline before this undoes the change in place of its owner.
const GRACE: SignedDuration = SignedDuration::from_mins(1);
/// How many writes are tried on one workload in one sweep; others may write in between.
const ATTEMPTS: usize = 12;
/// A request may hang; the other workloads must not wait for it.
const LONGEST: Duration = Duration::from_mins(1);

const REVISIONS: [RevisionKind; 2] = [RevisionKind::ReplicaSet, RevisionKind::ControllerRevision];

/// A workload: namespace, kind, name.
pub type Key = (String, TargetKind, String);
type Object = PartialObjectMeta<DynamicObject>;

/// A change that may have been left behind.
struct Found {
    record: Record,
    /// Only a copy on a revision was found: the template was restored already.
    is_copy: bool,
}

/// What one sweep has found.
#[derive(Default)]
struct Traces {
    /// By workload and uid of the session.
    changes: BTreeMap<(Key, String), Found>,
    /// Workloads without a record, of which the operator still owns a field.
    owned: Vec<Key>,
}

/// Looks for what was left behind and takes it back, for ever, and at once when told that a session is `gone`. `namespaces`:
/// those that are watched, all when empty. `metrics` tell of each template that is put back, and of each refusal.
pub async fn sweep_forever(client: Client, namespaces: Vec<String>, pulse: Pulse, gone: &Notify, metrics: &Metrics) {
    let scopes: Vec<Option<&str>> = if namespaces.is_empty() {
        vec![None]
    } else {
        namespaces.iter().map(|namespace| Some(namespace.as_str())).collect()
    };
    let mut pause = SOON;
    let mut is_expected = true;
    for number in 0_u64.. {
        // A cluster has many revisions.
        let with_revisions = is_expected || number % SWEEPS_OF_REVISIONS == 0;
        let mut is_clean = true;
        for scope in &scopes {
            is_clean &= sweep(&client, *scope, with_revisions, &pulse, metrics).await;
        }
        let rest = if is_clean {
            tokio::time::sleep(SHORTEST_PAUSE).await;
            BETWEEN_SWEEPS.saturating_sub(SHORTEST_PAUSE)
        } else {
            pause
        };
        is_expected = tokio::select! {
            () = tokio::time::sleep(rest) => !is_clean,
            () = gone.notified() => true,
        };
        pause = if is_clean {
            SOON
        } else {
            (pause * 2).min(BETWEEN_SWEEPS)
        };
    }
}

/// One sweep. Returns whether nothing is left that it could not finish. What cannot be listed keeps nothing else from being
/// put right.
async fn sweep(
    client: &Client,
    namespace: Option<&str>,
    with_revisions: bool,
    pulse: &Pulse,
    metrics: &Metrics,
) -> bool {
    let mut traces = Traces::default();
    for kind in KINDS {
        let resource = observe::resource(kind);
        each(client, namespace, &resource, pulse, |object| {
            traces.see_workload(kind, &object);
        })
        .await;
    }
    for kind in REVISIONS.into_iter().filter(|_| with_revisions) {
        let resource = observe::revisions::resource(kind);
        each(client, namespace, &resource, pulse, |object| {
            traces.see_revision(&object);
        })
        .await;
    }
    let mut is_clean = true;
    for ((key, _), found) in &traces.changes {
        let finish = async |hindrance: &mut _| {
            if is_orphan(client, key, found, clock::now()).await? {
                take_back(client, key, &found.record, &metrics.orphans, hindrance).await
            } else {
                Ok(true)
            }
        };
        is_clean &= told(key, metrics, finish).await;
        pulse.beat();
    }
    for key in &traces.owned {
        let finish = async |hindrance: &mut _| give_back(client, key, hindrance).await;
        is_clean &= told(key, metrics, finish).await;
        pulse.beat();
    }
    is_clean
}

/// What was left on one workload, by whomever and until whenever.
#[derive(Default)]
pub struct Left {
    traces: Traces,
    /// Annotations that are no record, so that what was changed cannot be told from them.
    pub unreadable: Vec<Unreadable>,
}

/// An annotation in the place of a record that is none.
#[derive(Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Kind and name of what bears it, as kubectl takes them: `deployment/orders`.
    pub object: String,
    /// What is wrong with it.
    pub error: String,
}

impl Unreadable {
    fn on(kind: &str, object: &impl ResourceExt) -> Option<Self> {
        let error = Record::of(object.meta())?.err()?.to_string();
        let object = format!("{}/{}", kind.to_lowercase(), object.name_any());
        Some(Self { object, error })
    }
}

/// Why what was left cannot be taken back now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hindrance {
    /// The API server, or one that it asks, does not accept the write; its words, without the values of variables.
    Refused(String),
    /// The workload does not replace its pods.
    Standstill(Standstill),
}

impl Left {
    /// Nothing was left.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.traces.changes.is_empty() && self.traces.owned.is_empty()
    }

    /// The records of changes whose flag is in the template still.
    pub fn in_template(&self) -> impl Iterator<Item = &Record> {
        let changes = self.traces.changes.values();
        changes.filter(|found| !found.is_copy).map(|found| &found.record)
    }

    /// Takes it back, as far as it goes now. Returns whether nothing is left of it; `hindrance` says what is in the way.
    pub async fn take_back(&self, client: &Client, hindrance: &mut Option<Hindrance>) -> kube::Result<bool> {
        let mut is_clean = true;
        for ((key, _), found) in &self.traces.changes {
            is_clean &= take_back(client, key, &found.record, &Counter::default(), hindrance).await?;
        }
        for key in &self.traces.owned {
            is_clean &= give_back(client, key, hindrance).await?;
        }
        Ok(is_clean)
    }
}

/// Looks for what was left on one workload. `None`: the workload does not exist.
pub async fn left_on(client: &Client, key: &Key) -> kube::Result<Option<Left>> {
    let (namespace, kind, name) = key;
    let Some(object) = observe::workloads(client, namespace, *kind).get_opt(name).await? else {
        return Ok(None);
    };
    let mut traces = Traces::default();
    traces.see_workload(*kind, &object);
    let mut unreadable = Vec::from_iter(Unreadable::on(&kind.to_string(), &object));
    let revision_kind = RevisionKind::of(*kind).map(|kind| observe::revisions::resource(kind).kind);
    for revision in own_revisions(client, key, object.uid().as_deref()).await? {
        traces.see_revision(&revision);
        let kind = revision_kind.as_deref().unwrap_or_default();
        unreadable.extend(Unreadable::on(kind, &revision));
    }
    Ok(Some(Left { traces, unreadable }))
}

/// Shows all objects of a kind. What cannot be listed is logged, and looked at by the next sweep.
async fn each(
    client: &Client,
    namespace: Option<&str>,
    resource: &ApiResource,
    pulse: &Pulse,
    mut see: impl FnMut(Object),
) {
    pulse.beat();
    let seen = each_page(client, namespace, resource, LONGEST, |page| {
        pulse.beat();
        page.into_iter().for_each(&mut see);
    });
    if let Err(error) = seen.await {
        tracing::warn!(
            error,
            "cannot look for what sessions that are gone have left; will try again"
        );
    }
}

impl Traces {
    fn see_workload(&mut self, kind: TargetKind, object: &impl ResourceExt) {
        let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
        match Record::of(object.meta()) {
            Some(Ok(record)) => self.add((namespace, kind, name), record, false),
            Some(Err(error)) => {
                tracing::warn!(%kind, name, namespace, %error, "annotation {ANNOTATION} is no record");
            }
            None if !ownership::owned(object.meta()).is_empty() => self.owned.push((namespace, kind, name)),
            None => {}
        }
    }

    fn see_revision(&mut self, object: &impl ResourceExt) {
        let owners = object.owner_references();
        let controller = owners.iter().find(|owner| owner.controller == Some(true));
        let workload = controller.and_then(|owner| {
            let kind = KINDS.into_iter().find(|kind| kind.to_string() == owner.kind)?;
            Some((object.namespace()?, kind, owner.name.clone()))
        });
        if let (Some(workload), Some(Ok(record))) = (workload, Record::of(object.meta())) {
            self.add(workload, record, true);
        }
    }

    fn add(&mut self, workload: Key, record: Record, is_copy: bool) {
        let key = (workload, record.session.uid.clone());
        self.changes.entry(key).or_insert(Found { record, is_copy });
    }
}

async fn is_orphan(client: &Client, (namespace, ..): &Key, found: &Found, now: Timestamp) -> kube::Result<bool> {
    let record = &found.record;
    let is_late = record
        .deadline
        .parse::<Timestamp>()
        .is_ok_and(|deadline| now.duration_since(deadline) > GRACE);
    if record.owner == RecordOwner::Terminal {
        return Ok(is_late);
    }
    // Whoever was to undo the change is late: its status cannot be written.
    if is_late && !found.is_copy {
        return Ok(true);
    }
    observe::is_gone(client, namespace, &record.session).await
}

/// Whether all was done; what went wrong is logged and counted, and the next sweep tries again.
async fn told(
    (namespace, kind, name): &Key,
    metrics: &Metrics,
    work: impl AsyncFnOnce(&mut Option<Hindrance>) -> kube::Result<bool>,
) -> bool {
    let mut hindrance = None;
    let outcome = tokio::time::timeout(LONGEST, work(&mut hindrance)).await;
    if let Some(Hindrance::Refused(_)) = hindrance {
        metrics.restoration_refused("PatchRejected");
    }
    match outcome {
        Ok(Ok(is_done)) => is_done,
        Ok(Err(error)) => {
            if matches!(&error, kube::Error::Api(status) if status.is_forbidden()) {
                metrics.restoration_refused("Forbidden");
            }
            tracing::warn!(%kind, name, namespace, %error, "cannot take back what a session that is gone has left");
            false
        }
        Err(_) => {
            tracing::warn!(%kind, name, namespace, "the API server does not answer; will try again");
            false
        }
    }
}

/// Takes the change back as far as it goes now. Returns whether nothing is left of it.
async fn take_back(
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
async fn own_revisions(client: &Client, key: &Key, uid: Option<&str>) -> kube::Result<Vec<DynamicObject>> {
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
async fn give_back(client: &Client, key: &Key, hindrance: &mut Option<Hindrance>) -> kube::Result<bool> {
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
