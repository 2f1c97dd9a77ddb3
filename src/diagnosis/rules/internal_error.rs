//! What no other rule knows.

use super::{Case, Certainty, Diagnosis, Topic};
use crate::diagnosis::catalogue::INTERNAL_ERROR;

/// What an engine logs after a task has failed with an exception that it hands to the application, unlogged, and the next
/// message is taken all the same (`sun.security.ssl.SSLEngineImpl.DelegatedTask`).
const AFTERMATH: [&str; 3] = [
    "No X509 credentials negotiated for CertificateVerify",
    "Invalid DH ServerKeyExchange: unknown extra data",
    "Invalid ECDH ServerKeyExchange: unknown extra data",
];

pub(super) fn diagnosis(case: &Case<'_>) -> Diagnosis {
    let outermost = case
        .failure
        .thrown()
        .chain
        .first()
        .map(|link| format!("{}: {}", link.class, link.message));
    let what = if case.failure.message().is_empty() {
        outermost
            .or_else(|| {
                case.failure
                    .alert
                    .as_ref()
                    .map(|alert| format!("it sent the alert {alert}"))
            })
            .unwrap_or_default()
    } else {
        case.failure.message().to_owned()
    };
    Diagnosis {
        cause: &INTERNAL_ERROR,
        certainty: Certainty::Possible,
        summary: format!("this end gave up the handshake with {}: {what}", case.peer()),
        explanation: if AFTERMATH.iter().any(|text| case.says(text)) {
            "This error is an aftermath: the check of the certificate failed before it with an exception that an SSLEngine hands to the \
             application without logging it. Look for that exception in the application's own lines around here."
                .to_owned()
        } else {
            "None of the known causes fits this text; the exception tells the rest.".to_owned()
        },
        topics: &[Topic::ClientHello, Topic::ServerHello],
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{client_hello, fatal, only};

    #[test]
    fn what_follows_an_unlogged_exception_is_called_an_aftermath() {
        let text = "No X509 credentials negotiated for CertificateVerify";
        let log = client_hello("a.example") + &fatal("HANDSHAKE_FAILURE", text, "javax.net.ssl.SSLHandshakeException");
        let finding = only(&log);
        assert_eq!(finding.cause, "InternalError");
        assert!(finding.explanation.contains("aftermath"), "{}", finding.explanation);
    }
}
