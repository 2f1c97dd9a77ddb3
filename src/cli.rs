//! One file per subcommand.

pub mod crd;

/// Parses the command line and runs the subcommand.
#[must_use]
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
