//! What the API server admits: every case goes through the CEL rules here, and through a real API server as well
//! (`tests/apiserver.sh cargo test --test it -- --ignored`), which also holds the bounds and enumerations.

use std::{env, path::Path};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api, Client, Config,
    api::{DynamicObject, Patch, PatchParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
    core::cel::Validator,
    discovery::ApiResource,
    runtime::{conditions::is_crd_established, wait::await_condition},
};
use serde_json::{Value, json};
use tlsdebug::session::definition::definition;

/// Who refuses: the local evaluation knows only the rules.
#[derive(Clone, Copy, PartialEq)]
enum By {
    Rule,
    Schema,
}

struct Case {
    what: String,
    old: Option<Value>,
    new: Value,
    /// Who refuses it and a part of the answer; None: admitted.
    refused: Option<(By, &'static str)>,
}

fn deployment() -> Value {
    json!({"target": {"kind": "Deployment", "name": "orders"}})
}

/// The spec with some fields set, or taken away by a null.
fn with(mut spec: Value, fields: &Value) -> Value {
    json_patch::merge(&mut spec, fields);
    spec
}

fn create(fields: &Value, refused: Option<(By, &'static str)>) -> Case {
    Case {
        what: format!("create with {fields}"),
        old: None,
        new: with(deployment(), fields),
        refused,
    }
}

fn update(old: &Value, new: &Value, refused: Option<&'static str>) -> Case {
    Case {
        what: format!("update of {old} to {new}"),
        old: Some(with(deployment(), old)),
        new: with(deployment(), new),
        refused: refused.map(|message| (By::Rule, message)),
    }
}

#[allow(clippy::too_many_lines, reason = "a table")]
fn creations() -> Vec<Case> {
    use By::{Rule, Schema};
    let pod = json!({"kind": "Pod", "name": "orders-0"});
    vec![
        create(&json!({}), None),
        create(&json!({"target": {"kind": "StatefulSet"}}), None),
        create(&json!({"target": {"kind": "Job"}}), Some((Schema, "Unsupported value"))),
        create(&json!({"target": {"name": ""}}), Some((Schema, "at least 1 chars"))),
        create(&json!({"target": {"name": null}}), Some((Schema, "Required value"))),
        create(&json!({"target": pod}), None),
        create(&json!({"target": pod, "strategy": "Clone"}), None),
        create(
            &json!({"target": pod, "strategy": "Rollout"}),
            Some((Rule, "no controller that could roll it")),
        ),
        create(&json!({"strategy": "Rollout"}), None),
        create(&json!({"strategy": "Restart"}), Some((Schema, "Unsupported value"))),
        create(
            &json!({"receiveTraffic": true}),
            Some((Rule, "receiveTraffic is for strategy Clone")),
        ),
        create(
            &json!({"receiveTraffic": true, "strategy": "Rollout"}),
            Some((Rule, "receiveTraffic is for strategy Clone")),
        ),
        create(&json!({"receiveTraffic": true, "strategy": "Clone"}), None),
        create(&json!({"receiveTraffic": true, "target": pod}), None),
        create(&json!({"variable": "JAVA_TOOL_OPTIONS"}), None),
        create(&json!({"variable": "LD_PRELOAD"}), Some((Schema, "Unsupported value"))),
        create(&json!({"debug": ["ssl"]}), None),
        create(&json!({"debug": ["sni", "respmgr", "ssl", "trustmanager"]}), None),
        create(&json!({"debug": []}), Some((Schema, "at least 1 items"))),
        create(&json!({"debug": ["handshake"]}), Some((Rule, "debug must hold ssl"))),
        create(&json!({"debug": ["ssl", "ssl"]}), Some((Schema, "Duplicate value"))),
        create(&json!({"debug": ["ssl", "all"]}), Some((Schema, "Unsupported value"))),
        create(
            &json!({"debug": ["ssl", "plaintext"]}),
            Some((Schema, "Unsupported value")),
        ),
        create(
            &json!({"debug": ["ssl", "packet"]}),
            Some((Schema, "Unsupported value")),
        ),
        create(&json!({"debug": ["ssl", "data"]}), Some((Schema, "Unsupported value"))),
        create(
            &json!({"debug": ["ssl", "keygen"]}),
            Some((Schema, "Unsupported value")),
        ),
        create(
            &json!({"debug": ["ssl -XX:OnError=id"]}),
            Some((Schema, "Unsupported value")),
        ),
        create(&json!({"duration": "30s"}), None),
        create(&json!({"duration": "8h"}), None),
        create(&json!({"duration": "1h30m10s"}), None),
        create(
            &json!({"duration": "29s"}),
            Some((Rule, "duration must be from 30s to 8h")),
        ),
        create(
            &json!({"duration": "8h1s"}),
            Some((Rule, "duration must be from 30s to 8h")),
        ),
        create(
            &json!({"duration": ""}),
            Some((Rule, "duration must be from 30s to 8h")),
        ),
        create(
            &json!({"duration": "-5m"}),
            Some((Rule, "duration must be from 30s to 8h")),
        ),
        create(
            &json!({"duration": "5 minutes"}),
            Some((Rule, "duration must be from 30s to 8h")),
        ),
        create(
            &json!({"duration": "1.5h"}),
            Some((Rule, "duration must be from 30s to 8h")),
        ),
        create(
            &json!({"duration": "ten minutes"}),
            Some((Rule, "duration must be from 30s to 8h")),
        ),
        create(
            &json!({"duration": "9999999999999999999h"}),
            Some((Rule, "duration must be from 30s to 8h")),
        ),
        // The longest that the expression lets through to CEL's conversion.
        create(
            &json!({"duration": "999999h999999m999999s"}),
            Some((Rule, "duration must be from 30s to 8h")),
        ),
        create(&json!({"duration": 600}), Some((Schema, "must be of type string"))),
        create(&json!({"progressDeadline": "1m"}), None),
        create(&json!({"progressDeadline": "2h"}), None),
        create(
            &json!({"progressDeadline": "59s"}),
            Some((Rule, "progressDeadline must be from 1m to 2h")),
        ),
        create(
            &json!({"progressDeadline": "2h1s"}),
            Some((Rule, "progressDeadline must be from 1m to 2h")),
        ),
        create(&json!({"ttlAfterFinished": "0s"}), None),
        create(&json!({"ttlAfterFinished": "720h"}), None),
        create(
            &json!({"ttlAfterFinished": "720h1s"}),
            Some((Rule, "ttlAfterFinished must be from 0s to 720h")),
        ),
        create(&json!({"match": {"serverNames": ["*.bank.example"]}}), None),
        create(
            &json!({"match": {"serverNames": []}}),
            Some((Schema, "at least 1 items")),
        ),
        create(
            &json!({"match": {"serverNames": ["bank example"]}}),
            Some((Rule, "serverNames are names of servers")),
        ),
        create(&json!({"match": {}}), Some((Schema, "Required value"))),
        create(&json!({"peer": {"kind": "Deployment", "name": "bank"}}), None),
        create(
            &json!({"peer": {"kind": "StatefulSet", "name": "orders", "container": "main"}}),
            None,
        ),
        create(
            &json!({"peer": {"kind": "Deployment", "name": "orders"}}),
            Some((By::Rule, "another workload than target")),
        ),
        create(
            &json!({"peer": {"kind": "Pod", "name": "bank-0"}, "strategy": "Rollout"}),
            Some((By::Rule, "peer.kind Pod has no controller")),
        ),
        create(&json!({"peer": {"kind": "Pod", "name": "bank-0"}}), None),
        create(
            &json!({"peer": {"kind": "Job", "name": "bank"}}),
            Some((Schema, "Unsupported value")),
        ),
        create(&json!({"stopWhen": "FirstFailure"}), None),
        create(&json!({"stopWhen": "Never"}), Some((Schema, "Unsupported value"))),
        create(&json!({"maxPods": 20}), None),
        create(&json!({"maxPods": 0}), Some((Schema, "greater than or equal to 1"))),
        create(&json!({"maxPods": 21}), Some((Schema, "less than or equal to 20"))),
        create(&json!({"maxLogBytes": 17_179_869_184_u64}), None),
        create(
            &json!({"maxLogBytes": 1024}),
            Some((Schema, "greater than or equal to")),
        ),
    ]
}

/// For each field: from unset to a value, from one value to another, from a value to unset.
#[allow(clippy::too_many_lines, reason = "a table")]
fn updates() -> Vec<Case> {
    let fields = [
        ("strategy", json!("Rollout"), json!("Clone"), "strategy is immutable"),
        (
            "variable",
            json!("JDK_JAVA_OPTIONS"),
            json!("JAVA_TOOL_OPTIONS"),
            "variable is immutable",
        ),
        ("debug", json!(["ssl"]), json!(["ssl", "sni"]), "debug is immutable"),
        ("duration", json!("1m"), json!("2m"), "duration is immutable"),
        (
            "progressDeadline",
            json!("1m"),
            json!("2m"),
            "progressDeadline is immutable",
        ),
        (
            "match",
            json!({"serverNames": ["a"]}),
            json!({"serverNames": ["a", "b"]}),
            "match is immutable",
        ),
        (
            "peer",
            json!({"kind": "Deployment", "name": "bank"}),
            json!({"kind": "Deployment", "name": "shop"}),
            "peer is immutable",
        ),
        ("maxPods", json!(1), json!(2), "maxPods is immutable"),
        (
            "maxLogBytes",
            json!(1_048_576),
            json!(2_097_152),
            "maxLogBytes is immutable",
        ),
        (
            "ttlAfterFinished",
            json!("1h"),
            json!("2h"),
            "ttlAfterFinished is immutable",
        ),
    ];
    let mut cases = Vec::new();
    for (field, one, other, message) in fields {
        let unset = json!({});
        let (one, other) = (json!({ field: one }), json!({ field: other }));
        cases.push(update(&one, &one, None));
        cases.push(update(&unset, &one, Some(message)));
        cases.push(update(&one, &other, Some(message)));
        cases.push(update(&one, &unset, Some(message)));
    }
    let clone = json!({"strategy": "Clone"});
    let traffic = json!({"strategy": "Clone", "receiveTraffic": true});
    let container = json!({"target": {"container": "msr"}});
    cases.extend([
        update(
            &json!({}),
            &json!({"target": {"name": "other"}}),
            Some("target is immutable"),
        ),
        update(
            &json!({}),
            &json!({"target": {"kind": "StatefulSet"}}),
            Some("target is immutable"),
        ),
        update(&json!({}), &container, Some("target is immutable")),
        update(&container, &json!({}), Some("target is immutable")),
        update(&clone, &traffic, Some("receiveTraffic is immutable")),
        update(&traffic, &clone, Some("receiveTraffic is immutable")),
        update(
            &json!({}),
            &json!({"stopWhen": "FirstFailure"}),
            Some("stopWhen is immutable"),
        ),
        update(
            &json!({"stopWhen": "FirstFailure"}),
            &json!({}),
            Some("stopWhen is immutable"),
        ),
        update(
            &json!({}),
            &json!({"allowKeyMaterial": true}),
            Some("allowKeyMaterial is immutable"),
        ),
        update(
            &json!({"allowKeyMaterial": true}),
            &json!({}),
            Some("allowKeyMaterial is immutable"),
        ),
        update(&json!({}), &json!({"stop": true}), None),
        update(&json!({"stop": false}), &json!({"stop": true}), None),
        update(&json!({"stop": true}), &json!({"stop": true}), None),
        update(
            &json!({"stop": true}),
            &json!({"stop": false}),
            Some("stop only goes from false to true"),
        ),
        update(
            &json!({"stop": true}),
            &json!({}),
            Some("stop only goes from false to true"),
        ),
        // A default that is written out is no change.
        update(
            &json!({}),
            &json!({"duration": "15m", "maxPods": 3, "stopWhen": "Expired"}),
            None,
        ),
        update(
            &json!({"stop": false}),
            &json!({"stop": true, "duration": "1m"}),
            Some("duration is immutable"),
        ),
    ]);
    cases
}

/// The evaluation here compares lists; the API server knows that this one is a set.
fn reordered_set() -> Case {
    update(&json!({}), &json!({"debug": ["handshake", "ssl"]}), None)
}

fn object(name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "tlsdebug.io/v1alpha1", "kind": "TLSDebugSession", "metadata": {"name": name}, "spec": spec})
}

#[test]
fn rules_decide() {
    let definition = serde_json::to_value(definition()).expect("serializes");
    let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let validator = Validator::new();
    for case in creations().into_iter().chain(updates()) {
        let old = case.old.map(|spec| object("session", &spec));
        let answer = validator.validate_with_defaults(schema, &object("session", &case.new), old.as_ref());
        match (answer, case.refused) {
            (Ok(()), None) | (_, Some((By::Schema, _))) => {}
            (Err(errors), Some((By::Rule, message))) => {
                assert!(errors.to_string().contains(message), "{}: {errors}", case.what);
                assert_eq!(errors.len(), 1, "{}: {errors}", case.what);
            }
            (Ok(()), Some(_)) => panic!("{}: admitted", case.what),
            (Err(errors), None) => panic!("{}: {errors}", case.what),
        }
    }
}

#[test]
fn name_fits_a_label() {
    let definition = serde_json::to_value(definition()).expect("serializes");
    let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let validate =
        |length| Validator::new().validate_with_defaults(schema, &object(&"a".repeat(length), &deployment()), None);
    assert!(validate(63).is_ok());
    assert!(validate(64).is_err());
    let both_ends = with(deployment(), &json!({"peer": {"kind": "Deployment", "name": "bank"}}));
    let validate =
        |length| Validator::new().validate_with_defaults(schema, &object(&"a".repeat(length), &both_ends), None);
    assert!(validate(58).is_ok());
    assert!(validate(59).is_err());
}

async fn client() -> Client {
    let file = env::var_os("TLSDEBUG_APISERVER").expect("run this through tests/apiserver.sh");
    let kubeconfig = Kubeconfig::read_from(Path::new(&file)).expect("a kubeconfig");
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    Client::try_from(config.expect("a usable kubeconfig")).expect("a client")
}

#[tokio::test]
#[ignore = "needs an API server: tests/apiserver.sh cargo test --test it -- --ignored"]
async fn api_server_decides_alike() {
    let client = client().await;
    let definitions = Api::<CustomResourceDefinition>::all(client.clone());
    let name = "tlsdebugsessions.tlsdebug.io";
    // Server-side apply with strict field validation: the API server names what it does not know.
    let parameters = PatchParams {
        field_validation: Some(kube::api::ValidationDirective::Strict),
        ..PatchParams::apply("test")
    };
    let applied = definitions
        .patch(name, &parameters, &Patch::Apply(definition()))
        .await
        .expect("the API server takes it");
    await_condition(definitions, name, is_crd_established())
        .await
        .expect("established");
    let conditions = applied.status.and_then(|status| status.conditions).unwrap_or_default();
    assert!(
        conditions
            .iter()
            .all(|condition| condition.type_ != "NonStructuralSchema"),
        "{conditions:?}"
    );

    let resource = ApiResource::erase::<tlsdebug::session::TLSDebugSession>(&());
    let sessions = Api::<DynamicObject>::namespaced_with(client, "default", &resource);
    let dry_run = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    for (index, case) in creations()
        .into_iter()
        .chain(updates())
        .chain([reordered_set()])
        .enumerate()
    {
        let name = format!("case-{index}");
        let parse = |spec| serde_json::from_value::<DynamicObject>(object(&name, spec)).expect("an object");
        let answer = if let Some(old) = &case.old {
            let created = sessions
                .create(&PostParams::default(), &parse(old))
                .await
                .expect("the old one is admitted");
            let mut new = parse(&case.new);
            new.metadata.resource_version = created.metadata.resource_version;
            sessions.replace(&name, &dry_run, &new).await
        } else {
            sessions.create(&dry_run, &parse(&case.new)).await
        };
        match (answer, case.refused) {
            (Ok(_), None) => {}
            (Err(kube::Error::Api(status)), Some((by, message))) => {
                assert_eq!(status.code, 422, "{}: {}", case.what, status.message);
                assert!(status.message.contains(message), "{}: {}", case.what, status.message);
                if by == By::Rule {
                    let causes = status.details.map_or(0, |details| details.causes.len());
                    assert_eq!(causes, 1, "{}: {}", case.what, status.message);
                }
            }
            (Ok(_), Some(_)) => panic!("{}: admitted", case.what),
            (Err(error), _) => panic!("{}: {error}", case.what),
        }
    }
}
