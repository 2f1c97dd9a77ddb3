//! What the lines of a chunk may hold, found by one search through the chunk instead of one through each line.

use std::sync::LazyLock;

use memchr::memmem::Finder;

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// The logger's name, with which a header begins.
    Logger,
    /// An escape sequence.
    Escape,
    /// A class of JSSE, as `java.util.logging` writes it.
    ClassName,
    /// The stars before a message of the legacy layouts.
    Stars,
    /// A trust store of the legacy layouts.
    Adding,
}

const COUNT: usize = 5;

// Made once: making one costs as much as searching a line.
static FINDERS: LazyLock<[Finder<'static>; COUNT]> = LazyLock::new(|| {
    [
        Finder::new(b"javax.net.ssl"),
        Finder::new(b"\x1b"),
        Finder::new(b" sun.security.ssl."),
        Finder::new(b"*** "),
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

    /// Whether the line may hold this sign.
    pub(super) fn may_hold(self, sign: Sign) -> bool {
        self.0 & (1 << sign as u8) != 0
    }

    /// Where the sign stands in the line or in a part of it.
    pub(super) fn find(self, sign: Sign, bytes: &[u8]) -> Option<usize> {
        if self.may_hold(sign) { sign.find(bytes) } else { None }
    }
}

/// Looks ahead in a chunk.
pub(super) struct Ahead<'a> {
    chunk: &'a [u8],
    finders: &'static [Finder<'static>; COUNT],
    /// Where each sign stands next.
    next: [usize; COUNT],
    /// The first of these places.
    soonest: usize,
}

impl<'a> Ahead<'a> {
    pub(super) fn new(chunk: &'a [u8]) -> Self {
        let finders = &*FINDERS;
        let next = std::array::from_fn(|sign| finders[sign].find(chunk).unwrap_or(usize::MAX));
        Self {
            chunk,
            finders,
            next,
            soonest: 0,
        }
    }

    /// The signs of the line between these places; lines are asked for in order.
    pub(super) fn signs(&mut self, start: usize, end: usize) -> Signs {
        if end <= self.soonest {
            return Signs(0);
        }
        let mut signs = 0;
        self.soonest = usize::MAX;
        for (sign, next) in self.next.iter_mut().enumerate() {
            if *next < start {
                *next = self.finders[sign]
                    .find(&self.chunk[start..])
                    .map_or(usize::MAX, |at| at + start);
            }
            signs |= u8::from(*next < end) << sign;
            self.soonest = self.soonest.min(*next);
        }
        Signs(signs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_has_its_own() {
        let chunk = b"a javax.net.ssl|x\nb\n*** c \x1b\nadding as";
        let mut ahead = Ahead::new(chunk);
        let first = ahead.signs(0, 17);
        assert!(first.may_hold(Sign::Logger) && !first.may_hold(Sign::Stars));
        assert_eq!(first.find(Sign::Logger, &chunk[..17]), Some(2));
        assert_eq!(ahead.signs(18, 19), Signs(0));
        let third = ahead.signs(20, 27);
        assert!(third.may_hold(Sign::Stars) && third.may_hold(Sign::Escape) && !third.may_hold(Sign::Adding));
        assert_eq!(ahead.signs(28, chunk.len()).find(Sign::Adding, b"adding as"), Some(0));
    }
}
