//! Revoked certificates, and revocation that could not be checked.

use super::{Case, Certainty, Diagnosis, Topic};
use crate::diagnosis::catalogue::{CERTIFICATE_REVOKED, REVOCATION_CHECK_FAILED};

/// What `sun.security.provider.certpath` says when it gets no answer.
const UNDETERMINED: [&str; 6] = [
    "Could not determine revocation status",
    "Unable to determine revocation status",
    "Certificate does not specify OCSP responder",
    "Certificate's revocation status is unknown",
    "OCSP response error",
    "Must specify the location of an OCSP Responder",
];

pub(super) fn rule(case: &Case<'_>) -> Option<Diagnosis> {
    if case.failure.received {
        return None;
    }
    let revoked = case.says("Certificate has been revoked") || case.failure.thrown().has("CertificateRevokedException");
    if revoked {
        let detail = case.failure.saying("Certificate has been revoked").unwrap_or_default();
        return Some(Diagnosis {
            cause: &CERTIFICATE_REVOKED,
            certainty: Certainty::Proven,
            summary: format!(
                "a certificate in the chain of {} has been revoked by its issuer",
                case.peer()
            ),
            explanation: format!("The check says: {detail}"),
            topics: &[Topic::PeerCertificates],
        });
    }
    let text = UNDETERMINED.iter().find(|text| case.says(text))?;
    Some(Diagnosis {
        cause: &REVOCATION_CHECK_FAILED,
        certainty: Certainty::Proven,
        summary: format!("this end checks revocation, and could not for the chain of {}: {text}", case.peer()),
        explanation: "Revocation checking is switched on in this JVM, and the answer was not to be had; nothing says that the certificate \
                      itself is bad."
            .to_owned(),
        topics: &[Topic::PeerCertificates],
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{client_hello, fatal, only};

    #[test]
    fn no_responder() {
        let text = "PKIX path validation failed: java.security.cert.CertPathValidatorException: Certificate does not specify OCSP responder";
        let log = client_hello("a.example")
            + &fatal("CERTIFICATE_UNKNOWN", text, "sun.security.validator.ValidatorException");
        assert_eq!(only(&log).cause, "RevocationCheckFailed");
    }

    #[test]
    fn revoked() {
        let text = "PKIX path validation failed: java.security.cert.CertPathValidatorException: Certificate has been revoked, reason: KEY_COMPROMISE";
        let log = client_hello("a.example")
            + &fatal("CERTIFICATE_REVOKED", text, "sun.security.validator.ValidatorException");
        assert_eq!(only(&log).cause, "CertificateRevoked");
    }
}
