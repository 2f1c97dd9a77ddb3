//! Pending: is the session possible, and is the workload ready for the change?

use std::ops::ControlFlow;

use jiff::Timestamp;
use kube::ResourceExt;

use super::{Action, Draft, Plan, created, duration, instant, later};
use crate::operator::observe::ADMISSION_POLICY;
use crate::session::conditions::ConditionType;
use crate::session::{Phase, Strategy};
use crate::workload::inject::{self, Request};
use crate::workload::record::SessionReference;
use crate::workload::{Refusal, Workload, clone};

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
        let deadline = self.start_deadline();
        let is_late = deadline.is_some_and(|deadline| deadline <= self.now);
        let request = Request {
            session: SessionReference {
                namespace: session.namespace().unwrap_or_default(),
                name: session.name_any(),
                uid: session.uid().unwrap_or_default(),
            },
            owner: self.observed.owner,
            container: target.container.as_deref(),
            variable: session.spec.variable.name(),
            flag: &session.spec.flag(),
            deadline: instant(later(self.now, progress + duration(&session.spec.duration))),
            config_maps: &self.observed.config_maps,
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
        let planned = if self.observed.is_left_behind {
            Err(Refusal::left_behind(workload))
        } else {
            self.change_planned(workload, &request)
        };
        match planned {
            Err(refusal) if !refusal.transient => {
                self.fail_untouched(refusal.reason, &format!("{} Nothing was changed.", refusal.message))
            }
            Err(refusal) => self.refused_for_now(&refusal, deadline),
            Ok(_) if is_late => {
                let message = "The change could not be made within spec.progressDeadline. Nothing was changed.";
                self.fail_untouched("ProgressDeadlineExceeded", message)
            }
            Ok((action, warnings)) => {
                self = match self.after_peer() {
                    ControlFlow::Continue(draft) => draft,
                    ControlFlow::Break(plan) => return plan,
                };
                self.set(
                    ConditionType::Accepted,
                    true,
                    "Valid",
                    "The session can be carried out.",
                );
                self.status.warnings = warnings;
                // Nothing is touched by an operator that cannot write what it does into the status. One that was refused has
                // written that; to say Accepted before each further attempt would be a new answer each time.
                let stored = self
                    .observed
                    .session
                    .status
                    .iter()
                    .flat_map(|status| &status.conditions);
                let is_reported = stored
                    .filter(|condition| condition.type_ == ConditionType::Accepted.name())
                    .any(|condition| condition.status == "True" || condition.reason == "Forbidden");
                self.write(if is_reported { action } else { Action::None })
            }
        }
    }

    /// Until when the session may wait for the change.
    pub(super) fn start_deadline(&self) -> Option<Timestamp> {
        let session = &self.observed.session;
        created(session).map(|created| later(created, duration(&session.spec.progress_deadline)))
    }

    /// The write that brings the flag into a JVM, and what the user should know before.
    fn change_planned(&self, workload: &Workload, request: &Request<'_>) -> Result<(Action, Vec<String>), Refusal> {
        let spec = &self.observed.session.spec;
        match spec.effective_strategy() {
            Strategy::Rollout => {
                let injection = inject::plan(workload, request)?;
                Ok((Action::Inject(injection.patch), injection.warnings))
            }
            Strategy::Clone => {
                let longest = duration(&spec.progress_deadline) + duration(&spec.duration);
                let terms = clone::Terms {
                    receive_traffic: spec.receive_traffic,
                    service_selectors: &self.observed.service_selectors,
                    active_deadline_seconds: longest.as_secs(),
                };
                let injection = clone::plan(workload, request, &terms)?;
                Ok((Action::CreateClone(Box::new(injection.pod)), injection.warnings))
            }
        }
    }

    /// What the operator may not read it cannot decide upon; that may pass.
    pub(super) fn starting_blind(self) -> Plan {
        let session = &self.observed.session;
        if session.spec.stop && self.observed.workload.is_some() {
            return self.starting();
        }
        let message = super::unreadable(self.observed.unreadable.as_deref().unwrap_or_default());
        let deadline = self.start_deadline();
        if deadline.is_none_or(|deadline| deadline > self.now) {
            return self.wait_because("Forbidden", message, deadline);
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

    /// What may pass is waited for, until the deadline.
    fn refused_for_now(self, refusal: &Refusal, deadline: Option<Timestamp>) -> Plan {
        let namespace = self.observed.session.namespace().unwrap_or_default();
        let (reason, state) = match &self.observed.stuck {
            Some(stuck) => (
                "RolloutStuck",
                format!("{} {}", refusal.message, stuck.sentence(&namespace)),
            ),
            None => (refusal.reason, refusal.message.clone()),
        };
        if deadline.is_some_and(|deadline| deadline <= self.now) {
            let message =
                format!("The change could not be made within spec.progressDeadline. {state} Nothing was changed.");
            return self.fail_untouched("ProgressDeadlineExceeded", &message);
        }
        let way_out = match &self.observed.stuck {
            Some(_) => {
                let target = &self.observed.session.spec.target;
                let object = format!("{}/{}", target.kind.to_string().to_lowercase(), target.name);
                format!(" Mend it or take it back (kubectl rollout undo -n {namespace} {object}); the")
            }
            None => " The".to_owned(),
        };
        let message = format!("{state}{way_out} session waits for this to pass, until spec.progressDeadline is over.");
        self.wait_because(reason, message, deadline)
    }

    pub(super) fn wait_because(mut self, reason: &str, message: String, deadline: Option<Timestamp>) -> Plan {
        self.set(ConditionType::Accepted, false, reason, &message);
        self.status.summary = Some(message);
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
        match self.observed.session.spec.effective_strategy() {
            Strategy::Rollout => {
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
            }
            Strategy::Clone => {
                self.set(
                    ConditionType::Injected,
                    true,
                    "CloneCreated",
                    "One more pod with the flag runs beside the workload, as one more consumer of what the workload consumes; \
                     network policies may treat it differently (status.warnings).",
                );
                self.set(
                    ConditionType::TemplateRestored,
                    true,
                    "NeverChanged",
                    "Strategy Clone leaves the workload alone.",
                );
            }
        }
        // The status says so before it says more: each phase has its event.
        self.set(
            ConditionType::Restored,
            false,
            "FlagInTemplate",
            "Pods carry the flag until the session ends.",
        );
        self.write(Action::None)
    }
}
