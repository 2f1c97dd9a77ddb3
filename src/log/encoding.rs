//! UTF-16, as Windows tools write it, to UTF-8; all else passes untouched.

/// Bytes by which the form of a source is told.
const LOOKED_AT: usize = 64;
/// Fewer units tell nothing.
const FEWEST: usize = 8;

/// What the first bytes of a source have told.
#[derive(Debug, Default, Clone, Copy)]
enum Form {
    /// Too few bytes have come.
    #[default]
    Unknown,
    /// Bytes that contain ASCII as itself.
    Plain,
    /// Two bytes a unit, the low one first if so.
    Utf16 { low_first: bool },
}

/// Decodes one source, whatever the split.
#[derive(Debug, Clone, Default)]
pub(super) struct Decoder {
    form: Form,
    /// The first bytes of the source, until its form is known.
    start: Vec<u8>,
    /// The first byte of a unit that is cut.
    held: Option<u8>,
    /// The first half of a pair of surrogates.
    high: Option<u16>,
}

impl Decoder {
    /// Calls back with the bytes as UTF-8, or as they are.
    pub(super) fn feed(&mut self, bytes: &[u8], mut decoded: impl FnMut(&[u8])) {
        let mut bytes = bytes;
        if matches!(self.form, Form::Unknown) {
            let (first, rest) = bytes.split_at(bytes.len().min(LOOKED_AT - self.start.len()));
            self.start.extend_from_slice(first);
            if self.start.len() < LOOKED_AT {
                return;
            }
            self.begin(&mut decoded);
            bytes = rest;
        }
        self.decode(bytes, &mut decoded);
    }

    /// The input has ended: hands over what was held back.
    pub(super) fn finish(&mut self, mut decoded: impl FnMut(&[u8])) {
        if matches!(self.form, Form::Unknown) {
            self.begin(&mut decoded);
        }
    }

    fn begin(&mut self, decoded: &mut impl FnMut(&[u8])) {
        let start = std::mem::take(&mut self.start);
        let (form, mark) = form_of(&start);
        self.form = form;
        self.decode(&start[mark..], decoded);
    }

    fn decode(&mut self, bytes: &[u8], decoded: &mut impl FnMut(&[u8])) {
        if let Form::Utf16 { low_first } = self.form {
            let text = self.units(bytes, low_first);
            decoded(text.as_bytes());
        } else if !bytes.is_empty() {
            decoded(bytes);
        }
    }

    fn units(&mut self, bytes: &[u8], low_first: bool) -> String {
        let mut text = String::with_capacity(bytes.len() / 2);
        for byte in bytes {
            let Some(first) = self.held.take() else {
                self.held = Some(*byte);
                continue;
            };
            let unit = if low_first {
                u16::from_le_bytes([first, *byte])
            } else {
                u16::from_be_bytes([first, *byte])
            };
            match (self.high.take(), unit) {
                (None, 0xd800..=0xdbff) => self.high = Some(unit),
                (high, unit) => {
                    text.extend(
                        char::decode_utf16(high.into_iter().chain([unit])).map(|letter| letter.unwrap_or('\u{fffd}')),
                    );
                }
            }
        }
        text
    }
}

/// Whether a source that begins with these bytes is UTF-16.
pub(crate) fn is_utf16(start: &[u8]) -> bool {
    let start = start.get(..LOOKED_AT).unwrap_or(start);
    matches!(form_of(start).0, Form::Utf16 { .. })
}

/// The form of a source that begins with these bytes, and how many of them are its byte order mark. Without a mark, every second
/// byte of what is mostly ASCII is zero, and those between are not.
fn form_of(start: &[u8]) -> (Form, usize) {
    match start {
        [0xff, 0xfe, ..] => return (Form::Utf16 { low_first: true }, 2),
        [0xfe, 0xff, ..] => return (Form::Utf16 { low_first: false }, 2),
        _ => {}
    }
    let (units, _) = start.as_chunks::<2>();
    let low_first = units
        .iter()
        .filter(|[first, second]| *first != 0 && *second == 0)
        .count();
    let high_first = units
        .iter()
        .filter(|[first, second]| *first == 0 && *second != 0)
        .count();
    let form = if units.len() < FEWEST {
        Form::Plain
    } else if high_first == 0 && 2 * low_first > units.len() {
        Form::Utf16 { low_first: true }
    } else if low_first == 0 && 2 * high_first > units.len() {
        Form::Utf16 { low_first: false }
    } else {
        Form::Plain
    };
    (form, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8], size: usize) -> String {
        let mut decoder = Decoder::default();
        let mut found = Vec::new();
        for chunk in bytes.chunks(size) {
            decoder.feed(chunk, |decoded| found.extend_from_slice(decoded));
        }
        decoder.finish(|decoded| found.extend_from_slice(decoded));
        String::from_utf8_lossy(&found).into_owned()
    }

    #[test]
    fn both_byte_orders_in_any_split() {
        let text = "a\u{fc}\u{1f512}\n";
        let low: Vec<u8> = [0xff, 0xfe]
            .into_iter()
            .chain(text.encode_utf16().flat_map(u16::to_le_bytes))
            .collect();
        let high: Vec<u8> = [0xfe, 0xff]
            .into_iter()
            .chain(text.encode_utf16().flat_map(u16::to_be_bytes))
            .collect();
        for size in [1, 2, 3, 100] {
            assert_eq!(decode(&low, size), text);
            assert_eq!(decode(&high, size), text);
        }
    }

    #[test]
    fn without_a_mark() {
        let text = "javax.net.ssl|DEBUG|10|m\u{fc}ller|2026-11-23 14:54:54.556 GMT|X.java:1|\u{1f512}\n";
        let low: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let high: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for size in [1, 2, 3, 63, 64, 65, 1000] {
            assert_eq!(decode(&low, size), text);
            assert_eq!(decode(&high, size), text);
        }
        assert!(is_utf16(&low) && is_utf16(&high));
    }

    #[test]
    fn zero_bytes_alone_are_no_utf16() {
        for bytes in [
            &[0; 100][..],
            b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0\x01\0\0\0",
            b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0javax.net.ssl|DEBUG|10|main",
            b"a\0b\0",
        ] {
            assert!(!is_utf16(bytes), "{bytes:?}");
            assert_eq!(decode(bytes, 3).len(), String::from_utf8_lossy(bytes).len());
        }
    }

    #[test]
    fn all_else_passes_untouched() {
        for text in ["", "a", "ab", "plain \u{fc}"] {
            assert_eq!(decode(text.as_bytes(), 1), text);
            assert_eq!(decode(text.as_bytes(), 100), text);
        }
    }
}
