//! Taking the flag out again: the exact inverse where nobody has touched the value, the smallest edit where somebody has.

use json_patch::{Patch, PatchOperation};

use super::environment;
use super::patch::Builder;
use super::record::{ANNOTATION, Change, sha256};
use super::view::{Place, TEMPLATE, Workload};

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
    plan_on(builder, workload, change)
}

/// The same for somebody who does it later by hand. It fails where the changed entries have moved since.
#[must_use]
pub fn plan_by_hand(workload: &Workload, change: &Change) -> (Patch, Outcome) {
    plan_on(Builder::default(), workload, change)
}

fn plan_on(builder: Builder, workload: &Workload, change: &Change) -> (Patch, Outcome) {
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

/// Whether undoing the change would still change the template: the flag is in it, or an entry that made place for it.
#[must_use]
pub fn leaves_traces(workload: &Workload, change: &Change) -> bool {
    let patch = undo(Builder::default(), workload, change).0.build();
    patch
        .0
        .iter()
        .any(|operation| !matches!(operation, PatchOperation::Test(_)))
}

/// An entry of a container's environment.
#[derive(Debug, Clone, Copy)]
struct Entry {
    place: Place,
    index: usize,
}

impl Entry {
    /// The path of one of its fields, or its own.
    fn path(self, tail: &[&'static str]) -> Vec<String> {
        let (position, index) = (self.place.position().to_string(), self.index.to_string());
        let head = [self.place.list(), &position, "env", &index];
        [&TEMPLATE[..], &head, tail]
            .concat()
            .iter()
            .map(|&token| token.to_owned())
            .collect()
    }
}

/// Where the flag is, and what is left of the value without it.
struct Found {
    entry: Entry,
    value: String,
    remaining: String,
    outcome: Outcome,
}

/// What was written counts wherever it has moved, unless the same text was there before; somebody's edit of it is looked
/// for where it was written.
fn find(workload: &Workload, change: &Change) -> Option<Found> {
    let (mut exact, mut edited) = (Vec::new(), None);
    for (place, container) in workload.containers() {
        for (index, entry) in environment::entries(container, &change.variable) {
            let Some(value) = entry.value.as_ref().filter(|_| entry.value_from.is_none()) else {
                continue;
            };
            let found = |remaining: String, outcome| Found {
                entry: Entry { place, index },
                value: value.clone(),
                remaining,
                outcome,
            };
            let is_own = container.name == change.container;
            if sha256(value) == change.sha256_written
                && let Some(before) = value.strip_suffix(&change.appended)
            {
                exact.push((is_own, found(before.to_owned(), Outcome::Exact)));
            } else if is_own && let Some(remaining) = change.edit_without_flag(value) {
                edited = Some(found(remaining, Outcome::FlagRemoved));
            }
        }
    }
    if exact.len() <= change.copies_before as usize {
        return edited;
    }
    // The last one in its own container, where the effective entry is.
    exact.sort_by_key(|(is_own, found)| (*is_own, found.entry.index));
    exact.pop().map(|(_, found)| found)
}

fn undo(builder: Builder, workload: &Workload, change: &Change) -> (Builder, Outcome) {
    let found = find(workload, change);
    let outcome = found.as_ref().map_or(Outcome::AlreadyGone, |found| found.outcome);
    let Some((saved, name)) = saved_entry(workload, change) else {
        return (take_out(builder, workload, change, found.as_ref()), outcome);
    };
    let reference = environment::reference(name);
    let current = match &found {
        Some(found) => Some((found.entry, found.remaining.as_str())),
        None => effective_entry(workload, change),
    };
    let saved_name = saved.path(&["name"]);
    let builder = builder.test(&saved_name, name);
    if let Some((entry, value)) = current
        && value == reference
    {
        // What stands for the entry of before is ours alone: that entry takes its name and its place again.
        let builder = guard(builder, change, entry, found.as_ref()).replace(&saved_name, change.variable.as_str());
        return (builder.remove(&entry.path(&[])), outcome);
    }
    let is_needed =
        current.is_some_and(|(_, value)| value.contains(&reference)) || is_referred_to(workload, change, &reference);
    let builder = take_out(builder, workload, change, found.as_ref());
    if is_needed {
        // Somebody's edit stands on the entry of before under its other name.
        (builder, outcome)
    } else {
        (builder.remove(&saved.path(&[])), outcome)
    }
}

/// The entry that was moved, where it is still there, with the name that it bears.
fn saved_entry<'a>(workload: &Workload, change: &'a Change) -> Option<(Entry, &'a str)> {
    let name = change.saved()?;
    let (place, container) = workload.container(&change.container)?;
    let (index, _) = environment::entry(container, name)?;
    Some((Entry { place, index }, name))
}

fn effective_entry<'a>(workload: &'a Workload, change: &Change) -> Option<(Entry, &'a str)> {
    let (place, container) = workload.container(&change.container)?;
    let (index, entry) = environment::entry(container, &change.variable)?;
    Some((Entry { place, index }, entry.value.as_deref()?))
}

/// Whether another entry than the variable's own refers to the one that was moved.
fn is_referred_to(workload: &Workload, change: &Change, reference: &str) -> bool {
    let container = workload.container(&change.container).map(|(_, container)| container);
    let mut entries = container
        .into_iter()
        .flat_map(|container| container.env.iter().flatten());
    entries.any(|entry| {
        entry.name != change.variable && entry.value.as_deref().is_some_and(|value| value.contains(reference))
    })
}

fn guard(builder: Builder, change: &Change, entry: Entry, found: Option<&Found>) -> Builder {
    let builder = builder.test(&entry.path(&["name"]), change.variable.as_str());
    match found {
        Some(found) => builder.test_text(&entry.path(&["value"]), &found.value),
        None => builder,
    }
}

fn take_out(builder: Builder, workload: &Workload, change: &Change, found: Option<&Found>) -> Builder {
    let Some(found) = found else { return builder };
    let builder = guard(builder, change, found.entry, Some(found));
    // A reference to an entry that somebody has removed would stay in the value as text.
    let is_ours_alone = found.remaining == change.reference().unwrap_or_default();
    if !(is_ours_alone && (change.entry_created || change.saved().is_some())) {
        return builder.replace(&found.entry.path(&["value"]), found.remaining.as_str());
    }
    let place = found.entry.place;
    let container = workload.containers().find(|(other, _)| *other == place);
    let entries = container.and_then(|(_, container)| container.env.as_ref());
    let mut path = found.entry.path(&[]);
    if change.list_created && entries.is_some_and(|entries| entries.len() == 1) {
        path.pop();
    }
    builder.remove(&path)
}
