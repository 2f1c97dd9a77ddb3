//! Faults on real JVMs, whose truth is known by how the ends were set up: `make lab` (tests/lab).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use memchr::memmem;
use tlsdebug::diagnosis::Diagnoser;
use tlsdebug::diagnosis::report::{Certainty, Finding, HandshakeCounts, Report, Side};
use wildmatch::WildMatch;

use crate::diagnosis_logs::report;

mod pieces;

/// What one end of a fault must show.
struct Truth {
    fault: String,
    way: WildMatch,
    end: String,
    /// Empty: nothing may be blamed.
    causes: Vec<String>,
    /// Nothing need be blamed.
    optional: bool,
    /// The log does not tell which end it is.
    sideless: bool,
    least: Certainty,
    succeeded: Range,
    failed: Range,
    incomplete: Range,
}

/// Numbers from the first to the last.
type Range = std::ops::RangeInclusive<u64>;

/// How a report compares with the truth, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    /// Right, and the cause is proven.
    Proven,
    Right,
    /// Nothing was found where something had failed.
    Silent,
    /// A right cause, with less certainty than the log allows, or wrong counts.
    Weak,
    /// A right cause at the wrong end.
    WrongSide,
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
            Self::WrongSide => "SIDE",
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
            let causes = fields[3].trim_start_matches(['?', '~']);
            Truth {
                fault: fields[0].to_owned(),
                way: WildMatch::new(fields[1]),
                end: fields[2].to_owned(),
                causes: causes
                    .split('|')
                    .filter(|cause| *cause != "-")
                    .map(str::to_owned)
                    .collect(),
                optional: fields[3].starts_with('?'),
                sideless: fields[3].starts_with('~'),
                least: match fields[4] {
                    "Proven" => Certainty::Proven,
                    "Likely" => Certainty::Likely,
                    _ => Certainty::Possible,
                },
                succeeded: range(fields[5]),
                failed: range(fields[6]),
                incomplete: range(fields[7]),
            }
        })
        .collect()
}

fn range(text: &str) -> Range {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    first.parse().unwrap()..=last.parse().unwrap()
}

/// What one end of a scenario must show; the way that a fault of tests/images goes is `-`.
fn truth_of<'a>(truths: &'a [Truth], logs: &Logs, end: &str) -> &'a Truth {
    let scenario = &logs.scenario;
    let (fault, way) = scenario.split_once('.').unwrap_or((scenario, "-"));
    let layout = |of_end: bool, mark: &'static str| {
        let logs = logs.ends.iter().filter(|(named, _)| (*named == end) == of_end);
        if logs.map(|(_, log)| log).any(|log| is_legacy(log)) {
            mark
        } else {
            ""
        }
    };
    let (before, behind) = (layout(true, "legacy-"), layout(false, "-with-legacy"));
    let fits = |truth: &Truth| {
        let ways = [(before, behind), (before, ""), ("", behind), ("", "")];
        ways.iter()
            .any(|(before, behind)| truth.way.matches(&format!("{before}{way}{behind}")))
    };
    truths
        .iter()
        .find(|truth| truth.fault == fault && truth.end == end && fits(truth))
        .unwrap_or_else(|| panic!("tests/lab/truth.tsv says nothing about {scenario}, {end}"))
}

/// Whether an alert of the other end may be lost: a socket of a JVM before 8u272 is closed at once behind it, so that a reset may
/// overtake it.
fn loses_alerts(logs: &Logs, end: &str) -> bool {
    let others = logs.ends.iter().filter(|(named, _)| *named != end);
    logs.scenario.ends_with("-socket") && others.map(|(_, log)| log).any(|log| is_legacy(log))
}

/// Whether a JVM before 8u272 printed the log.
fn is_legacy(log: &[u8]) -> bool {
    let holds = |text: &[u8]| memmem::find(log, text).is_some();
    holds(b"%% Initialized:") && !holds(b"javax.net.ssl|")
}

fn compare(truth: &Truth, report: &Report, loses_alerts: bool) -> Verdict {
    let accepted = |cause: &str| {
        let learnt = |cause: &str| cause == "PeerRejectedCertificate" || cause == "PeerAlert";
        truth.causes.iter().any(|accepted| accepted == cause)
            || (loses_alerts && cause == "ConnectionReset" && truth.causes.iter().any(|cause| learnt(cause)))
    };
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
    if !truth.sideless
        && report
            .findings
            .iter()
            .any(|finding| format!("{:?}", finding.side).to_lowercase() != truth.end)
    {
        return Verdict::WrongSide;
    }
    if report.findings.is_empty() && !truth.causes.is_empty() && !truth.optional {
        return Verdict::Silent;
    }
    let counts = report.handshakes;
    if !(truth.succeeded.contains(&counts.succeeded)
        && truth.failed.contains(&counts.failed)
        && truth.incomplete.contains(&counts.incomplete))
    {
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

/// The logs of one scenario on one JVM.
struct Logs {
    jvm: String,
    scenario: String,
    /// By end: `client`, `server`.
    ends: Vec<(&'static str, Vec<u8>)>,
}

fn every_log(root: &Path) -> Vec<Logs> {
    let mut all = Vec::new();
    for jvm in folders(root) {
        for scenario in folders(&root.join(&jvm)) {
            let folder = root.join(&jvm).join(&scenario);
            let ends: Vec<_> = ["client", "server"]
                .into_iter()
                .filter_map(|end| Some((end, fs::read(folder.join(format!("{end}.log"))).ok()?)))
                .collect();
            all.push(Logs {
                jvm: jvm.clone(),
                scenario,
                ends,
            });
        }
    }
    all
}

fn diagnoser(source: &str, log: &[u8]) -> Diagnoser {
    let mut diagnoser = Diagnoser::new(source);
    diagnoser.feed(log);
    diagnoser.finish();
    diagnoser
}

#[test]
#[ignore = "needs the logs that tests/lab/run.sh makes: make lab"]
fn every_fault_on_every_jvm() {
    let root = PathBuf::from(std::env::var_os("TLSDEBUG_LAB").expect("TLSDEBUG_LAB names the folder of the logs"));
    let truths = truths();
    let mut cells = Cells::default();
    let mut wrong = Vec::new();
    let all = every_log(&root);
    for (number, logs) in all.iter().enumerate() {
        let Logs { jvm, scenario, ends } = logs;
        for (end, log) in ends {
            let truth = truth_of(&truths, logs, end);
            let plain = report(log);
            let verdict = compare(truth, &plain, loses_alerts(logs, end));
            if !verdict.is_right() {
                wrong.push(format!(
                    "{jvm}, {scenario} {end}: {}\n{}",
                    verdict.letter(),
                    answer(&plain)
                ));
            }
            // The laws have every wrapping; here a sample of real logs.
            if number % 8 == 0 {
                wrong.extend(carried(log, &plain).map(|what| format!("{jvm}, {scenario} {end}, {what}")));
            }
            cells.add(truth, jvm, verdict);
        }
        wrong.extend(joined(&truths, logs).map(|what| format!("{jvm}, {scenario}, both ends: {what}")));
    }
    for pair in all.windows(2).filter(|pair| pair[0].jvm == pair[1].jvm) {
        wrong.extend(two_lives(&pair[0], &pair[1]));
    }
    println!("{}", cells.matrix());
    assert!(!all.is_empty(), "no logs in {}", root.display());
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n\n"));
}

/// What a prefix or a time before each line changes; it must not.
fn carried(log: &[u8], plain: &Report) -> Option<String> {
    [("", true), ("[pod/bank-0/msr] ", false), ("[pod/bank-0/msr] ", true)]
        .into_iter()
        .find_map(|(prefix, timestamps)| {
            let carried = answer(&report(&wrapped(log, prefix, timestamps)));
            let expected = answer(plain);
            (carried != expected)
                .then(|| format!("prefix {prefix:?}, timestamps {timestamps}:\n{carried}\ninstead of\n{expected}"))
        })
}

/// Both ends in one report: each finding still fits its end or tells the other end's reason, none is less sure than it was
/// alone, no handshake is lost, and what one end only learnt comes after what the other end knows.
fn joined(truths: &[Truth], logs: &Logs) -> Option<String> {
    let [(_, client), (_, server)] = logs.ends.as_slice() else {
        return None;
    };
    let ends = [diagnoser("client", client), diagnoser("server", server)];
    let alone = ends.each_ref().map(Diagnoser::report);
    let joined = Diagnoser::join(&ends);
    let sum = |count: fn(&HandshakeCounts) -> u64| alone.iter().map(|report| count(&report.handshakes)).sum::<u64>();
    let same_counts = joined.handshakes.failed == sum(|counts| counts.failed)
        && joined.handshakes.succeeded == sum(|counts| counts.succeeded)
        && joined.handshakes.total == sum(|counts| counts.total);
    let accepted = |finding: &Finding| {
        ["client", "server"].iter().any(|end| {
            truth_of(truths, logs, end).causes.contains(&finding.cause)
                || (finding.cause == "ConnectionReset" && loses_alerts(logs, end))
        })
    };
    let surest = |report: &Report, side: Side| {
        let of_side = report.findings.iter().filter(|finding| finding.side == side);
        of_side.map(|finding| finding.certainty).max()
    };
    let unsure = [Side::Client, Side::Server]
        .into_iter()
        .any(|side| alone.iter().any(|report| surest(report, side) > surest(&joined, side)));
    let all_accepted = joined.findings.iter().all(accepted);
    // Without a ClientHello in both logs nothing ties them together.
    let are_tied = [client, server]
        .iter()
        .all(|log| memmem::find(log, b"ClientHello").is_some());
    let is_led = !are_tied
        || joined.findings.iter().all(is_learnt)
        || joined.findings.first().is_none_or(|finding| !is_learnt(finding));
    (!same_counts || !all_accepted || unsure || !is_led).then(|| {
        format!(
            "counts {same_counts}, accepted {all_accepted}, as sure {}, cause first {is_led}\n{}",
            !unsure,
            answer(&joined)
        )
    })
}

/// Whether it says what the other end did, and not why.
fn is_learnt(finding: &Finding) -> bool {
    const LEARNT: [&str; 5] = [
        "PeerAlert",
        "PeerRejectedCertificate",
        "ClientCertificateRejected",
        "PeerClosedConnection",
        "ConnectionReset",
    ];
    LEARNT.contains(&finding.cause.as_str())
}

/// Two lives of a JVM in one log have the handshakes of both.
fn two_lives(first: &Logs, second: &Logs) -> Option<String> {
    first.ends.iter().find_map(|(end, log)| {
        let (_, next) = second.ends.iter().find(|(other, _)| other == end)?;
        let [one, two] = [report(log), report(next)].map(|report| report.handshakes);
        let both = report(&[log.as_slice(), next.as_slice()].concat()).handshakes;
        let same = both.succeeded == one.succeeded + two.succeeded
            && both.failed == one.failed + two.failed
            && both.incomplete == one.incomplete + two.incomplete;
        (!same).then(|| {
            format!(
                "{}, {end}, {} and then {}: {both:?} instead of the sum of {one:?} and {two:?}",
                first.jvm, first.scenario, second.scenario
            )
        })
    })
}

/// The verdicts by fault, end and JVM; the worst of a fault's ways is shown.
#[derive(Default)]
struct Cells {
    worst: BTreeMap<(String, String), Verdict>,
    all: Vec<Verdict>,
    blamed: usize,
}

impl Cells {
    fn add(&mut self, truth: &Truth, jvm: &str, verdict: Verdict) {
        let key = (format!("{} {}", truth.fault, truth.end), jvm.to_owned());
        let worst = self.worst.entry(key).or_insert(verdict);
        *worst = verdict.max(*worst);
        self.all.push(verdict);
        self.blamed += usize::from(!truth.causes.is_empty());
    }

    /// The matrix, and its sums.
    fn matrix(&self) -> String {
        let rows: BTreeSet<&String> = self.worst.keys().map(|(row, _)| row).collect();
        let jvms: BTreeSet<&String> = self.worst.keys().map(|(_, jvm)| jvm).collect();
        let mut text = String::new();
        for (number, jvm) in jvms.iter().enumerate() {
            writeln!(text, "[{number}] {jvm}").unwrap();
        }
        write!(text, "{:52}", "").unwrap();
        for number in 0..jvms.len() {
            write!(text, "{:>8}", format!("[{number}]")).unwrap();
        }
        for row in rows {
            write!(text, "\n{row:52}").unwrap();
            for jvm in &jvms {
                let cell = self.worst.get(&(row.clone(), (*jvm).clone()));
                write!(text, "{:>8}", cell.map_or("-", |verdict| verdict.letter())).unwrap();
            }
        }
        let count = |wanted: fn(&Verdict) -> bool| self.all.iter().filter(|verdict| wanted(verdict)).count();
        let proven = count(|verdict| *verdict == Verdict::Proven);
        writeln!(
            text,
            "\n{} logs: {} right, {} silent, {} weak, {} wrong, {} wrong proofs; {proven} of {} failures proven ({} %)",
            self.all.len(),
            count(|verdict| verdict.is_right()),
            count(|verdict| *verdict == Verdict::Silent),
            count(|verdict| *verdict == Verdict::Weak),
            count(|verdict| matches!(verdict, Verdict::Wrong | Verdict::WrongSide)),
            count(|verdict| *verdict == Verdict::WrongProof),
            self.blamed,
            100 * proven / self.blamed.max(1),
        )
        .unwrap();
        text
    }
}
