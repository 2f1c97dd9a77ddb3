//! A report to text, JSON, and a page for a browser.

mod html;
mod text;

use crate::diagnosis::report::Report;

pub use html::html;
pub use text::{Style, text, text_of_part};

/// The report as JSON, the contract of `--output json`.
pub fn json(report: &Report) -> serde_json::Result<String> {
    serde_json::to_string_pretty(report)
}
