//! Connections that broke without a word: closed, reset, or silent.

use super::{Case, Certainty, Diagnosis, Topic, listed};
use crate::diagnosis::catalogue::{CONNECTION_RESET, Cause, HANDSHAKE_TIMEOUT, PEER_CLOSED_CONNECTION};

pub(super) fn rule(case: &Case<'_>) -> Option<Diagnosis> {
    if case.failure.received {
        return None;
    }
    if case.says("timed out") || case.failure.thrown().has("SocketTimeoutException") {
        return Some(broken(case, &HANDSHAKE_TIMEOUT, "did not answer in time"));
    }
    let closed = [
        "before receiving peer's close_notify",
        "Remote host terminated the handshake",
        "Remote host closed connection",
        "SSL peer shut down incorrectly",
        "closed connection during handshake",
    ];
    if case.says("Received close_notify during handshake") {
        return Some(broken(
            case,
            &PEER_CLOSED_CONNECTION,
            "closed the connection during the handshake, with close_notify and no other alert",
        ));
    }
    if closed.iter().any(|text| case.says(text)) {
        return Some(broken(
            case,
            &PEER_CLOSED_CONNECTION,
            "closed the connection during the handshake, without an alert",
        ));
    }
    if case.says("Connection reset") || case.says("Broken pipe") || case.says("forcibly closed") {
        return Some(broken(
            case,
            &CONNECTION_RESET,
            "or something in between reset the connection during the handshake",
        ));
    }
    // Windows says so when its own stack gives a connection up, for whatever reason.
    if case.says("connection was aborted") {
        return Some(unsure(broken(
            case,
            &CONNECTION_RESET,
            "could not be reached any more: this end's network stack aborted the connection during the handshake",
        )));
    }
    if case.failure.is_transport() || case.says("readHandshakeRecord") {
        return Some(unsure(broken(
            case,
            &PEER_CLOSED_CONNECTION,
            "or this end's own code closed the connection during the handshake",
        )));
    }
    None
}

/// The end of the connection is in the log, but not who brought it about.
fn unsure(diagnosis: Diagnosis) -> Diagnosis {
    Diagnosis {
        certainty: Certainty::Possible,
        ..diagnosis
    }
}

/// Proven is the event, which is all that the summary claims; what lies behind it is for the explanation.
fn broken(case: &Case<'_>, named: &'static Cause, what: &str) -> Diagnosis {
    Diagnosis {
        cause: named,
        certainty: Certainty::Proven,
        summary: format!("{} {what}", case.peer()),
        explanation: remaining(case),
        topics: &[Topic::ClientHello, Topic::ServerHello],
    }
}

/// What can lie behind it, by how far the handshake was.
fn remaining(case: &Case<'_>) -> String {
    let handshake = case.handshake;
    if case.is_server() {
        return if handshake.own_chain.is_some() {
            "This server had sent its certificate. Clients that refuse it may close without an alert, as Java's HttpClient does; health \
             checks and port scanners close as well. The client's log can tell."
                .to_owned()
        } else {
            "The client went away before this server had answered: a health check, a scanner, or a client that timed out.".to_owned()
        };
    }
    if case.peer_answered() {
        return "The server had answered, so versions and cipher suites were agreed upon. What remains: it failed or gave up later on, or a \
                device in between cut the connection. The server's log can tell."
            .to_owned();
    }
    if handshake.client_hello.is_none() {
        return "The log does not show a ClientHello of this handshake.".to_owned();
    }
    format!(
        "Nothing came back for the ClientHello. What remains, for this end cannot tell them apart: the server does not accept the versions \
         ({}) or cipher suites ({}) and does not say so; it does not serve {}; a firewall, proxy or load balancer in between cut the \
         connection; or the port does not speak TLS.",
        listed(&case.offered_versions()),
        listed(&case.offered_suites()),
        handshake
            .client_hello
            .as_ref()
            .and_then(|hello| hello.server_name.as_deref())
            .unwrap_or("a client that names no host"),
    )
}

#[cfg(test)]
mod tests {
    use super::super::Certainty;
    use super::super::testing::{client_hello, fatal_with, only, record};

    #[test]
    fn closed_after_the_client_hello() {
        let log = client_hello("a.example")
            + &fatal_with(
                "HANDSHAKE_FAILURE",
                "Couldn't kickstart handshaking",
                &[
                    "javax.net.ssl.SSLHandshakeException: Remote host terminated the handshake",
                    "Caused by: java.io.EOFException: SSL peer shut down incorrectly",
                ],
            );
        let finding = only(&log);
        assert_eq!(finding.cause, "PeerClosedConnection");
        assert!(finding.explanation.contains("TLSv1.3"));
    }

    #[test]
    fn a_socket_that_either_end_may_have_closed() {
        let thrown = "\"throwable\" : {\n  java.net.SocketException: Socket closed\n  \tat java.base/x.readHandshakeRecord(X.java:1)}\n";
        let log = client_hello("a.example") + &record("handling exception", Some(thrown));
        let finding = only(&log);
        assert_eq!(
            (finding.cause.as_str(), finding.certainty),
            ("PeerClosedConnection", Certainty::Possible)
        );
    }

    #[test]
    fn a_read_that_timed_out() {
        let thrown = "\"throwable\" : {\n  java.net.SocketTimeoutException: Read timed out\n  \tat java.base/x.readHandshakeRecord(X.java:1)}\n";
        let log = client_hello("a.example") + &record("handling exception", Some(thrown));
        assert_eq!(only(&log).cause, "HandshakeTimeout");
    }
}
