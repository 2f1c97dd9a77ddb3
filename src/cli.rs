//! The command line: one file per subcommand.

mod clues;
mod compressed;
mod content;
pub mod crd;
mod diagnose;
pub mod drain;
mod live;
pub mod operator;
mod output;
#[cfg(feature = "plugin")]
mod plugin;
mod progress;
mod sources;

use std::io;
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

/// Finds out why a JVM's TLS handshake fails.
#[derive(Debug, Parser)]
#[command(name = "tlsdebug", version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Reads logs with -Djavax.net.debug output and says why handshakes fail.
    Diagnose(diagnose::Diagnose),
    /// Runs the Kubernetes operator for TLSDebugSession resources.
    Operator(crate::operator::Settings),
    /// Ends all sessions and waits until their workloads are restored: before the operator is uninstalled.
    Drain(crate::operator::drain::Settings),
    /// Prints the custom resource definition of TLSDebugSession as YAML.
    Crd,
    #[cfg(feature = "plugin")]
    #[command(flatten)]
    Plugin(plugin::Command),
}

/// Parses the command line and runs the subcommand.
#[must_use]
pub fn main() -> ExitCode {
    let matches = command().get_matches();
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match arguments.command {
        Command::Diagnose(diagnose) => diagnose.run(),
        Command::Operator(settings) => operator::run(settings),
        Command::Drain(settings) => drain::run(&settings),
        Command::Crd => match crd::run(io::stdout().lock()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("tlsdebug crd: cannot write the definition to standard output: {error}");
                ExitCode::from(2)
            }
        },
        #[cfg(feature = "plugin")]
        Command::Plugin(command) => command.run(),
    }
}

/// The command line, under the name by which the user calls it.
#[must_use]
pub fn command() -> clap::Command {
    Arguments::command().bin_name(program())
}

/// What the user types to get here: kubectl runs a plugin by the name of its file.
fn program() -> &'static str {
    let file = std::env::args_os().next();
    let stem = file.as_deref().and_then(|file| Path::new(file).file_stem());
    if stem.is_some_and(|stem| stem == "kubectl-tlsdebug") {
        "kubectl tlsdebug"
    } else {
        "tlsdebug"
    }
}
