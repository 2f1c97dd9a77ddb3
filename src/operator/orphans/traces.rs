//! What tells of a change: records on workloads, copies of them on revisions, and fields that the operator still owns.

use std::collections::BTreeMap;

use kube::ResourceExt;
use kube::core::{DynamicObject, PartialObjectMeta};

use crate::operator::listing::KINDS;
use crate::session::TargetKind;
use crate::workload::record::{ANNOTATION, Record};
use crate::workload::{controller_of, ownership};

/// A workload: namespace, kind, name.
pub type Key = (String, TargetKind, String);
pub(super) type Object = PartialObjectMeta<DynamicObject>;

/// A change that may have been left behind.
pub(super) struct Found {
    pub record: Record,
    /// Only a copy on a revision was found: the template was restored already.
    pub is_copy: bool,
}

/// What one sweep has found.
#[derive(Default)]
pub(super) struct Traces {
    /// By workload and uid of the session.
    pub changes: BTreeMap<(Key, String), Found>,
    /// Workloads without a record, of which the operator still owns a field.
    pub owned: Vec<Key>,
}

impl Traces {
    pub(super) fn see_workload(&mut self, kind: TargetKind, object: &impl ResourceExt) {
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

    pub(super) fn see_revision(&mut self, object: &impl ResourceExt) {
        let workload = controller_of(object.meta()).and_then(|owner| {
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
