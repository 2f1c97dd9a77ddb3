//! The way from a certificate to a trust anchor, with what of it was sent, what the log shows elsewhere and what is missing.

use super::catalogue::{MISSING_INTERMEDIATE, SELF_SIGNED_CERTIFICATE, UNTRUSTED_ISSUER};
use crate::handshake::{Handshake, Knowledge, Side};
use crate::log::Certificate;

/// Certificates above those that were sent.
const ABOVE: usize = 4;

/// Where a certificate of a path stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is in the chain that was sent.
    Sent,
    /// It is not in the chain; the log shows it elsewhere.
    Elsewhere,
    /// It should have been sent.
    Missing,
    /// It would have to be trusted, and is not.
    NotTrusted,
    /// A trust store that the log lists holds it.
    Anchor,
    /// The log does not show it, nor whether it matters.
    NotShown,
}

/// One certificate of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Where it stands.
    pub standing: Standing,
    /// Its subject; empty for an anchor of which nothing is known.
    pub subject: String,
    /// The certificate, as far as the log prints it.
    pub certificate: Option<Certificate>,
    /// Whether the next link can have issued it, by names and key identifiers.
    pub issued_by_next: bool,
}

/// A path: the holder's own certificate first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// The end that sent the chain.
    pub from: Side,
    /// The certificates; empty if the message held none.
    pub links: Vec<Link>,
}

/// The path of the certificate that the other end sent or, without one, that this end did.
pub(super) fn of(handshake: &Handshake, cause: Option<&str>, knowledge: &Knowledge) -> Option<Path> {
    let side = handshake.side?;
    let other = match side {
        Side::Client => Side::Server,
        Side::Server => Side::Client,
    };
    if let Some(chain) = &handshake.peer_chain {
        let links = links(chain, cause, knowledge);
        return Some(Path { from: other, links });
    }
    let chain = handshake.own_chain.as_ref().filter(|chain| !chain.is_empty())?;
    // Which anchors the other end trusts, this log cannot tell.
    let links = links(chain, None, &Knowledge::default());
    Some(Path { from: side, links })
}

fn links(chain: &[Certificate], cause: Option<&str>, knowledge: &Knowledge) -> Vec<Link> {
    let refused = [&MISSING_INTERMEDIATE, &UNTRUSTED_ISSUER, &SELF_SIGNED_CERTIFICATE]
        .iter()
        .any(|path| cause == Some(path.id));
    let mut links: Vec<Link> = chain
        .iter()
        .map(|certificate| Link {
            standing: Standing::Sent,
            subject: certificate.subject.clone(),
            certificate: Some(certificate.clone()),
            issued_by_next: false,
        })
        .collect();
    let Some(mut top) = chain.last() else { return links };
    for _ in 0..ABOVE {
        if top.is_self_signed() {
            let last = links.len() - 1;
            if knowledge.trusts(top) {
                links[last].standing = Standing::Anchor;
            } else if refused {
                links[last].standing = Standing::NotTrusted;
            }
            break;
        }
        let Some(issuer) = knowledge.issuer(top) else {
            links.extend(unseen(&top.issuer, cause));
            break;
        };
        let trusted = knowledge.trusts(issuer);
        links.push(Link {
            standing: if trusted {
                Standing::Anchor
            } else if cause == Some(MISSING_INTERMEDIATE.id) && !issuer.is_self_signed() {
                Standing::Missing
            } else {
                Standing::Elsewhere
            },
            subject: issuer.subject.clone(),
            certificate: Some(issuer.clone()),
            issued_by_next: false,
        });
        if trusted {
            break;
        }
        top = issuer;
    }
    for index in 1..links.len() {
        let (before, from) = links.split_at_mut(index);
        let (below, above) = (&mut before[index - 1], &from[0]);
        below.issued_by_next = match (&below.certificate, &above.certificate) {
            (Some(below), Some(above)) => below.is_issued_by(above),
            (Some(below), None) => below.issuer == above.subject,
            _ => above.subject.is_empty(),
        };
    }
    links
}

/// An issuer of which the log shows only the name, and what would be above it.
fn unseen(issuer: &str, cause: Option<&str>) -> Vec<Link> {
    let link = |standing, subject: &str| Link {
        standing,
        subject: subject.to_owned(),
        certificate: None,
        issued_by_next: false,
    };
    if cause == Some(MISSING_INTERMEDIATE.id) {
        return vec![link(Standing::Missing, issuer), link(Standing::NotShown, "")];
    }
    if cause == Some(UNTRUSTED_ISSUER.id) {
        return vec![link(Standing::NotTrusted, issuer)];
    }
    vec![link(Standing::NotShown, issuer)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(subject: &str, issuer: &str) -> Certificate {
        Certificate {
            subject: subject.to_owned(),
            issuer: issuer.to_owned(),
            ..Certificate::default()
        }
    }

    fn standings(chain: &[Certificate], cause: Option<&str>) -> Vec<(Standing, String, bool)> {
        links(chain, cause, &Knowledge::default())
            .into_iter()
            .map(|link| (link.standing, link.subject, link.issued_by_next))
            .collect()
    }

    #[test]
    fn the_missing_link_stands_between_the_chain_and_an_anchor() {
        assert_eq!(
            standings(&[certificate("leaf", "issuing")], Some(MISSING_INTERMEDIATE.id)),
            [
                (Standing::Sent, "leaf".to_owned(), true),
                (Standing::Missing, "issuing".to_owned(), true),
                (Standing::NotShown, String::new(), false),
            ]
        );
    }

    #[test]
    fn a_root_that_was_sent_and_refused_is_not_trusted() {
        let chain = [certificate("leaf", "root"), certificate("root", "root")];
        assert_eq!(
            standings(&chain, Some(UNTRUSTED_ISSUER.id))[1],
            (Standing::NotTrusted, "root".to_owned(), false)
        );
        assert_eq!(standings(&chain, None)[1].0, Standing::Sent);
    }

    #[test]
    fn a_chain_out_of_order_is_broken_where_it_is() {
        let chain = [certificate("leaf", "issuing"), certificate("root", "root")];
        assert!(!standings(&chain, None)[0].2);
    }
}
