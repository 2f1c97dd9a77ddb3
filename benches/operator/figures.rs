//! The figures, as they are printed.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::support::percentile;
use super::watching::Watched;
use super::{REAL_SESSIONS, REPLICAS, SESSIONS};

#[allow(clippy::cast_precision_loss, reason = "small")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

pub struct Figures {
    /// Memory at rest, in bytes.
    pub idle: u64,
    /// Memory once a second.
    pub samples: Vec<u64>,
    /// The most, in bytes.
    pub highest: u64,
    pub processor_time: Duration,
    pub whole: Duration,
    /// Requests by verb and resource, and whether all pods were watched.
    pub requests: (BTreeMap<String, usize>, bool),
    pub watched: Watched,
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let watched = &self.watched;
        let (paced, real) = (SESSIONS - REAL_SESSIONS, REAL_SESSIONS);
        writeln!(
            out,
            "{SESSIONS} sessions of {REPLICAS} pods in {:.0} s ({paced} on a paced node, {real} on containers); {} failed, {} gaps in \
             logs",
            self.whole.as_secs_f64(),
            watched.failed,
            watched.gaps
        )?;
        let read = mebibytes(watched.bytes);
        let half = self.samples.len() / 2;
        let highest_of = |samples: &[u64]| mebibytes(samples.iter().copied().max().unwrap_or_default());
        writeln!(
            out,
            "memory (RSS): idle {:.1} MiB (goal 10), first half {:.1}, second half {:.1}, peak {:.1} MiB (goal 150)",
            mebibytes(self.idle),
            highest_of(&self.samples[..half]),
            highest_of(&self.samples[half..]),
            mebibytes(self.highest)
        )?;
        let busy = self.processor_time.as_secs_f64();
        writeln!(
            out,
            "processor: {busy:.1} s for {read:.0} MiB of logs, {:.0} ms a MiB, everything else included",
            busy * 1000.0 / read
        )?;
        percentiles(
            out,
            "line to status, paced node (goal p95 1 s)",
            &watched.line_to_status,
        )?;
        percentiles(out, "line to status, containers", &watched.line_to_status_of_containers)?;
        percentiles(
            out,
            "expiry to flag out of the template (goal 2 s)",
            &watched.expiry_to_template,
        )?;
        percentiles(out, "expiry to no pod with the flag", &watched.expiry_to_restored)?;
        let (counts, has_watched_all) = &self.requests;
        let total: usize = counts.values().sum();
        writeln!(
            out,
            "requests: {total}, {} a session; pods are {} watched without a selector",
            total / SESSIONS,
            if *has_watched_all { "also" } else { "never" }
        )?;
        for (request, count) in counts {
            writeln!(out, "  {count:>6} {request}")?;
        }
        Ok(())
    }
}

fn percentiles(out: &mut fmt::Formatter<'_>, what: &str, seconds: &[f64]) -> fmt::Result {
    let at = |hundredths| percentile(seconds, hundredths);
    writeln!(
        out,
        "{what}: p50 {:.0} ms, p95 {:.0} ms, p99 {:.0} ms, longest {:.0} ms, of {}",
        at(50),
        at(95),
        at(99),
        at(100),
        seconds.len()
    )
}
