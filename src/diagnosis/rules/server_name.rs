//! The server does not know the name in the ClientHello.

use super::{Case, Certainty, Diagnosis, Topic};
use crate::diagnosis::catalogue::SERVER_NAME_UNRECOGNIZED;

pub(super) fn rule(case: &Case<'_>) -> Option<Diagnosis> {
    let own = case.says("Unrecognized server name indication");
    let warned =
        case.says("Received handshake warning: unrecognized_name") || case.says("handshake alert:  unrecognized_name");
    if !(own || warned || case.peer_alert() == Some("unrecognized_name")) {
        return None;
    }
    let name = case
        .handshake
        .client_hello
        .as_ref()
        .and_then(|hello| hello.server_name.as_deref());
    let asked = name.map_or_else(
        || "the client named no host".to_owned(),
        |name| format!("the client asked for \"{name}\""),
    );
    Some(Diagnosis {
        cause: &SERVER_NAME_UNRECOGNIZED,
        certainty: Certainty::Proven,
        summary: match (case.is_server(), name) {
            (true, Some(name)) => format!("the client asked for the host {name}, which this server does not accept"),
            (true, None) => "the client asked for a host that this server does not accept".to_owned(),
            (false, Some(name)) => format!("the server does not know the host {name} that this client asked for"),
            (false, None) => "the server does not accept the host name of this client's request".to_owned(),
        },
        explanation: format!("The alert unrecognized_name (RFC 6066 §3) says so; {asked}."),
        topics: &[Topic::ClientHello],
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{client_hello, only, received};

    #[test]
    fn the_peers_alert() {
        let finding = only(&(client_hello("a.example") + &received("unrecognized_name")));
        assert_eq!(finding.cause, "ServerNameUnrecognized");
        assert_eq!(
            finding.summary,
            "the server does not know the host a.example that this client asked for"
        );
    }
}
