//! What is to be read: the files that are named, and those in the folders that are named.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// One file to read; `-` is standard input.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Source {
    /// Where it is.
    pub(super) path: PathBuf,
    /// The folder that was named, where the file itself was not.
    pub(super) folder: Option<PathBuf>,
}

/// The files behind `paths`, those of a folder in the order of their names; and what stands in the way, in sentences.
///
/// Links to folders are not followed: they may lead in a circle.
pub(super) fn expand(paths: &[PathBuf]) -> (Vec<Source>, Vec<String>) {
    let (mut sources, mut errors) = (Vec::new(), Vec::new());
    for path in paths {
        if path == Path::new("-") || !path.is_dir() {
            sources.push(Source {
                path: path.clone(),
                folder: None,
            });
            continue;
        }
        let mut files = Vec::new();
        let before = errors.len();
        walk(path, &mut files, &mut errors);
        if files.is_empty() && errors.len() == before {
            errors.push(format!("there is no file in {}", path.display()));
        }
        sources.extend(files.into_iter().map(|file| Source {
            path: file,
            folder: Some(path.clone()),
        }));
    }
    (sources, errors)
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>, errors: &mut Vec<String>) {
    let mut entries: Vec<fs::DirEntry> = match fs::read_dir(folder).and_then(Iterator::collect) {
        Ok(entries) => entries,
        Err(error) => {
            errors.push(unreadable(folder, &error));
            return;
        }
    };
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            walk(&path, files, errors);
        } else if path.metadata().map_or(true, |kind| kind.is_file()) {
            // One that cannot be looked at is told of when it is opened.
            files.push(path);
        }
    }
}

/// A file as messages and evidence name it.
pub(super) fn name(file: &Path) -> String {
    if file == Path::new("-") {
        "standard input".to_owned()
    } else {
        file.display().to_string()
    }
}

/// Why a file or folder cannot be read, and the way out where there is one.
pub(super) fn unreadable(path: &Path, error: &io::Error) -> String {
    let reason = match error.kind() {
        ErrorKind::NotFound => {
            "there is no such file; give the path of a log or of a folder, or - for standard input".to_owned()
        }
        ErrorKind::PermissionDenied => {
            "no permission; run as a user who may read it, or pipe it in and give -".to_owned()
        }
        _ => error.to_string(),
    };
    format!("cannot read {}: {reason}", name(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_read_in_the_order_of_names_and_circles_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("b/deep")).unwrap();
        fs::create_dir(at("empty")).unwrap();
        for file in ["c.log", "a.log", "b/deep/z.log", "b/y.log"] {
            fs::write(at(file), "x").unwrap();
        }
        std::os::unix::fs::symlink(folder.path(), at("b/circle")).unwrap();
        std::os::unix::fs::symlink(at("c.log"), at("d.log")).unwrap();
        let (sources, errors) = expand(&[folder.path().to_owned(), at("a.log"), at("empty")]);
        let found: Vec<_> = sources.iter().map(|source| source.path.clone()).collect();
        let expected = ["a.log", "b/deep/z.log", "b/y.log", "c.log", "d.log", "a.log"].map(at);
        assert_eq!(found, expected);
        assert_eq!(
            (sources[0].folder.as_deref(), sources[5].folder.as_deref()),
            (Some(folder.path()), None)
        );
        assert_eq!(errors, [format!("there is no file in {}", at("empty").display())]);
    }
}
