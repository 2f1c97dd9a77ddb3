//! Pure edits of workloads: what a change to the template looks like, and its exact inverse.
//!
//! Nothing here talks to a cluster. [`inject::plan`] turns a workload into one JSON Patch that adds the flag and, in the
//! same patch, a [`record::Record`] that says how to undo it; [`restore::plan`] turns a workload that carries a record
//! into the patch that undoes it; [`ownership`] gives `metadata.managedFields` back to those who owned the value.
//! [`clone::plan`] makes one more pod with the flag of it and leaves the workload alone.

pub mod by_hand;
pub mod clone;
mod controller;
mod edit;
pub mod environment;
pub mod inject;
pub mod ownership;
pub mod patch;
pub mod record;
pub mod redaction;
pub mod refusal;
pub mod restore;
pub mod rollout;
pub mod view;

pub use controller::controller_of;
pub use inject::Injection;
pub use record::{ANNOTATION, Record};
pub use refusal::Refusal;
pub use view::Workload;
