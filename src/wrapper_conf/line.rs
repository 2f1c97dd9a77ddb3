//! One line of a wrapper's configuration. Bytes, because a file says its encoding itself (`#encoding=`), and all of those
//! that occur write what is looked for here as ASCII does.

/// What a line is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// `wrapper.java.additional.N=value`.
    Additional { index: u64, value: &'a str },
    /// Another property of the same number, such as `wrapper.java.additional.N.stripquotes`.
    AboutAdditional { index: u64 },
    /// Any other property, its name in lower case: the wrapper does not look at case.
    Property { name: String, value: &'a str },
    /// `#include FILE` or `#include.required FILE`.
    Include(&'a str),
    /// A comment, an empty line, or one that is not text.
    Other,
}

const ADDITIONAL: &str = "wrapper.java.additional.";

/// Reads a line, with or without its end.
pub(super) fn read(line: &[u8]) -> Line<'_> {
    // What is not UTF-8 is in another encoding's letters, which no name of a property has.
    let Ok(text) = std::str::from_utf8(line) else {
        return property(line).unwrap_or(Line::Other);
    };
    let text = text.trim();
    if let Some(rest) = text.strip_prefix("#include") {
        let file = rest.strip_prefix(".required").unwrap_or(rest);
        return match file.strip_prefix([' ', '\t']) {
            Some(file) => Line::Include(file.trim()),
            None => Line::Other,
        };
    }
    if text.starts_with('#') {
        return Line::Other;
    }
    let Some((name, value)) = text.split_once('=') else {
        return Line::Other;
    };
    of_property(name, value.trim())
}

/// The name of a property whose value is in another encoding.
fn property(line: &[u8]) -> Option<Line<'static>> {
    let name = line.split(|byte| *byte == b'=').next()?;
    let name = std::str::from_utf8(name).ok().filter(|_| line.contains(&b'='))?;
    Some(match of_property(name.trim_start(), "") {
        Line::Additional { index, .. } | Line::AboutAdditional { index } => Line::AboutAdditional { index },
        _ => return None,
    })
}

fn of_property<'a>(name: &str, value: &'a str) -> Line<'a> {
    let name = name.trim().to_ascii_lowercase();
    let Some(rest) = name.strip_prefix(ADDITIONAL) else {
        return Line::Property { name, value };
    };
    let (number, about) = rest.split_once('.').map_or((rest, false), |(number, _)| (number, true));
    match number.parse() {
        Ok(index) if about => Line::AboutAdditional { index },
        Ok(index) => Line::Additional { index, value },
        Err(_) => Line::Property { name, value },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_apart() {
        let additional = |index, value| Line::Additional { index, value };
        assert_eq!(
            read(b"wrapper.java.additional.204=-Da=b c\r\n"),
            additional(204, "-Da=b c")
        );
        assert_eq!(
            read(b"  Wrapper.Java.Additional.0999 = -Dx=1"),
            additional(999, "-Dx=1")
        );
        assert_eq!(
            read(b"wrapper.java.additional.7.stripquotes=TRUE"),
            Line::AboutAdditional { index: 7 }
        );
        assert_eq!(
            read(b"wrapper.java.additional.7=-Dname=\xe9"),
            Line::AboutAdditional { index: 7 }
        );
        assert_eq!(read(b"#wrapper.java.additional.7=-Dx=1"), Line::Other);
        assert_eq!(
            read(b"wrapper.java.additional_file=more.conf"),
            Line::Property {
                name: "wrapper.java.additional_file".to_owned(),
                value: "more.conf"
            }
        );
        assert_eq!(
            read(b"#include  %CONF%/custom_wrapper.conf\n"),
            Line::Include("%CONF%/custom_wrapper.conf")
        );
        assert_eq!(read(b"#include.required a.conf"), Line::Include("a.conf"));
        assert_eq!(read(b"#includes are fine"), Line::Other);
        assert_eq!(read(b"#encoding=UTF-8"), Line::Other);
    }
}
