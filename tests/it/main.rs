//! One integration binary: building it once is faster than building one for each file.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod crd;
mod crd_rules;
mod exact_restore;
mod session_life;
