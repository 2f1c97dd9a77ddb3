//! Messages and chains that are larger than this end accepts.

use super::{Case, Certainty, Diagnosis, Topic};
use crate::diagnosis::catalogue::MESSAGE_TOO_LARGE;

const TEXTS: [&str; 5] = [
    "exceeds the maximum allowed size",
    "exceeds the maximum allowed length",
    "Input record too big",
    "Record too large",
    "The size of the handshake message",
];

pub(super) fn rule(case: &Case<'_>) -> Option<Diagnosis> {
    if case.failure.received {
        return None;
    }
    let text = TEXTS.iter().find(|text| case.says(text))?;
    let detail = case.failure.saying(text).unwrap_or(text);
    Some(Diagnosis {
        cause: &MESSAGE_TOO_LARGE,
        certainty: Certainty::Proven,
        summary: format!("{} sent more than this JVM accepts: {detail}", case.peer()),
        explanation: "The limit is one of this JVM's settings.".to_owned(),
        topics: &[Topic::PeerCertificates],
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{client_hello, fatal, only};

    #[test]
    fn a_long_message() {
        let text = "The size of the handshake message (40000) exceeds the maximum allowed size (32768)";
        let log = client_hello("a.example") + &fatal("UNEXPECTED_MESSAGE", text, "javax.net.ssl.SSLProtocolException");
        assert_eq!(only(&log).cause, "MessageTooLarge");
    }
}
