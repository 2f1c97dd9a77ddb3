//! Reports of several sources to one.

use std::cmp::Ordering;

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
        earliest(&mut known.first_seen, finding.first_seen.as_deref());
        latest(&mut known.last_seen, finding.last_seen.as_deref());
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

/// The first of the printed times that there are becomes the one.
pub(super) fn earliest(one: &mut Option<String>, other: Option<&str>) {
    replace(one, other, Ordering::is_lt);
}

/// The last of the printed times that there are becomes the one.
pub(super) fn latest(one: &mut Option<String>, other: Option<&str>) {
    replace(one, other, Ordering::is_gt);
}

fn replace(one: &mut Option<String>, other: Option<&str>, wanted: fn(Ordering) -> bool) {
    let Some(other) = other else { return };
    let replaces = one.as_deref().is_none_or(|one| wanted(moment::compare(other, one)));
    if replaces {
        other.clone_into(one.get_or_insert_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_are_missing_hide_none() {
        let (noon, one) = ("Nov 23, 2026 12:57:06 PM", "Nov 23, 2026 1:57:06 PM");
        let joined = |join: fn(&mut Option<String>, Option<&str>), first: Option<&str>, second| {
            let mut first = first.map(str::to_owned);
            join(&mut first, second);
            first
        };
        for (first, second) in [(one, noon), (noon, one)] {
            assert_eq!(joined(earliest, Some(first), Some(second)).as_deref(), Some(noon));
            assert_eq!(joined(latest, Some(first), Some(second)).as_deref(), Some(one));
        }
        for join in [earliest, latest] {
            assert_eq!(joined(join, Some(one), None).as_deref(), Some(one));
            assert_eq!(joined(join, None, Some(one)).as_deref(), Some(one));
            assert_eq!(joined(join, None, None), None);
        }
    }
}
