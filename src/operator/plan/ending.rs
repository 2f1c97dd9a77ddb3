//! Restoring: the template, the ownership of its fields, the pods, and the way back to the flag; then the end.

use jiff::SignedDuration;
use kube::ResourceExt;

use super::undo::{self, Step, Undo};
use super::{Action, Draft, Plan, instant};
use crate::session::conditions::ConditionType;
use crate::session::{Phase, Strategy, TLSDebugSession};
use crate::workload::Workload;

/// Between two looks at pods that are ending.
const BETWEEN_LOOKS: SignedDuration = SignedDuration::from_secs(10);

impl Draft<'_> {
    pub(super) fn ending(mut self, is_deleted: bool) -> Plan {
        if is_deleted && self.status.phase != Phase::Restoring {
            self.report_findings();
            self.conclude();
            if self.status.phase == Phase::Capturing {
                self.set(ConditionType::Capturing, false, "Deleted", "The session was deleted.");
            }
            self.status.expires_at = None;
            self.status.phase = Phase::Restoring;
        }
        if self.own_record().is_some() && !self.remembers_workload() {
            // The owners of the value are needed after the record is gone, so they are reported before it goes.
            self.remember_injection();
            return self.write(Action::None);
        }
        let undo = match self.observed.session.spec.effective_strategy() {
            Strategy::Rollout => self.undo_rollout(),
            Strategy::Clone => self.undo_clone(),
        };
        match undo {
            Undo::Write(Step::Restore(_)) if self.note_editors() => return self.write(Action::None),
            Undo::Write(step) => return self.write(Action::Undo(step)),
            Undo::Wait | Undo::Done if self.is_peer_to_stop() => return self.write(Action::StopPeer),
            Undo::Wait | Undo::Done if self.note_unreadable() => return self.wait(None),
            Undo::Wait => {
                // Sooner than elsewhere: the end of the last pod may be missed by a watch that is just broken.
                let soon = self.now + BETWEEN_LOOKS;
                return self.wait(Some(soon));
            }
            Undo::Done if self.note_ending_peer() => {
                let soon = self.now + BETWEEN_LOOKS;
                return self.wait(Some(soon));
            }
            Undo::Done => self.note_restored_peer(),
        }
        if self.observed.session.spec.ttl_after_finished.is_some() && is_created_anew(&self.observed.session) {
            self.status.warnings.push(
                "ttlAfterFinished is not applied: Argo CD, Flux or Helm manages this session and would create it anew, and \
                 the workload would be rolled again and again. Take it out of its source instead."
                    .to_owned(),
            );
        }
        self.status.restore_command = None;
        self.status.phase = if self.status.failure.is_some() {
            Phase::Failed
        } else {
            Phase::Completed
        };
        self.status.finished_at = Some(instant(self.now));
        self.write(if is_deleted {
            Action::RemoveFinalizer
        } else {
            Action::None
        })
    }

    /// What is next until the workload is what it was.
    fn undo_rollout(&mut self) -> Undo {
        let observed = self.observed;
        let Some((workload, change)) = self.change() else {
            if self.status.injection.is_some() && self.observed.unreadable.is_none() {
                let message = "The workload that carried the flag is gone. Pods that were left behind on purpose (kubectl \
                               delete --cascade=orphan) carry it until they end.";
                self.set(ConditionType::Injected, false, "TargetGone", message);
                self.set(ConditionType::TemplateRestored, true, "TargetGone", message);
                self.set(ConditionType::Restored, true, "TargetGone", message);
            }
            return Undo::Done;
        };
        let session_uid = observed.session.uid().unwrap_or_default();
        let next = undo::next(workload, &change, &session_uid, &observed.remains);
        if !matches!(next, Undo::Write(Step::Restore(_))) {
            self.set(
                ConditionType::Injected,
                false,
                "FlagRemoved",
                "The flag is no longer in the pod template.",
            );
            self.set(
                ConditionType::TemplateRestored,
                true,
                "TemplateRestored",
                "The pod template is what it was before, or what others have made of it since.",
            );
        }
        match next {
            Undo::Wait => self.pods_are_ending(workload),
            Undo::Done => self.restored(),
            Undo::Write(_) => {}
        }
        next
    }

    /// What is next until the clone is on its way out.
    fn undo_clone(&mut self) -> Undo {
        if let Some(clone) = &self.observed.clone
            && !clone.pod.terminating
        {
            return Undo::Write(Step::DeletePod(clone.pod.clone()));
        }
        if self.status.injection.is_some() && self.observed.unreadable.is_none() {
            let message = "The pod with the flag is gone or on its way out.";
            self.set(ConditionType::Injected, false, "CloneRemoved", message);
            self.set(ConditionType::Restored, true, "CloneRemoved", message);
        }
        Undo::Done
    }

    /// Ownership goes to whoever has edited the value during the session, where somebody has; reported before the value is
    /// written, because that makes the operator its owner. Returns whether there is something to report.
    fn note_editors(&mut self) -> bool {
        let Some((workload, change)) = self.change() else {
            return false;
        };
        let editors = undo::editors(workload, &change).unwrap_or_default();
        match &mut self.status.injection {
            Some(injection) if !editors.is_empty() && injection.change.owners != editors => {
                injection.change.owners = editors;
                true
            }
            _ => false,
        }
    }

    /// Whether the status tells of a change of the very object that is there now, or of the very clone.
    fn remembers_workload(&self) -> bool {
        let clone = self.observed.clone.as_ref().map(|clone| clone.pod.uid.as_str());
        let uid = clone.or_else(|| self.observed.workload.as_ref().map(Workload::uid));
        let injection = self.status.injection.as_ref();
        injection.is_some_and(|injection| Some(injection.uid.as_str()) == uid)
    }

    fn pods_are_ending(&mut self, workload: &Workload) {
        if let Some(standstill) = workload.rollout.standstill {
            let message = format!(
                "{} {}, so its pods keep the flag. {}, or delete its pods.",
                workload.title(),
                standstill.description(),
                standstill.way_out()
            );
            self.set(ConditionType::Restored, false, standstill.reason(), &message);
        } else {
            self.set(
                ConditionType::Restored,
                false,
                "PodsEnding",
                "Pods that carry the flag are still being replaced by the workload's controller.",
            );
        }
    }
}

/// Whether a tool that keeps what its source says would create a deleted session anew, by the metadata with which Argo CD
/// (resource tracking, by annotation or, before 3.0, by label), Flux (kustomize- and helm-controller) and Helm mark what they
/// manage.
pub(super) fn is_created_anew(session: &TLSDebugSession) -> bool {
    const MARKS: [&str; 5] = [
        "app.kubernetes.io/instance",
        "argocd.argoproj.io/tracking-id",
        "kustomize.toolkit.fluxcd.io/name",
        "helm.toolkit.fluxcd.io/name",
        "meta.helm.sh/release-name",
    ];
    let has = |mark: &&str| session.annotations().contains_key(*mark) || session.labels().contains_key(*mark);
    MARKS.iter().any(has)
}
