//! Adding the flag: one JSON Patch that edits the template and writes the record beside it.

use json_patch::Patch;
use serde_json::json;

use super::edit::Edit;
use super::environment::ConfigMapKeys;
use super::patch::Builder;
use super::record::{ANNOTATION, Record, RecordOwner, SessionReference};
use super::refusal::{self, Refusal};
use super::view::{TEMPLATE, Workload};

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
    /// What is known of the ConfigMaps that the container takes in.
    pub config_maps: &'a ConfigMapKeys,
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

/// Plans the change, or says why it is not made. Nothing is touched where it is refused.
pub fn plan(workload: &Workload, request: &Request<'_>) -> Result<Injection, Refusal> {
    refusal::unless_free(workload, &request.session.uid)?;
    refusal::unless_suited(workload)?;
    let edit = edit(workload, request)?;
    // Last: who mends what may pass shall not find out afterwards that the session was not possible at all.
    refusal::unless_rolling(workload)?;
    let record = record(request, &edit);
    let builder = Builder::default().test(&["metadata", "uid"], workload.uid()).test(
        &["metadata", "generation"],
        workload.metadata.generation.unwrap_or_default(),
    );
    let builder = edit.add_to(builder, &TEMPLATE);
    let text = record.text();
    let builder = if workload.metadata.annotations.is_some() {
        builder.add(&["metadata", "annotations", ANNOTATION], text)
    } else {
        // Somebody else's first annotation does not move the generation, and must not be lost.
        let version = workload.metadata.resource_version.clone().unwrap_or_default();
        builder
            .test(&["metadata", "resourceVersion"], version)
            .add(&["metadata", "annotations"], json!({ANNOTATION: text}))
    };
    Ok(Injection {
        patch: builder.build(),
        warnings: [edit.warnings(), warnings(workload, &record)].concat(),
        record,
    })
}

/// The edit of the container that the session means.
pub(super) fn edit(workload: &Workload, request: &Request<'_>) -> Result<Edit, Refusal> {
    let (place, container) = refusal::choose_container(workload, request.container)?;
    Edit::plan(
        workload,
        (place, container),
        request.variable,
        request.flag,
        request.config_maps,
    )
    .map_err(|obstacle| refusal::of_obstacle(workload, container, request.variable, &obstacle))
}

/// The record of an edit that the operator makes.
pub(super) fn record(request: &Request<'_>, edit: &Edit) -> Record {
    Record {
        session: request.session.clone(),
        owner: RecordOwner::Operator,
        deadline: request.deadline.clone(),
        change: edit.change.clone(),
    }
}

fn warnings(workload: &Workload, record: &Record) -> Vec<String> {
    use crate::session::TargetKind;
    let rollout = &workload.rollout;
    let mut warnings = Vec::new();
    if !rollout.is_complete() {
        warnings.push("Not all pods of the workload were available before the session changed anything.".to_owned());
    }
    if rollout.recreate {
        warnings
            .push("The Deployment's strategy is Recreate: all its pods stop before new ones start, twice.".to_owned());
    } else if workload.kind == TargetKind::DaemonSet && !rollout.surges {
        warnings
            .push("A DaemonSet without surge: every node is without its pod while it is replaced, twice.".to_owned());
    } else if rollout.desired_replicas == 1 && !rollout.surges {
        warnings
            .push("A single replica without surge: the service is down while the pod is replaced, twice.".to_owned());
    }
    if rollout.forgets {
        warnings.push(
            "revisionHistoryLimit is 0: the revision of before is deleted during the session, and an equal one is made \
             afterwards."
                .to_owned(),
        );
    }
    let container = workload.container(&record.change.container);
    if container.is_some_and(|(_, container)| container.liveness_probe.is_some() && container.startup_probe.is_none()) {
        warnings.push(
            "The container has a liveness probe and no startup probe: a start slowed by debug output may be ended by it."
                .to_owned(),
        );
    }
    if let Some(saved) = record.change.saved() {
        warnings.push(format!(
            "{} comes from elsewhere (valueFrom). While the session lasts, its entry is named {saved}, and whoever applies \
             the workload from its source is refused.",
            record.change.variable
        ));
    }
    warnings
}
