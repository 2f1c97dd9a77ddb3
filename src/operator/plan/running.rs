//! Injecting and Capturing: read, answer, and know when it is over.

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::{Action, Draft, Plan, drift, duration, instant, later, since, time};
use crate::operator::observe::change;
use crate::operator::observe::stuck::{self, StuckPod};
use crate::session::conditions::ConditionType;
use crate::session::status::InjectionSummary;
use crate::session::{Failure, Phase, StopWhen, Strategy};
use crate::workload::record::{Change, Record};
use crate::workload::{Workload, by_hand, restore};

/// By how much the clocks of two nodes may differ, after a change of leader.
const CLOCK_DIFFERENCE: SignedDuration = SignedDuration::from_mins(1);

/// How long the first failure must stand before it ends a session; times of conditions are in whole seconds.
const SETTLING: SignedDuration = SignedDuration::from_secs(2);

/// Why a session ends.
pub(super) enum End {
    Planned {
        reason: &'static str,
        message: &'static str,
    },
    Failed(Failure),
}

impl<'a> Draft<'a> {
    pub(super) fn running(mut self) -> Plan {
        self.note_start();
        self.report_findings();
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
            Phase::Capturing => [time(self.status.expires_at.as_deref()), self.settles_at()]
                .into_iter()
                .flatten()
                .min(),
            _ => self.progress_deadline(),
        };
        self.wait(until)
    }

    /// The record on the workload or the clone, where it is this session's.
    pub(super) fn own_record(&self) -> Option<Record> {
        if let Some(clone) = &self.observed.clone {
            return Some(clone.record.clone());
        }
        let record = self.observed.workload.as_ref()?.record()?.ok()?;
        (Some(&record.session.uid) == self.observed.session.uid().as_ref()).then_some(record)
    }

    /// Keeps what the record says in the status: it is needed after the record is gone.
    pub(super) fn remember_injection(&mut self) {
        let Some(record) = self.own_record() else { return };
        let (uid, command) = if let Some(clone) = &self.observed.clone {
            let namespace = self.observed.session.namespace().unwrap_or_default();
            let command = format!("kubectl delete pod -n {namespace} {}", clone.pod.name);
            (clone.pod.uid.clone(), Some(command))
        } else if let Some(workload) = &self.observed.workload {
            let command = by_hand::restore_command(workload, &record.change);
            (workload.uid().to_owned(), command)
        } else {
            return;
        };
        self.status.restore_command = command;
        self.status.injection = Some(InjectionSummary {
            uid,
            deadline: Some(record.deadline),
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
            time(self.status.started_at.as_deref()).is_some_and(|started| started > later(self.now, CLOCK_DIFFERENCE));
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
            if let Some(stuck) = self.stuck_pod() {
                self.status.summary = Some(format!(
                    "Waiting for the first pod with the flag to become ready. {stuck}"
                ));
            }
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

    /// What keeps the first pod with the flag from its start, in a sentence.
    fn stuck_pod(&self) -> Option<String> {
        let container = &self.status.injection.as_ref()?.change.container;
        let pods = self.observed.remains.pods.iter();
        let stuck = pods.filter(|pod| !pod.terminating && !pod.ready).find_map(|pod| {
            let reason = stuck::abnormal(pod.waiting.as_deref()?)?;
            Some(StuckPod {
                name: pod.name.clone(),
                container: Some(container.clone()),
                reason: reason.to_owned(),
            })
        })?;
        Some(stuck.sentence(&self.observed.session.namespace().unwrap_or_default()))
    }

    fn start_clock(&mut self) {
        self.status.started_at = Some(instant(self.now));
        self.status.expires_at = Some(instant(later(self.now, duration(&self.observed.session.spec.duration))));
    }

    /// When the first failure may end the session: a read that timed out may go on, and the next lines may say more.
    fn settles_at(&self) -> Option<Timestamp> {
        let is_awaited = self.observed.session.spec.stop_when == StopWhen::FirstFailure && self.has_matching_failure();
        let diagnosed = since(&self.status.conditions, ConditionType::Diagnosed).filter(|_| is_awaited)?;
        Some(later(diagnosed, SETTLING))
    }

    fn has_settled(&self) -> bool {
        // A clock that was set back must not keep the session waiting.
        let is_now = |at: Timestamp| at <= self.now || at > later(self.now, SETTLING);
        self.settles_at().is_some_and(is_now)
    }

    fn progress_deadline(&self) -> Option<Timestamp> {
        let injected = since(&self.status.conditions, ConditionType::Injected)?;
        Some(later(injected, duration(&self.observed.session.spec.progress_deadline)))
    }

    fn end(&self) -> Option<End> {
        let spec = &self.observed.session.spec;
        let failed = |reason: &str, message: String| {
            Some(End::Failed(Failure {
                reason: reason.to_owned(),
                message,
            }))
        };
        let lost = match spec.effective_strategy() {
            Strategy::Rollout => self.flag_lost(),
            Strategy::Clone => self.clone_lost(),
        };
        if let Some(failure) = lost {
            return Some(End::Failed(failure));
        }
        if let Some(end) = self.peer_ended() {
            return Some(end);
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
        let recorded = self.own_record().map(|record| record.deadline).or_else(|| {
            let injection = self.status.injection.as_ref();
            injection.and_then(|injection| injection.deadline.clone())
        });
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
            if self.has_settled() {
                return Some(End::Planned {
                    reason: "FirstFailure",
                    message: "The first failed handshake was seen.",
                });
            }
        } else if self.progress_deadline().is_some_and(|deadline| deadline <= self.now) {
            let detail = match self.stuck_pod() {
                Some(stuck) => format!(" {stuck}"),
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

    /// Why no pod of the workload carries the flag any more.
    fn flag_lost(&self) -> Option<Failure> {
        let target = &self.observed.session.spec.target;
        let Some((workload, change)) = self.change() else {
            if self.observed.unreadable.is_some() {
                return None;
            }
            return Some(Failure {
                reason: "TargetGone".to_owned(),
                message: format!(
                    "{} {:?} was deleted or created anew while the session was on it; its new pods do not carry the flag. \
                     Create a new session.",
                    target.kind, target.name
                ),
            });
        };
        let injection = self.status.injection.as_ref();
        let deadline = injection.and_then(|injection| time(injection.deadline.as_deref()));
        // Where the status could not be written, the operator itself has restored after the deadline.
        if restore::carries_flag(workload, &change) || deadline.is_some_and(|deadline| deadline <= self.now) {
            return None;
        }
        let injected = since(&self.status.conditions, ConditionType::Injected);
        Some(drift::failure(workload, &change, injected))
    }

    /// Why the clone can say nothing more.
    fn clone_lost(&self) -> Option<Failure> {
        let session = &self.observed.session;
        let Some(clone) = self.observed.clone.as_ref().filter(|clone| !clone.pod.terminating) else {
            if self.observed.unreadable.is_some() {
                return None;
            }
            let name = session.name_any();
            return Some(Failure {
                reason: "CloneGone".to_owned(),
                message: format!(
                    "The clone of session {name} was deleted before the session ended. Create a new session."
                ),
            });
        };
        let why = clone.ended.as_ref()?;
        Some(Failure {
            reason: "CloneEnded".to_owned(),
            message: format!(
                "Pod {} has ended ({why}) before the session did. Look at its events (kubectl describe pod), and create a new \
                 session when the cause is gone.",
                clone.pod.name
            ),
        })
    }

    /// Ends reading and begins to restore; the last findings are in the status already.
    fn restore_because(mut self, end: End) -> Plan {
        self.conclude();
        self.status.expires_at = None;
        self.status.phase = Phase::Restoring;
        let (reason, message) = match end {
            End::Planned { reason, message } => (reason.to_owned(), message.to_owned()),
            End::Failed(failure) => {
                self.status.failure = Some(failure.clone());
                if let (Some(_), Some(summary)) = (&self.status.cause, &mut self.status.summary) {
                    // Both are worth knowing: what was found, and that the session did not end as planned.
                    *summary = format!("{summary} (ended early: {})", failure.reason);
                } else {
                    self.status.cause = Some(failure.reason.clone());
                    self.status.summary = Some(failure.message.clone());
                }
                (failure.reason, failure.message)
            }
        };
        self.set(ConditionType::Capturing, false, &reason, &message);
        self.remember_injection();
        self.write(Action::None)
    }
}
