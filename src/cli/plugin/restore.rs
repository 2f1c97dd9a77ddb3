//! `restore`: undoes a change from its record on the workload, whoever has made it.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use kube::Api;
use tokio::time::Instant;

use super::connection::{Cluster, Connection};
use super::options::bounded;
use super::problem::Problem;
use super::rights;
use super::target::WorkloadName;
use crate::cli::output::say;
use crate::cli::program;
use crate::operator::orphans::{self, Hindrance, Key, Left, Unreadable};
use crate::session::{TLSDebugSession, TargetKind};
use crate::workload::record::{ANNOTATION, Record, RecordOwner};

const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// Arguments of `restore`.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 the workload is as it was, 2 it is not.")]
pub(in crate::cli) struct Restore {
    /// The workload: KIND/NAME, such as deploy/orders-msr.
    #[arg(value_name = "KIND/NAME")]
    target: WorkloadName,
    /// Restore although the session goes on whose change it is.
    #[arg(long)]
    force: bool,
    /// How long to wait for the pods with the flag to be replaced.
    #[arg(long, default_value = "10m", value_parser = |text: &str| bounded(text, 1, 24 * 3600))]
    timeout: String,
    #[command(flatten)]
    connection: Connection,
}

impl Restore {
    /// Takes back what is left, until nothing is.
    pub(super) async fn run(self) -> Result<ExitCode, Problem> {
        let WorkloadName { kind, name } = &self.target;
        if *kind == TargetKind::Pod {
            return Err(Problem::new(
                "a pod is never changed, it is cloned: kubectl delete pod removes a clone",
            ));
        }
        let cluster = self.connection.connect().await?;
        let title = format!("{kind} {name:?} in namespace {:?}", cluster.namespace);
        rights::demand(&cluster, &format!("restore {title}"), &rights::of_restore(*kind)).await?;
        let key: Key = (cluster.namespace.clone(), *kind, name.clone());
        let end = Instant::now() + crate::operator::plan::duration(&self.timeout).unsigned_abs();
        let left = look(&cluster, &key, &title).await?;
        if left.is_nothing() && left.unreadable.is_empty() {
            say(format_args!("{title} carries no change of tlsdebug"));
            return Ok(ExitCode::SUCCESS);
        }
        for record in left.in_template().filter(|_| !self.force) {
            if let Some(reason) = in_use(&cluster, record).await? {
                return Err(Problem::new(format!("{title} is not restored: {reason}")));
            }
        }
        let problem = |error: kube::Error| Problem::of(format!("restore {title}"), &error);
        let mut has_said = false;
        let mut said = None;
        let mut left = left;
        loop {
            let mut hindrance = None;
            if left.take_back(&cluster.client, &mut hindrance).await.map_err(problem)? {
                break;
            }
            left = look(&cluster, &key, &title).await?;
            let is_in_template = left.in_template().next().is_some();
            if !has_said && !is_in_template {
                say(format_args!(
                    "{title}: the template is restored; its pods are being replaced"
                ));
                has_said = true;
            }
            if hindrance.is_some() && hindrance != said {
                say(format_args!("{title} {}", waits(hindrance.as_ref(), is_in_template)));
                said.clone_from(&hindrance);
            }
            if Instant::now() > end {
                return Err(Problem::new(format!(
                    "after {} {title} {}. Then run the same command again: what is left behind is removed then",
                    self.timeout,
                    waits(hindrance.as_ref(), is_in_template)
                )));
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        if let Some(problem) = unreadable(&left.unreadable, &title, &cluster.arguments) {
            return Err(problem);
        }
        say(format_args!("{title} restored"));
        Ok(ExitCode::SUCCESS)
    }
}

/// What is waited for, to follow the workload's name, with what can be done about it.
fn waits(hindrance: Option<&Hindrance>, is_in_template: bool) -> String {
    match hindrance {
        Some(Hindrance::Refused(message)) => {
            let message = message.trim().trim_end_matches('.');
            let what = if is_in_template {
                "still has the flag in its template"
            } else {
                "still has traces of the change"
            };
            format!(
                "{what}: the API server refuses to let it be taken back ({message}). Whoever makes that rule can lift it"
            )
        }
        Some(Hindrance::Standstill(standstill)) => format!(
            "still has pods with the flag: it {}. {}",
            standstill.description(),
            standstill.way_out()
        ),
        None if is_in_template => {
            "still has the flag in its template: others write it at the same time. Look who (kubectl get \
                                   --show-managed-fields)"
                .to_owned()
        }
        None => "still has pods with the flag. Look at them (kubectl get pods, kubectl describe pod)".to_owned(),
    }
}

/// Records that cannot be read, each with what kubectl can do in their place.
fn unreadable(unreadable: &[Unreadable], title: &str, arguments: &str) -> Option<Problem> {
    let each = unreadable.iter().map(|Unreadable { object, error }| {
        format!(
            "annotation {ANNOTATION} of {object} is no record: {error}. Take -Djavax.net.debug out of its variables where it is \
             there (kubectl edit {object} {arguments}), then remove the annotation (kubectl annotate {object} {ANNOTATION}- \
             {arguments})"
        )
    });
    let each: Vec<String> = each.collect();
    (!each.is_empty()).then(|| Problem::new(format!("{title} is not restored: {}", each.join("; "))))
}

async fn look(cluster: &Cluster, key: &Key, title: &str) -> Result<Left, Problem> {
    let left = orphans::left_on(&cluster.client, key).await;
    left.map_err(|error| Problem::of(format!("look at {title}"), &error))?
        .ok_or_else(|| Problem::new(format!("there is no {title}")))
}

/// Why a change is somebody's still, and what they should do instead.
async fn in_use(cluster: &Cluster, record: &Record) -> Result<Option<String>, Problem> {
    let (program, session) = (program(), &record.session);
    if record.owner == RecordOwner::Terminal {
        let deadline = record.deadline.parse::<jiff::Timestamp>();
        if deadline.is_ok_and(|deadline| deadline < jiff::Timestamp::now()) {
            return Ok(None);
        }
        return Ok(Some(format!(
            "a terminal has it until {} at the latest ({program} run). Ctrl-C there restores it; where that terminal is dead, \
             --force does",
            record.deadline
        )));
    }
    let sessions = Api::<TLSDebugSession>::namespaced(cluster.client.clone(), &session.namespace);
    let live = match sessions.get_opt(&session.name).await {
        Ok(live) => live,
        // The definition is gone, and with it every session.
        Err(kube::Error::Api(status)) if status.is_not_found() => None,
        Err(error) => return Err(Problem::of(format!("look at session {:?}", session.name), &error)),
    };
    let is_active = live.is_some_and(|live| {
        live.metadata.uid.as_ref() == Some(&session.uid)
            && !live.status.is_some_and(|status| status.phase.is_finished())
    });
    Ok(is_active.then(|| {
        format!(
            "session {:?} has it. {program} stop {} {} ends that and restores; where no operator runs that could, --force does",
            session.name, session.name, cluster.arguments
        )
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::rollout::Standstill;

    #[test]
    fn what_is_waited_for_is_told_apart() {
        let refused = waits(Some(&Hindrance::Refused("denied by policy.".to_owned())), true);
        assert!(refused.contains("in its template: the API server refuses"), "{refused}");
        assert!(refused.contains("(denied by policy)"), "{refused}");
        let paused = waits(Some(&Hindrance::Standstill(Standstill::Paused)), false);
        assert!(
            paused.contains("it is paused. Resume it (kubectl rollout resume)"),
            "{paused}"
        );
        assert!(waits(None, false).contains("kubectl describe pod"));
    }

    #[test]
    fn a_record_that_cannot_be_read_is_a_problem_with_a_way_out() {
        assert_eq!(unreadable(&[], "it", ""), None);
        let broken = Unreadable {
            object: "deployment/orders".to_owned(),
            error: "its field session does not hold what the operator writes there".to_owned(),
        };
        let problem = unreadable(&[broken], "Deployment \"orders\"", "--namespace shop")
            .expect("a problem")
            .to_string();
        for part in [
            "Deployment \"orders\" is not restored",
            "its field session",
            "kubectl annotate deployment/orders tlsdebug.io/injection- --namespace shop",
        ] {
            assert!(problem.contains(part), "{problem}");
        }
    }
}
