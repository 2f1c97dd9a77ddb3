//! `tlsdebug drain`.

use std::process::ExitCode;

use crate::operator::drain::{self, Settings};

/// Ends all sessions, bounded by the time that is given; says what remains.
#[must_use]
pub fn run(settings: &Settings) -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("tlsdebug drain: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(drain::run(settings)) {
        Ok(stopped) => {
            println!("No session is running any more ({stopped} stopped), and all workloads are restored.");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("tlsdebug drain: {error}");
            ExitCode::FAILURE
        }
    }
}
