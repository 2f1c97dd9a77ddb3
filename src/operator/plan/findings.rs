//! From the streams' report to the status.

use wildmatch::WildMatch;

use super::Draft;
use crate::diagnosis::Limits;
use crate::diagnosis::report::{Finding, Report, Verdict};
use crate::session::conditions::ConditionType;

impl Draft<'_> {
    /// Writes what has been read so far, unless less has been read than the status already answers for: after an operator
    /// restart the logs are read again from their start, and rotation may have shortened them.
    pub(super) fn report_findings(&mut self) {
        let captured = &self.observed.captured;
        let Some(report) = &captured.report else { return };
        let covers = self.status.pods.iter().all(|before| {
            captured
                .pods
                .iter()
                .any(|now| (&now.uid, now.restarts) == (&before.uid, before.restarts) && now.lines >= before.lines)
        });
        if !covers {
            return;
        }
        self.status.pods.clone_from(&captured.pods);
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
            .remains
            .pods
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
                format!(
                    "The JVM printed no debug output: it tried no TLS connection while the session lasted, or its start \
                     script does not read {} (every JVM reads spec.variable JAVA_TOOL_OPTIONS).",
                    self.observed.session.spec.variable.name()
                ),
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

fn progress(report: &Report) -> String {
    match report.handshakes.succeeded {
        1 => "The one handshake that was seen succeeded.".to_owned(),
        count if report.handshakes.failed == 0 => format!("All {count} finished handshakes succeeded."),
        count => format!("{count} handshakes succeeded, {} failed.", report.handshakes.failed),
    }
}
