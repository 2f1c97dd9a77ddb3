//! Real logs, each with the report that a careful reader would write.

use std::fs;
use std::path::{Path, PathBuf};

use tlsdebug::diagnosis::Diagnoser;
use tlsdebug::diagnosis::report::{Finding, Report, Side};
use tlsdebug::render::{Style, text};

fn logs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/logs")
}

pub(crate) fn log(name: &str) -> Vec<u8> {
    fs::read(logs().join(format!("{name}.log"))).unwrap()
}

pub(crate) fn report(bytes: &[u8]) -> Report {
    let mut diagnoser = Diagnoser::new("log");
    diagnoser.feed(bytes);
    diagnoser.finish();
    diagnoser.report()
}

/// The findings as `expected.tsv` writes them, sorted.
fn findings(report: &Report) -> String {
    let mut found: Vec<String> = report
        .findings
        .iter()
        .map(|finding| {
            format!(
                "{}:{:?}:{:?}:{}",
                finding.cause, finding.certainty, finding.side, finding.count
            )
        })
        .collect();
    found.sort();
    if found.is_empty() {
        "-".to_owned()
    } else {
        found.join(" ")
    }
}

#[test]
fn every_log_shows_what_is_expected_of_it() {
    let mut wrong = Vec::new();
    let expected = fs::read_to_string(logs().join("expected.tsv")).unwrap();
    for line in expected.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        let report = report(&log(fields[0]));
        let counts = report.handshakes;
        let found = [
            findings(&report),
            counts.succeeded.to_string(),
            counts.failed.to_string(),
            counts.incomplete.to_string(),
        ];
        if found != fields[1..] {
            wrong.push(format!("{}: expected {:?}, found {found:?}", fields[0], &fields[1..]));
        }
        assert_eq!(counts.total, counts.succeeded + counts.failed + counts.incomplete);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_text_that_a_person_reads() {
    for name in [
        "11.0.33-missing-intermediate-client",
        "17.0.15-expired-client",
        "11.0.33-clientauth-none-tls12-client",
        "11.0.33-eof-server-client",
        "25.0.5-engine-untrusted-client",
        "11.0.33-ssl-ok-tls13-client",
        "11.0.33-ok-tls13-client",
    ] {
        let rendered = text(&report(&log(name)), Style::Plain);
        assert!(rendered.lines().all(|line| line.chars().count() <= 100), "{name}");
        insta::assert_snapshot!(name, rendered);
    }
}

#[test]
fn evidence_names_real_lines() {
    let bytes = log("11.0.33-missing-intermediate-client");
    let lines: Vec<&str> = std::str::from_utf8(&bytes).unwrap().lines().collect();
    for evidence in &report(&bytes).findings[0].evidence {
        let index = usize::try_from(evidence.line).unwrap() - 1;
        assert!(lines[index].starts_with(&evidence.text), "{evidence:?}");
    }
}

#[test]
fn a_provisional_failure_shows_before_the_next_record() {
    let bytes = log("17.0.15-untrusted-client");
    let end = memchr::memmem::find(&bytes, b"Fatal (").unwrap();
    let end = end + memchr::memmem::find(&bytes[end..], b"\n)\n").unwrap() + 3;
    let mut diagnoser = Diagnoser::new("log");
    diagnoser.feed(&bytes[..end - 2]);
    assert!(diagnoser.report().findings.is_empty());
    let before = diagnoser.revision();
    diagnoser.feed(&bytes[end - 2..end]);
    assert!(diagnoser.revision() > before);
    assert_eq!(diagnoser.report().findings[0].cause, "UntrustedIssuer");
}

#[test]
fn key_material_is_noticed_and_never_shown() {
    let mut diagnoser = Diagnoser::new("log");
    diagnoser.feed(&log("8u252-legacy-jsse-clientauth-none-tls12-client"));
    diagnoser.finish();
    assert!(diagnoser.key_material_seen());
    let report = diagnoser.report();
    assert!(
        report
            .findings
            .iter()
            .flat_map(|finding| &finding.evidence)
            .all(|line| !line.text.contains("Secret"))
    );
}

/// Logs that people posted; their text stays where it is, so the folder is named by a variable.
#[test]
fn posted_logs_show_what_a_reader_sees() {
    let Some(folder) = std::env::var_os("TLSDEBUG_CORPUS").map(PathBuf::from) else {
        return;
    };
    let mut wrong = Vec::new();
    let expected = fs::read_to_string(logs().join("corpus.tsv")).unwrap();
    for line in expected.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        let report = report(&fs::read(folder.join(format!("{}.log", fields[0]))).unwrap());
        let counts = report.handshakes;
        let numbers = [counts.succeeded, counts.failed, counts.incomplete].map(|count| count.to_string());
        let findings: Vec<&str> = fields[1].split(' ').filter(|finding| *finding != "-").collect();
        let all_found = findings
            .iter()
            .all(|expected| report.findings.iter().any(|finding| is_finding(expected, finding)));
        if !all_found || findings.len() != report.findings.len() || numbers != fields[2..] {
            wrong.push(format!("{line}\n  {} {numbers:?}", self::findings(&report)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether a finding is the one that `corpus.tsv` expects.
fn is_finding(expected: &str, finding: &Finding) -> bool {
    let fields: Vec<&str> = expected.split(':').collect();
    finding.cause == fields[0]
        && format!("{:?}", finding.certainty) == fields[1]
        && (fields[2] == "*" || format!("{:?}", finding.side) == fields[2])
        && finding.count.to_string() == fields[3]
        && finding
            .evidence
            .iter()
            .any(|evidence| evidence.line.to_string() == fields[4])
}

#[test]
fn one_ends_reason_explains_the_others_failure() {
    let mut ends = Vec::new();
    for side in ["client", "server"] {
        let mut diagnoser = Diagnoser::new(side);
        diagnoser.feed(&log(&format!("11.0.33-proto-mismatch-c12-s13-{side}")));
        diagnoser.finish();
        ends.push(diagnoser);
    }
    let alone = ends[0].report();
    let joined = Diagnoser::join(&ends);
    assert_eq!((joined.handshakes.failed, joined.findings.len()), (2, 2));
    let client = joined
        .findings
        .iter()
        .find(|finding| finding.side == Side::Client)
        .unwrap();
    assert!(!alone.findings[0].explanation.contains("TLSv1.3"));
    assert!(
        client.explanation.contains("this server accepts TLSv1.3"),
        "{}",
        client.explanation
    );
    assert!(client.evidence.iter().any(|line| line.source == "server"));
}
