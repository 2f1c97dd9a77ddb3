//! Pieces of text for the page.

use maud::{Markup, html};

use crate::diagnosis::report::{Certainty, Side};
use crate::handshake::Outcome;

/// Text of a log with its control characters made visible: also those that turn the direction of writing around.
pub(super) fn clean(text: &str) -> String {
    text.chars()
        .map(|letter| match letter {
            '\t' => ' ',
            '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(letter)).unwrap_or(' '),
            '\u{7f}' => '\u{2421}',
            '\u{80}'..='\u{9f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}' => '\u{fffd}',
            _ => letter,
        })
        .collect()
}

/// A text of ours, with what stands in backquotes set as code.
pub(super) fn prose(text: &str) -> Markup {
    html! {
        @for (index, part) in text.split('`').enumerate() {
            @if index % 2 == 1 { code { (clean(part)) } } @else { (clean(part)) }
        }
    }
}

/// A number with its thousands apart.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 handshake`, `2 handshakes`.
pub(super) fn counted(number: u64, one: &str) -> String {
    format!("{} {one}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// Bytes in a unit that suits them.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["bytes", "KiB", "MiB", "GiB"];
    let (mut whole, mut rest, mut unit) = (bytes, 0, 0);
    while whole >= 1024 && unit + 1 < UNITS.len() {
        (whole, rest, unit) = (whole / 1024, whole % 1024, unit + 1);
    }
    if unit == 0 || whole >= 10 {
        format!("{} {}", grouped(whole), UNITS[unit])
    } else {
        format!("{whole}.{} {}", rest * 10 / 1024, UNITS[unit])
    }
}

/// The name of an end.
pub(super) fn end(side: Side) -> &'static str {
    match side {
        Side::Client => "client",
        Side::Server => "server",
    }
}

/// The other end.
pub(super) fn other(side: Side) -> Side {
    match side {
        Side::Client => Side::Server,
        Side::Server => Side::Client,
    }
}

/// How an outcome is told, with the class that colours it and the sign that does not need colour.
pub(super) fn outcome(outcome: Outcome) -> (&'static str, &'static str, &'static str) {
    match outcome {
        Outcome::Succeeded => ("succeeded", "good", "✓"),
        Outcome::Failed => ("failed", "bad", "✕"),
        Outcome::Open => ("no end in the log", "open", "…"),
    }
}

/// How sure a finding is.
pub(super) fn certainty(certainty: Certainty) -> Markup {
    let (word, filled, meaning) = match certainty {
        Certainty::Proven => ("Proven", 3, "The log shows the cause itself."),
        Certainty::Likely => ("Likely", 2, "One explanation fits everything seen."),
        Certainty::Possible => ("Possible", 1, "This end cannot tell; the other end's log can."),
    };
    html! {
        span .badge.certainty title=(meaning) {
            span .dots aria-hidden="true" { @for dot in 0..3 { span .full[dot < filled] {} } }
            (word)
        }
    }
}

/// A distinguished name: its common name (or its first part), then the rest.
pub(super) fn name(name: &str) -> (String, String) {
    let parts: Vec<&str> = name.split(", ").collect();
    let at = parts.iter().position(|part| part.starts_with("CN=")).unwrap_or(0);
    let rest: Vec<&str> = parts
        .iter()
        .enumerate()
        .filter(|(index, _)| *index != at)
        .map(|(_, part)| *part)
        .collect();
    let head = parts.get(at).copied().unwrap_or_default();
    (clean(head.strip_prefix("CN=").unwrap_or(head)), clean(&rest.join(", ")))
}

/// A sentence with a capital letter, unless it begins with a command or the name of a setting.
pub(super) fn capital(text: &str) -> String {
    let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
    if first.contains('.') && !first.ends_with('.') || rest.starts_with('-') {
        return text.to_owned();
    }
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_deceive_are_made_visible() {
        assert_eq!(clean("a\u{1b}[31m\u{202e}b\0"), "a␛[31m\u{fffd}b␀");
    }

    #[test]
    fn commands_and_settings_keep_their_case() {
        assert_eq!(capital("set it"), "Set it");
        assert_eq!(capital("keytool -list"), "keytool -list");
        assert_eq!(capital("watt.net.proxy alone"), "watt.net.proxy alone");
    }

    #[test]
    fn numbers() {
        assert_eq!(
            (grouped(999), grouped(1_234_567)),
            ("999".to_owned(), "1,234,567".to_owned())
        );
        assert_eq!(
            (size(17), size(1536), size(700 << 20)),
            ("17 bytes".into(), "1.5 KiB".into(), "700 MiB".into())
        );
    }

    #[test]
    fn the_common_name_stands_first() {
        assert_eq!(
            name("O=Lab, CN=host, C=ZZ"),
            ("host".to_owned(), "O=Lab, C=ZZ".to_owned())
        );
        assert_eq!(name("O=Lab"), ("O=Lab".to_owned(), String::new()));
    }
}
