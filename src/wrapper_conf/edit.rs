//! Adding the flag to the bytes of a file, and taking it out again.
//!
//! What is there stays as it is, byte for byte: two lines are put behind it. The first is a comment that says whose they
//! are; it also says where the file had no line end before, so that it has none afterwards.

use super::line::{self, Line};

const MARK: &str =
    "# tlsdebug wrapper enable: the next line prints TLS debug output; tlsdebug wrapper disable removes both.";
const MARK_WITHOUT_END: &str = "# tlsdebug wrapper enable: the next line prints TLS debug output; tlsdebug wrapper disable removes both and this line's start.";

/// The flag that `enable` has put into a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enabled {
    /// The index of its property.
    pub index: u64,
    /// The JVM's option.
    pub flag: String,
}

/// What the lines of ours in a file say; `None`: there are none.
#[must_use]
pub fn enabled(content: &[u8]) -> Option<Enabled> {
    let ours = ours(content)?;
    match line::read(ours.property?) {
        Line::Additional { index, value } => Some(Enabled {
            index,
            flag: value.to_owned(),
        }),
        _ => None,
    }
}

/// The file with the flag as property `index`, in place of one that `enable` has put there before.
#[must_use]
pub fn enable(content: &[u8], index: u64, flag: &str) -> Vec<u8> {
    let mut out = disable(content);
    let end = line_end(&out);
    let is_ended = out.is_empty() || out.ends_with(b"\n");
    if !is_ended {
        out.extend_from_slice(end.as_bytes());
    }
    let mark = if is_ended { MARK } else { MARK_WITHOUT_END };
    out.extend_from_slice(format!("{mark}{end}wrapper.java.additional.{index}={flag}{end}").as_bytes());
    out
}

/// The file without what `enable` has put there; all else is as it is, later edits of others too.
#[must_use]
pub fn disable(content: &[u8]) -> Vec<u8> {
    let Some(ours) = ours(content) else {
        return content.to_vec();
    };
    let (mut before, after) = (&content[..ours.start], &content[ours.end..]);
    // Where somebody has written behind it, their line needs the end before it.
    if ours.had_no_end && after.is_empty() {
        before = before.strip_suffix(ours.line_end).unwrap_or(before);
    }
    [before, after].concat()
}

/// Where our lines are.
struct Ours<'a> {
    start: usize,
    end: usize,
    had_no_end: bool,
    /// That of the first line; what was put before it ends alike.
    line_end: &'static [u8],
    /// The second line; `None`: somebody has removed it or made another of it.
    property: Option<&'a [u8]>,
}

fn ours(content: &[u8]) -> Option<Ours<'_>> {
    let mut start = 0;
    let mut lines = content.split_inclusive(|byte| *byte == b'\n').peekable();
    while let Some(text) = lines.next() {
        let trimmed = text.trim_ascii();
        let had_no_end = trimmed == MARK_WITHOUT_END.as_bytes();
        if had_no_end || trimmed == MARK.as_bytes() {
            let property = lines.next().filter(|next| {
                matches!(line::read(next), Line::Additional { value, .. } if value.starts_with(super::survey::OPTION))
            });
            return Some(Ours {
                start,
                end: start + text.len() + property.map_or(0, <[u8]>::len),
                had_no_end,
                line_end: if text.ends_with(b"\r\n") { b"\r\n" } else { b"\n" },
                property,
            });
        }
        start += text.len();
    }
    None
}

/// That of the file's last line that has one.
fn line_end(content: &[u8]) -> &'static str {
    match memchr::memrchr(b'\n', content) {
        Some(at) if content[..at].ends_with(b"\r") => "\r\n",
        _ => "\n",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FLAG: &str = "-Djavax.net.debug=ssl,handshake";

    /// Files as they occur, and any others: with comments, properties and other encodings' letters, with and without an end.
    fn content() -> impl Strategy<Value = Vec<u8>> {
        let line = prop_oneof![
            Just(b"#encoding=UTF-8".to_vec()),
            Just(b"# wrapper.java.additional.999=-Dold=1".to_vec()),
            (0_u64..1200).prop_map(|index| format!("wrapper.java.additional.{index}=-Dx=1").into_bytes()),
            Just(b"wrapper.java.maxmemory=1024".to_vec()),
            Just(b"wrapper.name=Gr\xf6\xdfe".to_vec()),
            proptest::collection::vec(any::<u8>(), 0..20),
        ];
        let end = prop_oneof![Just(b"\n".to_vec()), Just(b"\r\n".to_vec())];
        (proptest::collection::vec(line, 0..8), end, any::<bool>()).prop_map(|(lines, end, is_ended)| {
            let mut content = lines.join(&end[..]);
            if is_ended {
                content.extend(end);
            }
            content
        })
    }

    proptest! {
        #[test]
        fn disable_is_the_inverse_of_enable(content in content(), index in 1_u64..5000) {
            prop_assert_eq!(disable(&enable(&content, index, FLAG)), content);
        }

        #[test]
        fn what_is_there_stays_in_front(content in content(), index in 1_u64..5000) {
            let written = enable(&content, index, FLAG);
            prop_assert!(written.starts_with(&content));
            prop_assert_eq!(enabled(&written), Some(Enabled { index, flag: FLAG.to_owned() }));
        }

        #[test]
        fn enabling_twice_is_enabling_once(content in content(), index in 1_u64..5000) {
            let once = enable(&content, index, FLAG);
            prop_assert_eq!(enable(&once, index, FLAG), once);
        }

        #[test]
        fn another_flag_takes_the_place_of_the_first(content in content(), index in 1_u64..5000) {
            let other = enable(&enable(&content, index, FLAG), index + 1, "-Djavax.net.debug=ssl,record");
            prop_assert_eq!(disable(&other), content);
        }

        #[test]
        fn lines_that_others_write_meanwhile_stay(content in content(), before in content(), after in content()) {
            let enabled = enable(&content, 999, FLAG);
            let mut before = before;
            if !before.is_empty() {
                before.push(b'\n');
            }
            let edited = [&before[..], &enabled, &after].concat();
            let expected = if after.is_empty() {
                [&before[..], &content].concat()
            } else {
                // The line end that was put behind what was there parts it from what comes now.
                let end = enabled[content.len()..].iter().take_while(|byte| b"\r\n".contains(byte)).count();
                [&before[..], &enabled[..content.len() + end], &after].concat()
            };
            prop_assert_eq!(disable(&edited), expected);
        }

        #[test]
        fn new_lines_end_as_the_others_do(content in content()) {
            let written = enable(&content, 999, FLAG);
            let added = written[content.len()..].to_vec();
            let count = |text: &[u8], of: &[u8]| text.windows(of.len()).filter(|window| *window == of).count();
            let is_crlf = memchr::memrchr(b'\n', &content).is_some_and(|at| content[..at].ends_with(b"\r"));
            prop_assert_eq!(count(&added, b"\r\n") == count(&added, b"\n"), is_crlf);
        }
    }

    #[test]
    fn a_mark_whose_property_somebody_removed_goes_alone() {
        let content = format!("a=1\n{MARK}\nb=2\n");
        assert_eq!(disable(content.as_bytes()), b"a=1\nb=2\n");
        assert_eq!(enabled(content.as_bytes()), None);
    }

    #[test]
    fn a_file_that_an_editor_has_given_other_line_ends_is_undone() {
        let enabled = enable(b"a=1\nb=2", 999, FLAG);
        let converted = String::from_utf8(enabled).expect("ASCII").replace('\n', "\r\n");
        assert_eq!(disable(converted.as_bytes()), b"a=1\r\nb=2");
    }
}
