//! `report`: what a session has found, as `diagnose` says it.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Args;
use futures::AsyncReadExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::LogParams;

use super::connection::{Cluster, Connection};
use super::problem::Problem;
use super::watch::exit_code;
use crate::cli::output::{self, Output};
use crate::diagnosis::report::{Report, Verdict};
use crate::diagnosis::{Diagnoser, Journal};
use crate::operator::observe::pods::container_status;
use crate::session::{TLSDebugSession, TLSDebugSessionStatus};

/// Arguments of `report`.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 all handshakes succeeded, 1 failures found, 2 nothing to say, or no session.")]
pub(in crate::cli) struct ReportCommand {
    /// Name of the session.
    name: String,
    /// Form of the report.
    #[arg(long, short, value_enum, default_value_t = Output::Text)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

impl ReportCommand {
    /// Prints the report of the session: of the logs where all pods still live that were read, else of the status.
    pub(super) async fn run(self) -> Result<ExitCode, Problem> {
        let cluster = self.connection.connect().await?;
        let session = Api::<TLSDebugSession>::namespaced(cluster.client.clone(), &cluster.namespace)
            .get(&self.name)
            .await
            .map_err(|error| {
                let tried = format!("report on session {:?} in namespace {:?}", self.name, cluster.namespace);
                Problem::of(tried, &error)
            })?;
        let status = session.status.clone().unwrap_or_default();
        let (report, journal) = match read_logs(&cluster, &session, self.output).await {
            Some(read) => read,
            None => (stored(&status), Journal::default()),
        };
        let mut out = io::stdout().lock();
        output::print(&mut out, self.output, &report, &journal, "")
            .and_then(|()| out.flush())
            .map_err(|error| Problem::new(format!("cannot write the report: {error}")))?;
        Ok(exit_code(&TLSDebugSessionStatus {
            verdict: Some(report.verdict),
            ..status
        }))
    }
}

/// The status as a report.
fn stored(status: &TLSDebugSessionStatus) -> Report {
    let mut warnings = status.warnings.clone();
    if status.verdict.is_none() {
        warnings.push(match &status.failure {
            Some(failure) => format!("The session failed ({}): {}", failure.reason, failure.message),
            None => "The session has read nothing so far.".to_owned(),
        });
    }
    Report {
        verdict: status.verdict.unwrap_or(Verdict::NoDebugOutput),
        handshakes: status.handshakes.unwrap_or_default(),
        findings: status.findings.clone(),
        warnings,
    }
}

/// Reads the logs of the pods that the session has read, each handshake with them, and those of the session of the other end.
/// `None`: not all of that is there any more, and the status knows more than a part of the logs.
async fn read_logs(cluster: &Cluster, session: &TLSDebugSession, output: Output) -> Option<(Report, Journal)> {
    let status = session.status.as_ref()?;
    let mut diagnosers = read_pods(cluster, status, output).await?;
    if let Some(peer) = &status.peer {
        let sessions = Api::<TLSDebugSession>::namespaced(cluster.client.clone(), &cluster.namespace);
        let other = sessions.get_opt(&peer.name).await.ok()??;
        diagnosers.extend(read_pods(cluster, other.status.as_ref()?, output).await?);
    }
    let (mut report, journal) = match output {
        Output::Html => Diagnoser::join_with_journal(&diagnosers),
        Output::Text | Output::Json => (Diagnoser::join(&diagnosers), Journal::default()),
    };
    // What was rotated away since is only in the status.
    if report.handshakes.total < status.handshakes.unwrap_or_default().total {
        return None;
    }
    report.warnings.extend(status.warnings.iter().cloned());
    Some((report, journal))
}

/// Reads the logs of the pods that one session has read.
async fn read_pods(cluster: &Cluster, status: &TLSDebugSessionStatus, output: Output) -> Option<Vec<Diagnoser>> {
    let container = &status.injection.as_ref()?.change.container;
    if status.pods.is_empty() || status.earlier_pods.is_some() {
        return None;
    }
    let pods = Api::<Pod>::namespaced(cluster.client.clone(), &cluster.namespace);
    let mut diagnosers = Vec::new();
    for read in &status.pods {
        let pod = pods.get_opt(&read.name).await.ok()??;
        if pod.metadata.uid.as_ref() != Some(&read.uid) {
            return None;
        }
        let restarts = container_status(&pod, container)?.restart_count;
        let parameters = LogParams {
            container: Some(container.clone()),
            previous: match restarts - read.restarts {
                0 => false,
                1 => true,
                _ => return None,
            },
            ..LogParams::default()
        };
        let mut diagnoser = match output {
            Output::Html => Diagnoser::with_journal(read.name.as_str()),
            Output::Text | Output::Json => Diagnoser::new(read.name.as_str()),
        };
        let mut log = Box::pin(pods.log_stream(&read.name, &parameters).await.ok()?);
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match log.read(&mut buffer).await.ok()? {
                0 => break,
                length => diagnoser.feed(&buffer[..length]),
            }
        }
        diagnoser.finish();
        diagnosers.push(diagnoser);
    }
    Some(diagnosers)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::render::{self, Style};

    #[test]
    fn a_session_that_has_read_nothing_says_why() {
        let status = |status| serde_json::from_value::<TLSDebugSessionStatus>(status).expect("a status");
        let failed =
            status(json!({"phase": "Failed", "failure": {"reason": "TargetNotFound", "message": "There is none."}}));
        let reports =
            [failed, status(json!({"phase": "Pending"}))].map(|status| render::text(&stored(&status), Style::Plain));
        insta::assert_snapshot!(reports.join("\n"));
    }
}
