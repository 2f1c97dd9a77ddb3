//! `stop`: ends sessions, whose workloads are restored then.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::connection::Connection;
use super::problem::Problem;
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
    /// Asks for the end of each.
    pub(super) async fn run(self) -> Result<ExitCode, Problem> {
        let cluster = self.connection.connect().await?;
        let sessions = Api::<TLSDebugSession>::namespaced(cluster.client, &cluster.namespace);
        let patch = Patch::Merge(json!({"spec": {"stop": true}}));
        for name in &self.names {
            let tried = || format!("stop session {name:?} in namespace {:?}", cluster.namespace);
            let problem = |error: kube::Error| Problem::of(tried(), &error);
            let before = sessions.get(name).await.map_err(problem)?;
            if before.status.is_some_and(|status| status.phase.is_finished()) {
                println!("tlsdebugsession.tlsdebug.io/{name} has ended before");
                continue;
            }
            sessions
                .patch(name, &PatchParams::default(), &patch)
                .await
                .map_err(problem)?;
            println!("tlsdebugsession.tlsdebug.io/{name} stopped");
        }
        for name in self.names.iter().filter(|_| self.wait) {
            // One that is gone is restored: its finalizer keeps it until then.
            while let Some(session) = sessions
                .get_opt(name)
                .await
                .map_err(|error| Problem::of(format!("wait for session {name:?}"), &error))?
                .filter(|session| !session.status.as_ref().is_some_and(|status| status.phase.is_finished()))
            {
                drop(session);
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            println!("tlsdebugsession.tlsdebug.io/{name} ended");
        }
        Ok(ExitCode::SUCCESS)
    }
}
