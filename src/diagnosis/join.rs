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
        let reason = all[index]
            .randoms
            .iter()
            .find_map(|random| decided.get(&(random.clone(), other)).copied());
        if let Some(reason) = reason {
            let reason = all[reason].finding.clone();
            explain(&mut all[index].finding, &reason);
        }
    }
}

fn explain(finding: &mut Finding, reason: &Finding) {
    let end = match reason.side {
        Side::Client => "client",
        Side::Server => "server",
    };
    // What it calls "this JVM" is the other end.
    finding.explanation = format!(
        "The {end}'s log holds the same connection and tells the reason as the {end} sees it: {} ({}). {}",
        reason.cause, reason.summary, finding.explanation
    );
    if finding.cause != reason.cause {
        let how_sure = match reason.certainty {
            Certainty::Proven => "",
            Certainty::Likely => " (likely)",
            Certainty::Possible => " (possible)",
        };
        finding.summary = format!(
            "{}; the {end}'s log of the same connection tells why: {}{how_sure}",
            finding.summary, reason.cause
        );
        finding.other_end = Some(reason.cause.clone());
    }
    finding.certainty = finding.certainty.max(reason.certainty);
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
