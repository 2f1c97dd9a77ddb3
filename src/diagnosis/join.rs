//! Both ends of a connection: what one end's log proves explains what the other end only felt.
//!
//! The random of the ClientHello is in both ends' logs and ties their handshakes together.

use std::collections::HashMap;

use super::report::{Certainty, Finding, Side};

/// Lines of the other end's evidence that a finding takes over.
const TAKEN_LINES: usize = 3;

/// A finding and the handshakes that it explains.
#[derive(Debug)]
pub(super) struct Explained {
    pub(super) finding: Finding,
    /// Randoms of the handshakes, as many as are kept.
    pub(super) randoms: Vec<String>,
    /// This end made the decision; the other end only learnt of it, by an alert or a broken connection.
    pub(super) decided: bool,
}

/// Lets every finding that learnt of its failure from the other end tell that end's reason, where a log of it is at hand.
pub(super) fn resolve<'a>(all: impl IntoIterator<Item = &'a mut Explained>) {
    let mut all: Vec<&mut Explained> = all.into_iter().collect();
    let mut decided: HashMap<(String, Side), usize> = HashMap::new();
    for (index, explained) in all.iter().enumerate().filter(|(_, explained)| explained.decided) {
        for random in explained.randoms.iter().filter(|random| !random.is_empty()) {
            decided.insert((random.clone(), explained.finding.side), index);
        }
    }
    for index in 0..all.len() {
        if all[index].decided {
            continue;
        }
        let other = match all[index].finding.side {
            Side::Client => Side::Server,
            Side::Server => Side::Client,
        };
        let explained = &all[index];
        let mut reasons: Vec<usize> = (explained.randoms.iter())
            .filter_map(|random| decided.get(&(random.clone(), other)).copied())
            .collect();
        let known = reasons.len();
        reasons.sort_unstable();
        reasons.dedup();
        let reasons: Vec<Finding> = reasons.iter().map(|reason| all[*reason].finding.clone()).collect();
        if let Some(first) = reasons.first() {
            let part = Part {
                known,
                of: all[index].randoms.len(),
            };
            if reasons.iter().all(|reason| reason.cause == first.cause) {
                explain(&mut all[index].finding, first, part);
            } else {
                name_all(&mut all[index].finding, &reasons, part);
            }
        }
    }
}

/// How many of a finding's handshakes the other end's log explains.
#[derive(Debug, Clone, Copy)]
struct Part {
    known: usize,
    of: usize,
}

impl Part {
    const fn is_all(self) -> bool {
        self.known == self.of
    }

    fn connections(self) -> String {
        if self.of <= 1 {
            "the same connection".to_owned()
        } else if self.is_all() {
            "the same connections".to_owned()
        } else {
            format!("{} of the {} connections", self.known, self.of)
        }
    }
}

const fn end(side: Side) -> &'static str {
    match side {
        Side::Client => "client",
        Side::Server => "server",
    }
}

/// Several reasons of the other end: none of them speaks for all of the finding's handshakes.
fn name_all(finding: &mut Finding, reasons: &[Finding], part: Part) {
    let mut causes: Vec<&str> = reasons.iter().map(|reason| reason.cause.as_str()).collect();
    causes.sort_unstable();
    causes.dedup();
    finding.explanation = format!(
        "The {}'s log holds {} and tells different reasons: {}. {}",
        end(reasons[0].side),
        part.connections(),
        causes.join(", "),
        finding.explanation
    );
}

fn explain(finding: &mut Finding, reason: &Finding, part: Part) {
    let end = end(reason.side);
    let connections = part.connections();
    // What it calls "this JVM" is the other end.
    finding.explanation = format!(
        "The {end}'s log holds {connections} and tells the reason as the {end} sees it: {} ({}). {}",
        reason.cause, reason.summary, finding.explanation
    );
    if finding.cause != reason.cause {
        let how_sure = match reason.certainty {
            Certainty::Proven => "",
            Certainty::Likely => " (likely)",
            Certainty::Possible => " (possible)",
        };
        finding.summary = format!(
            "{}; the {end}'s log of {connections} tells why: {}{how_sure}",
            finding.summary, reason.cause
        );
        finding.other_end = Some(reason.cause.clone());
    } else if part.is_all() {
        // Another cause proves nothing about this one.
        finding.certainty = finding.certainty.max(reason.certainty);
    }
    finding.remedies.clone_from(&reason.remedies);
    let from = reason.evidence.len().saturating_sub(TAKEN_LINES);
    finding.evidence.extend(
        reason.evidence[from..]
            .iter()
            .filter(|line| !finding.evidence.contains(line))
            .cloned()
            .collect::<Vec<_>>(),
    );
    // Where one log holds both ends, its lines stay in their order.
    if finding.evidence.windows(2).all(|two| two[0].source == two[1].source) {
        finding.evidence.sort_by_key(|line| line.line);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::diagnosis::report::Report;

    #[test]
    fn another_cause_of_the_other_end_proves_nothing_about_this_one() {
        let mut all = [
            explained("ClientCertificateRejected", Certainty::Likely, Side::Client, false),
            explained("SignatureAlgorithmMismatch", Certainty::Proven, Side::Server, true),
        ];
        resolve(&mut all);
        assert_eq!(all[0].finding.certainty, Certainty::Likely);
        assert_eq!(all[0].finding.other_end.as_deref(), Some("SignatureAlgorithmMismatch"));
    }

    #[test]
    fn the_same_cause_at_the_other_end_proves_what_both_hold() {
        for (randoms, certainty) in [
            (&["c0ffee"][..], Certainty::Proven),
            (&["c0ffee", "decade"], Certainty::Likely),
        ] {
            let mut all = [
                explained("ProtocolMismatch", Certainty::Likely, Side::Client, false),
                explained("ProtocolMismatch", Certainty::Proven, Side::Server, true),
            ];
            all[0].randoms = randoms.iter().map(|random| (*random).to_owned()).collect();
            resolve(&mut all);
            assert_eq!(all[0].finding.certainty, certainty);
        }
    }

    #[test]
    fn different_reasons_speak_for_none_of_the_connections() {
        let mut all = [
            explained("PeerClosedConnection", Certainty::Proven, Side::Client, false),
            explained("CertificateExpired", Certainty::Proven, Side::Server, true),
            explained("ProtocolMismatch", Certainty::Proven, Side::Server, true),
        ];
        all[0].randoms = ["a", "b", "c"].map(str::to_owned).into();
        all[1].randoms = vec!["a".to_owned()];
        all[2].randoms = vec!["b".to_owned()];
        resolve(&mut all);
        assert_eq!(all[0].finding.other_end, None);
        assert_eq!(
            all[0].finding.explanation,
            "The server's log holds 2 of the 3 connections and tells different reasons: CertificateExpired, ProtocolMismatch. "
        );
    }

    fn explained(cause: &str, certainty: Certainty, side: Side, decided: bool) -> Explained {
        Explained {
            finding: serde_json::from_value(json!({
                "cause": cause, "certainty": certainty, "side": side, "count": 1, "summary": cause, "explanation": ""
            }))
            .expect("a finding"),
            randoms: vec!["c0ffee".to_owned()],
            decided,
        }
    }

    #[test]
    fn what_the_other_end_explains_comes_after_the_explanation() {
        let mut all = [
            explained("PeerRejectedCertificate", Certainty::Proven, Side::Server, false),
            explained("MissingIntermediate", Certainty::Likely, Side::Client, true),
        ];
        resolve(&mut all);
        let mut report = Report::empty();
        report.findings = all.map(|explained| explained.finding).into();
        report.sort();
        let causes = report.findings.iter().map(|finding| finding.cause.as_str());
        assert_eq!(
            causes.collect::<Vec<_>>(),
            ["MissingIntermediate", "PeerRejectedCertificate"]
        );
        let learnt = &report.findings[1];
        assert_eq!(learnt.other_end.as_deref(), Some("MissingIntermediate"));
        assert_eq!(
            learnt.summary,
            "PeerRejectedCertificate; the client's log of the same connection tells why: MissingIntermediate (likely)"
        );
    }
}
