//! Certificates as a chain: from the holder's own towards a trust anchor, with what is missing.

use maud::{Markup, html};

use super::words::{clean, end, name};
use crate::diagnosis::catalogue::{CERTIFICATE_EXPIRED, CERTIFICATE_NOT_YET_VALID, HOSTNAME_MISMATCH};
use crate::diagnosis::{Link, Path, Row, Standing};
use crate::log::Certificate;
use crate::log::moment::moment;

/// Alternative names shown of a certificate.
const SHOWN_NAMES: usize = 12;

/// The chain of a handshake.
pub(super) fn chain(path: &Path, row: &Row) -> Markup {
    if path.links.is_empty() {
        return html! { p .note { "The " (end(path.from)) "’s Certificate message was empty: it sent no certificate." } };
    }
    html! {
        ol .chain {
            @for (index, link) in path.links.iter().enumerate() {
                (one(index, link, path.links.get(index + 1), row))
            }
        }
    }
}

fn one(index: usize, link: &Link, next: Option<&Link>, row: &Row) -> Markup {
    let (class, sign, label) = match link.standing {
        Standing::Sent => ("sent", "✓", if index == 0 { "sent, the holder’s own" } else { "sent" }),
        Standing::Elsewhere => ("elsewhere", "○", "not in this chain; elsewhere in the log"),
        Standing::Missing => ("missing", "✕", "missing: not in the chain that was sent"),
        Standing::NotTrusted => ("refused", "✕", "not trusted by this JVM"),
        Standing::Anchor => ("anchor", "⚓", "trust anchor of this JVM"),
        Standing::NotShown => ("unseen", "?", "not shown in this log"),
    };
    let (head, rest) = if link.subject.is_empty() {
        ("a trust anchor".to_owned(), String::new())
    } else {
        name(&link.subject)
    };
    html! {
        li .{(class)} {
            div .card {
                p .standing { span .sign aria-hidden="true" { (sign) } " " (label) }
                p .holder { (head) }
                @if !rest.is_empty() { p .rest { (rest) } }
                @if let Some(certificate) = &link.certificate { (facts(certificate, row, index == 0)) }
            }
            @if next.is_some() {
                p .issued { @if link.issued_by_next { "issued by" } @else { "the next one did not issue it" } }
            }
        }
    }
}

fn facts(certificate: &Certificate, row: &Row, own: bool) -> Markup {
    let names = certificate.names.len();
    let outside = [CERTIFICATE_EXPIRED.id, CERTIFICATE_NOT_YET_VALID.id]
        .map(Some)
        .contains(&row.cause)
        && outside(certificate, row);
    let misnamed = own && row.cause == Some(HOSTNAME_MISMATCH.id);
    html! {
        dl {
            @if !certificate.not_before.is_empty() {
                dt { "Valid" }
                dd .fault[outside] { (day(&certificate.not_before)) " " br; "to " (day(&certificate.not_after)) }
            }
            @if names > 0 {
                dt { "Names" }
                dd .fault[misnamed] {
                    (clean(&certificate.names[..names.min(SHOWN_NAMES)].join(", ")))
                    @if names > SHOWN_NAMES { " and " (names - SHOWN_NAMES) " more" }
                }
            }
            @if !certificate.serial.is_empty() { dt { "Serial" } dd .code { (clean(&certificate.serial)) } }
            @if certificate.is_self_signed() { dt { "Issuer" } dd { "itself" } }
            @if certificate.line > 0 { dt { "Line" } dd { (certificate.line) } }
        }
    }
}

/// Whether the handshake began outside the certificate's period, as far as the times can be compared.
fn outside(certificate: &Certificate, row: &Row) -> bool {
    let Some(begun) = row.begun.as_deref().and_then(moment) else {
        return false;
    };
    let ended = moment(&certificate.not_after).is_some_and(|end| end.on_clock_of(begun) < begun.clock);
    ended || moment(&certificate.not_before).is_some_and(|start| start.on_clock_of(begun) > begun.clock)
}

/// A time without the fraction of its second, which no certificate has.
fn day(time: &str) -> String {
    clean(&time.replacen(".000", "", 1))
}
