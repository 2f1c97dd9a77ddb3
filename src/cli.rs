//! One file per subcommand.

pub mod operator;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Finds out why a JVM's TLS handshake fails.
#[derive(Debug, Parser)]
#[command(name = "tlsdebug", version, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the Kubernetes operator for TLSDebugSession resources
    Operator(crate::operator::Settings),
    /// crd
    Crd,
}

/// Parses the command line and runs the subcommand.
#[must_use]
pub fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Operator(settings) => operator::run(settings),
        Command::Crd => {
            use kube::CustomResourceExt;
            println!(
                "{}",
                serde_norway::to_string(&crate::session::TLSDebugSession::crd()).unwrap()
            );
            ExitCode::SUCCESS
        }
    }
}
