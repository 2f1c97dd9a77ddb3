//! What is read so far, in a sentence with counts: for the summary, never for a condition.

use crate::diagnosis::report::{Finding, Report};

/// Peers that are named at most.
const NAMED: usize = 3;
/// Characters of a name that are shown at most.
const LONGEST_NAME: usize = 64;

/// How many handshakes ended, and how.
pub(super) fn progress(report: &Report) -> String {
    let counts = report.handshakes;
    match (counts.succeeded, counts.failed) {
        (1, 0) => "The one handshake that was seen to its end succeeded.".to_owned(),
        (succeeded, 0) => format!("All {succeeded} finished handshakes succeeded."),
        (0, failed) => format!("{} failed.", handshakes(failed)),
        (succeeded, failed) => format!("{} failed, {succeeded} succeeded.", handshakes(failed)),
    }
}

/// The same where no failure is with a peer that the session asks for.
pub(super) fn without_match(report: &Report) -> String {
    let (succeeded, failed) = (report.handshakes.succeeded, report.handshakes.failed);
    if failed == 0 {
        return progress(report);
    }
    let explained: u64 = report.findings.iter().map(|finding| finding.count).sum();
    let none = match failed {
        1 => "not with a peer of spec.match".to_owned(),
        _ if explained < failed => format!("none of the {explained} that are explained with a peer of spec.match"),
        _ => "none with a peer of spec.match".to_owned(),
    };
    let also = match succeeded {
        0 => String::new(),
        count => format!("; {count} succeeded"),
    };
    format!("{} failed, {none} (seen: {}){also}.", handshakes(failed), seen(report))
}

fn handshakes(count: u64) -> String {
    match count {
        1 => "1 handshake".to_owned(),
        count => format!("{count} handshakes"),
    }
}

/// The peers of the failures.
fn seen(report: &Report) -> String {
    let mut names: Vec<String> = Vec::new();
    for name in report.findings.iter().map(name) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    let names = names.join(", ");
    match more {
        0 => names,
        more => format!("{names}, and {more} more"),
    }
}

fn name(finding: &Finding) -> String {
    let peer = &finding.peer;
    let Some(name) = peer.server_name.as_ref().or(peer.certificate_subject.as_ref()) else {
        return "a peer that the log does not name".to_owned();
    };
    let mut letters = name.chars();
    let mut shown: String = letters.by_ref().take(LONGEST_NAME).collect();
    if letters.next().is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::report::{Certainty, HandshakeCounts, Peer, Side, Verdict};

    fn report(succeeded: u64, failed: u64, peers: &[(Option<&str>, u64)]) -> Report {
        let finding = |(name, count): &(Option<&str>, u64)| Finding {
            cause: "PeerClosedConnection".to_owned(),
            certainty: Certainty::Possible,
            side: Side::Client,
            peer: Peer {
                server_name: name.map(str::to_owned),
                certificate_subject: None,
            },
            count: *count,
            other_end: None,
            summary: String::new(),
            explanation: String::new(),
            remedies: Vec::new(),
            evidence: Vec::new(),
            first_seen: None,
            last_seen: None,
            threads: Vec::new(),
        };
        Report {
            verdict: Verdict::FailuresFound,
            handshakes: HandshakeCounts {
                total: succeeded + failed,
                succeeded,
                failed,
                incomplete: 0,
            },
            findings: peers.iter().map(finding).collect(),
            warnings: Vec::new(),
        }
    }

    #[test]
    fn progress_counts() {
        let of = |succeeded, failed| progress(&report(succeeded, failed, &[]));
        assert_eq!(of(1, 0), "The one handshake that was seen to its end succeeded.");
        assert_eq!(of(3, 0), "All 3 finished handshakes succeeded.");
        assert_eq!(of(0, 1), "1 handshake failed.");
        assert_eq!(of(2, 4), "4 handshakes failed, 2 succeeded.");
    }

    #[test]
    fn failures_with_others_are_named_and_never_denied() {
        assert_eq!(
            without_match(&report(0, 1, &[(Some("metering.example"), 1)])),
            "1 handshake failed, not with a peer of spec.match (seen: metering.example)."
        );
        let peers = [(Some("metering.example"), 1), (None, 2), (Some("metering.example"), 1)];
        assert_eq!(
            without_match(&report(5, 4, &peers)),
            "4 handshakes failed, none with a peer of spec.match (seen: metering.example, a peer that the log does not \
             name); 5 succeeded."
        );
    }

    #[test]
    fn many_and_long_names_are_cut_and_what_is_not_explained_is_not_claimed() {
        let long = "a".repeat(200);
        let peers = [
            (Some(long.as_str()), 1),
            (Some("b"), 1),
            (Some("c"), 1),
            (Some("d"), 1),
            (Some("e"), 1),
        ];
        let text = without_match(&report(0, 9, &peers));
        let expected = format!(
            "9 handshakes failed, none of the 5 that are explained with a peer of spec.match (seen: {}…, b, c, and 2 more).",
            "a".repeat(64)
        );
        assert_eq!(text, expected);
    }
}
