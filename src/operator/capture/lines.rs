//! Lines of a followed log: cutting them, taking their timestamps off, and knowing those that were read before.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::{SignedDuration, Timestamp};

/// How many of the last lines are remembered to recognise them after a break: with 24 bytes each, 192 KiB at most.
const REMEMBERED: usize = 8192;
/// A line is handed on in pieces beyond this length, so that a log without line ends does not fill the memory.
const LONGEST: usize = 1024 * 1024;

/// Cuts a byte stream into lines.
#[derive(Debug, Clone, Default)]
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
/// Standard output and standard error are stamped independently, so times can step back by over a second: what is new is
/// looked for from one whole second before the last timestamp cut down to its second. The runtime stamps each 16 KiB of a
/// line, so a log that is read from some second on can begin with the rest of a line. Reading therefore begins a second
/// earlier still, and of that second nothing is new.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    last: Option<Timestamp>,
    ring: VecDeque<(Timestamp, u64)>,
    /// The latest timestamp of a line that is no longer in the ring.
    forgotten: Option<Timestamp>,
    overlap: Option<Overlap>,
}

#[derive(Debug, Clone)]
struct Overlap {
    /// How often each remembered line was read.
    seen: HashMap<(Timestamp, u64), u32>,
    /// Lines before this were read, remembered or not: reading goes forward.
    known_before: Timestamp,
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
        let second = SignedDuration::from_secs(1);
        let since = Timestamp::from_second(last.as_second()).ok()? - second;
        let mut seen = HashMap::new();
        for line in self.ring.iter().filter(|(timestamp, _)| *timestamp >= since) {
            *seen.entry(*line).or_insert(0) += 1;
        }
        let after_forgotten = self
            .forgotten
            .map(|forgotten| forgotten + SignedDuration::from_nanos(1));
        self.overlap = Some(Overlap {
            seen,
            known_before: after_forgotten.map_or(since, |after| after.max(since)),
            until: last,
            matched: false,
        });
        Some(since - second)
    }

    /// The latest timestamp of a line that was judged.
    #[must_use]
    pub const fn last(&self) -> Option<Timestamp> {
        self.last
    }

    /// Judges a line and remembers it.
    pub fn judge(&mut self, timestamp: Timestamp, text: &[u8]) -> Judgement {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let line = (timestamp, hasher.finish());
        if let Some(overlap) = &mut self.overlap {
            if let Some(count) = overlap.seen.get_mut(&line).filter(|count| **count > 0) {
                *count -= 1;
                overlap.matched = true;
                return Judgement::Known;
            }
            if timestamp < overlap.known_before {
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
        if self.ring.len() == REMEMBERED
            && let Some((forgotten, _)) = self.ring.pop_front()
        {
            self.forgotten = self.forgotten.max(Some(forgotten));
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
        assert_eq!(memory.resume(), Some(at(-1000)));
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
    fn the_rest_of_a_long_line_is_no_line() {
        let mut memory = Memory::default();
        // Its first 16 KiB were stamped in one second and the rest in the next, in which reading begins again.
        memory.judge(at(-1001), b"first part, rest");
        memory.judge(at(1500), b"a");
        assert_eq!(memory.resume(), Some(at(-1000)));
        assert_eq!(memory.judge(at(-999), b"rest"), Judgement::Known);
        assert_eq!(memory.judge(at(1500), b"a"), Judgement::Known);
        assert_eq!(memory.judge(at(1600), b"b"), Judgement::New);
    }

    #[test]
    fn a_flood_of_two_streams_is_not_read_twice() {
        let mut memory = Memory::default();
        let lines = i64::try_from(REMEMBERED).expect("small") * 2;
        let line = |number: i64| {
            // Among the last ones is one of the other stream, which was stamped long before.
            let stamp = if number == lines - 9 { 10 } else { number };
            let timestamp = Timestamp::from_microsecond(1_700_000_000_500_000 + stamp).expect("valid");
            (timestamp, number.to_string())
        };
        for (timestamp, text) in (0..lines).map(line) {
            memory.judge(timestamp, text.as_bytes());
        }
        memory.resume();
        for (timestamp, text) in (0..lines).map(line) {
            assert_eq!(memory.judge(timestamp, text.as_bytes()), Judgement::Known, "{text}");
        }
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
