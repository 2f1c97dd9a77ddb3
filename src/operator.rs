//! observe, plan, act, report.
