//! Renegotiation that an end refuses.

use super::{Case, Certainty, Diagnosis, Topic};
use crate::diagnosis::catalogue::RENEGOTIATION_REFUSED;

const TEXTS: [&str; 6] = [
    "Unsafe renegotiation is not allowed",
    "initiated renegotiation is not allowed",
    "Failed to negotiate the use of secure renegotiation",
    "Renegotiation is not allowed",
    "renegotiation is not allowed",
    "Unsupported renegotiation",
];

pub(super) fn rule(case: &Case<'_>) -> Option<Diagnosis> {
    let own = TEXTS.iter().find(|text| case.says(text));
    if own.is_none() && case.peer_alert() != Some("no_renegotiation") {
        return None;
    }
    let detail = own
        .and_then(|text| case.failure.saying(text))
        .unwrap_or("the peer's alert no_renegotiation");
    Some(Diagnosis {
        cause: &RENEGOTIATION_REFUSED,
        certainty: Certainty::Proven,
        summary: format!("renegotiation with {} is refused", case.peer()),
        explanation: format!("The log says: {detail}."),
        topics: &[Topic::ClientHello],
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{client_hello, fatal, only};

    #[test]
    fn refused_here() {
        let log = client_hello("a.example")
            + &fatal(
                "HANDSHAKE_FAILURE",
                "Unsafe renegotiation is not allowed",
                "javax.net.ssl.SSLHandshakeException",
            );
        assert_eq!(only(&log).cause, "RenegotiationRefused");
    }
}
