//! A session's life as `plan` decides it, in a small world that carries every action out. The operator may be killed before
//! and after each single write; whatever happens, the Deployment must be what it was.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};
use tlsdebug::diagnosis::report::{Certainty, Finding, HandshakeCounts, Peer, Report, Side, Verdict};
use tlsdebug::operator::capture::Captured;
use tlsdebug::operator::observe::stuck::StuckPod;
use tlsdebug::operator::observe::{self, ClonePod, DebugPod, DebugRevision, Observed, Remains, RevisionKind};
use tlsdebug::operator::plan::undo::Step;
use tlsdebug::operator::plan::{Action, FINALIZER, Plan, plan};
use tlsdebug::session::conditions::{self, ConditionType};
use tlsdebug::session::{Failure, Phase, TLSDebugSession};
use tlsdebug::workload::environment::ConfigMapKeys;
use tlsdebug::workload::record::RecordOwner;
use tlsdebug::workload::rollout::Standstill;
use tlsdebug::workload::{ANNOTATION, Workload};

struct World {
    now: Timestamp,
    session: Option<TLSDebugSession>,
    deployment: Option<Value>,
    /// Pods of the ReplicaSet whose template carries the flag; `None`: there is none.
    debug_replicas: Option<i32>,
    /// The session's clone.
    clone: Option<Pod>,
    captured: Captured,
    stuck: Option<StuckPod>,
    pods_become_ready: bool,
    /// What the operator may not read: the workload with it.
    unreadable: Option<String>,
    /// Pods and revisions may not be read; the workload may.
    pods_are_hidden: bool,
    /// Another session's record is on the workload, and that session is gone.
    is_left_behind: bool,
    /// The session of the other end, which goes from phase to phase with each look.
    peer: Option<TLSDebugSession>,
    /// Why the session of the other end fails instead.
    peer_fails: Option<&'static str>,
}

/// Where the operator is killed.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kill {
    BeforeWrite,
    BeforeReport,
}

impl World {
    fn new(spec: &Value) -> Self {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut session: TLSDebugSession = serde_json::from_value(json!({
            "apiVersion": "tlsdebug.io/v1alpha1", "kind": "TLSDebugSession",
            "metadata": {"name": "s", "namespace": "demo", "uid": "s-1", "generation": 1}, "spec": spec
        }))
        .unwrap();
        session.metadata.creation_timestamp = Some(Time(now));
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {
                "name": "orders", "namespace": "demo", "uid": "d-1", "generation": 1, "resourceVersion": "1",
                "annotations": {"team": "payments"},
            },
            "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "orders"}}, "template": {"spec": {"containers": [
                {"name": "msr", "env": [{"name": "JAVA_CUSTOM_OPTS", "value": "-Da=1"}]}]}}},
            "status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}
        });
        Self {
            now,
            session: Some(session),
            deployment: Some(deployment),
            debug_replicas: None,
            clone: None,
            captured: Captured::default(),
            stuck: None,
            pods_become_ready: true,
            unreadable: None,
            pods_are_hidden: false,
            is_left_behind: false,
            peer: None,
            peer_fails: None,
        }
    }

    fn workload(&self) -> Option<Workload> {
        let deployment = self.deployment.clone().filter(|_| self.unreadable.is_none())?;
        Some(Workload::from(
            serde_json::from_value::<Deployment>(deployment).unwrap(),
        ))
    }

    fn observe(&self) -> Observed {
        let session = self.session.clone().unwrap();
        let workload = self.workload();
        let is_visible = workload
            .as_ref()
            .is_some_and(|workload| observe::change(&session, workload).is_some());
        let is_visible = is_visible && !self.pods_are_hidden;
        let replicas = self.debug_replicas.filter(|_| is_visible);
        let hidden = self.pods_are_hidden.then(|| REFUSAL.to_owned());
        Observed {
            owner: RecordOwner::Operator,
            is_guarded: true,
            session,
            workload,
            config_maps: ConfigMapKeys::new(),
            service_selectors: Vec::new(),
            clone: self.clone.as_ref().map(|clone| self.seen(clone)),
            remains: Remains {
                revisions: replicas.into_iter().map(replica_set).collect(),
                pods: (self.clone.is_some() || replicas.is_some_and(|count| count > 0))
                    .then(|| self.pod())
                    .into_iter()
                    .collect(),
            },
            unreadable: self.unreadable.clone().or(hidden),
            is_left_behind: self.is_left_behind,
            stuck: self.stuck.clone(),
            captured: self.captured.clone(),
            peer: self.peer.clone(),
        }
    }

    fn pod(&self) -> DebugPod {
        DebugPod {
            name: "orders-debug".into(),
            uid: "p-1".into(),
            resource_version: "1".into(),
            ready: self.pods_become_ready,
            created: None,
            terminating: false,
            restarts: Some(0),
            waiting: (!self.pods_become_ready).then(|| "ImagePullBackOff".to_owned()),
        }
    }

    fn seen(&self, clone: &Pod) -> ClonePod {
        ClonePod {
            record: serde_json::from_str(&clone.metadata.annotations.as_ref().unwrap()[ANNOTATION]).unwrap(),
            pod: self.pod(),
            ended: None,
        }
    }

    fn write(&mut self, action: &Action) {
        match action {
            Action::None => {}
            Action::AddFinalizer => self.session.as_mut().unwrap().metadata.finalizers = Some(vec![FINALIZER.into()]),
            Action::RemoveFinalizer | Action::DeleteSession => self.session = None,
            Action::Inject(patch) | Action::Undo(Step::Restore(patch)) => {
                let deployment = self.deployment.as_mut().unwrap();
                json_patch::patch(deployment, patch).expect("its preconditions hold");
                let generation = json!(deployment["metadata"]["generation"].as_i64().unwrap() + 1);
                deployment["metadata"]["generation"] = generation.clone();
                deployment["status"]["observedGeneration"] = generation;
                self.debug_replicas = Some(i32::from(matches!(action, Action::Inject(_))));
            }
            Action::Undo(Step::GiveOwnershipBack { managed_fields, .. }) => {
                self.deployment.as_mut().unwrap()["metadata"]["managedFields"] = json!(managed_fields);
            }
            Action::CreateClone(pod) => {
                assert!(self.clone.is_none(), "a second clone");
                self.clone = Some(*pod.clone());
            }
            Action::CreatePeer(peer) => {
                assert!(self.peer.is_none(), "a second session of the other end");
                let mut peer = *peer.clone();
                peer.metadata.uid = Some("s-2".into());
                self.peer = Some(peer);
            }
            Action::StopPeer => self.peer.as_mut().unwrap().spec.stop = true,
            Action::Undo(Step::DeletePod(_)) => assert!(self.clone.take().is_some()),
            Action::Undo(Step::UnmarkRevision(_)) => {
                unreachable!("no revision of the owner's bears the record here")
            }
            Action::Undo(Step::DeleteRevision(revision)) => {
                assert_eq!(revision.replicas, 0);
                self.debug_replicas = None;
            }
        }
    }

    /// What the operator does to the other end meanwhile.
    fn advance_peer(&mut self) {
        let Some(peer) = &mut self.peer else { return };
        let status = peer.status.get_or_insert_default();
        status.phase = match status.phase {
            Phase::Pending if peer.spec.stop => Phase::Completed,
            Phase::Pending if self.peer_fails.is_some() => Phase::Failed,
            Phase::Pending => Phase::Injecting,
            Phase::Injecting | Phase::Capturing if peer.spec.stop => Phase::Restoring,
            Phase::Injecting | Phase::Capturing => Phase::Capturing,
            Phase::Restoring | Phase::Completed => Phase::Completed,
            Phase::Failed => Phase::Failed,
        };
        status.failure = self
            .peer_fails
            .filter(|_| status.phase == Phase::Failed)
            .map(|reason| Failure {
                reason: reason.to_owned(),
                message: format!("{reason} it is."),
            });
    }

    /// One look of the operator, killed where asked.
    fn look(&mut self, kill: Option<Kill>) -> Plan {
        self.advance_peer();
        let plan = plan(&self.observe(), self.now);
        if kill != Some(Kill::BeforeWrite) {
            self.write(&plan.action);
            if kill.is_none()
                && let Some(session) = &mut self.session
            {
                session.status = Some(plan.status.clone());
            }
        }
        if kill.is_some() {
            // The streams end with the operator; the next one reads again from the start.
            self.captured.pods.clear();
        }
        plan
    }

    /// Looks until the session has ended; time passes as the plans ask. Returns the number of looks.
    fn run(&mut self, kill: Option<(usize, Kill)>) -> usize {
        for look in 0..200 {
            let Some(session) = &self.session else { return look };
            let is_deleted = session.metadata.deletion_timestamp.is_some();
            if !is_deleted && self.phase().is_finished() {
                return look;
            }
            let killed = kill.filter(|(at, _)| *at == look).map(|(_, kill)| kill);
            let plan = self.look(killed);
            self.now += SignedDuration::try_from(plan.look_again).unwrap();
        }
        panic!("the session does not end: {:#?}", self.session.as_ref().unwrap().status);
    }

    /// Looks until the session has reached `phase`.
    fn run_to(&mut self, phase: Phase) {
        for _ in 0..50 {
            if self.phase() == phase {
                return;
            }
            self.look(None);
        }
        panic!("never {phase:?}: {:?}", self.phase());
    }

    fn phase(&self) -> Phase {
        self.session
            .as_ref()
            .unwrap()
            .status
            .as_ref()
            .map(|status| status.phase)
            .unwrap_or_default()
    }

    fn reason(&self) -> String {
        let status = self.session.as_ref().unwrap().status.as_ref().unwrap();
        status
            .failure
            .as_ref()
            .map(|failure| failure.reason.clone())
            .unwrap_or_default()
    }

    fn assert_restored(&self, context: &str) {
        let before = World::new(&spec()).deployment.unwrap();
        let after = self.deployment.as_ref().unwrap();
        assert_eq!(after["spec"], before["spec"], "{context}");
        assert_eq!(
            after["metadata"]["annotations"], before["metadata"]["annotations"],
            "{context}"
        );
        assert_eq!(
            self.debug_replicas, None,
            "{context}: a revision leads back to the flag"
        );
    }
}

/// A session on both ends.
fn both_ends() -> Value {
    json!({"target": spec()["target"], "peer": {"kind": "Deployment", "name": "bank"}, "duration": "10m"})
}

fn replica_set(replicas: i32) -> DebugRevision {
    DebugRevision {
        kind: RevisionKind::ReplicaSet,
        name: "orders-debug".into(),
        uid: "r-1".into(),
        resource_version: "1".into(),
        replicas,
        serves_nobody: replicas == 0,
        carries_flag: true,
    }
}

fn spec() -> Value {
    json!({"target": {"kind": "Deployment", "name": "orders"}, "duration": "10m"})
}

fn failure() -> Captured {
    let finding = Finding {
        cause: "MissingIntermediate".into(),
        certainty: Certainty::Likely,
        side: Side::Client,
        peer: Peer {
            server_name: Some("bank.example".into()),
            certificate_subject: None,
        },
        count: 1,
        other_end: None,
        summary: "bank.example sent only its leaf".into(),
        explanation: String::new(),
        remedies: vec![],
        evidence: vec![],
        first_seen: None,
        last_seen: None,
        threads: vec![],
    };
    let handshakes = HandshakeCounts {
        total: 1,
        succeeded: 0,
        failed: 1,
        incomplete: 0,
    };
    Captured {
        report: Some(Report {
            verdict: Verdict::FailuresFound,
            handshakes,
            findings: vec![finding],
            warnings: vec![],
        }),
        debug_records: 10,
        ..Captured::default()
    }
}

#[test]
fn expires_after_its_duration_and_restores() {
    let mut world = World::new(&spec());
    let start = world.now;
    world.run(None);
    assert_eq!(world.phase(), Phase::Completed);
    assert_eq!(world.now.duration_since(start), SignedDuration::from_mins(10));
    world.assert_restored("expired");
}

#[test]
fn killed_at_any_write_the_workload_is_restored() {
    let looks = World::new(&spec()).run(None);
    assert!(looks > 8, "the life has {looks} looks");
    for look in 0..looks {
        for kill in [Kill::BeforeWrite, Kill::BeforeReport] {
            let mut world = World::new(&spec());
            world.run(Some((look, kill)));
            assert_eq!(world.phase(), Phase::Completed, "killed at look {look}, {kill:?}");
            world.assert_restored(&format!("killed at look {look}, {kill:?}"));
        }
    }
}

fn cloning() -> Value {
    json!({"target": {"kind": "Deployment", "name": "orders"}, "strategy": "Clone", "duration": "10m"})
}

#[test]
fn killed_at_any_write_the_clone_goes_and_the_workload_was_never_touched() {
    let looks = World::new(&cloning()).run(None);
    assert!(looks > 6, "the life has {looks} looks");
    for look in 0..looks {
        for kill in [Kill::BeforeWrite, Kill::BeforeReport] {
            let mut world = World::new(&cloning());
            world.run(Some((look, kill)));
            let context = format!("killed at look {look}, {kill:?}");
            assert_eq!(world.phase(), Phase::Completed, "{context}");
            assert_eq!(world.clone, None, "{context}");
            assert_eq!(world.deployment, World::new(&cloning()).deployment, "{context}");
        }
    }
}

#[test]
fn a_clone_that_is_gone_or_has_ended_ends_the_session() {
    let mut world = World::new(&cloning());
    world.run_to(Phase::Capturing);
    world.clone = None;
    world.run(None);
    assert_eq!((world.phase(), world.reason().as_str()), (Phase::Failed, "CloneGone"));

    let mut world = World::new(&cloning());
    world.run_to(Phase::Capturing);
    let mut observed = world.observe();
    observed.clone.as_mut().unwrap().ended = Some("DeadlineExceeded".into());
    let failure = plan(&observed, world.now).status.failure.unwrap();
    assert_eq!(failure.reason, "CloneEnded");
    assert!(failure.message.contains("DeadlineExceeded"), "{}", failure.message);
}

/// A StatefulSet in order keeps a pod that is not ready for ever; a Deployment and a DaemonSet replace it.
#[test]
fn a_pod_that_stops_a_rollout_in_order_is_deleted_as_it_was_seen() {
    let mut world = World::new(&spec());
    world.pods_become_ready = false;
    world.run_to(Phase::Injecting);
    world.session.as_mut().unwrap().spec.stop = true;
    while world.workload().unwrap().record().is_some() {
        world.look(None);
    }
    world.debug_replicas = Some(1);
    let mut ordered = world.observe();
    ordered.workload.as_mut().unwrap().rollout.ordered = true;
    assert_eq!(
        plan(&ordered, world.now).action,
        Action::Undo(Step::DeletePod(world.pod()))
    );
    ordered.remains.pods[0].ready = true;
    assert_eq!(
        plan(&ordered, world.now).action,
        Action::None,
        "one that is ready is replaced by its controller"
    );
    ordered.remains.pods[0].ready = false;
    ordered.workload.as_mut().unwrap().rollout.standstill = Some(Standstill::OnDelete);
    assert_eq!(
        plan(&ordered, world.now).action,
        Action::None,
        "nothing would take its place"
    );
}

#[test]
fn deleted_in_any_phase_the_workload_is_restored_before_the_session_goes() {
    for phase in [Phase::Pending, Phase::Injecting, Phase::Capturing, Phase::Restoring] {
        let mut world = World::new(&spec());
        world.pods_become_ready = phase != Phase::Injecting;
        world.run_to(if phase == Phase::Restoring {
            Phase::Capturing
        } else {
            phase
        });
        if phase == Phase::Restoring {
            world.now += SignedDuration::from_hours(1);
            world.run_to(Phase::Restoring);
        }
        let now = world.now;
        world.session.as_mut().unwrap().metadata.deletion_timestamp = Some(Time(now));
        if phase == Phase::Pending {
            // Nothing keeps a session that has no finalizer yet.
            assert_eq!(plan(&world.observe(), now).action, Action::None);
            continue;
        }
        world.run(None);
        assert!(world.session.is_none(), "deleted in {phase:?}");
        world.assert_restored(&format!("deleted in {phase:?}"));
    }
}

#[test]
fn stop_ends_it_at_once() {
    let mut world = World::new(&spec());
    world.run_to(Phase::Capturing);
    let start = world.now;
    world.session.as_mut().unwrap().spec.stop = true;
    world.run(None);
    assert_eq!((world.phase(), world.now), (Phase::Completed, start));
    world.assert_restored("stopped");
}

#[test]
fn first_failure_ends_it_and_the_cause_stays() {
    let mut world = World::new(&json!({"target": spec()["target"], "stopWhen": "FirstFailure"}));
    world.run_to(Phase::Capturing);
    world.captured = failure();
    world.run(None);
    let status = world.session.as_ref().unwrap().status.clone().unwrap();
    assert_eq!(status.phase, Phase::Completed);
    assert_eq!(status.cause.as_deref(), Some("MissingIntermediate"));
    assert_eq!(status.summary.as_deref(), Some("bank.example sent only its leaf"));
    world.assert_restored("first failure");
}

#[test]
fn a_failure_with_another_peer_does_not_end_it() {
    let spec =
        json!({"target": spec()["target"], "stopWhen": "FirstFailure", "match": {"serverNames": ["*.other.example"]}});
    let mut world = World::new(&spec);
    world.run_to(Phase::Capturing);
    world.captured = failure();
    world.look(None);
    let status = world.session.as_ref().unwrap().status.clone().unwrap();
    assert_eq!((status.phase, status.cause), (Phase::Capturing, None));
    assert_eq!(status.handshakes.unwrap().failed, 1);
    let summary = "1 handshake failed, not with a peer of spec.match (seen: bank.example).";
    assert_eq!(status.summary.as_deref(), Some(summary));
    world.session.as_mut().unwrap().spec.stop = true;
    world.run(None);
    let status = world.session.as_ref().unwrap().status.clone().unwrap();
    assert_eq!(
        (status.phase, status.summary.as_deref()),
        (Phase::Completed, Some(summary))
    );
    let diagnosed = status.conditions.iter().find(|one| one.type_ == "Diagnosed").unwrap();
    assert_eq!(diagnosed.reason, "NoMatch");
    assert!(
        !diagnosed.message.contains(|letter: char| letter.is_ascii_digit()),
        "a counter in a condition: {}",
        diagnosed.message
    );
}

#[test]
fn what_is_matched_decides_though_more_certain_failures_are_many() {
    let spec = json!({"target": spec()["target"], "match": {"serverNames": ["bank.example"]}});
    let mut world = World::new(&spec);
    world.run_to(Phase::Capturing);
    world.captured = failure();
    let report = world.captured.report.as_mut().unwrap();
    let matched = report.findings.remove(0);
    report.findings = (0..30)
        .map(|other| Finding {
            certainty: Certainty::Proven,
            peer: Peer {
                server_name: Some(format!("metering-{other}.example")),
                certificate_subject: None,
            },
            ..matched.clone()
        })
        .chain([matched.clone()])
        .collect();
    world.look(None);
    let status = world.session.as_ref().unwrap().status.clone().unwrap();
    assert_eq!(status.cause.as_deref(), Some("MissingIntermediate"));
    assert_eq!((status.findings.len(), &status.findings[0].peer), (20, &matched.peer));
}

#[test]
fn the_row_of_a_session_that_ended_early_says_why_and_has_no_deadline() {
    let mut world = World::new(&spec());
    world.run_to(Phase::Capturing);
    assert!(
        world
            .session
            .as_ref()
            .unwrap()
            .status
            .as_ref()
            .unwrap()
            .expires_at
            .is_some()
    );
    world.captured = Captured {
        key_material_seen: true,
        ..failure()
    };
    world.run(None);
    let status = world.session.as_ref().unwrap().status.clone().unwrap();
    assert_eq!((status.phase, status.expires_at), (Phase::Failed, None));
    assert_eq!(
        (status.cause.as_deref(), status.summary.as_deref()),
        (
            Some("MissingIntermediate"),
            Some("bank.example sent only its leaf (ended early: KeyMaterialInLog)")
        )
    );
}

#[test]
fn what_a_session_could_not_read_is_said() {
    let mut world = World::new(&spec());
    world.run_to(Phase::Capturing);
    world.captured = Captured {
        limit_reached: true,
        falling_behind: ["orders-1".to_owned()].into(),
        ..failure()
    };
    for _ in 0..2 {
        world.look(None);
        let warnings = world.session.as_ref().unwrap().status.clone().unwrap().warnings;
        let said = |text: &str| warnings.iter().filter(|warning| warning.contains(text)).count();
        assert_eq!(said("Reading stopped at spec.maxLogBytes"), 1, "{warnings:?}");
        assert_eq!(said("The log of pod orders-1 is written faster"), 1, "{warnings:?}");
    }
}

#[test]
fn a_rollout_that_does_not_get_on_is_told_by_its_pod() {
    let mut world = World::new(&json!({"target": spec()["target"], "progressDeadline": "2m"}));
    world.deployment.as_mut().unwrap()["status"]["updatedReplicas"] = json!(0);
    world.stuck = Some(StuckPod {
        name: "orders-1".into(),
        container: Some("msr".into()),
        reason: "CrashLoopBackOff".into(),
    });
    world.look(None);
    world.look(None);
    let summary = |world: &World| world.session.as_ref().unwrap().status.clone().unwrap().summary.unwrap();
    assert_eq!(
        summary(&world),
        "Deployment \"orders\" is in the middle of a rollout. Container \"msr\" of pod orders-1 ends again and again \
         (CrashLoopBackOff): see why with kubectl logs -n demo orders-1 -c msr --previous. Mend it or take it back (kubectl \
         rollout undo -n demo deployment/orders); the session waits for this to pass, until spec.progressDeadline is \
         over."
    );
    world.run(None);
    assert_eq!(
        (world.phase(), world.reason().as_str()),
        (Phase::Failed, "ProgressDeadlineExceeded")
    );
    assert_eq!(
        summary(&world),
        "The change could not be made within spec.progressDeadline. Deployment \"orders\" is in the middle of a rollout. \
         Container \"msr\" of pod orders-1 ends again and again (CrashLoopBackOff): see why with kubectl logs -n demo \
         orders-1 -c msr --previous. Nothing was changed."
    );
}

#[test]
fn what_can_never_be_done_is_said_before_what_may_pass() {
    let source = json!({"configMapKeyRef": {"name": "settings", "key": "options", "optional": true}});
    let impossible = json!([{"name": "JAVA_CUSTOM_OPTS", "valueFrom": source}]);
    let states = [
        json!({"spec": {"paused": true}}),
        json!({"spec": {"replicas": 0}}),
        json!({"status": {"updatedReplicas": 0}}),
    ];
    for state in states {
        for (reason, target, environment) in [
            ("VariableIsOptional", json!({}), impossible.clone()),
            ("ContainerNotFound", json!({"container": "other"}), json!([])),
        ] {
            let mut spec = spec();
            json_patch::merge(&mut spec["target"], &target);
            let mut world = World::new(&spec);
            let deployment = world.deployment.as_mut().unwrap();
            json_patch::merge(deployment, &state);
            deployment["spec"]["template"]["spec"]["containers"][0]["env"] = environment;
            world.look(None);
            world.look(None);
            assert_eq!(
                (world.phase(), world.reason().as_str()),
                (Phase::Failed, reason),
                "{state}"
            );
        }
    }
}

#[test]
fn restored_by_hand_is_no_drift() {
    let mut world = World::new(&spec());
    world.run_to(Phase::Capturing);
    let deployment = world.deployment.as_mut().unwrap();
    deployment["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] = json!("-Da=1");
    let annotations = deployment["metadata"]["annotations"].as_object_mut().unwrap();
    annotations.remove(ANNOTATION).expect("the record");
    world.debug_replicas = Some(0);
    world.run(None);
    assert_eq!(
        (world.phase(), world.reason().as_str()),
        (Phase::Failed, "RestoredByHand")
    );
    let status = world.session.as_ref().unwrap().status.clone().unwrap();
    assert_eq!(status.cause.as_deref(), Some("RestoredByHand"));
    world.assert_restored("by hand");
}

#[test]
fn pods_that_never_become_ready_end_it_after_the_progress_deadline() {
    let mut world = World::new(&json!({"target": spec()["target"], "progressDeadline": "2m"}));
    world.pods_become_ready = false;
    let start = world.now;
    world.run(None);
    assert_eq!(
        (world.phase(), world.reason().as_str()),
        (Phase::Failed, "ProgressDeadlineExceeded")
    );
    assert_eq!(world.now.duration_since(start), SignedDuration::from_mins(2));
    world.assert_restored("never ready");
}

#[test]
fn key_material_ends_it_unless_allowed() {
    for (allowed, expected) in [(false, Phase::Failed), (true, Phase::Completed)] {
        let mut world = World::new(&json!({"target": spec()["target"], "allowKeyMaterial": allowed}));
        world.run_to(Phase::Capturing);
        world.captured = Captured {
            key_material_seen: true,
            ..failure()
        };
        world.run(None);
        assert_eq!(world.phase(), expected);
        world.assert_restored("key material");
    }
}

#[test]
fn somebody_takes_the_flag_out() {
    let mut world = World::new(&spec());
    world.run_to(Phase::Capturing);
    let deployment = world.deployment.as_mut().unwrap();
    deployment["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] = json!("-Da=1");
    deployment["metadata"]["managedFields"] = json!([{
        "manager": "argocd-controller", "operation": "Apply", "apiVersion": "apps/v1", "fieldsType": "FieldsV1", "fieldsV1": {},
        "time": world.now.to_string()
    }]);
    world.debug_replicas = Some(0);
    world.run(None);
    let status = world.session.as_ref().unwrap().status.clone().unwrap();
    assert_eq!(
        (world.phase(), world.reason().as_str()),
        (Phase::Failed, "DriftReverted")
    );
    assert!(status.failure.unwrap().message.contains("argocd-controller"));
    world.assert_restored("reverted");
}

#[test]
fn somebody_takes_the_record_out_and_leaves_the_flag() {
    let mut world = World::new(&spec());
    world.run_to(Phase::Capturing);
    world.deployment.as_mut().unwrap()["metadata"]["annotations"]
        .as_object_mut()
        .unwrap()
        .remove(ANNOTATION);
    world.run(None);
    world.assert_restored("the status remembers what was changed");
}

#[test]
fn the_workload_is_deleted_or_created_anew() {
    for anew in [false, true] {
        let mut world = World::new(&spec());
        world.run_to(Phase::Capturing);
        world.debug_replicas = None;
        world.deployment = anew.then(|| {
            let mut deployment = World::new(&spec()).deployment.unwrap();
            deployment["metadata"]["uid"] = json!("d-2");
            deployment
        });
        world.run(None);
        assert_eq!((world.phase(), world.reason().as_str()), (Phase::Failed, "TargetGone"));
    }
}

#[test]
fn a_clock_that_steps_never_keeps_the_flag_in() {
    for step in [SignedDuration::from_hours(-2), SignedDuration::from_hours(2)] {
        let mut world = World::new(&spec());
        world.run_to(Phase::Capturing);
        world.now += step;
        world.run(None);
        world.assert_restored("the clock stepped");
    }
}

#[test]
fn an_ended_session_lets_go_of_itself_and_does_nothing_more() {
    let mut world = World::new(&spec());
    world.run(None);
    assert_eq!(plan(&world.observe(), world.now).action, Action::RemoveFinalizer);
    world.session.as_mut().unwrap().metadata.finalizers = None;
    let plan = plan(&world.observe(), world.now);
    assert_eq!(plan.action, Action::None);
    assert_eq!(Some(&plan.status), world.session.as_ref().unwrap().status.as_ref());
    assert!(!plan.capture && !plan.watch);
}

#[test]
fn a_flag_that_the_owner_had_set_stays() {
    let value = json!("-Da=1 -Djavax.net.debug=ssl,handshake");
    let mut world = World::new(&spec());
    let own = |world: &mut World, value: &Value| {
        let deployment = world.deployment.as_mut().unwrap();
        deployment["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] = value.clone();
    };
    own(&mut world, &value);
    world.run(None);
    assert_eq!(world.phase(), Phase::Completed);
    let deployment = world.deployment.as_ref().unwrap();
    let left = &deployment["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"];
    assert_eq!(*left, value);
    assert_eq!(deployment["metadata"]["generation"], 3, "one edit there, one back");
}

#[test]
fn nothing_is_touched_before_the_status_could_be_written() {
    let mut world = World::new(&spec());
    for _ in 0..10 {
        let plan = plan(&world.observe(), world.now);
        world.write(&plan.action);
    }
    assert_eq!(world.deployment, World::new(&spec()).deployment);
}

const REFUSAL: &str = "pods is forbidden: User \"tlsdebug\" cannot list resource \"pods\"";

#[test]
fn what_cannot_be_read_ends_a_session_that_has_not_begun_after_the_progress_deadline() {
    let mut world = World::new(&json!({"target": spec()["target"], "progressDeadline": "2m"}));
    world.unreadable = Some(REFUSAL.to_owned());
    let start = world.now;
    world.run(None);
    assert_eq!(
        (world.phase(), world.reason().as_str()),
        (Phase::Failed, "ProgressDeadlineExceeded")
    );
    assert_eq!(world.now.duration_since(start), SignedDuration::from_mins(2));
    let status = world.session.as_ref().unwrap().status.clone().unwrap();
    let message = status.failure.unwrap().message;
    for part in [REFUSAL, "helm upgrade", "Deployment \"orders\""] {
        assert!(message.contains(part), "{part:?} is not in: {message}");
    }
    assert_eq!(world.deployment, World::new(&spec()).deployment);
}

#[test]
fn what_cannot_be_read_is_not_taken_for_gone() {
    for phase in [Phase::Injecting, Phase::Capturing] {
        let mut world = World::new(&spec());
        world.pods_become_ready = phase == Phase::Capturing;
        world.run_to(phase);
        world.unreadable = Some(REFUSAL.to_owned());
        // Its time passes all the same; it cannot be over before the workload is what it was.
        for _ in 0..200 {
            let plan = world.look(None);
            world.now += SignedDuration::try_from(plan.look_again).unwrap();
        }
        assert_eq!(world.phase(), Phase::Restoring);
        world.unreadable = None;
        world.run(None);
        assert!(world.phase().is_finished());
        world.assert_restored("readable again");
    }
}

#[test]
fn a_session_that_was_deleted_is_not_let_go_while_its_workload_cannot_be_read() {
    let mut world = World::new(&spec());
    world.run_to(Phase::Capturing);
    world.unreadable = Some(REFUSAL.to_owned());
    world.session.as_mut().unwrap().metadata.deletion_timestamp = Some(Time(world.now));
    for _ in 0..10 {
        world.look(None);
    }
    assert!(world.session.is_some());
    world.unreadable = None;
    world.run(None);
    assert!(world.session.is_none());
    world.assert_restored("readable again");
}

#[test]
fn a_change_that_was_made_is_gone_on_with_though_its_pods_cannot_be_seen() {
    let mut world = World::new(&spec());
    while world.workload().unwrap().record().is_none() {
        world.look(None);
    }
    assert_eq!(world.phase(), Phase::Pending, "the change is not reported yet");
    world.pods_are_hidden = true;
    world.look(None);
    let status = world.session.as_ref().unwrap().status.clone().unwrap();
    assert_eq!(status.phase, Phase::Injecting);
    assert!(status.restore_command.is_some());
    world.session.as_mut().unwrap().spec.stop = true;
    for _ in 0..5 {
        world.look(None);
    }
    assert_eq!(
        world.phase(),
        Phase::Restoring,
        "not over before it is known that no pod is left"
    );
    assert_eq!(
        world.deployment.as_ref().unwrap()["spec"],
        World::new(&spec()).deployment.unwrap()["spec"]
    );
    world.pods_are_hidden = false;
    world.run(None);
    world.assert_restored("readable again");
}

#[test]
fn nothing_is_begun_that_could_not_be_watched_over() {
    let mut world = World::new(&spec());
    world.pods_are_hidden = true;
    for _ in 0..5 {
        world.look(None);
    }
    assert_eq!(world.deployment, World::new(&spec()).deployment);
    world.session.as_mut().unwrap().spec.stop = true;
    world.run(None);
    assert_eq!(world.phase(), Phase::Completed);
}

#[test]
fn a_refused_change_is_tried_again_without_another_answer_in_between() {
    let mut world = World::new(&spec());
    while !matches!(plan(&world.observe(), world.now).action, Action::Inject(_)) {
        world.look(None);
    }
    let mut status = world.session.as_ref().unwrap().status.clone().unwrap();
    conditions::set(
        &mut status.conditions,
        ConditionType::Accepted,
        false,
        "Forbidden",
        "The operator may not write Deployment \"orders\".",
        Some(1),
        world.now,
    );
    world.session.as_mut().unwrap().status = Some(status);
    assert!(matches!(plan(&world.observe(), world.now).action, Action::Inject(_)));
}

#[test]
fn what_was_restored_after_the_deadline_has_expired() {
    let mut world = World::new(&spec());
    world.run_to(Phase::Capturing);
    // The status could not be written for an hour, and a sweep has taken the flag and its record out.
    world.now += SignedDuration::from_hours(1);
    world.deployment = World::new(&spec()).deployment;
    world.debug_replicas = None;
    world.run(None);
    assert_eq!((world.phase(), world.reason().as_str()), (Phase::Completed, ""));
}

#[test]
fn a_failure_that_goes_on_after_all_does_not_end_the_session() {
    let mut world = World::new(&json!({"target": spec()["target"], "duration": "10m", "stopWhen": "FirstFailure"}));
    world.run_to(Phase::Capturing);
    world.captured = failure();
    world.look(None);
    let status = |world: &World| world.session.as_ref().unwrap().status.clone().unwrap();
    assert_eq!(status(&world).cause.as_deref(), Some("MissingIntermediate"));
    let report = world.captured.report.as_mut().unwrap();
    report.findings.clear();
    report.verdict = Verdict::AllSucceeded;
    report.handshakes = HandshakeCounts {
        total: 1,
        succeeded: 1,
        failed: 0,
        incomplete: 0,
    };
    world.now += SignedDuration::from_secs(10);
    world.look(None);
    assert_eq!((status(&world).phase, status(&world).cause), (Phase::Capturing, None));
    assert!(!conditions::is_true(
        &status(&world).conditions,
        ConditionType::Diagnosed
    ));
    world.run(None);
    assert_eq!(status(&world).verdict, Some(Verdict::AllSucceeded));
    world.assert_restored("expired");
}

#[test]
fn what_a_session_that_is_gone_has_left_is_waited_for() {
    let mut world = World::new(&spec());
    let mut other = World::new(&spec());
    other.session.as_mut().unwrap().metadata.uid = Some("s-0".to_owned());
    while other.workload().unwrap().record().is_none() {
        other.look(None);
    }
    let before = world.deployment.take();
    world.deployment = other.deployment.take();
    world.is_left_behind = true;
    for _ in 0..3 {
        world.look(None);
    }
    assert_eq!(world.phase(), Phase::Pending);
    // The sweep has come.
    world.deployment = before;
    world.is_left_behind = false;
    world.run_to(Phase::Capturing);
}

#[test]
fn a_failure_that_takes_the_place_of_another_stands_its_own_time() {
    let mut world = World::new(&json!({"target": spec()["target"], "duration": "10m", "stopWhen": "FirstFailure"}));
    world.run_to(Phase::Capturing);
    world.captured = failure();
    world.look(None);
    world.now += SignedDuration::from_secs(2);
    let finding = &mut world.captured.report.as_mut().unwrap().findings[0];
    finding.cause = "HandshakeTimeout".into();
    world.look(None);
    assert_eq!(world.phase(), Phase::Capturing);
    let plan = world.look(None);
    world.now += SignedDuration::try_from(plan.look_again).unwrap();
    world.look(None);
    assert_eq!(world.phase(), Phase::Restoring);
}

#[test]
fn the_other_end_begins_first_and_both_are_over_in_the_end() {
    let mut world = World::new(&both_ends());
    world.run_to(Phase::Injecting);
    let peer = world.peer.clone().unwrap();
    assert!(
        peer.status.unwrap().phase >= Phase::Injecting,
        "it carries the flag already"
    );
    assert_eq!(peer.metadata.name.as_deref(), Some("s-peer"));
    world.run(None);
    assert_eq!((world.phase(), world.reason()), (Phase::Completed, String::new()));
    assert_eq!(
        world.peer.as_ref().unwrap().status.as_ref().unwrap().phase,
        Phase::Completed
    );
    world.assert_restored("both ends");
}

#[test]
fn killed_at_any_write_both_ends_are_over() {
    let looks = World::new(&both_ends()).run(None);
    for kill in [Kill::BeforeWrite, Kill::BeforeReport] {
        for at in 0..looks {
            let mut world = World::new(&both_ends());
            world.run(Some((at, kill)));
            assert_eq!(world.phase(), Phase::Completed, "killed {kill:?} at look {at}");
            let peer = world.peer.as_ref().unwrap().status.as_ref().unwrap().phase;
            assert_eq!(peer, Phase::Completed, "killed {kill:?} at look {at}");
            world.assert_restored(&format!("killed {kill:?} at look {at}"));
        }
    }
}

#[test]
fn a_refused_other_end_leaves_the_target_untouched() {
    let mut world = World::new(&both_ends());
    world.peer_fails = Some("TargetNotFound");
    world.run(None);
    assert_eq!(world.reason(), "PeerRefused");
    assert_eq!(world.deployment, World::new(&both_ends()).deployment);
}

#[test]
fn an_other_end_that_fails_or_goes_ends_the_session() {
    for is_deleted in [false, true] {
        let mut world = World::new(&both_ends());
        world.run_to(Phase::Capturing);
        if is_deleted {
            world.peer = None;
        } else {
            world.peer_fails = Some("DriftReverted");
            let status = world.peer.as_mut().unwrap().status.as_mut().unwrap();
            status.phase = Phase::Failed;
        }
        world.run(None);
        assert_eq!((world.phase(), world.reason().as_str()), (Phase::Failed, "PeerEnded"));
        world.assert_restored("the other end has ended");
    }
}

#[test]
fn deleted_in_any_phase_both_ends_are_over() {
    for phase in [Phase::Pending, Phase::Injecting, Phase::Capturing, Phase::Restoring] {
        let mut world = World::new(&both_ends());
        world.run_to(phase.min(Phase::Capturing));
        world.session.as_mut().unwrap().spec.stop = phase == Phase::Restoring;
        world.run_to(phase);
        while phase == Phase::Pending && world.peer.is_none() {
            world.look(None);
        }
        world.session.as_mut().unwrap().metadata.deletion_timestamp = Some(Time(world.now));
        world.run(None);
        assert!(world.session.is_none());
        assert_eq!(
            world.peer.as_ref().unwrap().status.as_ref().unwrap().phase,
            Phase::Completed
        );
        world.assert_restored(&format!("deleted while {phase:?}"));
    }
}
