//! The other end: its session is made before the target is touched, and ended with this one.

use std::ops::ControlFlow;

use kube::ResourceExt;

use super::running::End;
use super::{Action, Draft, Plan};
use crate::session::conditions::ConditionType;
use crate::session::status::PeerSession;
use crate::session::{Failure, Phase, TLSDebugSession, peer};

/// What is there in the place of the session of the other end.
enum Other<'a> {
    /// None is asked for.
    Unwanted,
    Missing,
    /// Somebody else's session has the name.
    Foreign,
    There(&'a TLSDebugSession),
}

impl<'a> Draft<'a> {
    fn other(&self) -> Other<'a> {
        let session = &self.observed.session;
        match &self.observed.peer {
            _ if session.spec.peer.is_none() => Other::Unwanted,
            None => Other::Missing,
            Some(other) if peer::is_of(other, session) => Other::There(other),
            Some(_) => Other::Foreign,
        }
    }

    /// Keeps in the status what the session of the other end is doing.
    pub(super) fn note_peer(&mut self) {
        if let Other::There(other) = self.other() {
            self.status.peer = Some(PeerSession {
                name: other.name_any(),
                uid: other.uid().unwrap_or_default(),
                phase: phase(other),
            });
        }
    }

    /// What comes before the target is touched: the other end carries the flag, or has a session that is waited for.
    /// Goes on as it came where nothing is in the way.
    pub(super) fn after_peer(mut self) -> ControlFlow<Plan, Self> {
        let session = &self.observed.session;
        let name = peer::name(session);
        let target = &session.spec.target;
        match self.other() {
            Other::Unwanted => ControlFlow::Continue(self),
            Other::There(other) if matches!(phase(other), Phase::Injecting | Phase::Capturing) => {
                ControlFlow::Continue(self)
            }
            Other::There(other) if phase(other) == Phase::Pending => {
                let message = format!("Session {name} of the other end is to begin first. {}", told(other));
                let deadline = self.start_deadline();
                ControlFlow::Break(self.wait_because("WaitingForPeer", message.trim_end().to_owned(), deadline))
            }
            Other::There(other) => {
                let message = format!(
                    "Session {name} of the other end cannot be carried out. {} {} {:?} was not touched.",
                    told(other),
                    target.kind,
                    target.name
                );
                ControlFlow::Break(self.fail_untouched("PeerRefused", &message))
            }
            Other::Foreign => {
                let message = format!(
                    "The session of the other end would be named {name}, and there is another session of that name. Delete it, or \
                     give this one another name. Nothing was changed."
                );
                ControlFlow::Break(self.fail_untouched("PeerNameTaken", &message))
            }
            Other::Missing if self.status.peer.is_some() => {
                let message = format!("Session {name} of the other end was deleted. Nothing was changed.");
                ControlFlow::Break(self.fail_untouched("PeerRefused", &message))
            }
            Other::Missing => {
                let message = format!("Session {name} of the other end is to begin first.");
                self.set(ConditionType::Accepted, false, "WaitingForPeer", &message);
                self.status.summary = Some(message);
                let action = peer::session(session).map_or(Action::None, |made| Action::CreatePeer(Box::new(made)));
                ControlFlow::Break(self.write(action))
            }
        }
    }

    /// Why a session that has begun ends: the other end has.
    pub(super) fn peer_ended(&self) -> Option<End> {
        let name = peer::name(&self.observed.session);
        let failed = |message: String| {
            Some(End::Failed(Failure {
                reason: "PeerEnded".to_owned(),
                message,
            }))
        };
        match self.other() {
            Other::Unwanted => None,
            Other::There(other) if phase(other) < Phase::Restoring => None,
            Other::There(other) if failure(other).is_some() => failed(format!(
                "Session {name} of the other end has ended before this one. {}",
                told(other)
            )),
            Other::There(_) => Some(End::Planned {
                reason: "PeerEnded",
                message: "The session of the other end has ended.",
            }),
            Other::Missing | Other::Foreign => failed(format!(
                "Session {name} of the other end was deleted before this one ended."
            )),
        }
    }

    /// Whether the session of the other end is to be told that it is over.
    pub(super) fn is_peer_to_stop(&self) -> bool {
        matches!(self.other(), Other::There(other) if phase(other) < Phase::Restoring && !other.spec.stop)
    }

    /// Notes that the other end is still being restored. Returns whether it is.
    pub(super) fn note_ending_peer(&mut self) -> bool {
        let Other::There(other) = self.other() else {
            return false;
        };
        if phase(other).is_finished() {
            return false;
        }
        let has_command = other
            .status
            .as_ref()
            .is_some_and(|status| status.restore_command.is_some());
        let message = format!(
            "{} {:?} is what it was; the other end is still being restored: see session {}{}.",
            self.observed.session.spec.target.kind,
            self.observed.session.spec.target.name,
            other.name_any(),
            if has_command {
                " and its status.restoreCommand"
            } else {
                ""
            }
        );
        self.set(ConditionType::Restored, false, "PeerEnding", &message);
        true
    }

    /// What was said of an other end that was still being restored is over.
    pub(super) fn note_restored_peer(&mut self) {
        if self.status.conditions.iter().any(|one| one.reason == "PeerEnding") {
            self.restored();
        }
    }
}

fn phase(session: &TLSDebugSession) -> Phase {
    session.status.as_ref().map(|status| status.phase).unwrap_or_default()
}

fn failure(session: &TLSDebugSession) -> Option<&Failure> {
    session.status.as_ref()?.failure.as_ref()
}

/// What it says of itself: why it failed, else what it waits for.
fn told(session: &TLSDebugSession) -> String {
    match failure(session) {
        Some(failure) => format!("{}: {}", failure.reason, failure.message),
        None => session
            .status
            .as_ref()
            .and_then(|status| status.summary.clone())
            .unwrap_or_default(),
    }
}
