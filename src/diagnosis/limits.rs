//! A report cut to size.

use super::report::Report;

/// How large a report may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Findings.
    pub findings: usize,
    /// Evidence lines of each finding.
    pub evidence: usize,
    /// Bytes as JSON.
    pub bytes: usize,
}

impl Default for Limits {
    /// What fits into the status of a Kubernetes object.
    fn default() -> Self {
        Self {
            findings: 20,
            evidence: 10,
            bytes: 32 * 1024,
        }
    }
}

impl Report {
    /// The report, cut to these limits: the least important findings go first, and of too many evidence lines those
    /// after the first.
    #[must_use]
    pub fn truncated(&self, limits: Limits) -> Report {
        let mut report = self.clone();
        let left_out = report.findings.len().saturating_sub(limits.findings);
        report.findings.truncate(limits.findings);
        if left_out > 0 {
            report.warnings.push(format!("{left_out} more findings are left out"));
        }
        for finding in &mut report.findings {
            // The first line says which handshake it is, the last ones why it failed, or what the other end says of it.
            let surplus = finding.evidence.len().saturating_sub(limits.evidence);
            let from = finding.evidence.len().min(1);
            finding.evidence.drain(from..from + surplus);
            finding.threads.truncate(limits.evidence);
        }
        report.warnings.truncate(limits.findings);
        while report.size() > limits.bytes {
            let longest = (0..report.findings.len())
                .rev()
                .max_by_key(|index| report.findings[*index].evidence.len());
            match longest {
                Some(index) if !report.findings[index].evidence.is_empty() => {
                    report.findings[index].evidence.pop();
                }
                Some(_) if report.findings.len() > 1 => {
                    report.findings.pop();
                }
                _ => break,
            }
        }
        report
    }

    fn size(&self) -> usize {
        serde_json::to_vec(self).map_or(0, |json| json.len())
    }
}
