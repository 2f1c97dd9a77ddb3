//! A handshake under way, among others that run at the same time.

use std::ops::{Deref, DerefMut};

use super::{Handshake, KEPT_THREADS, Side, Thread};
use crate::log::Origin;

/// A handshake, with what tells quickly whether it is the one that is looked for: each record is a search among all.
#[derive(Debug, Clone)]
pub(super) struct Followed {
    handshake: Box<Handshake>,
    /// When it had a record last, by the tracker's clock.
    pub(super) active: u64,
    /// A bit for each of its threads; threads may share one.
    thread_bits: u64,
}

impl Followed {
    /// A handshake that begins.
    pub(super) fn new(side: Option<Side>) -> Self {
        Self {
            handshake: Box::new(Handshake::new(side)),
            active: 0,
            thread_bits: 0,
        }
    }

    /// Whether this is one of its threads.
    pub(super) fn runs_on(&self, thread: Wanted<'_>) -> bool {
        self.thread_bits & thread.bit != 0
            && self
                .handshake
                .threads
                .iter()
                .any(|known| known.id == thread.id && known.name == thread.name)
    }

    /// This becomes one of its threads, if there is room.
    pub(super) fn adopt(&mut self, thread: Wanted<'_>) {
        if !self.runs_on(thread) && self.handshake.threads.len() < KEPT_THREADS {
            self.thread_bits |= thread.bit;
            self.handshake.threads.push(Thread {
                id: thread.id.to_owned(),
                name: thread.name.to_owned(),
            });
        }
    }

    /// The handshake, which is followed no longer.
    pub(super) fn into_handshake(self) -> Box<Handshake> {
        self.handshake
    }
}

impl Deref for Followed {
    type Target = Handshake;

    fn deref(&self) -> &Handshake {
        &self.handshake
    }
}

impl DerefMut for Followed {
    fn deref_mut(&mut self) -> &mut Handshake {
        &mut self.handshake
    }
}

/// The thread of a record, to be looked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    id: &'a str,
    name: &'a str,
    bit: u64,
}

impl<'a> Wanted<'a> {
    /// The thread that printed a record.
    pub(super) fn of(origin: &'a Origin) -> Self {
        Self::named(origin.thread_id(), origin.thread())
    }

    fn named(id: &'a str, name: &'a str) -> Self {
        // The threads of a pool differ in their last digits.
        let last = |text: &str| text.as_bytes().last().copied().unwrap_or_default();
        Self {
            id,
            name,
            bit: 1 << ((last(id) ^ last(name).wrapping_mul(5)) & 63),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_runs_on_the_threads_that_it_has_adopted() {
        fn on<'a>(id: &'a str, name: &'a str) -> Wanted<'a> {
            Wanted::named(id, name)
        }
        let mut followed = Followed::new(None);
        assert!(!followed.runs_on(on("", "")));
        followed.adopt(on("0A", "worker-1"));
        followed.adopt(on("0A", "worker-1"));
        followed.adopt(on("0B", ""));
        assert_eq!(followed.thread_bits.count_ones(), 2);
        assert_eq!(followed.handshake.threads.len(), 2);
        assert!(followed.runs_on(on("0A", "worker-1")) && followed.runs_on(on("0B", "")));
        assert!(!followed.runs_on(on("0B", "worker-1")) && !followed.runs_on(on("0A", "worker-2")));
        for number in 0..100 {
            followed.adopt(on("0C", &format!("worker-{number}")));
        }
        assert_eq!(followed.handshake.threads.len(), KEPT_THREADS);
    }
}
