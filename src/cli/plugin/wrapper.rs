//! `wrapper`: the output of an on-premise Integration Server, on and off.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use xattr::FileExt as _;

use super::problem::Problem;
use crate::cli::output;
use crate::session::DebugOption;
use crate::wrapper_conf::edit::Enabled;
use crate::wrapper_conf::{self, Survey};

/// Arguments of `wrapper`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Wrapper {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Says whether the output is on.
    #[command(after_help = "Exit codes: 0 it is on, 1 it is off or outdone, 2 the file cannot be read.")]
    Status(Files),
    /// Switches the output on, with a property of its own; a backup of the file is kept beside it.
    #[command(after_help = "Exit codes: 0 it is on, 2 it is not.")]
    Enable(Enable),
    /// Switches it off: the file is what it was before, but for what others have written meanwhile.
    #[command(after_help = "Exit codes: 0 it is off, 2 it is not.")]
    Disable(Files),
}

#[derive(Debug, Args)]
struct Enable {
    #[command(flatten)]
    files: Files,
    /// What the JVM is to print beside ssl, separated by commas.
    #[arg(long, default_value = "handshake", value_delimiter = ',', value_parser = super::options::word::<DebugOption>)]
    debug: Vec<DebugOption>,
}

#[derive(Debug, Args)]
struct Files {
    /// The file: …/profiles/IS_INSTANCE/configuration/custom_wrapper.conf.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The file that includes it; otherwise wrapper.conf beside it.
    #[arg(long, value_name = "FILE")]
    wrapper_conf: Option<PathBuf>,
}

impl Wrapper {
    /// Looks, or writes.
    pub(super) fn run(self) -> Result<ExitCode, Problem> {
        match self.command {
            Command::Status(files) => files.status(),
            Command::Enable(enable) => enable.run(),
            Command::Disable(files) => files.disable(),
        }
    }
}

impl Enable {
    fn run(self) -> Result<ExitCode, Problem> {
        let (path, content) = self.files.read()?;
        let survey = self.files.survey(&path);
        let words = self
            .debug
            .into_iter()
            .chain([DebugOption::Ssl])
            .collect::<std::collections::BTreeSet<_>>();
        let words: Vec<&str> = words.into_iter().map(DebugOption::word).collect();
        let wanted = Enabled {
            index: survey.free(),
            flag: format!("{}{}", wrapper_conf::survey::OPTION, words.join(",")),
        };
        let property = property(&wanted);
        if wrapper_conf::enabled(&content).as_ref() == Some(&wanted) {
            output::say(format_args!("{}: on already, {property}", path.display()));
            return Ok(ExitCode::SUCCESS);
        }
        if wrapper_conf::enabled(&content).is_none() {
            let backup = backup(&path);
            replace(&path, &backup, &content)?;
        }
        replace(
            &path,
            &path,
            &wrapper_conf::enable(&content, wanted.index, &wanted.flag),
        )?;
        output::say(format_args!("{}: on, {property}", path.display()));
        output::say(format_args!("The file of before is {}", backup(&path).display()));
        output::say(restart(&survey));
        output::say(format_args!("Then: tlsdebug diagnose {}", log(&path).display()));
        for note in notes(&survey, wanted.index) {
            output::warn(format_args!("Warning: {note}"));
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Files {
    fn status(&self) -> Result<ExitCode, Problem> {
        let (path, content) = self.read()?;
        let survey = self.survey(&path);
        let ours = wrapper_conf::enabled(&content);
        let last = survey.others.last_key_value();
        // The last one on the JVM's command line counts.
        let outdoes = |index: u64| ours.as_ref().is_none_or(|ours| index > ours.index);
        let (is_on, state) = match (&ours, last.filter(|(index, _)| outdoes(**index))) {
            (_, Some((index, (flag, file)))) if prints(flag) => {
                let behind = if ours.is_some() {
                    "; it outdoes that of tlsdebug"
                } else {
                    ""
                };
                let other = other(*index, flag, file);
                (true, format!("on, {other}, which tlsdebug has not written{behind}"))
            }
            (Some(ours), Some((index, (flag, file)))) => {
                let other = other(*index, flag, file);
                (
                    false,
                    format!(
                        "{} is outdone by {other}. Enable anew for an index behind it",
                        property(ours)
                    ),
                )
            }
            (Some(ours), None) => (true, format!("on, {}", property(ours))),
            (None, _) => (false, format!("off; the next free index is {}", survey.free())),
        };
        output::say(format_args!("{}: {state}", path.display()));
        for note in notes(&survey, ours.as_ref().map_or_else(|| survey.free(), |ours| ours.index)) {
            output::warn(format_args!("Warning: {note}"));
        }
        Ok(ExitCode::from(u8::from(!is_on)))
    }

    fn disable(&self) -> Result<ExitCode, Problem> {
        let (path, content) = self.read()?;
        let without = wrapper_conf::disable(&content);
        if without == content {
            self.demand_off(&path)?;
            output::say(format_args!("{}: tlsdebug has written nothing there", path.display()));
            return Ok(ExitCode::SUCCESS);
        }
        replace(&path, &path, &without)?;
        self.demand_off(&path)?;
        output::say(format_args!("{}: off", path.display()));
        let backup = backup(&path);
        match fs::read(&backup) {
            // It has done its work.
            Ok(before) if before == without => {
                if let Err(error) = fs::remove_file(&backup) {
                    output::warn(format_args!("Warning: cannot remove {}: {error}", backup.display()));
                }
            }
            Ok(_) => output::say(format_args!(
                "Others have written it meanwhile, which stays; the file of before is {}",
                backup.display()
            )),
            Err(_) => {}
        }
        output::say(restart(&self.survey(&path)));
        Ok(ExitCode::SUCCESS)
    }

    /// A problem where what is there now prints still: nothing says that it is ours.
    fn demand_off(&self, path: &Path) -> Result<(), Problem> {
        let survey = self.survey(path);
        let Some((index, (flag, file))) = survey.others.last_key_value().filter(|(_, (flag, _))| prints(flag)) else {
            return Ok(());
        };
        let content = fs::read(file).map_err(|error| problem("read", file, &error))?;
        let numbers: Vec<String> = wrapper_conf::lines_of(&content, *index)
            .iter()
            .map(ToString::to_string)
            .collect();
        Err(Problem::new(format!(
            "{}: not off: {} in line {} still prints, and nothing there says that tlsdebug has written it. Remove it by hand if \
             nobody needs it",
            path.display(),
            other(*index, flag, file),
            numbers.join(", ")
        )))
    }

    /// The file that is meant, behind all links, and its content.
    fn read(&self) -> Result<(PathBuf, Vec<u8>), Problem> {
        let path = fs::canonicalize(&self.config).map_err(|error| problem("read", &self.config, &error))?;
        let content = fs::read(&path).map_err(|error| problem("read", &path, &error))?;
        if content.contains(&0) {
            return Err(Problem::new(format!(
                "{} is in an encoding such as UTF-16, which the wrapper's own files are not; nothing was changed",
                path.display()
            )));
        }
        Ok((path, content))
    }

    /// All files that the wrapper reads with this one.
    fn survey(&self, path: &Path) -> Survey {
        let beside = path.with_file_name("wrapper.conf");
        let conf = match &self.wrapper_conf {
            Some(conf) => Some(fs::canonicalize(conf).unwrap_or_else(|_| conf.clone())),
            None => Some(beside.clone()).filter(|beside| beside.exists()),
        };
        let has_conf = conf.is_some();
        let files: Vec<PathBuf> = conf.into_iter().chain([path.to_owned()]).collect();
        let mut survey = wrapper_conf::survey(&files, &mut |file| fs::read(file).ok(), &|name| {
            std::env::var(name).ok()
        });
        if !has_conf {
            survey.unread.insert(0, beside.display().to_string());
        }
        survey
    }
}

/// Whether an option makes the JVM print what TLS does.
fn prints(flag: &str) -> bool {
    flag.contains("ssl") || flag.contains("all")
}

fn other(index: u64, flag: &str, file: &Path) -> String {
    let flag = flag.to_owned();
    format!("{} in {}", property(&Enabled { index, flag }), file.display())
}

fn property(enabled: &Enabled) -> String {
    format!("wrapper.java.additional.{}={}", enabled.index, enabled.flag)
}

fn notes(survey: &Survey, index: u64) -> Vec<String> {
    let mut notes = Vec::new();
    if survey.used.contains(&index) {
        notes.push(format!(
            "another property has taken index {index} since, and one of the two does not count. Enable anew for another index"
        ));
    }
    if !survey.unread.is_empty() {
        notes.push(format!(
            "not found, so the indexes in use there are not known: {}. Make sure that {index} is not among them",
            survey.unread.join(", ")
        ));
    }
    if !survey.reaches(index) {
        notes.push(format!(
            "no file says wrapper.ignore_sequence_gaps=TRUE, so the wrapper passes over property {index}, before which others \
             are missing. Should nothing be printed after the restart, set that property"
        ));
    }
    notes
}

fn restart(survey: &Survey) -> &'static str {
    if survey.reloads {
        "It counts from the next start of the JVM: Administrator, Server > Shut Down and Restart, or the profile's bin/restart.sh."
    } else {
        "It counts from the next start of the whole server: the profile's bin/shutdown.sh, then bin/startup.sh, or the service \
         of Windows or systemd. A restart from the Administrator does not read it."
    }
}

/// Where the wrapper writes what the JVM prints.
fn log(path: &Path) -> PathBuf {
    let profile = path.parent().and_then(Path::parent).unwrap_or(path);
    profile.join("logs/wrapper.log")
}

fn backup(path: &Path) -> PathBuf {
    path.with_file_name(format!(
        "{}.tlsdebug-backup",
        path.file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    ))
}

/// Gives a new file the access control list and the other extended attributes of `like`. What belongs to the system's own policy
/// (SELinux labels and their like) it sets itself where we may not.
fn copy_attributes(like: &Path, file: &File) -> io::Result<()> {
    let names = match xattr::list(like) {
        Err(error) if error.kind() == io::ErrorKind::Unsupported => return Ok(()),
        names => names?,
    };
    for name in names {
        let Some(value) = xattr::get(like, &name)? else {
            continue;
        };
        let is_of_policy = !["system.", "user."]
            .iter()
            .any(|kind| name.as_encoded_bytes().starts_with(kind.as_bytes()));
        match file.set_xattr(&name, &value) {
            Err(_) if is_of_policy => {}
            written => written?,
        }
    }
    Ok(())
}

/// Writes `content` as `to`, with the rights and the owner of `like`, whole or not at all.
fn replace(like: &Path, to: &Path, content: &[u8]) -> Result<(), Problem> {
    let folder = to.parent().unwrap_or(Path::new("."));
    let name = format!(".tlsdebug-{}", std::process::id());
    let new = folder.join(name);
    let write = |mut file: File| -> io::Result<()> {
        let before = fs::metadata(like)?;
        file.write_all(content)?;
        if (before.uid(), before.gid()) != (file.metadata()?.uid(), file.metadata()?.gid()) {
            fchown(&file, Some(before.uid()), Some(before.gid()))?;
        }
        // After the owner: a change of owner takes some rights away.
        file.set_permissions(before.permissions())?;
        copy_attributes(like, &file)?;
        file.sync_all()?;
        fs::rename(&new, to)
    };
    // Until it has the rights of the other one, nobody else may read what is in it.
    let created = File::options().write(true).create_new(true).mode(0o600).open(&new);
    let written = created.and_then(|file| write(file).inspect_err(|_| drop(fs::remove_file(&new))));
    written.map_err(|error| Problem::new(format!("{}. Nothing was changed", problem("write", to, &error))))?;
    // It is there; some file systems cannot say that it will be after a power failure.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

fn problem(tried: &str, path: &Path, error: &io::Error) -> Problem {
    let way_out = match error.kind() {
        io::ErrorKind::NotFound => {
            ". It is …/profiles/IS_INSTANCE/configuration/custom_wrapper.conf of an Integration Server that a wrapper starts; a \
             Microservices Runtime has none"
        }
        io::ErrorKind::PermissionDenied => ". Run as the user who owns it, or as root",
        _ => "",
    };
    Problem::new(format!("cannot {tried} {}: {error}{way_out}", path.display()))
}
