//! The edit of one container's environment that adds the flag.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, EnvVarSource};
use serde_json::{Value, json};

use super::environment::{self, Obstacle, Shape};
use super::ownership;
use super::patch::Builder;
use super::record::{Change, SAVED, sha256};
use super::view::{Place, Workload};

/// An edit of one container's environment.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Edit {
    /// What is changed, as its own inverse.
    pub change: Change,
    place: Place,
    written: String,
    way: Way,
}

/// How the variable's new value comes in.
#[derive(Debug, Clone, PartialEq)]
enum Way {
    /// A new entry at the end.
    Create { has_list: bool },
    /// The literal value of an entry gets longer.
    Append { index: usize, before: String },
    /// The entry gets another name, and one that refers to it follows it.
    Move {
        index: usize,
        source: Box<EnvVarSource>,
        saved: String,
    },
}

impl Edit {
    /// Plans the edit.
    pub(super) fn plan(
        workload: &Workload,
        (place, container): (Place, &Container),
        variable: &str,
        flag: &str,
        config_maps: &environment::ConfigMapKeys,
    ) -> Result<Self, Obstacle> {
        let (way, before, refers_to) = match environment::shape(container, variable, config_maps)? {
            Shape::Absent { has_list } => (Way::Create { has_list }, String::new(), None),
            Shape::Inherited { has_list } => (
                Way::Create { has_list },
                environment::reference(variable),
                Some(variable.to_owned()),
            ),
            Shape::Literal { index, value } => {
                let before = value.clone();
                (Way::Append { index, before }, value, None)
            }
            Shape::ValueFrom { index, source } => {
                let saved = free_name(container, variable);
                let reference = environment::reference(&saved);
                let way = Way::Move {
                    index,
                    source,
                    saved: saved.clone(),
                };
                (way, reference, Some(saved))
            }
        };
        let appended = environment::appended(&before, flag);
        let written = format!("{before}{appended}");
        let entry_created = matches!(way, Way::Create { .. });
        let path = ownership::entry_path(place, &container.name, variable);
        let owners = match way {
            // Of several entries of the same name only all together have owners.
            Way::Create { .. } => ownership::owners(&workload.metadata, &path),
            Way::Append { .. } => {
                ownership::former_owners(&workload.metadata, &ownership::below(&path, ownership::VALUE))
            }
            Way::Move { .. } => {
                ownership::former_owners(&workload.metadata, &ownership::below(&path, ownership::VALUE_FROM))
            }
        };
        let change = Change {
            container: container.name.clone(),
            variable: variable.to_owned(),
            appended,
            entry_created,
            list_created: matches!(way, Way::Create { has_list: false }),
            refers_to,
            sha256_before: matches!(way, Way::Append { .. }).then(|| sha256(&before)),
            sha256_written: sha256(&written),
            flag_present_before: environment::entries(container, variable)
                .filter_map(|(_, entry)| entry.value.as_deref())
                .any(|value| environment::without_flag(value, flag).is_some()),
            copies_before: copies(workload, variable, &written),
            owners,
        };
        Ok(Self {
            change,
            place,
            written,
            way,
        })
    }

    /// The operations of the edit; `pod` is the path to the pod's spec.
    pub(super) fn add_to(&self, builder: Builder, pod: &[&str]) -> Builder {
        let change = &self.change;
        let position = self.place.position().to_string();
        let container = [pod, &[self.place.list(), position.as_str()]].concat();
        let path = |tail: &[&'static str]| [&container[..], tail].concat();
        let builder = builder.test(&path(&["name"]), change.container.as_str());
        let created = json!({"name": change.variable, "value": self.written});
        match &self.way {
            Way::Create { has_list: false } => builder.add(&path(&["env"]), Value::Array(vec![created])),
            Way::Create { has_list: true } => builder.add(&path(&["env", "-"]), created),
            Way::Append { index, before } => {
                let index = index.to_string();
                let entry = [&container[..], &["env", index.as_str()]].concat();
                let value = [&entry[..], &["value"]].concat();
                let builder = builder.test(&[&entry[..], &["name"]].concat(), change.variable.as_str());
                if before.is_empty() {
                    // The API server leaves an empty value out, so there is nothing to test or replace.
                    builder.add(&value, self.written.as_str())
                } else {
                    builder.test_text(&value, before).replace(&value, self.written.as_str())
                }
            }
            Way::Move { index, source, saved } => {
                let (index, next) = (index.to_string(), (index + 1).to_string());
                let entry = [&container[..], &["env", index.as_str()]].concat();
                let name = [&entry[..], &["name"]].concat();
                builder
                    .test(&name, change.variable.as_str())
                    .test(&[&entry[..], &["valueFrom"]].concat(), json!(source))
                    .replace(&name, saved.as_str())
                    .add(&[&container[..], &["env", next.as_str()]].concat(), created)
            }
        }
    }

    /// What the user should know of the variable.
    pub(super) fn warnings(&self) -> Vec<String> {
        let change = &self.change;
        let mut warnings = Vec::new();
        if change.entry_created && change.refers_to.is_none() && change.variable != "JAVA_DEBUGGER_OPTS" {
            warnings.push(format!(
                "The template did not set {0}. If the image sets it, the session hides the image's value while it lasts; \
                 spec.variable JAVA_DEBUGGER_OPTS avoids that where the start script is webMethods'.",
                change.variable
            ));
        }
        if let Way::Append { before, .. } = &self.way
            && before.contains("-Djavax.net.debug")
        {
            warnings.push(format!(
                "{} sets javax.net.debug itself; while the session lasts, the session's setting counts.",
                change.variable
            ));
        }
        warnings
    }
}

/// How many entries hold the very text that is going to be written: somebody else's, which are not to be touched.
fn copies(workload: &Workload, variable: &str, written: &str) -> u32 {
    let entries = workload
        .containers()
        .flat_map(|(_, container)| environment::entries(container, variable));
    let copies = entries.filter(|(_, entry)| entry.value.as_deref() == Some(written));
    u32::try_from(copies.count()).unwrap_or(u32::MAX)
}

/// A name that no entry has, for an entry that makes place for one that refers to it.
fn free_name(container: &Container, variable: &str) -> String {
    let taken: BTreeSet<&str> = container
        .env
        .iter()
        .flatten()
        .map(|entry| entry.name.as_str())
        .collect();
    let mut name = format!("{SAVED}{variable}");
    while taken.contains(name.as_str()) {
        name.push('_');
    }
    name
}
