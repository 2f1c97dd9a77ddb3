//! `tlsdebug diagnose`: the answer from log files, without a cluster.

use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::content::{Content, Judgement, Silent};
use super::live::{self, Announcer};
use super::output::{self, Output};
use super::sources::{self, name, unreadable};
use crate::diagnosis::report::{Report, Verdict};
use crate::diagnosis::{Diagnoser, Journal};

/// Arguments of `tlsdebug diagnose`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 all handshakes succeeded, 1 failures found, 2 nothing to say, or unreadable input."
)]
pub(super) struct Diagnose {
    /// Form of the report.
    #[arg(long, short, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// Log files, plain or compressed with gzip or Zstandard; of a folder all files in it; `-` reads standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Diagnose {
    /// Reads the files and prints one report on all of them.
    pub(super) fn run(self) -> ExitCode {
        let (sources, mut problems) = sources::expand(&self.files);
        let mut read = Vec::new();
        let mut notes = Vec::new();
        let mut silent = Silent::default();
        for source in &sources {
            match self.diagnose(&source.path) {
                Ok(content) => match content.judge(source) {
                    Judgement::Log => {
                        notes.extend(content.note(&source.path));
                        read.push(content.diagnoser);
                    }
                    Judgement::Silent => silent.add(source, &content.clues),
                    Judgement::Unusable(problem) => problems.push(problem),
                },
                Err(error) => problems.push(unreadable(&source.path, &error)),
            }
        }
        if read.is_empty() && silent.files.is_empty() {
            for problem in problems {
                eprintln!("tlsdebug: {problem}");
            }
            return ExitCode::from(2);
        }
        let complete = problems.is_empty() && notes.iter().all(|note| !note.cuts);
        let missing = match problems.len() {
            0 => String::new(),
            count => format!("{count} of {} could not be read", sources.len().max(count)),
        };
        let (mut report, journal) = match self.output {
            Output::Html => Diagnoser::join_with_journal(&read),
            Output::Text | Output::Json => (Diagnoser::join(&read), Journal::default()),
        };
        report.warnings.extend(notes.into_iter().map(|note| note.text));
        report.warnings.extend(silent.note(sources.len()));
        report.warnings.extend(problems);
        if let Err(error) = self.print(&report, &journal, &missing)
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

    fn print(&self, report: &Report, journal: &Journal, missing: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        output::print(&mut out, self.output, report, journal, missing)?;
        out.flush()
    }

    /// Reads one file, or standard input, about which is told while more may come.
    fn diagnose(&self, file: &Path) -> io::Result<Content> {
        let mut content = Content::new(match self.output {
            Output::Html => Diagnoser::with_journal(name(file)),
            Output::Text | Output::Json => Diagnoser::new(name(file)),
        });
        if file == Path::new("-") {
            let mut announcer = Announcer::default();
            live::read(&mut content, |diagnoser| {
                if self.output == Output::Text {
                    // Standard output holds the report alone.
                    let _ = io::stderr().write_all(announcer.news(&diagnoser.report()).as_bytes());
                }
            })?;
        } else {
            content.read(file)?;
        }
        content.diagnoser.finish();
        Ok(content)
    }
}
