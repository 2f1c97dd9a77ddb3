//! Which indexes the configuration uses, over all files that belong to it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::line::{self, Line};

/// The JVM's option that decides what is printed; the last one on the command line counts.
pub const OPTION: &str = "-Djavax.net.debug=";
/// What the article that introduced it to Integration Server's administrators uses, and what they look for.
const FIRST: u64 = 999;
/// The wrapper's own bound.
const DEEPEST: usize = 10;

/// What the files together say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// Indexes that a property uses.
    pub used: BTreeSet<u64>,
    /// Other properties that set what is printed, by index, with the file that decides.
    pub others: BTreeMap<u64, (String, PathBuf)>,
    /// Files that were read, in the order in which the wrapper reads them.
    pub files: Vec<PathBuf>,
    /// Files that an `#include` names and that cannot be found or read: what they use is not known.
    pub unread: Vec<String>,
    /// Whether the wrapper takes an index although there is a gap before it (`wrapper.ignore_sequence_gaps`).
    pub ignores_gaps: bool,
    /// Whether a restart of the JVM alone reads the configuration anew (`wrapper.restart.reload_configuration`).
    pub reloads: bool,
}

impl Survey {
    /// The index to take: 999 or the next one that is free, and behind every other one that sets what is printed, because
    /// the last one on the command line counts.
    #[must_use]
    pub fn free(&self) -> u64 {
        let last = self
            .others
            .keys()
            .next_back()
            .map_or(0, |index| index.saturating_add(1));
        let mut index = FIRST.max(last);
        while self.used.contains(&index) {
            index += 1;
        }
        index
    }

    /// Whether an entry at `index` reaches the JVM: there is none before it that is missing, or gaps do not matter.
    #[must_use]
    pub fn reaches(&self, index: u64) -> bool {
        self.ignores_gaps || (1..index).all(|before| self.used.contains(&before))
    }
}

/// Reads `files` one after the other, each with what it includes, by way of `read`. `environment` tells what a `%NAME%` in
/// the path of an include stands for, where the configuration does not (`set.NAME`).
pub fn survey(
    files: &[PathBuf],
    read: &mut dyn FnMut(&Path) -> Option<Vec<u8>>,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Survey {
    let mut reader = Reader {
        survey: Survey::default(),
        set: BTreeMap::new(),
        read,
        environment,
    };
    for file in files {
        if !reader.survey.files.contains(file) {
            match (reader.read)(file) {
                Some(content) => reader.take(file, &content, 0),
                None => reader.survey.unread.push(file.display().to_string()),
            }
        }
    }
    reader.survey
}

struct Reader<'a> {
    survey: Survey,
    set: BTreeMap<String, String>,
    read: &'a mut dyn FnMut(&Path) -> Option<Vec<u8>>,
    environment: &'a dyn Fn(&str) -> Option<String>,
}

impl Reader<'_> {
    fn take(&mut self, file: &Path, content: &[u8], depth: usize) {
        self.survey.files.push(file.to_owned());
        // What is ours is not somebody's.
        let content = super::edit::disable(content);
        for line in content.split(|byte| *byte == b'\n') {
            match line::read(line) {
                Line::Additional { index, value } => {
                    self.survey.used.insert(index);
                    if value.starts_with(OPTION) {
                        self.survey.others.insert(index, (value.to_owned(), file.to_owned()));
                    } else {
                        self.survey.others.remove(&index);
                    }
                }
                Line::AboutAdditional { index } => drop(self.survey.used.insert(index)),
                Line::Property { name, value } => self.property(&name, value),
                Line::Include(path) => self.include(file, path, depth),
                Line::Other => {}
            }
        }
    }

    fn property(&mut self, name: &str, value: &str) {
        let is_true = value.eq_ignore_ascii_case("true");
        match name {
            "wrapper.ignore_sequence_gaps" => self.survey.ignores_gaps = is_true,
            "wrapper.restart.reload_configuration" => self.survey.reloads = is_true,
            _ => {
                let name = name.strip_prefix("set.default.").or_else(|| name.strip_prefix("set."));
                if let Some(name) = name {
                    self.set.insert(name.to_owned(), value.to_owned());
                }
            }
        }
    }

    /// The wrapper takes a relative path from its working directory, which these files do not tell: a profile's `bin` or
    /// the profile itself. The folder of the file is tried as well.
    fn include(&mut self, from: &Path, path: &str, depth: usize) {
        let Some(expanded) = self.expand(path) else {
            self.survey.unread.push(path.to_owned());
            return;
        };
        let folder = from.parent().unwrap_or(Path::new(""));
        let profile = folder.parent().unwrap_or(folder);
        let places = [
            folder.join(&expanded),
            profile.join("bin").join(&expanded),
            profile.join(&expanded),
        ];
        if places.iter().any(|place| self.survey.files.contains(&tidy(place))) || depth >= DEEPEST {
            return;
        }
        for place in places.iter().map(|place| tidy(place)) {
            if let Some(content) = (self.read)(&place) {
                self.take(&place, &content, depth + 1);
                return;
            }
        }
        self.survey.unread.push(path.to_owned());
    }

    fn expand(&self, path: &str) -> Option<String> {
        let mut out = String::new();
        let mut rest = path;
        while let Some((before, after)) = rest.split_once('%') {
            let (name, after) = after.split_once('%')?;
            let set = self.set.get(&name.to_ascii_lowercase()).cloned();
            out.push_str(before);
            out.push_str(&set.or_else(|| (self.environment)(name))?);
            rest = after;
        }
        out.push_str(rest);
        // Written on Windows, read anywhere.
        Some(out.replace('\\', "/"))
    }
}

/// Without `.` and without `..`, as far as the text alone tells.
fn tidy(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if out.file_name().is_some() => drop(out.pop()),
            component => out.push(component),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::edit;
    use super::*;

    fn look(files: &[(&str, &str)], roots: &[&str]) -> Survey {
        let files: BTreeMap<PathBuf, String> = files
            .iter()
            .map(|(path, content)| (PathBuf::from(path), (*content).to_owned()))
            .collect();
        let roots: Vec<PathBuf> = roots.iter().map(PathBuf::from).collect();
        let environment = |name: &str| (name == "SAG_HOME").then(|| "/opt/softwareag".to_owned());
        survey(
            &roots,
            &mut |path| files.get(path).map(|content| content.clone().into_bytes()),
            &environment,
        )
    }

    const CONF: &str = "/opt/softwareag/profiles/IS_default/configuration/wrapper.conf";
    const CUSTOM: &str = "/opt/softwareag/profiles/IS_default/configuration/custom_wrapper.conf";

    #[test]
    fn all_files_of_an_installation_count() {
        let conf = "#encoding=UTF-8\r\nset.CONF_DIR=../configuration\r\nwrapper.ignore_sequence_gaps=TRUE\r\n\
                    wrapper.java.additional.204=-Dlog4j.configuration=a.xml\r\n#include %SAG_HOME%/common/common.conf\r\n\
                    #include %CONF_DIR%/custom_wrapper.conf\r\n#include %NOBODY%/x.conf\r\n";
        let custom =
            "wrapper.java.additional.999=-Dtest.cluster.withDerby=true\nwrapper.restart.reload_configuration=TRUE\n";
        let common = "wrapper.java.additional.1000=-Da=1\nwrapper.java.additional.1001.stripquotes=TRUE\n#include ../common/missing.conf\n";
        let files = [
            (CONF, conf),
            (CUSTOM, custom),
            ("/opt/softwareag/common/common.conf", common),
        ];
        let survey = look(&files, &[CONF, CUSTOM]);
        assert_eq!(survey.used, BTreeSet::from([204, 999, 1000, 1001]));
        assert_eq!(survey.free(), 1002);
        assert_eq!(survey.unread, ["../common/missing.conf", "%NOBODY%/x.conf"]);
        assert_eq!(survey.files.len(), 3, "{:?}", survey.files);
        assert!(survey.ignores_gaps && survey.reloads && survey.reaches(1002));
    }

    #[test]
    fn another_debug_option_is_outdone() {
        let custom = "wrapper.java.additional.1005=-Djavax.net.debug=none\n";
        let survey = look(&[(CUSTOM, custom)], &[CUSTOM]);
        assert_eq!(survey.free(), 1006);
        assert_eq!(survey.others[&1005].0, "-Djavax.net.debug=none");
        assert!(!survey.reaches(1006), "gaps count without wrapper.ignore_sequence_gaps");
    }

    #[test]
    fn files_that_include_each_other_are_read_once() {
        let files = [
            (CONF, "#include ../configuration/custom_wrapper.conf\n"),
            (CUSTOM, "#include wrapper.conf\n"),
        ];
        assert_eq!(
            look(&files, &[CONF, CUSTOM]).files,
            [PathBuf::from(CONF), PathBuf::from(CUSTOM)]
        );
    }

    proptest! {
        #[test]
        fn the_index_is_free_wherever_the_others_are(
            conf in proptest::collection::btree_set(990_u64..1020, 0..25),
            custom in proptest::collection::btree_set(990_u64..1020, 0..25),
            debug in proptest::option::of(900_u64..1100),
        ) {
            let lines = |indexes: &BTreeSet<u64>| -> String {
                let lines = indexes.iter().map(|index| format!("wrapper.java.additional.{index}=-Dx=1"));
                lines.chain([String::new()]).collect::<Vec<_>>().join("\n")
            };
            let debug_line = debug.map_or_else(String::new, |index| format!("wrapper.java.additional.{index}={OPTION}none\n"));
            let conf_text = format!("{}#include custom_wrapper.conf\n", lines(&conf));
            let custom_text = format!("{}{debug_line}", lines(&custom));
            let survey = look(&[(CONF, &conf_text), (CUSTOM, &custom_text)], &[CONF, CUSTOM]);
            let free = survey.free();
            prop_assert!(free >= 999 && !conf.contains(&free) && !custom.contains(&free) && debug != Some(free));
            prop_assert!(debug.is_none_or(|debug| free > debug));
            // No smaller one would do.
            let is_taken = |index| conf.contains(&index) || custom.contains(&index) || debug.is_some_and(|debug| index <= debug);
            prop_assert!((999..free).all(is_taken));
            // Ours is not somebody else's the next time: the same index is found again.
            let enabled = edit::enable(custom_text.as_bytes(), free, "-Djavax.net.debug=ssl");
            let again = look(&[(CONF, &conf_text), (CUSTOM, std::str::from_utf8(&enabled).expect("ASCII"))], &[CONF, CUSTOM]);
            prop_assert_eq!(again.free(), free);
        }
    }
}
