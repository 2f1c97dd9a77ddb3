//! From the streams' report to the status.

use wildmatch::WildMatch;

use super::Draft;
use crate::diagnosis::Limits;
use crate::diagnosis::report::{Finding, Report, Verdict};
use crate::session::TLSDebugSessionStatus;
use crate::session::conditions::ConditionType;
use crate::session::status::PodCapture;

/// Lives of containers that the status names; a container that crashes in a loop has many.
const LIVES: usize = 40;

impl Draft<'_> {
    /// Writes what has been read so far. After an operator restart the logs are read again from their start: until as much
    /// is read of a life as the status answers for, the status stays; a life that can no longer be read keeps its part.
    pub(super) fn report_findings(&mut self) {
        let captured = &self.observed.captured;
        let Some(report) = &captured.report else { return };
        let again = |before: &PodCapture| {
            captured
                .pods
                .iter()
                .find(|now| (&now.uid, now.restarts) == (&before.uid, before.restarts))
        };
        let is_behind = |before: &PodCapture| again(before).is_some_and(|now| now.lines < before.lines);
        if self.status.pods.iter().any(is_behind) {
            return;
        }
        let (_, gone): (Vec<_>, Vec<_>) = self.status.pods.drain(..).partition(|before| again(before).is_some());
        let mut report = report.clone();
        if !gone.is_empty() {
            keep_earlier(&mut report, &self.status);
        }
        self.status.pods = captured.pods.iter().cloned().chain(gone).take(LIVES).collect();
        let report = report.truncated(Limits::default());
        self.status.handshakes = Some(report.handshakes);
        if captured.debug_records > 0 {
            self.status.verdict = Some(report.verdict);
        }
        self.warn(self.unread());
        match report.findings.iter().find(|finding| self.matches(finding)) {
            Some(finding) => {
                self.status.cause = Some(finding.cause.clone());
                self.status.summary = Some(finding.summary.clone());
                self.set(
                    ConditionType::Diagnosed,
                    true,
                    "FailuresFound",
                    "A failed handshake was explained; see status.cause.",
                );
            }
            None if report.handshakes.succeeded > 0 => {
                self.status.summary = Some(progress(&report));
            }
            None => {}
        }
        self.status.findings = report.findings;
    }

    fn warn(&mut self, warnings: Vec<String>) {
        for warning in warnings {
            if !self.status.warnings.contains(&warning) {
                self.status.warnings.push(warning);
            }
        }
    }

    /// What the session's own limits leave unread.
    fn unread(&self) -> Vec<String> {
        let captured = &self.observed.captured;
        let mut warnings = Vec::new();
        if captured.limit_reached {
            warnings.push("Reading stopped at spec.maxLogBytes; what came after it is not in the answer.".to_owned());
        }
        let is_read = |uid: &String| captured.pods.iter().any(|read| read.uid == *uid);
        for pod in self
            .observed
            .debug_pods
            .iter()
            .filter(|pod| pod.restarts.is_some() && !is_read(&pod.uid))
        {
            if captured.pods.len() >= self.observed.session.spec.max_pods as usize {
                warnings.push(format!(
                    "Pod {} carries the flag and is not read, because of spec.maxPods.",
                    pod.name
                ));
            }
        }
        warnings.truncate(20);
        warnings
    }

    /// The last word: what the session has found when it ends.
    pub(super) fn conclude(&mut self) {
        // While reading goes on these may still be proved wrong by the next line.
        if let Some(report) = &self.observed.captured.report {
            self.warn(report.warnings.clone());
        }
        if self.status.cause.is_some() {
            return;
        }
        let verdict = self
            .observed
            .captured
            .report
            .as_ref()
            .map_or(self.status.verdict, |report| Some(report.verdict));
        self.status.verdict = verdict;
        let (reason, summary) = match verdict {
            Some(Verdict::FailuresFound) => ("NoMatch", "Handshakes failed, but none with a peer of spec.match.".to_owned()),
            Some(Verdict::AllSucceeded) => (
                "AllSucceeded",
                self.observed.captured.report.as_ref().map_or_else(|| "All handshakes succeeded.".to_owned(), progress),
            ),
            Some(Verdict::Inconclusive) => {
                ("Inconclusive", "Handshakes began, and none is shown to its end: let the session last longer.".to_owned())
            }
            Some(Verdict::NoHandshakes) => (
                "NoHandshakes",
                "The JVM prints debug output, and no TLS was spoken through JSSE while the session lasted. webMethods' own \
                 stack (useJSSE=false) prints nothing."
                    .to_owned(),
            ),
            Some(Verdict::NoDebugOutput) => (
                "NoDebugOutput",
                "The JVM printed no debug output: its start script may not read the variable. Try spec.variable \
                 JAVA_TOOL_OPTIONS."
                    .to_owned(),
            ),
            None => ("NothingRead", "No log of a pod with the flag was read.".to_owned()),
        };
        self.set(
            ConditionType::Diagnosed,
            matches!(verdict, Some(Verdict::AllSucceeded)),
            reason,
            &summary,
        );
        self.status.summary = Some(summary);
    }

    pub(super) fn has_matching_failure(&self) -> bool {
        self.status
            .findings
            .iter()
            .any(|finding| finding.count > 0 && self.matches(finding))
    }

    /// Whether a finding is with a peer that the session asks for.
    fn matches(&self, finding: &Finding) -> bool {
        let Some(matching) = &self.observed.session.spec.matching else {
            return true;
        };
        let Some(name) = &finding.peer.server_name else {
            return false;
        };
        let name = name.to_lowercase();
        matching
            .server_names
            .iter()
            .any(|pattern| WildMatch::new(&pattern.to_lowercase()).matches(&name))
    }
}

/// What was found in lives that can no longer be read stays. What both hold may be of the same handshakes, so the larger
/// count stands and not the sum.
fn keep_earlier(report: &mut Report, status: &TLSDebugSessionStatus) {
    for earlier in &status.findings {
        let is_same = |now: &&mut Finding| {
            (&now.cause, now.side, &now.peer, &now.summary)
                == (&earlier.cause, earlier.side, &earlier.peer, &earlier.summary)
        };
        match report.findings.iter_mut().find(is_same) {
            Some(now) => now.count = now.count.max(earlier.count),
            None => report.findings.push(earlier.clone()),
        }
    }
    let earlier = status.handshakes.unwrap_or_default();
    let now = &mut report.handshakes;
    now.succeeded = now.succeeded.max(earlier.succeeded);
    now.failed = now.failed.max(earlier.failed);
    now.incomplete = now.incomplete.max(earlier.incomplete);
    now.total = now.succeeded + now.failed + now.incomplete;
    if now.failed > 0 {
        report.verdict = Verdict::FailuresFound;
    }
}

fn progress(report: &Report) -> String {
    match report.handshakes.succeeded {
        1 => "The one handshake that was seen succeeded.".to_owned(),
        count if report.handshakes.failed == 0 => format!("All {count} finished handshakes succeeded."),
        count => format!("{count} handshakes succeeded, {} failed.", report.handshakes.failed),
    }
}
