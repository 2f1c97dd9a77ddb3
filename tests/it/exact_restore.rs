//! The law: restore(inject(x)) is x, and with somebody's edit in between it is that edit and nothing of ours.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};
use tlsdebug::session::TargetKind;
use tlsdebug::workload::environment::ConfigMapKeys;
use tlsdebug::workload::inject::{self, Request};
use tlsdebug::workload::record::{RecordOwner, SessionReference};
use tlsdebug::workload::{ANNOTATION, Refusal, Workload, restore};

const FLAG: &str = "-Djavax.net.debug=ssl,handshake";
const VARIABLE: &str = "JAVA_CUSTOM_OPTS";
const VARIABLES: [&str; 4] = [VARIABLE, "JAVA_DEBUGGER_OPTS", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS"];
const KINDS: [TargetKind; 3] = [TargetKind::Deployment, TargetKind::StatefulSet, TargetKind::DaemonSet];

/// Where the container is that is meant, and what is beside it.
#[derive(Debug, Clone, Copy)]
enum Beside {
    Nothing,
    /// A container before it that sets the same variable.
    Sidecar,
    /// It is an init container, with such a container after it.
    IsInit,
}

fn workload(kind: TargetKind, container: &Value, annotations: Option<Value>, beside: Beside) -> Value {
    let other = |value: &str| {
        json!({"name": "proxy", "image": "proxy:1", "env": [
            {"name": VARIABLE, "value": value}, {"name": "JDK_JAVA_OPTIONS", "value": FLAG}
        ]})
    };
    let spec = match beside {
        Beside::Nothing => json!({"containers": [container]}),
        Beside::Sidecar => json!({"containers": [other("not ours"), container]}),
        Beside::IsInit => {
            let mut init = container.clone();
            init["restartPolicy"] = json!("Always");
            json!({"containers": [other(FLAG)], "initContainers": [init]})
        }
    };
    let mut metadata =
        json!({"name": "orders", "namespace": "demo", "uid": "u-1", "generation": 3, "resourceVersion": "7"});
    if let Some(annotations) = annotations {
        metadata["annotations"] = annotations;
    }
    let status = match kind {
        TargetKind::DaemonSet => json!({
            "observedGeneration": 3, "currentNumberScheduled": 1, "desiredNumberScheduled": 1, "updatedNumberScheduled": 1,
            "numberAvailable": 1, "numberMisscheduled": 0, "numberReady": 1
        }),
        _ => json!({
            "observedGeneration": 3, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1, "currentRevision": "r",
            "updateRevision": "r"
        }),
    };
    json!({
        "apiVersion": "apps/v1", "kind": kind.to_string(), "metadata": metadata,
        "spec": {
            "replicas": 1, "serviceName": "orders",
            "selector": {"matchLabels": {"app": "orders"}},
            "template": {"metadata": {"labels": {"app": "orders"}}, "spec": spec}
        },
        "status": status
    })
}

fn deployment(environment: Option<Value>, annotations: Option<Value>) -> Value {
    let mut container = json!({"name": "msr", "image": "msr:1"});
    if let Some(environment) = environment {
        container["env"] = environment;
    }
    workload(TargetKind::Deployment, &container, annotations, Beside::Nothing)
}

fn view(object: &Value) -> Workload {
    let kind = KINDS
        .into_iter()
        .find(|kind| object["kind"] == kind.to_string())
        .unwrap();
    Workload::read(kind, object).unwrap()
}

fn planned(object: &Value, variable: &str, config_maps: &ConfigMapKeys) -> Result<inject::Injection, Refusal> {
    let request = Request {
        session: SessionReference {
            namespace: "demo".into(),
            name: "s".into(),
            uid: "s-1".into(),
        },
        container: Some("msr"),
        variable,
        flag: FLAG,
        owner: RecordOwner::Operator,
        deadline: "2026-01-01T00:00:00Z".into(),
        config_maps,
    };
    inject::plan(&view(object), &request)
}

/// What the API server does with an edit of the spec.
fn applied(object: &Value, patch: &json_patch::Patch) -> Value {
    let mut object = object.clone();
    json_patch::patch(&mut object, patch).expect("its preconditions hold");
    object
}

/// A ConfigMap that sets all four variables.
fn config_maps() -> ConfigMapKeys {
    let keys: BTreeSet<_> = VARIABLES.iter().map(|&name| name.to_owned()).collect();
    ConfigMapKeys::from([
        ("options".to_owned(), Some(keys)),
        ("others".to_owned(), Some(BTreeSet::new())),
    ])
}

fn injected(object: &Value, variable: &str) -> Value {
    let injection = planned(object, variable, &config_maps()).expect("it can be injected");
    applied(object, &injection.patch)
}

fn restored(object: &Value) -> Value {
    let workload = view(object);
    let record = workload.record().unwrap().unwrap();
    let (patch, _) = restore::plan(&workload, &record.change);
    let after = applied(object, &patch);
    assert!(!restore::leaves_traces(&view(&after), &record.change), "{after:#}");
    after
}

fn container(object: &mut Value) -> &mut Value {
    let spec = &mut object["spec"]["template"]["spec"];
    let list = if spec["initContainers"].is_array() {
        "initContainers"
    } else {
        "containers"
    };
    let containers = spec[list].as_array_mut().unwrap();
    containers
        .iter_mut()
        .find(|container| container["name"] == "msr")
        .unwrap()
}

fn environment_of(object: &Value) -> Vec<Value> {
    container(&mut object.clone())["env"]
        .as_array()
        .cloned()
        .unwrap_or_default()
}

/// The variable's value as the kubelet makes it (`makeEnvironmentVariables`): entries in their order, each reference taken
/// from what is set before it, the whole of `envFrom` first. What comes from elsewhere is written `<from …>`.
fn effective(object: &Value, variable: &str) -> String {
    let mut set = std::collections::BTreeMap::<String, String>::new();
    for source in container(&mut object.clone())["envFrom"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let prefix = source["prefix"].as_str().unwrap_or_default();
        let Some(config_map) = source["configMapRef"]["name"].as_str() else {
            continue;
        };
        for key in config_maps()[config_map].iter().flatten() {
            set.insert(format!("{prefix}{key}"), "<from a ConfigMap>".to_owned());
        }
    }
    for entry in environment_of(object) {
        let name = entry["name"].as_str().unwrap().to_owned();
        let value = match entry["value"].as_str() {
            // Only references of ours: generated values have no parenthesis.
            Some(value) => set.iter().fold(value.to_owned(), |value, (name, known)| {
                value.replace(&format!("$({name})"), known)
            }),
            None if entry["valueFrom"].is_object() => format!("<from {}>", entry["valueFrom"]),
            None => String::new(),
        };
        set.insert(name, value);
    }
    set.get(variable).cloned().unwrap_or_default()
}

fn options() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just(FLAG.to_owned()),
        Just("-Djavax.net.debug=all".to_owned()),
        Just(format!("-Da=1  {FLAG} -Db=\"x y\"")),
        Just("-Da='x y'\n-Db=\"q\"\n".to_owned()),
        "[ -'*-~]{0,40}",
        "\\PC{0,20}".prop_filter("references are another matter", |text| !text.contains('(')),
    ]
}

fn source() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!({"configMapKeyRef": {"name": "c", "key": "k"}})),
        Just(json!({"secretKeyRef": {"name": "s", "key": "k", "optional": false}})),
        Just(json!({"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.annotations['options']"}})),
        Just(json!({"resourceFieldRef": {"resource": "limits.memory", "divisor": "0"}})),
    ]
}

/// An entry of the variable, as the API server stores it: it leaves an empty value out.
fn own_entry(variable: &'static str) -> impl Strategy<Value = Value> {
    prop_oneof![
        options().prop_map(move |value| {
            if value.is_empty() {
                json!({"name": variable})
            } else {
                json!({"name": variable, "value": value})
            }
        }),
        source().prop_map(move |source| json!({"name": variable, "valueFrom": source})),
    ]
}

/// A container that sets the variable in any shape that is supported, and other things.
fn any_container(variable: &'static str) -> impl Strategy<Value = Value> {
    let others = proptest::collection::vec(("[A-Z]{1,6}", "[ -~]{0,12}"), 0..4);
    let own = proptest::collection::vec((own_entry(variable), any::<prop::sample::Index>()), 0..4);
    let sources = prop_oneof![
        3 => Just(Value::Null),
        1 => Just(json!([{"configMapRef": {"name": "options"}}])),
        1 => Just(json!([{"configMapRef": {"name": "others"}}, {"prefix": "DB_", "secretRef": {"name": "s"}}])),
    ];
    (any::<bool>(), others, own, sources, any::<bool>()).prop_map(
        move |(has_list, others, own, sources, is_saved_taken)| {
            let mut container = json!({"name": "msr", "image": "msr:1"});
            if !sources.is_null() {
                container["envFrom"] = sources;
            }
            if !has_list && others.is_empty() && own.is_empty() {
                return container;
            }
            let mut list: Vec<Value> = others
                .into_iter()
                .map(|(name, value)| json!({"name": format!("X_{name}"), "value": value}))
                .collect();
            if is_saved_taken {
                list.push(json!({"name": format!("TLSDEBUG_SAVED_{variable}"), "value": "somebody's"}));
            }
            for (entry, position) in own {
                list.insert(position.index(list.len() + 1), entry);
            }
            container["env"] = Value::Array(list);
            container
        },
    )
}

#[derive(Debug, Clone)]
struct Case {
    variable: &'static str,
    before: Value,
}

fn cases() -> impl Strategy<Value = Case> {
    let annotations = proptest::option::of(Just(json!({"a": "b"})));
    let beside = prop_oneof![Just(Beside::Nothing), Just(Beside::Sidecar), Just(Beside::IsInit)];
    (
        prop::sample::select(&VARIABLES),
        prop::sample::select(&KINDS),
        annotations,
        beside,
    )
        .prop_flat_map(|(variable, kind, annotations, beside)| {
            any_container(variable).prop_map(move |container| Case {
                variable,
                before: workload(kind, &container, annotations.clone(), beside),
            })
        })
}

/// Options are split on blanks: one before the first does not count.
fn trimmed(value: &str) -> String {
    value.trim_start().to_owned()
}

/// An absent value and an empty one are the same to the API server, as are an empty map and none.
fn normalized(mut object: Value) -> Value {
    for entry in container(&mut object)
        .get_mut("env")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        if entry["value"] == "" {
            entry.as_object_mut().unwrap().remove("value");
        }
    }
    if object["metadata"]["annotations"] == json!({}) {
        object["metadata"].as_object_mut().unwrap().remove("annotations");
    }
    object
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn restoring_an_injection_gives_the_object_back(case in cases()) {
        let before = effective(&case.before, case.variable);
        let during = injected(&case.before, case.variable);
        prop_assert_ne!(&case.before, &during);
        // Nothing of what was there is lost, and the last definition of a property wins.
        prop_assert_eq!(trimmed(&effective(&during, case.variable)), trimmed(&format!("{before} {FLAG}")));
        prop_assert_eq!(normalized(restored(&during)), normalized(case.before));
    }

    #[test]
    fn an_edit_in_between_survives_and_nothing_of_ours_does(case in cases(), added in "-D[a-z]{1,5}=[0-9]", at in any::<prop::sample::Index>()) {
        let before = effective(&case.before, case.variable);
        let mut edited = injected(&case.before, case.variable);
        let list = container(&mut edited)["env"].as_array_mut().unwrap();
        // An entry of somebody's, and an option behind the flag.
        let last = list.iter().rposition(|entry| entry["name"] == case.variable).unwrap();
        let written = list[last]["value"].as_str().unwrap().to_owned();
        list[last]["value"] = json!(format!("{written} {added}"));
        list.insert(at.index(list.len() + 1), json!({"name": "NEW", "value": "1"}));
        let after = restored(&edited);
        prop_assert!(!after["metadata"].to_string().contains(ANNOTATION));
        prop_assert_eq!(trimmed(&effective(&after, case.variable)), trimmed(&format!("{before} {added}")));
        let is_new = |entry: &Value| entry["name"] == "NEW" && entry["value"] == "1";
        prop_assert!(environment_of(&after).iter().any(is_new));
    }

    #[test]
    fn another_entry_in_between_stays_where_it_is(case in cases(), at in any::<prop::sample::Index>()) {
        let new = json!({"name": "NEW", "value": "1"});
        let mut edited = injected(&case.before, case.variable);
        let list = container(&mut edited)["env"].as_array_mut().unwrap();
        list.insert(at.index(list.len() + 1), new.clone());
        let mut after = restored(&edited);
        let list = container(&mut after)["env"].as_array_mut().unwrap();
        let position = list.iter().position(|entry| *entry == new).unwrap();
        list.remove(position);
        if list.is_empty() && environment_of(&case.before).is_empty() && container(&mut case.before.clone())["env"].is_null() {
            container(&mut after).as_object_mut().unwrap().remove("env");
        }
        prop_assert_eq!(normalized(after), normalized(case.before));
    }

    /// Somebody puts back what was there before and leaves the record, as a tool does that applies its source with force.
    #[test]
    fn what_somebody_has_put_back_stays(case in cases()) {
        let mut reverted = injected(&case.before, case.variable);
        let former = container(&mut case.before.clone()).clone();
        *container(&mut reverted) = former;
        prop_assert_eq!(normalized(restored(&reverted)), normalized(case.before));
    }
}

#[test]
fn no_value_of_the_variable_is_in_the_record() {
    let before = deployment(Some(json!([{"name": VARIABLE, "value": "-Dpassword=geheim"}])), None);
    let during = injected(&before, VARIABLE);
    assert!(!during["metadata"].to_string().contains("geheim"));
}

#[test]
fn somebody_took_the_flag_out_already() {
    let before = deployment(Some(json!([{"name": VARIABLE, "value": "-Da=1"}])), Some(json!({})));
    let mut reverted = injected(&before, VARIABLE);
    container(&mut reverted)["env"][0]["value"] = json!("-Da=2");
    let after = restored(&reverted);
    assert_eq!(environment_of(&after)[0]["value"], "-Da=2");
    assert!(after["metadata"]["annotations"].get(ANNOTATION).is_none());
}

/// What an entry that was moved becomes when somebody has edited around it.
#[test]
fn a_moved_entry_after_edits_of_others() {
    let source = json!({"secretKeyRef": {"name": "s", "key": "k"}});
    let before = deployment(Some(json!([{"name": VARIABLE, "valueFrom": source}])), Some(json!({})));
    let during = injected(&before, VARIABLE);
    let saved = format!("TLSDEBUG_SAVED_{VARIABLE}");
    assert_eq!(
        environment_of(&during),
        [
            json!({"name": saved, "valueFrom": source}),
            json!({"name": VARIABLE, "value": format!("$({saved}) {FLAG}")})
        ]
    );
    let after = |environment: Value| {
        let mut edited = during.clone();
        container(&mut edited)["env"] = environment;
        environment_of(&restored(&edited))
    };
    let moved = json!({"name": saved, "valueFrom": source});
    let own = json!({"name": VARIABLE, "valueFrom": source});
    // The flag was taken out by hand: the entry comes back.
    let by_hand = json!({"name": VARIABLE, "value": format!("$({saved})")});
    assert_eq!(after(json!([moved, by_hand])), std::slice::from_ref(&own));
    // The variable was set to something else, or removed: that counts.
    let literal = json!({"name": VARIABLE, "value": "-Da=1"});
    assert_eq!(after(json!([moved, literal])), [literal]);
    assert_eq!(after(json!([moved])), Vec::<Value>::new());
    // Only the moved entry was removed: what referred to it would be text.
    let written = json!({"name": VARIABLE, "value": format!("$({saved}) {FLAG}")});
    assert_eq!(after(json!([written])), Vec::<Value>::new());
    // Another entry has come to refer to it.
    let other = json!({"name": "OTHER", "value": format!("x $({saved})")});
    let literal = json!({"name": VARIABLE, "value": "-Da=1"});
    assert_eq!(after(json!([moved, literal, other])), [moved.clone(), literal, other]);
    // Their order was changed.
    assert_eq!(after(json!([written, moved])), [own]);
}

#[test]
fn the_patch_fails_when_the_spec_has_moved() {
    let before = deployment(None, None);
    let injection = planned(&before, VARIABLE, &config_maps()).unwrap();
    let mut moved = before.clone();
    moved["metadata"]["generation"] = json!(4);
    let untouched = moved.clone();
    assert!(json_patch::patch(&mut moved, &injection.patch).is_err());
    assert_eq!(moved, untouched);
}

fn refused(object: &Value, container: Option<&'static str>) -> &'static str {
    let config_maps = ConfigMapKeys::from([("unreadable".to_owned(), None)]);
    let request = Request {
        session: SessionReference {
            namespace: "demo".into(),
            name: "s".into(),
            uid: "s-2".into(),
        },
        container,
        variable: VARIABLE,
        flag: FLAG,
        owner: RecordOwner::Operator,
        deadline: "2026-01-01T00:00:00Z".into(),
        config_maps: &config_maps,
    };
    let refusal = inject::plan(&view(object), &request).unwrap_err();
    assert!(refusal.message.contains("orders"), "{}", refusal.message);
    refusal.reason
}

#[test]
fn refusals_name_the_object_and_the_way_out() {
    let several = workload(
        TargetKind::Deployment,
        &json!({"name": "msr", "image": "msr:1"}),
        None,
        Beside::Sidecar,
    );
    assert_eq!(refused(&several, None), "ContainerNotNamed");
    assert_eq!(refused(&several, Some("java")), "ContainerNotFound");
    let with = |change: &dyn Fn(&mut Value)| {
        let mut object = deployment(Some(json!([])), None);
        change(&mut object);
        refused(&object, None)
    };
    assert_eq!(with(&|object| object["spec"]["paused"] = json!(true)), "TargetIsPaused");
    assert_eq!(with(&|object| object["spec"]["replicas"] = json!(0)), "NoReplicas");
    assert_eq!(
        with(&|object| object["status"]["updatedReplicas"] = json!(0)),
        "RolloutInProgress"
    );
    let entry = |source: Value| json!([{"name": VARIABLE, "valueFrom": source}]);
    let optional = entry(json!({"configMapKeyRef": {"name": "c", "key": "k", "optional": true}}));
    assert_eq!(
        with(&|object| container(object)["env"] = optional.clone()),
        "VariableIsOptional"
    );
    let unknown = entry(json!({"fileKeyRef": {"path": "p", "key": "k", "volumeName": "v"}}));
    assert_eq!(
        with(&|object| container(object)["env"] = unknown.clone()),
        "VariableFromUnknownSource"
    );
    for (source, reason) in [
        (json!([{"secretRef": {"name": "s"}}]), "VariableMayBeInSecret"),
        (json!([{"configMapRef": {"name": "unreadable"}}]), "ConfigMapUnreadable"),
    ] {
        assert_eq!(with(&|object| container(object)["envFrom"] = source.clone()), reason);
    }
    let owner = json!([{"apiVersion": "x/v1", "kind": "Msr", "name": "parent", "uid": "p", "controller": true}]);
    assert_eq!(
        with(&|object| object["metadata"]["ownerReferences"] = owner.clone()),
        "TargetIsControlled"
    );
}

#[test]
fn controllers_that_would_not_bring_the_flag_to_every_pod_are_refused() {
    let of_kind = |kind, change: &dyn Fn(&mut Value)| {
        let mut object = workload(kind, &json!({"name": "msr"}), None, Beside::Nothing);
        change(&mut object);
        refused(&object, None)
    };
    let on_delete = |object: &mut Value| object["spec"]["updateStrategy"] = json!({"type": "OnDelete"});
    assert_eq!(of_kind(TargetKind::StatefulSet, &on_delete), "TargetUpdatesOnDelete");
    assert_eq!(of_kind(TargetKind::DaemonSet, &on_delete), "TargetUpdatesOnDelete");
    let partition = |object: &mut Value| {
        object["spec"]["updateStrategy"] = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 1}});
    };
    assert_eq!(of_kind(TargetKind::StatefulSet, &partition), "TargetIsPartitioned");
    let not_ready = |object: &mut Value| object["status"]["availableReplicas"] = json!(0);
    assert_eq!(of_kind(TargetKind::StatefulSet, &not_ready), "PodsNotReady");
    let rolling = |object: &mut Value| {
        object["status"]["updateRevision"] = json!("r-2");
        not_ready(object);
    };
    assert_eq!(of_kind(TargetKind::StatefulSet, &rolling), "RolloutInProgress");
    let nowhere = |object: &mut Value| object["status"]["desiredNumberScheduled"] = json!(0);
    assert_eq!(of_kind(TargetKind::DaemonSet, &nowhere), "NoReplicas");
}

#[test]
fn an_annotation_that_is_no_record_is_not_written_over() {
    let mut object = deployment(None, None);
    object["metadata"]["annotations"] = json!({"tlsdebug.io/injection": "{\"of\": \"a later version\"}"});
    assert_eq!(refused(&object, None), "RecordUnreadable");
}

#[test]
fn a_workload_of_another_session_is_in_use() {
    let during = injected(&deployment(None, None), VARIABLE);
    assert_eq!(refused(&during, None), "TargetInUse");
}
