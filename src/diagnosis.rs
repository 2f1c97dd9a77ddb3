//! Handshakes to findings: which root cause explains each failed handshake, how sure that is, and what to do about it.

pub mod catalogue;
mod diagnoser;
mod join;
mod limits;
mod merge;
pub mod report;
mod rules;

pub use diagnoser::Diagnoser;
pub use limits::Limits;
