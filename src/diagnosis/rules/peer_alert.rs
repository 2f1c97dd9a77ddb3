//! An alert of the peer that names no cause by itself.

use super::{Case, Certainty, Diagnosis, Topic, listed};
use crate::diagnosis::catalogue::PEER_ALERT;

pub(super) fn rule(case: &Case<'_>) -> Option<Diagnosis> {
    let alert = case.peer_alert()?;
    let straight = case.handshake.client_hello.is_some() && case.is_client() && !case.peer_answered();
    let stage = if straight {
        " straight after the ClientHello"
    } else {
        ""
    };
    let versions = case
        .handshake
        .client_hello
        .as_ref()
        .map(|hello| hello.versions.as_slice());
    let only_version = match versions {
        Some([one]) => {
            format!("it lacks {one}, the only version on offer (older servers say handshake_failure then); ")
        }
        _ => String::new(),
    };
    let remaining = match alert {
        "handshake_failure" if straight && !case.offered_suites().is_empty() => format!(
            "The server chose nothing from the offer and does not say why. What remains: {only_version}no common cipher suite (offered: {}), key exchange \
             group or signature algorithm; a server name that it does not serve; or no usable key of its own. The offer holds suites that \
             nearly every server has, so a missing cipher suite is not the first thing to suspect.",
            listed(&case.offered_suites())
        ),
        "handshake_failure" if case.is_server() && case.handshake.client_hello.is_none() => {
            "No ClientHello came before it: a client that finds nothing to offer says so, and older Java clients do where none of their \
             versions and cipher suites is enabled. The client's log can tell."
                .to_owned()
        }
        "handshake_failure" => {
            "The other end gave up after the hellos: authentication or key exchange did not suit it.".to_owned()
        }
        "internal_error" => "The other end failed in itself.".to_owned(),
        "close_notify" | "user_canceled" => "The other end did not want to go on.".to_owned(),
        "unexpected_message" | "illegal_parameter" | "decode_error" | "decrypt_error" | "bad_record_mac" => {
            "The other end could not make sense of a message: a defect of an implementation, or a device in between."
                .to_owned()
        }
        _ => "Its meaning is that of RFC 8446 §6.2.".to_owned(),
    };
    Some(Diagnosis {
        cause: &PEER_ALERT,
        certainty: Certainty::Proven,
        summary: format!("{} ended the handshake{stage} with the alert {alert}", case.peer()),
        explanation: remaining,
        topics: &[Topic::ClientHello, Topic::ServerHello],
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{client_hello, only, received};

    #[test]
    fn an_alert_without_a_cause() {
        let finding = only(&(client_hello("a.example") + &received("internal_error")));
        assert_eq!(finding.cause, "PeerAlert");
        assert_eq!(
            finding.summary,
            "a.example ended the handshake straight after the ClientHello with the alert internal_error"
        );
    }
}
