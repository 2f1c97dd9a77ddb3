//! Injecting and Capturing: read, answer, and know when it is over.

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::{Action, Draft, Plan, duration, instant, since, time};
use crate::operator::observe::change;
use crate::session::conditions::ConditionType;
use crate::session::status::InjectionSummary;
use crate::session::{Failure, Phase, StopWhen};
use crate::workload::record::{Change, Record};
use crate::workload::{Workload, by_hand, ownership, restore};

/// By how much the clocks of two nodes may differ, after a change of leader.
const CLOCK_DIFFERENCE: SignedDuration = SignedDuration::from_mins(1);

/// Why a session ends.
enum End {
    Planned {
        reason: &'static str,
        message: &'static str,
    },
    Failed(Failure),
}

impl<'a> Draft<'a> {
    pub(super) fn running(mut self) -> Plan {
        self.report_findings();
        self.note_start();
        self.set(
            ConditionType::Restored,
            false,
            "FlagInTemplate",
            "Pods carry the flag until the session ends.",
        );
        self.note_unreadable();
        if let Some(end) = self.end() {
            return self.restore_because(end);
        }
        let until = match self.status.phase {
            Phase::Capturing => time(self.status.expires_at.as_deref()),
            _ => self.progress_deadline(),
        };
        self.wait(until)
    }

    /// The record on the workload, where it is this session's.
    pub(super) fn own_record(&self) -> Option<Record> {
        let record = self.observed.workload.as_ref()?.record()?.ok()?;
        (Some(&record.session.uid) == self.observed.session.uid().as_ref()).then_some(record)
    }

    /// Keeps what the record says in the status: it is needed after the record is gone.
    pub(super) fn remember_injection(&mut self) {
        let Some(workload) = &self.observed.workload else {
            return;
        };
        let Some(record) = self.own_record() else { return };
        self.status.restore_command = Some(by_hand::restore_command(workload, &record.change));
        self.status.injection = Some(InjectionSummary {
            uid: workload.uid().to_owned(),
            change: record.change,
        });
    }

    /// The change that this session has made to the workload that is there now.
    pub(super) fn change(&self) -> Option<(&'a Workload, Change)> {
        let observed = self.observed;
        let workload = observed.workload.as_ref()?;
        Some((workload, change(&observed.session, workload)?))
    }

    /// The duration counts from the first pod with the flag that is ready, or its first debug record.
    fn note_start(&mut self) {
        // A clock that was set back must not lengthen the session: count anew, once.
        let was_set_back =
            time(self.status.started_at.as_deref()).is_some_and(|started| started > self.now + CLOCK_DIFFERENCE);
        if self.status.phase == Phase::Capturing && was_set_back {
            self.start_clock();
        }
        if self.status.phase != Phase::Injecting {
            return;
        }
        let is_ready = self
            .observed
            .remains
            .pods
            .iter()
            .any(|pod| pod.ready && !pod.terminating);
        if !is_ready && self.observed.captured.debug_records == 0 {
            return;
        }
        self.status.phase = Phase::Capturing;
        self.start_clock();
        self.set(
            ConditionType::Capturing,
            true,
            "ReadingLogs",
            "Logs of the pods that carry the flag are being read.",
        );
        if self.status.cause.is_none() {
            self.status.summary = Some("Reading; no handshake has failed so far.".to_owned());
        }
    }

    fn start_clock(&mut self) {
        self.status.started_at = Some(instant(self.now));
        self.status.expires_at = Some(instant(self.now + duration(&self.observed.session.spec.duration)));
    }

    fn progress_deadline(&self) -> Option<Timestamp> {
        let injected = since(&self.status.conditions, ConditionType::Injected)?;
        Some(injected + duration(&self.observed.session.spec.progress_deadline))
    }

    fn end(&self) -> Option<End> {
        let spec = &self.observed.session.spec;
        let failed = |reason: &str, message: String| {
            Some(End::Failed(Failure {
                reason: reason.to_owned(),
                message,
            }))
        };
        let change = self.change();
        if let Some((workload, change)) = &change
            && !restore::carries_flag(workload, change)
        {
            return Some(self.reverted(workload, change));
        }
        if change.is_none() && self.observed.unreadable.is_none() {
            return failed(
                "TargetGone",
                format!(
                    "{} {:?} was deleted or created anew while the session was on it; its new pods do not carry the flag. \
                     Create a new session.",
                    spec.target.kind, spec.target.name
                ),
            );
        }
        if self.observed.captured.key_material_seen && !spec.allow_key_material {
            return failed(
                "KeyMaterialInLog",
                "This JDK (before 8u272) prints TLS master secrets with the debug output, and they are in the container's \
                 log now: treat that log as secret. Nothing of them is in this status. Update the JDK, or set \
                 spec.allowKeyMaterial in a new session."
                    .to_owned(),
            );
        }
        if spec.stop {
            return Some(End::Planned {
                reason: "Stopped",
                message: "The session was stopped by spec.stop.",
            });
        }
        // The record's deadline holds where the status could never be written.
        let recorded = self.own_record().map(|record| record.deadline);
        let expires = self
            .status
            .expires_at
            .as_deref()
            .filter(|_| self.status.phase == Phase::Capturing);
        if [recorded.as_deref(), expires]
            .into_iter()
            .any(|end| time(end).is_some_and(|end| end <= self.now))
        {
            return Some(End::Planned {
                reason: "Expired",
                message: "The session's duration is over.",
            });
        }
        if self.status.phase == Phase::Capturing {
            if spec.stop_when == StopWhen::FirstFailure && self.has_matching_failure() {
                return Some(End::Planned {
                    reason: "FirstFailure",
                    message: "The first failed handshake was seen.",
                });
            }
        } else if self.progress_deadline().is_some_and(|deadline| deadline <= self.now) {
            let waiting = self
                .observed
                .remains
                .pods
                .iter()
                .find_map(|pod| pod.waiting.as_ref().map(|why| (&pod.name, why)));
            let detail = match waiting {
                Some((pod, why)) => format!(" Pod {pod} waits: {why}."),
                None if self.observed.unreadable.is_some() => " The operator may not read its pods.".to_owned(),
                None if self.observed.remains.pods.is_empty() => {
                    " No pod with the flag was created: look at the workload's events and quotas.".to_owned()
                }
                None => " A pod with the flag is there but not ready: look at its events.".to_owned(),
            };
            return failed(
                "ProgressDeadlineExceeded",
                format!("No pod with the flag became ready within spec.progressDeadline.{detail}"),
            );
        }
        None
    }

    fn reverted(&self, workload: &Workload, change: &Change) -> End {
        let injected = since(&self.status.conditions, ConditionType::Injected);
        let manager = last_manager(workload, change, injected);
        let who = manager.map_or_else(|| "Somebody".to_owned(), |manager| format!("Field manager {manager:?}"));
        End::Failed(Failure {
            reason: "DriftReverted".to_owned(),
            message: format!(
                "{who} took the flag out of {} before the session ended. A tool that keeps the \
                 workload as its own source says (Argo CD, Flux, another operator) must be told to leave {} alone, or \
                 must carry the flag itself.",
                workload.title(),
                change.variable
            ),
        })
    }

    /// Ends reading and begins to restore; the last findings are in the status already.
    fn restore_because(mut self, end: End) -> Plan {
        self.conclude();
        self.status.phase = Phase::Restoring;
        let (reason, message) = match end {
            End::Planned { reason, message } => (reason.to_owned(), message.to_owned()),
            End::Failed(failure) => {
                self.status.failure = Some(failure.clone());
                if self.status.cause.is_none() {
                    self.status.summary = Some(failure.message.clone());
                }
                (failure.reason, failure.message)
            }
        };
        self.set(ConditionType::Capturing, false, &reason, &message);
        self.remember_injection();
        self.now(Action::None)
    }
}

/// The field manager that owns the value now; else the one that has written the workload last since the flag was put in,
/// ours and the controllers' status writes aside. Who only takes something away leaves no trace.
fn last_manager(workload: &Workload, change: &Change, injected: Option<Timestamp>) -> Option<String> {
    let path = ownership::value_path(&change.container, &change.variable);
    if let Some(owner) = ownership::owners(&workload.metadata, &path).into_iter().next() {
        return Some(owner.manager);
    }
    let entries = workload.metadata.managed_fields.iter().flatten();
    entries
        .filter(|entry| entry.subresource.is_none() && entry.manager.as_deref() != Some(ownership::FIELD_MANAGER))
        .filter(|entry| entry.manager.as_deref() != Some("kube-controller-manager"))
        .filter(|entry| entry.time.as_ref().map(|time| time.0) >= injected)
        .max_by_key(|entry| entry.time.as_ref().map(|time| time.0))
        .and_then(|entry| entry.manager.clone())
}
