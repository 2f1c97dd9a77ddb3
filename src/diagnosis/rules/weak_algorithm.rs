//! Keys, signatures and parameters that the JVM's constraints refuse.

use super::{Case, Certainty, Diagnosis, Topic};
use crate::diagnosis::catalogue::WEAK_ALGORITHM;

/// What certification path and handshake checks say.
const TEXTS: [&str; 9] = [
    "Algorithm constraints check failed",
    "constraint check failed",
    "Certificates do not conform to algorithm constraints",
    "does not comply to algorithm constraints",
    "does not comply with algorithm constraints",
    "is disabled by jdk.certpath.disabledAlgorithms",
    "Could not generate DH keypair",
    "Prime size must be multiple of 64",
    "DH key size",
];

pub(super) fn rule(case: &Case<'_>) -> Option<Diagnosis> {
    if case.failure.received {
        return None;
    }
    let text = TEXTS.iter().find(|text| case.says(text))?;
    // The innermost exception says it best.
    let detail = case
        .failure
        .thrown()
        .chain
        .iter()
        .rev()
        .map(|link| link.message.as_str())
        .find(|message| message.contains(text));
    let detail = detail.or_else(|| case.failure.saying(text)).unwrap_or(text);
    let detail = detail.rsplit("Exception: ").next().unwrap_or(detail);
    Some(Diagnosis {
        cause: &WEAK_ALGORITHM,
        certainty: Certainty::Proven,
        summary: format!("{} uses what this JVM refuses as too weak: {detail}", case.peer()),
        explanation:
            "The JVM's own constraints (jdk.certpath.disabledAlgorithms, jdk.tls.disabledAlgorithms) refuse it."
                .to_owned(),
        topics: &[Topic::PeerCertificates],
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{client_hello, fatal, only};

    #[test]
    fn a_short_key() {
        let text = "PKIX path validation failed: java.security.cert.CertPathValidatorException: Algorithm constraints check failed on \
                    keysize limits: RSA 512 bit key used with certificate: CN=weak";
        let log = client_hello("a.example")
            + &fatal(
                "UNSUPPORTED_CERTIFICATE",
                text,
                "sun.security.validator.ValidatorException",
            );
        let finding = only(&log);
        assert_eq!(finding.cause, "WeakAlgorithm");
        assert!(finding.summary.contains("RSA 512 bit key"), "{}", finding.summary);
    }
}
