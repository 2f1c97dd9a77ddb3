//! Pieces of the lab's logs: what is missing may leave a cause unsaid, and must not prove a wrong one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use tlsdebug::diagnosis::report::Certainty;

use super::{Logs, every_log, loses_alerts, truth_of, truths};
use crate::diagnosis_logs::report;

#[test]
#[ignore = "needs the logs that tests/lab/run.sh makes: make lab"]
fn pieces_of_a_log_prove_nothing_wrong() {
    let root = PathBuf::from(std::env::var_os("TLSDEBUG_LAB").expect("TLSDEBUG_LAB names the folder of the logs"));
    let truths = truths();
    let mut wrong: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut count = 0;
    for logs in &every_log(&root) {
        let Logs { jvm, scenario, ends } = logs;
        for (end, log) in ends {
            let truth = truth_of(&truths, logs, end);
            for (name, piece) in pieces(log) {
                count += 1;
                let report = report(&piece);
                for finding in &report.findings {
                    let accepted = match finding.cause.as_str() {
                        // What came in did come in.
                        "PeerAlert" => true,
                        "PeerRejectedCertificate" => {
                            truth.causes.iter().any(|cause| cause == "ClientCertificateRejected")
                        }
                        "ConnectionReset" => loses_alerts(logs, end),
                        _ => false,
                    } || truth.causes.contains(&finding.cause);
                    if !accepted && finding.certainty == Certainty::Proven {
                        let kind = format!("{} {end}: {} instead of {:?}", truth.fault, finding.cause, truth.causes);
                        wrong
                            .entry(kind)
                            .or_default()
                            .push(format!("{jvm}/{scenario}/{end}.log, {name}"));
                    }
                }
            }
        }
    }
    println!("{count} pieces");
    for (kind, places) in &wrong {
        println!("{} times {kind}, such as {}", places.len(), places[0]);
    }
    assert!(wrong.is_empty(), "{} wrong proofs", wrong.len());
}

/// The log without its beginning, its end or its middle.
fn pieces(log: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let at = |share: usize| log.len() * share / 8;
    vec![
        ("from an eighth on", log[at(1)..].to_vec()),
        ("from a quarter on", log[at(2)..].to_vec()),
        ("from the half on", log[at(4)..].to_vec()),
        ("from three quarters on", log[at(6)..].to_vec()),
        ("up to a quarter", log[..at(2)].to_vec()),
        ("up to the half", log[..at(4)].to_vec()),
        ("up to three quarters", log[..at(6)].to_vec()),
        ("without the second quarter", [&log[..at(2)], &log[at(4)..]].concat()),
        ("without the third quarter", [&log[..at(4)], &log[at(6)..]].concat()),
        ("without the middle eighths", [&log[..at(3)], &log[at(5)..]].concat()),
    ]
}
