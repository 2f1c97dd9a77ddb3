//! Why a command could not do what it was asked for: what was tried, the cause, the way out.

use std::error::Error;
use std::fmt;

use crate::cli::program;

/// A sentence or two for the person at the terminal.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem(String);

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Problem {
    /// What is to be said as it is.
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Of an error of the API, where `tried` follows "cannot".
    pub(super) fn of(tried: impl fmt::Display, error: &kube::Error) -> Self {
        let program = program();
        let kube::Error::Api(status) = error else {
            return Self(format!(
                "cannot {tried}: {}. Look whether kubectl reaches the cluster, and with which context (kubectl config \
                 current-context)",
                with_sources(error)
            ));
        };
        let message = status.message.trim().trim_end_matches('.');
        let names_object = status.details.as_ref().is_some_and(|details| !details.name.is_empty());
        Self(match status.code {
            401 => format!("cannot {tried}: the API server does not know who you are ({message}). Log in anew"),
            403 => format!(
                "cannot {tried}: {message}. {program} doctor shows every right that is needed and who can give it"
            ),
            404 if !names_object => format!(
                "cannot {tried}: this cluster does not know the kind TLSDebugSession. {program} doctor says how it is \
                 installed; {program} run does without"
            ),
            404 => format!("cannot {tried}: {message}. {program} list shows what there is"),
            _ => format!("cannot {tried}: {message}"),
        })
    }
}

/// The causes of an error behind it: the innermost one says the most.
fn with_sources(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let said = inner.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        source = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use kube::core::Status;
    use serde_json::json;

    use super::*;

    fn problem(code: u16, message: &str, name: &str) -> String {
        let details = json!({"name": name});
        let status: Status = serde_json::from_value(json!({
            "status": "Failure", "code": code, "message": message, "reason": "", "details": details
        }))
        .expect("a status");
        Problem::of("stop session \"a\"", &kube::Error::Api(status.boxed())).to_string()
    }

    #[test]
    fn each_says_what_was_tried_and_the_way_out() {
        insta::assert_snapshot!(
            [
                problem(401, "Unauthorized", ""),
                problem(
                    403,
                    "tlsdebugsessions.tlsdebug.io \"a\" is forbidden: User \"jane\" cannot patch resource",
                    "a"
                ),
                problem(404, "404 page not found\n", ""),
                problem(404, "tlsdebugsessions.tlsdebug.io \"a\" not found", "a"),
                problem(
                    422,
                    "TLSDebugSession \"a\" is invalid: spec.duration: Invalid value.",
                    "a"
                ),
            ]
            .join("\n")
        );
    }
}
