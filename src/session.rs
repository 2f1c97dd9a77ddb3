//! The `TLSDebugSession` kind: what a user writes, what the operator answers, and the rules the API server enforces.

pub mod conditions;
pub mod definition;
pub mod peer;
pub mod spec;
pub mod status;

pub use spec::{
    DebugOption, Match, OptionsVariable, StopWhen, Strategy, TLSDebugSession, TLSDebugSessionSpec, Target, TargetKind,
};
pub use status::{Failure, Phase, TLSDebugSessionStatus};
