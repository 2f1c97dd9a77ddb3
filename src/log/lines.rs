//! Bytes to lines, whatever the split, in bounded memory.

use memchr::{memchr, memrchr};

use super::signs::{self, Signs};

/// A line is cut here: the longest that JSSE prints, a cipher suite list, is far below.
const LINE_LIMIT: usize = 64 * 1024;

/// Assembles lines; owns only the beginning of a line whose end has not come yet.
#[derive(Debug, Clone, Default)]
pub(super) struct Lines {
    pending: Vec<u8>,
}

impl Lines {
    /// Calls back with each line that these bytes complete, without its line end, and with what it may hold.
    pub(super) fn feed(&mut self, bytes: &[u8], mut line: impl FnMut(&[u8], Signs)) {
        let mut start = 0;
        if !self.pending.is_empty() {
            let Some(end) = memchr(b'\n', bytes) else {
                return self.keep(bytes);
            };
            self.keep(&bytes[..end]);
            let whole = std::mem::take(&mut self.pending);
            line(cut(&whole), Signs::UNKNOWN);
            self.pending = whole;
            self.pending.clear();
            start = end + 1;
        }
        let bytes = &bytes[start..];
        let Some(last) = memrchr(b'\n', bytes) else {
            return self.keep(bytes);
        };
        let (whole, rest) = bytes.split_at(last + 1);
        signs::lines(whole, |text, signs| line(cut(text), signs));
        self.keep(rest);
    }

    /// Calls back with the last line if it has no line end.
    pub(super) fn finish(&mut self, mut line: impl FnMut(&[u8], Signs)) {
        let rest = std::mem::take(&mut self.pending);
        if !rest.is_empty() {
            line(cut(&rest), Signs::UNKNOWN);
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        // One byte more than the limit, so that a carriage return at the limit is cut the same way in any split.
        let room = (LINE_LIMIT + 1).saturating_sub(self.pending.len());
        self.pending.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }
}

fn cut(line: &[u8]) -> &[u8] {
    let line = line.get(..LINE_LIMIT).unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(chunks: &[&[u8]]) -> Vec<String> {
        let mut found = Vec::new();
        let mut lines = Lines::default();
        for chunk in chunks {
            lines.feed(chunk, |line, _| found.push(String::from_utf8_lossy(line).into_owned()));
        }
        lines.finish(|line, _| found.push(String::from_utf8_lossy(line).into_owned()));
        found
    }

    #[test]
    fn any_split_gives_the_same_lines() {
        assert_eq!(lines(&[b"a\r\nb\n\nc"]), ["a", "b", "", "c"]);
        assert_eq!(lines(&[b"a\r", b"\nb", b"\n", b"\nc"]), ["a", "b", "", "c"]);
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let long = vec![b'x'; 3 * LINE_LIMIT];
        assert_eq!(
            lines(&[&long, b"\nb"]).iter().map(String::len).collect::<Vec<_>>(),
            [LINE_LIMIT, 1]
        );
    }
}
