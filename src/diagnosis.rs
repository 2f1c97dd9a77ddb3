//! stub
pub mod report;
use report::{HandshakeCounts, Report, Verdict};
/// x
#[derive(Debug)]
pub struct Diagnoser;
#[allow(missing_docs)]
impl Diagnoser {
    #[must_use]
    pub fn new(_: impl Into<String>) -> Self {
        Self
    }
    pub fn feed(&mut self, _: &[u8]) {}
    pub fn finish(&mut self) {}
    #[must_use]
    pub fn report(&self) -> Report {
        Report {
            verdict: Verdict::NoDebugOutput,
            handshakes: HandshakeCounts::default(),
            findings: vec![],
            warnings: vec![],
        }
    }
    #[must_use]
    pub fn lines(&self) -> u64 {
        0
    }
    #[must_use]
    pub fn bytes(&self) -> u64 {
        0
    }
    #[must_use]
    pub fn debug_records(&self) -> u64 {
        0
    }
    #[must_use]
    pub fn key_material_seen(&self) -> bool {
        false
    }
    #[must_use]
    pub fn revision(&self) -> u64 {
        0
    }
    #[must_use]
    pub fn findings_len(&self) -> usize {
        0
    }
}
impl Report {
    #[must_use]
    pub fn merge(_: impl IntoIterator<Item = Report>) -> Report {
        Report {
            verdict: Verdict::NoDebugOutput,
            handshakes: HandshakeCounts::default(),
            findings: vec![],
            warnings: vec![],
        }
    }
    #[must_use]
    pub fn truncated(&self) -> Report {
        Report {
            verdict: Verdict::NoDebugOutput,
            handshakes: HandshakeCounts::default(),
            findings: vec![],
            warnings: vec![],
        }
    }
}
