//! What people see of a session: columns, explanations, conditions and events.

use kube::ResourceExt;
use serde_json::json;
use tlsdebug::session::Phase;
use tlsdebug::session::conditions::ConditionType;

use crate::support::sessions::condition;
use crate::support::workloads::literal;
use crate::support::{Scenario, scenario};

/// The lines of `kubectl get` with what is different in every run replaced.
fn table(scenario: &Scenario, arguments: &[&str]) -> String {
    let text = scenario.kubectl(&[&["get", "tds"], arguments].concat()).done();
    let time = regex::Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ").unwrap();
    let age = regex::Regex::new(r" \d+[smh]\S* ").unwrap();
    let blanks = regex::Regex::new(r" {2,}").unwrap();
    let line = |line: &str| {
        let line = age.replace(line.trim_end(), "  AGE  ").into_owned();
        blanks.replace_all(&time.replace_all(&line, "TIME"), " | ").into_owned()
    };
    let text = text.replace(&scenario.namespace, "NAMESPACE");
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Reasons and notes of the events on an object, of those that sessions write.
async fn events(scenario: &Scenario, kind: &str, name: &str) -> Vec<(String, String)> {
    let api =
        kube::Api::<k8s_openapi::api::events::v1::Event>::namespaced(scenario.client.clone(), &scenario.namespace);
    let mut events = api.list(&kube::api::ListParams::default()).await.unwrap().items;
    events.sort_by_key(|event| event.event_time.clone().map(|time| time.0));
    events
        .into_iter()
        .filter(|event| event.reporting_controller.as_deref() == Some("tlsdebug"))
        .filter(|event| {
            let regarding = event.regarding.as_ref();
            regarding.is_some_and(|object| (object.kind.as_deref(), object.name.as_deref()) == (Some(kind), Some(name)))
        })
        .map(|event| (event.reason.unwrap_or_default(), event.note.unwrap_or_default()))
        .collect()
}

#[test]
fn columns_conditions_and_events_over_a_life() {
    scenario("status", async |scenario| {
        scenario.deployed("orders", &literal()).await;
        scenario.create_session("running", "orders", &json!({}));
        let status = scenario.reached("running", Phase::Capturing).await;
        for (kind, wanted, reason) in [
            (ConditionType::Accepted, "True", "Valid"),
            (ConditionType::Injected, "True", "FlagInTemplate"),
            (ConditionType::Capturing, "True", "ReadingLogs"),
            (ConditionType::TemplateRestored, "False", "FlagInTemplate"),
            (ConditionType::Restored, "False", "FlagInTemplate"),
        ] {
            let condition = condition(&status, kind);
            assert_eq!((condition.status.as_str(), condition.reason.as_str()), (wanted, reason));
            assert_eq!(condition.observed_generation, Some(1));
        }
        let injection = json!(status.injection);
        assert!(
            !injection.to_string().contains("-Da=1"),
            "a value of the variable is in the status: {injection}"
        );
        scenario.create_session("refused", "ordres", &json!({}));
        scenario.finished("refused").await;
        // The counts come with the first look after a stream is open.
        scenario
            .status_with("running", "to count", |status| status.handshakes.is_some())
            .await;
        insta::assert_snapshot!(table(scenario, &[]), @r#"
        NAME | PHASE | TARGET | CAUSE | EXPIRES | AGE | SUMMARY
        refused | Failed | ordres | TargetNotFound | AGE | There is no Deployment "ordres" in namespace "NAMESPACE". Look with kubectl get deployments -n NAMESPACE, and create a new session with the right spec.target.name.
        running | Capturing | orders | TIME | AGE | Reading; no handshake has failed so far.
        "#);
        insta::assert_snapshot!(table(scenario, &["--output", "wide", "running"]), @r"
        NAME | PHASE | TARGET | CAUSE | EXPIRES | AGE | FAILED | VERDICT | SUMMARY
        running | Capturing | orders | TIME | AGE | 0 | Reading; no handshake has failed so far.
        ");

        scenario.stop_session("running");
        let status = scenario.finished("running").await;
        for (kind, wanted, reason) in [
            (ConditionType::Accepted, "True", "Valid"),
            (ConditionType::Injected, "False", "FlagRemoved"),
            (ConditionType::Capturing, "False", "Stopped"),
            (ConditionType::Diagnosed, "False", "NoDebugOutput"),
            (ConditionType::TemplateRestored, "True", "TemplateRestored"),
            (ConditionType::Restored, "True", "Restored"),
        ] {
            let condition = condition(&status, kind);
            assert_eq!((condition.status.as_str(), condition.reason.as_str()), (wanted, reason));
        }
        // The second session's events are its own, though they say the same of the same workload.
        scenario.create_session("second", "orders", &json!({}));
        scenario.reached("second", Phase::Capturing).await;
        scenario.stop_session("second");
        scenario.finished("second").await;

        let life = ["TLSDebugOn", "TLSDebugCapturing", "TLSDebugOff", "TLSDebugCompleted"];
        for session in ["running", "second"] {
            let reasons = |events: Vec<(String, String)>| -> Vec<String> {
                let own = events
                    .into_iter()
                    .filter(|(_, note)| note.starts_with(&format!("Session {session}")));
                own.map(|(reason, _)| reason).collect()
            };
            // The event comes after the status.
            scenario
                .eventually("the events of a whole life", async || {
                    let on_session = reasons(events(scenario, "TLSDebugSession", session).await);
                    let on_workload = reasons(events(scenario, "Deployment", "orders").await);
                    (on_session == life && on_workload == life).then_some(())
                })
                .await;
        }
        let refused = events(scenario, "TLSDebugSession", "refused").await;
        assert_eq!(refused.len(), 1, "{refused:?}");
        assert_eq!(refused[0].0, "TargetNotFound");
        // Not more is written than there is to say.
        let writes = scenario.counter("status_writes");
        assert!(writes <= 2 * 12, "{writes} status writes for two lives");
        assert!(scenario.session("running").await.unwrap().finalizers().is_empty());
    });
}

#[test]
fn every_field_of_the_spec_is_explained() {
    scenario("explain", async |scenario| {
        for field in [
            "spec",
            "spec.target",
            "spec.target.kind",
            "spec.target.name",
            "spec.target.container",
            "spec.strategy",
            "spec.receiveTraffic",
            "spec.variable",
            "spec.debug",
            "spec.duration",
            "spec.progressDeadline",
            "spec.match",
            "spec.match.serverNames",
            "spec.stopWhen",
            "spec.stop",
            "spec.maxPods",
            "spec.maxLogBytes",
            "spec.allowKeyMaterial",
            "spec.ttlAfterFinished",
            "status",
            "status.phase",
            "status.cause",
            "status.findings",
            "status.restoreCommand",
        ] {
            let text = scenario.kubectl(&["explain", &format!("tds.{field}")]).done();
            let description = text
                .split_once("DESCRIPTION:")
                .map(|(_, text)| text.trim())
                .unwrap_or_default();
            let is_explained = description.len() > 10 && !description.starts_with("<empty>");
            assert!(is_explained, "{field} is not explained: {text}");
        }
    });
}
