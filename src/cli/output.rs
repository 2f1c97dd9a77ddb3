//! The forms in which a report is printed.

use std::io::{self, IsTerminal as _, Write};

use clap::ValueEnum;

use crate::diagnosis::Journal;
use crate::diagnosis::report::Report;
use crate::render::{self, Style};

/// Form of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// For eyes.
    Text,
    /// For programs.
    Json,
    /// One page for a browser, with every handshake.
    Html,
}

/// Writes a report. `missing` says in some words what of the input could not be read.
pub(super) fn print(
    out: &mut impl Write,
    form: Output,
    report: &Report,
    journal: &Journal,
    missing: &str,
) -> io::Result<()> {
    match form {
        Output::Text => out.write_all(render::text_of_part(report, missing, style()).as_bytes()),
        Output::Json => writeln!(out, "{}", render::json(report)?),
        Output::Html => out.write_all(render::html(report, journal).as_bytes()),
    }
}

/// Prints a line. See [`write`].
#[cfg(feature = "plugin")]
pub(super) fn say(line: impl std::fmt::Display) {
    write(format_args!("{line}\n"));
}

/// Prints a text as it is. Whoever closes a pipe has read enough; another fault is said on standard error.
#[cfg(feature = "plugin")]
pub(super) fn write(text: impl std::fmt::Display) {
    let mut out = io::stdout().lock();
    match write!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            warn(format_args!(
                "{}: cannot write to standard output: {error}",
                super::program()
            ));
        }
        _ => {}
    }
}

/// Prints a line on standard error, where anybody reads that.
#[cfg(feature = "plugin")]
pub(super) fn warn(line: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Coloured on a terminal, unless the user wants none.
fn style() -> Style {
    let is_coloured = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if is_coloured { Style::Coloured } else { Style::Plain }
}
