//! `list`: the sessions, with what is left of each.

use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use kube::api::ListParams;
use kube::{Api, ResourceExt};

use super::connection::Connection;
use super::problem::Problem;
use super::table::{age, left, table};
use crate::cli::output;
use crate::session::TLSDebugSession;

/// Arguments of `list`.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 done, 2 the sessions cannot be listed.")]
pub(in crate::cli) struct List {
    /// Those of all namespaces.
    #[arg(long, short = 'A')]
    all_namespaces: bool,
    #[command(flatten)]
    connection: Connection,
}

impl List {
    /// Prints a row for each session.
    pub(super) async fn run(self) -> Result<ExitCode, Problem> {
        let cluster = self.connection.connect().await?;
        let (sessions, place) = if self.all_namespaces {
            (Api::<TLSDebugSession>::all(cluster.client), "all namespaces".to_owned())
        } else {
            let place = format!("namespace {:?}", cluster.namespace);
            (Api::namespaced(cluster.client, &cluster.namespace), place)
        };
        let list = sessions
            .list(&ListParams::default())
            .await
            .map_err(|error| Problem::of(format!("list the sessions in {place}"), &error))?;
        if list.items.is_empty() {
            output::warn(format_args!("No sessions in {place}."));
        } else {
            output::write(rows(&list.items, self.all_namespaces, Timestamp::now()));
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn rows(sessions: &[TLSDebugSession], with_namespace: bool, now: Timestamp) -> String {
    let heading = [
        "NAMESPACE",
        "NAME",
        "PHASE",
        "TARGET",
        "CAUSE",
        "LEFT",
        "AGE",
        "SUMMARY",
    ];
    let skipped = usize::from(!with_namespace);
    let rows: Vec<Vec<String>> = sessions
        .iter()
        .map(|session| {
            let status = session.status.clone().unwrap_or_default();
            let end = status.expires_at.and_then(|end| end.parse::<Timestamp>().ok());
            let created = session
                .creation_timestamp()
                .map_or(0, |created| now.duration_since(created.0).as_secs());
            let target = &session.spec.target;
            let cells = vec![
                session.namespace().unwrap_or_default(),
                session.name_any(),
                format!("{:?}", status.phase),
                format!("{}/{}", target.kind.to_string().to_lowercase(), target.name),
                status.cause.unwrap_or_default(),
                end.map_or_else(String::new, |end| left(end.duration_since(now).as_secs())),
                age(created),
                status.summary.unwrap_or_default(),
            ];
            cells.into_iter().skip(skipped).collect()
        })
        .collect();
    table(&heading[skipped..], &rows)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_of_sessions() {
        let session = |name: &str, status: serde_json::Value| -> TLSDebugSession {
            serde_json::from_value(json!({
                "apiVersion": "tlsdebug.io/v1alpha1", "kind": "TLSDebugSession",
                "metadata": {"name": name, "namespace": "demo", "creationTimestamp": "2026-01-01T00:00:00Z"},
                "spec": {"target": {"kind": "Deployment", "name": "orders-msr"}},
                "status": status
            }))
            .expect("a session")
        };
        let sessions = [
            session(
                "orders-to-bank",
                json!({"phase": "Completed", "cause": "MissingIntermediate", "summary": "bank.example sent only its leaf"}),
            ),
            session(
                "orders",
                json!({"phase": "Capturing", "expiresAt": "2026-01-01T00:11:00Z", "summary": "Reading; no handshake has failed so far."}),
            ),
            session("new", json!({})),
        ];
        let now = "2026-01-01T00:05:00Z".parse().expect("a time");
        insta::assert_snapshot!(format!(
            "{}\n{}",
            rows(&sessions, false, now),
            rows(&sessions[..1], true, now)
        ));
    }
}
