//! Reports of several sources to one.

use super::catalogue::{self, Cause};
use super::report::{Finding, HandshakeCounts, Report, Verdict};
use crate::log::moment;

/// Evidence lines that a merged finding keeps.
const KEPT_EVIDENCE: usize = 20;
/// Threads that a merged finding keeps.
const KEPT_THREADS: usize = 10;

impl Report {
    /// A report on nothing.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            verdict: Verdict::NoDebugOutput,
            handshakes: HandshakeCounts::default(),
            findings: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// One report on what several sources say.
    #[must_use]
    pub fn merge(reports: impl IntoIterator<Item = Report>) -> Report {
        let mut merged = Self::empty();
        let (mut debugged, mut began) = (false, false);
        for report in reports {
            debugged |= report.verdict != Verdict::NoDebugOutput;
            began |= report.handshakes.total > 0;
            merged.handshakes.total += report.handshakes.total;
            merged.handshakes.succeeded += report.handshakes.succeeded;
            merged.handshakes.failed += report.handshakes.failed;
            merged.handshakes.incomplete += report.handshakes.incomplete;
            for finding in report.findings {
                merged.add(finding);
            }
            for warning in report.warnings {
                if !merged.warnings.contains(&warning) {
                    merged.warnings.push(warning);
                }
            }
        }
        merged.verdict = Verdict::of(&merged.handshakes, debugged, began);
        merged.sort();
        merged
    }

    /// Adds a finding, to one that says the same if there is one.
    pub(super) fn add(&mut self, finding: Finding) {
        let Some(known) = self.findings.iter_mut().find(|known| known.same_cause_as(&finding)) else {
            self.findings.push(finding);
            return;
        };
        known.count += finding.count;
        if finding.certainty > known.certainty {
            known.certainty = finding.certainty;
            known.explanation = finding.explanation;
        }
        known.other_end = known.other_end.take().or(finding.other_end);
        known.first_seen = earliest(known.first_seen.take(), finding.first_seen);
        known.last_seen = latest(known.last_seen.take(), finding.last_seen);
        for line in finding.evidence {
            if known.evidence.len() < KEPT_EVIDENCE && !known.evidence.contains(&line) {
                known.evidence.push(line);
            }
        }
        for thread in finding.threads {
            if known.threads.len() < KEPT_THREADS && !known.threads.contains(&thread) {
                known.threads.push(thread);
            }
        }
    }

    /// Root causes first: what the other end's log explains comes after the explanation; then the most certain, the most
    /// frequent, the most recent.
    pub(super) fn sort(&mut self) {
        // In which order threads are met depends on how a log was cut.
        self.findings.iter_mut().for_each(|finding| finding.threads.sort());
        self.findings.sort_by(|a, b| {
            let order = |finding: &Finding| {
                let is_cause = finding.other_end.is_none();
                (is_cause, finding.certainty, finding.count, !finding.is_consequence())
            };
            let [last_a, last_b] = [a, b].map(|finding| finding.last_seen.as_deref().map(moment::order));
            (order(b), last_b, &a.cause, &a.summary).cmp(&(order(a), last_a, &b.cause, &b.summary))
        });
    }
}

impl Verdict {
    /// The verdict on these handshakes.
    pub(crate) fn of(counts: &HandshakeCounts, debugged: bool, began: bool) -> Self {
        if counts.failed > 0 {
            Self::FailuresFound
        } else if counts.succeeded > 0 {
            Self::AllSucceeded
        } else if began {
            Self::Inconclusive
        } else if debugged {
            Self::NoHandshakes
        } else {
            Self::NoDebugOutput
        }
    }
}

impl Finding {
    /// Whether another end's decision must lie behind this cause.
    fn is_consequence(&self) -> bool {
        const CONSEQUENCES: [&Cause; 5] = [
            &catalogue::PEER_ALERT,
            &catalogue::PEER_REJECTED_CERTIFICATE,
            &catalogue::CLIENT_CERTIFICATE_REJECTED,
            &catalogue::PEER_CLOSED_CONNECTION,
            &catalogue::CONNECTION_RESET,
        ];
        CONSEQUENCES.iter().any(|cause| cause.id == self.cause)
    }

    /// Whether both say the same of the same peer.
    pub(super) fn same_cause_as(&self, other: &Finding) -> bool {
        self.cause == other.cause && self.side == other.side && self.peer == other.peer && self.summary == other.summary
    }
}

/// The first of the printed times that there are.
pub(super) fn earliest(one: Option<String>, other: Option<String>) -> Option<String> {
    one.into_iter()
        .chain(other)
        .min_by(|one, other| moment::compare(one, other))
}

/// The last of the printed times that there are.
pub(super) fn latest(one: Option<String>, other: Option<String>) -> Option<String> {
    one.into_iter()
        .chain(other)
        .max_by(|one, other| moment::compare(one, other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_are_missing_hide_none() {
        let time = |text: &str| Some(text.to_owned());
        let (noon, one) = ("Nov 23, 2026 12:57:06 PM", "Nov 23, 2026 1:57:06 PM");
        assert_eq!(earliest(time(one), time(noon)), time(noon));
        assert_eq!(latest(time(one), time(noon)), time(one));
        for join in [earliest, latest] {
            assert_eq!(join(time(one), None), time(one));
            assert_eq!(join(None, time(one)), time(one));
            assert_eq!(join(None, None), None);
        }
    }
}
