//! Standard input that is still being written: what is found is told as soon as the stream is quiet.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, Read as _};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::compressed;
use super::content::Content;
use crate::diagnosis::Diagnoser;
use crate::diagnosis::report::{Certainty, Report};

/// Bytes read at once: what a pipe holds.
const CHUNK: usize = 64 * 1024;
/// Chunks that wait to be diagnosed.
const WAITING: usize = 4;
/// Nothing has come for so long: what has been found is told. A file that is piped in ends before.
const QUIET: Duration = Duration::from_millis(250);
/// A stream that is never quiet is told about after so long.
const BUSY: Duration = Duration::from_secs(5);

/// What comes from the thread that reads.
enum Message {
    Chunk(Vec<u8>),
    Failed {
        error: io::Error,
        compressed: bool,
    },
    /// The user wants the report now.
    Interrupted,
}

/// Reads standard input to its end, or to the first interrupt, after which the report is still given.
///
/// `announce` is called while more may come.
pub(super) fn read(content: &mut Content, mut announce: impl FnMut(&Diagnoser)) -> io::Result<()> {
    let (send, messages) = sync_channel(WAITING);
    let (give_back, empty) = channel();
    let interrupts = send.clone();
    thread::spawn(move || wait_for_interrupt(&interrupts));
    thread::spawn(move || pump(&send, &empty));
    let mut told = (content.diagnoser.revision(), Instant::now());
    loop {
        let changed = content.diagnoser.revision() != told.0;
        let message = if changed {
            messages.recv_timeout(QUIET)
        } else {
            messages.recv().map_err(RecvTimeoutError::from)
        };
        let quiet = matches!(message, Err(RecvTimeoutError::Timeout));
        if quiet || (changed && told.1.elapsed() > BUSY) {
            announce(&content.diagnoser);
            told = (content.diagnoser.revision(), Instant::now());
        }
        match message {
            Ok(Message::Chunk(chunk)) if !chunk.is_empty() => {
                content.take(&chunk);
                // Nobody takes it back once the input has ended.
                let _ = give_back.send(chunk);
            }
            Ok(Message::Failed { error, compressed }) => return content.break_off(error, compressed),
            Err(RecvTimeoutError::Timeout) => {}
            // An empty chunk is the end.
            Ok(Message::Chunk(_) | Message::Interrupted) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
}

/// Reads standard input into chunks, those that were given back first.
fn pump(send: &SyncSender<Message>, empty: &Receiver<Vec<u8>>) {
    let mut input = match compressed::open(io::stdin()) {
        Ok(input) => input,
        Err(error) => {
            let _ = send.send(Message::Failed {
                error,
                compressed: false,
            });
            return;
        }
    };
    loop {
        let mut chunk = empty.try_recv().unwrap_or_default();
        chunk.resize(CHUNK, 0);
        let message = match input.content.read(&mut chunk) {
            Ok(length) => {
                chunk.truncate(length);
                Message::Chunk(chunk)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => Message::Failed {
                error,
                compressed: input.compressed,
            },
        };
        let ended = !matches!(&message, Message::Chunk(chunk) if !chunk.is_empty());
        if send.send(message).is_err() || ended {
            return;
        }
    }
}

/// An interrupt asks for the report; it stops `kubectl logs -f` before the pipe too.
fn wait_for_interrupt(send: &SyncSender<Message>) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return;
    };
    if runtime.block_on(tokio::signal::ctrl_c()).is_ok() {
        let _ = send.send(Message::Interrupted);
    }
}

/// Tells each finding once, a line each.
#[derive(Debug, Default)]
pub(super) struct Announcer {
    told: Vec<String>,
}

impl Announcer {
    /// The lines for what is new in a report.
    pub(super) fn news(&mut self, report: &Report) -> String {
        let mut news = String::new();
        for finding in &report.findings {
            let certainty = match finding.certainty {
                Certainty::Proven => "proven",
                Certainty::Likely => "likely",
                Certainty::Possible => "possible",
            };
            let what = format!("{} ({certainty}): {}", finding.cause, finding.summary);
            if self.told.contains(&what) {
                continue;
            }
            let line = finding.evidence.last().map_or(0, |evidence| evidence.line);
            let _ = writeln!(news, "tlsdebug: line {line}: {what}");
            self.told.push(what);
        }
        news
    }
}
