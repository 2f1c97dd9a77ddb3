//! Handshakes to findings: which root cause explains each failed handshake, how sure that is, and what to do about it.

pub mod catalogue;
mod diagnoser;
mod join;
mod journal;
mod limits;
mod merge;
mod path;
pub mod report;
mod rules;

pub use diagnoser::Diagnoser;
pub use journal::{Detail, Journal, Row, Source};
pub use limits::Limits;
pub use path::{Link, Path, Standing};
