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
use crate::cli::program;
use crate::operator::orphans::{self, Key, Left};
use crate::session::{TLSDebugSession, TargetKind};
use crate::workload::record::{Record, RecordOwner};

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
        if left.is_nothing() {
            println!("{title} carries no change of tlsdebug");
            return Ok(ExitCode::SUCCESS);
        }
        for record in left.in_template().filter(|_| !self.force) {
            if let Some(reason) = in_use(&cluster, record).await? {
                return Err(Problem::new(format!("{title} is not restored: {reason}")));
            }
        }
        let problem = |error: kube::Error| Problem::of(format!("restore {title}"), &error);
        let mut has_said = false;
        let mut left = left;
        while !left.take_back(&cluster.client).await.map_err(problem)? {
            left = look(&cluster, &key, &title).await?;
            if !has_said && left.in_template().next().is_none() {
                println!("{title}: the template is restored; its pods are being replaced");
                has_said = true;
            }
            if Instant::now() > end {
                return Err(Problem::new(format!(
                    "{title} still has pods with the flag after {}. Look at them (kubectl get pods, kubectl describe pod), and \
                     run the same command again: what they leave behind is removed then",
                    self.timeout
                )));
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        println!("{title} restored");
        Ok(ExitCode::SUCCESS)
    }
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
