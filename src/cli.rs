//! The command line: one file per subcommand.

mod clues;
mod compressed;
mod content;
pub mod crd;
mod diagnose;
pub mod drain;
mod live;
pub mod operator;
mod progress;
mod sources;

use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
}

/// Parses the command line and runs the subcommand.
#[must_use]
pub fn main() -> ExitCode {
    match Arguments::parse().command {
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
    }
}
