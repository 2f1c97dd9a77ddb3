//! No path from the certificate to a trust anchor: a missing intermediate, an issuer that is not trusted, or a certificate
//! that is its own issuer.

use super::{Case, Certainty, Diagnosis, Topic};
use crate::diagnosis::catalogue::{MISSING_INTERMEDIATE, SELF_SIGNED_CERTIFICATE, UNTRUSTED_ISSUER};
use crate::log::Certificate;

/// What path building says when it finds no anchor, by provider and version.
const TEXTS: [&str; 10] = [
    "unable to find valid certification path to requested target",
    "PKIX path building failed",
    "No trusted certificate found",
    "Path does not chain with any of the trust anchors",
    "Trust anchor for certification path not found",
    "Untrusted certificate: ",
    "anchored by a distrusted",
    "No issuer certificate for certificate in certification path found",
    "PKIXCertPathBuilderImpl could not build a valid CertPath",
    "Certificate chaining error",
];

const TOPICS: &[Topic] = &[Topic::PeerCertificates];

pub(super) fn rule(case: &Case<'_>) -> Option<Diagnosis> {
    if case.failure.received || !TEXTS.iter().any(|text| case.says(text)) {
        return None;
    }
    let chain = case.handshake.peer_chain.as_deref().unwrap_or_default();
    let Some(leaf) = chain.first() else {
        return Some(without_chain(case));
    };
    if case.says("anchored by a distrusted") || case.says("Untrusted certificate: ") {
        return Some(distrusted(case));
    }
    if leaf.is_self_signed() {
        return Some(self_signed(case, leaf));
    }
    let top = top(chain);
    if top.is_self_signed() {
        return Some(rejected_root(case, chain, leaf, top));
    }
    if top.issuer.is_empty() {
        // The log has lost lines of it.
        return Some(without_chain(case));
    }
    Some(incomplete(case, chain, leaf, top))
}

/// The chain is complete. JSSE builds a path only where no certificate of the chain is an anchor itself, or where the chain
/// is out of order (`sun.security.validator.PKIXValidator`): then anything that is wrong with a certificate looks the same, even
/// with the root trusted. Other validators may have other reasons.
fn rejected_root(case: &Case<'_>, chain: &[Certificate], leaf: &Certificate, root: &Certificate) -> Diagnosis {
    let built = case.says("PKIX path building failed") || case.says("unable to find valid certification path");
    let ordered = chain.windows(2).all(|pair| pair[0].is_issued_by(&pair[1]));
    if built && ordered && !case.knowledge.knows_anchor(&root.subject) {
        return untrusted(
            case,
            Certainty::Proven,
            &root.subject,
            format!(
                "The chain is complete: it leads from \"{}\" to the self-signed root \"{}\", and no trust anchor of this JVM matches it.",
                leaf.subject, root.subject
            ),
        );
    }
    let stores = if case.knowledge.knows_anchor(&root.subject) {
        " A trust store of this JVM lists an anchor of that name: it may hold another key, or be another connection's."
    } else if !ordered {
        " The certificates were not sent in order, so it is not certain that the root is what was missing: a certificate in between may \
         have been unfit."
    } else {
        ""
    };
    untrusted(
        case,
        Certainty::Likely,
        &root.subject,
        format!(
            "The chain leads from \"{}\" to the self-signed root \"{}\", and was refused.{stores}",
            leaf.subject, root.subject
        ),
    )
}

/// The chain ends in a certificate whose issuer was not sent.
fn incomplete(case: &Case<'_>, chain: &[Certificate], leaf: &Certificate, top: &Certificate) -> Diagnosis {
    let knowledge = case.knowledge;
    if let Some(link) = knowledge.missing_link(top) {
        return Diagnosis {
            cause: &MISSING_INTERMEDIATE,
            certainty: Certainty::Proven,
            summary: not_sent(case, chain, top),
            explanation: format!(
                "The missing certificate \"{}\" is in this log at line {}, sent in another chain, and leads to an anchor that the trust \
                 store lists. With it in the chain, the path would be complete.",
                link.subject, link.line
            ),
            topics: TOPICS,
        };
    }
    // A root that the log shows and no trust store holds. Never proven: a connection with a trust manager of its own uses a store
    // that is not printed.
    let root = knowledge.climb(top);
    if root.is_self_signed() && !knowledge.knows_anchor(&root.subject) {
        let stores = if knowledge.has_anchors() {
            "no trust store that the log lists holds it"
        } else {
            "this JVM does not seem to trust it"
        };
        return untrusted(
            case,
            Certainty::Likely,
            &root.subject,
            format!(
                "The root above it, \"{}\", is in this log at line {}, and {stores}. If this connection has a trust store that the log does \
                 not list, and that one holds the root, the cause is MissingIntermediate: the issuer \"{}\" was not sent.",
                root.subject, root.line, top.issuer
            ),
        );
    }
    if knowledge.knows_anchor(&top.issuer) {
        return untrusted(
            case,
            Certainty::Likely,
            &top.issuer,
            format!(
                "A trust store of this JVM lists an anchor of the name \"{}\", and still no path was found: another key under the same \
                 name (a renewed authority), or a trust store that this connection does not use.",
                top.issuer
            ),
        );
    }
    if chain.len() > 1 {
        return untrusted(
            case,
            Certainty::Likely,
            &top.issuer,
            format!(
                "The chain holds {} certificates and ends at \"{}\"; roots are not sent as a rule, so its issuer \"{}\" is most likely a \
                 root that this JVM does not trust. It could also be one more intermediate that is missing (MissingIntermediate).",
                chain.len(),
                top.subject,
                top.issuer
            ),
        );
    }
    if names_a_root(&top.issuer) {
        return untrusted(
            case,
            Certainty::Likely,
            &top.issuer,
            format!(
                "Only \"{}\" was sent. Its issuer \"{}\" calls itself a root, which need not be sent but must be trusted. A name is weak \
                 evidence: if the issuer is an intermediate, it is missing in the chain (MissingIntermediate).",
                leaf.subject, top.issuer
            ),
        );
    }
    let anchors = if knowledge.has_anchors() {
        "no trust store that the log lists holds it"
    } else {
        "the log does not list the trust store (the debug option `trustmanager` would, from 17.0.21 and 21.0.9 on `ssl` does)"
    };
    Diagnosis {
        cause: &MISSING_INTERMEDIATE,
        certainty: Certainty::Likely,
        summary: not_sent(case, chain, top),
        explanation: format!(
            "Only \"{}\" was sent. Its issuer \"{}\" was sent by nobody, and {anchors}. If that issuer is a private root that signs \
             directly, the cause is UntrustedIssuer instead: this JVM then has to trust it.",
            leaf.subject, top.issuer
        ),
        topics: TOPICS,
    }
}

fn not_sent(case: &Case<'_>, chain: &[Certificate], top: &Certificate) -> String {
    let what = if chain.len() == 1 {
        "only its leaf".to_owned()
    } else {
        format!("{} certificates", chain.len())
    };
    format!("{} sent {what}; nobody sent its issuer \"{}\"", case.peer(), top.issuer)
}

fn untrusted(case: &Case<'_>, certainty: Certainty, issuer: &str, explanation: String) -> Diagnosis {
    Diagnosis {
        cause: &UNTRUSTED_ISSUER,
        certainty,
        summary: format!(
            "this JVM does not trust \"{issuer}\", which issued the certificate of {}",
            case.peer()
        ),
        explanation,
        topics: TOPICS,
    }
}

fn self_signed(case: &Case<'_>, leaf: &Certificate) -> Diagnosis {
    Diagnosis {
        cause: &SELF_SIGNED_CERTIFICATE,
        certainty: Certainty::Proven,
        summary: format!(
            "{} sent the self-signed certificate \"{}\", which this JVM does not trust",
            case.peer(),
            leaf.subject
        ),
        explanation: format!(
            "Its issuer is its own subject (serial number {}), so it has to be an anchor itself, and no anchor of this JVM matches it.",
            leaf.serial
        ),
        topics: TOPICS,
    }
}

fn distrusted(case: &Case<'_>) -> Diagnosis {
    let detail = case
        .failure
        .saying("distrusted")
        .or_else(|| case.failure.saying("Untrusted certificate"))
        .unwrap_or_default();
    Diagnosis {
        cause: &UNTRUSTED_ISSUER,
        certainty: Certainty::Proven,
        summary: format!("this JVM distrusts the authority of the certificate of {}", case.peer()),
        explanation: format!("The JDK's own policy on distrusted authorities says: {detail}"),
        topics: TOPICS,
    }
}

fn without_chain(case: &Case<'_>) -> Diagnosis {
    Diagnosis {
        cause: &UNTRUSTED_ISSUER,
        certainty: Certainty::Likely,
        summary: format!("this JVM found no way from the certificate of {} to an anchor that it trusts", case.peer()),
        explanation: "The log does not show the whole chain, so MissingIntermediate and SelfSignedCertificate look the same; the option \
                      ssl,handshake prints it."
            .to_owned(),
        topics: TOPICS,
    }
}

/// The last certificate on the way from the leaf upwards, in whatever order they were sent.
fn top(chain: &[Certificate]) -> &Certificate {
    let mut current = &chain[0];
    for _ in 0..chain.len() {
        if current.is_self_signed() {
            break;
        }
        match chain
            .iter()
            .find(|other| current.is_issued_by(other) && !other.same_as(current))
        {
            Some(issuer) => current = issuer,
            None => break,
        }
    }
    current
}

/// Whether a distinguished name calls its holder a root.
fn names_a_root(name: &str) -> bool {
    name.split(['=', ',', ' ', '"', '-', '_'])
        .any(|word| word.eq_ignore_ascii_case("root") || word.eq_ignore_ascii_case("rootca"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Link, client_hello, fatal, only, record, report, server_chain};
    use super::*;

    fn no_path() -> String {
        fatal(
            "CERTIFICATE_UNKNOWN",
            "PKIX path building failed: sun.security.provider.certpath.SunCertPathBuilderException: unable to find valid certification path \
             to requested target",
            "sun.security.validator.ValidatorException",
        )
    }

    fn failed(chain: &[Link<'_>]) -> String {
        client_hello("bank.example") + &server_chain(chain) + &no_path()
    }

    #[test]
    fn a_lone_leaf() {
        let finding = only(&failed(&[Link::new("CN=bank.example", "CN=Example CA G2")]));
        assert_eq!(
            (finding.cause.as_str(), finding.certainty),
            ("MissingIntermediate", Certainty::Likely)
        );
        assert_eq!(
            finding.summary,
            "bank.example sent only its leaf; nobody sent its issuer \"CN=Example CA G2\""
        );
        assert!(finding.explanation.contains("UntrustedIssuer"));
        let lines: Vec<u64> = finding.evidence.iter().map(|line| line.line).collect();
        assert!(
            lines.is_sorted()
                && finding
                    .evidence
                    .iter()
                    .any(|line| line.text.contains("CN=Example CA G2"))
        );
    }

    #[test]
    fn a_chain_of_which_lines_are_lost() {
        let whole = failed(&[Link::new("CN=bank.example", "CN=Sub"), Link::new("CN=other", "")]);
        let lost: String = whole
            .split_inclusive('\n')
            .filter(|line| !line.contains("CN=Sub") && !line.contains("CN=other"))
            .collect();
        let finding = only(&lost);
        assert_eq!(
            (finding.cause.as_str(), finding.certainty),
            ("UntrustedIssuer", Certainty::Likely)
        );
        assert!(!format!("{}{}", finding.summary, finding.explanation).contains("\"\""));
    }

    #[test]
    fn a_chain_up_to_an_unknown_root() {
        let chain = [Link::new("CN=bank.example", "CN=Sub"), Link::new("CN=Sub", "CN=Top")];
        let finding = only(&failed(&chain));
        assert_eq!(
            (finding.cause.as_str(), finding.certainty),
            ("UntrustedIssuer", Certainty::Likely)
        );
        let chain = [
            Link::new("CN=bank.example", "CN=Sub"),
            Link::new("CN=Sub", "CN=Top"),
            Link::new("CN=Top", "CN=Top"),
        ];
        let finding = only(&failed(&chain));
        assert_eq!(
            (finding.cause.as_str(), finding.certainty),
            ("UntrustedIssuer", Certainty::Proven)
        );
        let unordered = [chain[0], chain[2], chain[1]];
        let finding = only(&failed(&unordered));
        assert_eq!(
            (finding.cause.as_str(), finding.certainty),
            ("UntrustedIssuer", Certainty::Likely)
        );
    }

    #[test]
    fn a_root_that_only_the_listed_stores_lack() {
        let store = record(
            "adding as trusted certificates",
            Some(&Link::new("CN=Else", "CN=Else").to_string()),
        );
        let whole = [
            Link::new("CN=shop.example", "CN=Sub"),
            Link::new("CN=Sub", "CN=Top"),
            Link::new("CN=Top", "CN=Top"),
        ];
        let other = client_hello("shop.example")
            + &server_chain(&whole)
            + &record("Consuming server Finished handshake message", None)
            + &record("Produced client Finished handshake message", None);
        let finding = only(&(store + &other + &failed(&[Link::new("CN=bank.example", "CN=Sub")])));
        assert_eq!(
            (finding.cause.as_str(), finding.certainty),
            ("UntrustedIssuer", Certainty::Likely)
        );
        assert!(finding.explanation.contains("MissingIntermediate"));
    }

    #[test]
    fn self_signed() {
        let finding = only(&failed(&[Link::new("CN=bank.example", "CN=bank.example")]));
        assert_eq!(
            (finding.cause.as_str(), finding.certainty),
            ("SelfSignedCertificate", Certainty::Proven)
        );
    }

    #[test]
    fn proven_by_another_chain_and_the_trust_store() {
        let store = record(
            "adding as trusted certificates",
            Some(&Link::new("CN=Top", "CN=Top").to_string()),
        );
        let other = client_hello("shop.example")
            + &server_chain(&[Link::new("CN=shop.example", "CN=Sub"), Link::new("CN=Sub", "CN=Top")])
            + &record("Consuming server Finished handshake message", None)
            + &record("Produced client Finished handshake message", None);
        let log = store + &failed(&[Link::new("CN=bank.example", "CN=Sub")]) + &other;
        let finding = only(&log);
        assert_eq!(
            (finding.cause.as_str(), finding.certainty),
            ("MissingIntermediate", Certainty::Proven)
        );
        // Without the anchor in the list nothing is proven.
        let log = log.replacen("\"CN=Top\"", "\"CN=Else\"", 2);
        assert!(
            report(&log)
                .findings
                .iter()
                .all(|finding| finding.certainty != Certainty::Proven)
        );
    }
}
