//! Signs of life of the loops that must never hang, for the liveness probe.
//!
//! A loop gives a sign at each turn, whether or not there was anything to do, and each of its waits is bounded; so a limit
//! that no healthy turn reaches tells a loop that hangs from one that is idle, or that waits for an API server that does
//! not answer. A loop counts from its first sign on.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The loops of one operator.
#[derive(Debug, Default)]
pub struct Pulses(Mutex<Vec<Pulse>>);

/// The signs of life of one loop.
#[derive(Debug, Clone)]
pub struct Pulse {
    name: String,
    limit: Duration,
    last: Arc<Mutex<Option<Instant>>>,
}

impl Pulses {
    /// A loop that hangs when it gives no sign for `limit`.
    pub fn add(&self, name: impl Into<String>, limit: Duration) -> Pulse {
        let pulse = Pulse {
            name: name.into(),
            limit,
            last: Arc::default(),
        };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(pulse.clone());
        pulse
    }

    /// One line for each loop; `Err` where one hangs.
    pub fn check(&self) -> Result<String, String> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut text, mut is_alive) = (String::new(), true);
        for pulse in &*all {
            let silent = pulse.silent_for();
            let hangs = silent.is_some_and(|silent| silent > pulse.limit);
            is_alive &= !hangs;
            let state = if hangs { "hangs" } else { "ok" };
            // Writing to a String cannot fail.
            let _ = match silent {
                Some(silent) => writeln!(text, "{}: {state}, {} s ago", pulse.name, silent.as_secs()),
                None => writeln!(text, "{}: not begun", pulse.name),
            };
        }
        if is_alive { Ok(text) } else { Err(text) }
    }
}

impl Pulse {
    /// The loop has made a turn.
    pub fn beat(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn silent_for(&self) -> Option<Duration> {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.map(|last| last.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_mins(1);

    #[tokio::test(start_paused = true)]
    async fn a_loop_hangs_after_its_limit_and_not_before() {
        let pulses = Pulses::default();
        let (idle, hanging) = (pulses.add("idle", LIMIT), pulses.add("hanging", LIMIT));
        idle.beat();
        hanging.beat();
        for _ in 0..2 {
            tokio::time::advance(LIMIT / 2).await;
            idle.beat();
            assert!(pulses.check().is_ok());
        }
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(
            pulses.check(),
            Err("idle: ok, 1 s ago\nhanging: hangs, 61 s ago\n".to_owned())
        );
        hanging.beat();
        assert!(pulses.check().is_ok(), "it goes on");
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_has_not_begun_is_not_judged() {
        let pulses = Pulses::default();
        assert_eq!(pulses.check(), Ok(String::new()));
        pulses.add("controller", LIMIT);
        tokio::time::advance(LIMIT * 100).await;
        assert_eq!(pulses.check(), Ok("controller: not begun\n".to_owned()));
    }
}
