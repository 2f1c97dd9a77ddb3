//! Pods that do not start by themselves, and how to see why.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::ResourceExt;

/// A pod that does not start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StuckPod {
    /// Its name.
    pub name: String,
    /// The container that is in the way; `None`: the pod has no node.
    pub container: Option<String>,
    /// The kubelet's or the scheduler's word, such as `CrashLoopBackOff`.
    pub reason: String,
}

impl StuckPod {
    /// What is in the way, and how to see why.
    #[must_use]
    pub fn sentence(&self, namespace: &str) -> String {
        let Self {
            name,
            container,
            reason,
        } = self;
        let describe = format!("kubectl describe pod -n {namespace} {name}");
        match container {
            None => format!("Pod {name} gets no node ({reason}): see why with {describe}."),
            Some(container) if reason == CRASHING => format!(
                "Container {container:?} of pod {name} ends again and again ({reason}): see why with kubectl logs -n \
                 {namespace} {name} -c {container} --previous."
            ),
            Some(container) => {
                format!("Container {container:?} of pod {name} does not start ({reason}): see why with {describe}.")
            }
        }
    }
}

const CRASHING: &str = "CrashLoopBackOff";

/// The first of these pods that does not start by itself.
#[must_use]
pub fn first(pods: &[Pod]) -> Option<StuckPod> {
    pods.iter()
        .filter(|pod| pod.metadata.deletion_timestamp.is_none())
        .find_map(stuck)
}

fn stuck(pod: &Pod) -> Option<StuckPod> {
    let status = pod.status.as_ref()?;
    let lists = [&status.init_container_statuses, &status.container_statuses];
    let mut containers = lists.into_iter().flat_map(|list| list.iter().flatten());
    let in_the_way = containers.find_map(|container| Some((Some(container.name.clone()), trouble(container)?)));
    let unscheduled = || {
        let conditions = status.conditions.iter().flatten();
        let mut unscheduled = conditions.filter(|one| one.type_ == "PodScheduled" && one.status == "False");
        let reason = unscheduled.next()?.reason.as_deref();
        // A pod that is held back on purpose (schedulingGates) says so with another reason.
        reason
            .filter(|reason| *reason == "Unschedulable")
            .map(|reason| (None, reason))
    };
    let (container, reason) = in_the_way.or_else(unscheduled)?;
    Some(StuckPod {
        name: pod.name_any(),
        container,
        reason: reason.to_owned(),
    })
}

fn trouble(container: &ContainerStatus) -> Option<&str> {
    let state = container.state.as_ref()?;
    if let Some(reason) = state.waiting.as_ref().and_then(|waiting| waiting.reason.as_deref())
        && let Some(reason) = abnormal(reason)
    {
        return Some(reason);
    }
    // Between two waits such a container runs for a moment, or has just ended.
    let has_failed = container
        .last_state
        .as_ref()
        .and_then(|last| last.terminated.as_ref())
        .is_some_and(|last| last.exit_code != 0);
    let is_done = state.terminated.as_ref().is_some_and(|ended| ended.exit_code == 0);
    (has_failed && !container.ready && !is_done && container.restart_count > 0).then_some(CRASHING)
}

/// A reason for which a container waits, in the one word that its changing states have in common; `None`: every start goes
/// through it.
#[must_use]
pub fn abnormal(reason: &str) -> Option<&str> {
    match reason {
        "ContainerCreating" | "PodInitializing" => None,
        "ErrImagePull" => Some("ImagePullBackOff"),
        reason => Some(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn pod(status: &Value) -> Pod {
        serde_json::from_value(json!({"metadata": {"name": "orders-1"}, "status": status})).expect("a pod")
    }

    fn container(name: &str, ready: bool, restarts: i32, state: &Value, last: &Value) -> Value {
        json!({
            "name": name, "ready": ready, "restartCount": restarts, "state": state, "lastState": last,
            "image": "", "imageID": ""
        })
    }

    fn sentence(status: &Value) -> Option<String> {
        Some(first(&[pod(status)])?.sentence("demo"))
    }

    #[test]
    fn a_crash_loop_is_told_alike_in_each_of_its_states() {
        let failed = json!({"terminated": {"exitCode": 1, "reason": "Error"}});
        let waiting = json!({"waiting": {"reason": "CrashLoopBackOff"}});
        for state in [&waiting, &json!({"running": {}}), &failed] {
            let status = json!({"containerStatuses": [container("msr", false, 3, state, &failed)]});
            assert_eq!(
                sentence(&status).as_deref(),
                Some(
                    "Container \"msr\" of pod orders-1 ends again and again (CrashLoopBackOff): see why with kubectl logs -n \
                     demo orders-1 -c msr --previous."
                )
            );
        }
    }

    #[test]
    fn an_image_that_cannot_be_pulled() {
        for reason in ["ErrImagePull", "ImagePullBackOff"] {
            let waiting = json!({"waiting": {"reason": reason}});
            let status = json!({"initContainerStatuses": [container("setup", false, 0, &waiting, &json!({}))]});
            assert_eq!(
                sentence(&status).as_deref(),
                Some(
                    "Container \"setup\" of pod orders-1 does not start (ImagePullBackOff): see why with kubectl describe pod \
                     -n demo orders-1."
                )
            );
        }
    }

    #[test]
    fn a_pod_without_a_node() {
        let scheduled =
            |reason: &str| json!({"conditions": [{"type": "PodScheduled", "status": "False", "reason": reason}]});
        assert_eq!(
            sentence(&scheduled("Unschedulable")).as_deref(),
            Some("Pod orders-1 gets no node (Unschedulable): see why with kubectl describe pod -n demo orders-1.")
        );
        assert_eq!(sentence(&scheduled("SchedulingGated")), None);
    }

    #[test]
    fn what_only_takes_its_time_is_not_stuck() {
        let ended = json!({"terminated": {"exitCode": 0, "reason": "Completed"}});
        for one in [
            container(
                "msr",
                false,
                0,
                &json!({"waiting": {"reason": "ContainerCreating"}}),
                &json!({}),
            ),
            container("msr", false, 0, &json!({"running": {}}), &json!({})),
            container(
                "msr",
                true,
                2,
                &json!({"running": {}}),
                &json!({"terminated": {"exitCode": 1}}),
            ),
            container("msr", false, 1, &json!({"running": {}}), &ended),
        ] {
            assert_eq!(sentence(&json!({"containerStatuses": [one]})), None);
        }
    }
}
