//! The commands that act on a cluster with the user's own rights, which are kubectl's as well: the same program under the
//! name `kubectl-tlsdebug` is `kubectl tlsdebug`.

mod completions;
mod connection;
mod doctor;
mod list;
mod news;
mod options;
mod preview;
mod problem;
mod rehearsal;
mod report;
mod restore;
mod rights;
mod run;
mod screen;
mod start;
mod stop;
mod table;
mod tail;
mod target;
mod watch;
mod wrapper;

use std::process::ExitCode;

use clap::Subcommand;

use problem::Problem;

/// What the operator's image does without.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Starts a session: debug output for a while in a workload, then the answer.
    Start(Box<start::Start>),
    /// Follows a session while it runs.
    Watch(watch::Watch),
    /// Lists the sessions.
    List(list::List),
    /// Prints what a session has found.
    Report(report::ReportCommand),
    /// Ends sessions before their time; their workloads are restored.
    Stop(stop::Stop),
    /// Undoes a change from its record on the workload, without an operator.
    Restore(restore::Restore),
    /// Says what a session needs that is missing, and how to mend it.
    Doctor(doctor::Doctor),
    /// Runs a whole session from this terminal, without an operator.
    Run(run::Run),
    /// Diagnoses a log as it grows: a sidecar for clusters without an operator.
    Tail(tail::Tail),
    /// Switches the output of an on-premise Integration Server on and off, in its custom_wrapper.conf.
    Wrapper(wrapper::Wrapper),
    /// Prints completions for a shell or for kubectl.
    Completions(completions::Completions),
    /// Completes a command line of kubectl's.
    #[command(hide = true)]
    Complete(completions::Complete),
}

impl Command {
    /// Runs the command.
    pub(super) fn run(self) -> ExitCode {
        let result = match self {
            Self::Wrapper(wrapper) => wrapper.run(),
            Self::Completions(completions) => written(completions.run(super::command())),
            Self::Complete(complete) => written(complete.run(&super::command())),
            command => command.run_on_cluster(),
        };
        result.unwrap_or_else(|problem| {
            super::output::warn(format_args!("{}: {problem}", super::program()));
            ExitCode::from(2)
        })
    }

    fn run_on_cluster(self) -> Result<ExitCode, Problem> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Problem::new(format!("cannot start: {error}")))?;
        runtime.block_on(async {
            match self {
                // Their futures are large: they hold whole workloads.
                Self::Start(start) => Box::pin(start.run()).await,
                Self::Watch(watch) => watch.run().await,
                Self::List(list) => list.run().await,
                Self::Report(report) => report.run().await,
                Self::Stop(stop) => stop.run().await,
                Self::Restore(restore) => restore.run().await,
                Self::Doctor(doctor) => doctor.run().await,
                Self::Run(run) => Box::pin(run.run()).await,
                Self::Tail(tail) => Box::pin(tail.run()).await,
                Self::Wrapper(_) | Self::Completions(_) | Self::Complete(_) => Ok(ExitCode::SUCCESS),
            }
        })
    }
}

fn written(result: std::io::Result<()>) -> Result<ExitCode, Problem> {
    match result {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Problem::new(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}
