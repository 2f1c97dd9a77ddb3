//! Texts of others without the values of a workload's variables: a refusal may quote what it refuses, and a variable may
//! hold a password.

use super::environment;
use super::view::Workload;
use crate::session::spec::FLAG;

/// What stands in place of a value.
const MASK: &str = "(a value)";
/// A shorter value is one only where it stands as a word of its own; else it would be found within other words.
const SHORT: usize = 6;

/// A text in which no literal value of the workload's containers is left, neither with a session's flag nor without it.
#[must_use]
pub fn without_values(text: &str, workload: &Workload) -> String {
    let entries = workload
        .containers()
        .flat_map(|(_, container)| container.env.iter().flatten());
    let mut values: Vec<String> = entries
        .filter_map(|entry| entry.value.as_deref())
        .flat_map(forms)
        .collect();
    // A longer one may contain a shorter one.
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    values.iter().fold(text.to_owned(), |text, value| mask(&text, value))
}

/// A value, the same without a flag, and both as they stand between quotes.
fn forms(value: &str) -> Vec<String> {
    let flags = value.split_ascii_whitespace().filter(|word| word.starts_with(FLAG));
    let without = flags.filter_map(|flag| environment::without_flag(value, flag));
    let plain = std::iter::once(value.to_owned()).chain(without);
    let mut forms: Vec<String> = plain
        .flat_map(|value| [format!("{value:?}").trim_matches('"').to_owned(), value])
        .filter(|value| !value.is_empty())
        .collect();
    forms.dedup();
    forms
}

fn mask(text: &str, value: &str) -> String {
    let is_word = |character: Option<char>| character.is_some_and(|one| one.is_alphanumeric() || one == '_');
    let mut masked = String::with_capacity(text.len());
    let mut done = 0;
    for (start, _) in text.match_indices(value) {
        let end = start + value.len();
        let is_within = is_word(text[..start].chars().next_back()) || is_word(text[end..].chars().next());
        if value.len() >= SHORT || !is_within {
            masked.push_str(&text[done..start]);
            masked.push_str(MASK);
            done = end;
        }
    }
    masked.push_str(&text[done..]);
    masked
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::Deployment;
    use serde_json::json;

    use super::*;

    fn masked(text: &str, environment: &serde_json::Value) -> String {
        let deployment: Deployment = serde_json::from_value(json!({
            "spec": {"selector": {}, "template": {"spec": {"containers": [{"name": "msr", "env": environment}]}}}
        }))
        .expect("a Deployment");
        without_values(text, &deployment.into())
    }

    #[test]
    fn values_are_masked_with_and_without_the_flag() {
        let environment = json!([
            {"name": "JAVA_CUSTOM_OPTS", "value": "-Dkey=\"s3cret\" -Djavax.net.debug=ssl -Dlast=1"},
            {"name": "OTHER", "value": "also-secret"}, {"name": "EMPTY", "value": ""}, {"name": "REPLICAS", "value": "2"},
        ]);
        for text in [
            r#"Invalid value: "-Dkey="s3cret" -Djavax.net.debug=ssl -Dlast=1": too long"#,
            r#"Invalid value: "-Dkey=\"s3cret\" -Djavax.net.debug=ssl -Dlast=1": too long"#,
            r#"Invalid value: "-Dkey=\"s3cret\" -Dlast=1": too long"#,
        ] {
            assert_eq!(masked(text, &environment), r#"Invalid value: "(a value)": too long"#);
        }
        assert_eq!(
            masked("OTHER=also-secret is forbidden with 2 of 12 pods", &environment),
            "OTHER=(a value) is forbidden with (a value) of 12 pods"
        );
    }
}
