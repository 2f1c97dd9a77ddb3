//! `tlsdebug diagnose` as a person runs it.

use assert_cmd::Command;
use assert_cmd::assert::Assert;

fn diagnose(arguments: &[&str]) -> Assert {
    let mut command = Command::cargo_bin("tlsdebug").unwrap();
    command
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/logs"))
        .arg("diagnose")
        .args(arguments)
        .assert()
}

fn stdout(assert: &Assert) -> String {
    String::from_utf8_lossy(&assert.get_output().stdout).into_owned()
}

fn stderr(assert: &Assert) -> String {
    String::from_utf8_lossy(&assert.get_output().stderr).into_owned()
}

#[test]
fn the_exit_code_tells_the_verdict() {
    diagnose(&["11.0.33-ok-tls13-client.log"]).code(0);
    diagnose(&["17.0.15-untrusted-client.log"]).code(1);
    diagnose(&["11.0.33-ssl-ok-tls13-client.log"]).code(2);
    diagnose(&["README.md"]).code(2);
}

#[test]
fn several_files_and_json() {
    let assert = diagnose(&[
        "--output",
        "json",
        "11.0.33-ok-tls13-client.log",
        "17.0.15-expired-client.log",
    ])
    .code(1);
    let report: tlsdebug::diagnosis::report::Report = serde_json::from_str(&stdout(&assert)).unwrap();
    assert_eq!((report.handshakes.succeeded, report.handshakes.failed), (1, 1));
    assert_eq!(report.findings[0].cause, "CertificateExpired");
    assert_eq!(report.findings[0].evidence[0].source, "17.0.15-expired-client.log");
}

#[test]
fn an_unreadable_file_beside_a_failure_is_a_warning() {
    let assert = diagnose(&["17.0.15-expired-client.log", "none.log"]).code(1);
    assert!(
        stdout(&assert).contains("cannot read none.log: there is no such file"),
        "{}",
        stdout(&assert)
    );
    let assert = diagnose(&["11.0.33-ok-tls13-client.log", "none.log"]).code(2);
    // Who reads no further than the first line must not take a part for the whole.
    assert_eq!(
        stdout(&assert).lines().next(),
        Some("All handshakes that were read succeeded: 1 handshake, 1 succeeded; 1 of 2 could not be read")
    );
}

#[test]
fn what_is_no_log_gets_one_line_and_code_2() {
    use std::io::Write as _;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let nothing = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    let mut binary = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    binary.write_all(b"\x7fELF\x02\x01\x01\0\0\0").unwrap();
    std::fs::write(at("empty"), "").unwrap();
    std::fs::write(at("nothing.gz"), nothing.finish().unwrap()).unwrap();
    std::fs::write(at("program"), b"\x7fELF\x02\x01\x01\0\0\0").unwrap();
    std::fs::write(at("program.gz"), binary.finish().unwrap()).unwrap();
    std::fs::create_dir(at("folder")).unwrap();
    for (file, expected) in [
        ("empty", format!("{} is empty", at("empty"))),
        ("nothing.gz", format!("{} is empty", at("nothing.gz"))),
        (
            "program",
            format!("{} is not a log: it holds binary data", at("program")),
        ),
        (
            "program.gz",
            format!("{} is not a log: it holds binary data", at("program.gz")),
        ),
        ("folder", format!("there is no file in {}", at("folder"))),
    ] {
        let assert = diagnose(&[&at(file)]).code(2);
        assert_eq!(
            (stdout(&assert), stderr(&assert)),
            (String::new(), format!("tlsdebug: {expected}\n"))
        );
    }
}

#[test]
fn an_exception_without_debug_output_is_told_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("server.log").display().to_string();
    std::fs::write(
        &file,
        "javax.net.ssl.SSLHandshakeException: Remote host closed connection during handshake\n",
    )
    .unwrap();
    for path in [file.as_str(), folder.path().to_str().unwrap()] {
        let assert = diagnose(&[path]).code(2);
        let words: Vec<_> = stdout(&assert).split_whitespace().map(str::to_owned).collect();
        let text = words.join(" ");
        assert!(text.starts_with("No TLS debug output in this log"), "{text}");
        for part in [
            "javax.net.ssl.SSLHandshakeException",
            "start that JVM with -Djavax.net.debug=ssl,handshake",
            "TLSDebugSession",
        ] {
            assert!(text.contains(part), "{part:?} is not in: {text}");
        }
    }
}

#[test]
fn a_folder_is_read_whole_and_what_is_not_of_it_is_one_note() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("pods")).unwrap();
    for (file, log) in [
        ("pods/a.log", "17.0.15-expired-client"),
        ("z.log", "11.0.33-ok-tls13-client"),
    ] {
        std::fs::write(at(file), crate::diagnosis_logs::log(log)).unwrap();
    }
    std::fs::write(at("access.log"), "GET /invoke 200\n").unwrap();
    std::fs::write(at("lib.jar"), b"PK\x03\x04\0\0").unwrap();
    let assert = diagnose(&["--output", "json", folder.path().to_str().unwrap()]).code(1);
    let report: tlsdebug::diagnosis::report::Report = serde_json::from_str(&stdout(&assert)).unwrap();
    assert_eq!((report.handshakes.succeeded, report.handshakes.failed), (1, 1));
    assert_eq!(
        report.findings[0].evidence[0].source,
        at("pods/a.log").display().to_string()
    );
    let note = format!(
        "2 of 4 files hold no TLS debug output: {}, {}",
        at("access.log").display(),
        at("lib.jar").display()
    );
    assert_eq!(report.warnings, [note]);
}

#[test]
fn wrong_input_is_named_with_the_way_out() {
    let assert = diagnose(&["none.log"]).code(2);
    assert_eq!(
        stderr(&assert),
        "tlsdebug: cannot read none.log: there is no such file; give the path of a log or of a folder, or - for \
         standard input\n"
    );
    let assert = diagnose(&[]).code(2);
    assert!(stderr(&assert).contains("<FILE>"), "{}", stderr(&assert));
}

#[test]
fn standard_input() {
    let log = std::fs::read(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/logs/17.0.15-expired-client.log"
    ))
    .unwrap();
    let assert = Command::cargo_bin("tlsdebug")
        .unwrap()
        .args(["diagnose", "-"])
        .write_stdin(log)
        .assert()
        .code(1);
    assert!(stdout(&assert).starts_with("Failures found: 1 handshake, 1 failed\n\n1. CertificateExpired (proven"));
}

#[test]
fn compressed_files_give_the_same_report_and_cut_ones_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let log = crate::diagnosis_logs::log("17.0.15-expired-client");
    let report = |path: &std::path::Path, code: i32| -> tlsdebug::diagnosis::report::Report {
        let assert = diagnose(&["--output", "json", path.to_str().unwrap()]).code(code);
        serde_json::from_str(&stdout(&assert)).unwrap()
    };
    let gzip = {
        use std::io::Write as _;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(&log).unwrap();
        encoder.finish().unwrap()
    };
    let zstandard = ruzstd::encoding::compress_to_vec(log.as_slice(), ruzstd::encoding::CompressionLevel::Fastest);
    let plain = folder.path().join("log");
    std::fs::write(&plain, &log).unwrap();
    let expected = report(&plain, 1);
    for bytes in [&gzip, &zstandard] {
        // The name stays, for the report holds it.
        std::fs::write(&plain, bytes).unwrap();
        assert_eq!(report(&plain, 1), expected);
    }
    std::fs::write(&plain, &gzip[..gzip.len() - 4]).unwrap();
    let cut = report(&plain, 1);
    assert_eq!(cut.findings, expected.findings);
    assert!(
        cut.warnings
            .iter()
            .any(|warning| warning.contains("is cut off or damaged")),
        "{:?}",
        cut.warnings
    );
    std::fs::write(&plain, &gzip[..8]).unwrap();
    diagnose(&[plain.to_str().unwrap()]).code(2);
}

#[test]
fn a_stream_that_goes_on_is_told_about_as_it_comes() {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::process::Stdio;
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("tlsdebug"))
        .args(["diagnose", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap());
    let log = crate::diagnosis_logs::log("17.0.15-expired-client");
    input.write_all(&log).unwrap();
    let mut line = String::new();
    told.read_line(&mut line).unwrap();
    assert!(
        line.starts_with("tlsdebug: line ") && line.contains("CertificateExpired (proven): "),
        "{line}"
    );
    // The same again is no news.
    input.write_all(&log).unwrap();
    drop(input);
    line.clear();
    told.read_to_string(&mut line).unwrap();
    assert_eq!(line, "");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("Failures found: 2 handshakes, 2 failed"));
}

#[cfg(unix)]
#[test]
fn an_interrupt_asks_for_the_report() {
    use std::io::{BufRead as _, BufReader};
    use std::os::unix::process::CommandExt as _;
    use std::process::{Command, Stdio};
    // A terminal interrupts all of a pipeline; the shell alone goes on, to tell its exit code.
    let child = Command::new("sh")
        .args(["-c", "trap : INT; tail -n +1 -f \"$0\" | \"$1\" diagnose -"])
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/logs/17.0.15-expired-client.log"
        ))
        .arg(assert_cmd::cargo::cargo_bin("tlsdebug"))
        .process_group(0)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.unwrap();
    let mut told = String::new();
    BufReader::new(child.stderr.take().unwrap())
        .read_line(&mut told)
        .unwrap();
    assert!(told.contains("CertificateExpired (proven): "), "{told}");
    let group = format!("-{}", child.id());
    assert!(
        Command::new("kill")
            .args(["-INT", "--", &group])
            .status()
            .unwrap()
            .success()
    );
    let output = child.wait_with_output().unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(
        report.starts_with("Failures found: 1 handshake, 1 failed\n\n1. CertificateExpired"),
        "{report}"
    );
    assert_eq!(output.status.code(), Some(1));
}

/// Memory of what never ends: lines, records, messages, names, chains and prefixes.
#[cfg(target_os = "linux")]
#[test]
fn memory_stays_bounded_whatever_comes() {
    use std::io::Write as _;
    use std::process::Stdio;
    type Line = fn(usize) -> String;
    const HEADER: &str = "javax.net.ssl|DEBUG|10|main|2026-11-23 14:54:54.556 GMT|X.java:1|";
    let endless: [(&str, Line); 10] = [
        ("a line", |_| "x".repeat(100)),
        ("a record", |number| {
            format!(
                "{}  \"k{number}\": \"v\",\n",
                if number == 0 {
                    format!("{HEADER}Produced ClientHello handshake message (\n")
                } else {
                    String::new()
                }
            )
        }),
        ("certificates", |number| {
            format!(
                "{}\"certificate\" : {{\n\"subject\" : \"CN={number}\",\n",
                if number == 0 {
                    format!("{HEADER}adding as trusted certificates (\n")
                } else {
                    String::new()
                }
            )
        }),
        ("trust stores", |number| {
            format!(
                "{HEADER}adding as trusted certificates (\n\"certificate\" : {{\n\"subject\" : \"CN={number}\",\n)\n"
            )
        }),
        ("threads", |number| {
            format!(
                "{}Produced ClientHello handshake message (\n  \"random\" : \"{number:064x}\",\n)\n",
                HEADER.replace("|10|main|", &format!("|{number:x}|t{number}|"))
            )
        }),
        ("a piece of a line", |_| {
            "2026-11-23T14:56:39.1Z stderr P xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n".to_owned()
        }),
        ("prefixes", |number| {
            format!("pod-{} {HEADER}x\n", "y".repeat(number % 150))
        }),
        ("authorities", |number| {
            let begin = "Consuming CertificateRequest handshake message (\n";
            let header = if number == 0 {
                format!("{HEADER}{begin}")
            } else {
                String::new()
            };
            format!("{header}\"certificate authorities\": [CN={number:0400}]\n")
        }),
        ("a chain of exceptions", |number| {
            let header = if number == 0 { "main, fatal error: 46: x\n" } else { "" };
            format!("{header}java.lang.RuntimeException: internal cause is:\n")
        }),
        ("legacy messages", |number| {
            format!(
                "*** ClientHello, TLSv1.2\nCipher Suites: [{number}]\nadding as trusted cert:\n  Subject: CN={number}\n"
            )
        }),
    ];
    for (what, line) in endless {
        let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("tlsdebug"))
            .args(["diagnose", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut input = std::io::BufWriter::new(child.stdin.take().unwrap());
        let mut number = 0;
        let mut written = 0;
        while written < 6 << 20 {
            let text = line(number);
            written += text.len();
            number += 1;
            input.write_all(text.as_bytes()).unwrap();
        }
        input.flush().unwrap();
        // What the pipe still holds is less than any bound.
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let held = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        let kibibytes: u64 = held.trim().trim_end_matches(" kB").parse().unwrap();
        assert!(kibibytes < 6 << 10, "{what}: {kibibytes} KiB");
        drop(input);
        child.wait().unwrap();
    }
}
