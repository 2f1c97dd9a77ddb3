//! How a handshake failed, and what the messages on that say.

use crate::log::{Thrown, holds};

/// How a handshake failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Failure {
    /// The alert that was sent or came in.
    pub alert: Option<String>,
    /// The peer sent the alert.
    pub received: bool,
    /// The text of the record.
    pub message: String,
    /// The throwable beneath it.
    pub thrown: Thrown,
}

impl Failure {
    /// Whether the record or any exception beneath it holds this text.
    #[must_use]
    pub fn says(&self, text: &str) -> bool {
        self.saying(text).is_some()
    }

    /// The first message, of the record or the chain of exceptions, that holds this text.
    #[must_use]
    pub fn saying(&self, text: &str) -> Option<&str> {
        self.messages().find(|message| holds(message, text))
    }

    /// Whether it says any of these texts.
    #[must_use]
    pub fn says_any(&self, texts: &[&str]) -> bool {
        let said = Said::by(self);
        texts.iter().any(|text| said.may_hold(text) && self.says(text))
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

/// Which pairs of bytes a failure's messages hold, roughly: many texts are looked for in the same few messages, and hardly any
/// is there.
#[derive(Debug, Clone, Copy, Default)]
pub struct Said([u64; 4]);

impl Said {
    /// By all messages of a failure.
    #[must_use]
    pub fn by(failure: &Failure) -> Self {
        let mut said = Self::default();
        for message in failure.messages() {
            for pair in message.as_bytes().windows(2) {
                let (word, bit) = place(pair);
                said.0[word] |= bit;
            }
        }
        said
    }

    /// Whether a message may hold this text; if not, none does.
    #[must_use]
    pub fn may_hold(&self, text: &str) -> bool {
        text.as_bytes().windows(2).all(|pair| {
            let (word, bit) = place(pair);
            self.0[word] & bit != 0
        })
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
        let failure = Failure {
            message: "Couldn't kickstart handshaking".into(),
            thrown: Thrown {
                chain: vec![link("é"), link("Connection reset by peer")],
                ..Thrown::default()
            },
            ..Failure::default()
        };
        let said = Said::by(&failure);
        for text in [
            "Couldn't kickstart handshaking",
            "Connection reset",
            "é",
            "peer",
            "p",
            "",
        ] {
            assert!(said.may_hold(text) && failure.says(text), "{text}");
        }
        for text in ["Broken pipe", "Connection resets", "handshakingé", "rp"] {
            assert!(!failure.says(text), "{text}");
        }
        assert!(!said.may_hold("Broken pipe") && failure.is_transport());
        assert_eq!(failure.saying("peer"), Some("Connection reset by peer"));
    }
}
