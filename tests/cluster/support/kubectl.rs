//! kubectl, for what users do with it.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Once;

/// What kubectl said.
#[derive(Debug)]
pub struct Output {
    arguments: String,
    /// Whether it ended with status 0.
    pub succeeded: bool,
    /// Its status; none after a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Output {
    /// What it said, having succeeded.
    #[track_caller]
    pub fn done(self) -> String {
        assert!(self.succeeded, "kubectl {} failed: {}", self.arguments, self.text());
        self.stdout
    }

    /// Everything that it said.
    pub fn text(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// Runs kubectl.
pub fn kubectl(arguments: &[&str]) -> Output {
    with_input(arguments, "")
}

/// Runs kubectl with a text on its standard input.
pub fn with_input(arguments: &[&str], input: &str) -> Output {
    run(Command::new("kubectl").args(arguments), input)
}

/// Runs a program with a text on its standard input.
pub fn run(command: &mut Command, input: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    // A program that ends without reading is judged by its status.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let arguments = format!("{:?}", command.get_args().collect::<Vec<_>>());
    outcome(arguments, child.wait_with_output().unwrap())
}

/// What a program said that has ended.
pub fn outcome(arguments: String, output: std::process::Output) -> Output {
    Output {
        arguments,
        succeeded: output.status.success(),
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Installs the definition of the kind, once for all scenarios.
pub fn install_definition() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/crds");
        kubectl(&["apply", "--server-side", "--force-conflicts", "--filename", folder]).done();
        let name = "customresourcedefinition/tlsdebugsessions.tlsdebug.io";
        kubectl(&["wait", "--for", "condition=Established", name]).done();
    });
}
