//! The client's certificate: asked for and not sent, or sent and refused; and the server's own, refused by the client.

use super::{Case, Certainty, Diagnosis, Topic};
use crate::diagnosis::catalogue::{CLIENT_CERTIFICATE_MISSING, CLIENT_CERTIFICATE_REJECTED, PEER_REJECTED_CERTIFICATE};

/// Alerts with which an end refuses a certificate (RFC 8446 §6.2).
const REFUSING: [&str; 9] = [
    "bad_certificate",
    "unsupported_certificate",
    "certificate_revoked",
    "certificate_expired",
    "certificate_unknown",
    "unknown_ca",
    "access_denied",
    "certificate_required",
    "no_certificate",
];

/// What JSSE says of an alert (two bytes, RFC 8446 §6) that comes in unencrypted once encryption has begun.
const UNENCRYPTED_ALERT: &str = "Insufficient buffer remaining for AEAD cipher fragment (2)";

const TOPICS: &[Topic] = &[Topic::CertificateRequest, Topic::OwnCertificates];

pub(super) fn rule(case: &Case<'_>) -> Option<Diagnosis> {
    if case.is_client() {
        as_client(case)
    } else {
        as_server(case)
    }
}

fn as_client(case: &Case<'_>) -> Option<Diagnosis> {
    let alert = case.peer_alert();
    if alert == Some("certificate_required") && !case.handshake.sent_client_certificate() {
        return Some(missing(
            case,
            Certainty::Proven,
            "The server's alert says so: certificate_required.",
        ));
    }
    if case.handshake.sent_no_client_certificate() {
        return match alert {
            Some("bad_certificate" | "no_certificate") => Some(missing(
                case,
                Certainty::Proven,
                "This client answered the request with an empty list, and the server refused that.",
            )),
            Some(alert) if REFUSING.contains(&alert) || alert == "handshake_failure" => Some(missing(
                case,
                Certainty::Likely,
                &format!(
                    "This client answered the request with an empty list, and the server ended the handshake with {alert}."
                ),
            )),
            None if case.failure.is_transport() && !case.says("Read timed out") => Some(missing(
                case,
                Certainty::Likely,
                "This client answered the request with an empty list, and the connection broke at once: the server's alert was lost, \
                 as happens when both ends close at the same time.",
            )),
            _ => None,
        };
    }
    let lost = alert.is_none() && case.failure.is_transport() && !case.says("Read timed out");
    if lost && case.handshake.sent_client_certificate() {
        return Some(rejected(
            case,
            Certainty::Likely,
            "and ended the connection",
            "This client sent its certificate when asked, and the connection broke at once: the server's alert was lost, as happens when both \
             ends write at the same time. What remains besides: the server failed for another reason, or a device in between cut the \
             connection. The server's log can tell."
                .to_owned(),
        ));
    }
    let alert = alert?;
    if case.handshake.sent_client_certificate() && (REFUSING.contains(&alert) || alert == "handshake_failure") {
        let certainty = if alert == "handshake_failure" {
            Certainty::Likely
        } else {
            Certainty::Proven
        };
        return Some(rejected(
            case,
            certainty,
            &format!("with the alert {alert}"),
            format!(
                "This client sent its certificate when asked, and the server answered {}.",
                meaning(alert)
            ),
        ));
    }
    None
}

fn rejected(case: &Case<'_>, certainty: Certainty, how: &str, explanation: String) -> Diagnosis {
    let own = case.handshake.own_chain.as_ref().and_then(|chain| chain.first());
    let subject = own.map(|own| own.subject.as_str()).unwrap_or_default();
    Diagnosis {
        cause: &CLIENT_CERTIFICATE_REJECTED,
        certainty,
        summary: format!("{} refuses the client certificate \"{subject}\" {how}", case.peer()),
        explanation,
        topics: TOPICS,
    }
}

fn missing(case: &Case<'_>, certainty: Certainty, why: &str) -> Diagnosis {
    let accepted = match case.handshake.requested.as_deref() {
        Some([]) => " The server names no authorities: any certificate could have been sent.".to_owned(),
        Some(names) => format!(" The server accepts certificates of {}.", quoted(names)),
        None => String::new(),
    };
    Diagnosis {
        cause: &CLIENT_CERTIFICATE_MISSING,
        certainty,
        summary: format!(
            "{} asked for a client certificate and this client had none to send",
            case.peer()
        ),
        explanation: format!("{why}{accepted}"),
        topics: TOPICS,
    }
}

fn as_server(case: &Case<'_>) -> Option<Diagnosis> {
    if case.says(UNENCRYPTED_ALERT) && case.handshake.own_chain.is_some() {
        return Some(Diagnosis {
            cause: &PEER_REJECTED_CERTIFICATE,
            certainty: Certainty::Likely,
            summary: "the client ended the handshake with an alert, most likely because it refuses this server's certificate".to_owned(),
            explanation: "Where an encrypted record was due, one of two bytes came in, the size of an alert: TLS 1.3 clients that give up over what                           the server sent may do so before they encrypt. This JVM cannot read it, so the reason is in the client's log; most often                           the certificate is what it refuses."
                .to_owned(),
            topics: TOPICS,
        });
    }
    if case.handshake.requested.is_some() || case.is_server() {
        // JDK-8325022: 8 and early 11 say "server" where they mean the client's chain.
        let empty = case.says("Empty client certificate chain")
            || case.says("null cert chain")
            || (case.is_server() && case.says("Empty server certificate chain"));
        if empty && !case.failure.received {
            let names = case.handshake.requested.as_deref().unwrap_or_default();
            let accepted = if names.is_empty() {
                String::new()
            } else {
                format!(" It was told to send one of {}.", quoted(names))
            };
            return Some(Diagnosis {
                cause: &CLIENT_CERTIFICATE_MISSING,
                certainty: Certainty::Proven,
                summary: "the client was asked for a certificate and sent none".to_owned(),
                explanation: format!(
                    "This server requires a client certificate, and the client's list was empty.{accepted}"
                ),
                topics: TOPICS,
            });
        }
    }
    let alert = case.peer_alert()?;
    if !REFUSING.contains(&alert) {
        return None;
    }
    if !case.is_server() {
        return Some(Diagnosis {
            cause: &PEER_REJECTED_CERTIFICATE,
            certainty: Certainty::Likely,
            summary: format!("the other end refuses this end's certificate with the alert {alert}"),
            explanation: format!(
                "The other end answered {}. The log does not show the handshake, so this end may be server or client \
                 (ClientCertificateRejected).",
                meaning(alert)
            ),
            topics: TOPICS,
        });
    }
    // The alert alone says this much; a chain that may be another handshake's adds nothing.
    let uncertain = case.handshake.uncertain;
    let own = case
        .handshake
        .own_chain
        .as_deref()
        .filter(|_| !uncertain)
        .unwrap_or_default();
    let hint = match own {
        [leaf] if !leaf.is_self_signed() => {
            format!(
                " This server sent only \"{}\"; its issuer \"{}\" was not sent along.",
                leaf.subject, leaf.issuer
            )
        }
        [leaf] => format!(" This server sent the self-signed certificate \"{}\".", leaf.subject),
        _ => String::new(),
    };
    Some(Diagnosis {
        cause: &PEER_REJECTED_CERTIFICATE,
        certainty: Certainty::Proven,
        summary: format!("the client refuses this server's certificate with the alert {alert}"),
        explanation: format!("The client answered {}; why, its own log says.{hint}", meaning(alert)),
        topics: if uncertain { &[] } else { TOPICS },
    })
}

fn quoted(names: &[String]) -> String {
    const SHOWN: usize = 4;
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("\"{name}\"")).collect();
    let more = if names.len() > SHOWN {
        format!(" and {} more", names.len() - SHOWN)
    } else {
        String::new()
    };
    shown.join(", ") + &more
}

/// An alert and what it stands for.
fn meaning(alert: &str) -> String {
    let meaning = match alert {
        "unknown_ca" => "it does not trust the issuer",
        "certificate_unknown" => {
            "it does not accept the certificate for a reason it does not tell; Java clients mean an untrusted issuer \
                                  or the wrong host name"
        }
        "certificate_expired" => "it holds the certificate, or one of its chain, for expired",
        "certificate_revoked" => "it holds the certificate for revoked",
        "unsupported_certificate" => "it cannot use this kind of certificate or key",
        "access_denied" => "the certificate is valid but has no access",
        _ => "it does not accept the certificate",
    };
    format!("{alert} ({meaning})")
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Link, client_hello, fatal, only, record, report, server_chain, server_hello};
    use super::*;

    fn asked() -> String {
        client_hello("bank.example")
            + &server_hello("TLSv1.3")
            + &record("Negotiated protocol version: TLSv1.3", None)
            + &record(
                "Consuming CertificateRequest handshake message",
                Some("\"CertificateRequest\": {\n  \"certificate authorities\": [CN=Lab CA]\n}"),
            )
            + &record("Consuming server Finished handshake message", None)
            + &record(
                "Produced client Certificate message",
                Some("\"Certificate\": {\n  \"certificate_list\": [  \n]\n}"),
            )
            + &record("Produced client Finished handshake message", None)
    }

    #[test]
    fn sent_and_the_connection_broke_at_once() {
        let hello = client_hello("bank.example") + &server_hello("TLSv1.2");
        let asked = record(
            "Consuming CertificateRequest handshake message",
            Some("\"CertificateRequest\": {\n  \"certificate authorities\": [CN=Lab CA]\n}"),
        );
        let sent =
            server_chain(&[Link::new("CN=orders.example", "CN=Lab CA")]).replace("Consuming server", "Produced client");
        let broken = fatal(
            "UNEXPECTED_MESSAGE",
            "Broken pipe (Write failed)",
            "java.net.SocketException",
        );
        let finding = only(&(hello.clone() + &asked + &sent + &broken));
        assert_eq!(
            (finding.cause.as_str(), finding.certainty),
            ("ClientCertificateRejected", Certainty::Likely)
        );
        assert_eq!(only(&(hello + &broken)).cause, "ConnectionReset");
    }

    #[test]
    fn an_alert_that_comes_in_unencrypted() {
        let hello = client_hello("bank.example").replace("Produced", "Consuming");
        let chain = "\"Certificate\": {\n  \"certificate_list\": [  \n]\n}";
        let text = "Insufficient buffer remaining for AEAD cipher fragment (2). Needs to be more than tag size (16)";
        let log = hello
            + &record("Produced server Certificate message", Some(chain))
            + &record("Produced server Finished handshake message", None)
            + &fatal("HANDSHAKE_FAILURE", text, "javax.net.ssl.SSLHandshakeException");
        let finding = only(&log);
        assert_eq!(
            (finding.cause.as_str(), finding.certainty),
            ("PeerRejectedCertificate", Certainty::Likely)
        );
    }

    #[test]
    fn refused_after_the_client_has_finished() {
        let log = asked()
            + &record(
                "Received alert message",
                Some("\"Alert\": {\n  \"level\"      : \"fatal\",\n  \"description\": \"certificate_required\"\n}"),
            )
            + &fatal(
                "CERTIFICATE_REQUIRED",
                "Received fatal alert: certificate_required",
                "javax.net.ssl.SSLHandshakeException",
            );
        let finding = only(&log);
        assert_eq!(
            (finding.cause.as_str(), finding.certainty, finding.count),
            ("ClientCertificateMissing", Certainty::Proven, 1)
        );
        assert!(finding.explanation.contains("CN=Lab CA"));
    }

    #[test]
    fn optional_and_accepted() {
        let report = report(&asked());
        assert_eq!((report.handshakes.succeeded, report.findings.len()), (1, 0));
    }

    #[test]
    fn a_broken_pipe_does_not_hide_it() {
        let log = asked()
            + &fatal(
                "UNEXPECTED_MESSAGE",
                "Broken pipe (Write failed)",
                "java.net.SocketException",
            );
        let finding = only(&log);
        assert_eq!(
            (finding.cause.as_str(), finding.certainty),
            ("ClientCertificateMissing", Certainty::Likely)
        );
    }
}
