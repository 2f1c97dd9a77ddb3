//! A report for eyes: the verdict first, then each cause with its proof and its remedy.

use std::fmt::Write as _;

use crate::diagnosis::report::{Certainty, Evidence, Finding, HandshakeCounts, Report, Side, Verdict};

/// Columns of a line; text is wrapped there.
const WIDTH: usize = 100;

/// How text is dressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Characters only.
    Plain,
    /// With the colours of a terminal.
    Coloured,
}

/// The report as text.
#[must_use]
pub fn text(report: &Report, style: Style) -> String {
    text_of_part(report, "", style)
}

/// The same of a report on a part of the input. `missing` says in some words what of the input could not be read, and is empty where nothing is
/// missing: it stands in the first line, for who reads no further must not take a part for the whole.
#[must_use]
pub fn text_of_part(report: &Report, missing: &str, style: Style) -> String {
    let mut out = String::new();
    let (word, colour) = match report.verdict {
        Verdict::AllSucceeded if !missing.is_empty() => ("All handshakes that were read succeeded", Colour::Yellow),
        verdict => self::verdict(verdict),
    };
    let counts = counts(report.handshakes);
    let rest = [counts.as_str(), missing].into_iter().filter(|part| !part.is_empty());
    line(
        &mut out,
        &style.paint(colour, word),
        &rest.collect::<Vec<_>>().join("; "),
    );
    for (index, finding) in report.findings.iter().enumerate() {
        out.push('\n');
        one(&mut out, index, &report.findings, finding, style);
    }
    if !report.warnings.is_empty() {
        out.push('\n');
        for warning in &report.warnings {
            wrapped(&mut out, "Note: ", "      ", warning);
        }
    }
    out
}

fn line(out: &mut String, head: &str, rest: &str) {
    out.push_str(head);
    if !rest.is_empty() {
        out.push_str(": ");
        out.push_str(rest);
    }
    out.push('\n');
}

fn verdict(verdict: Verdict) -> (&'static str, Colour) {
    match verdict {
        Verdict::FailuresFound => ("Failures found", Colour::Red),
        Verdict::AllSucceeded => ("All handshakes succeeded", Colour::Green),
        Verdict::Inconclusive => ("Inconclusive", Colour::Yellow),
        Verdict::NoHandshakes => ("No TLS handshake in this log", Colour::Yellow),
        Verdict::NoDebugOutput => ("No TLS debug output in this log", Colour::Yellow),
    }
}

fn counts(counts: HandshakeCounts) -> String {
    if counts.total == 0 {
        return String::new();
    }
    let mut text = format!("{} handshake{}", counts.total, if counts.total == 1 { "" } else { "s" });
    for (count, what) in [
        (counts.failed, "failed"),
        (counts.succeeded, "succeeded"),
        (counts.incomplete, "without an end in this log"),
    ] {
        if count > 0 {
            let _ = write!(text, ", {count} {what}");
        }
    }
    text
}

fn one(out: &mut String, index: usize, all: &[Finding], finding: &Finding, style: Style) {
    let head = format!("{}. {}", index + 1, finding.cause);
    let times = if finding.count == 1 {
        String::new()
    } else {
        format!(", {} times", finding.count)
    };
    let side = match finding.side {
        Side::Client => "seen as client",
        Side::Server => "seen as server",
    };
    let _ = writeln!(
        out,
        "{} ({}, {side}{times})",
        style.paint(Colour::Bold, &head),
        certainty(finding.certainty)
    );
    wrapped(out, "   ", "   ", &finding.summary);
    out.push('\n');
    wrapped(out, "   Why:  ", "         ", &finding.explanation);
    let same = all[..index]
        .iter()
        .position(|before| before.remedies == finding.remedies);
    let remedies = match same {
        Some(before) if finding.remedies.len() > 1 => &[format!("The same as for {}.", before + 1)][..],
        _ => &finding.remedies,
    };
    for (index, remedy) in remedies.iter().enumerate() {
        wrapped(
            out,
            if index == 0 { "   Do:   - " } else { "         - " },
            "           ",
            remedy,
        );
    }
    let peer = peer(finding);
    if !peer.is_empty() {
        wrapped(out, "   Peer: ", "         ", &peer);
    }
    if let (Some(first), Some(last)) = (&finding.first_seen, &finding.last_seen) {
        let when = if first == last {
            first.clone()
        } else {
            format!("{first} to {last}")
        };
        wrapped(out, "   When: ", "         ", &when);
    }
    if !finding.threads.is_empty() && finding.threads.iter().any(|thread| !thread.is_empty()) {
        wrapped(
            out,
            "   On:   ",
            "         ",
            &format!("thread {}", finding.threads.join(", ")),
        );
    }
    evidence(out, &finding.evidence, style);
}

fn certainty(certainty: Certainty) -> &'static str {
    match certainty {
        Certainty::Proven => "proven",
        Certainty::Likely => "likely",
        Certainty::Possible => "possible",
    }
}

fn peer(finding: &Finding) -> String {
    let name = finding.peer.server_name.clone();
    let subject = finding
        .peer
        .certificate_subject
        .as_ref()
        .map(|subject| format!("certificate \"{subject}\""));
    [name, subject].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn evidence(out: &mut String, lines: &[Evidence], style: Style) {
    let mut source = "";
    let digits = lines
        .iter()
        .map(|line| line.line)
        .max()
        .unwrap_or_default()
        .to_string()
        .len();
    for line in lines {
        if line.source != source {
            source = &line.source;
            let _ = writeln!(out, "   Log:  {source}");
        }
        let number = format!("{:digits$}", line.line);
        let room = WIDTH.saturating_sub(9 + digits + 2);
        let mut rows = rows(&shown(&line.text), room).into_iter();
        let _ = writeln!(
            out,
            "         {}  {}",
            style.paint(Colour::Dim, &number),
            rows.next().unwrap_or_default()
        );
        for row in rows {
            let _ = writeln!(out, "         {:digits$}  {row}", "");
        }
    }
}

/// A record's header without the fields that the report has told already: its level and its message.
fn shown(text: &str) -> String {
    message_of(text).map_or_else(
        || text.trim_end().to_owned(),
        |(level, message)| format!("{level} … {}", message.trim_end_matches(" (")),
    )
}

/// Level and message of a record's header.
pub(super) fn message_of(text: &str) -> Option<(&str, &str)> {
    let (level, rest) = text.strip_prefix("javax.net.ssl|")?.split_once('|')?;
    // The caller is the last field before the message, and the only one of the form File.java:123.
    let message = [".java:", "null:"]
        .iter()
        .find_map(|mark| rest.split_once(mark))
        .and_then(|(_, rest)| rest.split_once('|'));
    Some((level, message?.1))
}

/// A text in rows of this width, three at most, with the log's control characters made harmless.
fn rows(text: &str, width: usize) -> Vec<String> {
    const ROWS: usize = 3;
    let letters: Vec<char> = text
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    let indent = letters.iter().take_while(|letter| **letter == ' ').count().min(8);
    let mut rows: Vec<String> = Vec::new();
    let mut rest = letters.as_slice();
    while !rest.is_empty() {
        let before = if rows.is_empty() { 0 } else { indent + 2 };
        let room = width.saturating_sub(before).max(20);
        let fits = rest.len() <= room;
        let end = if fits {
            rest.len()
        } else {
            rest[..room]
                .iter()
                .rposition(|letter| *letter == ' ')
                .filter(|at| *at > room / 2)
                .unwrap_or(room)
        };
        let mut row: String = std::iter::repeat_n(' ', before)
            .chain(rest[..end].iter().copied())
            .collect();
        let blanks = rest[end..].iter().take_while(|letter| **letter == ' ').count();
        rest = &rest[end + blanks..];
        if rows.len() + 1 == ROWS && !rest.is_empty() {
            row = row.chars().take(width.saturating_sub(1)).collect();
            row.push('…');
            rest = &[];
        }
        rows.push(row.trim_end().to_owned());
    }
    rows
}

fn wrapped(out: &mut String, first: &str, next: &str, text: &str) {
    let mut indent = first;
    let mut row = String::new();
    for word in text.split_whitespace() {
        if !row.is_empty() && indent.chars().count() + row.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(out, "{indent}{row}");
            indent = next;
            row.clear();
        }
        if !row.is_empty() {
            row.push(' ');
        }
        row.extend(
            word.chars()
                .map(|letter| if letter.is_control() { ' ' } else { letter }),
        );
    }
    let _ = writeln!(out, "{indent}{row}");
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Colour {
    Red,
    Green,
    Yellow,
    Bold,
    Dim,
}

impl Style {
    fn paint(self, colour: Colour, text: &str) -> String {
        if self == Style::Plain {
            return text.to_owned();
        }
        let code = match colour {
            Colour::Red => "1;31",
            Colour::Green => "1;32",
            Colour::Yellow => "1;33",
            Colour::Bold => "1",
            Colour::Dim => "2",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_of_text_is_too_long() {
        let mut out = String::new();
        wrapped(&mut out, "   Why:  ", "         ", &"word ".repeat(100));
        assert!(out.lines().all(|line| line.chars().count() <= WIDTH));
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(rows("a\u{1b}[31mb\tc", 40), ["a [31mb c"]);
    }

    #[test]
    fn long_lines_are_wrapped_and_cut() {
        let found = rows(&"word ".repeat(100), 40);
        assert_eq!(found.len(), 3);
        assert!(found.iter().all(|row| row.chars().count() <= 40) && found[2].ends_with('…'));
    }

    #[test]
    fn a_header_is_shown_by_level_and_message() {
        let text = "javax.net.ssl|ERROR|01|a|b|2026-11-23 14:54:54.220 GMT|TransportContext.java:358|Fatal (X): y|z (";
        assert_eq!(shown(text), "ERROR … Fatal (X): y|z");
    }
}
