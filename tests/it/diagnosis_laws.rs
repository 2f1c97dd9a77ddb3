//! What holds for every log.

use std::fmt::Write as _;

use proptest::prelude::*;
use tlsdebug::diagnosis::report::Report;
use tlsdebug::diagnosis::{Diagnoser, Limits};

use crate::diagnosis_logs::{log, report};

const LOGS: [&str; 6] = [
    "11.0.33-missing-intermediate-client",
    "11.0.33-clientauth-none-tls12-client",
    "11.0.33-expand-untrusted-client",
    "17.0.15-expired-client",
    "8u252-legacy-jsse-missing-intermediate-client",
    "28-ea-empty-prop-fine-client",
];

/// A report without what a carrier may change: nothing, as evidence is shown without its carrier.
fn carried(name: &str, carry: impl Fn(usize, &str) -> String) -> Report {
    let bytes = log(name);
    let mut whole = String::new();
    for (number, line) in String::from_utf8_lossy(&bytes).lines().enumerate() {
        let _ = writeln!(whole, "{}", carry(number, line));
    }
    report(whole.as_bytes())
}

#[test]
fn a_carrier_does_not_change_the_report() {
    for name in LOGS {
        let plain = report(&log(name));
        assert!(!plain.findings.is_empty());
        assert_eq!(
            plain,
            carried(name, |number, line| format!("2026-11-23T14:56:39.{number:09}Z {line}")),
            "kubectl: {name}"
        );
        assert_eq!(
            plain,
            carried(name, |number, line| format!(
                "[pod/orders-7d9/msr] 2026-11-23T14:56:39.{number:09}Z {line}"
            )),
            "kubectl --prefix: {name}"
        );
        assert_eq!(
            plain,
            carried(name, |_, line| format!("[pod/orders-7d9/msr] {line}")),
            "kubectl --prefix: {name}"
        );
        assert_eq!(
            plain,
            carried(name, |number, line| {
                let middle = line.floor_char_boundary(line.len() / 2);
                let (head, tail) = line.split_at(middle);
                let stamp = format!("2026-11-23T14:56:39.{number:09}+01:00 stderr");
                format!("{stamp} F {head}{tail}")
            }),
            "CRI: {name}"
        );
        assert_eq!(
            plain,
            carried(name, |_, line| {
                serde_json::json!({"log": format!("{line}\n"), "stream": "stderr"}).to_string()
            }),
            "Docker: {name}"
        );
        assert_eq!(
            plain,
            carried(name, |number, line| format!(
                "INFO   | jvm 1    | 2026/11/23 15:06:{:02} | {line}",
                number % 60
            )),
            "Tanuki: {name}"
        );
        assert_eq!(plain, carried(name, |_, line| format!("{line}\r")), "CRLF: {name}");
        assert_eq!(
            plain,
            carried(name, |_, line| format!("\u{1b}[31m{line}\u{1b}[0m")),
            "colours: {name}"
        );
    }
}

#[test]
fn a_file_of_windows_in_utf_16() {
    for name in LOGS {
        let bytes = log(name);
        let text = String::from_utf8_lossy(&bytes);
        let plain = report(&bytes);
        let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(report(&wide), plain, "{name}, without a mark");
        assert_eq!(report(&[&[0xff, 0xfe], wide.as_slice()].concat()), plain, "{name}");
    }
}

#[test]
fn prefixes_of_any_form_are_learned() {
    for name in LOGS {
        let plain = report(&log(name));
        let same = |found: &Report, carrier: &str| {
            assert_eq!(plain.handshakes, found.handshakes, "{carrier}: {name}");
            assert_eq!(
                plain.findings[0].summary, found.findings[0].summary,
                "{carrier}: {name}"
            );
            assert_eq!(
                plain.findings[0].evidence, found.findings[0].evidence,
                "{carrier}: {name}"
            );
        };
        same(&carried(name, |_, line| format!("orders-7d9f msr {line}")), "stern");
        same(
            &carried(name, |_, line| format!("orders-7d9f › msr │ {line}")),
            "stern with bars",
        );
        same(
            &carried(name, |number, line| {
                format!("Nov 23 15:00:{:02} host java[123]: {line}", number % 60)
            }),
            "journald",
        );
        same(
            &carried(name, |number, line| {
                format!("14:29:{:02},678 ERROR [stderr] (default I/O-2) {line}", number % 60)
            }),
            "WildFly",
        );
        same(
            &carried(name, |number, line| {
                format!("2021/08/23 06:52:{:02} | {line}", number % 60)
            }),
            "date only",
        );
        same(&carried(name, |_, line| format!("app-1  | {line}")), "compose");
        same(&carried(name, |_, line| format!("ISSERVER|| {line}")), "ISSERVER");
        same(
            &carried(name, |number, line| {
                format!(
                    "[11/23/26 14:56:{:02}:000 GMT] 0000008f SystemErr     R {line}",
                    number % 60
                )
            }),
            "WebSphere",
        );
        same(
            &carried(name, |_, line| {
                serde_json::json!({"level": "ERROR", "message": line}).to_string()
            }),
            "JSON encoder",
        );
    }
}

#[test]
fn what_syslog_and_journald_put_before_a_line() {
    for name in LOGS {
        let plain = report(&log(name));
        for (carrier, prefix) in [
            ("RFC 3164", "<13>Nov 23 15:00:00 host java[123]: "),
            ("RFC 5424", "<134>1 2026-11-23T14:56:39.003Z host app 123 - - "),
            ("journalctl -o short-iso", "2026-11-23T15:00:00+0100 host java[123]: "),
            (
                "stern with timestamps",
                "orders-7d9f msr 2026-11-23T14:56:39.100000000Z ",
            ),
        ] {
            let found = carried(name, |number, line| {
                format!("{}{line}", prefix.replace("39", &format!("{:02}", number % 60)))
            });
            assert_eq!(plain, found, "{carrier}: {name}");
        }
    }
}

#[test]
fn json_encoders_by_their_names_for_the_message() {
    for name in LOGS {
        let plain = report(&log(name));
        let encoders: [fn(&str) -> serde_json::Value; 7] = [
            |line| serde_json::json!({"@timestamp": "2026-11-23T14:56:39.1Z", "@version": "1", "message": line, "level": "ERROR"}),
            |line| serde_json::json!({"log": {"level": "ERROR", "logger": "stderr"}, "message": line}),
            |line| serde_json::json!({"version": "1.1", "host": "a", "short_message": line, "level": 3}),
            |line| serde_json::json!({"_PID": "12", "MESSAGE": line, "PRIORITY": "3"}),
            |line| serde_json::json!({"msg": line, "level": "error"}),
            |line| serde_json::json!({"stream": "stderr", "logtag": "F", "log": line, "kubernetes": {"pod_name": "a"}}),
            |line| serde_json::json!({"message": format!("{line}\r\n"), "thread": "x", "log": {"offset": 1}}),
        ];
        for (number, encoder) in encoders.iter().enumerate() {
            assert_eq!(
                plain,
                carried(name, |_, line| encoder(line).to_string()),
                "{number}: {name}"
            );
        }
    }
}

#[test]
fn pieces_of_json_lines_are_joined() {
    for name in LOGS {
        let bytes = log(name);
        let mut shipped = String::new();
        for line in String::from_utf8_lossy(&bytes).lines() {
            let (head, tail) = line.split_at(line.floor_char_boundary(line.len() / 2));
            for (piece, tag) in [(head, "P"), (tail, "F")] {
                let _ = writeln!(
                    shipped,
                    "{}",
                    serde_json::json!({"log": piece, "logtag": tag, "stream": "stderr"})
                );
            }
        }
        let (plain, joined) = (report(&bytes), report(shipped.as_bytes()));
        assert_eq!(plain.handshakes, joined.handshakes, "{name}");
        assert_eq!(plain.findings[0].summary, joined.findings[0].summary, "{name}");
    }
}

/// The log with each header of the pipe layout changed.
fn headers(name: &str, change: impl Fn(&[&str]) -> String) -> Report {
    carried(name, |_, line| {
        if line.starts_with("javax.net.ssl|") {
            change(&line.splitn(7, '|').collect::<Vec<_>>())
        } else {
            line.to_owned()
        }
    })
}

#[test]
fn fields_of_a_header_that_differ_between_machines() {
    for name in ["11.0.33-missing-intermediate-client", "17.0.15-expired-client"] {
        let plain = report(&log(name));
        let changed = [
            headers(name, |field| {
                format!(
                    "{}|{}|01 3A|{}|{}|{}|{}",
                    field[0], field[1], field[3], field[4], field[5], field[6]
                )
            }),
            headers(name, |field| {
                format!(
                    "{}|{}|{}|kafka | admin|1|{}|{}|{}",
                    field[0], field[1], field[2], field[4], field[5], field[6]
                )
            }),
            headers(name, |field| {
                let time = format!("{}24{}", &field[4][..11], &field[4][13..]);
                format!(
                    "{}|{}|{}|{}|{time}|{}|{}",
                    field[0], field[1], field[2], field[3], field[5], field[6]
                )
            }),
            headers(name, |field| {
                let time = format!("{} Mitteleurop\u{e4}ische Zeit", &field[4][..23]);
                format!(
                    "{}|{}|{}|{}|{time}|{}|{}",
                    field[0], field[1], field[2], field[3], field[5], field[6]
                )
            }),
        ];
        for (number, found) in changed.iter().enumerate() {
            assert_eq!(plain.handshakes, found.handshakes, "{number}: {name}");
            assert_eq!(plain.findings[0].summary, found.findings[0].summary, "{number}: {name}");
            assert_eq!(
                plain.findings[0].certainty, found.findings[0].certainty,
                "{number}: {name}"
            );
        }
    }
}

#[test]
fn bytes_that_are_no_text_do_no_harm() {
    for name in LOGS.iter().filter(|name| !name.contains("empty-prop")) {
        let bytes = log(name);
        let plain = report(&bytes);
        let mut dirty = Vec::new();
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            dirty.extend_from_slice(line);
            if line == b")\n" || line == b"***\n" || line == b"}\n" {
                // What a rotated file and another process leave between records.
                dirty.extend_from_slice(b"\0\0\0\0\n\xff\xfe\x80 caf\xe9\n");
            }
        }
        let found = report(&dirty);
        assert_eq!(plain.handshakes, found.handshakes, "{name}");
        assert_eq!(plain.findings[0].summary, found.findings[0].summary, "{name}");
    }
}

#[test]
fn several_layouts_in_one_file() {
    let mut all = Vec::new();
    let (mut failed, mut causes) = (0, std::collections::BTreeSet::new());
    for name in LOGS {
        let bytes = log(name);
        let alone = report(&bytes);
        failed += alone.handshakes.failed;
        causes.extend(alone.findings.into_iter().map(|finding| finding.cause));
        all.extend_from_slice(&bytes);
    }
    let found = report(&all);
    assert_eq!(found.handshakes.failed, failed);
    let named: std::collections::BTreeSet<String> = found.findings.into_iter().map(|finding| finding.cause).collect();
    assert_eq!(named, causes);
}

#[test]
fn no_row_of_a_dump_ever_leaves() {
    // Keys are printed as rows of a dump; so are certificates, whose rows are no evidence either.
    for name in [
        "8u252-legacy-jsse-clientauth-none-tls12-client",
        "8u252-legacy-jsse-missing-intermediate-client",
    ] {
        let bytes = log(name);
        let text = String::from_utf8_lossy(&bytes);
        let dump = |line: &str| {
            line.len() > 6
                && line.as_bytes()[4..].starts_with(b": ")
                && line[..4].bytes().all(|byte| byte.is_ascii_hexdigit())
        };
        let json = serde_json::to_string(&report(&bytes)).unwrap();
        let mut rows = 0;
        for row in text.lines().map(str::trim).filter(|line| dump(line)) {
            rows += 1;
            assert!(!json.contains(&row[6..]), "{name}: {row}");
        }
        assert!(rows > 10, "{name}");
    }
}

#[test]
fn partial_lines_of_the_runtime_are_joined() {
    for name in LOGS {
        let bytes = log(name);
        let mut whole = String::new();
        for line in String::from_utf8_lossy(&bytes).lines() {
            let (head, tail) = line.split_at(line.floor_char_boundary(line.len() / 2));
            let _ = writeln!(
                whole,
                "2026-11-23T14:56:39.1Z stderr P {head}\n2026-11-23T14:56:39.1Z stderr F {tail}"
            );
        }
        let (plain, joined) = (report(&bytes), report(whole.as_bytes()));
        assert_eq!(plain.handshakes, joined.handshakes, "{name}");
        assert_eq!(plain.findings[0].summary, joined.findings[0].summary, "{name}");
    }
}

#[test]
fn a_log_read_twice_counts_twice() {
    for name in LOGS {
        let bytes = log(name);
        let (once, twice) = (report(&bytes), report(&[bytes.clone(), bytes].concat()));
        assert_eq!(twice.handshakes.failed, 2 * once.handshakes.failed, "{name}");
        assert_eq!(twice.findings.len(), once.findings.len(), "{name}");
        assert_eq!(twice.findings[0].count, 2 * once.findings[0].count, "{name}");
        let merged = Report::merge([once.clone(), once]);
        assert_eq!(merged.handshakes, twice.handshakes, "{name}");
    }
}

#[test]
fn foreign_lines_between_those_of_a_record_do_no_harm() {
    for name in LOGS.iter().filter(|name| !name.starts_with("8u252")) {
        let bytes = log(name);
        let mut whole = String::new();
        for line in String::from_utf8_lossy(&bytes).lines() {
            let _ = writeln!(
                whole,
                "{line}\nISSERVER|| 2026-11-23 14:56:39 CET [ISS.0014.0002I] Initialization completed in 51 seconds."
            );
        }
        if name.contains("empty-prop") {
            // Two physical lines make one header there; nothing may stand between them.
            continue;
        }
        let (plain, mixed) = (report(&bytes), report(whole.as_bytes()));
        assert_eq!(plain.handshakes, mixed.handshakes, "{name}");
        assert_eq!(plain.findings[0].summary, mixed.findings[0].summary, "{name}");
        assert!(
            mixed.findings[0]
                .evidence
                .iter()
                .all(|line| !line.text.contains("ISSERVER")),
            "{name}"
        );
    }
}

#[test]
fn memory_stays_bounded_and_reports_small() {
    let bytes = log("11.0.33-missing-intermediate-client");
    let mut diagnoser = Diagnoser::new("log");
    for number in 0..3000 {
        let other = String::from_utf8_lossy(&bytes).replace("Lab Intermediate", &format!("CA {number}"));
        diagnoser.feed(other.as_bytes());
    }
    diagnoser.finish();
    let report = diagnoser.report();
    assert_eq!(report.handshakes.failed, 3000);
    assert!(report.findings.len() <= 256 && !report.warnings.is_empty());
    let limits = Limits::default();
    let truncated = report.truncated(limits);
    assert!(serde_json::to_vec(&truncated).unwrap().len() <= limits.bytes);
    assert!(truncated.findings.len() <= limits.findings);
    assert!(
        truncated
            .findings
            .iter()
            .all(|finding| finding.evidence.len() <= limits.evidence)
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_split_gives_the_same_report(which in 0..LOGS.len(), sizes in prop::collection::vec(1usize..4000, 1..40)) {
        let bytes = log(LOGS[which]);
        let mut diagnoser = Diagnoser::new("log");
        let mut rest = bytes.as_slice();
        let mut sizes = sizes.into_iter().cycle();
        while !rest.is_empty() {
            let (head, tail) = rest.split_at(sizes.next().unwrap_or(1).min(rest.len()));
            diagnoser.feed(head);
            rest = tail;
        }
        diagnoser.finish();
        prop_assert_eq!(diagnoser.report(), report(&bytes));
    }

    #[test]
    fn how_the_threads_interleave_does_not_matter(choices in prop::collection::vec(0usize..8, 3000)) {
        let bytes = log("17.0.15-par3-untrusted-client");
        let text = String::from_utf8_lossy(&bytes);
        // The records of each thread, in order.
        let mut threads: Vec<(String, std::collections::VecDeque<String>)> = Vec::new();
        let mut current = 0;
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("javax.net.ssl|") {
                let thread = rest.split('|').nth(2).unwrap().to_owned();
                current = threads.iter().position(|(name, _)| *name == thread).unwrap_or(threads.len());
                if current == threads.len() {
                    threads.push((thread, std::collections::VecDeque::new()));
                }
                threads[current].1.push_back(String::new());
            }
            if let Some(record) = threads.get_mut(current).and_then(|(_, records)| records.back_mut()) {
                let _ = writeln!(record, "{line}");
            }
        }
        let mut shuffled = String::new();
        let mut choices = choices.into_iter().cycle();
        while threads.iter().any(|(_, records)| !records.is_empty()) {
            let index = choices.next().unwrap_or(0) % threads.len();
            if let Some(record) = threads[index].1.pop_front() {
                shuffled.push_str(&record);
            }
        }
        let (plain, mixed) = (report(&bytes), report(shuffled.as_bytes()));
        prop_assert_eq!(plain.handshakes, mixed.handshakes);
        prop_assert_eq!(plain.findings.len(), mixed.findings.len());
        prop_assert_eq!(&plain.findings[0].summary, &mixed.findings[0].summary);
        prop_assert_eq!(plain.findings[0].certainty, mixed.findings[0].certainty);
    }

    #[test]
    fn a_log_that_begins_ends_or_breaks_anywhere_counts_right(
        which in 0..LOGS.len(),
        from in 0usize..40_000,
        length in 0usize..40_000,
        hole in 0usize..40_000,
        missing in 0usize..10_000,
    ) {
        let mut bytes = log(LOGS[which]);
        let whole = report(&bytes).handshakes;
        let hole = hole.min(bytes.len());
        bytes.drain(hole..(hole + missing).min(bytes.len()));
        let from = from.min(bytes.len());
        let part = &bytes[from..(from + length).min(bytes.len())];
        let found = report(part).handshakes;
        prop_assert_eq!(found.total, found.succeeded + found.failed + found.incomplete);
        // A part of a log cannot hold more handshakes than the whole, but one that lost its beginning.
        prop_assert!(found.total <= whole.total + 1, "{found:?} of {whole:?}");
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let _ = report(&bytes);
    }

    #[test]
    fn a_damaged_log_never_panics(
        which in 0..LOGS.len(),
        cut in 0usize..20_000,
        changes in prop::collection::vec((0usize..30_000, any::<u8>()), 0..200),
    ) {
        let mut bytes = log(LOGS[which]);
        for (at, byte) in changes {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        let bytes = &bytes[cut.min(bytes.len())..];
        let found = report(bytes);
        prop_assert_eq!(found.handshakes.total, found.handshakes.succeeded + found.handshakes.failed + found.handshakes.incomplete);
        prop_assert!(found.findings.iter().all(|finding| finding.evidence.len() <= 20));
        let _ = tlsdebug::render::text(&found, tlsdebug::render::Style::Plain);
    }

    #[test]
    fn words_of_the_layouts_in_any_order_never_panic(words in prop::collection::vec(prop::sample::select(WORDS), 0..120)) {
        let _ = report(words.concat().as_bytes());
    }
}

/// Pieces from which both layouts are made.
const WORDS: &[&str] = &[
    "javax.net.ssl|DEBUG|10|main|2026-11-23 14:54:54.556 GMT|X.java:1|",
    "javax.net.ssl|",
    "Produced ClientHello handshake message (\n",
    "Consuming ServerHello handshake message (\n",
    "Consuming server Certificate handshake message (\n",
    "Fatal (HANDSHAKE_FAILURE): Couldn't kickstart handshaking (\n",
    "Received alert message (\n",
    "Consuming server Finished handshake message\n",
    "\"certificate\" : {\n",
    "\"subject\" : \"CN=a\",\n",
    "\"issuer\" : \"CN=a\",\n",
    "\"throwable\" : {\n",
    "  java.io.EOFException: x\n",
    ")\n",
    "\n",
    "{\n",
    "}\n",
    "  \"logger\"      : \"javax.net.ssl\",\n",
    "  \"message\"     : \"",
    "*** ClientHello, TLSv1.2\n",
    "*** ServerHello, TLSv1.2\n",
    "*** Certificate chain\n",
    "*** Finished\n",
    "***\n",
    "RandomCookie:  GMT: 1 bytes = { 1, 2 }\n",
    "main, READ: TLSv1.2 Handshake, length = 1\n",
    "main, WRITE: TLSv1.2 Handshake, length = 1\n",
    "main, WRITE: TLSv1.2 Change Cipher Spec, length = 1\n",
    "main, RECV TLSv1.2 ALERT:  fatal, handshake_failure\n",
    "main, fatal error: 46: x\n",
    "adding as trusted cert:\n",
    "é|ü: ",
    "0000: 00 ",
    "2026-11-23T14:56:39.1Z stderr P ",
    "[pod/a/b] ",
    "{\"log\":\"x\\n\",\"stream\":\"stderr\"}\n",
];

#[test]
fn handshakes_need_not_end_in_the_order_in_which_they_began() {
    let log = String::from_utf8(log("17.0.15-expired-client")).unwrap();
    let middle = log.find("javax.net.ssl|DEBUG|10|main|2026-11-23 15:00:18.3").unwrap();
    let (begin, end) = log.split_at(middle);
    let other = log
        .replace("|10|main|", "|11|other|")
        .replace(" 15:00:18.", " 15:00:19.");
    let both = [begin, &other, &end.replace(" 15:00:18.", " 15:00:20.")].concat();
    let (whole, pieces) = (report(both.as_bytes()), {
        let mut diagnoser = Diagnoser::new("log");
        both.lines().for_each(|line| {
            diagnoser.feed(line.as_bytes());
            diagnoser.feed(b"\n");
        });
        diagnoser.finish();
        diagnoser.report()
    });
    for report in [whole, pieces] {
        assert_eq!(report.findings.len(), 1);
        let finding = &report.findings[0];
        assert_eq!(finding.count, 2);
        assert_eq!(finding.first_seen.as_deref(), Some("2026-11-23 15:00:18.293 UTC"));
        assert_eq!(finding.last_seen.as_deref(), Some("2026-11-23 15:00:20.404 UTC"));
    }
}

#[test]
fn inputs_that_fuzzing_has_found_keep_the_laws() {
    let seeds = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/seeds")).unwrap();
    for seed in seeds {
        let path = seed.unwrap().path();
        let input = std::fs::read(&path).unwrap();
        // As in fuzz/fuzz_targets/diagnose.rs.
        let Some((split, log)) = input.split_first() else {
            continue;
        };
        let mut diagnoser = Diagnoser::new("log");
        log.chunks(1 + usize::from(*split))
            .for_each(|piece| diagnoser.feed(piece));
        diagnoser.finish();
        let mut whole = Diagnoser::new("log");
        whole.feed(log);
        whole.finish();
        let report = whole.report();
        assert_eq!(report, diagnoser.report(), "{}", path.display());
        let row = |text: &str| {
            let hex = |digits: &str| digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            let (offset, bytes) = text.trim_start().split_once(": ")?;
            Some(offset.len() == 4 && hex(offset) && bytes.len() >= 2 && hex(bytes.get(..2)?))
        };
        for line in report.findings.iter().flat_map(|finding| &finding.evidence) {
            assert_ne!(row(&line.text), Some(true), "{}: {}", path.display(), line.text);
        }
    }
}
