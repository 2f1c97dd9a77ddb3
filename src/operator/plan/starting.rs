//! Pending: is the session possible, and is the workload ready for the change?

use jiff::Timestamp;
use kube::ResourceExt;

use super::{Action, Draft, Plan, created, duration, instant};
use crate::operator::observe::ADMISSION_POLICY;
use crate::session::conditions::{self, ConditionType};
use crate::session::{Phase, Strategy, TargetKind};
use crate::workload::Injection;
use crate::workload::inject::{self, Request};
use crate::workload::record::SessionReference;

impl Draft<'_> {
    pub(super) fn starting(mut self) -> Plan {
        let session = &self.observed.session;
        let target = &session.spec.target;
        if self.is_recorded() {
            // The operator ended between the write and its report.
            return self.injected();
        }
        if session.spec.stop {
            self.status.phase = Phase::Completed;
            self.status.summary = Some("Stopped before anything was changed.".to_owned());
            self.set(
                ConditionType::Accepted,
                true,
                "Stopped",
                "The session was stopped before anything was changed.",
            );
            return self.end_untouched();
        }
        let strategy = session.spec.effective_strategy();
        if target.kind != TargetKind::Deployment || strategy != Strategy::Rollout {
            return self.fail_untouched(
                "TargetNotSupported",
                &format!(
                    "Strategy {strategy:?} on a {} is not supported yet; strategy Rollout on a Deployment is. Nothing was changed.",
                    target.kind
                ),
            );
        }
        let Some(workload) = &self.observed.workload else {
            let namespace = session.namespace().unwrap_or_default();
            return self.fail_untouched(
                "TargetNotFound",
                &format!(
                    "There is no {} {:?} in namespace {namespace:?}. Look with kubectl get {}s -n {namespace}, and create a \
                     new session with the right spec.target.name.",
                    target.kind,
                    target.name,
                    target.kind.to_string().to_lowercase(),
                ),
            );
        };
        let progress = duration(&session.spec.progress_deadline);
        let deadline = created(session).map(|created| created + progress);
        if deadline.is_some_and(|deadline| deadline <= self.now) {
            let message = format!(
                "The change could not be made within spec.progressDeadline. {} Nothing was changed.",
                self.status.summary.as_deref().unwrap_or_default()
            );
            return self.fail_untouched("ProgressDeadlineExceeded", &message);
        }
        let request = Request {
            session: SessionReference {
                namespace: session.namespace().unwrap_or_default(),
                name: session.name_any(),
                uid: session.uid().unwrap_or_default(),
            },
            container: target.container.as_deref(),
            variable: session.spec.variable.name(),
            flag: &session.spec.flag(),
            deadline: instant(self.now + progress + duration(&session.spec.duration)),
        };
        if !self.observed.is_guarded {
            let policy = ADMISSION_POLICY;
            return self.fail_untouched(
                "AdmissionPolicyMissing",
                &format!(
                    "The ValidatingAdmissionPolicy {policy} or its binding is not installed, so whoever may create a session \
                     would gain the operator's rights. Install it (chart value admissionPolicy.enabled), or give up its \
                     protection (chart value requireAdmissionPolicy: false), and create a new session. Nothing was changed."
                ),
            );
        }
        match inject::plan(workload, &request) {
            Ok(Injection { patch, warnings, .. }) => {
                self.set(
                    ConditionType::Accepted,
                    true,
                    "Valid",
                    "The session can be carried out.",
                );
                self.status.warnings = warnings;
                // Nothing is touched by an operator that cannot write what it does into the status.
                let stored = self.observed.session.status.as_ref();
                let is_reported =
                    stored.is_some_and(|status| conditions::is_true(&status.conditions, ConditionType::Accepted));
                self.now(if is_reported {
                    Action::Inject(patch)
                } else {
                    Action::None
                })
            }
            Err(refusal) if refusal.transient => self.refused_for_now(refusal.reason, &refusal.message, deadline),
            Err(refusal) => self.fail_untouched(refusal.reason, &format!("{} Nothing was changed.", refusal.message)),
        }
    }

    /// What the operator may not read it cannot decide upon; that may pass.
    pub(super) fn starting_blind(self) -> Plan {
        let session = &self.observed.session;
        let message = super::unreadable(self.observed.unreadable.as_deref().unwrap_or_default());
        let deadline = created(session).map(|created| created + duration(&session.spec.progress_deadline));
        if deadline.is_none_or(|deadline| deadline > self.now) {
            return self.refused_for_now("Forbidden", &message, deadline);
        }
        // An operator that ended between the change and its report may have made it.
        let target = &session.spec.target;
        let message = format!(
            "The session could not begin within spec.progressDeadline. {message} Should {} {:?} carry the flag, it is taken \
             out as soon as the operator may read it.",
            target.kind, target.name
        );
        self.fail_untouched("ProgressDeadlineExceeded", &message)
    }

    fn refused_for_now(mut self, reason: &str, message: &str, deadline: Option<Timestamp>) -> Plan {
        self.set(ConditionType::Accepted, false, reason, message);
        self.status.summary = Some(message.to_owned());
        self.wait(deadline)
    }

    fn is_recorded(&self) -> bool {
        self.own_record().is_some()
    }

    /// The flag is in the template: what was changed, and how it could be undone by hand, goes into the status.
    pub(super) fn injected(mut self) -> Plan {
        self.remember_injection();
        self.status.phase = Phase::Injecting;
        self.status.summary = Some("Waiting for the first pod with the flag to become ready.".to_owned());
        self.set(
            ConditionType::Accepted,
            true,
            "Valid",
            "The session can be carried out.",
        );
        self.set(
            ConditionType::Injected,
            true,
            "FlagInTemplate",
            "The flag is in the pod template; the workload's controller rolls its pods.",
        );
        self.set(
            ConditionType::TemplateRestored,
            false,
            "FlagInTemplate",
            "The template carries the flag until the session ends.",
        );
        self.running()
    }
}
