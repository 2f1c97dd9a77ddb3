//! One integration binary: building it once is faster than building one for each file.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod causes_pages;
mod clones;
mod crd;
mod crd_rules;
mod diagnose_command;
mod diagnosis_carriers;
mod diagnosis_laws;
mod diagnosis_logs;
mod docs;
mod exact_restore;
mod lab;
mod packaging;
mod page;
mod rooms;
mod session_life;
mod tail_command;
mod wrapper_command;
