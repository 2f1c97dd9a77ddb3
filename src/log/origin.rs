//! Where and when a record was printed.

use super::text::text as lossy;

/// A thread's name or id, or a time, is cut here, in bytes.
const FIELD_LIMIT: usize = 128;

/// Where and when an event was printed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// Line number of the record's header, from 1.
    pub line: u64,
    /// The thread's id, its name, and the time: one string, as every record has its own.
    fields: String,
    /// Where in it the thread's name begins.
    thread: usize,
    /// Where in it the time begins.
    time: usize,
}

impl Origin {
    /// Of a record whose thread and time are not known, or not of interest.
    pub(super) fn new(line: u64) -> Self {
        Self {
            line,
            ..Self::default()
        }
    }

    /// Of a record whose header names these; what is empty is not known.
    pub(super) fn of(line: u64, thread_id: &[u8], thread: &[u8], time: &[u8]) -> Self {
        let mut origin = Self {
            line,
            fields: String::with_capacity(thread_id.len() + thread.len() + time.len()),
            ..Self::default()
        };
        origin.push(thread_id);
        origin.thread = origin.fields.len();
        origin.push(thread);
        origin.time = origin.fields.len();
        origin.push(time);
        origin
    }

    /// Of a line that names nothing but its thread.
    pub(super) fn on_thread(line: u64, thread: &str) -> Self {
        Self {
            line,
            fields: thread.to_owned(),
            thread: 0,
            time: thread.len(),
        }
    }

    fn push(&mut self, field: &[u8]) {
        self.fields.push_str(&lossy(field.get(..FIELD_LIMIT).unwrap_or(field)));
    }

    /// The thread's id, opaque: 17 and later swap the digits of every byte (`sun.security.ssl.SSLLogger`). Legacy layouts print
    /// none.
    #[must_use]
    pub fn thread_id(&self) -> &str {
        &self.fields[..self.thread]
    }

    /// The thread's name; empty for virtual threads and where a layout does not print it.
    #[must_use]
    pub fn thread(&self) -> &str {
        &self.fields[self.thread..self.time]
    }

    /// The time as printed; legacy layouts have none.
    #[must_use]
    pub fn time(&self) -> Option<&str> {
        let time = &self.fields[self.time..];
        (!time.is_empty()).then_some(time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_header_names() {
        let origin = Origin::of(7, b"0A", "wörker|1".as_bytes(), b"2026-11-23 14:54:54.556 GMT");
        assert_eq!(
            (origin.line, origin.thread_id(), origin.thread()),
            (7, "0A", "wörker|1")
        );
        assert_eq!(origin.time(), Some("2026-11-23 14:54:54.556 GMT"));
        let origin = Origin::on_thread(1, "main");
        assert_eq!((origin.thread_id(), origin.thread(), origin.time()), ("", "main", None));
        let origin = Origin::of(1, b"\xff", "é".repeat(FIELD_LIMIT).as_bytes(), b"");
        assert_eq!((origin.thread_id(), origin.time()), ("\u{fffd}", None));
        assert_eq!(origin.thread(), "é".repeat(FIELD_LIMIT / 2));
    }
}
