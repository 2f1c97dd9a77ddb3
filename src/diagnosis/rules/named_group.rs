//! No key exchange group that both ends have.

use super::{Case, Certainty, Diagnosis, Topic, listed};
use crate::diagnosis::catalogue::NAMED_GROUP_MISMATCH;

const TEXTS: [&str; 6] = [
    "No common named group",
    "No supported named group",
    "HelloRetryRequest selected group",
    "No key_share extension",
    "Unsupported elliptic curve",
    "ServerHello selected unexpected group",
];

pub(super) fn rule(case: &Case<'_>) -> Option<Diagnosis> {
    if case.failure.received {
        return None;
    }
    let text = TEXTS.iter().find(|text| case.says(text))?;
    let groups: Vec<&str> = case
        .handshake
        .client_hello
        .iter()
        .flat_map(|hello| hello.groups.iter().map(String::as_str))
        .collect();
    let offered = if groups.is_empty() {
        String::new()
    } else {
        format!(" The client offers {}.", listed(&groups))
    };
    Some(Diagnosis {
        cause: &NAMED_GROUP_MISMATCH,
        certainty: Certainty::Proven,
        summary: if case.is_server() {
            "the client offers no key exchange group that this server has".to_owned()
        } else {
            format!("{} and this client have no key exchange group in common", case.peer())
        },
        explanation: format!("JSSE says: {}.{offered}", case.failure.saying(text).unwrap_or(text)),
        topics: &[Topic::ClientHello],
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{client_hello, fatal, only};

    #[test]
    fn at_the_server() {
        let log = client_hello("a.example").replace("Produced", "Consuming")
            + &fatal(
                "UNEXPECTED_MESSAGE",
                "No common named group",
                "javax.net.ssl.SSLProtocolException",
            );
        assert_eq!(only(&log).cause, "NamedGroupMismatch");
    }
}
