//! Every right of the operator is needed, and none is missing: each is taken away in turn from an operator that needs it,
//! and the API server's audit log tells what was asked for. `make faults` prints the table.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tlsdebug::session::{Phase, TargetKind};
use tlsdebug::workload::ANNOTATION;

use crate::support::audit::{Audit, Right, granted};
use crate::support::workloads::{deployment, literal, of_kind};
use crate::support::{Scenario, scenario, table};

/// A part of what the operator does: a whole session, of which the workload is what it was afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Deployment,
    StuckStatefulSet,
    DaemonSet,
    Clone,
    ConfigMap,
    Peer,
    /// The owner has taken the flag out and left the record, which is copied onto their own new revision.
    CopiedRecord(Kind),
    Lease,
}

/// A kind that keeps its revisions in one resource or the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Deployment,
    StatefulSet,
}

const PARTS: [Part; 9] = [
    Part::Deployment,
    Part::StuckStatefulSet,
    Part::DaemonSet,
    Part::Clone,
    Part::ConfigMap,
    Part::Peer,
    Part::CopiedRecord(Kind::Deployment),
    Part::CopiedRecord(Kind::StatefulSet),
    Part::Lease,
];

impl Part {
    fn kind(self) -> TargetKind {
        match self {
            Self::StuckStatefulSet | Self::CopiedRecord(Kind::StatefulSet) => TargetKind::StatefulSet,
            Self::DaemonSet => TargetKind::DaemonSet,
            _ => TargetKind::Deployment,
        }
    }

    fn manifest(self) -> Value {
        let environment = if self == Self::ConfigMap {
            Value::Null
        } else {
            literal()
        };
        let mut manifest = of_kind(self.kind(), deployment("orders", &environment));
        let container = &mut manifest["spec"]["template"]["spec"]["containers"][0];
        match self {
            Self::ConfigMap => container["envFrom"] = json!([{"configMapRef": {"name": "options"}}]),
            Self::StuckStatefulSet => {
                let only_without = "case \"$JAVA_CUSTOM_OPTS\" in *.debug=ssl*) exit 1;; esac";
                let probe = json!({"exec": {"command": ["sh", "-c", only_without]}, "periodSeconds": 1});
                container["readinessProbe"] = probe;
            }
            _ => {}
        }
        manifest
    }

    /// Starts the operator in the way that this part needs.
    fn start(self, scenario: &Scenario) {
        if self == Self::Lease {
            scenario.use_lease();
        }
        scenario.start_operator();
    }

    async fn run(self, scenario: &Scenario) {
        let kind = self.kind();
        let options = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "options"},
            "data": {"JAVA_CUSTOM_OPTS": "-Da=1"}
        });
        scenario.apply(&options);
        scenario.apply_as("integration-team", &self.manifest()).done();
        scenario.all_rolled_out(kind, "orders").await;
        let before = scenario.snapshot_of(kind, "orders").await;
        let mut spec = json!({"target": {"kind": kind.to_string()}, "ttlAfterFinished": "1s"});
        if self == Self::Clone {
            spec["strategy"] = json!("Clone");
        }
        if self == Self::Peer {
            scenario.deployed("bank", &literal()).await;
            spec["peer"] = json!({"kind": "Deployment", "name": "bank"});
        }
        scenario.create_session("session", "orders", &spec);
        if self == Self::StuckStatefulSet {
            scenario.reached("session", Phase::Injecting).await;
            scenario
                .eventually("a pod that is not ready", async || {
                    let pods = scenario.pods("orders").await;
                    let has_flag = |pod: &&k8s_openapi::api::core::v1::Pod| {
                        json!(pod.spec).to_string().contains("javax.net.debug")
                    };
                    pods.iter().find(has_flag).map(drop)
                })
                .await;
        } else {
            // A pod that is being read.
            scenario
                .status_with("session", "to read", |status| !status.pods.is_empty())
                .await;
        }
        if let Self::CopiedRecord(_) = self {
            self.edit_by_owner(scenario).await;
        } else {
            scenario.stop_session("session");
        }
        scenario.gone("session").await;
        if let Self::CopiedRecord(_) = self {
            scenario.assert_none_has_flag(kind, "orders").await;
        } else {
            scenario.assert_as_before("orders", &before).await;
        }
    }

    async fn edit_by_owner(self, scenario: &Scenario) {
        scenario.kill_operator();
        let workload = format!("{}/orders", self.kind()).to_lowercase();
        let edit = ["set", "env", &workload, "JAVA_CUSTOM_OPTS=-Da=1 -Db=2", "VERSION=2"];
        scenario.kubectl(&edit).done();
        scenario
            .eventually("the record on the owner's revision", async || {
                let sets = scenario.replica_sets("orders").await.into_iter();
                let sets = sets.map(|set| (json!(set.spec), set.metadata));
                let revisions = scenario.controller_revisions("orders").await.into_iter();
                let revisions = revisions.map(|revision| (json!(revision.data), revision.metadata));
                sets.chain(revisions)
                    .any(|(template, metadata)| {
                        let is_marked = metadata.annotations.is_some_and(|all| all.contains_key(ANNOTATION));
                        is_marked && !template.to_string().contains("javax.net.debug")
                    })
                    .then_some(())
            })
            .await;
        self.start(scenario);
    }
}

/// What a part asks for when nothing is missing. Nothing is refused.
fn asked_for(part: Part) -> (BTreeSet<Right>, BTreeMap<Right, usize>) {
    let result = Mutex::default();
    scenario(&name("whole", part, ""), async |scenario| {
        let audit = Audit::new(scenario);
        scenario.kill_operator();
        part.start(scenario);
        part.run(scenario).await;
        let mut counts = BTreeMap::new();
        for answer in audit.answers() {
            assert_ne!(answer.code, 403, "{part:?}: refused: {}", answer.right);
            *counts.entry(answer.right).or_insert(0) += 1;
        }
        *result.lock().unwrap() = (granted(scenario), counts);
    });
    result.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// A part without one right: it is asked for and refused, and the part goes on when it is given back.
fn without(part: Part, right: &Right, uses: usize) {
    let title = right.to_string().replace([' ', '/'], "-");
    scenario(&name("no", part, &title), async |scenario| {
        scenario.kill_operator();
        scenario.revoke(&right.resource, &right.verb).await;
        let audit = Audit::new(scenario);
        part.start(scenario);
        let mut whole = pin!(part.run(scenario));
        let refused = async {
            while !audit
                .answers()
                .iter()
                .any(|answer| answer.right == *right && answer.code == 403)
            {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        tokio::select! {
            () = &mut whole => panic!("{part:?} does not need to {right}"),
            () = refused => {}
        }
        // Some sessions end all the same, as without events.
        let (told, is_over) = tokio::select! {
            told = told(scenario) => (told, false),
            () = &mut whole => ("in its log only".to_owned(), true),
        };
        scenario.grant_rights();
        // A session that has changed nothing may end at once and say why.
        let fails = async {
            while scenario.phases.of("session").last() != Some(&Phase::Failed) {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        // A replica without its lease ends itself, to be started anew.
        let revived = async {
            loop {
                scenario.keep_operator();
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        let told = tokio::select! {
            () = revived, if part == Part::Lease => told,
            () = &mut whole, if !is_over => told,
            () = std::future::ready(()), if is_over => told,
            () = fails, if right.resource == "configmaps" => {
                scenario.assert_none_has_flag(part.kind(), "orders").await;
                "session Failed".to_owned()
            }
        };
        table::row(
            "rights",
            &[&right.to_string(), &format!("{part:?}"), &uses.to_string(), &told],
        );
    });
}

/// What the session says of the missing right, where it does within some seconds.
async fn told(scenario: &Scenario) -> String {
    for _ in 0..25 {
        let status = scenario.status("session").await;
        if let Some(condition) = status
            .conditions
            .iter()
            .find(|condition| condition.reason == "Forbidden")
        {
            return format!("{} {}: Forbidden", condition.type_, condition.status);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let status = scenario.status("session").await;
    format!("in its log; session {:?}", status.phase)
}

fn name(prefix: &str, part: Part, right: &str) -> String {
    let part: String = format!("{part:?}")
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(16)
        .collect();
    format!("{prefix}-{part}-{right}")
        .to_lowercase()
        .chars()
        .take(44)
        .collect::<String>()
        .trim_matches('-')
        .to_owned()
}

#[test]
#[ignore = "long: make faults"]
fn every_right_is_needed_and_none_is_missing() {
    if std::env::var_os("TLSDEBUG_CLUSTER").is_none() {
        return;
    }
    let whole = in_parallel(PARTS.map(|part| move || (part, asked_for(part))).to_vec());
    let all: BTreeSet<Right> = whole.iter().flat_map(|(_, (granted, _))| granted.clone()).collect();
    // The part that needs a right, and how often it has asked.
    let mut needs = BTreeMap::new();
    for (part, (_, counts)) in &whole {
        for (right, count) in counts {
            needs.entry(right.clone()).or_insert((*part, *count));
        }
    }
    let beyond: Vec<_> = needs.keys().filter(|right| !all.contains(right)).collect();
    assert!(beyond.is_empty(), "asked for without a rule: {beyond:?}");
    let unused: Vec<_> = all
        .iter()
        .filter(|right| !needs.contains_key(right))
        .map(ToString::to_string)
        .collect();
    assert!(unused.is_empty(), "nobody needs: {unused:?}");
    in_parallel(
        needs
            .into_iter()
            .map(|(right, (part, uses))| move || without(part, &right, uses))
            .collect(),
    );
}

/// Runs some at a time, and all of them though one fails.
fn in_parallel<T: Send>(work: Vec<impl FnOnce() -> T + Send>) -> Vec<T> {
    let queue = Mutex::new(work.into_iter());
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while let Some(next) = { queue.lock().unwrap_or_else(PoisonError::into_inner).next() } {
                    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(next));
                    results.lock().unwrap_or_else(PoisonError::into_inner).push(outcome);
                }
            });
        }
    });
    let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    let failed = results.iter().filter(|outcome| outcome.is_err()).count();
    assert_eq!(failed, 0, "{failed} of {} have failed, see above", results.len());
    results.into_iter().filter_map(Result::ok).collect()
}
