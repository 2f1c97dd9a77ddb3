//! What other programs put around the lines of a log: the same findings come out of all of it.

use serde_json::json;
use tlsdebug::diagnosis::report::{Certainty, Report};

use crate::diagnosis_logs::{log, report};

/// Of each layout, at both ends.
const LOGS: [&str; 12] = [
    "11.0.33-alpn-mismatch-server",
    "11.0.33-cipher-mismatch-tls12-server",
    "11.0.33-clientauth-none-tls12-client",
    "11.0.33-expand-untrusted-client",
    "17.0.15-expired-client",
    "17.0.15-lab-good-interleaved-engine-client",
    "28-ea-empty-prop-fine-client",
    "8u252-legacy-jsse-engine-untrusted-tls12-client",
    "8u252-legacy-jsse-missing-intermediate-client",
    "8u252-legacy-jsse-par3-hs-client",
    "ibm-7-legacy-refused-client",
    "ibm-8-legacy-engine-expired-server",
];

/// A carrier of the line of this number, on as many lines for each.
type Carrier = fn(usize, &str) -> String;

const CARRIERS: [(&str, Carrier); 33] = [
    ("indented text", |_, line| format!("    {line}")),
    ("tabs", |_, line| format!("\t{line}")),
    ("blanks at the end", |_, line| format!("{line}   ")),
    ("quoted mail", |_, line| format!("> {line}")),
    ("a diff", |_, line| format!("+{line}")),
    ("cat -n", |number, line| format!("{:6}\t{line}", number + 1)),
    ("grep -n", |number, line| format!("{}:{line}", number + 1)),
    ("grep -H", |_, line| format!("logs/app.log:{line}")),
    ("ts", |number, line| format!("{} {line}", clock(number))),
    ("GitLab", |number, line| format!("{} 01O {line}", stamp(number))),
    ("Azure Pipelines", |number, line| format!("{}   {line}", stamp(number))),
    ("Jenkins", |number, line| format!("[{}] {line}", stamp(number))),
    ("Cloud Foundry", |number, line| {
        format!("   2026-11-23T{}.00+0100 [APP/PROC/WEB/0] ERR {line}", clock(number))
    }),
    ("Heroku", |number, line| {
        format!("2026-11-23T{}.123456+00:00 app[web.1]: {line}", clock(number))
    }),
    ("svlogd", |number, line| {
        format!("@4000000065f1{:04x}12ab34cd {line}", number * 7919 % 65536)
    }),
    ("klog", |number, line| {
        format!("I1123 {}.000001       1 logs.go:1] {line}", clock(number))
    }),
    ("kail", |_, line| format!("prod/orders-7d9f-x2[msr]: {line}")),
    ("logcli", |number, line| {
        format!("{} {{app=\"orders\", pod=\"orders-1\"}} {line}", stamp(number))
    }),
    ("Logback", |number, line| {
        format!("{}.123 [main] ERROR stderr - {line}", clock(number))
    }),
    ("Spring Boot", |number, line| {
        format!(
            "2026-11-23T{}.123+01:00  INFO 1 --- [orders] [main] stderr      : {line}",
            clock(number)
        )
    }),
    ("a trace's id", |number, line| {
        format!("{} INFO [orders,{:032x}] {line}", clock(number), number * 7919)
    }),
    ("WebLogic", |number, line| {
        format!(
            "<Nov 23, 2026 {} PM UTC> <Notice> <Stdout> <BEA-000000> <{line}>",
            clock(number)
        )
    }),
    ("Fluentd", |number, line| {
        let record = json!({"log": format!("{line}\n"), "stream": "stderr"});
        format!("2026-11-23 {} +0000 kube.orders: {record}", clock(number))
    }),
    ("Fluent Bit", |number, line| {
        format!(
            "[0] kube.orders: [[17000{number:05}.000000000, {{}}], {}]",
            json!({"log": line})
        )
    }),
    ("stern and a JSON encoder", |_, line| {
        format!("orders-1 msr {}", json!({"level": "INFO", "message": line}))
    }),
    ("Elasticsearch", |_, line| {
        json!({"_id": "1", "_source": {"kubernetes": {"pod": "a"}, "message": line, "stream": "stderr"}}).to_string()
    }),
    ("Splunk", |_, line| {
        json!({"preview": false, "result": {"_raw": line, "_time": "1"}}).to_string()
    }),
    ("CloudWatch Logs Insights", |_, line| {
        json!({"@timestamp": "1", "@message": line}).to_string()
    }),
    ("OpenTelemetry", |_, line| {
        json!({"severity": "INFO", "body": line, "attributes": {"a": "b"}}).to_string()
    }),
    ("rows of values", |number, line| row(number, line, true)),
    ("rows of values, quoted where they must be", |number, line| {
        row(number, line, false)
    }),
    ("JSON on several lines", |number, line| {
        let event = json!({"timestamp": number, "message": line, "ingestionTime": number});
        format!("{event:#},")
    }),
    ("logfmt", |number, line| {
        format!("ts={} level=info msg={} pod=a", stamp(number), json!(line))
    }),
];

#[test]
fn foreign_carriers_do_not_change_the_findings() {
    for name in LOGS {
        let bytes = log(name);
        let text = String::from_utf8_lossy(&bytes);
        let plain = told(&report(&bytes), 1);
        for (carrier, carry) in CARRIERS {
            let lines = text.lines().enumerate();
            let carried: String = lines.map(|(number, line)| carry(number, line) + "\n").collect();
            let lines_each = carried.lines().count() / text.lines().count();
            assert_eq!(
                told(&report(carried.as_bytes()), lines_each),
                plain,
                "{carrier}: {name}"
            );
        }
    }
}

/// What a report says: the counts, and each finding with its certainty and the lines that prove it, as they are numbered where
/// each is carried on so many.
fn told(report: &Report, lines_each: usize) -> String {
    let lines_each = lines_each as u64;
    let findings: Vec<(&str, Certainty, u64, &str, Vec<u64>)> = report
        .findings
        .iter()
        .map(|finding| {
            let lines = finding.evidence.iter();
            let lines = lines.map(|evidence| evidence.line.div_ceil(lines_each)).collect();
            (
                finding.cause.as_str(),
                finding.certainty,
                finding.count,
                finding.summary.as_str(),
                lines,
            )
        })
        .collect();
    format!("{:?} {findings:#?}", report.handshakes)
}

fn clock(number: usize) -> String {
    format!("14:{:02}:{:02}", number / 60 % 60, number % 60)
}

fn stamp(number: usize) -> String {
    format!("2026-11-23T{}.{:06}Z", clock(number), number)
}

/// A row of comma-separated values (RFC 4180 §2), of which the last is the line.
fn row(number: usize, line: &str, all_quoted: bool) -> String {
    let cell = |value: &str| {
        if all_quoted || value.contains(['"', ',', '\n']) {
            format!("\"{}\"", value.replace('"', "\"\""))
        } else {
            value.to_owned()
        }
    };
    [stamp(number).as_str(), "orders", line].map(cell).join(",")
}
