//! Certificates that are not meant for what they are used for.

use super::{Case, Certainty, Diagnosis, Topic};
use crate::diagnosis::catalogue::KEY_USAGE;

/// What `sun.security.validator.EndEntityChecker` and the certification path checks say.
const TEXTS: [&str; 9] = [
    "Extended key usage does not permit use for",
    "KeyUsage does not allow",
    "Key usage restricted",
    "Netscape cert type does not permit",
    "is not a CA certificate",
    "does not have keyCertSign bit",
    "keyCertSign bit is not set",
    "basic constraints check failed",
    "name constraints check failed",
];

pub(super) fn rule(case: &Case<'_>) -> Option<Diagnosis> {
    if case.failure.received {
        return None;
    }
    let text = TEXTS.iter().find(|text| case.says(text))?;
    let detail = case.failure.saying(text).unwrap_or(text);
    let detail = detail.rsplit("Exception: ").next().unwrap_or(detail);
    Some(Diagnosis {
        cause: &KEY_USAGE,
        certainty: Certainty::Proven,
        summary: format!("a certificate of {} is not meant for this use: {detail}", case.peer()),
        explanation:
            "The certificate's own extensions (key usage, extended key usage, basic constraints) forbid this role."
                .to_owned(),
        topics: &[Topic::PeerCertificates],
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{client_hello, fatal, only};

    #[test]
    fn an_issuer_that_is_no_authority() {
        let text = "PKIX path validation failed: java.security.cert.CertPathValidatorException: CA key usage check failed: keyCertSign bit is not set";
        let log = client_hello("a.example")
            + &fatal("CERTIFICATE_UNKNOWN", text, "sun.security.validator.ValidatorException");
        assert_eq!(only(&log).cause, "KeyUsage");
    }

    #[test]
    fn extended_key_usage() {
        let text = "Extended key usage does not permit use for TLS server authentication";
        let log = client_hello("a.example")
            + &fatal("CERTIFICATE_UNKNOWN", text, "sun.security.validator.ValidatorException");
        assert_eq!(only(&log).cause, "KeyUsage");
    }
}
