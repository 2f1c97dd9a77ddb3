//! Lines of a followed log: cutting them, taking their timestamps off, and knowing those that were read before.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::{SignedDuration, Timestamp};

/// How many of the last lines are remembered to recognise them after a break: with 24 bytes each, 192 KiB at most.
const REMEMBERED: usize = 8192;
/// A line is handed on in pieces beyond this length, so that a log without line ends does not fill the memory.
const LONGEST: usize = 1024 * 1024;

/// Cuts a byte stream into lines.
#[derive(Debug, Default)]
pub struct Cutter {
    pending: Vec<u8>,
}

impl Cutter {
    /// Hands every complete line on, without its line end.
    pub fn feed(&mut self, mut bytes: &[u8], mut line: impl FnMut(&[u8])) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            if self.pending.is_empty() {
                line(&bytes[..end]);
            } else {
                self.pending.extend_from_slice(&bytes[..end]);
                line(&self.pending);
                self.pending.clear();
            }
            bytes = &bytes[end + 1..];
        }
        self.pending.extend_from_slice(bytes);
        if self.pending.len() > LONGEST {
            line(&self.pending);
            self.pending.clear();
        }
    }

    /// Hands an unfinished last line on: nothing more will come.
    pub fn finish(&mut self, mut line: impl FnMut(&[u8])) {
        if !self.pending.is_empty() {
            line(&self.pending);
            self.pending.clear();
        }
    }

    /// Forgets an incomplete line: after a break it is read again from its start.
    pub fn reset(&mut self) {
        self.pending.clear();
    }
}

/// Takes the kubelet's timestamp off a line. `None`: the line has none.
#[must_use]
pub fn split_timestamp(line: &[u8]) -> Option<(Timestamp, &[u8])> {
    let blank = memchr::memchr(b' ', line.get(..40.min(line.len()))?)?;
    let timestamp = std::str::from_utf8(&line[..blank]).ok()?.parse().ok()?;
    Some((timestamp, &line[blank + 1..]))
}

/// Remembers the last lines, so that after a break reading can begin earlier and skip what was read before.
///
/// Standard output and standard error are stamped independently, so times can step back by over a second: reading begins
/// again one whole second before the last timestamp cut down to its second.
#[derive(Debug, Default)]
pub struct Memory {
    last: Option<Timestamp>,
    ring: VecDeque<(Timestamp, u64)>,
    overlap: Option<Overlap>,
}

#[derive(Debug)]
struct Overlap {
    /// How often each remembered line was read.
    seen: HashMap<(Timestamp, u64), u32>,
    /// Earlier lines are no longer remembered, but were read: reading goes forward.
    forgotten_before: Option<Timestamp>,
    until: Timestamp,
    matched: bool,
}

/// What to do with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// It was read before.
    Known,
    /// It is new.
    New,
    /// It is new, and lines between it and what was read before are missing.
    NewAfterGap,
}

impl Memory {
    /// Call before reading again after a break: where to begin, or `None` at the start of the log.
    pub fn resume(&mut self) -> Option<Timestamp> {
        let last = self.last?;
        let since = Timestamp::from_second(last.as_second()).ok()? - SignedDuration::from_secs(1);
        let mut seen = HashMap::new();
        for line in self.ring.iter().filter(|(timestamp, _)| *timestamp >= since) {
            *seen.entry(*line).or_insert(0) += 1;
        }
        let is_full = self.ring.len() == REMEMBERED;
        let forgotten_before = self.ring.iter().map(|line| line.0).min().filter(|_| is_full);
        self.overlap = Some(Overlap {
            seen,
            forgotten_before,
            until: last,
            matched: false,
        });
        Some(since)
    }

    /// Judges a line and remembers it.
    pub fn judge(&mut self, timestamp: Timestamp, text: &[u8]) -> Judgement {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let line = (timestamp, hasher.finish());
        if let Some(overlap) = &mut self.overlap {
            if overlap.forgotten_before.is_some_and(|oldest| timestamp < oldest) {
                overlap.matched = true;
                return Judgement::Known;
            }
            if let Some(count) = overlap.seen.get_mut(&line).filter(|count| **count > 0) {
                *count -= 1;
                overlap.matched = true;
                return Judgement::Known;
            }
            if timestamp > overlap.until {
                let is_gap = !overlap.matched;
                self.overlap = None;
                self.remember(line);
                return if is_gap { Judgement::NewAfterGap } else { Judgement::New };
            }
        }
        self.remember(line);
        Judgement::New
    }

    fn remember(&mut self, line: (Timestamp, u64)) {
        self.last = self.last.max(Some(line.0));
        if self.ring.len() == REMEMBERED {
            self.ring.pop_front();
        }
        self.ring.push_back(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(1_700_000_000_000 + milliseconds).expect("valid")
    }

    #[test]
    fn lines_are_the_same_however_the_bytes_come() {
        let text = b"first\nsecond\n\nfourth\nrest";
        for size in 1..text.len() {
            let mut cutter = Cutter::default();
            let mut lines = Vec::new();
            text.chunks(size)
                .for_each(|chunk| cutter.feed(chunk, |line| lines.push(line.to_vec())));
            assert_eq!(lines, [&b"first"[..], b"second", b"", b"fourth"]);
        }
    }

    #[test]
    fn timestamp_is_taken_off() {
        let (timestamp, text) = split_timestamp(b"2026-11-24T18:00:00.5Z a b").expect("has one");
        assert_eq!(timestamp.to_string(), "2026-11-24T18:00:00.5Z");
        assert_eq!(text, b"a b");
        assert_eq!(split_timestamp(b"javax.net.ssl|DEBUG and more"), None);
    }

    #[test]
    fn after_a_break_only_new_lines_are_new() {
        let mut memory = Memory::default();
        assert_eq!(memory.resume(), None);
        assert_eq!(memory.judge(at(1500), b"a"), Judgement::New);
        // Standard output was stamped earlier than standard error.
        assert_eq!(memory.judge(at(1400), b"b"), Judgement::New);
        assert_eq!(memory.resume(), Some(at(0)));
        assert_eq!(memory.judge(at(1500), b"a"), Judgement::Known);
        assert_eq!(memory.judge(at(1400), b"b"), Judgement::Known);
        assert_eq!(
            memory.judge(at(1400), b"b"),
            Judgement::New,
            "the same text twice in the same instant"
        );
        assert_eq!(memory.judge(at(1600), b"c"), Judgement::New);
    }

    #[test]
    fn a_flood_that_is_no_longer_remembered_is_not_read_twice() {
        let mut memory = Memory::default();
        let lines = i64::try_from(REMEMBERED).expect("small") * 2;
        let line = |number: i64| {
            (
                Timestamp::from_microsecond(1_700_000_000_500_000 + number).expect("valid"),
                number.to_string(),
            )
        };
        for (timestamp, text) in (0..lines).map(line) {
            memory.judge(timestamp, text.as_bytes());
        }
        memory.resume();
        for (timestamp, text) in (0..lines).map(line) {
            assert_eq!(memory.judge(timestamp, text.as_bytes()), Judgement::Known);
        }
        let (timestamp, text) = line(lines);
        assert_eq!(memory.judge(timestamp, text.as_bytes()), Judgement::New);
    }

    #[test]
    fn lines_that_rotation_took_are_a_gap() {
        let mut memory = Memory::default();
        memory.judge(at(1500), b"a");
        memory.resume();
        assert_eq!(memory.judge(at(9000), b"z"), Judgement::NewAfterGap);
        assert_eq!(memory.judge(at(9001), b"y"), Judgement::New);
    }
}
