//! How far a long file is read, on a terminal.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// A file that is read faster needs none.
const PATIENCE: Duration = Duration::from_secs(1);
/// Time between two pictures.
const PACE: Duration = Duration::from_millis(200);
/// Characters of the bar.
const WIDTH: usize = 30;

/// Draws on standard error; nothing of it is left at the end.
#[derive(Debug)]
pub(super) struct Progress {
    start: Instant,
    next: Option<Instant>,
    drawn: bool,
    /// Bytes to read, where that is known.
    total: Option<u64>,
}

impl Progress {
    /// Of a file with so many bytes.
    pub(super) fn of(total: Option<u64>) -> Self {
        let start = Instant::now();
        let shown = io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|terminal| terminal != "dumb");
        Self {
            start,
            next: shown.then(|| start + PATIENCE),
            drawn: false,
            total: total.filter(|total| *total > 0),
        }
    }

    /// So many bytes are read and so many handshakes have failed.
    pub(super) fn at(&mut self, read: u64, failed: impl FnOnce() -> u64) {
        let now = Instant::now();
        if self.next.is_none_or(|next| now < next) {
            return;
        }
        self.next = Some(now + PACE);
        self.drawn = true;
        let picture = picture(read, self.total, now - self.start, failed());
        // What cannot be drawn is no reason to stop.
        let _ = write!(io::stderr(), "\r\x1b[K{picture}");
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.drawn {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

fn picture(read: u64, total: Option<u64>, time: Duration, failed: u64) -> String {
    let mebibytes = read >> 20;
    let speed = u128::from(mebibytes) * 1000 / time.as_millis().max(1);
    let bar = total.map_or(String::new(), |total| {
        let part = read.min(total);
        let filled = usize::try_from(part * WIDTH as u64 / total).unwrap_or(WIDTH);
        format!(
            "[{}{}] {:3} %  ",
            "=".repeat(filled),
            " ".repeat(WIDTH - filled),
            part * 100 / total
        )
    });
    format!("{bar}{mebibytes} MiB, {speed} MiB/s, {failed} failed handshakes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures() {
        assert_eq!(
            picture(512 << 20, Some(1 << 30), Duration::from_millis(500), 3),
            "[===============               ]  50 %  512 MiB, 1024 MiB/s, 3 failed handshakes"
        );
        assert_eq!(
            picture(5 << 20, None, Duration::ZERO, 0),
            "5 MiB, 5000 MiB/s, 0 failed handshakes"
        );
        // A file may grow while it is read.
        assert!(picture(9, Some(3), Duration::ZERO, 0).starts_with("[==============================] 100 %"));
    }
}
