//! No cipher suite that both ends have.

use super::{Case, Certainty, Diagnosis, Narrowed, Topic, listed};
use crate::diagnosis::catalogue::CIPHER_SUITE_MISMATCH;
use crate::log::ClientHello;

const TOPICS: &[Topic] = &[Topic::ClientHello];
/// A client that offers no more suites than this has been told to.
const FEW: usize = 4;

pub(super) fn rule(case: &Case<'_>) -> Option<Diagnosis> {
    if !case.failure.received {
        return own_decision(case);
    }
    if case.peer_answered() || !case.is_client() {
        return None;
    }
    let offered = case.offered_suites();
    match case.peer_alert()? {
        "handshake_failure" if case.narrowed == [Narrowed::CipherSuites] => {
            let certainty = if offered.len() <= FEW {
                Certainty::Likely
            } else {
                Certainty::Possible
            };
            Some(diagnosis(
                certainty,
                format!(
                    "{} has none of the cipher suites that this client offers ({})",
                    case.peer(),
                    listed(&offered)
                ),
                format!(
                    "The server answered the ClientHello with handshake_failure and chose nothing, so something in this offer did not suit it, the cipher suites first of all. \
                     This client offers only {} of them. What remains besides: the server wants a newer version than {}, a key \
                     exchange group or signature algorithm that is not offered, or a server name; or it has no usable key of its own.",
                    offered.len(),
                    case.offered_versions().first().copied().unwrap_or("the one offered"),
                ),
            ))
        }
        "insufficient_security" => Some(diagnosis(
            Certainty::Likely,
            format!("{} wants stronger cipher suites than this client offers", case.peer()),
            format!(
                "The alert insufficient_security says that the offer ({}) is too weak for the server.",
                listed(&offered)
            ),
        )),
        _ => None,
    }
}

fn own_decision(case: &Case<'_>) -> Option<Diagnosis> {
    if case.says("no cipher suites in common")
        || case.says("No negotiable cipher suite")
        || case.says("No appropriate cipher suite")
    {
        let offered = case.offered_suites();
        if case.handshake.keys_missing > 0 {
            return Some(diagnosis(
                Certainty::Likely,
                "this server has cipher suites in common with the client, but no usable key for any of them".to_owned(),
                format!(
                    "It looked for a certificate of the right key type {} times and found none: its key store is empty, not read, or holds \
                     keys of another type than the offered suites need. Offered: {}.",
                    case.handshake.keys_missing,
                    listed(&offered)
                ),
            ));
        }
        let certainty = if is_narrow(&offered) && nothing_else_was_missing(case) {
            Certainty::Proven
        } else {
            Certainty::Likely
        };
        return Some(diagnosis(
            certainty,
            format!(
                "the client offers no cipher suite that this server can use ({})",
                listed(&offered)
            ),
            format!(
                "Offered: {}. Usable here: none of them. A server without a usable key, or with a key of another type than the suites \
                 need, says the same: look at its key store as well as at its list of cipher suites.",
                listed(&offered)
            ),
        ));
    }
    if let Some(text) = case.failure.saying("Server selected improper ciphersuite") {
        return Some(diagnosis(
            Certainty::Proven,
            format!("{} chose a cipher suite that this client did not offer", case.peer()),
            format!("JSSE says: {text}. Offered: {}.", listed(&case.offered_suites())),
        ));
    }
    None
}

/// Whether a list was cut down by configuration: few suites, or without the ones that nearly every server has. Of TLS 1.3
/// there are only three suites, so that a client of TLS 1.3 alone offers few without being told to.
pub(super) fn is_narrow(offered: &[&str]) -> bool {
    if offered.contains(&"TLS_AES_128_GCM_SHA256") && offered.contains(&"TLS_AES_256_GCM_SHA384") {
        return false;
    }
    let common = |suite: &&str| {
        suite.starts_with("TLS_AES_") || (suite.contains("ECDHE_RSA_WITH_AES_") && suite.contains("_GCM_"))
    };
    !offered.is_empty() && (offered.len() <= FEW || !offered.iter().any(common))
}

/// JSSE says `no cipher suites in common` too where a suite fails for want of a key, which from 8u272 on it logs, or of a
/// key exchange group.
fn nothing_else_was_missing(case: &Case<'_>) -> bool {
    let logs_missing_keys = case.handshake.threads.iter().any(|thread| !thread.id.is_empty());
    let hello = case.handshake.client_hello.as_ref();
    let common = |hello: &ClientHello| {
        hello.groups.is_empty()
            || hello
                .groups
                .iter()
                .any(|group| group == "secp256r1" || group == "x25519")
    };
    logs_missing_keys && hello.is_none_or(common)
}

fn diagnosis(certainty: Certainty, summary: String, explanation: String) -> Diagnosis {
    Diagnosis {
        cause: &CIPHER_SUITE_MISMATCH,
        certainty,
        summary,
        explanation,
        topics: TOPICS,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{client_hello, client_hello_of, fatal, only, received};
    use super::*;

    #[test]
    fn a_narrow_offer_is_refused() {
        let finding = only(
            &(client_hello_of("a.example", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384(0xC030)")
                + &received("handshake_failure")),
        );
        assert_eq!(
            (finding.cause.as_str(), finding.certainty),
            ("CipherSuiteMismatch", Certainty::Likely)
        );
    }

    #[test]
    fn a_wide_offer_proves_nothing() {
        let suites = "TLS_AES_256_GCM_SHA384(0x1302), TLS_AES_128_GCM_SHA256(0x1301), A(1), B(2), C(3), D(4)";
        let finding = only(&(client_hello_of("a.example", suites) + &received("handshake_failure")));
        assert_eq!(finding.cause, "PeerAlert");
    }

    #[test]
    fn a_client_of_tls13_alone_offers_few_without_being_told_to() {
        let suites =
            "TLS_AES_256_GCM_SHA384(0x1302), TLS_AES_128_GCM_SHA256(0x1301), TLS_CHACHA20_POLY1305_SHA256(0x1303)";
        let finding = only(&(client_hello_of("a.example", suites) + &received("handshake_failure")));
        assert_eq!(finding.cause, "PeerAlert");
    }

    #[test]
    fn the_server_says_it() {
        let log = client_hello("a.example").replace("Produced", "Consuming")
            + &fatal(
                "HANDSHAKE_FAILURE",
                "no cipher suites in common",
                "javax.net.ssl.SSLHandshakeException",
            );
        assert_eq!(only(&log).cause, "CipherSuiteMismatch");
    }
}
