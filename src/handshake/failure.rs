//! How a handshake failed, and what the messages on that say.

use crate::log::{Thrown, holds};

/// How a handshake failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Failure {
    /// The alert that was sent or came in.
    pub alert: Option<String>,
    /// The peer sent the alert.
    pub received: bool,
    pub(super) message: String,
    pub(super) thrown: Thrown,
    pub(super) pairs: Pairs,
}

impl Failure {
    /// By the text of its record and the throwable beneath it, without an alert.
    #[must_use]
    pub fn new(message: String, thrown: Thrown) -> Self {
        let mut failure = Self {
            message,
            thrown,
            ..Self::default()
        };
        failure.pairs = failure
            .messages()
            .flat_map(|message| message.as_bytes().windows(2))
            .collect();
        failure
    }

    /// The text of the record; may be empty.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The throwable beneath it.
    #[must_use]
    pub fn thrown(&self) -> &Thrown {
        &self.thrown
    }

    /// Whether the record or any exception beneath it holds this text.
    #[must_use]
    pub fn says(&self, text: &str) -> bool {
        self.saying(text).is_some()
    }

    /// The first message, of the record or the chain of exceptions, that holds this text.
    #[must_use]
    pub fn saying(&self, text: &str) -> Option<&str> {
        if !self.pairs.may_hold(text) {
            return None;
        }
        self.messages().find(|message| holds(message, text))
    }

    /// Whether it says any of these texts.
    #[must_use]
    pub fn says_any(&self, texts: &[&str]) -> bool {
        texts.iter().any(|text| self.says(text))
    }

    /// Whether the connection broke, rather than one end deciding.
    #[must_use]
    pub fn is_transport(&self) -> bool {
        const TRANSPORT: [&str; 13] = [
            "before receiving peer's close_notify",
            "Connection reset",
            "Broken pipe",
            "forcibly closed",
            "Connection or outbound has closed",
            "Connection or inbound has closed",
            "Socket closed",
            "Socket is closed",
            "Remote host terminated the handshake",
            "Remote host closed connection",
            "SSL peer shut down incorrectly",
            "Read timed out",
            "An established connection was aborted",
        ];
        self.says_any(&TRANSPORT)
    }

    /// How much it says about the cause.
    pub(super) fn weight(&self) -> Weight {
        if self.message.is_empty() && self.thrown.chain.is_empty() {
            Weight::Nothing
        } else if self.is_transport() {
            Weight::Transport
        } else {
            Weight::Reason
        }
    }

    fn messages(&self) -> impl Iterator<Item = &str> {
        let thrown = self.thrown.chain.iter().map(|link| link.message.as_str());
        std::iter::once(self.message.as_str()).chain(thrown)
    }
}

/// How much a failure says about its cause: a second record replaces the first only if it says more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// That there is one.
    Nothing,
    /// That the connection broke.
    Transport,
    /// Why.
    Reason,
}

/// Which pairs of bytes a failure's messages hold, roughly: hundreds of texts are looked for in the same few messages, and hardly
/// any is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Pairs([u64; 4]);

impl Pairs {
    /// Whether a message may hold this text; if not, none does.
    fn may_hold(self, text: &str) -> bool {
        text.as_bytes().windows(2).all(|pair| {
            let (word, bit) = place(pair);
            self.0[word] & bit != 0
        })
    }
}

impl<'a> FromIterator<&'a [u8]> for Pairs {
    fn from_iter<T: IntoIterator<Item = &'a [u8]>>(pairs: T) -> Self {
        let mut held = Self::default();
        for pair in pairs {
            let (word, bit) = place(pair);
            held.0[word] |= bit;
        }
        held
    }
}

fn place(pair: &[u8]) -> (usize, u64) {
    let place = (pair[0] << 3) ^ pair[1];
    (usize::from(place >> 6), 1 << (place & 63))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::ThrownBy;

    #[test]
    fn what_a_failure_says() {
        let link = |message: &str| ThrownBy {
            class: "java.net.SocketException".into(),
            message: message.into(),
        };
        let thrown = Thrown {
            chain: vec![link("é"), link("Connection reset by peer")],
            ..Thrown::default()
        };
        let failure = Failure::new("Couldn't kickstart handshaking".into(), thrown);
        for text in [
            "Couldn't kickstart handshaking",
            "Connection reset",
            "é",
            "peer",
            "p",
            "",
        ] {
            assert!(failure.says(text), "{text}");
        }
        for text in ["Broken pipe", "Connection resets", "handshakingé", "rp"] {
            assert!(!failure.says(text), "{text}");
        }
        assert!(!failure.pairs.may_hold("Broken pipe") && failure.is_transport());
        assert_eq!(failure.saying("peer"), Some("Connection reset by peer"));
    }
}
