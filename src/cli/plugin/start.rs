//! `start`: a session by one line.

use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, ResourceExt};

use super::connection::{Cluster, Connection};
use super::options::{SessionOptions, StrategyOption, bounded};
use super::problem::Problem;
use super::rehearsal::{self, Outcome};
use super::{preview, watch};
use crate::cli::output;
use crate::cli::program;
use crate::session::TLSDebugSession;
use crate::workload::record::RecordOwner;

/// Arguments of `start`.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 the session was created (with --watch: those of watch), 2 it was not.")]
pub(in crate::cli) struct Start {
    #[command(flatten)]
    options: SessionOptions,
    /// Name of the session; otherwise the workload's with a random end.
    #[arg(long)]
    name: Option<String>,
    /// How the flag gets into a JVM; otherwise rollout, and clone for a pod.
    #[arg(long, value_enum)]
    strategy: Option<StrategyOption>,
    /// Clone only: let Services send requests to the clone.
    #[arg(long)]
    receive_traffic: bool,
    /// Let the session delete itself so long after its end, from 0s to 720h.
    #[arg(long, value_name = "DURATION", value_parser = |text: &str| bounded(text, 0, 720 * 3600))]
    ttl: Option<String>,
    /// Show the patch and what would restart, and create nothing.
    #[arg(long)]
    dry_run: bool,
    /// Follow the session to its end.
    #[arg(long, short, conflicts_with = "dry_run")]
    watch: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Start {
    /// Validates, and creates the session.
    pub(super) async fn run(self) -> Result<ExitCode, Problem> {
        let cluster = self.connection.connect().await?;
        let mut spec = self.options.spec();
        spec.strategy = self.strategy.map(Into::into);
        spec.receive_traffic = self.receive_traffic;
        spec.ttl_after_finished.clone_from(&self.ttl);
        let mut session = TLSDebugSession::new(self.name.as_deref().unwrap_or_default(), spec);
        if self.name.is_none() {
            session.metadata.name = None;
            session.metadata.generate_name = Some(generated(&session.spec.target.name));
        }
        // The kind's own rules and the admission policy say what they say before the workload is looked at.
        create(&cluster, &session, true).await?;
        let target = &session.spec.target;
        let in_memory = rehearsal::session(&cluster.namespace, session.spec.clone(), Timestamp::now());
        let rehearsal = rehearsal::rehearse(&cluster, in_memory, RecordOwner::Operator, Timestamp::now())
            .await
            .map_err(|error| Problem::of(format!("look at {} {:?}", target.kind, target.name), &error))?;
        if let Outcome::Refused { reason, message } = &rehearsal.outcome {
            return Err(Problem::new(format!("{reason}: {message}")));
        }
        if self.dry_run {
            let restarts = match &rehearsal.observed.workload {
                Some(workload) => Some(preview::restarts(&cluster, workload).await?),
                None => None,
            };
            output::write(preview::text(&rehearsal, restarts.as_ref()));
            return Ok(ExitCode::SUCCESS);
        }
        for warning in &rehearsal.warnings {
            output::warn(format_args!("Warning: {warning}"));
        }
        let name = create(&cluster, &session, false).await?.name_any();
        output::say(format_args!("tlsdebugsession.tlsdebug.io/{name} created"));
        if self.watch {
            return watch::follow(&cluster, &name).await;
        }
        if let Outcome::Waits(why) = &rehearsal.outcome {
            output::warn(format_args!("{why}"));
        }
        output::warn(format_args!(
            "{} watch {name} {} follows it",
            program(),
            cluster.arguments
        ));
        Ok(ExitCode::SUCCESS)
    }
}

async fn create(cluster: &Cluster, session: &TLSDebugSession, dry_run: bool) -> Result<TLSDebugSession, Problem> {
    let parameters = PostParams {
        dry_run,
        field_manager: Some("kubectl-tlsdebug".to_owned()),
    };
    Api::<TLSDebugSession>::namespaced(cluster.client.clone(), &cluster.namespace)
        .create(&parameters, session)
        .await
        .map_err(|error| Problem::of("create the session", &error))
}

/// The API server puts five characters behind it, and a session's name has 63 at most.
fn generated(target: &str) -> String {
    format!("{}-", target[..target.len().min(57)].trim_end_matches(['.', '-']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_sessions_fit_into_a_label() {
        assert_eq!(generated("orders-msr"), "orders-msr-");
        assert_eq!(generated(&"a".repeat(253)).len(), 58);
        assert_eq!(
            generated(&format!("{}.b", "a".repeat(56))),
            format!("{}-", "a".repeat(56))
        );
    }
}
