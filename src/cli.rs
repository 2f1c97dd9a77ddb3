//! The command line: one file per subcommand.

mod diagnose;

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
}

/// Parses the command line and runs the subcommand.
#[must_use]
pub fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Diagnose(diagnose) => diagnose.run(),
    }
}
