//! Deciding: from what is observed at a time to the one next write, the status and the time of the next look.
//!
//! Pure. A session goes Pending → Injecting → Capturing → Restoring → Completed or Failed. Whatever happens on the way
//! leads to Restoring, and Restoring does not end before the workload is what it was.

mod drift;
pub mod ending;
pub mod findings;
mod peer;
pub mod running;
pub mod starting;
mod summary;
pub mod undo;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use json_patch::Patch;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;

use super::observe::Observed;
use crate::session::conditions::{self, ConditionType};
use crate::session::{Failure, Phase, TLSDebugSession, TLSDebugSessionStatus};
use undo::Step;

/// The finalizer that keeps a deleted session until its workload is restored.
pub const FINALIZER: &str = "tlsdebug.io/restore";

/// A look at a session that nothing has woken: the deadline's own look comes at the deadline.
const LOOK: Duration = Duration::from_secs(30);

/// What to do next.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The one write to make before the status.
    pub action: Action,
    /// The status to report when the write went through.
    pub status: TLSDebugSessionStatus,
    /// When to look again though nothing has happened.
    pub look_again: Duration,
    /// Whether logs are to be read; the streams end where not.
    pub capture: bool,
    /// Whether changes of the workload and its pods are to wake the session.
    pub watch: bool,
}

/// A write to the API.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Nothing to write.
    None,
    /// Keep the session until its workload is restored.
    AddFinalizer,
    /// Let a session go that has nothing left to restore.
    RemoveFinalizer,
    /// Add the flag and the record.
    Inject(Patch),
    /// Take a part of the change back.
    Undo(Step),
    /// Make the session of the other end.
    CreatePeer(Box<TLSDebugSession>),
    /// Tell the session of the other end that it is over.
    StopPeer,
    /// Run one more pod with the flag.
    CreateClone(Box<Pod>),
    /// The session's time to live is over.
    DeleteSession,
}

/// A plan under construction.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    observed: &'a Observed,
    now: Timestamp,
    status: TLSDebugSessionStatus,
}

/// Decides what to do next.
#[must_use]
pub fn plan(observed: &Observed, now: Timestamp) -> Plan {
    let session = &observed.session;
    let mut status = session.status.clone().unwrap_or_default();
    status.observed_generation = session.metadata.generation;
    status.strategy = Some(session.spec.effective_strategy());
    let mut draft = Draft { observed, now, status };
    draft.note_peer();
    let is_deleted = session.metadata.deletion_timestamp.is_some();
    let has_finalizer = session.finalizers().iter().any(|finalizer| finalizer == FINALIZER);
    if is_deleted && !has_finalizer {
        return draft.rest();
    }
    if draft.status.phase.is_finished() {
        return draft.finished(has_finalizer);
    }
    if is_deleted {
        return draft.ending(true);
    }
    if !has_finalizer {
        return draft.write(Action::AddFinalizer);
    }
    match draft.status.phase {
        // What was begun is gone on with, whatever cannot be seen.
        Phase::Pending if observed.unreadable.is_some() && draft.own_record().is_none() => draft.starting_blind(),
        Phase::Pending => draft.starting(),
        Phase::Injecting | Phase::Capturing => draft.running(),
        Phase::Restoring | Phase::Completed | Phase::Failed => draft.ending(false),
    }
}

impl Draft<'_> {
    /// Nothing to do until something happens.
    fn rest(self) -> Plan {
        Plan {
            action: Action::None,
            status: self.status,
            look_again: Duration::from_hours(1),
            capture: false,
            watch: false,
        }
    }

    /// Makes a write and looks again at once.
    fn write(self, action: Action) -> Plan {
        let capture = matches!(self.status.phase, Phase::Injecting | Phase::Capturing);
        Plan {
            action,
            status: self.status,
            look_again: Duration::ZERO,
            capture,
            watch: true,
        }
    }

    /// Waits for a change of the workload or its pods, or for `until`.
    fn wait(self, until: Option<Timestamp>) -> Plan {
        let left = until.map_or(LOOK, |until| {
            Duration::try_from(until.duration_since(self.now))
                .unwrap_or(Duration::ZERO)
                .min(LOOK)
        });
        let capture = matches!(self.status.phase, Phase::Injecting | Phase::Capturing);
        Plan {
            action: Action::None,
            status: self.status,
            look_again: left,
            capture,
            watch: true,
        }
    }

    fn finished(mut self, has_finalizer: bool) -> Plan {
        // What kept the session itself from going is over, or is said anew.
        let restored = ConditionType::Restored.name();
        let conditions = &mut self.status.conditions;
        if let Some(condition) = conditions.iter_mut().find(|condition| condition.type_ == restored)
            && condition.status == "True"
            && ["Forbidden", "PatchRejected"].contains(&condition.reason.as_str())
        {
            self.restored();
        }
        if self.is_peer_to_stop() {
            return Plan {
                action: Action::StopPeer,
                look_again: Duration::ZERO,
                ..self.rest()
            };
        }
        if has_finalizer {
            // Nothing is left to restore: the session can be deleted where the operator no longer runs.
            return Plan {
                action: Action::RemoveFinalizer,
                look_again: Duration::ZERO,
                ..self.rest()
            };
        }
        let spec = &self.observed.session.spec;
        if ending::is_created_anew(&self.observed.session) {
            return self.rest();
        }
        let ends = spec
            .ttl_after_finished
            .as_deref()
            .map(duration)
            .zip(time(self.status.finished_at.as_deref()));
        match ends.map(|(ttl, finished)| later(finished, ttl)) {
            Some(end) if end <= self.now => self.write(Action::DeleteSession),
            Some(end) => {
                let left = Duration::try_from(end.duration_since(self.now)).unwrap_or(Duration::ZERO);
                Plan {
                    look_again: left,
                    ..self.rest()
                }
            }
            None => self.rest(),
        }
    }

    /// Says of a session that has begun what the operator may not read. Returns whether there is anything.
    fn note_unreadable(&mut self) -> bool {
        let message = self.observed.unreadable.as_deref().map(unreadable);
        if let Some(message) = &message {
            self.set(ConditionType::Restored, false, "Forbidden", message);
        }
        message.is_some()
    }

    fn set(&mut self, kind: ConditionType, status: bool, reason: &str, message: &str) {
        let generation = self.observed.session.metadata.generation;
        conditions::set(
            &mut self.status.conditions,
            kind,
            status,
            reason,
            message,
            generation,
            self.now,
        );
    }

    fn restored(&mut self) {
        self.set(
            ConditionType::Restored,
            true,
            "Restored",
            "No pod carries the flag, and no revision leads back to it.",
        );
    }

    /// Ends a session that has not touched anything.
    fn fail_untouched(mut self, reason: &str, message: &str) -> Plan {
        self.set(ConditionType::Accepted, false, reason, message);
        self.status.phase = Phase::Failed;
        self.status.cause = Some(reason.to_owned());
        self.status.failure = Some(Failure {
            reason: reason.to_owned(),
            message: message.to_owned(),
        });
        self.status.summary = Some(message.to_owned());
        self.end_untouched()
    }

    /// Nothing was changed and nothing will be; the next look lets the session go.
    fn end_untouched(mut self) -> Plan {
        self.status.finished_at = Some(instant(self.now));
        Plan {
            look_again: Duration::ZERO,
            ..self.rest()
        }
    }
}

/// What the operator may not read, and the way out.
fn unreadable(message: &str) -> String {
    format!(
        "The operator may not read what it needs: {message}. Give its ServiceAccount the rights that the chart gives it \
         (helm upgrade; strategy Clone needs the chart value rbac.allow.clone: true)."
    )
}

/// A duration that the API server has checked; an unreadable one counts as zero.
pub(crate) fn duration(text: &str) -> SignedDuration {
    text.parse().unwrap_or_default()
}

/// A time plus a duration, or the last time that there is: what comes from an object can be anything.
pub(crate) fn later(time: Timestamp, duration: SignedDuration) -> Timestamp {
    time.saturating_add(duration).unwrap_or(Timestamp::MAX)
}

/// A point in time as the status holds it: RFC 3339, in whole seconds.
pub(crate) fn instant(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn time(text: Option<&str>) -> Option<Timestamp> {
    text?.parse().ok()
}

fn since(conditions: &[Condition], kind: ConditionType) -> Option<Timestamp> {
    let condition = conditions
        .iter()
        .find(|condition| condition.type_ == kind.name() && condition.status == "True")?;
    Some(condition.last_transition_time.0)
}

fn created(session: &TLSDebugSession) -> Option<Timestamp> {
    session.metadata.creation_timestamp.as_ref().map(|time| time.0)
}
