//! Data flows downwards: the engine knows nothing of the cluster.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(under: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(under).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn the_engine_never_mentions_kube_or_tokio() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for room in ["log", "handshake", "diagnosis", "render", "wrapper_conf"] {
        found.push(src.join(format!("{room}.rs")));
        sources(&src.join(room), &mut found);
    }
    assert!(found.len() > 40);
    for path in found {
        let text = fs::read_to_string(&path).unwrap();
        for word in [
            "kube::",
            "k8s_openapi",
            "tokio",
            "crate::operator",
            "crate::session",
            "crate::workload",
        ] {
            assert!(!text.contains(word), "{} mentions {word}", path.display());
        }
    }
}
