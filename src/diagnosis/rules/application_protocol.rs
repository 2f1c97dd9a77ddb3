//! No application protocol that both ends have.

use super::{Case, Certainty, Diagnosis, Topic, listed};
use crate::diagnosis::catalogue::APPLICATION_PROTOCOL_MISMATCH;

pub(super) fn rule(case: &Case<'_>) -> Option<Diagnosis> {
    let own = case.says("No matching application layer protocol values")
        || case.says("No matching ALPN values")
        || case.says("did not offer application layer protocol")
        || case.says("Invalid application_layer_protocol_negotiation");
    if !(own || case.peer_alert() == Some("no_application_protocol")) {
        return None;
    }
    let offered: Vec<&str> = case
        .handshake
        .client_hello
        .iter()
        .flat_map(|hello| hello.application_protocols.iter())
        .collect();
    let offers = if offered.is_empty() {
        "none that the log shows".to_owned()
    } else {
        listed(&offered)
    };
    Some(Diagnosis {
        cause: &APPLICATION_PROTOCOL_MISMATCH,
        certainty: Certainty::Proven,
        summary: if case.is_server() {
            format!("the client offers the application protocols {offers}, of which this server has none")
        } else {
            format!(
                "{} has none of the application protocols that this client offers ({offers})",
                case.peer()
            )
        },
        explanation: "The alert no_application_protocol (RFC 7301 §3.2) has no other meaning.".to_owned(),
        topics: &[Topic::ClientHello],
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{client_hello, only, received};

    #[test]
    fn the_peers_alert() {
        let finding = only(&(client_hello("a.example") + &received("no_application_protocol")));
        assert_eq!(finding.cause, "ApplicationProtocolMismatch");
    }
}
