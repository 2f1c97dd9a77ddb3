//! One integration binary: building it once is faster than building one for each file.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod exact_restore;
