//! What carries a line: container runtimes, kubectl, service wrappers, loggers. Stripped line by line, detected, nested.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter, memmem};

use super::json::Json;
use super::legacy::threaded::split_thread;
use super::modern::LOGGER;
use super::prefix::{PREFIX_LIMIT, Prefixes};
use super::signs::{Sign, Signs};
use super::{expand, system_logger};

/// Carriers nested deeper than this are not looked for.
const DEPTH: usize = 4;
/// A line whose end a runtime has not delivered yet is cut here.
const PARTIAL_LIMIT: usize = 64 * 1024;
/// Beginnings of lines of the legacy layouts that nothing else prints, whatever stands before them.
const LEGACY: [&[u8]; 4] = [
    b"*** ClientHello, ",
    b"*** ServerHello, ",
    b"adding as trusted cert:",
    b"*** Certificate chain",
];

/// Takes the carriers off the lines of one source.
#[derive(Debug, Clone, Default)]
pub(super) struct Carrier {
    partial: Vec<u8>,
    prefixes: Prefixes,
    /// A record has begun.
    begun: bool,
    colours: Vec<u8>,
}

impl Carrier {
    /// Calls back with each line that this one carries: none while a runtime holds back its end.
    pub(super) fn strip(&mut self, line: &[u8], signs: Signs, carried: &mut dyn FnMut(&[u8], Signs)) {
        if signs.find(Sign::Escape, line).is_some() {
            let mut plain = std::mem::take(&mut self.colours);
            plain.clear();
            without_colours(line, &mut plain);
            self.strip_known(&plain, Signs::UNKNOWN, DEPTH, carried);
            self.colours = plain;
        } else if line.starts_with(LOGGER) {
            self.begun = true;
            self.prefixes.begin_bare();
            carried(line, signs);
        } else {
            self.strip_known(line, signs, DEPTH, carried);
        }
    }

    /// A record has begun: how far the log is indented would have shown.
    pub(super) fn begin(&mut self) {
        self.begun = true;
    }

    /// Whether no prefix has been learned.
    pub(super) fn knows_no_prefix(&self) -> bool {
        self.prefixes.is_empty()
    }

    /// The input has ended, or lines are missing behind this one: calls back with what a runtime held back.
    pub(super) fn finish(&mut self, carried: &mut dyn FnMut(&[u8], Signs)) {
        if !self.partial.is_empty() {
            self.release(DEPTH, carried);
        }
    }

    fn strip_known(&mut self, mut line: &[u8], signs: Signs, depth: usize, carried: &mut dyn FnMut(&[u8], Signs)) {
        for _ in 0..depth {
            match line.first() {
                Some(b'[') => match pod(line).or_else(|| web_sphere(line)) {
                    Some(rest) => line = rest,
                    None => break,
                },
                Some(b'0'..=b'9') => {
                    let Some(rest) = rfc3339(line) else { break };
                    match runtime_tag(rest) {
                        Some((true, rest)) => return self.hold(rest),
                        Some((false, rest)) if self.partial.is_empty() => line = rest,
                        Some((false, rest)) => {
                            self.hold(rest);
                            return self.release(depth, carried);
                        }
                        None => line = rest,
                    }
                }
                Some(b'{') if matches!(line.get(1), Some(b'"' | b' ')) => {
                    let Some(json) = Json::read(line) else { break };
                    return self.json(&json, depth, carried);
                }
                Some(b'I') if line.starts_with(b"ISSERVER||") => line = line.get(10..).unwrap_or_default(),
                Some(b'A'..=b'Z' | b'j' | b'm') => match service_wrapper(line) {
                    Some(rest) => line = rest,
                    None => break,
                },
                _ => break,
            }
        }
        match embedded_json(line) {
            Some(json) if depth > 0 => self.json(&json, depth, carried),
            _ => self.strip_learned(line, signs, carried),
        }
    }

    fn json(&mut self, json: &Json<'_>, depth: usize, carried: &mut dyn FnMut(&[u8], Signs)) {
        let text = json.message.as_bytes();
        if json.is_piece {
            return self.hold(text);
        }
        if !self.partial.is_empty() && json.is_of_runtime {
            self.hold(text.strip_suffix(b"\n").unwrap_or(text));
            return self.release(depth, carried);
        }
        for line in text.strip_suffix(b"\n").unwrap_or(text).split(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            self.strip_known(line, Signs::UNKNOWN, depth - 1, carried);
        }
    }

    fn hold(&mut self, piece: &[u8]) {
        let room = PARTIAL_LIMIT.saturating_sub(self.partial.len());
        self.partial.extend_from_slice(piece.get(..room).unwrap_or(piece));
    }

    fn release(&mut self, depth: usize, carried: &mut dyn FnMut(&[u8], Signs)) {
        let whole = std::mem::take(&mut self.partial);
        self.strip_known(&whole, Signs::UNKNOWN, depth - 1, carried);
        self.partial = whole;
        self.partial.clear();
    }

    fn strip_learned(&mut self, line: &[u8], signs: Signs, carried: &mut dyn FnMut(&[u8], Signs)) {
        match start(line, signs) {
            Some(at) => {
                self.begun = true;
                hand_over(self.prefixes.begin(line, at), signs, carried);
            }
            // The log may be indented: that shows only where its first record begins.
            None if !self.begun => carried(line.trim_ascii_start(), signs),
            None if self.prefixes.is_empty() => carried(line, signs),
            None => {
                if let Some(text) = self.prefixes.strip(line) {
                    hand_over(text, signs, carried);
                }
            }
        }
    }
}

/// Calls back with a text that is a part of a line with these signs, or what its escapes mean.
fn hand_over(text: Cow<'_, [u8]>, signs: Signs, carried: &mut dyn FnMut(&[u8], Signs)) {
    match text {
        Cow::Borrowed(text) => carried(text, signs),
        Cow::Owned(text) => text
            .split(|byte| *byte == b'\n')
            .for_each(|line| carried(line, Signs::UNKNOWN)),
    }
}

/// Whether a line begins as those within a record do, and as nothing does that carries another.
#[inline]
pub(super) fn is_bare(line: &[u8]) -> bool {
    matches!(line.first(), Some(b' ' | b'\t' | b'"' | b')' | b'}'))
}

/// Where in a line that nothing known carries a record begins.
fn start(line: &[u8], signs: Signs) -> Option<usize> {
    modern_start(line, signs)
        .or_else(|| system_logger::start(line, signs.find(Sign::ClassName, line)?))
        .filter(|at| *at <= PREFIX_LIMIT)
        .or_else(|| legacy_start(line, signs))
}

/// A header, or the first field of an expanded one.
fn modern_start(line: &[u8], signs: Signs) -> Option<usize> {
    const NAME: usize = LOGGER.len() - 1;
    let mut from = 0;
    while let Some(found) = signs.find(Sign::Logger, &line[from..]) {
        let at = from + found;
        match line.get(at + NAME) {
            Some(b'|') => return Some(at),
            Some(b'"' | b'\\') => {
                if let Some(field) = expand::start(line, at..at + NAME) {
                    return Some(field);
                }
            }
            _ => {}
        }
        from = at + NAME;
    }
    None
}

fn legacy_start(line: &[u8], signs: Signs) -> Option<usize> {
    if !signs.may_hold(Sign::Stars) && !signs.may_hold(Sign::Adding) {
        return None;
    }
    if line.starts_with(b"***") {
        return Some(0);
    }
    let head = line.get(..PREFIX_LIMIT).unwrap_or(line);
    LEGACY.iter().find_map(|start| memmem::find(head, start))
}

/// An object behind what a shipper writes before it: `TIME TAG: {"log": …}` of Fluentd, `[0] TAG: [[TIME, {}], {"log": …}]` of
/// Fluent Bit.
fn embedded_json(line: &[u8]) -> Option<Json<'_>> {
    let object = line.strip_suffix(b"]").unwrap_or(line);
    if object.last() != Some(&b'}') || is_bare(line) {
        return None;
    }
    let at = memmem::find(object, b" {\"").or_else(|| memmem::find(object, b"\t{\""))?;
    let (before, object) = (&object[..at], &object[at + 1..]);
    // What a JVM says of an error may end in an object that the other end has sent.
    let is_message = Sign::Logger.find(before).is_some()
        || memmem::find(before, b"Exception: ").is_some()
        || split_thread(before).is_some();
    if is_message {
        return None;
    }
    Json::read(object)
}

/// `kubectl logs --prefix`: `[pod/NAME/CONTAINER] TEXT`.
fn pod(line: &[u8]) -> Option<&[u8]> {
    if !line.starts_with(b"[pod/") {
        return None;
    }
    after_bracket(line)
}

/// What stands behind the first `] `.
fn after_bracket(line: &[u8]) -> Option<&[u8]> {
    let end = memchr_iter(b']', line).find(|end| line.get(end + 1) == Some(&b' '))?;
    line.get(end + 2..)
}

/// `SystemOut.log` of WebSphere: `[3/9/19 20:10:27:031 UTC] 00000087 SystemOut     O TEXT`.
fn web_sphere(line: &[u8]) -> Option<&[u8]> {
    let rest = after_bracket(line)?;
    let (id, rest) = rest.split_at_checked(9)?;
    if !id[..8].iter().all(u8::is_ascii_hexdigit) || id[8] != b' ' {
        return None;
    }
    let rest = rest
        .strip_prefix(b"SystemOut")
        .or_else(|| rest.strip_prefix(b"SystemErr"))?;
    let kind = rest.trim_ascii_start();
    matches!(kind.first(), Some(b'O' | b'R')).then(|| kind.get(2..).unwrap_or_default())
}

/// `2026-11-23T14:56:39.100000000Z TEXT`, as kubectl and the CRI write it; the offset may be a number.
fn rfc3339(line: &[u8]) -> Option<&[u8]> {
    const SHAPE: &[u8] = b"dddd-dd-ddTdd:dd:dd";
    let head = line.get(..SHAPE.len())?;
    let fits = SHAPE.iter().zip(head).all(|(shape, byte)| {
        if *shape == b'd' {
            byte.is_ascii_digit()
        } else {
            shape == byte
        }
    });
    if !fits {
        return None;
    }
    let end = SHAPE.len()
        + memchr(b' ', line.get(SHAPE.len()..40.min(line.len()))?).unwrap_or(line.len().min(40) - SHAPE.len());
    let zone = line.get(SHAPE.len()..end)?;
    let zone = zone
        .strip_prefix(b".")
        .map_or(zone, |fraction| fraction.trim_ascii_start());
    let zone = &zone[zone.iter().take_while(|byte| byte.is_ascii_digit()).count()..];
    let offset = zone == b"Z" || (zone.len() == 6 && matches!(zone[0], b'+' | b'-') && zone[3] == b':');
    // A shipper may have lost the blank before an empty text.
    offset.then(|| line.get(end + 1..).unwrap_or_default())
}

/// The CRI's `stderr F TEXT`; whether the line's end is still to come, and the text.
fn runtime_tag(text: &[u8]) -> Option<(bool, &[u8])> {
    let rest = text
        .strip_prefix(b"stderr ")
        .or_else(|| text.strip_prefix(b"stdout "))?;
    let end = memchr(b' ', rest).unwrap_or(rest.len());
    let tags = &rest[..end];
    let partial = tags.split(|byte| *byte == b':').any(|tag| tag == b"P");
    let full = tags.split(|byte| *byte == b':').any(|tag| tag == b"F");
    (partial || full).then(|| (partial, rest.get(end + 1..).unwrap_or_default()))
}

/// Tanuki's Java Service Wrapper: columns set off by ` | `, of which one is `jvm N`.
fn service_wrapper(line: &[u8]) -> Option<&[u8]> {
    let head = line.get(..28).unwrap_or(line);
    let jvm = memchr_iter(b'j', head).find(|at| head[*at..].starts_with(b"jvm "))?;
    if !line[..jvm]
        .iter()
        .all(|byte| byte.is_ascii_uppercase() || matches!(byte, b' ' | b'|' | b'0'..=b'9'))
    {
        return None;
    }
    let mut rest = after_column(line.get(jvm..)?)?;
    // Times, process ids and the thread's column may follow.
    while let Some(next) = after_column(rest) {
        let column = rest[..rest.len() - next.len()].trim_ascii();
        let column = column.strip_suffix(b"|").unwrap_or(column).trim_ascii();
        let known = !column.is_empty()
            && (column == b"main"
                || column
                    .iter()
                    .all(|byte| matches!(byte, b'0'..=b'9' | b'/' | b':' | b'.' | b'-' | b' ')));
        if !known {
            break;
        }
        rest = next;
    }
    Some(rest)
}

fn after_column(line: &[u8]) -> Option<&[u8]> {
    let end = memchr(b'|', line.get(..40.min(line.len()))?)?;
    if end == 0 || line[end - 1] != b' ' {
        return None;
    }
    match line.get(end + 1) {
        None => Some(&[]),
        Some(b' ') => line.get(end + 2..),
        Some(_) => None,
    }
}

/// Leaves out escape sequences `ESC [ … letter` (ECMA-48).
fn without_colours(line: &[u8], plain: &mut Vec<u8>) {
    let mut rest = line;
    while let Some(at) = memchr(0x1b, rest) {
        plain.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(sequence) = rest.strip_prefix(b"[") {
            let end = sequence
                .iter()
                .position(|byte| (0x40..=0x7e).contains(byte))
                .map_or(sequence.len(), |end| end + 1);
            rest = &sequence[end..];
        }
    }
    plain.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carried(lines: &[&str]) -> Vec<String> {
        let mut carrier = Carrier {
            begun: true,
            ..Carrier::default()
        };
        let mut found = Vec::new();
        for line in lines {
            carrier.strip(line.as_bytes(), Signs::UNKNOWN, &mut |text, _| {
                found.push(String::from_utf8_lossy(text).into_owned());
            });
        }
        found
    }

    #[test]
    fn kubernetes() {
        assert_eq!(
            carried(&[
                "2026-11-23T14:56:39.100000000Z stderr F )",
                "2026-11-23T14:56:39.1+01:00 x",
                "[pod/orders-1/msr] 2026-11-23T14:56:39Z   y",
                "2026-11-23T14:56:39.100000000Z stderr P first ",
                "2026-11-23T14:56:39.100000000Z stderr F second",
                "2026-11-23T14:56:39.100000000Z ",
            ]),
            [")", "x", "  y", "first second", ""]
        );
    }

    #[test]
    fn docker_and_json_encoders() {
        assert_eq!(
            carried(&[
                r#"{"log":"  \"ClientHello\": {\n","stream":"stderr","time":"2019-01-01T11:11:11.1Z"}"#,
                &format!(r#"{{"log":"{}","stream":"stderr"}}"#, "x".repeat(16384)),
                r#"{"log":"line\n","stream":"stderr"}"#,
                r#"{"log":"a shipper took the line end off","stream":"stderr"}"#,
                r#"{"level":"ERROR","message":"a\nb"}"#,
            ]),
            [
                "  \"ClientHello\": {",
                &("x".repeat(16384) + "line"),
                "a shipper took the line end off",
                "a",
                "b"
            ]
        );
    }

    #[test]
    fn a_header_carries_nothing_else() {
        let header = r#"javax.net.ssl|DEBUG|10|main|2026-11-23 14:54:54.556 GMT|X.java:1|was {"log":"x"}"#;
        assert_eq!(carried(&[header]), [header]);
        assert_eq!(carried(&[r#"was {"log":"x"}"#]), ["x"]);
        let exceptions = [
            r#"main, fatal error: 46: refused {"code":1,"message":"no"}"#,
            r#"java.security.cert.CertificateException: refused {"code":1,"message":"no"}"#,
        ];
        for line in [header].into_iter().chain(exceptions) {
            assert_eq!(carried(&[line]), [line]);
            assert_eq!(carried(&[&format!("2026-11-23T14:56:39.1Z stderr F {line}")]), [line]);
            let json = serde_json::json!({"log": format!("{line}\n"), "stream": "stderr"});
            assert_eq!(carried(&[&json.to_string()]), [line]);
        }
        assert_eq!(carried(&[&format!("host java[7]: {header}")]), [header]);
    }

    #[test]
    fn service_wrappers() {
        assert_eq!(
            carried(&[
                "INFO   | jvm 1    | 2026/11/23 15:06:08 |   \"random\"",
                "INFO   | jvm 1    | 2026/11/23 15:06:08 | ",
                "jvm 1    | javax.net.ssl|DEBUG|x",
                "[3/9/19 20:10:27:031 UTC] 00000087 SystemOut     O ***",
                "STATUS | wrapper  | 2026/11/23 15:06:08 | Launching a JVM...",
            ]),
            [
                "  \"random\"",
                "",
                "javax.net.ssl|DEBUG|x",
                "***",
                "STATUS | wrapper  | 2026/11/23 15:06:08 | Launching a JVM..."
            ]
        );
    }

    #[test]
    fn a_prefix_is_learned_from_headers() {
        assert_eq!(
            carried(&[
                "14:29:27,678 ERROR [stderr] (default I/O-2) javax.net.ssl|DEBUG|x (",
                "14:29:28,001 ERROR [stderr] (default I/O-12) )",
                "14:29:28,001 ERROR [stderr] (default I/O-2)",
                "something else",
            ]),
            ["javax.net.ssl|DEBUG|x (", ")", "", "something else"]
        );
    }

    #[test]
    fn a_prefix_is_learned_from_other_layouts() {
        assert_eq!(
            carried(&[
                "14:29:27,678 ERROR [stderr] (default I/O-2) {",
                "14:29:27,678 ERROR [stderr] (default I/O-2)   \"logger\"      : \"javax.net.ssl\",",
                "14:29:27,679 ERROR [stderr] (default I/O-2)   \"level\"       : \"ERROR\",",
                "host java[7]: Nov 23, 2026 2:57:06 PM sun.security.ssl.SSLLogger log",
                "host java[7]: SEVERE: Fatal (CERTIFICATE_UNKNOWN): x",
                "Caused by: javax.net.ssl.SSLHandshakeException: Nov 23, 2026 2:57:06 PM",
            ]),
            [
                "14:29:27,678 ERROR [stderr] (default I/O-2) {",
                "  \"logger\"      : \"javax.net.ssl\",",
                "  \"level\"       : \"ERROR\",",
                "Nov 23, 2026 2:57:06 PM sun.security.ssl.SSLLogger log",
                "SEVERE: Fatal (CERTIFICATE_UNKNOWN): x",
                "Caused by: javax.net.ssl.SSLHandshakeException: Nov 23, 2026 2:57:06 PM",
            ]
        );
    }

    #[test]
    fn a_line_that_another_thread_has_broken_off_is_no_prefix() {
        assert_eq!(
            carried(&[
                "RandomCookie:  adding as trusted cert:",
                "RandomCookie:  GMT: 1 bytes = { 1 }"
            ]),
            ["adding as trusted cert:", "RandomCookie:  GMT: 1 bytes = { 1 }"]
        );
    }

    #[test]
    fn colours() {
        assert_eq!(carried(&["\u{1b}[31m)\u{1b}[0m"]), [")"]);
    }
}
