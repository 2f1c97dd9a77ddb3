//! The definition in `crds/`.

use std::{env, fs, path::Path};

use tlsdebug::cli;
use tlsdebug::session::definition::definition;

#[test]
fn definition_is_the_generated_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = root.join("crds/tlsdebugsessions.tlsdebug.io.yaml");
    let generated = cli::crd::yaml().expect("the definition serializes");
    if env::var_os("UPDATE_CRDS").is_some() {
        fs::write(&file, &generated).expect("crds/ is writable");
    }
    let stored = fs::read_to_string(&file).expect("the definition is in crds/");
    assert!(
        stored == generated,
        "crds/ is not what the types in src/session say; write it anew with UPDATE_CRDS=1 cargo test --test it crd"
    );
}

#[test]
fn every_field_of_the_spec_is_immutable_but_stop() {
    let definition = definition();
    let schema = definition.spec.versions[0]
        .schema
        .as_ref()
        .and_then(|schema| schema.open_api_v3_schema.as_ref());
    let spec = &schema.and_then(|schema| schema.properties.as_ref()).expect("a schema")["spec"];
    let rules = spec.x_kubernetes_validations.as_ref().expect("rules");
    for field in spec.properties.iter().flat_map(|properties| properties.keys()) {
        let message = format!("{field} is immutable: create a new session");
        let is_immutable = rules.iter().any(|rule| rule.message.as_ref() == Some(&message));
        assert_eq!(is_immutable, field != "stop", "{field}");
    }
}
