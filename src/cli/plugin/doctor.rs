//! `doctor`: what a session needs, what of it is missing, and the command that mends it.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::api::{ListParams, PostParams};
use kube::{Api, ResourceExt};

use super::connection::{Cluster, Connection};
use super::problem::Problem;
use super::rights::{self, Right};
use crate::cli::output;
use crate::cli::program;
use crate::operator::observe;
use crate::session::TargetKind;

/// The oldest Kubernetes that the chart installs on: ValidatingAdmissionPolicy is there from it on.
const OLDEST: u32 = 30;
const OPERATOR: &str = "app.kubernetes.io/name=tlsdebug";
const INSTALL: &str = "helm upgrade --install tlsdebug charts/tlsdebug --namespace tlsdebug --create-namespace \
                       --set image.repository=REGISTRY/tlsdebug";
/// Keeps what the release was installed with.
const UPGRADE: &str = "helm upgrade tlsdebug charts/tlsdebug --namespace tlsdebug --reuse-values";

/// Arguments of `doctor`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 nothing is missing as far as you may look, 1 something is, 2 the cluster does not answer."
)]
pub(in crate::cli) struct Doctor {
    #[command(flatten)]
    connection: Connection,
}

/// What came of looking at one thing.
#[derive(Debug, PartialEq, Eq)]
enum State {
    /// It is there.
    Fine,
    /// It is not, and this mends it.
    Missing { mend: String },
    /// It may not be looked at; this looks, run by somebody who may.
    Unknown { look: String },
}

/// One thing that a session needs.
#[derive(Debug, PartialEq, Eq)]
struct Check {
    what: String,
    state: State,
}

impl Check {
    fn fine(what: impl Into<String>) -> Self {
        let what = what.into();
        Self {
            what,
            state: State::Fine,
        }
    }

    fn missing(what: impl Into<String>, mend: impl Into<String>) -> Self {
        let (what, mend) = (what.into(), mend.into());
        Self {
            what,
            state: State::Missing { mend },
        }
    }

    fn unknown(what: impl Into<String>, look: impl Into<String>) -> Self {
        let (what, look) = (what.into(), look.into());
        Self {
            what,
            state: State::Unknown { look },
        }
    }
}

impl Doctor {
    /// Looks at everything and prints it.
    pub(super) async fn run(self) -> Result<ExitCode, Problem> {
        let cluster = self.connection.connect().await?;
        let mut checks = vec![version(&cluster).await?, definition(&cluster).await?];
        checks.extend(operators(&cluster).await?);
        checks.push(policy(&cluster).await?);
        checks.extend(rights(&cluster).await?);
        output::write(text(&checks));
        let is_missing = checks.iter().any(|check| matches!(check.state, State::Missing { .. }));
        Ok(ExitCode::from(u8::from(is_missing)))
    }
}

async fn version(cluster: &Cluster) -> Result<Check, Problem> {
    let version = cluster.client.apiserver_version().await;
    let version = version.map_err(|error| Problem::of("ask the API server for its version", &error))?;
    let minor: u32 = version.minor.trim_end_matches('+').parse().unwrap_or_default();
    let what = format!("Kubernetes {}", version.git_version);
    Ok(if version.major == "1" && minor < OLDEST {
        Check::missing(format!("{what} is older than 1.{OLDEST}"), "update the cluster")
    } else {
        Check::fine(what)
    })
}

async fn definition(cluster: &Cluster) -> Result<Check, Problem> {
    let what = "kind TLSDebugSession, tlsdebug.io/v1alpha1";
    match cluster.client.list_api_group_resources("tlsdebug.io/v1alpha1").await {
        Ok(_) => Ok(Check::fine(what)),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(Check::missing(
            format!("{what} is not installed"),
            format!("{INSTALL}   (by an administrator)"),
        )),
        Err(error) => Err(Problem::of("ask the API server for its kinds", &error)),
    }
}

/// The operators that serve the namespace.
async fn operators(cluster: &Cluster) -> Result<Vec<Check>, Problem> {
    let all = Api::<Deployment>::all(cluster.client.clone());
    let list = match all.list(&ListParams::default().labels(OPERATOR)).await {
        Ok(list) => list.items,
        Err(kube::Error::Api(status)) if status.is_forbidden() => {
            let look = format!("kubectl get deployments --all-namespaces --selector {OPERATOR}");
            return Ok(vec![Check::unknown(
                "operator: you may not list Deployments of all namespaces",
                look,
            )]);
        }
        Err(error) => return Err(Problem::of("look for the operator", &error)),
    };
    if list.is_empty() {
        let what = "operator: no Deployment of it is in this cluster";
        let mend = format!("{INSTALL}   (by an administrator); {} run needs none", program());
        return Ok(vec![Check::missing(what, mend)]);
    }
    Ok(of_interest(&list, &cluster.namespace))
}

/// Operators that serve other namespaces matter only where none serves this one.
fn of_interest(list: &[Deployment], namespace: &str) -> Vec<Check> {
    let (serving, others): (Vec<_>, Vec<_>) = list.iter().partition(|one| serves(one, namespace));
    let of_interest = if serving.is_empty() { others } else { serving };
    of_interest.into_iter().map(|one| operator(one, namespace)).collect()
}

fn serves(deployment: &Deployment, namespace: &str) -> bool {
    let watched = watched(deployment);
    watched.is_empty() || watched.iter().any(|watched| watched == namespace)
}

fn operator(deployment: &Deployment, namespace: &str) -> Check {
    let (name, home) = (deployment.name_any(), deployment.namespace().unwrap_or_default());
    let version = deployment
        .labels()
        .get("app.kubernetes.io/version")
        .map_or("", String::as_str);
    let what = format!("operator {version} in namespace {home:?}");
    let available = deployment
        .status
        .as_ref()
        .and_then(|status| status.available_replicas)
        .unwrap_or_default();
    if available == 0 {
        Check::missing(
            format!("{what} has no available pod"),
            format!("kubectl describe pods --namespace {home} --selector {OPERATOR}"),
        )
    } else if !serves(deployment, namespace) {
        let watched = watched(deployment);
        let all = [watched.as_slice(), &[namespace.to_owned()]].concat().join(",");
        Check::missing(
            format!(
                "{what} does not serve namespace {namespace:?}, only {}",
                watched.join(", ")
            ),
            format!(
                "helm upgrade {name} charts/tlsdebug --namespace {home} --reuse-values --set 'watchNamespaces={{{all}}}'"
            ),
        )
    } else {
        Check::fine(what)
    }
}

/// The namespaces that an operator serves; none: all.
fn watched(deployment: &Deployment) -> Vec<String> {
    let pod = deployment.spec.as_ref().and_then(|spec| spec.template.spec.as_ref());
    let containers = pod.map_or(&[][..], |pod| pod.containers.as_slice());
    let mut arguments = containers.iter().flat_map(|container| container.args.iter().flatten());
    let named = arguments.find_map(|argument| argument.strip_prefix("--watch-namespaces="));
    named.map_or_else(Vec::new, |named| named.split(',').map(str::to_owned).collect())
}

async fn policy(cluster: &Cluster) -> Result<Check, Problem> {
    let name = observe::ADMISSION_POLICY;
    match observe::has_admission_policy(&cluster.client).await {
        Ok(true) => Ok(Check::fine(format!("admission policy {name}"))),
        Ok(false) => Ok(Check::missing(
            format!("admission policy {name}, or its binding, is not there or denies nothing"),
            format!("{UPGRADE} --set admissionPolicy.enabled=true   (by an administrator)"),
        )),
        Err(kube::Error::Api(status)) if status.is_forbidden() => Ok(Check::unknown(
            "admission policy: you may not read it",
            format!("kubectl get validatingadmissionpolicies,validatingadmissionpolicybindings {name}"),
        )),
        Err(error) => Err(Problem::of("look for the admission policy", &error)),
    }
}

async fn rights(cluster: &Cluster) -> Result<Vec<Check>, Problem> {
    let reviews = Api::<SelfSubjectReview>::all(cluster.client.clone());
    let user = reviews
        .create(&PostParams::default(), &SelfSubjectReview::default())
        .await;
    let user = user
        .ok()
        .and_then(|review| review.status?.user_info?.username)
        .unwrap_or_else(|| "you".to_owned());
    let namespace = &cluster.namespace;
    let mend = format!(
        "kubectl create rolebinding tlsdebug-users --clusterrole edit --user {user:?} --namespace {namespace}   (by an \
         administrator)"
    );
    let groups: [(&str, Vec<Right>); 3] = [
        ("sessions", rights::SESSIONS.to_vec()),
        (
            "what the admission policy asks for",
            rights::of_policy(TargetKind::Deployment),
        ),
        ("what run and restore do", rights::of_run(TargetKind::Deployment)),
    ];
    let mut checks = Vec::new();
    for (what, rights) in groups {
        let missing = rights::missing(cluster, &rights).await?;
        let what = format!("rights of {user} in namespace {namespace:?}: {what}");
        checks.push(if missing.is_empty() {
            Check::fine(what)
        } else {
            Check::missing(format!("{what}; not: {}", missing.join("; ")), mend.clone())
        });
    }
    Ok(checks)
}

fn text(checks: &[Check]) -> String {
    let mut out = String::new();
    for Check { what, state } in checks {
        let (word, command) = match state {
            State::Fine => ("ok", None),
            State::Missing { mend } => ("missing", Some(mend)),
            State::Unknown { look } => ("unknown", Some(look)),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{word:<9} {what}");
        if let Some(command) = command {
            let _ = writeln!(out, "          {command}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment(available: i32, arguments: &[&str]) -> Deployment {
        serde_json::from_value(json!({
            "metadata": {"name": "tlsdebug", "namespace": "tools", "labels": {"app.kubernetes.io/version": "0.1.0"}},
            "spec": {"selector": {}, "template": {"spec": {"containers": [{"name": "operator", "args": arguments}]}}},
            "status": {"availableReplicas": available}
        }))
        .expect("a Deployment")
    }

    #[test]
    fn what_is_missing_is_said_with_the_command_that_mends_it() {
        let some = &["operator", "--watch-namespaces=orders,bank"];
        let checks = [
            Check::fine("Kubernetes v1.35.0"),
            operator(&deployment(1, &["operator"]), "demo"),
            operator(&deployment(0, &["operator"]), "demo"),
            operator(&deployment(1, some), "bank"),
            operator(&deployment(1, some), "demo"),
            Check::unknown(
                "admission policy: you may not read it",
                "kubectl get validatingadmissionpolicies",
            ),
        ];
        insta::assert_snapshot!(text(&checks));
    }

    #[test]
    fn operators_of_other_namespaces_matter_only_where_none_serves_this_one() {
        let of_others = deployment(1, &["operator", "--watch-namespaces=bank"]);
        let of_all = deployment(1, &["operator"]);
        let fine = Check::fine("operator 0.1.0 in namespace \"tools\"");
        assert_eq!(of_interest(&[of_others.clone(), of_all], "demo"), [fine]);
        let only_others = of_interest(&[of_others], "demo");
        assert!(matches!(only_others[0].state, State::Missing { .. }), "{only_others:?}");
    }
}
