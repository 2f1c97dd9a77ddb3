//! `tlsdebug drain`.

use std::process::ExitCode;

use super::operator::{runtime, start_log};
use crate::operator::drain::{self, Settings};
use crate::operator::settings::LogFormat;

/// Ends all sessions, bounded by the time that is given; says what remains.
#[must_use]
pub fn run(settings: &Settings) -> ExitCode {
    start_log(tracing::Level::INFO, LogFormat::Text);
    let Some(runtime) = runtime() else {
        return ExitCode::FAILURE;
    };
    match runtime.block_on(drain::run(settings)) {
        Ok(stopped) => {
            println!("No session is running any more ({stopped} stopped), and no workload bears a record of tlsdebug.");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("tlsdebug drain: {error}");
            ExitCode::FAILURE
        }
    }
}
