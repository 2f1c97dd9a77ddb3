//! The time of day by which deadlines are judged.

use jiff::Timestamp;

/// Now. A debug build adds what `TLSDEBUG_CLOCK_OFFSET` says, such as `2h` or `-2h`, so that tests can step the clock of an
/// operator; an image knows no such variable.
#[must_use]
pub fn now() -> Timestamp {
    let now = Timestamp::now();
    #[cfg(debug_assertions)]
    let now = {
        use std::sync::OnceLock;

        use jiff::SignedDuration;

        static OFFSET: OnceLock<SignedDuration> = OnceLock::new();
        let offset = OFFSET.get_or_init(|| {
            let offset = std::env::var("TLSDEBUG_CLOCK_OFFSET").unwrap_or_default();
            offset.parse().unwrap_or_default()
        });
        now.saturating_add(*offset).unwrap_or(now)
    };
    now
}
