//! The command lines of the documentation, run in a shell as a reader would, and whether none was left out.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Scenario;
use super::kubectl::{self, Output};
use super::plugin::Running;

const CHECKOUT: &str = env!("CARGO_MANIFEST_DIR");

/// With what a command line begins.
const PROGRAMS: [&str; 13] = [
    "argocd ",
    "cargo ",
    "chmod ",
    "docker ",
    "flux ",
    "helm ",
    "java ",
    "kubectl ",
    "ln ",
    "make ",
    "openssl ",
    "tests/",
    "tlsdebug ",
];

/// A reader's shell: a home and a folder of its own, the cluster's kubectl and helm, and the namespace as the current one.
pub struct Shell<'a> {
    scenario: &'a Scenario,
    documented: BTreeSet<String>,
    used: RefCell<BTreeSet<String>>,
}

impl<'a> Shell<'a> {
    /// In a new home, where `cargo install` has put the program.
    pub fn new(scenario: &'a Scenario) -> Self {
        let home = scenario.path("home");
        fs::create_dir_all(home.join(".cargo/bin")).unwrap();
        fs::create_dir_all(home.join("work")).unwrap();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_tlsdebug"), home.join(".cargo/bin/tlsdebug")).unwrap();
        for name in ["charts", "crds", "examples"] {
            std::os::unix::fs::symlink(Path::new(CHECKOUT).join(name), home.join("work").join(name)).unwrap();
        }
        let config = kubectl::kubectl(&["config", "view", "--raw", "--minify", "--flatten"]).done();
        fs::write(home.join("config"), config).unwrap();
        let shell = Self {
            scenario,
            documented: pages()
                .iter()
                .flat_map(|page| commands(&fs::read_to_string(page).unwrap()))
                .collect(),
            used: RefCell::default(),
        };
        let namespace = format!(
            "kubectl config set-context --current --namespace {}",
            scenario.namespace
        );
        shell.unwritten(&namespace).done();
        shell
    }

    /// Where the commands run.
    pub fn file(&self, name: &str) -> PathBuf {
        self.scenario.path("home").join("work").join(name)
    }

    /// Runs a command line of the documentation, with what a reader puts in place of its placeholders.
    pub fn run(&self, line: &str, own: &[(&str, &str)]) -> Output {
        self.unwritten(&self.filled_in(line, own))
    }

    /// Runs a command line that no page has.
    pub fn unwritten(&self, line: &str) -> Output {
        kubectl::run(self.command().args(["-o", "pipefail", "-c", line]), "")
    }

    /// Starts a command line of the documentation that ends by itself or by a signal.
    pub fn start(&self, name: &str, line: &str, own: &[(&str, &str)]) -> Running {
        let line = format!("exec {}", self.filled_in(line, own));
        Running::start(self.scenario, name, self.command().args(["-c", &line]))
    }

    /// Panics with the commands that are neither run nor among those that are `elsewhere`, and with those there that no page has.
    pub fn assert_all_were_run(&self, elsewhere: &[&str]) {
        let mut known = self.used.borrow().clone();
        known.extend(elsewhere.iter().map(|line| (*line).to_owned()));
        let left: Vec<_> = self.documented.difference(&known).collect();
        assert!(left.is_empty(), "no test runs {left:#?}");
        let unknown: Vec<_> = known.difference(&self.documented).collect();
        assert!(unknown.is_empty(), "no page has {unknown:#?}");
    }

    fn filled_in(&self, line: &str, own: &[(&str, &str)]) -> String {
        assert!(self.documented.contains(line), "no page has {line}");
        self.used.borrow_mut().insert(line.to_owned());
        own.iter().fold(line.to_owned(), |line, (placeholder, value)| {
            assert!(line.contains(placeholder), "{line} has no {placeholder}");
            line.replace(placeholder, value)
        })
    }

    fn command(&self) -> Command {
        let home = self.scenario.path("home");
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("bash");
        command
            .current_dir(home.join("work"))
            .env("PATH", format!("{}:{path}", home.join(".cargo/bin").display()))
            .env("KUBECONFIG", home.join("config"))
            .env("HOME", home);
        command
    }
}

/// The pages that people wrote.
fn pages() -> Vec<PathBuf> {
    let docs = fs::read_dir(Path::new(CHECKOUT).join("docs")).unwrap();
    let docs = docs.map(|entry| entry.unwrap().path());
    let written = docs.filter(|page| page.is_file() && !page.ends_with("reference.md"));
    written.chain([Path::new(CHECKOUT).join("README.md")]).collect()
}

/// The command lines of a page: those of its indented blocks, and those of three words and more between backticks.
fn commands(page: &str) -> Vec<String> {
    let (mut found, mut prose) = (Vec::new(), String::new());
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(block) = line.strip_prefix("    ") {
            let mut command = block.to_owned();
            while let Some(begun) = command.strip_suffix('\\') {
                command = format!("{} {}", begun.trim_end(), lines.next().unwrap_or_default().trim_start());
            }
            found.push(command);
        } else {
            // What stands between backticks may go on in the next line.
            prose += line;
            prose.push(' ');
        }
    }
    let spans = prose.split('`').skip(1).step_by(2);
    found.extend(spans.filter(|span| span.split(' ').count() > 2).map(str::to_owned));
    found.retain(|line| PROGRAMS.iter().any(|program| line.starts_with(program)));
    found
}
