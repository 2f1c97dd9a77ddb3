//! `start`: a session by one line.

use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, ResourceExt};

use super::connection::{Cluster, Connection};
use super::options::{SessionOptions, StrategyOption, bounded};
use super::problem::Problem;
use super::rehearsal::{self, Outcome, Rehearsal};
use super::target::WorkloadName;
use super::{preview, watch};
use crate::cli::output;
use crate::cli::program;
use crate::session::{TLSDebugSession, TLSDebugSessionSpec, Target, peer};
use crate::workload::record::RecordOwner;

/// Arguments of `start`.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 the session was created (with --watch: those of watch), 2 it was not.")]
pub(in crate::cli) struct Start {
    #[command(flatten)]
    options: SessionOptions,
    /// The other end of the connections, KIND/NAME: it is debugged as well, and the logs of both are read as one.
    #[arg(long, value_name = "KIND/NAME")]
    peer: Option<WorkloadName>,
    /// Its container; needed only where its pod has several.
    #[arg(long, requires = "peer")]
    peer_container: Option<String>,
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
        spec.peer = self.peer.as_ref().map(|peer| Target {
            kind: peer.kind,
            name: peer.name.clone(),
            container: self.peer_container.clone(),
        });
        spec.receive_traffic = self.receive_traffic;
        spec.ttl_after_finished.clone_from(&self.ttl);
        let mut session = TLSDebugSession::new(self.name.as_deref().unwrap_or_default(), spec);
        if self.name.is_none() {
            session.metadata.name = None;
            session.metadata.generate_name = Some(generated(&session.spec));
        }
        // The kind's own rules and the admission policy say what they say before the workload is looked at.
        create(&cluster, &session, true).await?;
        let ends = rehearsed(&cluster, &session.spec).await?;
        if self.dry_run {
            let mut previews = Vec::new();
            for end in &ends {
                let restarts = match &end.observed.workload {
                    Some(workload) => Some(preview::restarts(&cluster, workload).await?),
                    None => None,
                };
                previews.push(preview::text(end, restarts.as_ref()));
            }
            output::write(previews.join("\n"));
            return Ok(ExitCode::SUCCESS);
        }
        for warning in ends.iter().flat_map(|end| &end.warnings) {
            output::warn(format_args!("Warning: {warning}"));
        }
        let name = create(&cluster, &session, false).await?.name_any();
        output::say(format_args!("tlsdebugsession.tlsdebug.io/{name} created"));
        if self.watch {
            return watch::follow(&cluster, &name).await;
        }
        for end in &ends {
            if let Outcome::Waits(why) = &end.outcome {
                output::warn(format_args!("{why}"));
            }
        }
        output::warn(format_args!(
            "{} watch {name} {} follows it",
            program(),
            cluster.arguments
        ));
        Ok(ExitCode::SUCCESS)
    }
}

/// What the session would do, to the target first and to the other end where there is one.
async fn rehearsed(cluster: &Cluster, spec: &TLSDebugSessionSpec) -> Result<Vec<Rehearsal>, Problem> {
    let own = TLSDebugSessionSpec {
        peer: None,
        ..spec.clone()
    };
    let mut ends = Vec::new();
    for spec in [own].into_iter().chain(peer::spec(spec)) {
        let Target { kind, name, .. } = spec.target.clone();
        let in_memory = rehearsal::session(&cluster.namespace, spec, Timestamp::now());
        let end = rehearsal::rehearse(cluster, in_memory, RecordOwner::Operator, Timestamp::now())
            .await
            .map_err(|error| Problem::of(format!("look at {kind} {name:?}"), &error))?;
        if let Outcome::Refused { reason, message } = &end.outcome {
            return Err(Problem::new(format!("{reason}: {message}")));
        }
        ends.push(end);
    }
    Ok(ends)
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

/// The API server puts five characters behind it, and a session's name has 63 at most, or 58 where that of its other end is
/// made of it.
fn generated(spec: &TLSDebugSessionSpec) -> String {
    let (target, longest) = (&spec.target.name, if spec.peer.is_some() { 52 } else { 57 });
    format!("{}-", target[..target.len().min(longest)].trim_end_matches(['.', '-']))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn names_of_sessions_fit_into_a_label() {
        let generated = |name: &str, peer: Value| {
            let spec = json!({"target": {"kind": "Deployment", "name": name}, "peer": peer});
            generated(&serde_json::from_value(spec).expect("a spec"))
        };
        assert_eq!(generated("orders-msr", Value::Null), "orders-msr-");
        assert_eq!(generated(&"a".repeat(253), Value::Null).len(), 58);
        assert_eq!(
            generated(&format!("{}.b", "a".repeat(56)), Value::Null),
            format!("{}-", "a".repeat(56))
        );
        let bank = json!({"kind": "Deployment", "name": "bank"});
        assert_eq!(generated(&"a".repeat(253), bank).len() + 5 + "-peer".len(), 63);
    }
}
