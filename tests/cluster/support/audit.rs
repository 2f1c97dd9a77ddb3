//! What the operator has asked the API server for, as the API server's audit log tells it.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

use serde_json::Value;

use super::Scenario;
use super::operator::ACCOUNT;

/// A verb on a resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    /// The API group, empty for the core one.
    pub group: String,
    /// The resource, with its subresource as a rule names it.
    pub resource: String,
    /// The verb.
    pub verb: String,
}

impl fmt::Display for Right {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.verb, self.resource)
    }
}

/// The audit log from a moment on, of one scenario's operator.
pub struct Audit {
    path: PathBuf,
    user: String,
    /// How far it was read, and what was found there.
    read: RefCell<(u64, Vec<Answer>)>,
}

/// A request that was answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// What it needed.
    pub right: Right,
    /// With which code.
    pub code: u64,
}

impl Audit {
    /// What is written from now on.
    pub fn new(scenario: &Scenario) -> Self {
        let kubeconfig = PathBuf::from(std::env::var_os("KUBECONFIG").unwrap());
        let path = kubeconfig.with_file_name("log").join("audit.log");
        let begin = path.metadata().unwrap().len();
        let user = format!("system:serviceaccount:{}:{ACCOUNT}", scenario.namespace);
        let read = RefCell::new((begin, Vec::new()));
        Self { path, user, read }
    }

    /// The answers so far.
    pub fn answers(&self) -> Vec<Answer> {
        let mut read = self.read.borrow_mut();
        let (position, answers) = &mut *read;
        let mut file = File::open(&self.path).unwrap();
        if file.metadata().unwrap().len() < *position {
            // It was rotated.
            *position = 0;
        }
        file.seek(SeekFrom::Start(*position)).unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        // The last line may not be complete.
        bytes.truncate(memchr::memrchr(b'\n', &bytes).map_or(0, |end| end + 1));
        *position += bytes.len() as u64;
        let text = String::from_utf8_lossy(&bytes);
        let own = text.lines().filter(|line| line.contains(&self.user));
        answers.extend(own.filter_map(|line| answer(&serde_json::from_str(line).ok()?, &self.user)));
        answers.clone()
    }
}

fn answer(event: &Value, user: &str) -> Option<Answer> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let object = event.get("objectRef").filter(|_| event["user"]["username"] == user)?;
    let subresource = object["subresource"]
        .as_str()
        .map(|name| format!("/{name}"))
        .unwrap_or_default();
    Some(Answer {
        right: Right {
            group: text(&object["apiGroup"]),
            resource: text(&object["resource"]) + &subresource,
            verb: text(&event["verb"]),
        },
        code: event["responseStatus"]["code"].as_u64().unwrap_or_default(),
    })
}

/// What the operator's Roles give.
pub fn granted(scenario: &Scenario) -> BTreeSet<Right> {
    let mut all = BTreeSet::new();
    for role in scenario.roles() {
        for rule in role["rules"].as_array().unwrap() {
            let texts = |key: &str| -> Vec<String> { serde_json::from_value(rule[key].clone()).unwrap() };
            for resource in texts("resources") {
                all.extend(texts("verbs").into_iter().map(|verb| Right {
                    group: texts("apiGroups").remove(0),
                    resource: resource.clone(),
                    verb,
                }));
            }
        }
    }
    all
}
