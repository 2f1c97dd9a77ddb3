//! Why a change is not made, and the way out. Nothing is touched where it is refused.

use k8s_openapi::api::core::v1::Container;

use super::controller_of;
use super::environment::Obstacle;
use super::record::{ANNOTATION, RecordOwner, SessionReference};
use super::view::{Place, Workload};
use crate::session::TargetKind;

/// Why a change is not made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// One word.
    pub reason: &'static str,
    /// What is in the way, and the way out.
    pub message: String,
    /// Whether it may pass by itself.
    pub transient: bool,
}

impl Refusal {
    pub(super) const fn permanent(reason: &'static str, message: String) -> Self {
        Self {
            reason,
            message,
            transient: false,
        }
    }

    /// The workload bears the record of a session that is gone: the operator's sweep has not come to it yet.
    #[must_use]
    pub fn left_behind(workload: &Workload) -> Self {
        Self::transient(
            "TargetInUse",
            format!(
                "{} still has what a session that is gone has changed; the operator takes it back within minutes.",
                workload.title()
            ),
        )
    }

    const fn transient(reason: &'static str, message: String) -> Self {
        Self {
            reason,
            message,
            transient: true,
        }
    }
}

/// Refuses a workload that cannot be the source of any change: another session's, or one that is going.
pub(super) fn unless_free(workload: &Workload, session_uid: &str) -> Result<(), Refusal> {
    let title = workload.title();
    let record = match workload.record() {
        // It may be of a newer version, with a flag in the template that it alone tells how to take out.
        Some(Err(error)) => {
            return Err(Refusal::permanent(
                "RecordUnreadable",
                format!(
                    "{title} bears the annotation {ANNOTATION}, which cannot be read: {error}. Where the template still carries a \
                     flag (-Djavax.net.debug=…), take that out by hand; then remove the annotation (kubectl annotate \
                     --namespace {} {} {} {ANNOTATION}-) and create a new session.",
                    workload.metadata.namespace.as_deref().unwrap_or_default(),
                    workload.kind.to_string().to_lowercase(),
                    workload.metadata.name.as_deref().unwrap_or_default(),
                ),
            ));
        }
        Some(Ok(record)) => Some(record),
        None => None,
    };
    if let Some(record) = record.filter(|record| record.session.uid != session_uid) {
        let SessionReference { namespace, name, .. } = &record.session;
        let message = match record.owner {
            RecordOwner::Operator => format!(
                "{title} is held by session {namespace}/{name}. Wait until that session has ended, or end it (spec.stop: \
                 true), then create a new one."
            ),
            RecordOwner::Terminal => format!(
                "{title} is held by somebody's terminal (kubectl tlsdebug run), until {} at the latest. Wait until that has \
                 ended; should it have died, kubectl tlsdebug restore undoes what it left.",
                record.deadline
            ),
        };
        return Err(Refusal::permanent("TargetInUse", message));
    }
    if workload.metadata.deletion_timestamp.is_some() {
        return Err(Refusal::permanent(
            "TargetIsBeingDeleted",
            format!(
                "{title} is being deleted. Wait until it is gone, create it anew where it is still wanted, and then create a new \
                 session."
            ),
        ));
    }
    Ok(())
}

/// Refuses a workload without a controller that could roll it, and one that another controller keeps as it is.
pub(super) fn unless_suited(workload: &Workload) -> Result<(), Refusal> {
    let title = workload.title();
    if workload.kind == TargetKind::Pod {
        return Err(Refusal::permanent(
            "TargetNotSupported",
            format!("{title} has no controller that could roll it. Use strategy Clone in a new session."),
        ));
    }
    if let Some(controller) = controller_of(&workload.metadata) {
        return Err(Refusal::permanent(
            "TargetIsControlled",
            format!(
                "{title} is managed by {} {:?}, which would undo the change. Set the debug option there, or use strategy \
                 Clone.",
                controller.kind, controller.name
            ),
        ));
    }
    Ok(())
}

/// Refuses a workload whose controller would not bring the flag into a pod now.
pub(super) fn unless_rolling(workload: &Workload) -> Result<(), Refusal> {
    let title = workload.title();
    let rollout = &workload.rollout;
    if let Some(standstill) = rollout.standstill {
        return Err(Refusal::permanent(
            standstill.reason(),
            format!(
                "{title} {}, so not every pod would get the flag and lose it again. {} and create a new session, or use \
                 strategy Clone.",
                standstill.description(),
                standstill.way_out()
            ),
        ));
    }
    if rollout.observed && rollout.desired_replicas == 0 {
        return Err(Refusal::permanent(
            "NoReplicas",
            format!(
                "{title} has no pod to debug: it is scaled to zero, or fits no node. Scale it up and create a new session, \
                 or use strategy Clone."
            ),
        ));
    }
    if rollout.ordered && rollout.observed && rollout.is_over && !rollout.is_complete() {
        return Err(Refusal::transient(
            "PodsNotReady",
            format!(
                "{title} replaces its pods in order and none of them while one is not ready (podManagementPolicy \
                 OrderedReady), so the flag would reach no JVM; strategy Clone needs none of them."
            ),
        ));
    }
    if !rollout.is_at_rest() {
        return Err(Refusal::transient(
            "RolloutInProgress",
            format!("{title} is in the middle of a rollout."),
        ));
    }
    Ok(())
}

/// The container that the session means: the one that is named, or the only one that is no init container.
pub fn choose_container<'a>(workload: &'a Workload, named: Option<&str>) -> Result<(Place, &'a Container), Refusal> {
    let names = || {
        let all = workload.containers();
        all.map(|(_, container)| container.name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    if let Some(name) = named {
        return workload.container(name).ok_or_else(|| {
            Refusal::permanent(
                "ContainerNotFound",
                format!(
                    "{} has no container {name:?}; its containers are {}. Name one of them in spec.target.container of a \
                     new session.",
                    workload.title(),
                    names()
                ),
            )
        });
    }
    let mut main = workload.containers().filter(|(place, _)| !place.is_init());
    match (main.next(), main.next()) {
        (Some(only), None) => Ok(only),
        _ => Err(Refusal::permanent(
            "ContainerNotNamed",
            format!(
                "{} has several containers ({}). Name the one whose JVM is meant in spec.target.container of a new session.",
                workload.title(),
                names()
            ),
        )),
    }
}

/// What keeps a variable's value from being carried over.
pub(super) fn of_obstacle(workload: &Workload, container: &Container, variable: &str, obstacle: &Obstacle) -> Refusal {
    let place = format!("container {:?} of {}", container.name, workload.title());
    match obstacle {
        Obstacle::Optional => Refusal::permanent(
            "VariableIsOptional",
            format!(
                "{variable} in {place} comes from a key that need not be there (valueFrom, optional: true). Where it is not \
                 there, the JVM would get the reference to it as text. Set spec.variable to another one that the JVM reads, \
                 such as JAVA_TOOL_OPTIONS, in a new session."
            ),
        ),
        Obstacle::UnknownSource => Refusal::permanent(
            "VariableFromUnknownSource",
            format!(
                "{variable} in {place} comes from a source (valueFrom) that this version of tlsdebug does not know. Set \
                 spec.variable to another one that the JVM reads, such as JAVA_TOOL_OPTIONS, in a new session."
            ),
        ),
        Obstacle::Secret { name } => Refusal::permanent(
            "VariableMayBeInSecret",
            format!(
                "Secret {name:?}, which {place} takes in whole (envFrom), may set {variable}; tlsdebug reads no Secrets, and \
                 an entry of its own would hide that value. Set spec.variable to another one that the JVM reads, such as \
                 JAVA_TOOL_OPTIONS, give the Secret a prefix in envFrom, or set {variable} in env."
            ),
        ),
        Obstacle::UnreadableConfigMap { name } => Refusal::permanent(
            "ConfigMapUnreadable",
            format!(
                "ConfigMap {name:?}, which {place} takes in whole (envFrom), may set {variable}, and the operator may not \
                 read it. Give it that right (chart value rbac.allow.readConfigMaps: true), or set spec.variable to another \
                 one that the JVM reads, such as JAVA_TOOL_OPTIONS, and create a new session."
            ),
        ),
    }
}
