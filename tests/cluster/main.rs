//! Sessions on a real cluster: one binary, one namespace and one operator process for each scenario.
//!
//! `make test` runs it in the namespaces of its own cluster, with `TLSDEBUG_CLUSTER` set. Without that variable nothing is
//! run: a KUBECONFIG that a developer happens to have set is no permission to write to its cluster.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod clocks;
mod clones;
mod crash;
mod diagnosis;
mod documented;
mod drift;
mod endings;
mod faults;
mod grants;
mod installed;
mod key_material;
mod kinds;
mod leadership;
mod leftovers;
mod logs;
mod meanwhile;
mod monitoring;
mod peers;
mod plugin;
mod reconnects;
mod refusals;
mod restoration;
mod rights;
mod shapes;
mod sidecar;
mod status;
mod support;
mod waiting;
