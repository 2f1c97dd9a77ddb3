//! The definition in `crds/`.

use std::{env, fs, path::Path};

use tlsdebug::cli;

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
