//! A certificate outside its period of validity.

use super::{Case, Certainty, Diagnosis, Topic};
use crate::diagnosis::catalogue::{CERTIFICATE_EXPIRED, CERTIFICATE_NOT_YET_VALID, Cause};
use crate::log::Certificate;

pub(super) fn rule(case: &Case<'_>) -> Option<Diagnosis> {
    let thrown = case.failure.thrown();
    // IBM's provider says so itself, and names the exception beneath on a line of its own.
    if thrown.has("CertificateExpiredException")
        || case.says("NotAfter: ")
        || (!case.failure.received && case.says("The certificate expired at"))
    {
        return Some(outside(case, &CERTIFICATE_EXPIRED, "NotAfter: ", "expired"));
    }
    if thrown.has("CertificateNotYetValidException") || case.says("NotBefore: ") {
        return Some(outside(
            case,
            &CERTIFICATE_NOT_YET_VALID,
            "NotBefore: ",
            "is not valid before",
        ));
    }
    // Through java.util.logging the exception beneath is lost; the alert still tells, from 17.0.16 and 21.0.9 on.
    let failed = case.says("validity check failed") || case.says("timestamp check failed");
    if failed && !case.failure.received {
        let alert = case.failure.alert.as_deref();
        if alert == Some("certificate_expired") {
            return Some(outside(case, &CERTIFICATE_EXPIRED, "NotAfter: ", "expired"));
        }
        if let Some(diagnosis) = by_clock(case) {
            return Some(diagnosis);
        }
        let mut diagnosis = outside(case, &CERTIFICATE_EXPIRED, "NotAfter: ", "expired");
        diagnosis.certainty = Certainty::Likely;
        diagnosis.explanation.push_str(
            " The log does not say which end of the period was missed: CertificateNotYetValid looks the same.",
        );
        return Some(diagnosis);
    }
    None
}

/// The certificate of the chain that is outside its period by the clock of this end.
fn by_clock(case: &Case<'_>) -> Option<Diagnosis> {
    let now = case
        .handshake
        .begun
        .as_deref()
        .and_then(moment)
        .or_else(|| hello_time(case))?;
    let chain = case.handshake.peer_chain.as_deref()?;
    chain.iter().find_map(|certificate| {
        let (named, verb, when) = if moment(&certificate.not_after).is_some_and(|end| end < now) {
            (&CERTIFICATE_EXPIRED, "expired on", &certificate.not_after)
        } else if moment(&certificate.not_before).is_some_and(|begin| begin > now) {
            (&CERTIFICATE_NOT_YET_VALID, "is not valid before", &certificate.not_before)
        } else {
            return None;
        };
        Some(Diagnosis {
            cause: named,
            certainty: Certainty::Proven,
            summary: format!("certificate \"{}\" {verb} {when}", certificate.subject),
            explanation: format!(
                "The check of its period failed, and by this end's clock the period (from {} to {}) is missed. Issuer \"{}\", serial \
                 number {}.",
                certificate.not_before, certificate.not_after, certificate.issuer, certificate.serial
            ),
            topics: &[Topic::PeerCertificates],
        })
    })
}

/// The clock of this end as its own hello tells it: before TLS 1.3 the random begins with the time (RFC 5246 §7.4.1.2), which
/// the legacy layouts print as such.
fn hello_time(case: &Case<'_>) -> Option<jiff::Timestamp> {
    let handshake = case.handshake;
    let seconds = if case.is_client() {
        let random = &handshake.client_hello.as_ref()?.random;
        let legacy = handshake.begun.is_none();
        i64::from_str_radix(random.get(..8).filter(|_| legacy)?, 16).ok()?
    } else {
        handshake.server_hello.as_ref()?.clock?
    };
    jiff::Timestamp::from_second(seconds).ok()
}

/// A moment as JSSE prints it: `2020-01-31 14:47:30.000 GMT`, or `Fri Jan 31 14:47:30 GMT 2020`. Zones have names of which few are
/// clear, so only those that are the world's own time are read.
fn moment(text: &str) -> Option<jiff::Timestamp> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (date, time, zone) = match words.as_slice() {
        [date, time, zone] => ((*date).to_owned(), *time, *zone),
        [_, month, day, time, zone, year] => (format!("{year}-{:02}-{day:0>2}", month_number(month)?), *time, *zone),
        _ => return None,
    };
    // JSSE counts the first hour of a day as 24.
    let time = time
        .strip_prefix("24:")
        .map_or_else(|| time.to_owned(), |rest| format!("00:{rest}"));
    matches!(zone, "GMT" | "UTC" | "Z").then(|| format!("{date}T{time}Z").parse().ok())?
}

fn month_number(name: &str) -> Option<usize> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    MONTHS.iter().position(|month| *month == name).map(|index| index + 1)
}

fn outside(case: &Case<'_>, named: &'static Cause, key: &str, verb: &str) -> Diagnosis {
    let date = case
        .failure
        .saying(key)
        .and_then(|message| message.split_once(key))
        .map(|(_, date)| date.trim().trim_end_matches('}'));
    let chain = case.handshake.peer_chain.as_deref().unwrap_or_default();
    let culprit = culprit(chain, key, date);
    let when = date.map(|date| format!(" {date}")).unwrap_or_default();
    let on = if named.id == CERTIFICATE_EXPIRED.id && date.is_some() {
        " on"
    } else {
        ""
    };
    let summary = match culprit {
        Some(certificate) => format!("certificate \"{}\" {verb}{on}{when}", certificate.subject),
        None => format!("a certificate in the chain of {} {verb}{on}{when}", case.peer()),
    };
    let explanation = match culprit {
        Some(certificate) => format!(
            "The chain that came in holds it at place {} (issuer \"{}\", serial number {}, valid from {} to {}).",
            chain.iter().position(|other| other == certificate).unwrap_or_default() + 1,
            certificate.issuer,
            certificate.serial,
            certificate.not_before,
            certificate.not_after
        ),
        None => "The exception names the date, not the certificate; compare it with the chain and the trust store."
            .to_owned(),
    };
    Diagnosis {
        cause: named,
        certainty: Certainty::Proven,
        summary,
        explanation,
        topics: &[Topic::PeerCertificates],
    }
}

/// The certificate that bears this date. Chains print `2020-01-31 14:47:30.000 GMT`, exceptions `Fri Jan 31 14:47:30 GMT 2020`:
/// day, time and year have to be the same.
fn culprit<'a>(chain: &'a [Certificate], key: &str, date: Option<&str>) -> Option<&'a Certificate> {
    let date = date?;
    let parts: Vec<&str> = date.split_whitespace().collect();
    let &[_, month, day, time, .., year] = parts.as_slice() else {
        return None;
    };
    let month = month_number(month)?;
    let modern = format!("{year}-{month:02}-{day:0>2} {time}");
    let mut found = chain.iter().filter(|certificate| {
        let printed = if key == "NotAfter: " {
            &certificate.not_after
        } else {
            &certificate.not_before
        };
        printed == date || printed.starts_with(&modern)
    });
    let first = found.next()?;
    // Two with the same date: the log does not tell which.
    found.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Link, client_hello, fatal_with, only, server_chain};
    use super::*;

    #[test]
    fn the_certificate_that_bears_the_date() {
        let log = client_hello("bank.example")
            + &server_chain(&[Link {
                not_after: "2020-01-31 14:47:30.000 GMT",
                ..Link::new("CN=bank.example", "CN=CA")
            }])
            + &fatal_with(
                "CERTIFICATE_UNKNOWN",
                "PKIX path validation failed: java.security.cert.CertPathValidatorException: validity check failed",
                &[
                    "sun.security.validator.ValidatorException: PKIX path validation failed: java.security.cert.CertPathValidatorException: validity check failed",
                    "Caused by: java.security.cert.CertificateExpiredException: NotAfter: Fri Jan 31 14:47:30 GMT 2020",
                ],
            );
        let finding = only(&log);
        assert_eq!(
            (finding.cause.as_str(), finding.certainty),
            ("CertificateExpired", Certainty::Proven)
        );
        assert_eq!(
            finding.summary,
            "certificate \"CN=bank.example\" expired on Fri Jan 31 14:47:30 GMT 2020"
        );
    }

    #[test]
    fn not_yet() {
        let log = client_hello("bank.example")
            + &fatal_with(
                "BAD_CERTIFICATE",
                "PKIX path validation failed: validity check failed",
                &["java.security.cert.CertificateNotYetValidException: NotBefore: Fri Jan 31 14:47:30 GMT 2031"],
            );
        assert_eq!(only(&log).cause, "CertificateNotYetValid");
    }
}
