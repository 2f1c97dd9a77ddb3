//! What is said in several files is said alike.

use std::collections::BTreeSet;
use std::{fs, path::Path};

use serde::Deserialize;
use serde_json::Value;
use tlsdebug::operator::rights::OF_OPERATOR;
use tlsdebug::session::TLSDebugSession;

fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"))
}

#[test]
fn chart_and_image_have_the_version_of_the_program() {
    let chart: Value = serde_norway::from_str(&read("charts/tlsdebug/Chart.yaml")).expect("YAML");
    assert_eq!(chart["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
    assert!(read("Dockerfile").contains(concat!("\nARG VERSION=", env!("CARGO_PKG_VERSION"), "\n")));
}

#[test]
fn image_is_built_by_the_toolchain_of_the_checkout() {
    let toolchain = read("rust-toolchain.toml");
    let channel = toolchain
        .lines()
        .find_map(|line| line.strip_prefix("channel = "))
        .expect("a channel")
        .trim_matches('"');
    let dockerfile = read("Dockerfile");
    assert!(
        dockerfile.contains(&format!("FROM rust:{channel}-")),
        "not the image of Rust {channel}"
    );
    assert!(
        dockerfile.contains(&format!("RUSTUP_TOOLCHAIN={channel} ")),
        "not the toolchain {channel}"
    );
}

/// The session that a text shows, indented by `indent`, up to the first empty line.
fn session_in(text: &str, indent: &str) -> TLSDebugSession {
    let start = format!("{indent}apiVersion: tlsdebug.io/v1alpha1");
    let yaml: Vec<&str> = text
        .lines()
        .skip_while(|line| *line != start)
        .map_while(|line| line.strip_prefix(indent))
        .take_while(|line| !line.is_empty())
        .collect();
    serde_norway::from_str(&yaml.join("\n")).expect("a session")
}

#[test]
fn sessions_that_are_shown_are_sessions() {
    let readme = session_in(&read("README.md"), "    ");
    assert_eq!(readme.spec.target.name, "orders-msr");
    assert_eq!(readme.spec.duration, "10m");
    let notes = session_in(&read("charts/tlsdebug/templates/NOTES.txt"), "  ");
    assert_eq!(notes.spec.duration, "10m");
    session_in(&read("examples/session.yaml"), "");
}

#[test]
fn the_check_asks_for_the_rights_that_the_chart_gives() {
    let rights = |group: &str, resource: &str, verbs: Vec<&str>| -> Vec<String> {
        verbs.iter().map(|verb| format!("{group} {resource} {verb}")).collect()
    };
    let asked: BTreeSet<String> = OF_OPERATOR
        .iter()
        .flat_map(|right| rights(right.group, &right.name(), right.verbs.to_vec()))
        .collect();

    let rendered = read("tests/chart/default.yaml");
    let role = serde_norway::Deserializer::from_str(&rendered)
        .map(|document| Value::deserialize(document).expect("YAML"))
        .find(|object| object["kind"] == "ClusterRole" && object["metadata"]["name"] == "release-tlsdebug")
        .expect("the operator's role");
    let texts = |list: &Value| -> Vec<String> { serde_json::from_value(list.clone()).expect("texts") };
    let mut given = BTreeSet::new();
    for rule in role["rules"].as_array().expect("rules") {
        let verbs = texts(&rule["verbs"]);
        for group in texts(&rule["apiGroups"]) {
            for resource in texts(&rule["resources"]) {
                given.extend(rights(&group, &resource, verbs.iter().map(String::as_str).collect()));
            }
        }
    }
    let of_some_sessions = [
        " pods delete",
        "admissionregistration.k8s.io validatingadmissionpolicies get",
        "admissionregistration.k8s.io validatingadmissionpolicybindings get",
    ];
    for right in of_some_sessions {
        assert!(given.remove(right), "{right:?} is not in {given:?}");
    }
    assert_eq!(asked, given);
}
