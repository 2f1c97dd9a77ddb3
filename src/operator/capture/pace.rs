//! Whether a log is written faster than it can be read.

use jiff::{SignedDuration, Timestamp};

/// By how much reading may fall back while a stream lasts. The kubelet looks every 10 s whether a log is to be rotated, and whoever
/// follows it reads the file at hand to its end and then the newest: what was in those between is missing, without a mark.
const FALLS_BACK: SignedDuration = SignedDuration::from_secs(30);

/// Compares how old the lines are when they are read. The clocks of the node and of the operator may differ.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    /// How old the first lines of the stream were: it may begin long ago.
    at_first: Option<SignedDuration>,
    fell_behind: bool,
}

impl Pace {
    /// Another stream begins.
    pub fn begin(&mut self) {
        self.at_first = None;
    }

    /// A line of this time was read now.
    pub fn note(&mut self, line: Timestamp, now: Timestamp) {
        let age = now.duration_since(line);
        let at_first = *self.at_first.get_or_insert(age);
        self.fell_behind |= age > at_first + FALLS_BACK;
    }

    /// Whether reading has ever fallen so far behind that a rotation may have taken lines.
    #[must_use]
    pub const fn fell_behind(&self) -> bool {
        self.fell_behind
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).expect("a time")
    }

    #[test]
    fn lines_that_come_ever_later_fall_behind() {
        let mut pace = Pace::default();
        for second in 0..100 {
            // A second of the log takes two to read.
            pace.note(at(second), at(2 * second));
            assert_eq!(pace.fell_behind(), second > 30, "after {second} s of the log");
        }
        pace.begin();
        assert!(pace.fell_behind(), "what is missing stays so");
    }

    #[test]
    fn neither_old_logs_nor_silence_nor_another_clock_falls_behind() {
        let mut pace = Pace::default();
        // An hour is caught up with, with a clock that is five minutes ahead.
        pace.note(at(0), at(3600 + 300));
        pace.note(at(3500), at(3610 + 300));
        pace.note(at(3620), at(3620 + 300));
        // After a long silence.
        pace.note(at(7000), at(7000 + 300));
        assert!(!pace.fell_behind());
    }
}
