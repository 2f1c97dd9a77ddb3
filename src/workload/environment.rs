//! A container's environment: in which shape a variable is there, and the edits of its text.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{Container, EnvFromSource, EnvVar, EnvVarSource};

/// The keys of ConfigMaps, by name, without their values. `None`: the ConfigMap cannot be read.
pub type ConfigMapKeys = BTreeMap<String, Option<BTreeSet<String>>>;

/// In which shape a variable is in a container.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// Not in the template. The image may still set it, which the API cannot see.
    Absent {
        /// Whether the container has an `env` list.
        has_list: bool,
    },
    /// A literal value at this position of the `env` list; an empty one has no `value` field.
    Literal {
        /// Position in the list.
        index: usize,
        /// The value.
        value: String,
    },
    /// Taken from a ConfigMap, a Secret or a field by the entry at this position.
    ValueFrom {
        /// Position in the list.
        index: usize,
        /// Where it is taken from.
        source: Box<EnvVarSource>,
    },
    /// Set before the end of the `env` list in a way that a reference `$(NAME)` in a last entry resolves to: by a
    /// ConfigMap in `envFrom`, or by more than one entry (kubelet, `makeEnvironmentVariables`).
    Inherited {
        /// Whether the container has an `env` list.
        has_list: bool,
    },
}

/// Why a variable's value cannot be carried over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// `valueFrom` with `optional: true`: where nothing is there, a reference to it would stay in the value as text.
    Optional,
    /// `valueFrom` a source that a later version of Kubernetes has added: whether it is optional is not known.
    UnknownSource,
    /// A Secret in `envFrom` may hold it; the operator reads no Secrets.
    Secret {
        /// Name of the Secret.
        name: String,
    },
    /// A ConfigMap in `envFrom` may hold it, but cannot be read.
    UnreadableConfigMap {
        /// Name of the ConfigMap.
        name: String,
    },
}

/// In which shape `variable` is in `container`. `config_maps` has to hold what [`config_maps_of`] names.
pub fn shape(container: &Container, variable: &str, config_maps: &ConfigMapKeys) -> Result<Shape, Obstacle> {
    let has_list = container.env.is_some();
    let entries: Vec<_> = entries(container, variable).collect();
    match entries.as_slice() {
        [] => from_sources(container, variable, config_maps).map(|is_set| {
            if is_set {
                Shape::Inherited { has_list }
            } else {
                Shape::Absent { has_list }
            }
        }),
        [(index, entry)] => match &entry.value_from {
            Some(source) if is_optional(source) => Err(Obstacle::Optional),
            Some(source) if *source == EnvVarSource::default() => Err(Obstacle::UnknownSource),
            Some(source) => Ok(Shape::ValueFrom {
                index: *index,
                source: Box::new(source.clone()),
            }),
            None => Ok(Shape::Literal {
                index: *index,
                value: entry.value.clone().unwrap_or_default(),
            }),
        },
        several => {
            let is_certain = |entry: &EnvVar| {
                let source = entry.value_from.as_ref();
                source.is_none_or(|source| !is_optional(source) && *source != EnvVarSource::default())
            };
            if several.iter().any(|(_, entry)| is_certain(entry)) {
                Ok(Shape::Inherited { has_list })
            } else {
                Err(Obstacle::Optional)
            }
        }
    }
}

/// The ConfigMaps in `envFrom` that may hold `variable`: their keys decide its shape. None where `env` sets it, which
/// counts for more.
pub fn config_maps_of<'a>(container: &'a Container, variable: &'a str) -> impl Iterator<Item = &'a str> {
    let is_set = entries(container, variable).next().is_some();
    sources(container, variable)
        .filter(move |_| !is_set)
        .filter_map(|source| Some(source.config_map_ref.as_ref()?.name.as_str()))
}

/// The effective entry of a variable: the last one of its name.
#[must_use]
pub fn entry<'a>(container: &'a Container, variable: &str) -> Option<(usize, &'a EnvVar)> {
    entries(container, variable).last()
}

/// All entries of a variable with their positions.
pub fn entries<'a>(container: &'a Container, variable: &str) -> impl Iterator<Item = (usize, &'a EnvVar)> {
    let all = container.env.as_deref().unwrap_or_default().iter().enumerate();
    all.filter(move |(_, entry)| entry.name == variable)
}

/// The form in which an entry refers to another variable that is set before it.
#[must_use]
pub fn reference(variable: &str) -> String {
    format!("$({variable})")
}

/// The sources of `envFrom` that can hold `variable` under the prefix that they give their keys.
fn sources<'a>(container: &'a Container, variable: &'a str) -> impl Iterator<Item = &'a EnvFromSource> {
    let all = container.env_from.iter().flatten();
    all.filter(|source| variable.starts_with(source.prefix.as_deref().unwrap_or_default()))
}

/// Whether `envFrom` sets `variable`. Once one ConfigMap is known to, it does not matter what the others hold.
fn from_sources(container: &Container, variable: &str, config_maps: &ConfigMapKeys) -> Result<bool, Obstacle> {
    let mut obstacle = None;
    for source in sources(container, variable) {
        let key = &variable[source.prefix.as_deref().unwrap_or_default().len()..];
        if let Some(config_map) = &source.config_map_ref {
            match config_maps.get(&config_map.name) {
                Some(Some(keys)) if keys.contains(key) => return Ok(true),
                Some(Some(_)) => {}
                Some(None) | None => {
                    let name = config_map.name.clone();
                    obstacle.get_or_insert(Obstacle::UnreadableConfigMap { name });
                }
            }
        }
        if let Some(secret) = &source.secret_ref {
            let name = secret.name.clone();
            obstacle.get_or_insert(Obstacle::Secret { name });
        }
    }
    obstacle.map_or(Ok(false), Err)
}

fn is_optional(source: &EnvVarSource) -> bool {
    let config_map = source.config_map_key_ref.as_ref().and_then(|key| key.optional);
    let secret = source.secret_key_ref.as_ref().and_then(|key| key.optional);
    [config_map, secret].contains(&Some(true))
}

/// The text to append to `value` so that `flag` is its last option. Options are split on blanks and the last
/// definition of a property wins, so one blank is enough; a quote would stop the JVM of a start script that does not
/// process quotes.
#[must_use]
pub fn appended(value: &str, flag: &str) -> String {
    if value.is_empty() {
        flag.to_owned()
    } else {
        format!(" {flag}")
    }
}

/// Takes the last occurrence of `flag` as a whole word out of `value`, with one blank before it. `None`: it is not there.
#[must_use]
pub fn without_flag(value: &str, flag: &str) -> Option<String> {
    let bytes = value.as_bytes();
    let is_boundary =
        |position: usize| position == 0 || position == value.len() || bytes[position].is_ascii_whitespace();
    let start = value
        .rmatch_indices(flag)
        .map(|(start, _)| start)
        .find(|&start| (start == 0 || bytes[start - 1].is_ascii_whitespace()) && is_boundary(start + flag.len()))?;
    let (mut before, mut after) = (&value[..start], &value[start + flag.len()..]);
    if let Some(shorter) = before.strip_suffix(' ') {
        before = shorter;
    } else {
        after = after.strip_prefix(' ').unwrap_or(after);
    }
    Some(format!("{before}{after}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn flag_is_removed_as_a_whole_word_only() {
        assert_eq!(without_flag("-Da=1 -Dx=ssl", "-Dx=ssl").as_deref(), Some("-Da=1"));
        assert_eq!(without_flag("-Dx=ssl -Db=2", "-Dx=ssl").as_deref(), Some("-Db=2"));
        assert_eq!(
            without_flag("-Da=1 -Dx=ssl -Db=2", "-Dx=ssl").as_deref(),
            Some("-Da=1 -Db=2")
        );
        assert_eq!(without_flag("-Dx=ssl,record", "-Dx=ssl"), None);
        assert_eq!(without_flag("-Dx=ssl -Dx=ssl", "-Dx=ssl").as_deref(), Some("-Dx=ssl"));
        assert_eq!(without_flag("", "-Dx=ssl"), None);
    }

    fn shape_of(sources: &serde_json::Value) -> Result<Shape, Obstacle> {
        let container = json!({"name": "main", "envFrom": sources});
        let container: Container = serde_json::from_value(container).expect("a container");
        let keys = |all: &[&str]| Some(all.iter().map(|&key| key.to_owned()).collect());
        let config_maps = ConfigMapKeys::from([
            ("holds".to_owned(), keys(&["OPTS"])),
            ("holds-part".to_owned(), keys(&["TS"])),
            ("empty".to_owned(), keys(&[])),
            ("unreadable".to_owned(), None),
        ]);
        shape(&container, "OPTS", &config_maps)
    }

    #[test]
    fn whole_sources_are_told_apart() {
        let config_map = |name: &str| json!({"configMapRef": {"name": name}});
        let secret = |prefix: &str| json!({"prefix": prefix, "secretRef": {"name": "s"}});
        let inherited = Ok(Shape::Inherited { has_list: false });
        let absent = Ok(Shape::Absent { has_list: false });
        assert_eq!(shape_of(&json!([config_map("holds")])), inherited);
        assert_eq!(shape_of(&json!([config_map("empty")])), absent);
        let prefixed = json!({"prefix": "OP", "configMapRef": {"name": "holds-part"}});
        assert_eq!(shape_of(&json!([prefixed])), inherited);
        // What is known to be there resolves the reference, whatever a Secret puts in its place.
        assert_eq!(shape_of(&json!([config_map("holds"), secret("")])), inherited);
        assert_eq!(shape_of(&json!([secret("DB_"), config_map("empty")])), absent);
        let refused = Err(Obstacle::Secret { name: "s".into() });
        assert_eq!(shape_of(&json!([config_map("empty"), secret("")])), refused);
        assert_eq!(shape_of(&json!([secret("OP")])), refused);
        let name = "unreadable".to_owned();
        assert_eq!(
            shape_of(&json!([config_map("unreadable")])),
            Err(Obstacle::UnreadableConfigMap { name })
        );
    }
}
