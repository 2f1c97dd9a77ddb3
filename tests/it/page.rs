//! The page of `tlsdebug diagnose --output html`: what it holds, and what must never be in it. How it behaves in a browser is
//! tested in `tests/browser`.

use std::fs;

use tlsdebug::diagnosis::report::Report;
use tlsdebug::diagnosis::{Diagnoser, Journal};
use tlsdebug::render::html;

use crate::diagnosis_logs::log;

fn read(logs: &[(&str, Vec<u8>)]) -> (Report, Journal) {
    let diagnosers: Vec<Diagnoser> = logs
        .iter()
        .map(|(name, bytes)| {
            let mut diagnoser = Diagnoser::with_journal(*name);
            diagnoser.feed(bytes);
            diagnoser.finish();
            diagnoser
        })
        .collect();
    Diagnoser::join_with_journal(&diagnosers)
}

fn page(logs: &[(&str, Vec<u8>)]) -> String {
    let (report, journal) = read(logs);
    html(&report, &journal)
}

/// The page without style and script, an element a line.
fn readable(page: &str) -> String {
    let mut out = page.to_owned();
    for (begin, end) in [("<style>", "</style>"), ("<script>", "</script>"), ("'sha256-", "'")] {
        let mut from = 0;
        while let Some(at) = out[from..].find(begin).map(|at| from + at + begin.len()) {
            let length = out[at..].find(end).expect("what begins ends");
            out.replace_range(at..at + length, "");
            from = at;
        }
    }
    out.replace("><", ">\n<").replace(env!("CARGO_PKG_VERSION"), "VERSION")
}

#[test]
fn the_page_of_a_small_log() {
    let name = "11.0.33-missing-intermediate-client";
    insta::assert_snapshot!(readable(&page(&[("client.log", log(name))])));
}

#[test]
fn the_page_of_both_ends() {
    let name = |end: &str| log(&format!("17.0.15-untrusted-{end}"));
    let (report, journal) = read(&[("client.log", name("client")), ("server.log", name("server"))]);
    assert_eq!(
        (journal.rows[0].other_end, journal.rows[1].other_end),
        (Some(1), Some(0))
    );
    let page = html(&report, &journal);
    // One ladder with the lines of both ends' logs: the alert that the client sends is the one that the server receives.
    assert_eq!(page.matches("<div class=\"ladder both\">").count(), 1);
    let alert = page
        .split("<li")
        .find(|rung| rung.contains("Alert certificate_unknown"))
        .unwrap();
    assert!(alert.contains("line 300") && alert.contains("line 358"), "{alert}");
}

#[test]
fn a_journal_changes_no_report() {
    for file in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/logs")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "log") {
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        let mut plain = Diagnoser::new("log");
        plain.feed(&bytes);
        plain.finish();
        let (report, journal) = read(&[("log", bytes)]);
        assert_eq!(report, plain.report(), "{}", path.display());
        assert_eq!(journal.rows.len() as u64, report.handshakes.total, "{}", path.display());
    }
}

#[test]
fn no_line_of_the_application_is_in_the_page() {
    let mut mixed = Vec::new();
    for line in log("11.0.33-missing-intermediate-client").split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(b"javax.net.ssl|") {
            mixed.extend_from_slice(b"2026-11-23 14:54:54 INFO orders: SECRET-OF-THE-APPLICATION 4711\n");
        }
        mixed.extend_from_slice(line);
    }
    let page = page(&[("log", mixed)]);
    assert!(page.contains("Lab Intermediate CA") && !page.contains("SECRET-OF-THE-APPLICATION"));
}

#[test]
fn no_key_material_is_in_the_page() {
    let name = "8u252-legacy-jsse-ok-tls12-client";
    let bytes = log(name);
    let text = String::from_utf8_lossy(&bytes);
    // The rows of a hex dump that follow the titles of secrets.
    let mut secrets = Vec::new();
    let mut within = false;
    for line in text.lines() {
        if line.ends_with("Secret:") || line.ends_with(" key:") || line.ends_with("IV:") {
            within = true;
        } else if within && line.starts_with("00") {
            secrets.push(line.get(6..20).unwrap_or(line));
        } else {
            within = false;
        }
    }
    assert!(secrets.len() > 5, "the log holds none");
    let page = page(&[("log", bytes.clone())]);
    for secret in secrets {
        assert!(!page.contains(secret), "{secret}");
    }
    assert!(!page.contains("Secret:"));
}

#[test]
fn what_a_log_says_stays_text() {
    let hostile = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\u{202e}";
    let text = String::from_utf8(log("11.0.33-missing-intermediate-client")).unwrap();
    let text = text
        .replace("|main|", &format!("|{hostile}|"))
        .replace("O=Example Server", &format!("O={hostile}"));
    let page = page(&[("<b>log</b>", text.into_bytes())]);
    assert_eq!(page.matches("<script").count(), 2);
    assert_eq!(page.matches("</script>").count(), 2);
    assert!(!page.contains("<img") && !page.contains("<b>log") && !page.contains('\u{202e}'));
    assert!(page.contains("&lt;img src=x onerror=alert(2)&gt;"));
}

#[test]
fn a_page_says_what_it_leaves_out() {
    let hello = |number: u32| {
        format!(
            "javax.net.ssl|DEBUG|01|main|2026-11-23 14:54:54.556 GMT|X.java:1|Produced ClientHello handshake message (\n  \"random\" : \
             \"{number:08x}\",\n)\n"
        )
    };
    let log: String = (0..10_500).map(hello).collect();
    let page = page(&[("log", log.into_bytes())]);
    assert!(
        page.contains("Left out of this page for its size: 500 handshakes (0 failed, 0 succeeded, 500 without an end)")
    );
    assert!(page.len() < 6_000_000, "{}", page.len());
}

#[test]
fn pages_without_handshakes() {
    for (log, says) in [
        (&b"nothing here\n"[..], "There is no TLS debug output to read."),
        (
            b"javax.net.ssl|DEBUG|01|main|2026-11-23 14:54:54.556 GMT|X.java:1|x\n",
            "no handshake in it",
        ),
    ] {
        assert!(page(&[("log", log.to_vec())]).contains(says));
    }
}
