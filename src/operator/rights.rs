//! Rights in a namespace, and whether whoever asks has them, as the API server's authorizer says.

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::api::PostParams;
use kube::{Api, Client};

/// A right on a resource, or a subresource of it, of one API group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Right {
    /// Empty: the core group.
    pub group: &'static str,
    /// In the plural, as the API server names it.
    pub resource: &'static str,
    /// Empty: the resource itself.
    pub subresource: &'static str,
    /// What may be done.
    pub verbs: &'static [&'static str],
}

impl Right {
    /// On a resource itself.
    #[must_use]
    pub const fn of(group: &'static str, resource: &'static str, verbs: &'static [&'static str]) -> Self {
        Self::of_part(group, resource, "", verbs)
    }

    const fn of_part(
        group: &'static str,
        resource: &'static str,
        subresource: &'static str,
        verbs: &'static [&'static str],
    ) -> Self {
        Self {
            group,
            resource,
            subresource,
            verbs,
        }
    }

    /// To read what containers print.
    pub const LOGS: Self = Self::of_part("", "pods", "log", &["get"]);

    /// The resource as a role names it, such as `pods/log`.
    #[must_use]
    pub fn name(self) -> String {
        let separator = if self.subresource.is_empty() { "" } else { "/" };
        format!("{}{separator}{}", self.resource, self.subresource)
    }
}

/// What every operator needs in each namespace that it serves. Some sessions need more, which the chart gives where it is
/// told to (`rbac.allow`).
pub const OF_OPERATOR: [Right; 10] = [
    Right::of(
        "tlsdebug.io",
        "tlsdebugsessions",
        &["create", "get", "list", "watch", "patch", "delete"],
    ),
    Right::of_part("tlsdebug.io", "tlsdebugsessions", "status", &["patch"]),
    Right::of("apps", "deployments", WORKLOAD),
    Right::of("apps", "statefulsets", WORKLOAD),
    Right::of("apps", "daemonsets", WORKLOAD),
    Right::of("apps", "replicasets", REVISION),
    Right::of("apps", "controllerrevisions", REVISION),
    Right::of("", "pods", &["get", "list", "watch"]),
    Right::LOGS,
    Right::of("events.k8s.io", "events", &["create"]),
];
const WORKLOAD: &[&str] = &["get", "list", "watch", "patch"];
const REVISION: &[&str] = &["list", "patch", "delete"];

/// Those of `rights` that whoever asks has not, such as `patch deployments`, in `namespace` or, without it, in all.
///
/// # Errors
///
/// The API server does not answer, or does not say.
pub async fn missing(client: &Client, namespace: Option<&str>, rights: &[Right]) -> kube::Result<Vec<String>> {
    let reviews = Api::<SelfSubjectAccessReview>::all(client.clone());
    let mut missing = Vec::new();
    for right in rights {
        let mut verbs = Vec::new();
        for verb in right.verbs {
            let answer = reviews
                .create(&PostParams::default(), &review(namespace, *right, verb))
                .await?;
            if !answer.status.is_some_and(|status| status.allowed) {
                verbs.push(*verb);
            }
        }
        if !verbs.is_empty() {
            missing.push(format!("{} {}", verbs.join(", "), right.name()));
        }
    }
    Ok(missing)
}

fn review(namespace: Option<&str>, right: Right, verb: &str) -> SelfSubjectAccessReview {
    SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                namespace: namespace.map(str::to_owned),
                verb: Some(verb.to_owned()),
                group: Some(right.group.to_owned()),
                resource: Some(right.resource.to_owned()),
                subresource: (!right.subresource.is_empty()).then(|| right.subresource.to_owned()),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    }
}
