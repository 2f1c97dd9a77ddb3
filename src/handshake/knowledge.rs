//! What a log says beyond single handshakes: trust stores and certificates that passed by.

use crate::log::Certificate;

/// Different trust stores that are kept; more make no proof from them possible.
const KEPT_STORES: usize = 4;
/// Certificates from chains that are kept.
const KEPT_SEEN: usize = 256;

/// Certificates that a log shows anywhere.
#[derive(Debug, Clone, Default)]
pub struct Knowledge {
    stores: Vec<Vec<Certificate>>,
    overflowed: bool,
    seen: Vec<Certificate>,
}

impl Knowledge {
    /// A trust store was printed.
    pub(super) fn store(&mut self, mut store: Vec<Certificate>) {
        store.sort_by(|a, b| (&a.subject, &a.serial).cmp(&(&b.subject, &b.serial)));
        let known = self
            .stores
            .iter()
            .any(|known| known.len() == store.len() && known.iter().zip(&store).all(|(known, new)| known.same_as(new)));
        if known {
            return;
        }
        if self.stores.len() == KEPT_STORES {
            self.overflowed = true;
        } else {
            self.stores.push(store);
        }
    }

    /// Certificates passed by.
    pub(super) fn saw(&mut self, chain: &[Certificate]) {
        for certificate in chain {
            if self.seen.len() < KEPT_SEEN && !self.seen.iter().any(|known| known.same_as(certificate)) {
                self.seen.push(certificate.clone());
            }
        }
    }

    /// Whether the log shows which anchors are trusted.
    #[must_use]
    pub fn has_anchors(&self) -> bool {
        !self.stores.is_empty() && !self.overflowed
    }

    /// Whether this certificate is an anchor in every trust store that the log shows: which of them a connection used is
    /// not printed.
    #[must_use]
    pub fn trusts(&self, certificate: &Certificate) -> bool {
        self.has_anchors()
            && self
                .stores
                .iter()
                .all(|store| store.iter().any(|anchor| anchor.same_as(certificate)))
    }

    /// Whether a certificate of this name is an anchor in any trust store that the log shows.
    #[must_use]
    pub fn knows_anchor(&self, subject: &str) -> bool {
        self.stores.iter().flatten().any(|anchor| anchor.subject == subject)
    }

    /// A certificate that can have issued this one, seen anywhere in the log.
    fn issuers<'a>(&'a self, certificate: &'a Certificate) -> impl Iterator<Item = &'a Certificate> {
        self.seen
            .iter()
            .chain(self.stores.iter().flatten())
            .filter(move |other| certificate.is_issued_by(other))
    }

    /// A certificate that can have issued this one and is shown anywhere in the log, an anchor before others.
    #[must_use]
    pub fn issuer(&self, certificate: &Certificate) -> Option<&Certificate> {
        let anchors = self.stores.iter().flatten();
        let mut issuers = anchors
            .chain(&self.seen)
            .filter(|other| certificate.is_issued_by(other) && !other.same_as(certificate));
        issuers.next()
    }

    /// Whether a certificate that the log shows outside this chain issued it and leads to an anchor that the log lists.
    #[must_use]
    pub fn missing_link(&self, top: &Certificate) -> Option<&Certificate> {
        self.seen
            .iter()
            .filter(|issuer| top.is_issued_by(issuer) && !issuer.is_self_signed())
            .find(|issuer| self.leads_to_anchor(issuer))
    }

    /// The last certificate on the way upwards from this one through everything that the log shows.
    #[must_use]
    pub fn climb<'a>(&'a self, from: &'a Certificate) -> &'a Certificate {
        let mut current = from;
        for _ in 0..8 {
            if current.is_self_signed() {
                break;
            }
            match self.issuers(current).find(|issuer| !issuer.same_as(current)) {
                Some(issuer) => current = issuer,
                None => break,
            }
        }
        current
    }

    fn leads_to_anchor(&self, from: &Certificate) -> bool {
        let mut current = from;
        for _ in 0..8 {
            if self.trusts(current) {
                return true;
            }
            let anchor = self
                .stores
                .first()
                .and_then(|store| store.iter().find(|anchor| current.is_issued_by(anchor)));
            if anchor.is_some_and(|anchor| self.trusts(anchor)) {
                return true;
            }
            match self
                .seen
                .iter()
                .find(|issuer| current.is_issued_by(issuer) && !issuer.same_as(current))
            {
                Some(issuer) => current = issuer,
                None => return false,
            }
        }
        false
    }
}
