//! UTF-16 with a byte order mark, as Windows tools write it, to UTF-8; all else passes untouched.

/// What the first bytes of a source have told.
#[derive(Debug, Default)]
enum Form {
    /// Fewer than two bytes have come.
    #[default]
    Unknown,
    /// Bytes that contain ASCII as itself.
    Plain,
    /// Two bytes a unit, the low one first if so.
    Utf16 { low_first: bool },
}

/// Decodes one source, whatever the split.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    form: Form,
    /// The first byte of the source, or of a unit that is cut.
    held: Option<u8>,
    /// The first half of a pair of surrogates.
    high: Option<u16>,
}

impl Decoder {
    /// Calls back with the bytes as UTF-8, or as they are.
    pub(super) fn feed(&mut self, bytes: &[u8], mut decoded: impl FnMut(&[u8])) {
        let mut bytes = bytes;
        if matches!(self.form, Form::Unknown) {
            let Some((first, rest)) = self.first(bytes) else { return };
            match self.form {
                Form::Plain => decoded(&first),
                _ => self.held = None,
            }
            bytes = rest;
        }
        match self.form {
            Form::Utf16 { low_first } => {
                let text = self.units(bytes, low_first);
                decoded(text.as_bytes());
            }
            _ => decoded(bytes),
        }
    }

    /// The input has ended: hands over a byte that was held back.
    pub(super) fn finish(&mut self, mut decoded: impl FnMut(&[u8])) {
        if let (Form::Unknown, Some(byte)) = (&self.form, self.held.take()) {
            decoded(&[byte]);
        }
    }

    /// Looks at the first two bytes; answers with what was held and what is left.
    fn first<'a>(&mut self, bytes: &'a [u8]) -> Option<(Vec<u8>, &'a [u8])> {
        let (first, rest) = match (self.held, bytes) {
            (Some(held), [second, rest @ ..]) => ([held, *second], rest),
            (None, [first, second, rest @ ..]) => ([*first, *second], rest),
            (None, [only]) => {
                self.held = Some(*only);
                return None;
            }
            (_, []) => return None,
        };
        self.form = match first {
            [0xff, 0xfe] => Form::Utf16 { low_first: true },
            [0xfe, 0xff] => Form::Utf16 { low_first: false },
            _ => Form::Plain,
        };
        Some((first.to_vec(), rest))
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
    fn all_else_passes_untouched() {
        for text in ["", "a", "ab", "plain \u{fc}"] {
            assert_eq!(decode(text.as_bytes(), 1), text);
            assert_eq!(decode(text.as_bytes(), 100), text);
        }
    }
}
