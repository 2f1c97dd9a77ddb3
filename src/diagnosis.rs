//! stub
pub mod report;
use report::*;
/// x
#[derive(Debug)]
pub struct Diagnoser;
#[allow(missing_docs)]
impl Diagnoser {
    pub fn new(_: impl Into<String>) -> Self {
        Self
    }
    pub fn feed(&mut self, _: &[u8]) {}
    pub fn finish(&mut self) {}
    pub fn report(&self) -> Report {
        Report {
            verdict: Verdict::NoDebugOutput,
            handshakes: HandshakeCounts::default(),
            findings: vec![],
            warnings: vec![],
        }
    }
    pub fn lines(&self) -> u64 {
        0
    }
    pub fn bytes(&self) -> u64 {
        0
    }
    pub fn debug_records(&self) -> u64 {
        0
    }
    pub fn key_material_seen(&self) -> bool {
        false
    }
    pub fn revision(&self) -> u64 {
        0
    }
    pub fn findings_len(&self) -> usize {
        0
    }
}
impl Report {
    pub fn merge(_: impl IntoIterator<Item = Report>) -> Report {
        Report {
            verdict: Verdict::NoDebugOutput,
            handshakes: HandshakeCounts::default(),
            findings: vec![],
            warnings: vec![],
        }
    }
    pub fn truncated(&self) -> Report {
        Report {
            verdict: Verdict::NoDebugOutput,
            handshakes: HandshakeCounts::default(),
            findings: vec![],
            warnings: vec![],
        }
    }
}
