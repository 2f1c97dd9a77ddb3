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

/// Where the flag is, and what is left of the value without it.
struct Place {
    container: usize,
    entry: usize,
    value: String,
    remaining: String,
    outcome: Outcome,
}

/// What was written counts wherever it has moved; somebody's edit of it is looked for where it was written.
fn find(workload: &Workload, change: &Change) -> Option<Place> {
    let containers = workload.template.spec.as_ref()?.containers.iter().enumerate();
    let mut edited = None;
    for (position, container) in containers {
        let entries = container.env.as_deref().unwrap_or_default().iter().enumerate();
        for (index, entry) in entries.filter(|(_, entry)| entry.name == change.variable) {
            let Some(value) = entry.value.as_ref().filter(|_| entry.value_from.is_none()) else {
                continue;
            };
            let place = |remaining: String, outcome| Place {
                container: position,
                entry: index,
                value: value.clone(),
                remaining,
                outcome,
            };
            let hash = sha256(value);
            if hash == change.sha256_written
                && let Some(before) = value.strip_suffix(&change.appended)
            {
                return Some(place(before.to_owned(), Outcome::Exact));
            }
            if container.name == change.container
                && change.sha256_before.as_ref() != Some(&hash)
                && let Some(remaining) = environment::without_flag(value, change.flag())
                && (!change.flag_present_before || environment::without_flag(&remaining, change.flag()).is_some())
            {
                edited = Some(place(remaining, Outcome::FlagRemoved));
            }
        }
    }
    edited
}

fn undo(builder: Builder, workload: &Workload, change: &Change) -> (Builder, Outcome) {
    let Some(place) = find(workload, change) else {
        return (builder, Outcome::AlreadyGone);
    };
    let (position, index) = (place.container.to_string(), place.entry.to_string());
    let list = ["spec", "template", "spec", "containers", position.as_str(), "env"];
    let entry_path = [&list[..], &[index.as_str()]].concat();
    let name_path = [&entry_path[..], &["name"]].concat();
    let value_path = [&entry_path[..], &["value"]].concat();
    let builder = builder
        .test(&name_path, change.variable.as_str())
        .test_text(&value_path, &place.value);
    let builder = if change.entry_created && place.remaining.is_empty() {
        let container = workload
            .template
            .spec
            .as_ref()
            .map(|spec| &spec.containers[place.container]);
        let is_alone = container
            .and_then(|container| container.env.as_ref())
            .is_some_and(|entries| entries.len() == 1);
        if change.list_created && is_alone {
            builder.remove(&list)
        } else {
            builder.remove(&entry_path)
        }
    } else {
        builder.replace(&value_path, place.remaining)
    };
    (builder, place.outcome)
}
