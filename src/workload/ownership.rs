//! `metadata.managedFields`: who owned a value before a session changed it, and giving it back.
//!
//! A manager that changes a value becomes its owner, and the former owner's next server-side apply of that value is a
//! conflict (Kubernetes, "Server-Side Apply", conflicts). Putting the old value back does not undo that, so the entries
//! are put right by a patch of `managedFields` itself.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry, ObjectMeta};
use serde_json::{Map, Value, json};

use super::record::{Change, FieldOwner};
use super::view::{Place, Workload};

/// The operator's field manager.
pub const FIELD_MANAGER: &str = "tlsdebug";

/// A literal value, below its entry.
pub const VALUE: &str = "f:value";
/// A value that is taken from elsewhere, below its entry.
pub const VALUE_FROM: &str = "f:valueFrom";

/// The path of a variable's entry in a `FieldsV1` tree.
#[must_use]
pub fn entry_path(place: Place, container: &str, variable: &str) -> Vec<String> {
    let key = |name: &str| format!("k:{}", json!({"name": name}));
    vec![
        "f:spec".to_owned(),
        "f:template".to_owned(),
        "f:spec".to_owned(),
        format!("f:{}", place.list()),
        key(container),
        "f:env".to_owned(),
        key(variable),
    ]
}

/// The path of a field of an entry.
#[must_use]
pub fn below(entry: &[String], field: &str) -> Vec<String> {
    [entry, &[field.to_owned()]].concat()
}

/// The path of what a change has made of a variable's value: the literal with the flag, or, once the flag is out, what
/// was there before. Empty where the container is gone.
#[must_use]
pub fn changed_path(workload: &Workload, change: &Change) -> Vec<String> {
    let Some((place, _)) = workload.container(&change.container) else {
        return Vec::new();
    };
    let entry = entry_path(place, &change.container, &change.variable);
    let value_from = below(&entry, VALUE_FROM);
    let operator = |entry: &ManagedFieldsEntry| is_operator(entry) && owns(entry, &value_from);
    if workload.metadata.managed_fields.iter().flatten().any(operator) {
        value_from
    } else {
        below(&entry, VALUE)
    }
}

/// The managers that own `path`.
#[must_use]
pub fn owners(metadata: &ObjectMeta, path: &[String]) -> Vec<FieldOwner> {
    metadata
        .managed_fields
        .iter()
        .flatten()
        .filter_map(|entry| {
            let fields = below_path(entry, path)?;
            Some(FieldOwner {
                fields: (!is_leaf(fields)).then(|| fields.to_string()),
                ..owner_of(entry)
            })
        })
        .collect()
}

/// The entries with `path` given from the operator to `owners`, or `None` where nothing needs to change.
#[must_use]
pub fn given_back(metadata: &ObjectMeta, owners: &[FieldOwner], path: &[String]) -> Option<Vec<ManagedFieldsEntry>> {
    let before = metadata.managed_fields.clone().unwrap_or_default();
    if path.is_empty() || !before.iter().any(|entry| is_operator(entry) && owns(entry, path)) {
        return None;
    }
    let mut after = before;
    for entry in after.iter_mut().filter(|entry| is_operator(entry)) {
        if let Some(FieldsV1(Value::Object(tree))) = &mut entry.fields_v1 {
            remove(tree, path);
        }
    }
    after.retain(|entry| !is_operator(entry) || !is_empty(entry));
    // The API server takes no entry of another operation or without a version, and would keep the ones it has.
    let is_valid =
        |owner: &&FieldOwner| matches!(owner.operation.as_str(), "Apply" | "Update") && !owner.api_version.is_empty();
    for owner in owners.iter().filter(is_valid) {
        let existing = after
            .iter_mut()
            .find(|entry| entry.subresource.is_none() && is_entry_of(entry, owner));
        let entry = if let Some(entry) = existing {
            entry
        } else {
            after.push(ManagedFieldsEntry {
                manager: Some(owner.manager.clone()),
                operation: Some(owner.operation.clone()),
                api_version: Some(owner.api_version.clone()),
                fields_type: Some("FieldsV1".to_owned()),
                fields_v1: Some(FieldsV1(Value::Object(Map::new()))),
                ..ManagedFieldsEntry::default()
            });
            after.last_mut()?
        };
        if let Some(FieldsV1(Value::Object(tree))) = &mut entry.fields_v1 {
            let fields = owner
                .fields
                .as_deref()
                .and_then(|fields| serde_json::from_str(fields).ok());
            insert(tree, path, fields.unwrap_or_else(|| json!({})));
        }
    }
    Some(after)
}

fn owner_of(entry: &ManagedFieldsEntry) -> FieldOwner {
    FieldOwner {
        manager: entry.manager.clone().unwrap_or_default(),
        operation: entry.operation.clone().unwrap_or_default(),
        api_version: entry.api_version.clone().unwrap_or_default(),
        fields: None,
    }
}

fn is_entry_of(entry: &ManagedFieldsEntry, owner: &FieldOwner) -> bool {
    let fields = owner.fields.clone();
    FieldOwner {
        fields,
        ..owner_of(entry)
    } == *owner
}

fn is_leaf(fields: &Value) -> bool {
    fields.as_object().is_none_or(Map::is_empty)
}

fn is_operator(entry: &ManagedFieldsEntry) -> bool {
    entry.manager.as_deref() == Some(FIELD_MANAGER) && entry.subresource.is_none()
}

fn is_empty(entry: &ManagedFieldsEntry) -> bool {
    matches!(&entry.fields_v1, None | Some(FieldsV1(Value::Null)))
        || matches!(&entry.fields_v1, Some(FieldsV1(Value::Object(tree))) if tree.is_empty())
}

fn owns(entry: &ManagedFieldsEntry, path: &[String]) -> bool {
    below_path(entry, path).is_some()
}

fn below_path<'a>(entry: &'a ManagedFieldsEntry, path: &[String]) -> Option<&'a Value> {
    let root = entry.fields_v1.as_ref().map(|fields| &fields.0)?;
    path.iter().try_fold(root, |node, key| node.get(key))
}

fn remove(tree: &mut Map<String, Value>, path: &[String]) {
    let Some((key, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        tree.remove(key);
    } else if let Some(Value::Object(child)) = tree.get_mut(key) {
        remove(child, rest);
        if child.is_empty() {
            tree.remove(key);
        }
    }
}

fn insert(tree: &mut Map<String, Value>, path: &[String], fields: Value) {
    match path {
        [] => {}
        [last] => {
            tree.insert(last.clone(), fields);
        }
        [key, rest @ ..] => {
            let child = tree.entry(key.clone()).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(child) = child {
                insert(child, rest, fields);
            }
        }
    }
}
