//! Lines `THREAD, WHAT`.

use crate::log::{Alert, AlertLevel, Sender};

/// Splits `THREAD, WHAT`, where a thread's name may hold commas itself.
pub(in crate::log) fn split_thread(line: &[u8]) -> Option<(&[u8], &[u8])> {
    const WHAT: [&[u8]; 10] = [
        b"READ: ",
        b"WRITE: ",
        b"SEND ",
        b"RECV ",
        b"handling exception: ",
        b"fatal error: ",
        b"called close",
        b"received EOFException",
        b"setSoTimeout(",
        b"IOException in getSession()",
    ];
    let head = line.get(..400).unwrap_or(line);
    memchr::memchr_iter(b',', head).find_map(|at| {
        let what = line.get(at + 2..).filter(|_| line[at + 1] == b' ')?;
        let first = what.first()?;
        WHAT.iter()
            .any(|start| start[0] == *first && what.starts_with(start))
            .then(|| (&line[..at], what))
    })
}

/// `SEND TLSv1.2 ALERT:  fatal, description = X` or `RECV TLSv1.2 ALERT:  fatal, X`.
pub(super) fn alert(text: &str) -> Option<(Sender, Alert)> {
    let sender = match text.get(..5)? {
        "SEND " => Sender::This,
        "RECV " => Sender::Peer,
        _ => return None,
    };
    let (_, alert) = text.split_once("ALERT:")?;
    let (level, description) = alert.trim().split_once(", ")?;
    let level = if level == "fatal" {
        AlertLevel::Fatal
    } else {
        AlertLevel::Warning
    };
    let description = description.trim().trim_start_matches("description = ");
    Some((
        sender,
        Alert {
            level,
            description: description.to_owned(),
        },
    ))
}

/// The name of an alert's number (RFC 8446 §6, RFC 5246 §7.2).
pub(super) fn alert_name(number: &str) -> &'static str {
    match number.trim() {
        "10" => "unexpected_message",
        "20" => "bad_record_mac",
        "22" => "record_overflow",
        "42" => "bad_certificate",
        "43" => "unsupported_certificate",
        "44" => "certificate_revoked",
        "45" => "certificate_expired",
        "46" => "certificate_unknown",
        "47" => "illegal_parameter",
        "48" => "unknown_ca",
        "50" => "decode_error",
        "51" => "decrypt_error",
        "70" => "protocol_version",
        "71" => "insufficient_security",
        "80" => "internal_error",
        "112" => "unrecognized_name",
        "120" => "no_application_protocol",
        _ => "handshake_failure",
    }
}
