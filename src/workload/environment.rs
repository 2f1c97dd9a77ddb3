//! A container's environment: in which shape a variable is there, and the edits of its text.

use k8s_openapi::api::core::v1::{Container, EnvVar};

/// In which shape a variable is in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// Taken from a ConfigMap, a Secret or a field.
    ValueFrom,
    /// Not in `env`, but a whole ConfigMap or Secret is taken in and may hold it.
    EnvFrom,
    /// More than one entry has the name; the last one counts.
    Repeated,
}

/// In which shape `variable` is in `container`.
#[must_use]
pub fn shape(container: &Container, variable: &str) -> Shape {
    let entries = container.env.as_deref().unwrap_or_default();
    let mut matching = entries.iter().enumerate().filter(|(_, entry)| entry.name == variable);
    match (matching.next(), matching.next()) {
        (Some(_), Some(_)) => Shape::Repeated,
        (Some((_, entry)), None) if entry.value_from.is_some() => Shape::ValueFrom,
        (Some((index, entry)), None) => Shape::Literal {
            index,
            value: entry.value.clone().unwrap_or_default(),
        },
        (None, _) if container.env_from.as_ref().is_some_and(|sources| !sources.is_empty()) => Shape::EnvFrom,
        (None, _) => Shape::Absent {
            has_list: container.env.is_some(),
        },
    }
}

/// The effective entry of a variable: the last one of its name.
#[must_use]
pub fn entry<'a>(container: &'a Container, variable: &str) -> Option<(usize, &'a EnvVar)> {
    container
        .env
        .as_deref()?
        .iter()
        .enumerate()
        .rev()
        .find(|(_, entry)| entry.name == variable)
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
}
