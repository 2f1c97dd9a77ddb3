//! The operator as a process, with the rights that the chart gives it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tlsdebug::session::Phase;

use super::Scenario;
use super::kubectl::{self, kubectl};
use super::memory::memory;
use super::proxy::Proxy;

/// The operator's log in the scenario's folder, over all its lives.
pub const LOG: &str = "operator.log";

/// The name of the ServiceAccount, its Role and its RoleBinding.
pub const ACCOUNT: &str = "tlsdebug";

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/tlsdebug");
const RELEASE: &str = "installed";

/// A running operator; dropping it kills it, stopped or not.
pub struct Operator {
    child: Arc<Mutex<Child>>,
    admin_address: String,
}

impl Drop for Operator {
    fn drop(&mut self) {
        let mut child = self.child();
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl Operator {
    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends it a signal, such as STOP.
    pub fn signal(&self, name: &str) {
        kubectl::run(
            Command::new("kill").args([&format!("-{name}"), &self.child().id().to_string()]),
            "",
        )
        .done();
    }

    /// The most memory that was ever resident, in bytes.
    pub fn highest_memory(&self) -> u64 {
        memory(self.child().id(), "VmHWM")
    }

    /// Whether it has ended, and if so whether with success.
    pub fn ended(&self) -> Option<bool> {
        self.child().try_wait().unwrap().map(|status| status.success())
    }

    /// What its admin port says to GET `path`.
    pub fn ask(&self, path: &str) -> String {
        let mut answer = String::new();
        let mut connection = TcpStream::connect(&self.admin_address).unwrap();
        write!(
            connection,
            "GET {path} HTTP/1.1\r\nHost: operator\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        connection.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Scenario {
    /// Gives the operator's ServiceAccount the rights that the chart gives in a namespace that it watches.
    pub fn grant_rights(&self) {
        let watch = format!("watchNamespaces={{{}}}", self.namespace);
        let mut helm = Command::new("helm");
        helm.args([
            "template",
            ACCOUNT,
            CHART,
            "--namespace",
            &self.namespace,
            "--set",
            &watch,
        ])
        .args(["--set", "rbac.allow.clone=true,rbac.allow.readConfigMaps=true"])
        .args([
            "--show-only",
            "templates/serviceaccount.yaml",
            "--show-only",
            "templates/rbac.yaml",
        ]);
        let manifests = kubectl::run(&mut helm, "").done();
        kubectl::with_input(
            &["apply", "--server-side", "--force-conflicts", "--filename", "-"],
            &manifests,
        )
        .done();
    }

    /// Installs the chart for the scenario's namespace; it is uninstalled with the scenario.
    pub fn install_chart(&self, values: &[&str]) {
        self.has_release.set(true);
        self.apply_chart("install", values);
    }

    /// Upgrades what the chart has installed, and waits until the pods of before are gone.
    pub fn upgrade_chart(&self, values: &[&str]) {
        self.apply_chart("upgrade", values);
        let gone = [
            "rollout",
            "status",
            "deployment",
            "--selector",
            "app.kubernetes.io/name=tlsdebug",
        ];
        self.kubectl(&gone).done();
    }

    fn apply_chart(&self, command: &str, values: &[&str]) {
        let watch = format!("watchNamespaces={{{}}}", self.namespace);
        let mut helm = Command::new("helm");
        helm.args([command, RELEASE, CHART, "--namespace", &self.namespace])
            .args(["--wait", "--timeout", "90s"])
            .args(if command == "upgrade" {
                &["--reuse-values"][..]
            } else {
                &[]
            })
            // The scenarios' own installation of the definition is not the release's.
            .args(["--set", "crds.install=false", "--set", &watch])
            .args(values.iter().flat_map(|value| ["--set", value]));
        kubectl::run(&mut helm, "").done();
    }

    /// Runs the chart's own tests.
    pub fn test_chart(&self) {
        let mut helm = Command::new("helm");
        helm.args(["test", RELEASE, "--namespace", &self.namespace, "--timeout", "90s"]);
        // Helm 3 (tests/helm3.sh) asks for the logs of a pod that it has deleted.
        if std::env::var_os("HELM").is_none() {
            helm.arg("--logs");
        }
        kubectl::run(&mut helm, "").done();
    }

    /// Uninstalls the release, as a user does.
    pub fn uninstall_chart(&self) -> kubectl::Output {
        let mut helm = Command::new("helm");
        helm.args(["uninstall", RELEASE, "--namespace", &self.namespace, "--timeout", "90s"]);
        kubectl::run(&mut helm, "")
    }

    /// Removes what the chart has installed, in the namespace and beside it, and is still there.
    pub(super) fn remove_chart(&self) {
        if self.has_release.get() {
            let mut helm = Command::new("helm");
            helm.args(["uninstall", RELEASE, "--namespace", &self.namespace, "--no-hooks"]);
            kubectl::run(&mut helm, "");
        }
    }

    /// The operator's Roles.
    pub fn roles(&self) -> Vec<Value> {
        let mine = ["get", "roles", "--output", "json"];
        let mut roles: Value = serde_json::from_str(&self.kubectl(&mine).done()).unwrap();
        std::mem::take(roles["items"].as_array_mut().unwrap())
    }

    /// Takes one right from the operator and waits until it is gone.
    pub async fn revoke(&self, resource: &str, verb: &str) {
        self.change_right(resource, verb, false).await;
    }

    /// Gives one right to the operator and waits until it has it.
    pub async fn grant(&self, resource: &str, verb: &str) {
        self.change_right(resource, verb, true).await;
    }

    async fn change_right(&self, resource: &str, verb: &str, is_granted: bool) {
        let mut questions = Vec::new();
        for mut role in self.roles() {
            let rules = role["rules"].as_array_mut().unwrap();
            for index in 0..rules.len() {
                let resources = rules[index]["resources"].as_array_mut().unwrap();
                let Some(position) = resources.iter().position(|one| one == resource) else {
                    continue;
                };
                // The others of this rule keep their verbs.
                let mut own = rules[index].clone();
                own["resources"] = json!([resource]);
                // A rule needs a verb and a resource; `none` does nothing.
                rules[index]["resources"][position] = json!("none");
                let verbs = own["verbs"].as_array_mut().unwrap();
                verbs.retain(|one| one != verb);
                verbs.push(json!(if is_granted { verb } else { "none" }));
                questions.push(question(&own, resource));
                rules.push(own);
            }
            self.kubectl_with_input(&["replace", "--filename", "-"], &role).done();
        }
        let account = format!("system:serviceaccount:{}:{ACCOUNT}", self.namespace);
        let wanted = if is_granted { "yes" } else { "no" };
        self.eventually("the right to have changed", async || {
            let mut answers = questions.iter().map(|(resource, subresource)| {
                self.kubectl(&["auth", "can-i", verb, resource, subresource, "--as", &account])
            });
            answers.all(|answer| answer.stdout.trim() == wanted).then_some(())
        })
        .await;
    }

    /// The address of the operator's admin port.
    pub fn admin_address(&self) -> String {
        let operator = self.operator.borrow();
        operator.as_ref().expect("the operator runs").admin_address.clone()
    }

    /// Starts the scenario's operator.
    pub fn start_operator(&self) {
        let operator = if self.has_lease.get() {
            self.replica(LOG)
        } else {
            self.another_operator()
        };
        self.operator.replace(Some(operator));
    }

    /// From now on the scenario's operator acts only while it holds the lease.
    pub fn use_lease(&self) {
        self.has_lease.set(true);
    }

    /// Kills the operator and starts it with a clock that is wrong by so much, such as `-2h`.
    pub fn step_clock(&self, offset: &str) {
        self.kill_operator();
        self.clock.replace(offset.to_owned());
        self.start_operator();
    }

    /// Kills the operator in each phase of a session that is new, and makes sure that it completes all the same.
    pub async fn completes_although_killed_in_each_phase(&self, session: &str) {
        for phase in [Phase::Injecting, Phase::Capturing, Phase::Restoring] {
            self.reached(session, phase).await;
            self.kill_operator();
            self.start_operator();
            if phase == Phase::Capturing {
                self.stop_session(session);
            }
        }
        assert_eq!(self.finished(session).await.phase, Phase::Completed);
    }

    /// Starts one more operator for the scenario's namespace.
    pub fn another_operator(&self) -> Operator {
        self.operator_with(LOG, &[])
    }

    /// Starts a replica that acts only while it holds the scenario's lease. All of them have the same name.
    pub fn replica(&self, log: &str) -> Operator {
        self.operator_with(log, &["--lease-namespace", &self.namespace])
    }

    fn operator_with(&self, log: &str, arguments: &[&str]) -> Operator {
        let kubeconfig = self.kubeconfig();
        // Free now; that another process takes it before the operator does is unlikely.
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let admin_address = free.to_string();
        let log = File::options().create(true).append(true).open(self.path(log)).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_tlsdebug"))
            .args([
                "operator",
                "--watch-namespaces",
                &self.namespace,
                "--admin-address",
                &admin_address,
            ])
            .args(arguments)
            // The policy guards a whole cluster; here every namespace is on its own.
            .args(["--require-admission-policy", "false"])
            .env("KUBECONFIG", kubeconfig)
            .env("TLSDEBUG_CLOCK_OFFSET", self.clock.borrow().as_str())
            .stderr(log)
            .spawn()
            .unwrap();
        let child = Arc::new(Mutex::new(child));
        if let Some(proxy) = self.proxy.get() {
            proxy.is_used_by(child.clone());
        }
        Operator { child, admin_address }
    }

    /// The operator's way to the API server: through the proxy where there is one.
    fn kubeconfig(&self) -> PathBuf {
        let proxy = self.proxy.get();
        let kubeconfig = self.path(if proxy.is_some() {
            "proxied.kubeconfig"
        } else {
            "operator.kubeconfig"
        });
        if !kubeconfig.exists() {
            let token = self.kubectl(&["create", "token", ACCOUNT]).done();
            let text = kubectl(&["config", "view", "--raw", "--minify", "--flatten", "--output", "json"]).done();
            let mut config: Value = serde_json::from_str(&text).unwrap();
            config["users"][0]["user"] = json!({"token": token.trim()});
            if let Some(proxy) = proxy {
                config["clusters"][0]["cluster"] = json!({"server": format!("http://{}", proxy.address)});
            }
            std::fs::write(&kubeconfig, config.to_string()).unwrap();
        }
        kubeconfig
    }

    /// Puts a proxy between the API server and the operator, which is started anew for that.
    pub fn proxied(&self) -> &Proxy {
        self.kill_operator();
        let proxy = self.proxy.get_or_init(Proxy::start);
        self.start_operator();
        proxy
    }

    /// The proxy that was put there.
    pub fn proxied_already(&self) -> &Proxy {
        self.proxy.get().unwrap()
    }

    /// Starts the operator again where it has ended, as a kubelet would.
    pub fn keep_operator(&self) {
        let has_ended = self
            .operator
            .borrow()
            .as_ref()
            .is_none_or(|operator| operator.ended().is_some());
        if has_ended {
            self.start_operator();
        }
    }

    /// Ends the operator as a lost node would: with no time for a last word.
    pub fn kill_operator(&self) {
        assert!(self.operator.take().is_some(), "there is no operator to kill");
    }

    /// The most memory that the operator ever had, in bytes.
    pub fn highest_memory(&self) -> u64 {
        let operator = self.operator.borrow();
        operator.as_ref().expect("the operator runs").highest_memory()
    }

    /// One of the operator's counters.
    pub fn counter(&self, name: &str) -> u64 {
        self.metric(&format!("{name}_total"))
    }

    /// All of the operator's metrics.
    pub fn metrics(&self) -> String {
        let operator = self.operator.borrow();
        operator.as_ref().expect("the operator runs").ask("/metrics")
    }

    /// One of the operator's metrics.
    pub fn metric(&self, name: &str) -> u64 {
        let answer = self.metrics();
        let line = answer
            .lines()
            .find_map(|line| line.strip_prefix(&format!("tlsdebug_{name} ")));
        line.unwrap_or_else(|| panic!("no metric {name} in {answer}"))
            .parse()
            .unwrap()
    }

    /// Waits until the operator has nothing more to look at for a moment.
    pub async fn quiet(&self) {
        self.eventually("the operator to come to rest", async || {
            let looks = self.counter("reconciles");
            tokio::time::sleep(Duration::from_secs(1)).await;
            (self.counter("reconciles") == looks).then_some(())
        })
        .await;
    }

    /// What the operator has logged so far.
    pub fn operator_log(&self) -> String {
        std::fs::read_to_string(self.path(LOG)).unwrap()
    }
}

/// What `kubectl auth can-i` is asked about a resource of a rule: the resource, and its subresource.
fn question(rule: &Value, resource: &str) -> (String, String) {
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let group = rule["apiGroups"][0].as_str().filter(|group| !group.is_empty());
    let group = group.map(|group| format!(".{group}")).unwrap_or_default();
    let name = rule["resourceNames"][0].as_str();
    let name = name.map(|name| format!("/{name}")).unwrap_or_default();
    (
        format!("{resource}{group}{name}"),
        format!("--subresource={subresource}"),
    )
}
