//! The other end: a session with `spec.peer` has a second session made for it, which goes through all that any session goes
//! through.

use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::{Resource, ResourceExt};

use super::{StopWhen, Strategy, TLSDebugSession, TLSDebugSessionSpec};
use crate::workload::controller_of;

/// The longest that a session may last.
const LONGEST: SignedDuration = SignedDuration::from_hours(8);

/// The name of the session of the other end.
#[must_use]
pub fn name(session: &TLSDebugSession) -> String {
    format!("{}-peer", session.name_any())
}

/// What is asked of the session of the other end. `None`: `spec.peer` is unset.
///
/// It outlasts the one that it is made for, which ends it, and ends by itself where that does not happen.
#[must_use]
pub fn spec(of: &TLSDebugSessionSpec) -> Option<TLSDebugSessionSpec> {
    let target = of.peer.clone()?;
    let duration = |text: &str| text.parse::<SignedDuration>().unwrap_or_default();
    let longest = (duration(&of.duration) + duration(&of.progress_deadline)).min(LONGEST);
    let mut spec = TLSDebugSessionSpec {
        target,
        peer: None,
        duration: format!("{}s", longest.as_secs()),
        stop_when: StopWhen::Expired,
        stop: false,
        ttl_after_finished: None,
        ..of.clone()
    };
    spec.receive_traffic &= spec.effective_strategy() == Strategy::Clone;
    Some(spec)
}

/// The session of the other end, to be created. `None`: `spec.peer` is unset. It is deleted with its owner; of labels and
/// annotations it has none, so that no tool takes it for one of its own.
#[must_use]
pub fn session(of: &TLSDebugSession) -> Option<TLSDebugSession> {
    let mut session = TLSDebugSession::new(&name(of), spec(&of.spec)?);
    session.metadata = ObjectMeta {
        namespace: of.namespace(),
        owner_references: of.controller_owner_ref(&()).map(|owner| vec![owner]),
        ..session.metadata
    };
    Some(session)
}

/// Whether `session` was made for the other end of `owner`: it is controlled by it, and debugs its peer.
#[must_use]
pub fn is_of(session: &TLSDebugSession, owner: &TLSDebugSession) -> bool {
    controller(session).is_some_and(|found| Some(&found.uid) == owner.uid().as_ref())
        && Some(&session.spec.target) == owner.spec.peer.as_ref()
}

/// The session that this one is the other end of.
#[must_use]
pub fn controller(session: &TLSDebugSession) -> Option<&OwnerReference> {
    controller_of(&session.metadata).filter(|owner| owner.kind == TLSDebugSession::kind(&()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn both_ends(more: &serde_json::Value) -> TLSDebugSession {
        let mut session = json!({
            "apiVersion": "tlsdebug.io/v1alpha1", "kind": "TLSDebugSession",
            "metadata": {"name": "orders", "namespace": "demo", "uid": "s-1", "labels": {"app.kubernetes.io/instance": "argo"}},
            "spec": {
                "target": {"kind": "Deployment", "name": "orders"}, "peer": {"kind": "StatefulSet", "name": "bank"},
                "duration": "10m", "progressDeadline": "5m", "stopWhen": "FirstFailure", "ttlAfterFinished": "1h"
            }
        });
        json_patch::merge(&mut session, &json!({"spec": more}));
        serde_json::from_value(session).expect("a session")
    }

    #[test]
    fn the_other_end_is_debugged_alike_and_ended_by_its_owner() {
        let owner = both_ends(&json!({}));
        let made = session(&owner).expect("a peer");
        assert_eq!(made.name_any(), "orders-peer");
        assert!(is_of(&made, &owner) && made.labels().is_empty());
        let spec = &made.spec;
        assert_eq!((spec.target.name.as_str(), spec.duration.as_str()), ("bank", "900s"));
        assert_eq!(
            (spec.stop_when, &spec.peer, &spec.ttl_after_finished),
            (StopWhen::Expired, &None, &None)
        );
        let other = TLSDebugSession {
            metadata: ObjectMeta {
                uid: Some("s-2".into()),
                ..owner.metadata.clone()
            },
            ..owner
        };
        assert!(!is_of(&made, &other), "its owner was created anew");
    }

    #[test]
    fn it_lasts_no_longer_than_any_session() {
        let owner = both_ends(&json!({"duration": "8h"}));
        assert_eq!(session(&owner).expect("a peer").spec.duration, "28800s");
    }

    #[test]
    fn only_a_clone_receives_traffic() {
        let owner = both_ends(&json!({"target": {"kind": "Pod", "name": "orders-0"}, "receiveTraffic": true}));
        assert!(
            !session(&owner).expect("a peer").spec.receive_traffic,
            "a rollout's pods do anyway"
        );
        let owner = both_ends(&json!({"strategy": "Clone", "receiveTraffic": true}));
        assert!(session(&owner).expect("a peer").spec.receive_traffic);
    }
}
