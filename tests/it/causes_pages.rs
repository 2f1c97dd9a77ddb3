//! `docs/causes/`: one page for each cause, written from the catalogue.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use tlsdebug::diagnosis::catalogue::{ALL, Cause, Fault};

const REWRITE: &str = "UPDATE_DOCS=1 cargo test --test it causes_pages writes docs/causes anew";

fn page(cause: &Cause) -> String {
    let who = match cause.fault {
        Fault::Client => "At the client.",
        Fault::Server => "At the server.",
        Fault::Both => "At either end: whichever gives way settles it.",
        Fault::Network => "Between the ends, as a rule.",
        Fault::Unknown => "The log of this end cannot tell; the other end's log can.",
    };
    let mut page = format!(
        "# {}: {}\n\n{}\n\n## Where to act\n\n{who}\n",
        cause.id, cause.title, cause.meaning
    );
    for (heading, items) in [("How a log shows it", cause.signs), ("What to do", cause.remedies)] {
        write!(page, "\n## {heading}\n\n").unwrap();
        for item in items {
            // A placeholder in angle brackets would be taken for HTML.
            writeln!(page, "* {}", item.replace('<', "\\<")).unwrap();
        }
    }
    page
}

fn index() -> String {
    let mut index =
        "# Causes\n\nWhat `tlsdebug diagnose` and a session's status can name.\n\n| cause | |\n|---|---|\n".to_owned();
    for cause in ALL {
        writeln!(index, "| [{0}]({0}.md) | {1} |", cause.id, cause.title).unwrap();
    }
    index
}

fn pages() -> Vec<(String, String)> {
    let causes = ALL.iter().map(|cause| (format!("{}.md", cause.id), page(cause)));
    std::iter::once(("README.md".to_owned(), index()))
        .chain(causes)
        .collect()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/causes")
}

#[test]
fn the_pages_are_those_of_the_catalogue() {
    let pages = pages();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let _ = fs::remove_dir_all(folder());
        fs::create_dir_all(folder()).unwrap();
        for (name, text) in &pages {
            fs::write(folder().join(name), text).unwrap();
        }
    }
    for (name, text) in &pages {
        let stored = fs::read_to_string(folder().join(name)).unwrap_or_default();
        assert_eq!(stored, *text, "docs/causes/{name}: {REWRITE}");
    }
    let stored = fs::read_dir(folder()).unwrap().count();
    assert_eq!(stored, pages.len(), "a page without a cause: {REWRITE}");
}
