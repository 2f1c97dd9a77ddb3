//! The lines that show a cause, among the neighbouring records of the same handshake.
//!
//! The context is the handshake's transcript, which holds JSSE's records only: neither lines of the application nor key
//! material can be in it.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::words::clean;
use crate::diagnosis::report::Evidence;
use crate::handshake::{Handshake, Step};
use crate::render::text::message_of;

/// A line to show.
struct Shown<'a> {
    text: &'a str,
    evidence: bool,
}

/// The lines of a finding, with what stands around them in the transcripts of its handshake; each with its source.
pub(super) fn evidence(lines: &[Evidence], transcripts: &[(&str, &Handshake)]) -> Markup {
    let mut sources: Vec<&str> = Vec::new();
    for line in lines {
        if !sources.contains(&line.source.as_str()) {
            sources.push(&line.source);
        }
    }
    html! {
        @for source in sources {
            (listing(source, &with_context(source, lines, transcripts)))
        }
    }
}

/// All records of a handshake.
pub(super) fn transcript(source: &str, handshake: &Handshake) -> Markup {
    let mut all = BTreeMap::new();
    for entry in handshake.transcript() {
        let ends = matches!(entry.step, Step::Alert(_) | Step::Error { .. });
        for line in &entry.lines {
            all.insert(
                line.number,
                Shown {
                    text: &line.text,
                    evidence: ends,
                },
            );
        }
    }
    listing(source, &all)
}

fn with_context<'a>(
    source: &str,
    lines: &'a [Evidence],
    transcripts: &[(&str, &'a Handshake)],
) -> BTreeMap<u64, Shown<'a>> {
    let mut all = BTreeMap::new();
    for (_, handshake) in transcripts.iter().filter(|(name, _)| *name == source) {
        let entries = handshake.transcript();
        let shows = |index: usize| {
            entries.get(index).is_some_and(|entry| {
                let numbers = entry.lines.iter().map(|line| line.number);
                numbers
                    .into_iter()
                    .any(|number| lines.iter().any(|line| line.source == source && line.line == number))
            })
        };
        for (index, entry) in entries.iter().enumerate() {
            let kept = if shows(index) {
                entry.lines.len()
            } else {
                usize::from(shows(index + 1) || index.checked_sub(1).is_some_and(shows))
            };
            for line in entry.lines.iter().take(kept) {
                all.insert(
                    line.number,
                    Shown {
                        text: &line.text,
                        evidence: false,
                    },
                );
            }
        }
    }
    for line in lines.iter().filter(|line| line.source == source) {
        all.insert(
            line.line,
            Shown {
                text: &line.text,
                evidence: true,
            },
        );
    }
    all
}

fn listing(source: &str, lines: &BTreeMap<u64, Shown<'_>>) -> Markup {
    let mut before = None;
    let rows: Vec<(u64, &Shown<'_>, bool)> = lines
        .iter()
        .map(|(number, shown)| {
            let gap = before.is_some_and(|before| before + 1 < *number);
            before = Some(*number);
            (*number, shown, gap)
        })
        .collect();
    html! {
        figure .listing {
            figcaption { (clean(source)) }
            div .scroll tabindex="0" role="group" aria-label={ "Lines of " (clean(source)) } {
                table {
                    tbody {
                        @for (number, shown, gap) in rows {
                            @if gap { tr .gap aria-hidden="true" { td { "⋮" } td {} } }
                            tr .evidence[shown.evidence] {
                                td .number { (number) }
                                td { (line(shown.text)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A line, with a record's header fields set back behind its message.
fn line(text: &str) -> Markup {
    let message = message_of(text).map_or(text, |(_, message)| message);
    let head = &text[..text.len() - message.len()];
    html! { code { @if !head.is_empty() { span .head { (clean(head)) } wbr; } (clean(message)) } }
}
