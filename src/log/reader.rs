//! The push parser: bytes in any split, events out.

use super::carrier::{Carrier, is_bare};
use super::encoding::Decoder;
use super::expand::{Expand, Step};
use super::legacy::Legacy;
use super::lines::Lines;
use super::modern::{self, LOGGER, Message};
use super::payload::{INTERNAL_CAUSE, Payload};
use super::signs::{Sign, Signs};
use super::{Event, Origin, system_logger};

/// A record that has not closed after so many lines was cut off.
const RECORD_LIMIT: u64 = 200_000;

/// The first half of a broken header is cut here.
const HALF_LIMIT: usize = 512;

/// How the open record's payload ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Closing {
    /// At a line that is `)`.
    Parenthesis,
    /// At a line `  ]`, indented by two.
    Bracket,
    /// At the next record.
    NextRecord,
    /// Not before it has begun: the message goes on, and its last line opens the payload.
    Later,
}

#[derive(Debug, Clone)]
struct Open {
    payload: Payload,
    origin: Origin,
    closing: Closing,
}

/// Reads one log source.
#[derive(Debug, Clone, Default)]
pub struct Reader {
    decoder: Decoder,
    lines: Lines,
    parser: Parser,
    bytes: u64,
}

#[derive(Debug, Clone, Default)]
struct Parser {
    carrier: Carrier,
    layouts: Layouts,
}

/// Reads lines from which the carriers are taken off.
#[derive(Debug, Clone, Default)]
struct Layouts {
    number: u64,
    records: u64,
    open: Option<Open>,
    /// A header of two lines has begun.
    two_lines: Option<Origin>,
    /// The first half of a header that a thread's name or a shipper broke in two.
    half: Vec<u8>,
    expand: Expand,
    legacy: Legacy,
}

impl Reader {
    /// Takes the next bytes, in any split, and calls back with what they say.
    pub fn feed(&mut self, bytes: &[u8], mut event: impl FnMut(Event)) {
        self.bytes += bytes.len() as u64;
        let Self {
            decoder, lines, parser, ..
        } = self;
        decoder.feed(bytes, |decoded| {
            lines.feed(decoded, |line, signs| parser.line(line, signs, &mut event));
        });
    }

    /// The input has ended: calls back with what was still open.
    pub fn finish(&mut self, mut event: impl FnMut(Event)) {
        let Self {
            decoder, lines, parser, ..
        } = self;
        decoder.finish(|decoded| lines.feed(decoded, |line, signs| parser.line(line, signs, &mut event)));
        lines.finish(|line, signs| parser.line(line, signs, &mut event));
        parser.finish(&mut event);
    }

    /// Lines read.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.parser.layouts.number
    }

    /// Bytes read.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Records of debug output seen: headers of the modern layouts, lines of the legacy ones.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.parser.layouts.records
    }
}

impl Parser {
    #[inline]
    fn line(&mut self, line: &[u8], signs: Signs, emit: &mut dyn FnMut(Event)) {
        self.layouts.number += 1;
        // Most lines of a debug log: they can carry nothing, so they go straight to the record that is open.
        let within = is_bare(line) && self.carrier.knows_no_prefix() && self.layouts.is_within_record(signs);
        if !(within && self.layouts.inner_line(line)) {
            self.outer_line(line, signs, within, emit);
        }
    }

    /// What was begun does not go on.
    fn finish(&mut self, emit: &mut dyn FnMut(Event)) {
        let Self { carrier, layouts } = self;
        carrier.finish(&mut |text, signs| layouts.text(text, signs, emit));
        layouts.close(emit);
        layouts.legacy.finish(emit);
        layouts.two_lines = None;
        layouts.half.clear();
        layouts.expand = Expand::default();
    }

    /// Any other line; whether it can only be one of the open record is known.
    fn outer_line(&mut self, line: &[u8], signs: Signs, within: bool, emit: &mut dyn FnMut(Event)) {
        let Self { carrier, layouts } = self;
        if layouts.open.is_some() {
            carrier.begin();
        }
        if within && layouts.payload_line(line.trim_ascii_end(), emit) {
            return;
        }
        carrier.strip(line, signs, &mut |text, signs| layouts.text(text, signs, emit));
    }
}

impl Layouts {
    fn text(&mut self, text: &[u8], signs: Signs, emit: &mut dyn FnMut(Event)) {
        // Terminals and editors pad lines.
        let text = text.trim_ascii_end();
        if !self.half.is_empty() {
            let mut whole = std::mem::take(&mut self.half);
            whole.push(b' ');
            whole.extend_from_slice(text);
            if modern::header(&whole).is_some() {
                return self.text(&whole, Signs::UNKNOWN, emit);
            }
        }
        if text.starts_with(LOGGER) {
            let Some(header) = modern::header(text) else {
                self.half.extend_from_slice(text.get(..HALF_LIMIT).unwrap_or(text));
                return;
            };
            self.close(emit);
            self.records += 1;
            let message = modern::message(header.message);
            let relevant = message != Message::Ignored;
            let goes_on = relevant && header.message.trim_ascii_end().ends_with(INTERNAL_CAUSE.as_bytes());
            if header.opens || relevant {
                let origin = if relevant {
                    header.origin(self.number)
                } else {
                    Origin::new(self.number)
                };
                let payload = Payload::begin(message, text, self.number);
                self.open = Some(Open {
                    payload,
                    origin,
                    closing: if goes_on { Closing::Later } else { Closing::Parenthesis },
                });
                if !header.opens && !goes_on {
                    self.close(emit);
                }
            }
            return;
        }
        if self.two_lines.is_some() {
            self.second_line(text, emit);
            return;
        }
        if let Some(at) = signs.find(Sign::ClassName, text)
            && system_logger::is_first(text, at)
        {
            self.close(emit);
            self.two_lines = Some(Origin::of(self.number, b"", b"", &text[..at]));
            return;
        }
        if self.open.is_some() && self.payload_line(text, emit) {
            return;
        }
        match self.expand.line(text, self.number) {
            Step::Other => {}
            Step::Taken | Step::Opens => return,
            Step::Message(message) => return self.expanded(&message, text, emit),
        }
        if self.expand.is_open() {
            return;
        }
        let number = self.number;
        if self.legacy.line(text, number, emit) {
            self.records += 1;
        }
    }

    /// Whether a line with these signs can only be one of the open record, if any.
    #[inline]
    fn is_within_record(&self, signs: Signs) -> bool {
        self.open.is_some() && self.half.is_empty() && self.two_lines.is_none() && signs == Signs::NONE
    }

    /// Takes a line of the open record that can neither close nor break it off; answers whether it is one.
    #[inline]
    fn inner_line(&mut self, line: &[u8]) -> bool {
        let Some(open) = &mut self.open else { return false };
        let inner = open.closing == Closing::Parenthesis
            && line.first() != Some(&b')')
            && self.number - open.origin.line <= RECORD_LIMIT;
        if inner {
            open.payload.line(line.trim_ascii_end(), self.number);
        }
        inner
    }

    /// Takes a line of the open record; answers whether it belongs there.
    fn payload_line(&mut self, text: &[u8], emit: &mut dyn FnMut(Event)) -> bool {
        let Some(open) = &mut self.open else { return false };
        if open.closing == Closing::Later && text.starts_with(b"\t") {
            let rest = text.strip_suffix(b" (");
            if rest.is_some() {
                open.closing = Closing::Parenthesis;
            }
            open.payload.line(rest.unwrap_or(text), self.number);
            return true;
        }
        let closes = match open.closing {
            Closing::Parenthesis => text == b")",
            Closing::Bracket => text == b"  ]" || text == b"}",
            Closing::NextRecord => false,
            Closing::Later => true,
        };
        if closes || self.number - open.origin.line > RECORD_LIMIT {
            let taken = closes && open.closing != Closing::Later;
            self.close(emit);
            return taken;
        }
        if open.closing == Closing::Bracket && text.starts_with(b"  \"specifics\"") {
            return true;
        }
        let text = if open.closing == Closing::Bracket {
            text.strip_prefix(b"  ").unwrap_or(text)
        } else {
            text
        };
        if text.starts_with(b"{") || text.starts_with(b"***") {
            // The record was cut off and another layout begins.
            self.close(emit);
            return false;
        }
        open.payload.line(text, self.number);
        true
    }

    /// The message line of an expanded record; whether a payload follows shows only the next line.
    fn expanded(&mut self, message: &str, line: &[u8], emit: &mut dyn FnMut(Event)) {
        self.close(emit);
        self.records += 1;
        let origin = self.expand.take();
        let message = modern::message(message.as_bytes());
        let payload = Payload::begin(message, line, self.number);
        self.open = Some(Open {
            payload,
            origin,
            closing: Closing::Bracket,
        });
    }

    /// The second line of a record through `java.util.logging`.
    fn second_line(&mut self, text: &[u8], emit: &mut dyn FnMut(Event)) {
        let Some(origin) = self.two_lines.take() else { return };
        let Some(message) = system_logger::message(text) else {
            return;
        };
        self.records += 1;
        let has_payload = message.ends_with(b":");
        let kind = modern::message(message.strip_suffix(b":").unwrap_or(message));
        if kind == Message::Ignored && !has_payload {
            return;
        }
        let payload = Payload::begin(kind, text, self.number);
        self.open = Some(Open {
            payload,
            origin,
            closing: Closing::NextRecord,
        });
        if !has_payload {
            self.close(emit);
        }
    }

    /// The open record is over: tells what it said.
    fn close(&mut self, emit: &mut dyn FnMut(Event)) {
        if let Some(Open { payload, origin, .. }) = self.open.take()
            && let Some((kind, lines)) = payload.finish()
        {
            emit(Event { origin, kind, lines });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Kind, Sender};

    fn events(log: &str) -> Vec<Event> {
        let mut found = Vec::new();
        let mut reader = Reader::default();
        reader.feed(log.as_bytes(), |event| found.push(event));
        reader.finish(|event| found.push(event));
        found
    }

    const HELLO: &str = "javax.net.ssl|DEBUG|10|a|b|2026-11-23 14:54:54.556 GMT|X.java:1|Consuming ClientHello handshake message (\n\
                         \"ClientHello\": {\n  \"random\" : \"AB\",\n}\n)\n";

    #[test]
    fn a_record_closes_at_its_parenthesis() {
        let mut reader = Reader::default();
        let mut found = Vec::new();
        reader.feed(HELLO.as_bytes(), |event| found.push(event));
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].origin.line, found[0].origin.thread()), (1, "a|b"));
        assert!(
            matches!(&found[0].kind, Kind::ClientHello { sender: Sender::Peer, hello, .. } if hello.random == "ab")
        );
    }

    #[test]
    fn a_header_in_two_halves_is_joined() {
        let broken = HELLO.replacen("a|b|", "a\nb|", 1);
        let found = events(&broken);
        assert_eq!((found.len(), found[0].origin.thread()), (1, "a b"));
    }

    #[test]
    fn a_record_that_is_cut_off_ends_at_the_next_header() {
        let log = HELLO.replace("\n)\n", "\n") + HELLO;
        assert_eq!(events(&log).len(), 2);
    }

    #[test]
    fn what_was_begun_ends_where_lines_are_missing() {
        let begun = [
            "javax.net.ssl|DEBUG|10|a\n",
            "Nov 23, 2026 2:57:06 PM sun.security.ssl.SSLLogger log\n",
            "{\n  \"logger\"      : \"javax.net.ssl\",\n",
            "2026-11-23T14:56:39.1Z stderr P held back\n",
        ];
        for begun in begun {
            let mut found = Vec::new();
            let mut reader = Reader::default();
            reader.feed(begun.as_bytes(), |event| found.push(event));
            reader.finish(|event| found.push(event));
            let hello = "2026-11-23T14:56:39.1Z stderr F *** ClientHello, TLSv1.2\n***\n";
            reader.feed(hello.as_bytes(), |event| found.push(event));
            reader.finish(|event| found.push(event));
            assert!(
                matches!(
                    found[..],
                    [Event {
                        kind: Kind::ClientHello { .. },
                        ..
                    }]
                ),
                "{begun}: {found:?}"
            );
        }
        let last = "2026-11-23T14:56:39.1Z stderr P main, SEND TLSv1.2 ALERT:  fatal, description = bad_certificate";
        assert!(matches!(events(last)[0].kind, Kind::AlertSent(_)));
    }

    #[test]
    fn the_expanded_form() {
        let log = "{\n  \"logger\"      : \"javax.net.ssl\",\n  \"level\"       : \"ERROR\",\n  \"thread id\"   : \"01\",\n  \"thread name\" : \"main\",\n  \
                   \"time\"        : \"2026-11-23 14:57:02.925 GMT\",\n  \"caller\"      : \"X.java:1\",\n  \"message\"     : \"Received alert message\",\n  \
                   \"specifics\"   : [\n    \"Alert\": {\n      \"level\"      : \"fatal\",\n      \"description\": \"bad_certificate\"\n    }\n  ]\n}\n";
        let found = events(log);
        assert!(
            matches!(&found[0].kind, Kind::AlertReceived(alert) if alert.description == "bad_certificate"),
            "{found:?}"
        );
        assert_eq!(found[0].origin.thread(), "main");
    }

    #[test]
    fn two_lines_of_java_util_logging() {
        let log = "Nov 23, 2026 2:57:06 PM sun.security.ssl.SSLLogger log\nSEVERE: Fatal (CERTIFICATE_UNKNOWN): x\n";
        let found = events(log);
        assert!(
            matches!(&found[0].kind, Kind::Fatal { alert, message, .. } if alert == "certificate_unknown" && message == "x")
        );
        assert_eq!(found[0].origin.time(), Some("Nov 23, 2026 2:57:06 PM"));
    }
}
