//! The flag is no longer in the template, and the operator has not taken it out.

use jiff::Timestamp;

use crate::session::Failure;
use crate::workload::record::Change;
use crate::workload::{Workload, ownership};

/// Why the session ends, and who was it, as far as the object tells.
pub(super) fn failure(workload: &Workload, change: &Change, injected: Option<Timestamp>) -> Failure {
    let (title, variable) = (workload.title(), &change.variable);
    // Who keeps a workload as its own source says puts values back, and leaves annotations alone that it does not know.
    if workload.record().is_none() {
        return Failure {
            reason: "RestoredByHand".to_owned(),
            message: format!(
                "The flag and the record of it were taken out of {title} before the session ended, as status.restoreCommand \
                 does; nothing is left to undo. To end a session early, set spec.stop or delete it. If nobody has done this \
                 by hand, a tool that writes the whole object has."
            ),
        };
    }
    let message = match last_manager(workload, change, injected) {
        Some(manager) => format!(
            "Field manager {manager:?} took the flag out of {title} before the session ended. A tool that keeps the workload \
             as its own source says (Argo CD, Flux, another operator) must be told to leave {variable} alone, or must carry \
             the flag itself."
        ),
        None => format!(
            "Somebody took the flag out of {title} before the session ended; who it was, the object does not tell. To end a \
             session early, set spec.stop or delete it. A tool that keeps the workload as its own source says must be told \
             to leave {variable} alone."
        ),
    };
    Failure {
        reason: "DriftReverted".to_owned(),
        message,
    }
}

/// The field manager that owns the value now; else the one that has written the workload last since the flag was put in,
/// ours and the controllers' status writes aside. Who only takes something away leaves no trace.
fn last_manager(workload: &Workload, change: &Change, injected: Option<Timestamp>) -> Option<String> {
    let path = ownership::value_path(workload, change);
    if let Some(owner) = ownership::owners(&workload.metadata, &path).into_iter().next() {
        return Some(owner.manager);
    }
    let entries = workload.metadata.managed_fields.iter().flatten();
    entries
        .filter(|entry| entry.subresource.is_none() && entry.manager.as_deref() != Some(ownership::FIELD_MANAGER))
        .filter(|entry| entry.manager.as_deref() != Some("kube-controller-manager"))
        .filter(|entry| entry.time.as_ref().map(|time| time.0) >= injected)
        .max_by_key(|entry| entry.time.as_ref().map(|time| time.0))
        .and_then(|entry| entry.manager.clone())
}
