//! `operator --check`: whether an operator with these settings can work, and whether one does. `helm test` asks with the
//! operator's own account.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::ListParams;
use kube::{Api, Client};

use super::rights::{self, OF_OPERATOR};
use super::{Settings, observe};
use crate::session::TLSDebugSession;

/// A lease that was not renewed for so long is nobody's.
const FRESH: SignedDuration = SignedDuration::from_secs(30);

/// What is missing, in sentences; nothing where an operator works.
pub async fn missing(client: &Client, settings: &Settings, now: Timestamp) -> Vec<String> {
    let mut missing = Vec::new();
    for namespace in super::namespaces(&settings.watch_namespaces) {
        let sessions: Api<TLSDebugSession> = match &namespace {
            Some(namespace) => Api::namespaced(client.clone(), namespace),
            None => Api::all(client.clone()),
        };
        let place = namespace.as_ref().map_or_else(
            || "all namespaces".to_owned(),
            |namespace| format!("namespace {namespace:?}"),
        );
        match rights::missing(client, namespace.as_deref(), &OF_OPERATOR).await {
            Ok(rights) if rights.is_empty() => {}
            Ok(rights) => missing.push(format!(
                "its ServiceAccount may not in {place}: {}. The chart's roles (rbac.create) give it that",
                rights.join("; ")
            )),
            Err(error) => missing.push(format!("cannot ask what it may do in {place}: {error}")),
        }
        if let Err(error) = sessions.list(&ListParams::default().limit(1)).await {
            missing.push(format!(
                "cannot list TLSDebugSessions in {place}: {error}. The chart installs the definition (crds.install) and the \
                 roles (rbac.create)"
            ));
        }
    }
    if settings.require_admission_policy {
        match observe::has_admission_policy(client).await {
            Ok(true) => {}
            Ok(false) => missing.push(format!(
                "the ValidatingAdmissionPolicy {} or its binding is not there or denies nothing (chart value \
                 admissionPolicy.enabled)",
                observe::ADMISSION_POLICY
            )),
            Err(error) => missing.push(format!("cannot read the admission policy: {error}")),
        }
    }
    if let Some(namespace) = &settings.lease_namespace {
        let name = &settings.lease_name;
        match Api::<Lease>::namespaced(client.clone(), namespace).get_opt(name).await {
            Ok(lease) if lease.as_ref().is_some_and(|lease| is_held(lease, now)) => {}
            Ok(_) => missing.push(format!(
                "nobody holds Lease {name:?} in namespace {namespace:?}, so no operator acts: look at its pods (kubectl get pods -n \
                 {namespace})"
            )),
            Err(error) => missing.push(format!("cannot read Lease {name:?} in namespace {namespace:?}: {error}")),
        }
    }
    missing
}

fn is_held(lease: &Lease, now: Timestamp) -> bool {
    let Some(spec) = &lease.spec else { return false };
    let is_somebodys = spec.holder_identity.as_ref().is_some_and(|holder| !holder.is_empty());
    is_somebodys
        && spec
            .renew_time
            .as_ref()
            .is_some_and(|renewed| now.duration_since(renewed.0) < FRESH)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_lease_is_held_while_it_is_renewed() {
        let now: Timestamp = "2026-01-01T00:01:00Z".parse().expect("a time");
        let held = |holder: &str, renewed: &str| {
            let lease = json!({"metadata": {}, "spec": {"holderIdentity": holder, "renewTime": renewed}});
            is_held(&serde_json::from_value(lease).expect("a lease"), now)
        };
        assert!(held("tlsdebug-1_x", "2026-01-01T00:00:58.000000Z"));
        assert!(!held("tlsdebug-1_x", "2026-01-01T00:00:10.000000Z"));
        assert!(!held("", "2026-01-01T00:00:58.000000Z"), "it was given up");
        assert!(!is_held(&Lease::default(), now));
    }
}
