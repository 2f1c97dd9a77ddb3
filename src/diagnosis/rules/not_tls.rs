//! The other end speaks something else than TLS.

use super::{Case, Certainty, Diagnosis};
use crate::diagnosis::catalogue::NOT_TLS;

/// What JSSE says when a record's header makes no sense, by version.
const TEXTS: [&str; 6] = [
    "Unsupported or unrecognized SSL message",
    "Unrecognized SSL message, plaintext connection?",
    ", plaintext connection?",
    "SSL V2.0 servers are not supported",
    "not an SSL/TLS record",
    "Invalid SSL/TLS record",
];

pub(super) fn rule(case: &Case<'_>) -> Option<Diagnosis> {
    TEXTS.iter().find(|text| case.says(text))?;
    let peer = case.peer();
    Some(Diagnosis {
        cause: &NOT_TLS,
        certainty: Certainty::Proven,
        summary: format!("{peer} did not speak TLS: its first bytes are no TLS record"),
        explanation: if case.is_client() {
            "This end sent a ClientHello and got an answer that is no TLS record: a plain-text port, or a proxy that answers itself.".to_owned()
        } else {
            "What came in is no TLS record: a client that speaks plain text (HTTP, a health check) to a TLS port."
                .to_owned()
        },
        topics: &[],
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{client_hello, fatal, only};
    use super::*;

    #[test]
    fn a_plain_text_server() {
        let log = client_hello("bank.example")
            + &fatal(
                "UNEXPECTED_MESSAGE",
                "Unsupported or unrecognized SSL message",
                "javax.net.ssl.SSLException",
            );
        let finding = only(&log);
        assert_eq!(
            (finding.cause.as_str(), finding.certainty),
            ("NotTls", Certainty::Proven)
        );
    }
}
