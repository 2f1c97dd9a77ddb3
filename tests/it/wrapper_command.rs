//! `tlsdebug wrapper` on files as an installation has them.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use tempfile::TempDir;

const CONF: &str = "#encoding=UTF-8\nwrapper.ignore_sequence_gaps=TRUE\nwrapper.restart.reload_configuration=TRUE\n\
                    wrapper.java.additional.204=-Dlog4j.configuration=a.xml\n#include ../configuration/custom_wrapper.conf\n";
/// As it is in a real installation: comments, gaps, an index that is taken, and no line end at its end.
const CUSTOM: &str = "#encoding=UTF-8\r\n# Put here your custom properties\r\nwrapper.java.maxmemory=1024\r\n\
                      wrapper.java.additional.999=-Dtest.cluster.withDerby=true\r\nwrapper.java.additional.501=-Da=1";

struct Installation {
    folder: TempDir,
}

impl Installation {
    fn new(custom: &str) -> Self {
        let installation = Self {
            folder: TempDir::new().unwrap(),
        };
        fs::create_dir_all(installation.path("configuration")).unwrap();
        fs::write(installation.path("configuration/wrapper.conf"), CONF).unwrap();
        fs::write(installation.custom(), custom).unwrap();
        installation
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("IS_default").join(name)
    }

    fn custom(&self) -> PathBuf {
        self.path("configuration/custom_wrapper.conf")
    }

    fn run(&self, command: &str, file: &Path, more: &[&str]) -> String {
        let mut program = Command::cargo_bin("tlsdebug").unwrap();
        let output = program
            .args(["wrapper", command, "--config"])
            .arg(file)
            .args(more)
            .output()
            .unwrap();
        let folder = self.folder.path().canonicalize().unwrap();
        let text = format!(
            "{}{}exit {}\n",
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
            output.status.code().unwrap()
        );
        text.replace(folder.to_str().unwrap(), "SAG/profiles")
    }
}

#[test]
fn the_output_is_switched_on_and_off_and_nothing_is_left() {
    let installation = Installation::new(CUSTOM);
    let custom = installation.custom();
    fs::set_permissions(&custom, fs::Permissions::from_mode(0o640)).unwrap();
    let mut told = installation.run("status", &custom, &[]);
    told += &installation.run("enable", &custom, &[]);
    let enabled = fs::read_to_string(&custom).unwrap();
    assert_eq!(fs::metadata(&custom).unwrap().permissions().mode() & 0o777, 0o640);
    told += &installation.run("enable", &custom, &[]);
    assert_eq!(fs::read_to_string(&custom).unwrap(), enabled);
    told += &installation.run("status", &custom, &[]);
    told += &installation.run("disable", &custom, &[]);
    assert_eq!(fs::read_to_string(&custom).unwrap(), CUSTOM);
    told += &installation.run("disable", &custom, &[]);
    let left: Vec<_> = fs::read_dir(installation.path("configuration"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left.len(), 2, "{left:?}");
    insta::assert_snapshot!(format!("{told}\n{}", enabled.replace('\r', "\\r")));
}

#[test]
fn what_others_write_meanwhile_stays_and_the_backup_is_kept() {
    let installation = Installation::new(CUSTOM);
    let custom = installation.custom();
    installation.run("enable", &custom, &[]);
    let edited = fs::read_to_string(&custom).unwrap().replace("1024", "2048");
    fs::write(&custom, edited).unwrap();
    let told = installation.run("disable", &custom, &[]);
    assert!(told.contains("custom_wrapper.conf.tlsdebug-backup"), "{told}");
    assert_eq!(fs::read_to_string(&custom).unwrap(), CUSTOM.replace("1024", "2048"));
    let backup = installation.path("configuration/custom_wrapper.conf.tlsdebug-backup");
    assert_eq!(fs::read_to_string(backup).unwrap(), CUSTOM);
}

#[test]
fn a_link_stays_a_link() {
    let installation = Installation::new(CUSTOM);
    let link = installation.path("link.conf");
    symlink(installation.custom(), &link).unwrap();
    installation.run("enable", &link, &[]);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(
        fs::read_to_string(installation.custom())
            .unwrap()
            .contains("javax.net.debug")
    );
}

#[test]
fn access_control_lists_and_attributes_stay() {
    /// acl(5) as the kernel has it: version 2, then tag, permissions and id of owner, user 4711, group, mask and others.
    const LIST: &[u8] = b"\x02\0\0\0\
        \x01\0\x06\0\xff\xff\xff\xff\x02\0\x04\0\x67\x12\0\0\x04\0\x04\0\xff\xff\xff\xff\
        \x10\0\x04\0\xff\xff\xff\xff\x20\0\0\0\xff\xff\xff\xff";
    let installation = Installation::new(CUSTOM);
    let file = installation.custom();
    let attributes = [
        ("system.posix_acl_access", LIST),
        ("user.note", &b"by the platform team"[..]),
    ];
    let kept: Vec<_> = attributes
        .into_iter()
        // Not every file system has them.
        .filter(|(name, value)| xattr::set(&file, name, value).is_ok())
        .collect();
    for command in ["enable", "disable"] {
        installation.run(command, &file, &[]);
        for (name, value) in &kept {
            assert_eq!(
                xattr::get(&file, name).unwrap().as_deref(),
                Some(*value),
                "{command}: {name}"
            );
        }
    }
}

#[test]
fn other_words_take_the_place_of_the_first() {
    let installation = Installation::new("");
    let custom = installation.custom();
    installation.run("enable", &custom, &[]);
    installation.run("enable", &custom, &["--debug", "trustmanager,handshake"]);
    let text = fs::read_to_string(&custom).unwrap();
    assert_eq!(text.matches("wrapper.java.additional").count(), 1);
    assert!(
        text.contains("wrapper.java.additional.999=-Djavax.net.debug=ssl,handshake,trustmanager\n"),
        "{text}"
    );
    installation.run("disable", &custom, &[]);
    assert_eq!(fs::read_to_string(&custom).unwrap(), "");
}

#[test]
fn what_limits_the_answer_and_what_cannot_be_done_is_said() {
    let installation =
        Installation::new("wrapper.java.additional.1005=-Djavax.net.debug=none\n#include missing.conf\n");
    let custom = installation.custom();
    let mut told = installation.run("status", &custom, &[]);
    fs::write(
        installation.path("configuration/wrapper.conf"),
        "#include custom_wrapper.conf\n",
    )
    .unwrap();
    told += &installation.run("enable", &custom, &[]);
    let taken = "#include custom_wrapper.conf\nwrapper.java.additional.1006=-Db=1\n";
    fs::write(installation.path("configuration/wrapper.conf"), taken).unwrap();
    told += &installation.run("status", &custom, &[]);
    told += &installation.run("enable", &custom, &[]);
    fs::remove_file(installation.path("configuration/wrapper.conf")).unwrap();
    told += &installation.run("status", &custom, &[]);
    fs::write(&custom, "wrapper.java.additional.205=-Djavax.net.debug=all\n").unwrap();
    told += &installation.run("status", &custom, &[]);
    fs::write(&custom, b"\xff\xfea\0=\0b\0").unwrap();
    told += &installation.run("enable", &custom, &[]);
    told += &installation.run("enable", &installation.path("nowhere.conf"), &[]);
    insta::assert_snapshot!(told);
}

/// A server's log as the wrapper writes it, which `diagnose` reads.
#[test]
fn the_log_of_a_wrapper_is_diagnosed() {
    let installation = Installation::new(CUSTOM);
    let log = fs::read_to_string("tests/logs/11.0.33-missing-intermediate-client.log").unwrap();
    let lines: Vec<String> = log
        .lines()
        .map(|line| format!("INFO   | jvm 1    | 2026/01/02 03:04:05 | {line}\n"))
        .collect();
    let lines = lines.concat();
    fs::create_dir(installation.path("logs")).unwrap();
    let file = installation.path("logs/wrapper.log");
    fs::write(
        &file,
        format!("STATUS | wrapper  | 2026/01/02 03:04:00 | --> Wrapper Started as Daemon\n{lines}"),
    )
    .unwrap();
    let mut program = Command::cargo_bin("tlsdebug").unwrap();
    let output = program
        .args(["diagnose", "--output", "json"])
        .arg(file)
        .output()
        .unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["findings"][0]["cause"], "MissingIntermediate");
}

#[test]
fn off_is_only_said_where_nothing_prints() {
    let installation = Installation::new("a=1\n");
    let custom = installation.custom();
    installation.run("enable", &custom, &[]);
    let enabled = fs::read_to_string(&custom).unwrap();
    let property = "wrapper.java.additional.999=-Djavax.net.debug=ssl,handshake\n";
    // An editor has sorted the file.
    fs::write(&custom, format!("{property}{}", enabled.replace(property, ""))).unwrap();
    let told = installation.run("disable", &custom, &[]);
    assert!(told.contains(": off\n") && told.ends_with("exit 0\n"), "{told}");
    assert_eq!(fs::read_to_string(&custom).unwrap(), "a=1\n");
    // The mark is gone, and the property is not.
    fs::write(&custom, format!("a=1\n{property}")).unwrap();
    let told = installation.run("disable", &custom, &[]);
    assert!(
        told.contains("not off: wrapper.java.additional.999=-Djavax.net.debug=ssl,handshake in SAG/"),
        "{told}"
    );
    assert!(
        told.contains("in line 2 still prints") && told.ends_with("exit 2\n"),
        "{told}"
    );
}

#[test]
fn an_option_behind_ours_outdoes_it() {
    let installation = Installation::new("");
    let custom = installation.custom();
    installation.run("enable", &custom, &[]);
    let enabled = fs::read_to_string(&custom).unwrap();
    fs::write(
        &custom,
        format!("{enabled}wrapper.java.additional.1200=-Djavax.net.debug=none\n"),
    )
    .unwrap();
    let told = installation.run("status", &custom, &[]);
    assert!(
        told.contains("is outdone by wrapper.java.additional.1200=-Djavax.net.debug=none"),
        "{told}"
    );
    assert!(told.ends_with("exit 1\n"), "{told}");
}
