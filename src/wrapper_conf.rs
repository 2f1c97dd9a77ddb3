//! The old world: the configuration of the Tanuki service wrapper, by which an on-premise Integration Server (10.15 and
//! older) starts its JVM.
//!
//! Pure: [`edit`] adds the flag to the bytes of `custom_wrapper.conf` and takes it out exactly; [`survey`] finds out which
//! indexes the files together use. Nothing here touches a file.
//!
//! Facts: a `wrapper.java.additional.N` is one argument of the JVM, arguments come in the order of N, and of two definitions
//! of the same N the one that is read later silently wins. `wrapper.conf` reads `custom_wrapper.conf` by `#include`, last.

pub mod edit;
mod line;
pub mod survey;

pub use edit::{disable, enable, enabled, lines_of};
pub use survey::{Survey, survey};
