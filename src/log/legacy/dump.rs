//! Lists of bytes and rows of a dump, which are printed byte by byte: another thread may break them off anywhere.

use super::threaded::split_thread;
use crate::log::text::text as lossy;

/// Where another thread's line begins within a list of bytes or a row of a dump: both are printed byte by byte.
pub(super) fn broken_off(line: &[u8]) -> Option<usize> {
    match line.first()? {
        b'R' | b'v' | b'S' => list_broken_off(line),
        b'0'..=b'9' | b'A'..=b'F' | b'a'..=b'f' => dump_broken_off(line),
        _ => None,
    }
}

fn list_broken_off(line: &[u8]) -> Option<usize> {
    let listed = [&b"RandomCookie:"[..], b"verify_data:", b"Session ID:"];
    if !listed.iter().any(|name| line.starts_with(name)) {
        return None;
    }
    let open = memchr::memchr(b'{', line)?;
    let bytes = line[open + 1..]
        .iter()
        .take_while(|byte| matches!(byte, b'0'..=b'9' | b',' | b' '))
        .count();
    let end = open + 1 + bytes;
    line.get(end).is_some_and(|byte| *byte != b'}').then_some(end)
}

/// Whether a line is a row of a dump, whatever blank characters stand before it.
pub(super) fn is_row_behind_blanks(line: &[u8]) -> bool {
    match line.first() {
        Some(first) if first.is_ascii_graphic() => is_row(line),
        _ => is_row(lossy(line).trim_start().as_bytes()),
    }
}

/// Whether a line is a row of a dump, `1230: 47 45 …`: the text behind its bytes is what they are, and no thread's.
fn is_row(line: &[u8]) -> bool {
    has_offset(line) && line.get(6..8).is_some_and(is_hex)
}

/// Whether a line begins as a row of a dump does: `1230: `.
pub(in crate::log) fn has_offset(line: &[u8]) -> bool {
    line.get(4..6) == Some(b": ") && is_hex(&line[..4])
}

fn is_hex(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_hexdigit)
}

/// Where the characters of a row stand (`sun.misc.HexDumpEncoder`).
const CHARACTERS: usize = 57;

/// A row of a dump, and then something else than its bytes or what they are as characters.
fn dump_broken_off(line: &[u8]) -> Option<usize> {
    let (offset, rest) = line.split_at_checked(4)?;
    if !is_hex(offset) {
        return None;
    }
    let end = if rest.starts_with(b": ") { row_end(line) } else { 4 };
    let begins = |rest: &[u8]| {
        let is_message = rest.starts_with(b"*** ") || rest.starts_with(b"%% ") || split_thread(rest).is_some();
        is_message && !rest.starts_with(b" ")
    };
    // The blank behind a byte is printed by itself as well.
    let without_blank = line
        .get(end..end + 2)
        .filter(|byte| end < CHARACTERS && byte.iter().all(|digit| is_upper_hex(*digit)));
    let ends = [without_blank.map(|_| end + 2), Some(end)];
    ends.into_iter().flatten().find(|end| begins(&line[*end..]))
}

/// Rows are printed in capitals, in which hardly a thread's name begins.
fn is_upper_hex(digit: u8) -> bool {
    matches!(digit, b'0'..=b'9' | b'A'..=b'F')
}

/// How far a line is `0010: 03 AB …`: 16 bytes, with a gap in their middle, and their characters, each printed by itself.
fn row_end(line: &[u8]) -> usize {
    let hex = |digit: u8| char::from(digit).to_digit(16);
    let (mut at, mut characters) = (6, Vec::with_capacity(16));
    while let Some([high, low, b' ']) = line.get(at..at + 3)
        && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        && characters.len() < 16
    {
        let byte = u8::try_from(high * 16 + low).unwrap_or_default();
        characters.push(if (b' '..=b'z').contains(&byte) { byte } else { b'.' });
        at += 3;
        if characters.len() == 8 && line[at..].starts_with(b"  ") {
            at += 2;
        }
    }
    let blanks = line[at..].iter().take_while(|byte| **byte == b' ').count();
    if at + blanks < CHARACTERS {
        return at + blanks;
    }
    let printed = line[CHARACTERS..].iter().zip(&characters);
    CHARACTERS + printed.take_while(|(printed, meant)| printed == meant).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_dump() {
        assert!(is_row(
            b"4000: 16 03 03 0A 3C             n, RECV TLSv1.2 ALERT:  fatal, bad_certificate"
        ));
        assert!(is_row_behind_blanks(
            "\u{b}\u{a0}4000: 16 03  n, RECV TLSv1.2 ALERT:  fatal, x".as_bytes()
        ));
        assert!(!is_row_behind_blanks(b"n, RECV TLSv1.2 ALERT:  fatal, 4000: 16 03"));
        assert!(!is_row(b"cafe, READ: TLSv1.2 Alert, length = 2"));
        assert!(!is_row(b"beef: a thread, READ: TLSv1.2 Alert, length = 2"));
    }

    #[test]
    fn a_list_that_another_thread_breaks_off() {
        let line = b"verify_data:  { 207, 5, cli-0, WRITE: TLSv1.2 Application Data, length = 144";
        assert_eq!(broken_off(line).map(|at| &line[at..at + 6]), Some(&b"cli-0,"[..]));
        assert_eq!(broken_off(b"RandomCookie:  GMT: 1 bytes = { 1, 2 }"), None);
        assert_eq!(broken_off(b"Session ID:  {}"), None);
        assert_eq!(broken_off(b"0000*** Finished"), Some(4));
        assert_eq!(
            broken_off(b"0010: 03 AB cli-0, READ: TLSv1.2 Alert, length = 2"),
            Some(12)
        );
        // Wherever in a row another thread comes in.
        let row = b"0000: 47 45 54 20 2F 73 65 63   72 65 7D 2D 70 61 F4 68  GET /secre.-pa.h";
        assert_eq!(broken_off(row), None);
        for end in [6, 9, 30, 32, 35, 56, 57, 58, 70, row.len()] {
            let broken = [&row[..end], b"srv-1, READ: TLSv1.2 Alert, length = 2"].concat();
            assert_eq!(broken_off(&broken), Some(end), "{}", String::from_utf8_lossy(&broken));
        }
        let without_blank = [&row[..34], b"srv-1, READ: TLSv1.2 Alert, length = 2"].concat();
        assert_eq!(broken_off(&without_blank), Some(34));
        let last = b"0220: FD BD                                              ..%% Invalidated:  [Session-1, NULL]";
        assert_eq!(broken_off(last), Some(59));
    }
}
