//! No key exchange group that both ends have.

use super::{Case, Certainty, Diagnosis, Narrowed, Topic, listed};
use crate::diagnosis::catalogue::NAMED_GROUP_MISMATCH;

const TEXTS: [&str; 6] = [
    "No common named group",
    "No supported named group",
    "HelloRetryRequest selected group",
    "No key_share extension",
    "Unsupported elliptic curve",
    "ServerHello selected unexpected group",
];

pub(super) fn rule(case: &Case<'_>) -> Option<Diagnosis> {
    let groups = || -> Vec<&str> {
        let hello = case.handshake.client_hello.iter();
        hello.flat_map(|hello| hello.groups.iter()).collect()
    };
    if case.narrowed == [Narrowed::Groups] {
        return Some(Diagnosis {
            cause: &NAMED_GROUP_MISMATCH,
            certainty: Certainty::Likely,
            summary: format!("{} does not have {}, the only key exchange group that this client offers", case.peer(), listed(&groups())),
            explanation: "The server answered the ClientHello with handshake_failure and chose nothing. Of what this client offers, the key \
                          exchange groups alone have been cut down (jdk.tls.namedGroups). What remains besides: a server name that it does not \
                          serve, or a server without a usable key."
                .to_owned(),
            topics: &[Topic::ClientHello],
        });
    }
    if case.failure.received {
        return None;
    }
    let text = TEXTS.iter().find(|text| case.says(text))?;
    let groups = groups();
    let offered = if groups.is_empty() {
        String::new()
    } else {
        format!(" The client offers {}.", listed(&groups))
    };
    Some(Diagnosis {
        cause: &NAMED_GROUP_MISMATCH,
        certainty: Certainty::Proven,
        summary: if case.is_server() {
            "the client offers no key exchange group that this server has".to_owned()
        } else {
            format!("{} and this client have no key exchange group in common", case.peer())
        },
        explanation: format!("JSSE says: {}.{offered}", case.failure.saying(text).unwrap_or(text)),
        topics: &[Topic::ClientHello],
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{client_hello, client_hello_with, fatal, only, received};

    #[test]
    fn the_only_group_is_refused() {
        let schemes = "ecdsa_secp256r1_sha256, rsa_pss_rsae_sha256, rsa_pkcs1_sha256";
        let refused = received("handshake_failure");
        let one = only(&(client_hello_with("a.example", "secp521r1", schemes) + &refused));
        assert_eq!(one.cause, "NamedGroupMismatch");
        let two = only(&(client_hello_with("a.example", "x25519, secp256r1", schemes) + &refused));
        assert_eq!(two.cause, "PeerAlert");
        // Two lists are cut down: which of them did not suit cannot be told.
        let both = client_hello_with("a.example", "secp521r1", schemes).replace("TLS_AES_128_GCM_SHA256(0x1301), ", "");
        assert_eq!(only(&(both + &refused)).cause, "PeerAlert");
    }

    #[test]
    fn at_the_server() {
        let log = client_hello("a.example").replace("Produced", "Consuming")
            + &fatal(
                "UNEXPECTED_MESSAGE",
                "No common named group",
                "javax.net.ssl.SSLProtocolException",
            );
        assert_eq!(only(&log).cause, "NamedGroupMismatch");
    }
}
