//! Whose Finished is printed next: that of a thread which has changed its cipher.

use std::collections::VecDeque;

use super::KEPT_THREADS;

/// What the lines about records tell of the Finished messages that follow.
#[derive(Debug, Default)]
pub(super) struct Finishing {
    /// Threads whose peer has changed its cipher.
    changed: VecDeque<String>,
    /// Threads whose Finished has not been printed yet, and whether it is this end's own.
    expected: VecDeque<(String, bool)>,
}

impl Finishing {
    /// A record was read; answers whether it is a Finished.
    pub(super) fn read(&mut self, thread: &str, record: &str) -> bool {
        if record.contains("Change Cipher Spec") {
            keep(&mut self.changed, thread.to_owned());
        } else if record.contains("Application Data") {
            self.forget(thread);
        } else if record.contains("Handshake")
            && let Some(at) = self.changed.iter().position(|known| known == thread)
        {
            self.changed.remove(at);
            keep(&mut self.expected, (thread.to_owned(), false));
            return true;
        }
        false
    }

    /// A record was written.
    pub(super) fn written(&mut self, thread: &str, record: &str) {
        if record.contains("Change Cipher Spec") {
            keep(&mut self.expected, (thread.to_owned(), true));
        } else if record.contains("Application Data") {
            self.forget(thread);
        }
    }

    /// A Finished begins; answers with its thread and whether it is this end's own.
    pub(super) fn next(&mut self) -> Option<(String, bool)> {
        self.expected.pop_front()
    }

    /// The thread is past its handshake: a Finished that was expected of it is missing in the log.
    fn forget(&mut self, thread: &str) {
        self.changed.retain(|known| known != thread);
        self.expected.retain(|(known, _)| known != thread);
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
        assert!(!finishing.read("a", "TLSv1.2 Handshake, length = 70"));
        assert!(!finishing.read("a", "TLSv1.2 Change Cipher Spec, length = 1"));
        finishing.written("b", "TLSv1.2 Change Cipher Spec, length = 1");
        assert!(finishing.read("a", "TLSv1.2 Handshake, length = 96"));
        assert_eq!(finishing.next(), Some(("b".to_owned(), true)));
        assert_eq!(finishing.next(), Some(("a".to_owned(), false)));
        assert_eq!(finishing.next(), None);
    }

    #[test]
    fn one_that_is_missing_is_not_expected_for_ever() {
        let mut finishing = Finishing::default();
        finishing.written("a", "TLSv1.2 Change Cipher Spec, length = 1");
        finishing.written("a", "TLSv1.2 Application Data, length = 80");
        assert_eq!(finishing.next(), None);
    }
}
