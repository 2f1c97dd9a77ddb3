//! Ending every session before the operator goes away: without it nothing would be restored.
//!
//! Sessions are stopped and waited for; the operator, which still runs, does the rest. Nothing else is written, and nothing
//! is taken off by force: what is not restored in time is named, with the command that does it by hand.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::SignedDuration;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use tokio::time::{Instant, sleep, timeout_at};

use super::act;
use super::observe::existing;
use crate::session::TLSDebugSession;
use crate::workload::patch::Builder;

/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);

/// What an administrator can set.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct Settings {
    /// Namespaces whose sessions are ended, separated by commas; all when empty.
    #[arg(long, env = "TLSDEBUG_WATCH_NAMESPACES", value_delimiter = ',')]
    pub watch_namespaces: Vec<String>,

    /// How long to wait for the workloads to be restored, such as 90s or 4m.
    #[arg(long, default_value = "4m")]
    pub patience: SignedDuration,
}

/// Why not all sessions have ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no way to the API server.
    #[error(transparent)]
    Client(#[from] super::Error),
    /// The time is over.
    #[error(
        "these sessions have not ended within {patience:#}:\n{list}Look whether the operator runs and what it logs, then try \
         again. Going on all the same (helm uninstall --no-hooks) leaves the flag in, and the sessions with a finalizer that \
         nobody takes off."
    )]
    Left {
        /// How long they were waited for.
        patience: SignedDuration,
        /// A line for each.
        list: String,
    },
    /// The API server does not answer, or refuses.
    #[error("cannot end the sessions within {patience:#}: {source}")]
    Api {
        /// How long it was tried.
        patience: SignedDuration,
        /// What it said last.
        source: kube::Error,
    },
}

/// Stops all sessions and waits until their workloads are restored. Returns how many it has stopped.
pub async fn run(settings: &Settings) -> Result<usize, Error> {
    let client = super::client(&super::config().await?, None)?;
    let apis: Vec<Api<TLSDebugSession>> = super::namespaces(&settings.watch_namespaces)
        .into_iter()
        .map(|namespace| match namespace {
            Some(namespace) => Api::namespaced(client.clone(), &namespace),
            None => Api::all(client.clone()),
        })
        .collect();
    let patience = settings.patience;
    let deadline = Instant::now() + Duration::try_from(patience).unwrap_or_default();
    let mut stopped = 0;
    let mut last = Ok(Vec::new());
    loop {
        // A request that is not answered must not outlast the time that is left.
        let Ok(result) = timeout_at(deadline, look(&client, &apis, &mut stopped)).await else {
            break;
        };
        match &result {
            Ok(left) if left.is_empty() => return Ok(stopped),
            Ok(left) => tracing::info!(sessions = left.len(), "waiting for the workloads to be restored"),
            Err(error) => tracing::warn!(%error, "cannot end the sessions; will try again"),
        }
        last = result;
        if Instant::now() + LOOK >= deadline {
            break;
        }
        sleep(LOOK).await;
    }
    let left = last.map_err(|source| Error::Api { patience, source })?;
    Err(Error::Left {
        patience,
        list: describe(&left),
    })
}

/// Stops what is not stopped yet. Returns the sessions that have not ended.
async fn look(
    client: &Client,
    apis: &[Api<TLSDebugSession>],
    stopped: &mut usize,
) -> kube::Result<Vec<TLSDebugSession>> {
    let mut left = Vec::new();
    for api in apis {
        let all = existing(api.list(&ListParams::default()).await.map(|list| list.items))?;
        left.extend(all.into_iter().filter(|session| !has_ended(session)));
    }
    for session in left.iter().filter(|session| !session.spec.stop) {
        let sessions = Api::<TLSDebugSession>::namespaced(client.clone(), &session.namespace().unwrap_or_default());
        let stop = Builder::default().add(&["spec", "stop"], true).build();
        existing(act::write(&sessions, &session.name_any(), stop).await)?;
        *stopped += 1;
    }
    Ok(left)
}

/// Nothing is left to restore, and the session can be deleted where no operator runs.
fn has_ended(session: &TLSDebugSession) -> bool {
    let is_finished = session.status.as_ref().is_some_and(|status| status.phase.is_finished());
    is_finished
        && session
            .finalizers()
            .iter()
            .all(|finalizer| finalizer != super::plan::FINALIZER)
}

fn describe(left: &[TLSDebugSession]) -> String {
    let mut list = String::new();
    for session in left {
        let status = session.status.clone().unwrap_or_default();
        let (namespace, name) = (session.namespace().unwrap_or_default(), session.name_any());
        let _ = writeln!(
            list,
            "  {namespace}/{name}: {:?}, {} {:?}",
            status.phase, session.spec.target.kind, session.spec.target.name
        );
        if let Some(command) = status.restore_command {
            let _ = writeln!(list, "    by hand: {command}");
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn session(status: &serde_json::Value, finalizers: &[&str]) -> TLSDebugSession {
        serde_json::from_value(json!({
            "apiVersion": "tlsdebug.io/v1alpha1", "kind": "TLSDebugSession",
            "metadata": {"name": "session", "namespace": "shop", "finalizers": finalizers},
            "spec": {"target": {"kind": "Deployment", "name": "orders"}}, "status": status
        }))
        .expect("a session")
    }

    #[test]
    fn a_session_has_ended_when_it_can_be_deleted_without_an_operator() {
        let finalizer = crate::operator::plan::FINALIZER;
        let completed = json!({"phase": "Completed"});
        assert!(has_ended(&session(&completed, &["example.com/another"])));
        assert!(!has_ended(&session(&completed, &[finalizer])));
        assert!(!has_ended(&session(&json!({"phase": "Restoring"}), &[])));
        assert!(!has_ended(&session(&json!({}), &[])), "it may begin any moment");
    }

    #[test]
    fn what_is_left_is_named_with_the_way_out() {
        let left = session(&json!({"phase": "Capturing", "restoreCommand": "kubectl patch …"}), &[]);
        let error = Error::Left {
            patience: SignedDuration::from_mins(4),
            list: describe(&[left]),
        };
        insta::assert_snapshot!(error, @r#"
        these sessions have not ended within 4m:
          shop/session: Capturing, Deployment "orders"
            by hand: kubectl patch …
        Look whether the operator runs and what it logs, then try again. Going on all the same (helm uninstall --no-hooks) leaves the flag in, and the sessions with a finalizer that nobody takes off.
        "#);
    }
}
