//! Finds out why a JVM's TLS handshake fails.
//!
//! Two ways lead to the same answer: `tlsdebug diagnose` reads a log file, and the operator reads the logs of pods whose
//! JVM it told to print `javax.net.debug`. Data flows downwards through the rooms below; nothing points back up.
//! `docs/architecture.md` has the picture.

pub mod cli;
pub mod diagnosis;
pub mod handshake;
pub mod log;
pub mod operator;
pub mod render;
pub mod session;
pub mod workload;
pub mod wrapper_conf;
