//! The law: restore(inject(x)) is x, and with somebody's edit in between it is that edit and nothing of ours.

use k8s_openapi::api::apps::v1::Deployment;
use proptest::prelude::*;
use serde_json::{Value, json};
use tlsdebug::workload::inject::{self, Request};
use tlsdebug::workload::record::SessionReference;
use tlsdebug::workload::{ANNOTATION, Workload, restore};

const FLAG: &str = "-Djavax.net.debug=ssl,handshake";
const VARIABLE: &str = "JAVA_CUSTOM_OPTS";

fn deployment(environment: Option<Value>, annotations: Option<Value>, sidecar_first: bool) -> Value {
    let mut container = json!({"name": "msr", "image": "msr:1"});
    if let Some(environment) = environment {
        container["env"] = environment;
    }
    let sidecar = json!({"name": "proxy", "image": "proxy:1", "env": [{"name": VARIABLE, "value": "not ours"}]});
    let containers = if sidecar_first {
        vec![sidecar, container]
    } else {
        vec![container]
    };
    let mut metadata = json!({"name": "orders", "namespace": "demo", "uid": "u-1", "generation": 3});
    if let Some(annotations) = annotations {
        metadata["annotations"] = annotations;
    }
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "orders"}},
            "template": {"metadata": {"labels": {"app": "orders"}}, "spec": {"containers": containers}}
        },
        "status": {"observedGeneration": 3, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}
    })
}

fn view(object: &Value) -> Workload {
    Workload::from(serde_json::from_value::<Deployment>(object.clone()).unwrap())
}

fn request() -> Request<'static> {
    Request {
        session: SessionReference {
            namespace: "demo".into(),
            name: "s".into(),
            uid: "s-1".into(),
        },
        container: Some("msr"),
        variable: VARIABLE,
        flag: FLAG,
        deadline: "2026-01-01T00:00:00Z".into(),
    }
}

/// What the API server does with an edit of the spec.
fn applied(object: &Value, patch: &json_patch::Patch) -> Value {
    let mut object = object.clone();
    json_patch::patch(&mut object, patch).expect("its preconditions hold");
    object
}

fn injected(object: &Value) -> Value {
    let injection = inject::plan(&view(object), &request()).expect("it can be injected");
    applied(object, &injection.patch)
}

fn restored(object: &Value) -> Value {
    let workload = view(object);
    let record = workload.record().unwrap().unwrap();
    applied(object, &restore::plan(&workload, &record.change).0)
}

fn container(object: &mut Value) -> &mut Value {
    object["spec"]["template"]["spec"]["containers"]
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .find(|container| container["name"] == "msr")
        .unwrap()
}

fn value(object: &mut Value) -> Option<String> {
    let environment = container(object)["env"].as_array()?.clone();
    environment.iter().find(|entry| entry["name"] == VARIABLE)?["value"]
        .as_str()
        .map(str::to_owned)
}

fn options() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just(FLAG.to_owned()),
        Just(format!("-Da=1  {FLAG} -Db=\"x y\"")),
        "[ -~]{0,40}",
        "\\PC{0,20}",
    ]
}

fn environment() -> impl Strategy<Value = Option<Value>> {
    let others = proptest::collection::vec(("[A-Z]{1,6}", "[ -~]{0,12}"), 0..4);
    let own = proptest::option::of((options(), any::<prop::sample::Index>()));
    prop_oneof![
        1 => Just(None),
        4 => (others, own).prop_map(|(others, own)| {
            let mut list: Vec<Value> =
                others.into_iter().map(|(name, value)| json!({"name": format!("X_{name}"), "value": value})).collect();
            if let Some((value, position)) = own {
                // The API server leaves an empty value out.
                let entry = if value.is_empty() { json!({"name": VARIABLE}) } else { json!({"name": VARIABLE, "value": value}) };
                list.insert(position.index(list.len() + 1), entry);
            }
            Some(Value::Array(list))
        }),
    ]
}

/// An absent value and an empty one are the same to the API server.
fn normalized(mut object: Value) -> Value {
    if let Some(list) = container(&mut object).get_mut("env").and_then(Value::as_array_mut) {
        for entry in list {
            if entry["value"] == "" {
                entry.as_object_mut().unwrap().remove("value");
            }
        }
    }
    object
}

proptest! {
    #[test]
    fn restoring_an_injection_gives_the_object_back(
        environment in environment(),
        annotations in proptest::option::of(Just(json!({"a": "b"}))),
        sidecar in any::<bool>(),
    ) {
        let has_annotations = annotations.is_some();
        let before = deployment(environment, annotations, sidecar);
        let during = injected(&before);
        prop_assert_ne!(&before, &during);
        prop_assert!(value(&mut during.clone()).unwrap().ends_with(FLAG), "the last definition wins");
        let mut after = restored(&during);
        if !has_annotations {
            // The API server stores no empty map.
            prop_assert_eq!(after["metadata"].as_object_mut().unwrap().remove("annotations"), Some(json!({})));
        }
        prop_assert_eq!(normalized(after), normalized(before));
    }

    #[test]
    fn an_edit_in_between_survives_and_nothing_of_ours_does(value in "[ -~]{1,30}", added in "-D[a-z]{1,5}=[0-9]") {
        prop_assume!(!value.contains("javax.net.debug") && !value.ends_with(' '));
        let before = deployment(Some(json!([{"name": VARIABLE, "value": value}])), Some(json!({})), false);
        let mut edited = injected(&before);
        let written = self::value(&mut edited).unwrap();
        container(&mut edited)["env"][0]["value"] = json!(format!("{written} {added}"));
        container(&mut edited)["env"].as_array_mut().unwrap().push(json!({"name": "NEW", "value": "1"}));
        let after = restored(&edited);
        let expected = json!([{"name": VARIABLE, "value": format!("{value} {added}")}, {"name": "NEW", "value": "1"}]);
        prop_assert_eq!(&after["spec"]["template"]["spec"]["containers"][0]["env"], &expected);
        prop_assert!(after["metadata"]["annotations"].get(ANNOTATION).is_none());
    }
}

#[test]
fn no_value_of_the_variable_is_in_the_record() {
    let before = deployment(
        Some(json!([{"name": VARIABLE, "value": "-Dpassword=geheim"}])),
        None,
        false,
    );
    let during = injected(&before);
    assert!(!during["metadata"].to_string().contains("geheim"));
}

#[test]
fn somebody_took_the_flag_out_already() {
    let before = deployment(
        Some(json!([{"name": VARIABLE, "value": "-Da=1"}])),
        Some(json!({})),
        false,
    );
    let mut reverted = injected(&before);
    container(&mut reverted)["env"][0]["value"] = json!("-Da=2");
    let after = restored(&reverted);
    assert_eq!(
        after["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"],
        "-Da=2"
    );
    assert!(after["metadata"]["annotations"].get(ANNOTATION).is_none());
}

#[test]
fn the_patch_fails_when_the_spec_has_moved() {
    let before = deployment(None, None, false);
    let injection = inject::plan(&view(&before), &request()).unwrap();
    let mut moved = before.clone();
    moved["metadata"]["generation"] = json!(4);
    let untouched = moved.clone();
    assert!(json_patch::patch(&mut moved, &injection.patch).is_err());
    assert_eq!(moved, untouched);
}

#[test]
fn refusals_name_the_object_and_the_way_out() {
    let refused = |change: &dyn Fn(&mut Value), container: Option<&'static str>| {
        let mut object = deployment(Some(json!([])), None, true);
        change(&mut object);
        let refusal = inject::plan(&view(&object), &Request { container, ..request() }).unwrap_err();
        assert!(refusal.message.contains("orders"), "{}", refusal.message);
        refusal.reason
    };
    assert_eq!(refused(&|_| {}, None), "ContainerNotNamed");
    assert_eq!(refused(&|_| {}, Some("java")), "ContainerNotFound");
    assert_eq!(
        refused(&|object| object["spec"]["paused"] = json!(true), Some("msr")),
        "TargetIsPaused"
    );
    assert_eq!(
        refused(&|object| object["spec"]["replicas"] = json!(0), Some("msr")),
        "NoReplicas"
    );
    assert_eq!(
        refused(&|object| object["status"]["updatedReplicas"] = json!(0), Some("msr")),
        "RolloutInProgress"
    );
    let from = json!([{"name": VARIABLE, "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}]);
    assert_eq!(
        refused(&|object| container(object)["env"] = from.clone(), Some("msr")),
        "VariableFromSource"
    );
    let twice = json!([{"name": VARIABLE, "value": "1"}, {"name": VARIABLE, "value": "2"}]);
    assert_eq!(
        refused(&|object| container(object)["env"] = twice.clone(), Some("msr")),
        "VariableRepeated"
    );
    let sources = json!([{"configMapRef": {"name": "c"}}]);
    assert_eq!(
        refused(&|object| container(object)["envFrom"] = sources.clone(), Some("msr")),
        "VariableFromSource"
    );
    let owner = json!([{"apiVersion": "x/v1", "kind": "Msr", "name": "parent", "uid": "p", "controller": true}]);
    assert_eq!(
        refused(
            &|object| object["metadata"]["ownerReferences"] = owner.clone(),
            Some("msr")
        ),
        "TargetIsControlled"
    );
}

#[test]
fn a_workload_of_another_session_is_in_use() {
    let during = injected(&deployment(None, None, false));
    let mut request = request();
    request.session.uid = "s-2".into();
    assert_eq!(
        inject::plan(&view(&during), &request).unwrap_err().reason,
        "TargetInUse"
    );
}
