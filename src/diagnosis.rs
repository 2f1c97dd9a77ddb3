//! Handshakes to findings: which root cause explains each failed handshake, how sure that is, and what to do about it.

pub mod report;
