//! A report to text and JSON.

mod text;

use crate::diagnosis::report::Report;

pub use text::{Style, text, text_of_part};

/// The report as JSON, the contract of `--output json`.
pub fn json(report: &Report) -> serde_json::Result<String> {
    serde_json::to_string_pretty(report)
}
