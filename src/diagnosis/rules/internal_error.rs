//! What no other rule knows.

use super::{Case, Certainty, Diagnosis, Topic};
use crate::diagnosis::catalogue::INTERNAL_ERROR;

pub(super) fn diagnosis(case: &Case<'_>) -> Diagnosis {
    let innermost = case
        .failure
        .thrown
        .chain
        .first()
        .map(|link| format!("{}: {}", link.class, link.message));
    let what = if case.failure.message.is_empty() {
        innermost
            .or_else(|| {
                case.failure
                    .alert
                    .as_ref()
                    .map(|alert| format!("it sent the alert {alert}"))
            })
            .unwrap_or_default()
    } else {
        case.failure.message.clone()
    };
    Diagnosis {
        cause: &INTERNAL_ERROR,
        certainty: Certainty::Possible,
        summary: format!("this end gave up the handshake with {}: {what}", case.peer()),
        explanation: "None of the known causes fits this text; the exception tells the rest.".to_owned(),
        topics: &[Topic::ClientHello, Topic::ServerHello],
    }
}
