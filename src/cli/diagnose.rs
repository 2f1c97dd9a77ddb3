//! `tlsdebug diagnose`: the answer from log files, without a cluster.

use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::clues::Clues;
use super::compressed;
use super::sources::{self, Source, name, unreadable};
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
    /// Log files, plain or compressed with gzip or Zstandard; of a folder all files in it; `-` reads standard input.
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
        match self.output {
            Output::Text => {
                let coloured = out.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
                let style = if coloured { Style::Coloured } else { Style::Plain };
                out.write_all(render::text_of_part(report, missing, style).as_bytes())?;
            }
            Output::Json => writeln!(out, "{}", render::json(report)?)?,
            Output::Html => out.write_all(render::html(report, journal).as_bytes())?,
        }
        out.flush()
    }

    /// Reads one file as a stream.
    fn diagnose(&self, file: &Path) -> io::Result<Content> {
        let mut input = if file == Path::new("-") {
            compressed::open(io::stdin().lock())?
        } else {
            compressed::open(File::open(file)?)?
        };
        let mut content = Content {
            diagnoser: match self.output {
                Output::Html => Diagnoser::with_journal(name(file)),
                Output::Text | Output::Json => Diagnoser::new(name(file)),
            },
            clues: Clues::default(),
            cut: None,
        };
        let mut chunk = vec![0; CHUNK];
        loop {
            match input.content.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => {
                    content.clues.look(&chunk[..read]);
                    content.diagnoser.feed(&chunk[..read]);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if input.compressed && content.clues.bytes > 0 => {
                    content.cut = Some(error);
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        content.diagnoser.finish();
        Ok(content)
    }
}

/// What was read of one file.
struct Content {
    diagnoser: Diagnoser,
    clues: Clues,
    /// Its compressed content is cut off or damaged.
    cut: Option<io::Error>,
}

/// What a file is good for.
enum Judgement {
    Log,
    /// One of a folder without TLS debug output: most files of a folder have nothing to do with it.
    Silent,
    Unusable(String),
}

/// What is to be said of a file that was read.
struct Note {
    text: String,
    /// Something of the file is missing.
    cuts: bool,
}

impl Content {
    fn judge(&self, source: &Source) -> Judgement {
        let name = name(&source.path);
        if self.diagnoser.debug_records() > 0 {
            Judgement::Log
        } else if source.folder.is_some() {
            Judgement::Silent
        } else if self.clues.bytes == 0 {
            Judgement::Unusable(format!("{name} is empty"))
        } else if self.clues.is_binary {
            Judgement::Unusable(format!("{name} is not a log: it holds binary data"))
        } else {
            Judgement::Log
        }
    }

    fn note(&self, file: &Path) -> Option<Note> {
        let name = name(file);
        if let Some(error) = &self.cut {
            let text = format!(
                "{name} is cut off or damaged: read were the first {} bytes of its content ({error})",
                self.clues.bytes
            );
            return Some(Note { text, cuts: true });
        }
        let exception = self.clues.exception.as_ref()?;
        (self.diagnoser.debug_records() == 0).then(|| Note {
            text: format!("{name}: it holds {exception}. {WAY_OUT}"),
            cuts: false,
        })
    }
}

const WAY_OUT: &str = "Why a handshake fails is in the debug output only: start that JVM with \
    -Djavax.net.debug=ssl,handshake (in Kubernetes a TLSDebugSession does it for some minutes), let it fail again, and \
    diagnose what it prints then";

/// Files of folders that hold no TLS debug output.
#[derive(Default)]
struct Silent {
    files: Vec<String>,
    /// The first of them that holds a TLS exception.
    exception: Option<String>,
}

impl Silent {
    fn add(&mut self, source: &Source, clues: &Clues) {
        let name = name(&source.path);
        if let (None, Some(exception)) = (&self.exception, &clues.exception) {
            self.exception = Some(format!("{name} holds {exception}"));
        }
        self.files.push(name);
    }

    /// One note on all of them; `all` files were looked at.
    fn note(&self, all: usize) -> Option<String> {
        const NAMED: usize = 3;
        let count = self.files.len();
        let mut names = self.files.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
        if count > NAMED {
            names.push_str(", …");
        }
        let way_out = self
            .exception
            .as_ref()
            .map_or(String::new(), |exception| format!("; {exception}. {WAY_OUT}"));
        let plural = if count == 1 { "holds" } else { "hold" };
        (count > 0).then(|| format!("{count} of {all} files {plural} no TLS debug output: {names}{way_out}"))
    }
}
