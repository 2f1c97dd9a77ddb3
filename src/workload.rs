//! Pure edits of workloads.
