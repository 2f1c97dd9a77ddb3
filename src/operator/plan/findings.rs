//! From the streams' report to the status.

use wildmatch::WildMatch;

use super::{Draft, summary};
use crate::diagnosis::Limits;
use crate::diagnosis::report::{Finding, Report, Verdict};
use crate::session::conditions::{self, ConditionType};
use crate::session::status::{EarlierPods, PodCapture};

/// Warnings in the status: some name pods, and pods come and go.
const KEPT_WARNINGS: usize = 40;

impl Draft<'_> {
    /// Writes what has been read so far, unless less has been read than the status already answers for: after an operator
    /// restart the logs are read again from their start, and rotation may have shortened them.
    pub(super) fn report_findings(&mut self) {
        let captured = &self.observed.captured;
        let Some(report) = &captured.report else { return };
        let lines = |pods: &[PodCapture], earlier: Option<EarlierPods>| {
            pods.iter().map(|pod| pod.lines).sum::<u64>() + earlier.unwrap_or_default().lines
        };
        if lines(&captured.pods, captured.earlier_pods) < lines(&self.status.pods, self.status.earlier_pods) {
            return;
        }
        self.status.pods.clone_from(&captured.pods);
        self.status.earlier_pods = captured.earlier_pods;
        self.status.handshakes = Some(report.handshakes);
        // The findings may be the other end's.
        if captured.debug_records > 0 || !report.findings.is_empty() {
            self.status.verdict = Some(report.verdict);
        }
        self.warn(self.unread());
        let mut ordered = report.clone();
        // Those that decide come first, so that they are not the ones that are cut off.
        ordered.findings.sort_by_key(|finding| !self.matches(finding));
        let ordered = ordered.truncated(Limits::default());
        if conditions::is_true(&self.status.conditions, ConditionType::Diagnosed) && !self.stands(&ordered) {
            // A failure that takes its place has to stand its time as well.
            self.status.cause = None;
            let message = "What looked like a failed handshake has gone on.";
            self.set(ConditionType::Diagnosed, false, "NoFailure", message);
        }
        if let Some(finding) = ordered.findings.first().filter(|finding| self.matches(finding)) {
            self.status.cause = Some(finding.cause.clone());
            self.status.summary = Some(finding.summary.clone());
            self.set(
                ConditionType::Diagnosed,
                true,
                "FailuresFound",
                "A failed handshake was explained; see status.cause.",
            );
        } else if report.handshakes.failed + report.handshakes.succeeded > 0 {
            self.status.summary = Some(self.progress(report));
        }
        self.status.findings = ordered.findings;
    }

    /// Whether any failure that was told before is still one.
    fn stands(&self, report: &Report) -> bool {
        let mut told = self.status.findings.iter().filter(|finding| self.matches(finding));
        let is_there = |told: &Finding| {
            let mut now = report.findings.iter();
            now.any(|finding| (&finding.cause, &finding.peer) == (&told.cause, &told.peer))
        };
        told.any(is_there)
    }

    fn progress(&self, report: &Report) -> String {
        match self.observed.session.spec.matching {
            Some(_) => summary::without_match(report),
            None => summary::progress(report),
        }
    }

    fn warn(&mut self, warnings: Vec<String>) {
        for warning in warnings {
            if self.status.warnings.len() < KEPT_WARNINGS && !self.status.warnings.contains(&warning) {
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
        warnings.extend(captured.falling_behind.iter().map(|pod| {
            format!(
                "The log of pod {pod} is written faster than the kubelet hands it on. Lines that were rotated away before they could be \
                 read are not in the answer, and are not counted as a gap."
            )
        }));
        let is_read = |uid: &String| captured.pods.iter().any(|read| read.uid == *uid);
        let pods = &self.observed.remains.pods;
        let reading = pods.iter().filter(|pod| is_read(&pod.uid)).count();
        if reading >= self.observed.session.spec.max_pods as usize {
            let unread = pods.iter().filter(|pod| pod.restarts.is_some() && !is_read(&pod.uid));
            warnings.extend(unread.map(|pod| {
                format!(
                    "Pod {} carries the flag and is not read, because of spec.maxPods.",
                    pod.name
                )
            }));
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
        let seen = self
            .observed
            .captured
            .report
            .as_ref()
            .map(|report| self.progress(report));
        let (reason, message) = match verdict {
            Some(Verdict::FailuresFound) => (
                "NoMatch",
                "Handshakes failed, none with a peer of spec.match; status.findings has them.".to_owned(),
            ),
            Some(Verdict::AllSucceeded) => ("AllSucceeded", "All handshakes that ended succeeded.".to_owned()),
            Some(Verdict::Inconclusive) => (
                "Inconclusive",
                "Handshakes began, and none is shown to its end: let the session last longer.".to_owned(),
            ),
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
        // The summary may count; a condition may not.
        let counted = seen.filter(|_| matches!(reason, "NoMatch" | "AllSucceeded"));
        self.status.summary = Some(counted.unwrap_or_else(|| message.clone()));
        let is_answer = matches!(verdict, Some(Verdict::AllSucceeded));
        self.set(ConditionType::Diagnosed, is_answer, reason, &message);
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
