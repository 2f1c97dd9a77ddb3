//! What the scenarios share: a namespace, an operator process that has the chart's rights in it, and waiting.

pub mod audit;
pub mod faults;
pub mod kubectl;
mod memory;
pub mod operator;
pub mod phases;
pub mod plugin;
pub mod policies;
pub mod proxy;
pub mod random;
pub mod sessions;
pub mod shell;
pub mod snapshot;
pub mod table;
pub mod workloads;

use std::cell::{Cell, OnceCell, RefCell};
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures::FutureExt;
use kube::{Api, Client};
use serde_json::json;
use tempfile::TempDir;
use tlsdebug::session::TLSDebugSession;

use kubectl::kubectl;
use operator::Operator;
use phases::Phases;
use proxy::Proxy;

/// How long anything may take on a busy machine before a wait gives up.
pub const PATIENCE: Duration = Duration::from_secs(90);
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// One scenario: its namespace, and the operator that serves it.
pub struct Scenario {
    pub client: Client,
    pub namespace: String,
    pub phases: Phases,
    directory: TempDir,
    operator: RefCell<Option<Operator>>,
    proxy: OnceCell<Proxy>,
    has_lease: Cell<bool>,
    has_release: Cell<bool>,
    clock: RefCell<String>,
}

/// Runs a scenario in a namespace of its own, with an operator already running. What it needs to be understood is printed
/// when it fails; everything is removed in any case.
pub fn scenario(name: &str, body: impl AsyncFnOnce(&Scenario)) {
    if std::env::var_os("TLSDEBUG_CLUSTER").is_none() {
        // Past the test harness, which shows what a passing test prints to nobody.
        let _ = writeln!(
            std::io::stderr(),
            "{name}: skipped, TLSDEBUG_CLUSTER is not set (make test sets it)"
        );
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let begin = Instant::now();
    let outcome = runtime.block_on(async {
        let scenario = Scenario::new(name).await;
        let whole = async {
            scenario.grant_rights();
            scenario.start_operator();
            body(&scenario).await;
        };
        let outcome = AssertUnwindSafe(whole).catch_unwind().await;
        if outcome.is_err() {
            scenario.explain();
        } else if let Some(test) = std::thread::current().name() {
            let seconds = format!("{:.1}", begin.elapsed().as_secs_f64());
            table::row("scenarios", &[&test.replace("::", ": ").replace('_', " "), &seconds]);
        }
        scenario.remove();
        outcome
    });
    if let Err(panic) = outcome {
        resume_unwind(panic);
    }
}

impl Scenario {
    async fn new(name: &str) -> Self {
        kubectl::install_definition();
        let client = Client::try_default().await.unwrap();
        let namespace = format!("tlsdebug-{name}-{}", std::process::id());
        kubectl(&["create", "namespace", &namespace]).done();
        let phases = Phases::watch(client.clone(), &namespace);
        Self {
            client,
            namespace,
            phases,
            directory: TempDir::new().unwrap(),
            operator: RefCell::default(),
            proxy: OnceCell::default(),
            has_lease: Cell::default(),
            has_release: Cell::default(),
            clock: RefCell::default(),
        }
    }

    /// A file of this scenario's own.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Runs kubectl in the scenario's namespace.
    pub fn kubectl(&self, arguments: &[&str]) -> kubectl::Output {
        kubectl(&[&["--namespace", &self.namespace], arguments].concat())
    }

    /// Gives kubectl a manifest on its standard input, in the scenario's namespace.
    pub fn kubectl_with_input(&self, arguments: &[&str], input: &serde_json::Value) -> kubectl::Output {
        kubectl::with_input(
            &[&["--namespace", &self.namespace], arguments].concat(),
            &input.to_string(),
        )
    }

    /// Looks until there is something to return; gives up when it takes too long.
    pub async fn eventually<T>(&self, what: &str, look: impl AsyncFn() -> Option<T>) -> T {
        self.within(PATIENCE, what, look).await
    }

    /// Looks until there is something to return; gives up after `patience`.
    pub async fn within<T>(&self, patience: Duration, what: &str, look: impl AsyncFn() -> Option<T>) -> T {
        let begin = Instant::now();
        loop {
            if let Some(found) = look().await {
                return found;
            }
            assert!(begin.elapsed() < patience, "waited in vain for {what}");
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }

    /// Makes sure that something stays as it is for a while.
    pub async fn stays(&self, what: &str, during: Duration, look: impl AsyncFn() -> bool) {
        let begin = Instant::now();
        while begin.elapsed() < during {
            assert!(look().await, "{what} did not last");
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }

    /// Prints what is needed to understand a failure.
    fn explain(&self) {
        for arguments in [
            &["get", "tlsdebugsessions", "--output", "yaml"][..],
            &[
                "get",
                "deployments,statefulsets,daemonsets,replicasets,controllerrevisions,pods",
                "--output",
                "wide",
            ],
            &["get", "events", "--sort-by", ".metadata.creationTimestamp"],
        ] {
            println!(
                "--- kubectl {}\n{}",
                arguments.join(" "),
                self.kubectl(arguments).text()
            );
        }
        let log = std::fs::read_to_string(self.path(operator::LOG)).unwrap_or_default();
        let skipped = log.lines().count().saturating_sub(200);
        if self.has_release.get() {
            let logs = [
                "logs",
                "--selector",
                "app.kubernetes.io/name=tlsdebug",
                "--prefix",
                "--tail=100",
            ];
            println!("--- kubectl {}\n{}", logs.join(" "), self.kubectl(&logs).text());
        }
        println!("--- operator log, its last lines");
        log.lines().skip(skipped).for_each(|line| println!("{line}"));
    }

    /// Removes the namespace without waiting for it; nobody is left who would take finalizers away.
    fn remove(&self) {
        self.operator.take();
        let sessions = self.kubectl(&["get", "tlsdebugsessions", "--output", "name"]);
        let without = json!({"metadata": {"finalizers": null}}).to_string();
        for session in sessions
            .text()
            .lines()
            .filter(|line| line.starts_with("tlsdebugsession"))
        {
            self.kubectl(&["patch", session, "--type", "merge", "--patch", &without]);
        }
        self.remove_chart();
        for kind in ["validating", "mutating"] {
            let policies = format!("{kind}admissionpolicybindings,{kind}admissionpolicies");
            let own = format!("scenario={}", self.namespace);
            kubectl(&["delete", &policies, "--selector", &own, "--wait=false"]);
        }
        kubectl(&["delete", "namespace", &self.namespace, "--wait=false"]);
    }

    /// The API of the scenario's sessions.
    pub fn sessions(&self) -> Api<TLSDebugSession> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }
}
