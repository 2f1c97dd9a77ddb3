//! The `expand` form of the modern layout: one field a line, between braces of their own.

use std::ops::Range;

use memchr::{memchr, memmem};

use super::Origin;
use super::certificate::quoted;

/// What a line of the form means to the reader.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The line is not of this form.
    Other,
    /// A field was taken.
    Taken,
    /// The message has come: a record begins.
    Message(String),
    /// The payload begins.
    Opens,
}

/// The fields of the record that is being read.
#[derive(Debug, Clone, Default)]
pub(super) struct Expand {
    open: Option<Fields>,
}

#[derive(Debug, Clone, Default)]
struct Fields {
    line: u64,
    thread_id: String,
    thread: String,
    time: String,
}

impl Expand {
    /// Whether a header is being read.
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Takes a line outside a payload.
    pub(super) fn line(&mut self, line: &[u8], number: u64) -> Step {
        let Some(rest) = line.strip_prefix(b"  \"") else {
            return Step::Other;
        };
        if rest.starts_with(b"logger\"") && memmem::find(rest, b"\"javax.net.ssl\"").is_some() {
            self.open = Some(Fields {
                line: number,
                ..Fields::default()
            });
            return Step::Taken;
        }
        let Some(fields) = &mut self.open else {
            return Step::Other;
        };
        let Some(end) = memchr(b'"', rest) else {
            return Step::Other;
        };
        let value = quoted(&rest[end + 1..]);
        match &rest[..end] {
            b"thread id" => fields.thread_id = value.into_owned(),
            b"thread name" => fields.thread = value.into_owned(),
            b"time" => fields.time = value.into_owned(),
            b"level" | b"caller" => {}
            b"message" => return Step::Message(value.into_owned()),
            b"specifics" => return Step::Opens,
            _ => return Step::Other,
        }
        Step::Taken
    }

    /// The header's fields; the next record starts anew.
    pub(super) fn take(&mut self) -> Origin {
        let Fields {
            line,
            thread_id,
            thread,
            time,
        } = self.open.take().unwrap_or_default();
        Origin::of(line, thread_id.as_bytes(), thread.as_bytes(), time.as_bytes())
    }
}

/// How a quote is written: in a cell of comma-separated values, in a string with escapes, and by the JVM.
const QUOTES: [&[u8]; 3] = [b"\"\"", b"\\\"", b"\""];

/// Where in a line the first field of a record begins, `  "logger"      : "javax.net.ssl",`, whose value is at this place.
pub(super) fn start(line: &[u8], value: Range<usize>) -> Option<usize> {
    let quote = QUOTES.into_iter().find(|quote| line[value.end..].starts_with(quote))?;
    let name = line[..value.start]
        .strip_suffix(quote)?
        .trim_ascii_end()
        .strip_suffix(b":")?;
    let quoted = name.trim_ascii_end().strip_suffix(quote)?.strip_suffix(b"logger")?;
    let field = quoted.strip_suffix(quote)?.strip_suffix(b"  ")?;
    Some(field.len())
}
