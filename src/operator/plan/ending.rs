//! Restoring: the template, the ownership of its fields, the pods, and the way back to the flag; then the end.

use kube::ResourceExt;

use super::undo::{self, Step, Undo};
use super::{Action, Draft, Plan, instant};
use crate::session::conditions::ConditionType;
use crate::session::{Phase, TLSDebugSession};
use crate::workload::{Workload, ownership};

impl Draft<'_> {
    pub(super) fn ending(mut self, is_deleted: bool) -> Plan {
        if is_deleted && self.status.phase != Phase::Restoring {
            self.report_findings();
            self.conclude();
            if self.status.phase == Phase::Capturing {
                self.set(ConditionType::Capturing, false, "Deleted", "The session was deleted.");
            }
            self.status.phase = Phase::Restoring;
        }
        if self.own_record().is_some() && !self.remembers_workload() {
            // The owners of the value are needed after the record is gone, so they are reported before it goes.
            self.remember_injection();
            return self.now(Action::None);
        }
        let observed = self.observed;
        if let Some((workload, change)) = self.change() {
            let session_uid = observed.session.uid().unwrap_or_default();
            let next = undo::next(workload, &change, &session_uid, &observed.remains);
            if let Undo::Write(Step::Restore(_)) = next {
                if self.note_editors(workload, &ownership::value_path(&change.container, &change.variable)) {
                    return self.now(Action::None);
                }
            } else {
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
                Undo::Write(step) => return self.now(Action::Undo(step)),
                Undo::Wait | Undo::Done if self.note_unreadable() => return self.wait(None),
                Undo::Wait => {
                    self.pods_are_ending(workload);
                    return self.wait(None);
                }
                Undo::Done => self.restored(),
            }
        } else if self.note_unreadable() {
            return self.wait(None);
        } else if self.status.injection.is_some() {
            let message = "The workload that carried the flag is gone. Pods that were left behind on purpose (kubectl delete \
                           --cascade=orphan) carry it until they end.";
            self.set(ConditionType::Injected, false, "TargetGone", message);
            self.set(ConditionType::TemplateRestored, true, "TargetGone", message);
            self.set(ConditionType::Restored, true, "TargetGone", message);
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
        self.now(if is_deleted {
            Action::RemoveFinalizer
        } else {
            Action::None
        })
    }

    /// Ownership goes to whoever has edited the value during the session, where somebody has; reported before the value is
    /// written, because that makes the operator its owner. Returns whether there is something to report.
    fn note_editors(&mut self, workload: &Workload, path: &[String]) -> bool {
        let editors = ownership::owners(&workload.metadata, path);
        match &mut self.status.injection {
            Some(injection) if !editors.is_empty() && injection.change.owners != editors => {
                injection.change.owners = editors;
                true
            }
            _ => false,
        }
    }

    /// Whether the status tells of a change of the very object that is there now.
    fn remembers_workload(&self) -> bool {
        let uid = self.observed.workload.as_ref().map(Workload::uid);
        let injection = self.status.injection.as_ref();
        injection.is_some_and(|injection| Some(injection.uid.as_str()) == uid)
    }

    fn pods_are_ending(&mut self, workload: &Workload) {
        if workload.rollout.paused {
            let message = format!(
                "{} is paused, so its pods keep the flag. Resume it (kubectl rollout resume).",
                workload.title()
            );
            self.set(ConditionType::Restored, false, "TargetIsPaused", &message);
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
/// (resource tracking), Flux (kustomize- and helm-controller) and Helm mark what they manage.
pub(super) fn is_created_anew(session: &TLSDebugSession) -> bool {
    const MARKS: [&str; 4] = [
        "argocd.argoproj.io/tracking-id",
        "kustomize.toolkit.fluxcd.io/name",
        "helm.toolkit.fluxcd.io/name",
        "meta.helm.sh/release-name",
    ];
    let has = |mark: &&str| session.annotations().contains_key(*mark) || session.labels().contains_key(*mark);
    MARKS.iter().any(has)
}
