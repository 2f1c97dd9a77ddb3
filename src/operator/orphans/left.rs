//! What was left on one workload, for whoever asks about it: `restore` from a terminal.

use kube::{Client, ResourceExt};
use prometheus_client::metrics::counter::Counter;

use super::taking_back::{Hindrance, give_back, own_revisions, take_back};
use super::traces::{Key, Traces};
use crate::operator::observe::{self, RevisionKind};
use crate::workload::record::Record;

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
