//! What the pods print: lines of an application, and once a handshake that fails. Every line is a function of the pod and
//! of time, so that a stream that is opened again goes on with the same lines.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Lines of the application.
pub const LINES_A_SECOND: u32 = 50;

/// Logs of JVMs in which one handshake fails, each for a reason of its own.
pub const FAILURES: [&str; 3] = [
    include_str!("../../tests/logs/11.0.33-missing-intermediate-client.log"),
    include_str!("../../tests/logs/11.0.33-wronghost-client.log"),
    include_str!("../../tests/logs/17.0.15-expired-client.log"),
];

/// The log of one pod.
#[derive(Debug, Clone, Copy)]
pub struct PodLog {
    pub begin: Timestamp,
    /// When the handshake fails, counted from the beginning.
    pub failure: Option<Duration>,
    pub which: usize,
}

impl PodLog {
    /// Its lines after `from` and up to `to`, each with its time, as the kubelet gives them; and whether the failed
    /// handshake is among them.
    pub fn lines(&self, from: Timestamp, to: Timestamp) -> (String, bool) {
        let mut out = String::new();
        let between = Duration::from_secs(1) / LINES_A_SECOND;
        let number = |time: Timestamp| {
            let since = Duration::try_from(time.duration_since(self.begin)).unwrap_or_default();
            u32::try_from(since.as_millis() / between.as_millis()).unwrap()
        };
        let mut has_failed = false;
        for number in number(from) + 1..=number(to) {
            let time = self.begin + between * number;
            // Writing to a String cannot fail.
            let _ = writeln!(
                out,
                "{time} 2026-11-23 14:00:00,000 INFO  [pool-3-thread-{}] com.example.orders.OrderService - Processing finished in \
                 time, order={number} total={}.{:02}",
                number % 16,
                number % 900,
                number % 100
            );
            let fails_now = self
                .failure
                .is_some_and(|failure| (failure..failure + between).contains(&(between * number)));
            if fails_now {
                has_failed = true;
                for (index, line) in FAILURES[self.which].lines().enumerate() {
                    let time = time + SignedDuration::from_nanos(1 + i64::try_from(index).unwrap());
                    let _ = writeln!(out, "{time} {line}");
                }
            }
        }
        (out, has_failed)
    }
}
