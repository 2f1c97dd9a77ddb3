//! Whose Finished is printed next: that of a thread which has changed its cipher.

use std::collections::VecDeque;

use super::KEPT_THREADS;

/// A Finished that has not been printed after so many lines is missing in the log.
const PATIENCE: u64 = 400;

/// What the lines about records tell of the Finished messages that follow.
#[derive(Debug, Clone, Default)]
pub(super) struct Finishing {
    /// Threads whose peer has changed its cipher.
    changed: VecDeque<String>,
    expected: VecDeque<Expected>,
}

/// A Finished that has not been printed yet.
#[derive(Debug, Clone)]
struct Expected {
    thread: String,
    own: bool,
    /// Line of its record.
    since: u64,
}

impl Finishing {
    /// A record was read; answers whether it is a Finished.
    pub(super) fn read(&mut self, thread: &str, record: &str, number: u64) -> bool {
        if record.contains("Change Cipher Spec") {
            keep(&mut self.changed, thread.to_owned());
        } else if record.contains("Handshake")
            && let Some(at) = self.changed.iter().position(|known| known == thread)
        {
            self.changed.remove(at);
            self.expect(thread, false, number);
            return true;
        }
        false
    }

    /// A record was written.
    pub(super) fn written(&mut self, thread: &str, record: &str, number: u64) {
        if record.contains("Change Cipher Spec") {
            self.expect(thread, true, number);
        }
    }

    /// A Finished begins; answers with its thread and whether it is this end's own.
    pub(super) fn next(&mut self, number: u64) -> Option<(String, bool)> {
        while let Some(Expected { thread, own, since }) = self.expected.pop_front() {
            if number - since <= PATIENCE {
                return Some((thread, own));
            }
        }
        None
    }

    fn expect(&mut self, thread: &str, own: bool, since: u64) {
        let thread = thread.to_owned();
        keep(&mut self.expected, Expected { thread, own, since });
    }
}

fn keep<T>(kept: &mut VecDeque<T>, one: T) {
    if kept.len() == KEPT_THREADS {
        kept.pop_front();
    }
    kept.push_back(one);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finished_follows_a_change_of_the_cipher() {
        let mut finishing = Finishing::default();
        assert!(!finishing.read("a", "TLSv1.2 Handshake, length = 70", 1));
        assert!(!finishing.read("a", "TLSv1.2 Change Cipher Spec, length = 1", 2));
        finishing.written("b", "TLSv1.2 Change Cipher Spec, length = 1", 3);
        assert!(finishing.read("a", "TLSv1.2 Handshake, length = 96", 4));
        assert_eq!(finishing.next(5), Some(("b".to_owned(), true)));
        assert_eq!(finishing.next(6), Some(("a".to_owned(), false)));
        assert_eq!(finishing.next(7), None);
    }

    #[test]
    fn one_that_is_missing_is_not_expected_for_ever() {
        let mut finishing = Finishing::default();
        finishing.written("a", "TLSv1.2 Change Cipher Spec, length = 1", 1);
        assert_eq!(finishing.next(2 + PATIENCE), None);
    }
}
