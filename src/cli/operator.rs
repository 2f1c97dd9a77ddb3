//! `tlsdebug operator`.

use std::process::ExitCode;

use tokio::runtime::{Builder, Runtime};
use tracing::Level;

use crate::operator::settings::LogFormat;
use crate::operator::{self, Settings};

/// Runs the operator until SIGTERM or SIGINT.
#[must_use]
pub fn run(settings: Settings) -> ExitCode {
    start_log(settings.log_level, settings.log_format);
    let Some(runtime) = runtime() else {
        return ExitCode::FAILURE;
    };
    match runtime.block_on(operator::run(settings)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "cannot go on");
            ExitCode::FAILURE
        }
    }
}

/// From now on the program's own log goes to standard error.
pub(super) fn start_log(level: Level, format: LogFormat) {
    let log = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => log.with_ansi(false).init(),
        LogFormat::Json => log.json().init(),
    }
}

/// What all work is done on; without it, the log says why there is none.
pub(super) fn runtime() -> Option<Runtime> {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.map_err(|error| tracing::error!(%error, "cannot start")).ok()
}
