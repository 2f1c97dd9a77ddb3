//! One integration binary.

mod crd;
