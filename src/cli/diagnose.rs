//! `tlsdebug diagnose`: the answer from log files, without a cluster.

use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal as _, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::compressed;
use super::live::{self, Announcer};
use super::progress::Progress;
use crate::diagnosis::report::{Report, Verdict};
use crate::diagnosis::{Diagnoser, Journal};
use crate::render::{self, Style};

/// Bytes read at once.
const CHUNK: usize = 256 * 1024;

/// Arguments of `tlsdebug diagnose`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 all handshakes succeeded, 1 failures found, 2 nothing to say, or unreadable input."
)]
pub(super) struct Diagnose {
    /// Form of the report.
    #[arg(long, short, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// Log files, plain or compressed with gzip or Zstandard; `-` reads standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Form of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For eyes.
    Text,
    /// For programs.
    Json,
    /// One page for a browser, with every handshake.
    Html,
}

impl Diagnose {
    /// Reads the files and prints one report on all of them.
    pub(super) fn run(self) -> ExitCode {
        let mut read = Vec::new();
        let mut unread = Vec::new();
        for file in &self.files {
            match self.diagnose(file) {
                Ok((diagnoser, cut)) => {
                    read.push(diagnoser);
                    unread.extend(cut);
                }
                Err(error) => unread.push(format!("cannot read {}: {}", name(file), reason(file, &error))),
            }
        }
        if read.is_empty() {
            for error in unread {
                eprintln!("tlsdebug: {error}");
            }
            return ExitCode::from(2);
        }
        let complete = unread.is_empty();
        let (mut report, journal) = match self.output {
            Output::Html => Diagnoser::join_with_journal(&read),
            Output::Text | Output::Json => (Diagnoser::join(&read), Journal::default()),
        };
        report.warnings.extend(unread);
        if let Err(error) = self.print(&report, &journal)
            && error.kind() != ErrorKind::BrokenPipe
        {
            eprintln!("tlsdebug: cannot write the report: {error}");
            return ExitCode::from(2);
        }
        match report.verdict {
            Verdict::FailuresFound => ExitCode::from(1),
            Verdict::AllSucceeded if complete => ExitCode::SUCCESS,
            _ => ExitCode::from(2),
        }
    }

    fn print(&self, report: &Report, journal: &Journal) -> io::Result<()> {
        let mut out = io::stdout().lock();
        match self.output {
            Output::Text => {
                let coloured = out.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
                out.write_all(render::text(report, if coloured { Style::Coloured } else { Style::Plain }).as_bytes())?;
            }
            Output::Json => writeln!(out, "{}", render::json(report)?)?,
            Output::Html => out.write_all(render::html(report, journal).as_bytes())?,
        }
        out.flush()
    }

    /// Reads one file as a stream; answers with a warning too if its compressed content is cut off or broken.
    fn diagnose(&self, file: &Path) -> io::Result<(Diagnoser, Option<String>)> {
        let mut diagnoser = match self.output {
            Output::Html => Diagnoser::with_journal(name(file)),
            Output::Text | Output::Json => Diagnoser::new(name(file)),
        };
        let cut = if file == Path::new("-") {
            self.follow(&mut diagnoser)?
        } else {
            read(file, &mut diagnoser)?
        };
        diagnoser.finish();
        Ok((diagnoser, cut))
    }

    /// Reads standard input, and tells what is found while more is to come.
    fn follow(&self, diagnoser: &mut Diagnoser) -> io::Result<Option<String>> {
        let mut announcer = Announcer::default();
        let cut = live::read(diagnoser, |diagnoser| {
            if self.output == Output::Text {
                // Standard output holds the report alone.
                let _ = io::stderr().write_all(announcer.news(&diagnoser.report()).as_bytes());
            }
        })?;
        Ok(cut.map(|cut| cut_off(Path::new("-"), cut.length, &cut.error)))
    }
}

/// Reads a file to its end; answers with a warning if that could not be reached.
fn read(file: &Path, diagnoser: &mut Diagnoser) -> io::Result<Option<String>> {
    let opened = File::open(file)?;
    let size = opened.metadata().ok().map(|metadata| metadata.len());
    let mut input = compressed::open(opened)?;
    let mut progress = Progress::of(size.filter(|_| !input.compressed));
    let mut chunk = vec![0; CHUNK];
    let mut length: u64 = 0;
    loop {
        match input.content.read(&mut chunk) {
            Ok(0) => return Ok(None),
            Ok(read) => {
                diagnoser.feed(&chunk[..read]);
                length += read as u64;
                progress.at(length, || diagnoser.report().handshakes.failed);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if input.compressed && length > 0 => return Ok(Some(cut_off(file, length, &error))),
            Err(error) => return Err(error),
        }
    }
}

/// What cannot be read of compressed content takes nothing back that was read before.
fn cut_off(file: &Path, length: u64, error: &io::Error) -> String {
    format!(
        "{} is cut off or damaged: read were the first {length} bytes of its content ({error})",
        name(file)
    )
}

/// A file as messages and evidence name it.
fn name(file: &Path) -> String {
    if file == Path::new("-") {
        "standard input".to_owned()
    } else {
        file.display().to_string()
    }
}

/// Why a file cannot be read, and the way out where there is one.
fn reason(file: &Path, error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "there is no such file; give the path of a log, or - for standard input".to_owned(),
        ErrorKind::PermissionDenied => {
            "no permission; run as a user who may read it, or pipe it in and give -".to_owned()
        }
        ErrorKind::IsADirectory => format!(
            "it is a directory; name the log files in it, for example {}/*.log",
            file.display()
        ),
        _ => error.to_string(),
    }
}
