//! Adding the flag to the bytes of a file, and taking it out again.
//!
//! What is there stays as it is, byte for byte: two lines are put behind it. The first is a comment that says which property
//! is ours, wherever somebody may move it; it also says where the file had no line end before, so that it has none
//! afterwards.

use super::line::{self, Line};
use super::survey::OPTION;

const MARK: &str = "# tlsdebug wrapper enable: property ";
const BEHIND: &str = " prints TLS debug output; tlsdebug wrapper disable removes it and this line.";
const BEHIND_WITHOUT_END: &str =
    " prints TLS debug output; tlsdebug wrapper disable removes it, this line and the line end before it.";

/// The flag that `enable` has put into a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enabled {
    /// The index of its property.
    pub index: u64,
    /// The JVM's option.
    pub flag: String,
}

/// What the lines of ours in a file say; `None`: there are none. Of several the one with the highest index counts.
#[must_use]
pub fn enabled(content: &[u8]) -> Option<Enabled> {
    let lines = lines(content);
    let ours = Ours::among(&lines);
    let properties = ours.properties.iter().filter_map(|at| match line::read(lines[*at]) {
        Line::Additional { index, value } => Some(Enabled {
            index,
            flag: value.to_owned(),
        }),
        _ => None,
    });
    properties.max_by_key(|enabled| enabled.index)
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
    let behind = if is_ended { BEHIND } else { BEHIND_WITHOUT_END };
    out.extend_from_slice(format!("{MARK}{index}{behind}{end}wrapper.java.additional.{index}={flag}{end}").as_bytes());
    out
}

/// The file without what `enable` has put there, however often; all else is as it is, later edits of others too. A property
/// that cannot be told to be ours stays: one of several with the index that is marked, or one whose mark is gone.
#[must_use]
pub fn disable(content: &[u8]) -> Vec<u8> {
    let lines = lines(content);
    let ours = Ours::among(&lines);
    let is_kept = |at: &usize| !ours.marks.iter().any(|mark| mark.at == *at) && !ours.properties.contains(at);
    let mut out: Vec<u8> = (0..lines.len())
        .filter(is_kept)
        .flat_map(|at| lines[at])
        .copied()
        .collect();
    // Where somebody has written behind it, their line needs the end before it.
    let is_last = |mark: &&Mark| mark.had_no_end && !(mark.at..lines.len()).any(|at| is_kept(&at));
    if let Some(mark) = ours.marks.iter().find(is_last) {
        let end: &[u8] = if lines[mark.at].ends_with(b"\r\n") {
            b"\r\n"
        } else {
            b"\n"
        };
        let length = out.strip_suffix(end).unwrap_or(&out).len();
        out.truncate(length);
    }
    out
}

/// The numbers of the lines, from 1, that set what is printed as property `index`.
#[must_use]
pub fn lines_of(content: &[u8], index: u64) -> Vec<usize> {
    let lines = lines(content);
    let numbered = lines.iter().enumerate();
    numbered
        .filter(|(_, line)| sets(line, index))
        .map(|(at, _)| at + 1)
        .collect()
}

fn lines(content: &[u8]) -> Vec<&[u8]> {
    content.split_inclusive(|byte| *byte == b'\n').collect()
}

fn sets(line: &[u8], wanted: u64) -> bool {
    matches!(line::read(line), Line::Additional { index, value } if index == wanted && value.starts_with(OPTION))
}

struct Mark {
    at: usize,
    index: u64,
    had_no_end: bool,
}

impl Mark {
    fn read(at: usize, line: &[u8]) -> Option<Self> {
        let rest = std::str::from_utf8(line).ok()?.trim().strip_prefix(MARK)?;
        let (index, behind) = rest.split_at(rest.find(' ')?);
        let had_no_end = behind == BEHIND_WITHOUT_END;
        let index = index.parse().ok().filter(|_| had_no_end || behind == BEHIND)?;
        Some(Self { at, index, had_no_end })
    }
}

/// Where our lines are.
struct Ours {
    marks: Vec<Mark>,
    /// What they mark, as far as that is there still and can be told.
    properties: Vec<usize>,
}

impl Ours {
    fn among(lines: &[&[u8]]) -> Self {
        let marks: Vec<Mark> = lines
            .iter()
            .enumerate()
            .filter_map(|(at, line)| Mark::read(at, line))
            .collect();
        let is_next = |mark: &&Mark| lines.get(mark.at + 1).is_some_and(|line| sets(line, mark.index));
        let (whole, parted): (Vec<&Mark>, Vec<&Mark>) = marks.iter().partition(is_next);
        let mut properties: Vec<usize> = whole.iter().map(|mark| mark.at + 1).collect();
        // Somebody has written in between, sorted the file, or made another thing of the property.
        for mark in parted {
            let others: Vec<usize> = (0..lines.len())
                .filter(|at| !properties.contains(at) && sets(lines[*at], mark.index))
                .collect();
            if let [property] = others[..] {
                properties.push(property);
            }
        }
        Self { marks, properties }
    }
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
        let content = format!("a=1\n{MARK}999{BEHIND}\nb=2\n");
        assert_eq!(disable(content.as_bytes()), b"a=1\nb=2\n");
        assert_eq!(enabled(content.as_bytes()), None);
    }

    #[test]
    fn a_file_that_an_editor_has_given_other_line_ends_is_undone() {
        let enabled = enable(b"a=1\nb=2", 999, FLAG);
        let converted = String::from_utf8(enabled).expect("ASCII").replace('\n', "\r\n");
        assert_eq!(disable(converted.as_bytes()), b"a=1\r\nb=2");
    }

    #[test]
    fn a_property_that_was_parted_from_its_mark_is_found() {
        let enabled = String::from_utf8(enable(b"a=1\n", 999, FLAG)).expect("ASCII");
        let property = format!("wrapper.java.additional.999={FLAG}\n");
        let parted = enabled.replace(&property, &format!("b=2\n{property}"));
        assert_eq!(disable(parted.as_bytes()), b"a=1\nb=2\n");
        let before = format!("{property}{}", enabled.replace(&property, ""));
        assert_eq!(disable(before.as_bytes()), b"a=1\n");
    }

    #[test]
    fn every_block_goes() {
        let enabled = enable(b"a=1", 999, FLAG);
        let block = &enabled[b"a=1\n".len()..];
        assert_eq!(disable(&[&enabled[..], block].concat()), b"a=1");
        assert_eq!(disable(&[block, b"b=2\n", block, b"c=3\n"].concat()), b"b=2\nc=3\n");
    }

    #[test]
    fn a_property_that_may_be_somebody_elses_stays() {
        let property = format!("wrapper.java.additional.999={FLAG}\n");
        let content = format!("{MARK}999{BEHIND}\na=1\n{property}{property}");
        let left = disable(content.as_bytes());
        assert_eq!(left, format!("a=1\n{property}{property}").as_bytes());
        assert_eq!(lines_of(&left, 999), [2, 3]);
    }
}
