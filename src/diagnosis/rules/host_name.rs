//! The certificate does not name the host that was addressed.

use super::{Case, Certainty, Diagnosis, Topic, listed};
use crate::diagnosis::catalogue::HOSTNAME_MISMATCH;

/// What `sun.security.util.HostnameChecker` and well-known client libraries say.
const TEXTS: [&str; 9] = [
    "No subject alternative DNS name matching",
    "No subject alternative names matching IP address",
    "No subject alternative names present",
    "No name matching",
    "Illegal given domain name",
    "Hostname or IP address is undefined",
    "doesn't match any of the subject alternative names",
    "doesn't match common name of the certificate subject",
    "HTTPS hostname wrong",
];

pub(super) fn rule(case: &Case<'_>) -> Option<Diagnosis> {
    if case.failure.received {
        return None;
    }
    let text = TEXTS.iter().find(|text| case.says(text))?;
    let detail = case.failure.saying(text).unwrap_or(text);
    let wanted = wanted(detail);
    let leaf = case.handshake.peer_certificate();
    let names = leaf
        .map(|leaf| leaf.names.iter().map(String::as_str).collect::<Vec<_>>())
        .unwrap_or_default();
    let holder = leaf.map_or_else(
        || "the server's certificate".to_owned(),
        |leaf| format!("certificate \"{}\"", leaf.subject),
    );
    let summary = match wanted {
        Some(host) => format!("{holder} is not for {host}, the host that was addressed"),
        None => format!("{holder} is not for the host that was addressed: {detail}"),
    };
    let explanation = match (leaf, names.is_empty()) {
        (Some(_), false) => format!("Its alternative names are {}.", listed(&names)),
        (Some(leaf), true) => format!("It has no alternative names; its subject is \"{}\".", leaf.subject),
        (None, _) => "The log does not show the certificate's names.".to_owned(),
    };
    Some(Diagnosis {
        cause: &HOSTNAME_MISMATCH,
        certainty: Certainty::Proven,
        summary,
        explanation,
        topics: &[Topic::PeerCertificates],
    })
}

/// The host in `No subject alternative DNS name matching HOST found.`
fn wanted(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once(" matching ")?;
    let rest = rest.strip_prefix("IP address ").unwrap_or(rest);
    rest.split_once(" found").map(|(host, _)| host)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Link, client_hello, fatal, only, server_chain};

    #[test]
    fn another_host() {
        let log = client_hello("bank.example")
            + &server_chain(&[Link {
                names: &["other.example"],
                ..Link::new("CN=other.example", "CN=CA")
            }])
            + &fatal(
                "CERTIFICATE_UNKNOWN",
                "No subject alternative DNS name matching bank.example found.",
                "java.security.cert.CertificateException",
            );
        let finding = only(&log);
        assert_eq!(finding.cause, "HostnameMismatch");
        assert_eq!(
            finding.summary,
            "certificate \"CN=other.example\" is not for bank.example, the host that was addressed"
        );
        assert!(finding.explanation.contains("other.example"));
    }
}
