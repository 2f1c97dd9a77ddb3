//! Taking the flag out again: the exact inverse where nobody has touched the value, the smallest edit where somebody has.

use json_patch::Patch;

use super::environment;
use super::patch::Builder;
use super::record::{ANNOTATION, Change, sha256};
use super::view::Workload;

/// What undoing the change means for the workload as it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The value is what was written: everything becomes what it was.
    Exact,
    /// Somebody has edited the value and left the flag in it: only the flag is taken out.
    FlagRemoved,
    /// Somebody has taken the flag out already: only the record is removed.
    AlreadyGone,
}

/// Plans the restoration of a workload. The patch fails as a whole when the object is another one or its spec has changed
/// since.
#[must_use]
pub fn plan(workload: &Workload, change: &Change) -> (Patch, Outcome) {
    let builder = Builder::default().test(&["metadata", "uid"], workload.uid()).test(
        &["metadata", "generation"],
        workload.metadata.generation.unwrap_or_default(),
    );
    let (builder, outcome) = undo(builder, workload, change);
    let is_recorded = workload
        .metadata
        .annotations
        .as_ref()
        .is_some_and(|annotations| annotations.contains_key(ANNOTATION));
    let builder = if is_recorded {
        builder.remove(&["metadata", "annotations", ANNOTATION])
    } else {
        builder
    };
    (builder.build(), outcome)
}

/// Whether the template still carries the flag that `change` brought in.
#[must_use]
pub fn carries_flag(workload: &Workload, change: &Change) -> bool {
    !matches!(undo(Builder::default(), workload, change).1, Outcome::AlreadyGone)
}

fn undo(builder: Builder, workload: &Workload, change: &Change) -> (Builder, Outcome) {
    let Some((position, container)) = workload.container(&change.container) else {
        return (builder, Outcome::AlreadyGone);
    };
    let Some((index, entry)) = environment::entry(container, &change.variable) else {
        return (builder, Outcome::AlreadyGone);
    };
    let Some(value) = entry.value.as_deref().filter(|_| entry.value_from.is_none()) else {
        return (builder, Outcome::AlreadyGone);
    };
    let flag = change.flag();
    let is_ours = sha256(value) == change.sha256_written;
    let remaining = if is_ours {
        value.strip_suffix(&change.appended).map(str::to_owned)
    } else {
        None
    };
    let (remaining, outcome) = match remaining {
        Some(before) => (before, Outcome::Exact),
        None => match environment::without_flag(value, flag) {
            Some(edited) => (edited, Outcome::FlagRemoved),
            None => return (builder, Outcome::AlreadyGone),
        },
    };
    let (position, index) = (position.to_string(), index.to_string());
    let list = ["spec", "template", "spec", "containers", position.as_str(), "env"];
    let entry_path = [&list[..], &[index.as_str()]].concat();
    let name_path = [&entry_path[..], &["name"]].concat();
    let value_path = [&entry_path[..], &["value"]].concat();
    let builder = builder
        .test(&name_path, change.variable.as_str())
        .test(&value_path, value);
    let builder = if change.entry_created && remaining.is_empty() {
        let is_alone = container.env.as_ref().is_some_and(|entries| entries.len() == 1);
        if change.list_created && is_alone {
            builder.remove(&list)
        } else {
            builder.remove(&entry_path)
        }
    } else {
        builder.replace(&value_path, remaining)
    };
    (builder, outcome)
}
