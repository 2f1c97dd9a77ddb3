//! Strategy Clone: one more pod with the flag, and the workload is left alone.
