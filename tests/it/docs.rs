//! What the documentation shows is what there is: generated pages, quoted lines of logs, output of commands, and command
//! lines that the program takes. `UPDATE_DOCS=1` writes what is generated anew.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{JSONSchemaProps, JSONSchemaPropsOrArray};
use tlsdebug::session::definition::definition;

fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

fn read(file: &str) -> String {
    fs::read_to_string(path(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Compares a generated text with the file that holds it.
fn holds(file: &str, text: &str) {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path(file), text).unwrap();
    }
    let stored = fs::read_to_string(path(file)).unwrap_or_default();
    assert!(
        stored == text,
        "{file} is out of date: UPDATE_DOCS=1 cargo test --test it docs"
    );
}

/// The pages that people wrote.
fn pages() -> Vec<String> {
    let mut pages = vec!["README.md".to_owned(), "CONTRIBUTING.md".to_owned()];
    for entry in fs::read_dir(path("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if Path::new(&name).extension().is_some_and(|extension| extension == "md") {
            pages.push(format!("docs/{name}"));
        }
    }
    pages.sort();
    pages
}

/// The indented block after each line that begins with `mark`, with what stands in the mark.
fn marked<'a>(text: &'a str, mark: &str) -> Vec<(&'a str, Vec<&'a str>)> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(what) = line.strip_prefix(mark).and_then(|rest| rest.strip_suffix(" -->")) {
            let block: Vec<&str> = lines
                .by_ref()
                .take_while(|line| line.starts_with("    ") || line.is_empty())
                .collect();
            let end = block
                .iter()
                .rposition(|line| !line.is_empty())
                .map_or(0, |last| last + 1);
            found.push((
                what,
                block[..end]
                    .iter()
                    .map(|line| line.get(4..).unwrap_or_default())
                    .collect(),
            ));
        }
    }
    found
}

#[test]
fn quoted_lines_are_in_their_logs_in_this_order() {
    let mut count = 0;
    for page in pages() {
        let text = read(&page);
        for (log, quoted) in marked(&text, "<!-- log: ") {
            let content = String::from_utf8_lossy(&fs::read(path("tests/logs").join(log)).unwrap()).into_owned();
            let mut lines = content.lines();
            for quote in quoted.iter().filter(|quote| **quote != "…") {
                let start = quote.trim_end_matches('…').trim_end();
                let is_whole = start.len() == quote.len();
                let is_it = |line: &str| {
                    if is_whole {
                        line.trim_end() == start
                    } else {
                        line.starts_with(start)
                    }
                };
                assert!(
                    lines.any(is_it),
                    "{page}: {log} has no line after the one before: {quote}"
                );
                count += 1;
            }
        }
    }
    assert!(count > 20, "only {count} lines are quoted");
}

#[test]
fn output_that_is_shown_is_what_is_printed() {
    for page in pages() {
        let text = read(&page);
        let mut written = text.clone();
        for (command, shown) in marked(&text, "<!-- run: ") {
            let words: Vec<&str> = command.split(' ').collect();
            let output = Command::cargo_bin(words[0])
                .unwrap()
                .current_dir(env!("CARGO_MANIFEST_DIR"))
                .args(&words[1..])
                .output()
                .unwrap();
            let printed = String::from_utf8(output.stdout).unwrap();
            let block = printed.lines().fold(String::new(), |mut block, line| {
                let _ = writeln!(block, "{}", format!("    {line}").trim_end());
                block
            });
            let old = shown.iter().fold(String::new(), |mut block, line| {
                let _ = writeln!(block, "{}", format!("    {line}").trim_end());
                block
            });
            let mark = format!("<!-- run: {command} -->\n");
            written = written.replace(&format!("{mark}{old}"), &format!("{mark}{block}"));
        }
        holds(&page, &written);
    }
}

#[test]
fn command_lines_that_are_shown_are_taken() {
    let mut count = 0;
    for page in pages() {
        for line in read(&page).lines() {
            let line = line.trim_start().trim_start_matches("$ ");
            let shown = line.rsplit(" | ").next().unwrap_or(line);
            let shown = shown.split(" > ").next().unwrap_or(shown);
            let words: Vec<&str> = if let Some(rest) = shown.strip_prefix("kubectl tlsdebug ") {
                rest.split_whitespace().collect()
            } else if let Some(rest) = shown.strip_prefix("tlsdebug ") {
                rest.split_whitespace().collect()
            } else {
                continue;
            };
            let known: Vec<String> = tlsdebug::cli::command()
                .get_subcommands()
                .map(|command| command.get_name().to_owned())
                .collect();
            // Prose that begins with the name is no command line.
            if !words
                .first()
                .is_some_and(|word| known.iter().any(|known| known == word) || word.starts_with("--"))
            {
                continue;
            }
            let words = words.iter().map(|word| word.trim_matches('\''));
            if let Err(error) = tlsdebug::cli::command().try_get_matches_from(["tlsdebug"].into_iter().chain(words)) {
                assert!(!error.use_stderr(), "{page}: {line}\n{error}");
            }
            count += 1;
        }
    }
    assert!(count > 12, "only {count} command lines are shown");
}

#[test]
fn links_lead_somewhere() {
    for page in pages() {
        let text = read(&page);
        let folder = Path::new(&page).parent().unwrap().to_owned();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap_or_default();
            if file.is_empty() || file.contains("://") || file.contains(' ') {
                continue;
            }
            assert!(
                path(&folder.join(file).display().to_string()).exists(),
                "{page}: {link}"
            );
        }
    }
}

#[test]
fn the_reference_is_the_definition() {
    let definition = definition();
    let schema = definition.spec.versions[0]
        .schema
        .as_ref()
        .unwrap()
        .open_api_v3_schema
        .as_ref()
        .unwrap();
    let properties = schema.properties.as_ref().unwrap();
    let mut out = String::from(
        "# TLSDebugSession\n\n\
         `apiVersion: tlsdebug.io/v1alpha1`, `kind: TLSDebugSession`, short name `tds`. `kubectl explain tds.spec` shows the same.\n\
         This page is generated from the definition (`UPDATE_DOCS=1 cargo test --test it docs`).\n\n",
    );
    let _ = writeln!(out, "{}\n", schema.description.as_deref().unwrap());
    for (field, title) in [("spec", "What you write"), ("status", "What the operator answers")] {
        let _ = writeln!(out, "## {field}: {title}\n\n| field | type | |\n|---|---|---|");
        fields(&mut out, &properties[field], field);
        out.push('\n');
    }
    holds("docs/reference.md", &(out.trim_end().to_owned() + "\n"));
}

fn fields(out: &mut String, schema: &JSONSchemaProps, at: &str) {
    let required = schema.required.clone().unwrap_or_default();
    for (name, field) in schema.properties.iter().flatten() {
        let place = format!("{at}.{name}");
        let items = match &field.items {
            Some(JSONSchemaPropsOrArray::Schema(items)) => Some(items.as_ref()),
            _ => None,
        };
        let kind = match items {
            Some(items) => format!("list of {}", items.type_.as_deref().unwrap_or_default()),
            None => field.type_.clone().unwrap_or_default(),
        };
        let needed = if required.contains(name) && at.starts_with("spec") {
            ", required"
        } else {
            ""
        };
        let text = field
            .description
            .as_deref()
            .unwrap_or_default()
            .replace("\n\n", "<br>")
            .replace('|', "\\|");
        let values = values(items.unwrap_or(field), text.as_str());
        let short = place.split_once('.').map_or(place.as_str(), |(_, short)| short);
        let _ = writeln!(out, "| `{short}` | {kind}{needed} | {text}{values} |");
        fields(out, field, &place);
        if let Some(items) = items {
            fields(out, items, &format!("{place}[]"));
        }
    }
}

/// The values that a field may have, where its description does not name them.
fn values(field: &JSONSchemaProps, description: &str) -> String {
    let values = field.enum_.iter().flatten().filter_map(|value| value.0.as_str());
    let values: Vec<&str> = values.collect();
    if values.iter().all(|value| description.contains(value)) {
        return String::new();
    }
    format!(" One of `{}`.", values.join("`, `"))
}

/// One row for each value, with the comment above it.
#[test]
fn the_charts_readme_is_its_values() {
    let values = read("charts/tlsdebug/values.yaml");
    let mut out = String::from(
        "# Chart tlsdebug\n\n\
         Installs the operator that serves `TLSDebugSession`: see the [project's README](../../README.md).\n\n\
         \x20   helm install tlsdebug charts/tlsdebug --namespace tlsdebug --create-namespace --set image.repository=REGISTRY/tlsdebug\n\
         \x20   helm test tlsdebug --namespace tlsdebug\n\n\
         ## Values\n\n\
         This table is generated from `values.yaml` (`UPDATE_DOCS=1 cargo test --test it docs`).\n\n\
         | value | default | |\n|---|---|---|\n",
    );
    let mut parents: Vec<(usize, String)> = Vec::new();
    let mut comment = String::new();
    for line in values.lines() {
        let indent = line.len() - line.trim_start().len();
        let line = line.trim();
        if let Some(text) = line.strip_prefix("# ") {
            comment = format!("{comment} {text}");
            continue;
        }
        if let Some((key, value)) = line.split_once(':') {
            parents.retain(|(depth, _)| *depth < indent);
            let whole: Vec<&str> = parents.iter().map(|(_, key)| key.as_str()).chain([key]).collect();
            let text = comment.trim().replace('|', "\\|");
            let value = value.trim();
            if !value.is_empty() {
                let _ = writeln!(out, "| `{}` | `{value}` | {text} |", whole.join("."));
            } else if !text.is_empty() {
                let _ = writeln!(out, "| `{}` | | {text} |", whole.join("."));
            }
            parents.push((indent, key.to_owned()));
        }
        comment.clear();
    }
    holds("charts/tlsdebug/README.md", &out);
}
