//! One finding: what is wrong, why, what to do, and the handshake that shows it.

use maud::{Markup, html};

use super::words::{capital, certainty, clean, counted, end, grouped, prose};
use super::{Ends, cause, chain, drawing, evidence};
use crate::diagnosis::report::{Finding, Side};

/// What a finding has beside itself.
#[derive(Clone, Copy)]
pub(super) struct Beside<'a> {
    /// Its handshake, unless it is drawn elsewhere or there is no room for it.
    pub(super) shown: Option<&'a Ends<'a>>,
    /// The number of the handshake whose drawing shows it too.
    pub(super) elsewhere: Option<usize>,
    /// The number of an earlier finding of the same cause, which tells what to do.
    pub(super) before: Option<usize>,
}

/// A finding. Where an earlier one has the same cause, it is folded to what is its own.
pub(super) fn finding(number: usize, finding: &Finding, beside: Beside<'_>) -> Markup {
    let Beside {
        shown,
        elsewhere,
        before,
    } = beside;
    let title = cause(&finding.cause).map_or(finding.cause.as_str(), |cause| cause.title);
    let heading = format!("finding-{number}-title");
    html! {
        article .finding id={ "finding-" (number) } aria-labelledby=(heading) tabindex="-1" {
            header {
                p .kicker { span .ordinal { (number) } " " code { (finding.cause) } }
                h3 id=(heading) { (capital(title)) }
                p .badges {
                    (certainty(finding.certainty))
                    span .badge { (counted(finding.count, "handshake")) }
                    span .badge { "seen as " (end(finding.side)) }
                }
            }
            p .lead { (capital(&clean(&finding.summary))) "." }
            div .columns {
                div .text {
                    h4 { "Why" }
                    p { (prose(&finding.explanation)) }
                    @if let Some(before) = before {
                        h4 { "What to do" }
                        p { "As for " a href={ "#finding-" (before) } { "finding " (before) } "." }
                    } @else if !finding.remedies.is_empty() {
                        h4 { "What to do" }
                        ul { @for remedy in &finding.remedies { li { (remedied(remedy)) } } }
                    }
                }
                (facts(finding))
            }
            @if let Some(ends) = shown {
                @let heading = html! { h4 { "What happened" @if finding.count > 1 { span .aside { " in one of " (grouped(finding.count)) } } } };
                @if before.is_some() {
                    details .what id={ "handshake-" (ends.number) } { summary { (heading) } (drawing(ends)) }
                } @else {
                    section .what id={ "handshake-" (ends.number) } tabindex="-1" { (heading) (drawing(ends)) }
                }
            } @else if let Some(elsewhere) = elsewhere {
                p .note { a href={ "#handshake-" (elsewhere) } { "The handshake is drawn with its other end." } }
            }
            @if !finding.evidence.is_empty() {
                details .proof open[before.is_none()] {
                    summary { h4 { "Evidence" } span .aside { " " (counted(finding.evidence.len() as u64, "line")) " in their context" } }
                    (evidence::evidence(&finding.evidence, &shown.map(Ends::transcripts).unwrap_or_default()))
                }
            }
        }
    }
}

/// A remedy, with the product that it is for set apart.
fn remedied(remedy: &str) -> Markup {
    match remedy.split_once(": ") {
        Some((product @ ("webMethods" | "Java"), rest)) => {
            html! { b .product { (product) } " " (prose(&capital(rest))) }
        }
        _ => prose(remedy),
    }
}

fn facts(finding: &Finding) -> Markup {
    let peer = &finding.peer;
    let (other, other_end) = match finding.side {
        Side::Client => ("Server", "The server’s"),
        Side::Server => ("Server name asked for", "The client’s"),
    };
    let when = match (&finding.first_seen, &finding.last_seen) {
        (Some(first), Some(last)) if first != last => Some((first, Some(last))),
        (Some(first), _) => Some((first, None)),
        _ => None,
    };
    let threads: Vec<&str> = finding
        .threads
        .iter()
        .map(String::as_str)
        .filter(|name| !name.is_empty())
        .collect();
    html! {
        dl .facts {
            @if let Some(name) = &peer.server_name { dt { (other) } dd { (clean(name)) } }
            @if let Some(subject) = &peer.certificate_subject { dt { (other_end) " certificate" } dd { (clean(subject)) } }
            @if let Some((first, last)) = when {
                dt { "When" }
                dd { (clean(first)) @if let Some(last) = last { " " br; "to " (clean(last)) } }
            }
            @if !threads.is_empty() { dt { "Thread" } dd { (clean(&threads.join(", "))) } }
        }
    }
}

/// The certificates of a handshake under their own heading.
pub(super) fn certificates(ends: &Ends<'_>) -> Markup {
    let Some(path) = ends.path() else { return html! {} };
    html! {
        h4 { "Certificates" span .aside { " of the " (end(path.from)) } }
        (chain::chain(path, ends.this.row))
    }
}
