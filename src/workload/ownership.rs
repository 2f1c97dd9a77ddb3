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

/// The path of the literal value that a change has written. Nobody owns it where the container is gone.
#[must_use]
pub fn value_path(workload: &Workload, change: &Change) -> Vec<String> {
    let place = workload
        .container(&change.container)
        .map(|(place, _)| place)
        .unwrap_or_default();
    below(&entry_path(place, &change.container, &change.variable), VALUE)
}

/// The managers that own `path`, the operator aside.
#[must_use]
pub fn owners(metadata: &ObjectMeta, path: &[String]) -> Vec<FieldOwner> {
    let entries = metadata.managed_fields.iter().flatten();
    entries
        .filter(|entry| !is_operator(entry))
        .filter_map(|entry| {
            let fields = below_path(entry, path)?;
            let is_leaf = fields.as_object().is_none_or(Map::is_empty);
            Some(FieldOwner {
                fields: (!is_leaf).then(|| fields.to_string()),
                ..owner_of(entry)
            })
        })
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
            .any(|entry| below_path(entry, value_path).is_some())
    {
        return owners;
    }
    let entry = value_path.split_last().map(|(_, entry)| entry).unwrap_or_default();
    self::owners(metadata, &below(entry, "f:name"))
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
            for path in &paths {
                give(tree, path, owner);
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
        fields: None,
    }
}

fn is_entry_of(entry: &ManagedFieldsEntry, owner: &FieldOwner) -> bool {
    let found = owner_of(entry);
    (found.manager, found.operation, found.api_version)
        == (
            owner.manager.clone(),
            owner.operation.clone(),
            owner.api_version.clone(),
        )
}

fn is_operator(entry: &ManagedFieldsEntry) -> bool {
    // The operator only patches; somebody else may apply under the same name.
    entry.manager.as_deref() == Some(FIELD_MANAGER)
        && entry.operation.as_deref() == Some("Update")
        && entry.subresource.is_none()
}

fn below_path<'a>(entry: &'a ManagedFieldsEntry, path: &[String]) -> Option<&'a Value> {
    let root = entry.fields_v1.as_ref().map(|fields| &fields.0)?;
    path.iter().try_fold(root, |node, key| node.get(key))
}

/// Gives one path to an owner. What it owned below a value that is no leaf, it owns again, and nothing else there.
fn give(tree: &mut Map<String, Value>, path: &[String], owner: &FieldOwner) {
    let fields = owner
        .fields
        .as_deref()
        .and_then(|fields| serde_json::from_str(fields).ok());
    let value_from = path.iter().position(|key| key == VALUE_FROM);
    match (fields, value_from) {
        (Some(fields), Some(position)) => insert(tree, &path[..=position], fields),
        _ => insert(tree, path, json!({})),
    }
}

fn insert(tree: &mut Map<String, Value>, path: &[String], fields: Value) {
    let Some((key, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        tree.insert(key.clone(), fields);
        return;
    }
    let is_member = tree.get(key).is_some_and(|child| child == &json!({}));
    let child = tree.entry(key.clone()).or_insert_with(|| json!({}));
    if let Value::Object(child) = child {
        if is_member {
            // Owned itself, without anything below it; with something below it that is said by a dot.
            child.insert(".".to_owned(), json!({}));
        }
        insert(child, rest, fields);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn metadata(entries: &[(&str, Value)]) -> ObjectMeta {
        let entries = entries.iter().map(|(manager, environment)| {
            let container = json!({"k:{\"name\":\"msr\"}": {"f:env": environment}});
            ManagedFieldsEntry {
                manager: Some((*manager).to_owned()),
                operation: Some(if *manager == FIELD_MANAGER { "Update" } else { "Apply" }.to_owned()),
                api_version: Some("apps/v1".to_owned()),
                fields_type: Some("FieldsV1".to_owned()),
                fields_v1: Some(FieldsV1(
                    json!({"f:spec": {"f:template": {"f:spec": {"f:containers": container}}}}),
                )),
                ..ManagedFieldsEntry::default()
            }
        });
        ObjectMeta {
            managed_fields: Some(entries.collect()),
            ..ObjectMeta::default()
        }
    }

    fn variable(fields: &Value) -> Value {
        json!({"k:{\"name\":\"JAVA_CUSTOM_OPTS\"}": fields})
    }

    #[test]
    fn a_value_goes_back_to_who_owned_it() {
        let path = below(&entry_path(Place::default(), "msr", "JAVA_CUSTOM_OPTS"), VALUE);
        let whole = metadata(&[("team", variable(&json!({".": {}, "f:name": {}, "f:value": {}})))]);
        let changed = metadata(&[
            ("team", variable(&json!({".": {}, "f:name": {}}))),
            (FIELD_MANAGER, variable(&json!({"f:value": {}}))),
        ]);
        let owners = owners(&whole, &path);
        assert_eq!(owners[0].manager, "team");
        assert_eq!(given_back(&changed, &owners), whole.managed_fields);
        assert_eq!(given_back(&whole, &owners), None);
        // Where nobody knows any more, who owns the entry has owned its value.
        assert_eq!(former_owners(&changed, &path), owners);
    }

    #[test]
    fn a_value_that_nobody_owned_has_no_former_owner() {
        let path = below(&entry_path(Place::default(), "msr", "JAVA_CUSTOM_OPTS"), VALUE);
        let nobodys = metadata(&[("team", variable(&json!({".": {}, "f:name": {}})))]);
        assert_eq!(former_owners(&nobodys, &path), vec![]);
    }

    #[test]
    fn nothing_stays_the_operators_not_even_a_list() {
        let list = metadata(&[
            ("team", json!({"k:{\"name\":\"VERSION\"}": {"f:name": {}}})),
            (FIELD_MANAGER, json!({".": {}})),
        ]);
        let after = given_back(&list, &[]).expect("it owns the list");
        assert_eq!(after.len(), 1);
        assert_eq!(after[0].manager.as_deref(), Some("team"));
    }

    #[test]
    fn somebody_who_applies_under_the_operators_name_keeps_what_is_theirs() {
        let mut applied = metadata(&[(FIELD_MANAGER, variable(&json!({"f:value": {}})))]);
        for entry in applied.managed_fields.iter_mut().flatten() {
            entry.operation = Some("Apply".to_owned());
        }
        assert_eq!(given_back(&applied, &[]), None);
    }
}
