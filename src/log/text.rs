//! Bytes as text.

use std::borrow::Cow;

/// A line as text. Almost every line is valid UTF-8, and to find that out is much faster than to repair it.
pub(super) fn text(line: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(line) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(line),
    }
}

/// A line without the blanks that it begins with, of which the records of JSSE have many.
#[inline]
pub(super) fn without_indent(line: &[u8]) -> &[u8] {
    const BLANKS: u64 = u64::from_ne_bytes([b' '; 8]);
    let mut line = line;
    while let Some((head, rest)) = line.split_first_chunk::<8>() {
        let other = u64::from_le_bytes(*head) ^ BLANKS;
        if other != 0 {
            line = &line[other.trailing_zeros() as usize / 8..];
            break;
        }
        line = rest;
    }
    line.trim_ascii_start()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_indent_is_taken_off_whatever_its_width() {
        for width in 0..20 {
            let blanks = " ".repeat(width);
            for rest in ["", "x", "\"key\" : 1", "x  y                      "] {
                let line = format!("{blanks}{rest}");
                assert_eq!(without_indent(line.as_bytes()), rest.as_bytes(), "{line:?}");
            }
            assert_eq!(without_indent(format!("{blanks}\t at").as_bytes()), b"at");
        }
    }
}
