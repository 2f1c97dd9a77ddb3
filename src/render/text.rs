//! A report for eyes: the verdict first, then each cause with its proof and its remedy.

use std::fmt::Write as _;

use crate::diagnosis::report::{Certainty, Evidence, Finding, HandshakeCounts, Report, Side, Verdict};

/// Columns of a line; evidence lines are cut there, the rest is wrapped.
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
    let mut out = String::new();
    let (word, colour) = verdict(report.verdict);
    line(&mut out, &style.paint(colour, word), &counts(report.handshakes));
    for (number, finding) in (1..).zip(&report.findings) {
        out.push('\n');
        one(&mut out, number, finding, style);
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

fn one(out: &mut String, number: usize, finding: &Finding, style: Style) {
    let head = format!("{number}. {}", finding.cause);
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
    for (index, remedy) in finding.remedies.iter().enumerate() {
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
        let room = WIDTH.saturating_sub(9 + digits + 2);
        let _ = writeln!(
            out,
            "         {}  {}",
            style.paint(Colour::Dim, &format!("{:digits$}", line.line)),
            cut(&line.text, room)
        );
    }
}

/// A text that fits, with the log's control characters made harmless.
fn cut(text: &str, room: usize) -> String {
    let text: String = text
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    if text.chars().count() <= room {
        return text;
    }
    let mut short: String = text.chars().take(room.saturating_sub(1)).collect();
    short.push('…');
    short
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
        assert_eq!(cut("a\u{1b}[31mb\tc", 20), "a [31mb c");
        assert_eq!(cut("abcdef", 4), "abc…");
    }
}
