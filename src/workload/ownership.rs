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

/// The managers that own `path`, the operator aside.
#[must_use]
pub fn owners(metadata: &ObjectMeta, path: &[String]) -> Vec<FieldOwner> {
    let entries = metadata.managed_fields.iter().flatten();
    entries
        .filter(|entry| !is_operator(entry) && owns(entry, path))
        .map(owner_of)
        .collect()
}

/// The managers that owned a value before the operator did. Where that can no longer be read from the value itself,
/// because an earlier change was not taken back to the end, they are those who own the name of the same entry.
#[must_use]
pub fn former_owners(metadata: &ObjectMeta, value_path: &[String]) -> Vec<FieldOwner> {
    let entries = metadata.managed_fields.iter().flatten();
    let owners = owners(metadata, value_path);
    if !owners.is_empty()
        || !entries
            .filter(|entry| is_operator(entry))
            .any(|entry| owns(entry, value_path))
    {
        return owners;
    }
    let entry = value_path.split_last().map(|(_, entry)| entry).unwrap_or_default();
    self::owners(metadata, &[entry, &["f:name".to_owned()]].concat())
}

/// What the operator owns of containers' environments, leaf by leaf, as paths in a `FieldsV1` tree.
#[must_use]
pub fn owned(metadata: &ObjectMeta) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    let entries = metadata.managed_fields.iter().flatten();
    for entry in entries.filter(|entry| is_operator(entry)) {
        if let Some(FieldsV1(fields)) = &entry.fields_v1 {
            leaves(fields, &[], &mut paths);
        }
    }
    paths.retain(|path| path.iter().any(|key| key == "f:env"));
    paths
}

/// The entries with all that the operator owns of environments given to `owners`, or `None` where it owns nothing of it. That
/// can be more than a value: an entry or a list that it has created and into which others have written since.
#[must_use]
pub fn given_back(metadata: &ObjectMeta, owners: &[FieldOwner]) -> Option<Vec<ManagedFieldsEntry>> {
    let paths = owned(metadata);
    if paths.is_empty() {
        return None;
    }
    let mut after = metadata.managed_fields.clone().unwrap_or_default();
    after.retain(|entry| !is_operator(entry));
    // The API server takes no entry of another operation or without a version, and would keep the ones it has.
    let is_valid = |owner: &&FieldOwner| {
        matches!(owner.operation.as_str(), "Apply" | "Update")
            && !owner.api_version.is_empty()
            && owner.manager != FIELD_MANAGER
    };
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
            for path in &paths {
                insert(tree, path);
            }
        }
    }
    Some(after)
}

fn leaves(node: &Value, path: &[String], found: &mut Vec<Vec<String>>) {
    match node.as_object().filter(|children| !children.is_empty()) {
        Some(children) => {
            for (key, child) in children {
                leaves(child, &[path, std::slice::from_ref(key)].concat(), found);
            }
        }
        None => found.push(path.to_vec()),
    }
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

fn owns(entry: &ManagedFieldsEntry, path: &[String]) -> bool {
    let mut node = entry.fields_v1.as_ref().map(|fields| &fields.0);
    for key in path {
        node = node.and_then(|value| value.get(key));
    }
    node.is_some()
}

fn insert(tree: &mut Map<String, Value>, path: &[String]) {
    let Some((key, rest)) = path.split_first() else { return };
    let child = tree.entry(key.clone()).or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(child) = child {
        insert(child, rest);
    }
}
