//! `metadata.managedFields`: who owned a value before a session changed it, and giving it back.
//!
//! A manager that changes a value becomes its owner, and the former owner's next server-side apply of that value is a
//! conflict (Kubernetes, "Server-Side Apply", conflicts). Putting the old value back does not undo that, so the entries
//! are put right by a patch of `managedFields` itself.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry, ObjectMeta};
use serde_json::{Map, Value};

use super::record::FieldOwner;

/// The operator's field manager.
pub const FIELD_MANAGER: &str = "tlsdebug";

/// The path of a variable's value in a `FieldsV1` tree.
#[must_use]
pub fn value_path(container: &str, variable: &str) -> Vec<String> {
    let mut path: Vec<String> = ["f:spec", "f:template", "f:spec", "f:containers"]
        .map(str::to_owned)
        .into();
    path.push(format!("k:{}", serde_json::json!({"name": container})));
    path.push("f:env".to_owned());
    path.push(format!("k:{}", serde_json::json!({"name": variable})));
    path.push("f:value".to_owned());
    path
}

/// The managers that own `path`.
#[must_use]
pub fn owners(metadata: &ObjectMeta, path: &[String]) -> Vec<FieldOwner> {
    metadata
        .managed_fields
        .iter()
        .flatten()
        .filter(|entry| owns(entry, path))
        .map(owner_of)
        .collect()
}

/// The entries with `path` given from the operator to `owners`, or `None` where nothing needs to change.
#[must_use]
pub fn given_back(metadata: &ObjectMeta, owners: &[FieldOwner], path: &[String]) -> Option<Vec<ManagedFieldsEntry>> {
    let before = metadata.managed_fields.clone().unwrap_or_default();
    if !before.iter().any(|entry| is_operator(entry) && owns(entry, path)) {
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
            .find(|entry| entry.subresource.is_none() && owner_of(entry) == *owner);
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
            insert(tree, path);
        }
    }
    Some(after)
}

fn owner_of(entry: &ManagedFieldsEntry) -> FieldOwner {
    FieldOwner {
        manager: entry.manager.clone().unwrap_or_default(),
        operation: entry.operation.clone().unwrap_or_default(),
        api_version: entry.api_version.clone().unwrap_or_default(),
    }
}

fn is_operator(entry: &ManagedFieldsEntry) -> bool {
    entry.manager.as_deref() == Some(FIELD_MANAGER) && entry.subresource.is_none()
}

fn is_empty(entry: &ManagedFieldsEntry) -> bool {
    matches!(&entry.fields_v1, None | Some(FieldsV1(Value::Null)))
        || matches!(&entry.fields_v1, Some(FieldsV1(Value::Object(tree))) if tree.is_empty())
}

fn owns(entry: &ManagedFieldsEntry, path: &[String]) -> bool {
    let mut node = entry.fields_v1.as_ref().map(|fields| &fields.0);
    for key in path {
        node = node.and_then(|value| value.get(key));
    }
    node.is_some()
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

fn insert(tree: &mut Map<String, Value>, path: &[String]) {
    let Some((key, rest)) = path.split_first() else { return };
    let child = tree.entry(key.clone()).or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(child) = child {
        insert(child, rest);
    }
}
