//! `stop`: ends sessions, whose workloads are restored then.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::connection::Connection;
use super::problem::Problem;
use crate::cli::{output, program};
use crate::session::TLSDebugSession;

/// Arguments of `stop`.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 done, 2 not done.")]
pub(in crate::cli) struct Stop {
    /// Names of sessions.
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    /// Return when the workloads are restored.
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Stop {
    /// Asks for the end of each; what one is refused keeps no other from being stopped.
    pub(super) async fn run(self) -> Result<ExitCode, Problem> {
        let cluster = self.connection.connect().await?;
        let sessions = Api::<TLSDebugSession>::namespaced(cluster.client, &cluster.namespace);
        let mut stopped = Vec::new();
        let mut is_done = true;
        for name in &self.names {
            match stop(&sessions, name).await {
                Ok(true) => {
                    output::say(format_args!("tlsdebugsession.tlsdebug.io/{name} stopped"));
                    stopped.push(name);
                }
                Ok(false) => output::say(format_args!("tlsdebugsession.tlsdebug.io/{name} has ended before")),
                Err(error) => {
                    let tried = format!("stop session {name:?} in namespace {:?}", cluster.namespace);
                    is_done = told(&Problem::of(tried, &error));
                }
            }
        }
        for name in stopped.into_iter().filter(|_| self.wait) {
            match ended(&sessions, name).await {
                Ok(()) => output::say(format_args!("tlsdebugsession.tlsdebug.io/{name} ended")),
                Err(error) => is_done = told(&Problem::of(format!("wait for session {name:?}"), &error)),
            }
        }
        Ok(if is_done { ExitCode::SUCCESS } else { ExitCode::from(2) })
    }
}

/// Says what went wrong. Returns that not all is done.
fn told(problem: &Problem) -> bool {
    output::warn(format_args!("{}: {problem}", program()));
    false
}

/// Asks for the end. Returns `false` where it has come before.
async fn stop(sessions: &Api<TLSDebugSession>, name: &str) -> kube::Result<bool> {
    let before = sessions.get(name).await?;
    if before.status.is_some_and(|status| status.phase.is_finished()) {
        return Ok(false);
    }
    let patch = Patch::Merge(json!({"spec": {"stop": true}}));
    sessions.patch(name, &PatchParams::default(), &patch).await?;
    Ok(true)
}

/// Returns when the workload is restored. A session that is gone is: its finalizer keeps it until then.
async fn ended(sessions: &Api<TLSDebugSession>, name: &str) -> kube::Result<()> {
    let is_over = |session: &TLSDebugSession| session.status.as_ref().is_some_and(|status| status.phase.is_finished());
    while sessions.get_opt(name).await?.is_some_and(|session| !is_over(&session)) {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Ok(())
}
