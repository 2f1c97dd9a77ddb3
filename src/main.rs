//! The one program: parse, wire, run.
fn main() -> std::process::ExitCode {
    tlsdebug::cli::main()
}
