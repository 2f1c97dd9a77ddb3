//! Bytes as text.

use std::borrow::Cow;

/// A line as text. Almost every line is valid UTF-8, and to find that out is much faster than to repair it.
pub(super) fn text(line: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(line) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(line),
    }
}
