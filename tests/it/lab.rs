//! Faults on real JVMs, whose truth is known by how the ends were set up: `make lab` (tests/lab).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use tlsdebug::diagnosis::report::{Certainty, Report};

use crate::diagnosis_logs::report;

/// What one end of a fault must show.
struct Truth {
    fault: String,
    end: String,
    /// Empty: nothing may be blamed.
    causes: Vec<String>,
    least: Certainty,
    succeeded: u64,
    failed: u64,
}

/// How a report compares with the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Right,
    /// Right, and the cause is proven.
    Proven,
    /// Nothing was found where something had failed.
    Silent,
    /// A right cause, with less certainty than the log allows, or wrong counts.
    Weak,
    /// A wrong cause.
    Wrong,
    /// A wrong cause, and it is called proven.
    WrongProof,
}

impl Verdict {
    fn letter(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Proven => "proven",
            Self::Silent => "SILENT",
            Self::Weak => "WEAK",
            Self::Wrong => "WRONG",
            Self::WrongProof => "PROOF!",
        }
    }

    fn is_right(self) -> bool {
        matches!(self, Self::Right | Self::Proven)
    }
}

fn truths() -> Vec<Truth> {
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/truth.tsv");
    fs::read_to_string(table)
        .unwrap()
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let fields: Vec<&str> = line.split('\t').collect();
            Truth {
                fault: fields[0].to_owned(),
                end: fields[1].to_owned(),
                causes: fields[2]
                    .split('|')
                    .filter(|cause| *cause != "-")
                    .map(str::to_owned)
                    .collect(),
                least: match fields[3] {
                    "Proven" => Certainty::Proven,
                    "Likely" => Certainty::Likely,
                    _ => Certainty::Possible,
                },
                succeeded: fields[4].parse().unwrap(),
                failed: fields[5].parse().unwrap(),
            }
        })
        .collect()
}

fn compare(truth: &Truth, report: &Report) -> Verdict {
    let accepted = |cause: &str| truth.causes.iter().any(|accepted| accepted == cause);
    let wrong: Vec<_> = report
        .findings
        .iter()
        .filter(|finding| !accepted(&finding.cause))
        .collect();
    if wrong.iter().any(|finding| finding.certainty == Certainty::Proven) {
        return Verdict::WrongProof;
    }
    if !wrong.is_empty() {
        return Verdict::Wrong;
    }
    if report.findings.is_empty() && !truth.causes.is_empty() {
        return Verdict::Silent;
    }
    let counts = report.handshakes;
    if (counts.succeeded, counts.failed, counts.incomplete) != (truth.succeeded, truth.failed, 0) {
        return Verdict::Weak;
    }
    let certain = |least: Certainty| report.findings.iter().all(|finding| finding.certainty >= least);
    if !certain(truth.least) {
        Verdict::Weak
    } else if !report.findings.is_empty() && certain(Certainty::Proven) {
        Verdict::Proven
    } else {
        Verdict::Right
    }
}

/// The log as `kubectl logs` prints it with these options.
fn wrapped(log: &[u8], prefix: &str, timestamps: bool) -> Vec<u8> {
    let mut wrapped = Vec::new();
    for (number, line) in log.split_inclusive(|byte| *byte == b'\n').enumerate() {
        wrapped.extend_from_slice(prefix.as_bytes());
        if timestamps {
            let stamp = format!("2026-11-23T14:{:02}:{:02}.{number:09}Z ", number / 60 % 60, number % 60);
            wrapped.extend_from_slice(stamp.as_bytes());
        }
        wrapped.extend_from_slice(line);
    }
    wrapped
}

/// Everything of a report that does not name lines and times.
fn answer(report: &Report) -> String {
    let mut answer = format!("{:?} {:?}", report.verdict, report.handshakes);
    for finding in &report.findings {
        write!(
            answer,
            "\n{} {:?} {:?} {} {}",
            finding.cause, finding.certainty, finding.side, finding.count, finding.explanation
        )
        .unwrap();
    }
    answer
}

fn folders(path: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
#[ignore = "needs the logs that tests/lab/run.sh makes: make lab"]
fn every_fault_on_every_jvm() {
    let root = PathBuf::from(std::env::var_os("TLSDEBUG_LAB").expect("TLSDEBUG_LAB names the folder of the logs"));
    let jvms = folders(&root);
    let mut cells: BTreeMap<(String, String), Verdict> = BTreeMap::new();
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    let truths = truths();
    for truth in &truths {
        for jvm in &jvms {
            let Ok(log) = fs::read(root.join(jvm).join(&truth.fault).join(format!("{}.log", truth.end))) else {
                continue;
            };
            seen.insert(&truth.fault);
            let plain = report(&log);
            let verdict = compare(truth, &plain);
            let row = format!("{} {}", truth.fault, truth.end);
            if !verdict.is_right() {
                wrong.push(format!("{jvm}, {row}: {}\n{}", verdict.letter(), answer(&plain)));
            }
            for (prefix, timestamps) in [("", true), ("[pod/bank-0/msr] ", false), ("[pod/bank-0/msr] ", true)] {
                let carried = report(&wrapped(&log, prefix, timestamps));
                if answer(&carried) != answer(&plain) {
                    wrong.push(format!(
                        "{jvm}, {row}, prefix {prefix:?}, timestamps {timestamps}:\n{}\ninstead of\n{}",
                        answer(&carried),
                        answer(&plain)
                    ));
                }
            }
            cells.insert((row, jvm.clone()), verdict);
        }
    }
    println!("{}", matrix(&truths, &jvms, &cells));
    assert!(!seen.is_empty(), "no logs in {}", root.display());
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n\n"));
}

/// The matrix of verdicts, and its sums.
fn matrix(truths: &[Truth], jvms: &[String], cells: &BTreeMap<(String, String), Verdict>) -> String {
    let mut text = String::new();
    for (number, jvm) in jvms.iter().enumerate() {
        writeln!(text, "[{number}] {jvm}").unwrap();
    }
    write!(text, "{:36}", "").unwrap();
    for number in 0..jvms.len() {
        write!(text, "{:>8}", format!("[{number}]")).unwrap();
    }
    for truth in truths {
        let row = format!("{} {}", truth.fault, truth.end);
        write!(text, "\n{row:36}").unwrap();
        for jvm in jvms {
            let cell = cells
                .get(&(row.clone(), jvm.clone()))
                .map_or("-", |verdict| verdict.letter());
            write!(text, "{cell:>8}").unwrap();
        }
    }
    let count = |wanted: fn(&Verdict) -> bool| cells.values().filter(|verdict| wanted(verdict)).count();
    let blamed = truths
        .iter()
        .filter(|truth| !truth.causes.is_empty())
        .map(|truth| format!("{} {}", truth.fault, truth.end));
    let blamed: BTreeSet<String> = blamed.collect();
    let failures = cells.keys().filter(|(row, _)| blamed.contains(row)).count();
    let proven = count(|verdict| *verdict == Verdict::Proven);
    writeln!(
        text,
        "\n{} logs: {} right, {} silent, {} weak, {} wrong, {} wrong proofs; {proven} of {failures} failures proven ({} %)",
        cells.len(),
        count(|verdict| verdict.is_right()),
        count(|verdict| *verdict == Verdict::Silent),
        count(|verdict| *verdict == Verdict::Weak),
        count(|verdict| *verdict == Verdict::Wrong),
        count(|verdict| *verdict == Verdict::WrongProof),
        100 * proven / failures.max(1),
    )
    .unwrap();
    text
}
