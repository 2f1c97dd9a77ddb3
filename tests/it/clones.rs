//! What a clone keeps of its workload, and what it must not.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tlsdebug::session::TargetKind;
use tlsdebug::workload::clone::{self, CloneInjection, Terms};
use tlsdebug::workload::environment::ConfigMapKeys;
use tlsdebug::workload::inject::Request;
use tlsdebug::workload::record::{RecordOwner, SessionReference};
use tlsdebug::workload::{ANNOTATION, Refusal, Workload};

const FLAG: &str = "-Djavax.net.debug=ssl,handshake";

fn planned(object: &Value, receive_traffic: bool) -> Result<CloneInjection, Refusal> {
    let kind = serde_json::from_value::<TargetKind>(object["kind"].clone()).unwrap();
    let workload = Workload::read(kind, object).unwrap();
    let request = Request {
        session: SessionReference {
            namespace: "demo".into(),
            name: "look".into(),
            uid: "1b4e28ba-2fa1-11d2-883f-0016d3cca427".into(),
        },
        container: None,
        variable: "JAVA_CUSTOM_OPTS",
        flag: FLAG,
        deadline: "2026-01-01T00:00:00Z".into(),
        owner: RecordOwner::Operator,
        config_maps: &ConfigMapKeys::new(),
    };
    let selector = |pairs: &[(&str, &str)]| {
        let owned = pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        owned.collect::<BTreeMap<_, _>>()
    };
    let terms = Terms {
        receive_traffic,
        // One that selects it, one of another value, and one without a selector, which selects nothing.
        service_selectors: &[
            selector(&[("tier", "web"), ("zone", "a")]),
            selector(&[("policy", "other")]),
            selector(&[]),
        ],
        active_deadline_seconds: 1800,
    };
    clone::plan(&workload, &request, &terms)
}

fn labels() -> Value {
    json!({"app": "orders", "tier": "web", "zone": "a", "policy": "egress", "pod-template-hash": "1"})
}

fn deployment(spec: &Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "orders", "namespace": "demo", "uid": "d-1"},
        "spec": {
            "selector": {"matchLabels": {"app": "orders"}},
            "template": {"metadata": {"labels": labels(), "annotations": {"inject": "yes"}}, "spec": spec}
        }
    })
}

fn plain() -> Value {
    json!({"containers": [{"name": "msr", "env": [{"name": "JAVA_CUSTOM_OPTS", "value": "-Da=1"}]}]})
}

#[test]
fn nothing_selects_a_clone_unless_it_is_to_receive_traffic() {
    let pod = json!(planned(&deployment(&plain()), false).unwrap().pod);
    assert_eq!(
        pod["metadata"]["labels"],
        json!({"policy": "egress", "tlsdebug.io/session": "look"})
    );
    let injection = planned(&deployment(&plain()), true).unwrap();
    let pod = json!(injection.pod);
    assert_eq!(
        pod["metadata"]["labels"],
        json!({"app": "orders", "tier": "web", "zone": "a", "policy": "egress", "tlsdebug.io/session": "look"})
    );
    assert!(injection.warnings.join(" ").contains("Services send it requests"));
}

#[test]
fn a_clone_belongs_to_its_session_carries_the_flag_and_ends_by_itself() {
    let pod = json!(planned(&deployment(&plain()), false).unwrap().pod);
    assert_eq!(pod["metadata"]["name"], "look-clone-1b4e28ba");
    assert_eq!(
        pod["metadata"]["ownerReferences"],
        json!([{
            "apiVersion": "tlsdebug.io/v1alpha1", "kind": "TLSDebugSession", "name": "look",
            "uid": "1b4e28ba-2fa1-11d2-883f-0016d3cca427", "controller": true
        }])
    );
    assert_eq!(pod["spec"]["activeDeadlineSeconds"], 1800);
    assert_eq!(pod["spec"]["containers"][0]["env"][0]["value"], format!("-Da=1 {FLAG}"));
    let annotations = pod["metadata"]["annotations"].as_object().unwrap();
    assert_eq!(annotations["inject"], "yes");
    assert!(annotations.contains_key(ANNOTATION) && !annotations[ANNOTATION].to_string().contains("-Da=1"));
}

#[test]
fn a_clone_of_a_pod_takes_nothing_that_is_that_pods_own() {
    let mount = json!([
        {"name": "kube-api-access-x7k2p", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"},
        {"name": "scratch", "mountPath": "/tmp"}
    ]);
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": "orders-0", "namespace": "demo", "uid": "p-1", "labels": {"statefulset.kubernetes.io/pod-name": "orders-0"},
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "sidecar.istio.io/status": "{}"}
        },
        "spec": {
            "nodeName": "one", "hostname": "orders-0", "subdomain": "orders", "priority": 0, "preemptionPolicy": "Never",
            "readinessGates": [{"conditionType": "balancer"}],
            "ephemeralContainers": [{"name": "debugger", "image": "x"}],
            "volumes": [{"name": "kube-api-access-x7k2p", "projected": {"sources": []}}, {"name": "scratch", "emptyDir": {}}],
            "containers": [{"name": "msr", "volumeMounts": mount}]
        }
    });
    let clone = json!(planned(&pod, false).unwrap().pod);
    assert_eq!(clone["metadata"]["labels"], json!({"tlsdebug.io/session": "look"}));
    let annotations = clone["metadata"]["annotations"].as_object().unwrap();
    // By this annotation the injector knows that its sidecar is there.
    let names: Vec<_> = annotations.keys().map(String::as_str).collect();
    assert_eq!(names, ["sidecar.istio.io/status", ANNOTATION]);
    assert_eq!(
        clone["spec"],
        json!({
            "activeDeadlineSeconds": 1800,
            "volumes": [{"name": "scratch", "emptyDir": {}}],
            "containers": [{
                "name": "msr", "env": [{"name": "JAVA_CUSTOM_OPTS", "value": FLAG}],
                "volumeMounts": [{"name": "scratch", "mountPath": "/tmp"}]
            }]
        })
    );
}

#[test]
fn what_two_pods_cannot_share_is_refused() {
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut spec = plain();
        change(&mut spec);
        let refusal = planned(&deployment(&spec), false).unwrap_err();
        assert!(refusal.message.contains("\"orders\"") && refusal.message.contains("strategy Rollout"));
        refusal.reason
    };
    let claim = json!([{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]);
    assert_eq!(refused(&|spec| spec["volumes"] = claim.clone()), "CloneSharesVolume");
    // A StatefulSet's volumeClaimTemplates are not in its template.
    let mount = json!([{"name": "data", "mountPath": "/data"}]);
    assert_eq!(
        refused(&|spec| spec["containers"][0]["volumeMounts"] = mount.clone()),
        "CloneSharesVolume"
    );
    assert_eq!(
        refused(&|spec| spec["hostNetwork"] = json!(true)),
        "CloneSharesHostPort"
    );
    let port = json!([{"containerPort": 80, "hostPort": 80}]);
    assert_eq!(
        refused(&|spec| spec["containers"][0]["ports"] = port.clone()),
        "CloneSharesHostPort"
    );
}
