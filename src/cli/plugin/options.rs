//! What a session is to be, from the command line.

use clap::Args;
use serde_json::json;

use super::target::WorkloadName;
use crate::session::{DebugOption, OptionsVariable, Strategy, TLSDebugSessionSpec};

/// What `start` and `run` have in common: the fields of a session's spec.
#[derive(Debug, Clone, Args)]
pub(super) struct SessionOptions {
    /// The workload: KIND/NAME, such as deploy/orders-msr, sts/broker, ds/agent or pod/orders-msr-0.
    #[arg(value_name = "KIND/NAME")]
    pub(super) target: WorkloadName,
    /// Container whose JVM is meant; needed only where the pod has several.
    #[arg(long, short)]
    container: Option<String>,
    /// How long the output stays on, from 30s to 8h.
    #[arg(long, default_value = "15m", value_parser = |text: &str| bounded(text, 30, 8 * 3600))]
    duration: String,
    /// How long to wait for the workload to be ready for the change, and for its first pod with the flag; from 1m to 2h.
    #[arg(long, default_value = "15m", value_parser = |text: &str| bounded(text, 60, 2 * 3600))]
    progress_deadline: String,
    /// Variable that carries the flag into the JVM: JAVA_CUSTOM_OPTS, JAVA_DEBUGGER_OPTS, JAVA_TOOL_OPTIONS or
    /// JDK_JAVA_OPTIONS.
    #[arg(long, default_value = "JAVA_CUSTOM_OPTS", value_parser = word::<OptionsVariable>)]
    variable: OptionsVariable,
    /// What the JVM is to print beside ssl, separated by commas; trustmanager and keymanager prove more and print much more.
    #[arg(long, default_value = "handshake", value_delimiter = ',', value_parser = word::<DebugOption>)]
    debug: Vec<DebugOption>,
    /// Only handshakes with these servers decide, separated by commas; * stands for any characters, as in *.bank.example.
    #[arg(long, value_delimiter = ',', value_name = "SERVER")]
    r#match: Vec<String>,
    /// End at the first handshake that fails.
    #[arg(long)]
    first_failure: bool,
    /// How many pods are read at the same time.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    max_pods: u32,
    /// Go on although the JVM prints TLS master secrets (JDKs before 8u272).
    #[arg(long)]
    allow_key_material: bool,
}

impl SessionOptions {
    /// The spec of the session.
    pub(super) fn spec(&self) -> TLSDebugSessionSpec {
        let mut spec: TLSDebugSessionSpec = serde_json::from_value(json!({
            "target": {"kind": self.target.kind, "name": self.target.name, "container": self.container},
            "duration": self.duration,
            "progressDeadline": self.progress_deadline,
            "variable": self.variable,
            "stopWhen": if self.first_failure { "FirstFailure" } else { "Expired" },
            "match": (!self.r#match.is_empty()).then(|| json!({"serverNames": self.r#match})),
            "maxPods": self.max_pods,
            "allowKeyMaterial": self.allow_key_material,
        }))
        .unwrap_or_else(|error| unreachable!("every option is a field of the spec: {error}"));
        spec.debug = self.debug.iter().copied().chain([DebugOption::Ssl]).collect();
        spec
    }
}

/// How the flag gets into a JVM.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(super) enum StrategyOption {
    /// The workload is edited, and its controller replaces the pods.
    Rollout,
    /// One more pod runs with the flag, and the workload is left alone.
    Clone,
}

impl From<StrategyOption> for Strategy {
    fn from(option: StrategyOption) -> Self {
        match option {
            StrategyOption::Rollout => Self::Rollout,
            StrategyOption::Clone => Self::Clone,
        }
    }
}

/// One of the words that a type is written as.
pub(super) fn word<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(json!(text)).map_err(|error| error.to_string())
}

/// A duration as the definition of the kind takes it, which is less than what `SignedDuration` takes.
pub(super) fn bounded(text: &str, least: i64, most: i64) -> Result<String, String> {
    let mut seconds: i64 = 0;
    let mut rest = text;
    for (unit, factor) in [('h', 3600), ('m', 60), ('s', 1)] {
        if let Some((number, after)) = rest.split_once(unit)
            && (1..=6).contains(&number.len())
            && number.bytes().all(|byte| byte.is_ascii_digit())
        {
            seconds += number.parse::<i64>().map_err(|error| error.to_string())? * factor;
            rest = after;
        }
    }
    if text.is_empty() || !rest.is_empty() {
        return Err("write a duration such as 90s, 10m or 1h30m".to_owned());
    }
    if !(least..=most).contains(&seconds) {
        return Err(format!("must be from {} to {}", short(least), short(most)));
    }
    Ok(text.to_owned())
}

fn short(seconds: i64) -> String {
    match seconds {
        seconds if seconds > 0 && seconds % 3600 == 0 => format!("{}h", seconds / 3600),
        seconds if seconds > 0 && seconds % 60 == 0 => format!("{}m", seconds / 60),
        seconds => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::session::{StopWhen, TargetKind};

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: SessionOptions,
    }

    fn spec(line: &[&str]) -> Result<TLSDebugSessionSpec, String> {
        let line = Line::try_parse_from([&["start"], line].concat()).map_err(|error| error.to_string())?;
        Ok(line.options.spec())
    }

    #[test]
    fn the_shortest_line_is_a_session_of_the_defaults() {
        let expected: TLSDebugSessionSpec =
            serde_json::from_value(json!({"target": {"kind": "Deployment", "name": "orders"}})).expect("a spec");
        assert_eq!(spec(&["deploy/orders"]), Ok(expected));
    }

    #[test]
    fn options_become_fields() {
        let spec = spec(&[
            "sts/orders",
            "-c",
            "msr",
            "--duration",
            "1h30m",
            "--match",
            "*.bank.example,a.example",
            "--first-failure",
            "--debug",
            "trustmanager",
            "--variable",
            "JAVA_TOOL_OPTIONS",
        ])
        .expect("a line");
        assert_eq!(
            (spec.target.kind, spec.target.container.as_deref()),
            (TargetKind::StatefulSet, Some("msr"))
        );
        assert_eq!(
            spec.matching.as_ref().map(|matching| matching.server_names.len()),
            Some(2)
        );
        assert_eq!(spec.stop_when, StopWhen::FirstFailure);
        assert_eq!(spec.flag(), "-Djavax.net.debug=ssl,trustmanager");
        assert_eq!(
            (spec.duration.as_str(), spec.variable.name()),
            ("1h30m", "JAVA_TOOL_OPTIONS")
        );
    }

    #[test]
    fn wrong_values_are_refused_before_anything_is_asked() {
        for (line, says) in [
            (&["deploy/a", "--duration", "10"][..], "such as 90s"),
            (&["deploy/a", "--duration", "5s"], "from 30s to 8h"),
            (&["deploy/a", "--duration", "9h"], "from 30s to 8h"),
            (&["deploy/a", "--duration", "1m1h"], "such as 90s"),
            (&["deploy/a", "--progress-deadline", "3h"], "from 1m to 2h"),
            (&["deploy/a", "--debug", "plaintext"], "plaintext"),
            (&["deploy/a", "--variable", "PATH"], "PATH"),
            (&["deploy/a", "--max-pods", "0"], "1..=20"),
        ] {
            let error = spec(line).expect_err("refused");
            assert!(error.contains(says), "{line:?}: {error}");
        }
    }
}
