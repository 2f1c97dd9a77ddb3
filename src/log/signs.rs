//! Where the lines of a chunk end and what they may hold, found by looking at the whole chunk instead of at each line.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use wide::u8x16;

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// The logger's name, with which a header begins.
    Logger,
    /// An escape sequence.
    Escape,
    /// The stars before a message of the legacy layouts.
    Stars,
    /// A class of JSSE, as `java.util.logging` writes it.
    ClassName,
    /// A trust store of the legacy layouts.
    Adding,
}

/// The first signs are marked by one byte or two, and rarely by chance; the others are searched for.
const MARKED: usize = 3;
const ESCAPE: u8 = 0x1b;
const STARS: [u8; 2] = *b"**";
/// In the logger's name.
const NAME: [u8; 2] = *b"x.";
const COUNT: usize = 5;

// Made once: making one costs as much as searching a line.
static FINDERS: LazyLock<[Finder<'static>; COUNT]> = LazyLock::new(|| {
    [
        Finder::new(b"javax.net.ssl"),
        Finder::new(b"\x1b"),
        Finder::new(b"*** "),
        Finder::new(b" sun.security.ssl."),
        Finder::new(b"adding as"),
    ]
});

impl Sign {
    /// Where it stands first.
    pub(super) fn find(self, bytes: &[u8]) -> Option<usize> {
        FINDERS[self as usize].find(bytes)
    }
}

/// The signs that a line may hold: those that are not among them are not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Signs(u8);

impl Signs {
    /// Nothing is known about the line.
    pub(super) const UNKNOWN: Self = Self(u8::MAX);

    /// The line holds none.
    pub(super) const NONE: Self = Self(0);

    /// Whether the line may hold this sign.
    pub(super) fn may_hold(self, sign: Sign) -> bool {
        self.0 & (1 << sign as u8) != 0
    }

    /// Where the sign stands in the line or in a part of it.
    pub(super) fn find(self, sign: Sign, bytes: &[u8]) -> Option<usize> {
        if self.may_hold(sign) { sign.find(bytes) } else { None }
    }
}

/// Bytes that are looked at together, a bit for each.
const BLOCK: usize = 64;

/// Calls back with each line of a chunk that ends with the end of a line: without its line feed, and with what it may hold.
pub(super) fn lines<'a>(chunk: &'a [u8], mut line: impl FnMut(&'a [u8], Signs)) {
    let mut searched = Searched::in_chunk(chunk);
    let (mut start, mut signs) = (0, 0);
    for block in (0..chunk.len()).step_by(BLOCK) {
        let Marks {
            mut line_ends,
            signs: mut marks,
        } = Marks::of(&chunk[block..]);
        while line_ends != 0 {
            let end = block + line_ends.trailing_zeros() as usize;
            let before_end = line_ends ^ (line_ends - 1);
            if marks & before_end != 0 {
                signs |= marked(&chunk[block..], marks & before_end);
                marks &= !before_end;
            }
            if searched.soonest < end {
                signs |= searched.pass(start, end);
            }
            line(&chunk[start..end], Signs(signs));
            (start, signs) = (end + 1, 0);
            line_ends &= line_ends - 1;
        }
        if marks != 0 {
            signs |= marked(&chunk[block..], marks);
        }
    }
}

/// What a block holds: bit by bit, from the first byte in the lowest.
struct Marks {
    line_ends: u64,
    /// Bytes that mark a sign.
    signs: u64,
}

impl Marks {
    /// Of the first block of these bytes.
    fn of(bytes: &[u8]) -> Self {
        let Some((block, _)) = bytes.split_first_chunk::<{ BLOCK + 1 }>() else {
            let mut block = [0; BLOCK + 1];
            block[..bytes.len()].copy_from_slice(bytes);
            return Self::of(&block);
        };
        let [mut line_ends, mut signs] = [0; 2];
        for (part, at) in (0..BLOCK).step_by(16).enumerate() {
            let bytes = u8x16::new(block[at..][..16].try_into().unwrap_or_default());
            let next = u8x16::new(block[at + 1..][..16].try_into().unwrap_or_default());
            let is = |bytes: u8x16, byte: u8| bytes.simd_eq(u8x16::splat(byte));
            let pair = |pair: [u8; 2]| is(bytes, pair[0]) & is(next, pair[1]);
            let marks = is(bytes, ESCAPE) | pair(STARS) | pair(NAME);
            line_ends |= u64::from(is(bytes, b'\n').to_bitmask()) << (16 * part);
            signs |= u64::from(marks.to_bitmask()) << (16 * part);
        }
        Self { line_ends, signs }
    }
}

/// The signs that these bits of a block mark.
fn marked(block: &[u8], mut bits: u64) -> u8 {
    let mut signs = 0;
    while bits != 0 {
        signs |= match block[bits.trailing_zeros() as usize] {
            ESCAPE => 1 << Sign::Escape as u8,
            b'*' => 1 << Sign::Stars as u8,
            _ => 1 << Sign::Logger as u8,
        };
        bits &= bits - 1;
    }
    signs
}

/// The signs that are searched for.
struct Searched<'a> {
    chunk: &'a [u8],
    /// Where each stands next.
    next: [usize; COUNT - MARKED],
    /// The first of these places.
    soonest: usize,
}

impl<'a> Searched<'a> {
    fn in_chunk(chunk: &'a [u8]) -> Self {
        let mut searched = Self {
            chunk,
            next: [0; COUNT - MARKED],
            soonest: 0,
        };
        searched.search(0);
        searched
    }

    /// Looks on from here for those that stood before.
    fn search(&mut self, from: usize) {
        for (next, finder) in self.next.iter_mut().zip(&FINDERS[MARKED..]) {
            if *next <= from {
                *next = finder.find(&self.chunk[from..]).map_or(usize::MAX, |at| at + from);
            }
        }
        self.soonest = self.next.into_iter().min().unwrap_or(usize::MAX);
    }

    /// The signs of the line between these places, which is then over.
    fn pass(&mut self, start: usize, end: usize) -> u8 {
        let mut signs = 0;
        for (index, next) in self.next.iter().enumerate() {
            signs |= u8::from((start..end).contains(next)) << (MARKED + index);
        }
        self.search(end);
        signs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(chunk: &[u8]) -> Vec<(&[u8], Signs)> {
        let mut found = Vec::new();
        lines(chunk, |line, signs| found.push((line, signs)));
        found
    }

    #[test]
    fn each_line_has_its_own() {
        let chunk = b"a javax.net.ssl|x\nb\n*** c \x1b\nadding as\n\n";
        let lines: Vec<(&[u8], Signs)> = lines_of(chunk);
        let texts: Vec<&[u8]> = lines.iter().map(|(text, _)| *text).collect();
        assert_eq!(
            texts,
            [&b"a javax.net.ssl|x"[..], b"b", b"*** c \x1b", b"adding as", b""]
        );
        let signs: Vec<Signs> = lines.iter().map(|(_, signs)| *signs).collect();
        assert!(signs[0].may_hold(Sign::Logger) && !signs[0].may_hold(Sign::Stars));
        assert_eq!(signs[0].find(Sign::Logger, texts[0]), Some(2));
        assert_eq!(signs[1], Signs(0));
        assert!(signs[2].may_hold(Sign::Stars) && signs[2].may_hold(Sign::Escape) && !signs[2].may_hold(Sign::Adding));
        assert_eq!(signs[3].find(Sign::Adding, texts[3]), Some(0));
        assert_eq!(signs[4], Signs(0));
    }

    #[test]
    fn a_sign_is_seen_wherever_it_stands() {
        let signs = [
            (Sign::Logger, "javax.net.ssl"),
            (Sign::Escape, "\u{1b}"),
            (Sign::Stars, "*** "),
            (Sign::ClassName, " sun.security.ssl."),
            (Sign::Adding, "adding as"),
        ];
        for (sign, text) in signs {
            for before in 0..3 * BLOCK {
                let filler = "-".repeat(before);
                let chunk = format!("{filler}\n{filler}{text}\n{filler}\n");
                let lines: Vec<(&[u8], Signs)> = lines_of(chunk.as_bytes());
                let (with, without) = (lines[1], [lines[0], lines[2]]);
                assert_eq!(lines.len(), 3, "{chunk}");
                assert_eq!(with.1.find(sign, with.0), Some(before), "{chunk}");
                assert!(
                    without
                        .iter()
                        .all(|(line, signs)| *signs == Signs(0) && *line == filler.as_bytes())
                );
            }
        }
    }
}
