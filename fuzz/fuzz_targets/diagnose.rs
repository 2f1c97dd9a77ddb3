//! Any bytes in any split: no panic, the same report, counts that add up, bounded memory, no key material.
#![no_main]

use libfuzzer_sys::fuzz_target;
use peak_alloc::PeakAlloc;
use tlsdebug::diagnosis::report::Report;
use tlsdebug::diagnosis::{Diagnoser, Limits};
use tlsdebug::render::{Style, text};

/// What reading may hold at a time, in bytes; the inputs are at most 64 KiB.
const MEMORY: usize = 8 << 20;

#[global_allocator]
static MEMORY_USED: PeakAlloc = PeakAlloc;

fuzz_target!(|input: &[u8]| {
    // The first byte says how the rest is split, so that the fuzzer can choose.
    let Some((split, log)) = input.split_first() else { return };
    MEMORY_USED.reset_peak_usage();
    let before = MEMORY_USED.current_usage();
    let whole = report(log.chunks(log.len().max(1)));
    assert!(MEMORY_USED.peak_usage().saturating_sub(before) < MEMORY, "too much memory");
    check(&whole);
    let split = report(log.chunks(1 + usize::from(*split)));
    assert_eq!(whole, split, "the split changes the report");
});

fn report<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> Report {
    let mut diagnoser = Diagnoser::new("log");
    for chunk in chunks {
        diagnoser.feed(chunk);
    }
    diagnoser.finish();
    diagnoser.report()
}

fn check(report: &Report) {
    let counts = report.handshakes;
    assert_eq!(counts.total, counts.succeeded + counts.failed + counts.incomplete);
    for line in report.findings.iter().flat_map(|finding| &finding.evidence) {
        assert!(!is_dump(&line.text), "a row of a dump is shown: {}", line.text);
    }
    for coloured in [Style::Plain, Style::Coloured] {
        let _ = text(report, coloured);
    }
    let limits = Limits::default();
    let truncated = report.clone().truncated(limits);
    let json = serde_json::to_vec(&truncated).expect("a report is JSON");
    assert!(json.len() <= limits.bytes, "a report of {} bytes", json.len());
}

/// Whether a line is `0010: A2 2A DB 58`, the form in which keys are printed.
fn is_dump(line: &str) -> bool {
    let Some((offset, bytes)) = line.trim_start().split_once(": ") else { return false };
    let hex = |text: &str, length| text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    hex(offset, 4) && bytes.split(' ').next().is_some_and(|byte| hex(byte, 2))
}
