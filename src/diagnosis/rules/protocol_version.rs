//! No protocol version that both ends have.

use super::{Case, Certainty, Diagnosis, Topic, listed};
use crate::diagnosis::catalogue::PROTOCOL_VERSION_MISMATCH;

const TOPICS: &[Topic] = &[Topic::ClientHello];

pub(super) fn rule(case: &Case<'_>) -> Option<Diagnosis> {
    let offered = case.offered_versions();
    if let Some(text) = case.failure.saying("are not accepted by server preferences") {
        let (client, server) = bracketed(text);
        return Some(diagnosis(
            Certainty::Proven,
            format!("the client offers {client}, this server accepts {server}: no version in common"),
            format!("Offered: {client}. Accepted: {server}. The two sets have nothing in common."),
        ));
    }
    if let Some(text) = case.failure.saying("is not accepted by client preferences") {
        let (_, client) = bracketed(text);
        let server = text
            .split_once("protocol version ")
            .and_then(|(_, rest)| rest.split(' ').next())
            .unwrap_or("another version");
        return Some(diagnosis(
            Certainty::Proven,
            format!("{} chose {server}, this client accepts {client}", case.peer()),
            format!("Accepted: {client}. Chosen: {server}, which is not among them."),
        ));
    }
    let old = [
        (
            "but that protocol version is not enabled or not supported by the client",
            "the server chose a version that this client does not have",
        ),
        (
            "is not enabled or supported in server context",
            "the client asks for a version that this server does not have",
        ),
        (
            "not enabled or not supported",
            "the client asks for a version that this server does not have",
        ),
        (
            "SSLv2Hello is not enabled",
            "the client sends an SSLv2 hello, which this server does not accept",
        ),
        (
            "SSLv2Hello is disabled",
            "the client sends an SSLv2 hello, which this server does not accept",
        ),
    ];
    if !case.failure.received
        && let Some((text, summary)) = old.iter().find(|(text, _)| case.says(text))
    {
        let detail = case.failure.saying(text).unwrap_or(text);
        return Some(diagnosis(
            Certainty::Proven,
            (*summary).to_owned(),
            format!("JSSE says: {detail}"),
        ));
    }
    if case.says("No appropriate protocol (protocol is disabled or cipher suites are inappropriate)") {
        return Some(diagnosis(
            Certainty::Likely,
            "this JVM has no protocol version left that it may use: what is enabled is disabled in java.security".to_owned(),
            "No ClientHello was sent. After jdk.tls.disabledAlgorithms none of the enabled versions remains, or none of the enabled cipher \
             suites fits one (CipherSuiteMismatch at this end)."
                .to_owned(),
        ));
    }
    if case.says("no cipher suites in common") && !case.failure.received && is_too_new(case) {
        return Some(diagnosis(
            Certainty::Proven,
            "the client offers TLSv1.3 alone, which this server does not have".to_owned(),
            format!(
                "All cipher suites on offer ({}) are of TLSv1.3. This JVM is older than 8u272 and knows neither them nor that version.",
                listed(&case.offered_suites())
            ),
        ));
    }
    match case.peer_alert() {
        Some("protocol_version") => {
            let offers = if offered.is_empty() { String::new() } else { format!(" It offered {}.", listed(&offered)) };
            let who = if case.is_server() { "the client does not accept the version of this server" } else { "does not accept any version that this client offers" };
            let summary = if case.is_server() { who.to_owned() } else { format!("{} {who}{}", case.peer(), in_brackets(&offered)) };
            Some(diagnosis(
                Certainty::Proven,
                summary,
                format!("The alert protocol_version says so.{offers} Which versions the other end accepts, its own log or configuration tells."),
            ))
        }
        Some("handshake_failure") if !case.peer_answered() && only_sslv3(&offered) => Some(diagnosis(
            Certainty::Likely,
            format!("{} refuses a client that offers nothing newer than {}", case.peer(), offered.join(", ")),
            "The server gave no reason. Hardly any server still accepts SSLv3; old ones answer handshake_failure where newer ones say \
             protocol_version. A cipher suite that the server lacks (CipherSuiteMismatch) looks the same."
                .to_owned(),
        )),
        _ => None,
    }
}

/// Whether a server that prints a legacy layout, which no JVM with TLS 1.3 does, is offered nothing but cipher suites of TLS 1.3
/// (RFC 8446 §B.4).
fn is_too_new(case: &Case<'_>) -> bool {
    let legacy = case.handshake.threads.iter().all(|thread| thread.id.is_empty());
    let suites = case.offered_suites();
    let only_13 = !suites.is_empty()
        && suites
            .iter()
            .all(|suite| suite.starts_with("TLS_") && !suite.contains("_WITH_"));
    legacy && case.is_server() && only_13
}

fn diagnosis(certainty: Certainty, summary: String, explanation: String) -> Diagnosis {
    Diagnosis {
        cause: &PROTOCOL_VERSION_MISMATCH,
        certainty,
        summary,
        explanation,
        topics: TOPICS,
    }
}

fn in_brackets(offered: &[&str]) -> String {
    if offered.is_empty() {
        String::new()
    } else {
        format!(" ({})", listed(offered))
    }
}

fn only_sslv3(offered: &[&str]) -> bool {
    !offered.is_empty() && offered.iter().all(|version| *version == "SSLv3")
}

/// The contents of the first and the last pair of brackets, in today's spelling.
fn bracketed(text: &str) -> (String, String) {
    let mut found = text
        .split('[')
        .skip(1)
        .filter_map(|rest| rest.split_once(']').map(|(inner, _)| modern(inner)));
    let first = found.next().unwrap_or_default();
    let last = found.last().unwrap_or_else(|| first.clone());
    (first, last)
}

/// 8, and 11 before 11.0.25, print `TLS12` (JDK-8332524).
fn modern(versions: &str) -> String {
    versions
        .split(", ")
        .map(|version| match version {
            "TLS10" => "TLSv1",
            "TLS11" => "TLSv1.1",
            "TLS12" => "TLSv1.2",
            "TLS13" => "TLSv1.3",
            other => other,
        })
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::testing::{client_hello, fatal, only, received};
    use super::*;

    #[test]
    fn both_sets_at_the_server() {
        let log = client_hello("a.example").replace("Produced", "Consuming")
            + &fatal(
                "PROTOCOL_VERSION",
                "The client supported protocol versions [TLSv1.2] are not accepted by server preferences [TLS13]",
                "javax.net.ssl.SSLHandshakeException",
            );
        let finding = only(&log);
        assert_eq!(
            (finding.cause.as_str(), finding.certainty),
            ("ProtocolVersionMismatch", Certainty::Proven)
        );
        assert_eq!(
            finding.summary,
            "the client offers TLSv1.2, this server accepts TLSv1.3: no version in common"
        );
    }

    #[test]
    fn the_peers_alert() {
        let finding = only(&(client_hello("a.example") + &received("protocol_version")));
        assert_eq!(
            (finding.cause.as_str(), finding.certainty),
            ("ProtocolVersionMismatch", Certainty::Proven)
        );
    }
}
