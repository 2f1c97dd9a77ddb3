//! The program as kubectl's plugin, run by kubectl.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};

use super::Scenario;
use super::kubectl::{self, Output};

/// A plugin's command that runs; dropping it kills it.
pub struct Running {
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

impl Running {
    /// Starts it; `name` tells its output from that of others.
    pub fn start(scenario: &Scenario, name: &str, command: &mut Command) -> Self {
        let (out, err) = (
            scenario.path(&format!("{name}.out")),
            scenario.path(&format!("{name}.err")),
        );
        let child = command
            .stdout(File::create(&out).unwrap())
            .stderr(File::create(&err).unwrap())
            .spawn()
            .unwrap();
        Self { child, out, err }
    }

    /// Waits until it has printed a text.
    pub async fn printed(&self, scenario: &Scenario, text: &str) {
        let what = format!("{text:?} to be printed");
        scenario
            .eventually(&what, async || self.text().contains(text).then_some(()))
            .await;
    }

    /// Waits for its end; its exit code, none after a signal.
    pub async fn exit_code(&mut self, scenario: &Scenario) -> Option<i32> {
        let running = std::cell::RefCell::new(self);
        let ended = scenario
            .eventually("the command to end", async || running.borrow_mut().ended())
            .await;
        ended.code()
    }

    /// Sends it a signal, such as INT.
    pub fn signal(&self, name: &str) {
        kubectl::run(
            Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]),
            "",
        )
        .done();
    }

    /// What it has printed so far on its standard output.
    pub fn stdout(&self) -> String {
        std::fs::read_to_string(&self.out).unwrap_or_default()
    }

    /// What it has printed so far, on both streams.
    pub fn text(&self) -> String {
        let err = std::fs::read_to_string(&self.err).unwrap_or_default();
        format!("{}{err}", self.stdout())
    }

    /// How it ended; `None`: it still runs.
    fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Scenario {
    /// Runs `kubectl tlsdebug` in the scenario's namespace.
    pub fn plugin(&self, arguments: &[&str]) -> Output {
        kubectl::run(
            self.plugin_command()
                .args(arguments)
                .args(["--namespace", &self.namespace]),
            "",
        )
    }

    /// Runs a command of kubectl's own that knows the plugin.
    pub fn kubectl_with_plugin(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("kubectl");
        kubectl::run(command.env("PATH", self.path_with_plugin()).args(arguments), "")
    }

    /// Starts the plugin's program itself, so that signals reach it and nothing between.
    pub fn start_plugin(&self, name: &str, arguments: &[&str]) -> Running {
        self.path_with_plugin();
        let mut command = Command::new(self.path("bin").join("kubectl-tlsdebug"));
        Running::start(
            self,
            name,
            command.args(arguments).args(["--namespace", &self.namespace]),
        )
    }

    fn plugin_command(&self) -> Command {
        let mut command = Command::new("kubectl");
        command.env("PATH", self.path_with_plugin()).arg("tlsdebug");
        command
    }

    /// The PATH with the plugin under its name, and what completes it.
    fn path_with_plugin(&self) -> String {
        let folder = self.path("bin");
        if !folder.exists() {
            std::fs::create_dir(&folder).unwrap();
            std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_tlsdebug"), folder.join("kubectl-tlsdebug")).unwrap();
            let completer = folder.join("kubectl_complete-tlsdebug");
            let script = Command::new(folder.join("kubectl-tlsdebug"))
                .args(["completions", "kubectl"])
                .output()
                .unwrap();
            std::fs::write(&completer, script.stdout).unwrap();
            kubectl::run(Command::new("chmod").arg("+x").arg(&completer), "").done();
        }
        format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default())
    }
}
