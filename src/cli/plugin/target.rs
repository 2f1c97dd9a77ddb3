//! A workload as kubectl names it: `deploy/orders-msr`.

use std::str::FromStr;

use crate::session::TargetKind;

/// A workload that is named on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WorkloadName {
    /// Its kind.
    pub(super) kind: TargetKind,
    /// Its name.
    pub(super) name: String,
}

/// Kinds by the names that kubectl takes for them.
const KINDS: [(&str, TargetKind); 12] = [
    ("deployment", TargetKind::Deployment),
    ("deployments", TargetKind::Deployment),
    ("deploy", TargetKind::Deployment),
    ("statefulset", TargetKind::StatefulSet),
    ("statefulsets", TargetKind::StatefulSet),
    ("sts", TargetKind::StatefulSet),
    ("daemonset", TargetKind::DaemonSet),
    ("daemonsets", TargetKind::DaemonSet),
    ("ds", TargetKind::DaemonSet),
    ("pod", TargetKind::Pod),
    ("pods", TargetKind::Pod),
    ("po", TargetKind::Pod),
];

impl FromStr for WorkloadName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = "write KIND/NAME with deploy, sts, ds or pod, such as deploy/orders-msr";
        let (kind, name) = text.split_once('/').ok_or_else(|| form.to_owned())?;
        // kubectl prints a group behind the kind.
        let kind = kind.to_lowercase();
        let plain = kind.strip_suffix(".apps").unwrap_or(&kind);
        let known = KINDS.iter().find(|(known, _)| *known == plain);
        let (_, kind) = known.ok_or_else(|| format!("{kind:?} cannot be debugged; {form}"))?;
        if name.is_empty() || name.contains('/') {
            return Err(form.to_owned());
        }
        Ok(Self {
            kind: *kind,
            name: name.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_kubectl() {
        let parse = |text: &str| text.parse::<WorkloadName>().map(|target| (target.kind, target.name));
        for text in ["deploy/a", "deployment/a", "deployments.apps/a", "Deployment/a"] {
            assert_eq!(parse(text), Ok((TargetKind::Deployment, "a".to_owned())), "{text}");
        }
        assert_eq!(parse("sts/a"), Ok((TargetKind::StatefulSet, "a".to_owned())));
        assert_eq!(parse("daemonset.apps/a"), Ok((TargetKind::DaemonSet, "a".to_owned())));
        assert_eq!(parse("po/a"), Ok((TargetKind::Pod, "a".to_owned())));
    }

    #[test]
    fn what_is_none_is_told_how_to_write_it() {
        for text in ["orders", "deploy/", "svc/orders", "deploy/a/b", "/a"] {
            let error = text.parse::<WorkloadName>().unwrap_err();
            assert!(error.contains("such as deploy/orders-msr"), "{text}: {error}");
        }
        assert!("svc/orders".parse::<WorkloadName>().unwrap_err().contains("\"svc\""));
    }
}
