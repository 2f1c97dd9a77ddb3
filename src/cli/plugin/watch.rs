//! `watch`: what a session does, as it does it.

use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use futures::StreamExt;
use jiff::Timestamp;
use kube::Api;
use kube::runtime::{WatchStreamExt, watcher};

use super::connection::{Cluster, Connection};
use super::news::{self, News};
use super::problem::Problem;
use super::screen::Screen;
use crate::cli::output;
use crate::cli::program;
use crate::diagnosis::report::Verdict;
use crate::session::{Phase, TLSDebugSession, TLSDebugSessionStatus};

/// Arguments of `watch`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 all handshakes succeeded, 1 failures found, 2 nothing to say, or the session failed or is \
                        gone, 130 interrupted; the session goes on then."
)]
pub(in crate::cli) struct Watch {
    /// Name of the session.
    name: String,
    #[command(flatten)]
    connection: Connection,
}

impl Watch {
    /// Follows the session to its end.
    pub(super) async fn run(self) -> Result<ExitCode, Problem> {
        let cluster = self.connection.connect().await?;
        follow(&cluster, &self.name).await
    }
}

/// Prints what a session does until it has ended, is gone, or the user has seen enough.
pub(super) async fn follow(cluster: &Cluster, name: &str) -> Result<ExitCode, Problem> {
    let sessions = Api::<TLSDebugSession>::namespaced(cluster.client.clone(), &cluster.namespace);
    let tried = || format!("watch session {name:?} in namespace {:?}", cluster.namespace);
    let mut session = sessions.get(name).await.map_err(|error| Problem::of(tried(), &error))?;
    let by_name = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let mut events = pin!(watcher(sessions, by_name).default_backoff());
    let (mut screen, mut news) = (Screen::stdout(), News::default());
    let mut second = tokio::time::interval(Duration::from_secs(1));
    loop {
        let status = session.status.clone().unwrap_or_default();
        screen.lines(&news.lines(&session, Timestamp::now()));
        if status.phase.is_finished() {
            return Ok(exit_code(&status));
        }
        screen.standing(&news::standing(&status, Timestamp::now()));
        tokio::select! {
            event = events.next() => match event {
                Some(Ok(watcher::Event::Apply(seen) | watcher::Event::InitApply(seen))) => session = seen,
                Some(Ok(watcher::Event::Delete(_))) => {
                    screen.lines(&[format!("Session {name} was deleted; its workload is restored.")]);
                    return Ok(ExitCode::from(2));
                }
                // The watch is set up anew by itself; a right that is missing is worth a word.
                Some(Err(watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error)))
                    if matches!(&error, kube::Error::Api(status) if status.is_forbidden()) =>
                {
                    return Err(Problem::of(tried(), &error));
                }
                Some(_) => {}
                None => return Ok(ExitCode::from(2)),
            },
            _ = second.tick() => {}
            _ = tokio::signal::ctrl_c() => {
                drop(screen);
                let (program, arguments) = (program(), &cluster.arguments);
                output::warn(format_args!("The session goes on. {program} stop {name} {arguments} ends it and restores the workload."));
                return Ok(ExitCode::from(130));
            }
        }
    }
}

/// What a session that has ended says, as an exit code.
pub(super) fn exit_code(status: &TLSDebugSessionStatus) -> ExitCode {
    match status.verdict {
        Some(Verdict::FailuresFound) => ExitCode::from(1),
        Some(Verdict::AllSucceeded) if status.phase == Phase::Completed => ExitCode::SUCCESS,
        _ => ExitCode::from(2),
    }
}
