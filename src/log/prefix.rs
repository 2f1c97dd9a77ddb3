//! Prefixes of any form: what stood before a record's header stands before its payload, but for its digits.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter, memmem};

use super::legacy::dump::has_offset;

/// Prefixes that are remembered.
const LEARNED: usize = 4;

/// What stands before such a beginning is no prefix but a line of the legacy layouts that another thread has broken off.
const BROKEN_OFF: [&[u8]; 6] = [
    b"***",
    b"%%",
    b"RandomCookie:",
    b"verify_data:",
    b"Session ID:",
    b"  Valid from",
];

/// Before a line that a diff adds.
const ADDED: &[u8] = b"+";

/// A run of so many hex digits is a number: a time in TAI64N, the id of a trace.
const HEX_NUMBER: usize = 8;

/// A prefix longer than this is not one.
pub(super) const PREFIX_LIMIT: usize = 200;

/// The prefixes that one source has shown.
#[derive(Debug, Clone, Default)]
pub(super) struct Prefixes {
    learned: Vec<Prefix>,
}

#[derive(Debug, Clone)]
struct Prefix {
    bytes: Vec<u8>,
    enclosure: Enclosure,
}

/// What a line's text is put into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Enclosure {
    None,
    /// `<…>`, as WebLogic writes it.
    Angles,
    /// The last cell of a row of comma-separated values, in quotes if it has to be (RFC 4180 §2).
    Cell,
    /// A string with escapes: `msg="…"` of logfmt.
    Escaped,
    /// The value of a member of JSON on several lines, `  "message": "…",`.
    Member,
}

impl Prefixes {
    /// Whether none has been learned.
    pub(super) fn is_empty(&self) -> bool {
        self.learned.is_empty()
    }

    /// Takes off a line what stands before the place where a record begins, and remembers it.
    pub(super) fn begin<'a>(&mut self, line: &'a [u8], at: usize) -> Cow<'a, [u8]> {
        if at == 0 {
            self.begin_bare();
            return Cow::Borrowed(line);
        }
        let (prefix, enclosure) = Enclosure::after(&line[..at]);
        self.learn(prefix, enclosure);
        enclosure.open(&line[prefix.len()..])
    }

    /// A record has begun without any prefix: what looks like JSON is then the record's own.
    pub(super) fn begin_bare(&mut self) {
        self.learned.retain(|prefix| prefix.enclosure != Enclosure::Member);
    }

    /// The line behind a prefix that is known, or all of it; none where it only holds together the JSON that carries the others.
    pub(super) fn strip<'a>(&self, line: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        let known = self.learned.iter().find_map(|prefix| {
            let rest = after(line, &prefix.bytes)?;
            Some(prefix.enclosure.open(rest))
        });
        if known.is_none() && self.is_between_members(line) {
            return None;
        }
        Some(known.unwrap_or(Cow::Borrowed(line)))
    }

    fn is_between_members(&self, line: &[u8]) -> bool {
        let is_structure = matches!(line.trim_ascii_start().first(), Some(b'{' | b'}' | b'[' | b']' | b'"'));
        is_structure && self.learned.iter().any(|prefix| prefix.enclosure == Enclosure::Member)
    }

    fn learn(&mut self, prefix: &[u8], enclosure: Enclosure) {
        let ends_well = matches!(prefix.last(), Some(b' ' | b'|' | b':' | b']' | b'\t' | b'>'))
            || enclosure != Enclosure::None
            || prefix == ADDED;
        let broken_off = BROKEN_OFF.iter().any(|start| prefix.starts_with(start)) || has_offset(prefix);
        if !ends_well || broken_off {
            return;
        }
        if self
            .learned
            .iter()
            .any(|known| after(prefix, &known.bytes) == Some(&[]))
        {
            return;
        }
        if self.learned.len() == LEARNED {
            self.learned.remove(0);
        }
        self.learned.push(Prefix {
            bytes: prefix.to_owned(),
            enclosure,
        });
    }
}

impl Enclosure {
    /// What this prefix opens, and the prefix as it stands before every line.
    fn after(prefix: &[u8]) -> (&[u8], Self) {
        let unquoted = prefix.strip_suffix(b"\"");
        match (
            prefix.last(),
            unquoted.map(<[u8]>::trim_ascii_end).and_then(<[u8]>::last),
        ) {
            (Some(b'<'), _) => (prefix, Self::Angles),
            (_, Some(b':')) if prefix.trim_ascii_start().starts_with(b"\"") => (prefix, Self::Member),
            (_, Some(b':' | b'=')) => (prefix, Self::Escaped),
            (Some(b',' | b';'), _) => (prefix, Self::Cell),
            (_, Some(b',' | b';')) => (unquoted.unwrap_or(prefix), Self::Cell),
            _ => (prefix, Self::None),
        }
    }

    /// The text in what follows such a prefix.
    fn open(self, rest: &[u8]) -> Cow<'_, [u8]> {
        match self {
            Self::None => Cow::Borrowed(rest),
            Self::Angles => Cow::Borrowed(rest.strip_suffix(b">").unwrap_or(rest)),
            Self::Cell => cell(rest).unwrap_or(Cow::Borrowed(rest)),
            Self::Escaped | Self::Member => unescaped(rest),
        }
    }
}

/// The value of a cell in quotes: those within it are doubled.
fn cell(text: &[u8]) -> Option<Cow<'_, [u8]>> {
    let inner = text.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if memchr(b'"', inner).is_none() {
        return Some(Cow::Borrowed(inner));
    }
    let mut value = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(quote) = memchr(b'"', rest) {
        value.extend_from_slice(&rest[..=quote]);
        rest = rest[quote + 1..].strip_prefix(b"\"")?;
    }
    value.extend_from_slice(rest);
    Some(Cow::Owned(value))
}

/// The text up to the quote that ends it, with its escapes resolved (RFC 8259 §7).
fn unescaped(text: &[u8]) -> Cow<'_, [u8]> {
    let end = memchr_iter(b'"', text).find(|at| {
        let backslashes = text[..*at].iter().rev().take_while(|byte| **byte == b'\\').count();
        backslashes % 2 == 0
    });
    let inner = &text[..end.unwrap_or(text.len())];
    if memmem::find(inner, b"\\").is_none() {
        return Cow::Borrowed(inner);
    }
    let quoted = [b"\"", inner, b"\""].concat();
    serde_json::from_slice::<String>(&quoted).map_or(Cow::Borrowed(inner), |text| {
        Cow::Owned(text.trim_end_matches('\n').as_bytes().to_owned())
    })
}

/// The line behind a prefix of this form: numbers match numbers, set to the right or not, and all else itself; blanks at its end
/// may be lost.
fn after<'a>(line: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (mut line, mut prefix) = (line, prefix);
    // Within a run of which the beginning was no number that fits, none begins: so no byte is looked at again and again.
    let mut before = None;
    while let Some(known) = prefix.first() {
        let Some(byte) = line.first() else {
            return prefix.trim_ascii().is_empty().then_some(&[]);
        };
        let number = numbers(prefix, line, before);
        if number.is_none() && known != byte {
            return None;
        }
        before = number.is_none().then_some(*known);
        let (length, other_length) = number.unwrap_or((1, 1));
        (prefix, line) = (&prefix[length..], &line[other_length..]);
    }
    Some(line)
}

/// The lengths of the numbers with which both begin, behind this byte of the same text.
fn numbers(prefix: &[u8], line: &[u8], before: Option<u8>) -> Option<(usize, usize)> {
    if !before.is_some_and(|byte| byte.is_ascii_hexdigit()) {
        let digits = hex_run(prefix);
        if digits >= HEX_NUMBER && hex_run(line.get(..=digits).unwrap_or(line)) == digits {
            return Some((digits, digits));
        }
    }
    if before.is_some_and(|byte| byte == b' ' || byte.is_ascii_digit()) {
        return None;
    }
    let number = padded_number(prefix)?;
    Some((number, padded_number(line.get(..PREFIX_LIMIT).unwrap_or(line))?))
}

/// The length of a number and of the blanks before it.
fn padded_number(text: &[u8]) -> Option<usize> {
    let blanks = text.iter().take_while(|byte| **byte == b' ').count();
    let digits = text[blanks..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    (digits > 0).then_some(blanks + digits)
}

fn hex_run(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_hexdigit()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is carried by a line that begins a record at the text `RECORD`, and by one that follows.
    fn stripped(first: &str, second: &str) -> [String; 2] {
        let mut prefixes = Prefixes::default();
        let at = first.find("RECORD").unwrap();
        let text = |bytes: Cow<'_, [u8]>| String::from_utf8(bytes.into_owned()).unwrap();
        [
            text(prefixes.begin(first.as_bytes(), at)),
            text(prefixes.strip(second.as_bytes()).unwrap_or_default()),
        ]
    }

    #[test]
    fn digits_may_differ_and_blanks_at_the_end_be_lost() {
        assert_eq!(stripped("12:01 [a-1] RECORD", "9:2 [a-10] )"), ["RECORD", ")"]);
        assert_eq!(stripped("12:01 [a-1] RECORD", "12:01 [a-1]"), ["RECORD", ""]);
        assert_eq!(
            stripped("12:01 [a-1] RECORD", "12:01 [b-1] )"),
            ["RECORD", "12:01 [b-1] )"]
        );
        assert_eq!(stripped("    RECORD", "      x"), ["RECORD", "  x"]);
        assert_eq!(stripped("     9\tRECORD", "    10\t  x"), ["RECORD", "  x"]);
    }

    #[test]
    fn long_hex_numbers_may_differ() {
        let lines = ["@4000000065f1c0de12ab34cd RECORD", "@4000000065f1c0df00000fff x"];
        assert_eq!(stripped(lines[0], lines[1]), ["RECORD", "x"]);
        assert_eq!(stripped("[beef] RECORD", "[cafe] x"), ["RECORD", "[cafe] x"]);
        assert_eq!(stripped("00:00:01 RECORD", "00:01:00 x"), ["RECORD", "x"]);
        assert_eq!(stripped("0010: A2 RECORD", "0020: B2 x"), ["RECORD", "0020: B2 x"]);
    }

    #[test]
    fn what_a_text_is_put_into_is_taken_off() {
        assert_eq!(stripped("<1> <RECORD>", "<2> <  x>"), ["RECORD", "  x"]);
        assert_eq!(
            stripped("\"1\",a,\"RECORD\"", "\"2\",a,\"  \"\"x\"\" : 1,\""),
            ["RECORD", "  \"x\" : 1,"]
        );
        assert_eq!(
            stripped("1,a,RECORD", "2,a,\"  \"\"x\"\" : 1,\""),
            ["RECORD", "  \"x\" : 1,"]
        );
        assert_eq!(stripped("\"1\",a,\"RECORD\"", "\"2\",a,)"), ["RECORD", ")"]);
        let log_format = [
            "level=info msg=\"RECORD\" pod=a",
            "level=info msg=\"  \\\"x\\\" : 1,\" pod=a",
        ];
        assert_eq!(stripped(log_format[0], log_format[1]), ["RECORD", "  \"x\" : 1,"]);
        let pretty = ["  \"message\": \"RECORD\\n\",", "  \"message\": \"\\t\\\"x\\\"\\\\\","];
        assert_eq!(stripped(pretty[0], pretty[1]), ["RECORD", "\t\"x\"\\"]);
        for between in ["{", "},", "  \"timestamp\": 1,", "[", "]"] {
            assert_eq!(stripped(pretty[0], between), ["RECORD", ""]);
        }
        assert_eq!(
            stripped(pretty[0], "another program's"),
            ["RECORD", "another program's"]
        );
    }

    #[test]
    fn behind_a_record_without_a_prefix_json_is_its_own() {
        let mut prefixes = Prefixes::default();
        let pretty = b"  \"message\": \"RECORD\",";
        prefixes.begin(pretty, pretty.len() - 8);
        assert_eq!(prefixes.strip(b"  \"ClientHello\": {"), None);
        prefixes.begin_bare();
        assert!(prefixes.strip(b"  \"ClientHello\": {").is_some());
    }

    #[test]
    fn a_line_that_was_broken_off_is_no_prefix() {
        assert_eq!(stripped("*** RECORD", "*** x"), ["RECORD", "*** x"]);
        assert_eq!(stripped("text RECORD", "text x"), ["RECORD", "x"]);
        assert_eq!(stripped("textRECORD", "textx"), ["RECORD", "textx"]);
    }
}
