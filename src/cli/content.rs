//! What is read of one input, and what that input is good for.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::Path;

use super::clues::Clues;
use super::compressed::{self, PAGE};
use super::progress::Progress;
use super::sources::{Source, name};
use crate::diagnosis::Diagnoser;

/// Bytes read at once.
const CHUNK: usize = 256 * 1024;

/// What was read of one file.
pub(super) struct Content {
    /// What its lines say.
    pub(super) diagnoser: Diagnoser,
    /// What it is where they say nothing.
    pub(super) clues: Clues,
    /// Its compressed content is cut off or damaged.
    cut: Option<io::Error>,
}

/// What a file is good for.
pub(super) enum Judgement {
    /// To be diagnosed.
    Log,
    /// One of a folder without TLS debug output: most files of a folder have nothing to do with it.
    Silent,
    /// Why.
    Unusable(String),
}

/// What is to be said of a file that was read.
pub(super) struct Note {
    /// For the report's warnings.
    pub(super) text: String,
    /// Something of the file is missing.
    pub(super) cuts: bool,
}

impl Content {
    /// Nothing is read yet.
    pub(super) fn new(diagnoser: Diagnoser) -> Self {
        Self {
            diagnoser,
            clues: Clues::default(),
            cut: None,
        }
    }

    /// Takes the next bytes.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.clues.count(bytes);
        if self.diagnoser.debug_records() == 0 {
            self.clues.look(bytes);
        }
        self.diagnoser.feed(bytes);
    }

    /// Takes why no more can be read. What cannot be read of compressed content takes nothing back that was read before.
    pub(super) fn break_off(&mut self, error: io::Error, compressed: bool) -> io::Result<()> {
        if compressed && self.clues.bytes > 0 {
            self.cut = Some(error);
            return Ok(());
        }
        Err(error)
    }

    /// Reads a file to its end, with a bar on a terminal where that takes long.
    pub(super) fn read(&mut self, file: &Path) -> io::Result<()> {
        let opened = File::open(file)?;
        let size = opened.metadata().ok().map(|metadata| metadata.len());
        let mut input = compressed::open(opened)?;
        let mut progress = Progress::of(size.filter(|_| !input.compressed));
        // The kernel copies a page fastest to the beginning of another.
        let mut pages = vec![0; CHUNK + PAGE];
        let aligned = pages.as_ptr().align_offset(PAGE).min(PAGE);
        let chunk = &mut pages[aligned..][..CHUNK];
        loop {
            match input.content.read(chunk) {
                Ok(0) => return Ok(()),
                Ok(read) => {
                    self.take(&chunk[..read]);
                    progress.at(self.clues.bytes, || self.diagnoser.report().handshakes.failed);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return self.break_off(error, input.compressed),
            }
        }
    }

    /// Tells what the file is good for.
    pub(super) fn judge(&self, source: &Source) -> Judgement {
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

    /// What is to be said of it beside the report.
    pub(super) fn note(&self, file: &Path) -> Option<Note> {
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
pub(super) struct Silent {
    /// Their names.
    pub(super) files: Vec<String>,
    /// The first of them that holds a TLS exception.
    exception: Option<String>,
}

impl Silent {
    /// Adds a file.
    pub(super) fn add(&mut self, source: &Source, clues: &Clues) {
        let name = name(&source.path);
        if let (None, Some(exception)) = (&self.exception, &clues.exception) {
            self.exception = Some(format!("{name} holds {exception}"));
        }
        self.files.push(name);
    }

    /// One note on all of them; `all` files were looked at.
    pub(super) fn note(&self, all: usize) -> Option<String> {
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
