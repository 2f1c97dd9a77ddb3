//! No signature algorithm that both ends have.

use super::{Case, Certainty, Diagnosis, Narrowed, Topic};
use crate::diagnosis::catalogue::SIGNATURE_ALGORITHM_MISMATCH;

const TEXTS: [&str; 5] = [
    "No supported signature algorithm",
    "Unsupported signature algorithm",
    "No supported CertificateVerify signature algorithm",
    "No mandatory signature_algorithms extension",
    "No preferred signature algorithm",
];

pub(super) fn rule(case: &Case<'_>) -> Option<Diagnosis> {
    if case.narrowed == [Narrowed::SignatureAlgorithms] {
        return Some(Diagnosis {
            cause: &SIGNATURE_ALGORITHM_MISMATCH,
            certainty: Certainty::Likely,
            summary: format!("{} has none of the few signature algorithms that this client offers", case.peer()),
            explanation: "The server answered the ClientHello with handshake_failure and chose nothing. Of what this client offers, the \
                          signature algorithms alone have been cut down (jdk.tls.client.SignatureSchemes), so its key most likely signs with \
                          none of them. What remains besides: a server name that it does not serve, or a server without a usable key."
                .to_owned(),
            topics: &[Topic::ClientHello],
        });
    }
    if case.failure.received {
        return None;
    }
    if let Some(text) = TEXTS.iter().find(|text| case.says(text)) {
        return Some(Diagnosis {
            cause: &SIGNATURE_ALGORITHM_MISMATCH,
            certainty: Certainty::Proven,
            summary: format!("{} and this end have no signature algorithm in common", case.peer()),
            explanation: format!("JSSE says: {}", case.failure.saying(text).unwrap_or(text)),
            topics: &[Topic::ClientHello],
        });
    }
    (case.is_server() && case.says("No available authentication scheme")).then(|| Diagnosis {
        cause: &SIGNATURE_ALGORITHM_MISMATCH,
        certainty: Certainty::Likely,
        summary: "this server has no key whose signatures the client accepts".to_owned(),
        explanation: "Either the key store of this server holds no usable key at all, or none of the type that the client's signature \
                      algorithms allow."
            .to_owned(),
        topics: &[Topic::ClientHello],
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{client_hello, client_hello_with, fatal, only, received};

    #[test]
    fn the_few_algorithms_are_refused() {
        let hello = client_hello_with("a.example", "x25519, secp256r1", "rsa_pss_rsae_sha512");
        assert_eq!(
            only(&(hello + &received("handshake_failure"))).cause,
            "SignatureAlgorithmMismatch"
        );
    }

    #[test]
    fn at_the_client() {
        let log = client_hello("a.example")
            + &fatal(
                "HANDSHAKE_FAILURE",
                "No supported signature algorithm",
                "javax.net.ssl.SSLHandshakeException",
            );
        assert_eq!(only(&log).cause, "SignatureAlgorithmMismatch");
    }
}
