//! `tlsdebug tail` on a file that grows and is rotated, and at the end of a pipe.

use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const EXPIRED: &str = "tests/logs/17.0.15-expired-client.log";
const UNTRUSTED: &str = "tests/logs/17.0.15-untrusted-client.log";

fn tail(arguments: &[&str]) -> Child {
    Command::new(assert_cmd::cargo::cargo_bin("tlsdebug"))
        .arg("tail")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    assert!(
        Command::new("kill")
            .args([&format!("-{name}"), &id])
            .status()
            .unwrap()
            .success()
    );
}

fn cause(line: &str) -> String {
    let finding: Value = serde_json::from_str(line).unwrap();
    finding["cause"].as_str().unwrap().to_owned()
}

#[test]
fn a_file_is_followed_from_before_it_is_there_over_its_rotation() {
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("console.log");
    let mut child = tail(&["--file", log.to_str().unwrap()]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    fs::write(&log, fs::read(EXPIRED).unwrap()).unwrap();
    assert_eq!(cause(&lines.next().unwrap().unwrap()), "CertificateExpired");
    fs::rename(&log, folder.path().join("console.log.1")).unwrap();
    let mut next = OpenOptions::new().create(true).append(true).open(&log).unwrap();
    next.write_all(&fs::read(UNTRUSTED).unwrap()).unwrap();
    assert_eq!(cause(&lines.next().unwrap().unwrap()), "UntrustedIssuer");
    signal(&child, "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn what_comes_through_a_pipe_after_a_signal_is_read() {
    let mut child = tail(&["--stdin"]);
    let mut input = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    input.write_all(&fs::read(EXPIRED).unwrap()).unwrap();
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    assert_eq!(cause(&line), "CertificateExpired");
    // A terminal, and a container's end, signal the whole group; the JVM before the pipe still has something to say.
    signal(&child, "TERM");
    signal(&child, "INT");
    input.write_all(&fs::read(UNTRUSTED).unwrap()).unwrap();
    drop(input);
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    assert_eq!(cause(rest.lines().next().unwrap()), "UntrustedIssuer");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
