//! One integration binary.

mod crd;
mod crd_rules;
