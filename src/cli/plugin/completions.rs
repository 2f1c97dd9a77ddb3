//! Completions: for shells by clap, for kubectl by its own protocol.

use std::io::{self, Write as _};

use clap::{Args, Command, ValueEnum};
use clap_complete::Shell;

/// Arguments of `completions`.
#[derive(Debug, Args)]
#[command(
    after_help = "For kubectl, put the script on the PATH as kubectl_complete-tlsdebug:\n  \
                        kubectl tlsdebug completions kubectl > /usr/local/bin/kubectl_complete-tlsdebug\n  \
                        chmod +x /usr/local/bin/kubectl_complete-tlsdebug"
)]
pub(in crate::cli) struct Completions {
    /// Whose completions.
    #[arg(value_enum)]
    of: Of,
}

/// Who completes.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Of {
    Bash,
    Zsh,
    Fish,
    Elvish,
    #[value(name = "powershell")]
    PowerShell,
    /// The script that kubectl runs for this plugin.
    Kubectl,
}

/// What kubectl runs: its own completion asks a plugin's program beside the plugin.
const SCRIPT: &str = "#!/bin/sh\nexec kubectl-tlsdebug complete -- \"$@\"\n";

/// What the completion means to cobra, whose protocol this is: no file names (`ShellCompDirectiveNoFileComp`).
const NO_FILES: &str = ":4";

impl Completions {
    /// Prints the script.
    pub(super) fn run(self, mut command: Command) -> io::Result<()> {
        let shell = match self.of {
            Of::Bash => Shell::Bash,
            Of::Zsh => Shell::Zsh,
            Of::Fish => Shell::Fish,
            Of::Elvish => Shell::Elvish,
            Of::PowerShell => Shell::PowerShell,
            Of::Kubectl => return io::stdout().write_all(SCRIPT.as_bytes()),
        };
        clap_complete::generate(shell, &mut command, "tlsdebug", &mut io::stdout());
        Ok(())
    }
}

/// Arguments of `complete`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Complete {
    /// The words so far; the last one is being written.
    #[arg(last = true)]
    words: Vec<String>,
}

impl Complete {
    /// Prints what the last word may become, as cobra reads it.
    pub(super) fn run(self, command: &Command) -> io::Result<()> {
        let mut out = io::stdout().lock();
        for (word, about) in candidates(command, &self.words) {
            writeln!(out, "{word}\t{about}")?;
        }
        writeln!(out, "{NO_FILES}")
    }
}

fn candidates(command: &Command, words: &[String]) -> Vec<(String, String)> {
    let (last, before) = words
        .split_last()
        .map_or(("", &[][..]), |(last, before)| (last.as_str(), before));
    let mut place = command;
    for word in before {
        place = place.find_subcommand(word).unwrap_or(place);
    }
    let about = |text: Option<&clap::builder::StyledStr>| text.map(ToString::to_string).unwrap_or_default();
    let commands = place.get_subcommands().filter(|command| !command.is_hide_set());
    let commands = commands.map(|command| (command.get_name().to_owned(), about(command.get_about())));
    let options = place.get_arguments().filter(|_| last.starts_with('-'));
    let options = options.filter_map(|option| Some((format!("--{}", option.get_long()?), about(option.get_help()))));
    let all = commands.chain(options);
    all.filter(|(word, _)| word.starts_with(last))
        .map(|(word, about)| (word, first_sentence(&about)))
        .collect()
}

fn first_sentence(text: &str) -> String {
    text.split(['.', ';', '\n']).next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &[&str]) -> Vec<String> {
        let line: Vec<String> = line.iter().map(|word| (*word).to_owned()).collect();
        let mut words: Vec<String> = candidates(&crate::cli::command(), &line)
            .into_iter()
            .map(|(word, _)| word)
            .collect();
        words.sort();
        words
    }

    #[test]
    fn commands_and_options_are_completed() {
        assert_eq!(words(&["st"]), ["start", "stop"]);
        assert_eq!(words(&["start", "--du"]), ["--duration"]);
        assert_eq!(words(&["wrapper", "e"]), ["enable"]);
        assert!(words(&["list", ""]).is_empty());
        assert!(
            !words(&[""]).contains(&"complete".to_owned()),
            "what is for kubectl alone is hidden"
        );
    }
}
