//! Adding the flag: one JSON Patch that edits the template and writes the record beside it.

use json_patch::Patch;
use serde_json::{Value, json};

use super::environment::{self, Shape};
use super::ownership;
use super::patch::Builder;
use super::record::{ANNOTATION, Change, Record, RecordOwner, SessionReference, sha256};
use super::view::Workload;

/// What a session wants to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request<'a> {
    /// The session.
    pub session: SessionReference,
    /// Container named by the session, needed when there are several.
    pub container: Option<&'a str>,
    /// Environment variable.
    pub variable: &'a str,
    /// The JVM option.
    pub flag: &'a str,
    /// When the flag must be gone at the latest (RFC 3339).
    pub deadline: String,
}

/// A change that can be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Injection {
    /// The patch. It fails as a whole when the object is another one, its spec has changed since, or the value has.
    pub patch: Patch,
    /// The record that the patch writes.
    pub record: Record,
    /// What the user should know before.
    pub warnings: Vec<String>,
}

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
    fn permanent(reason: &'static str, message: String) -> Self {
        Self {
            reason,
            message,
            transient: false,
        }
    }
}

/// Plans the change, or says why it is not made. Nothing is touched where it is refused.
pub fn plan(workload: &Workload, request: &Request<'_>) -> Result<Injection, Refusal> {
    refuse_unsuitable(workload, request)?;
    let (position, container) = choose_container(workload, request.container)?;
    let shape = environment::shape(container, request.variable);
    let variable = request.variable;
    let title = format!("{} sets {variable} in container {:?}", workload.title(), container.name);
    let (value_before, edit) = match shape {
        Shape::Absent { has_list } => (None, Edit::Create { list: !has_list }),
        Shape::Literal { index, value } => (Some(value), Edit::Append { index }),
        Shape::ValueFrom => {
            return Err(Refusal::permanent(
                "VariableFromSource",
                format!(
                    "{title} from a ConfigMap, a Secret or a field (valueFrom), which is not supported yet. Set \
                     spec.variable to JAVA_DEBUGGER_OPTS or JAVA_TOOL_OPTIONS."
                ),
            ));
        }
        Shape::EnvFrom => {
            return Err(Refusal::permanent(
                "VariableFromSource",
                format!(
                    "Container {:?} of {} takes in whole ConfigMaps or Secrets (envFrom) that may set {variable}; an \
                     entry of its own would hide theirs. Set {variable} as a literal in env (an empty value will do \
                     where nothing sets it) and create a new session.",
                    container.name,
                    workload.title()
                ),
            ));
        }
        Shape::Repeated => {
            return Err(Refusal::permanent(
                "VariableRepeated",
                format!(
                    "{title} more than once; only the last entry counts. Remove the others and create a new session."
                ),
            ));
        }
    };
    let before = value_before.as_deref().unwrap_or_default();
    let appended = environment::appended(before, request.flag);
    let written = format!("{before}{appended}");
    let change = Change {
        container: container.name.clone(),
        variable: variable.to_owned(),
        appended,
        entry_created: value_before.is_none(),
        list_created: matches!(edit, Edit::Create { list: true }),
        sha256_before: value_before.as_deref().map(sha256),
        sha256_written: sha256(&written),
        flag_present_before: environment::without_flag(before, request.flag).is_some(),
        owners: if value_before.is_some() {
            ownership::former_owners(&workload.metadata, &ownership::value_path(&container.name, variable))
        } else {
            Vec::new()
        },
    };
    let record = Record {
        session: request.session.clone(),
        owner: RecordOwner::Operator,
        deadline: request.deadline.clone(),
        change,
    };
    let patch = patch(workload, position, edit, value_before.as_deref(), &written, &record);
    Ok(Injection {
        patch,
        warnings: warnings(workload, &record.change),
        record,
    })
}

#[derive(Debug, Clone, Copy)]
enum Edit {
    Create { list: bool },
    Append { index: usize },
}

fn patch(
    workload: &Workload,
    position: usize,
    edit: Edit,
    before: Option<&str>,
    written: &str,
    record: &Record,
) -> Patch {
    let position = position.to_string();
    let container = ["spec", "template", "spec", "containers", position.as_str()];
    let path = |tail: &[&'static str]| [&container[..], tail].concat();
    let mut builder = Builder::default()
        .test(&["metadata", "uid"], workload.uid())
        .test(
            &["metadata", "generation"],
            workload.metadata.generation.unwrap_or_default(),
        )
        .test(&path(&["name"]), record.change.container.as_str());
    builder = match edit {
        Edit::Create { list } => {
            let entry = json!({"name": record.change.variable, "value": written});
            if list {
                builder.add(&path(&["env"]), Value::Array(vec![entry]))
            } else {
                builder.add(&path(&["env", "-"]), entry)
            }
        }
        Edit::Append { index } => {
            let index = index.to_string();
            let entry = [&container[..], &["env", index.as_str()]].concat();
            let name = [&entry[..], &["name"]].concat();
            let value = [&entry[..], &["value"]].concat();
            builder = builder.test(&name, record.change.variable.as_str());
            match before {
                // The API server leaves an empty value out, so there is nothing to test or replace.
                None | Some("") => builder.add(&value, written),
                Some(before) => builder.test_text(&value, before).replace(&value, written),
            }
        }
    };
    let text = serde_json::to_string(record).unwrap_or_default();
    if workload.metadata.annotations.is_some() {
        builder.add(&["metadata", "annotations", ANNOTATION], text)
    } else {
        builder.add(&["metadata", "annotations"], json!({ANNOTATION: text}))
    }
    .build()
}

fn refuse_unsuitable(workload: &Workload, request: &Request<'_>) -> Result<(), Refusal> {
    let title = workload.title();
    if let Some(Ok(record)) = workload.record()
        && record.session.uid != request.session.uid
    {
        return Err(Refusal::permanent(
            "TargetInUse",
            format!(
                "{title} is held by session {}/{}. Wait until that session has ended, or end it (spec.stop: true), then \
                 create a new one.",
                record.session.namespace, record.session.name
            ),
        ));
    }
    if let Some(controller) = workload
        .metadata
        .owner_references
        .iter()
        .flatten()
        .find(|owner| owner.controller == Some(true))
    {
        return Err(Refusal::permanent(
            "TargetIsControlled",
            format!(
                "{title} is managed by {} {:?}, which would undo the change. Set the debug option there.",
                controller.kind, controller.name
            ),
        ));
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
    if workload.rollout.paused {
        return Err(Refusal::permanent(
            "TargetIsPaused",
            format!(
                "{title} is paused, so no pod would get the flag. Resume it (kubectl rollout resume) and create a new session."
            ),
        ));
    }
    if workload.rollout.desired_replicas == 0 {
        return Err(Refusal::permanent(
            "NoReplicas",
            format!("{title} is scaled to zero, so there is no pod to debug. Scale it up and create a new session."),
        ));
    }
    if !workload.rollout.is_at_rest() {
        return Err(Refusal {
            reason: "RolloutInProgress",
            message: format!(
                "{title} is in the middle of a rollout. The session waits for its end, until spec.progressDeadline is over."
            ),
            transient: true,
        });
    }
    Ok(())
}

fn choose_container<'a>(
    workload: &'a Workload,
    named: Option<&str>,
) -> Result<(usize, &'a k8s_openapi::api::core::v1::Container), Refusal> {
    let containers = workload
        .template
        .spec
        .as_ref()
        .map(|spec| spec.containers.as_slice())
        .unwrap_or_default();
    let names = || {
        containers
            .iter()
            .map(|container| container.name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    match (named, containers) {
        (Some(name), _) => workload.container(name).ok_or_else(|| {
            Refusal::permanent(
                "ContainerNotFound",
                format!(
                    "{} has no container {name:?}; its containers are {}. Name one of them in spec.target.container of a \
                     new session.",
                    workload.title(),
                    names()
                ),
            )
        }),
        (None, [only]) => Ok((0, only)),
        (None, _) => Err(Refusal::permanent(
            "ContainerNotNamed",
            format!(
                "{} has several containers ({}). Name the one whose JVM is meant in spec.target.container of a new session.",
                workload.title(),
                names()
            ),
        )),
    }
}

fn warnings(workload: &Workload, change: &Change) -> Vec<String> {
    let mut warnings = Vec::new();
    if change.entry_created && change.variable != "JAVA_DEBUGGER_OPTS" {
        warnings.push(format!(
            "The template did not set {0}. If the image sets it, the session hides the image's value while it lasts; \
             spec.variable JAVA_DEBUGGER_OPTS avoids that where the start script is webMethods'.",
            change.variable
        ));
    }
    if !workload.rollout.is_complete() {
        warnings.push("Not all pods of the workload were available before the session changed anything.".to_owned());
    }
    if workload.rollout.recreate {
        warnings
            .push("The Deployment's strategy is Recreate: all its pods stop before new ones start, twice.".to_owned());
    } else if workload.rollout.desired_replicas == 1 && !workload.rollout.surges {
        warnings
            .push("A single replica without surge: the service is down while the pod is replaced, twice.".to_owned());
    }
    if workload.rollout.forgets {
        warnings.push(
            "revisionHistoryLimit is 0: the ReplicaSet of before is deleted during the session, and an equal one is made \
             afterwards."
                .to_owned(),
        );
    }
    let container = workload.container(&change.container).map(|(_, container)| container);
    if container.is_some_and(|container| container.liveness_probe.is_some() && container.startup_probe.is_none()) {
        warnings.push(
            "The container has a liveness probe and no startup probe: a start slowed by debug output may be ended by it."
                .to_owned(),
        );
    }
    warnings
}
