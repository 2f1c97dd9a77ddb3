//! What goes wrong between the operator and the API server: which request, and how.

use std::fmt;
use std::time::Duration;

use axum::http::Method;

/// A request of the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its method.
    pub method: Method,
    /// Its path, without the query.
    pub path: String,
    /// Its query, or nothing.
    pub query: String,
    /// Its body as text.
    pub body: String,
}

impl Request {
    /// Whether it changes something that a session is about: neither an event nor the leader lease.
    pub fn is_write(&self) -> bool {
        self.method != Method::GET && !self.path.contains("/events") && !self.is_of_lease()
    }

    /// Whether it reads or writes the leader lease.
    pub fn is_of_lease(&self) -> bool {
        self.path.contains("/leases")
    }

    /// Whether it is a watch.
    pub fn is_watch(&self) -> bool {
        self.query.contains("watch=true")
    }

    /// Whether it reads a container's log.
    pub fn is_log(&self) -> bool {
        self.path.ends_with("/log")
    }

    /// Whether it changes a pod template: the flag comes in, or goes.
    pub fn is_of_template(&self) -> bool {
        let is_of_workload = self.path.contains("/apis/apps/");
        is_of_workload && self.method == Method::PATCH && self.body.contains("/spec/template")
    }

    /// The resource with its subresource, as in a rule of a role.
    pub fn resource(&self) -> String {
        let parts: Vec<&str> = self.path.trim_matches('/').split('/').collect();
        // /api/v1/… or /apis/GROUP/VERSION/…, then namespaces/NAME/….
        let rest = parts.get(if parts[0] == "api" { 2 } else { 3 }..).unwrap_or_default();
        match rest {
            ["namespaces", _, resource, _, subresource] => format!("{resource}/{subresource}"),
            ["namespaces", _, resource, ..] | [resource, ..] => (*resource).to_owned(),
            [] => self.path.clone(),
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.method, self.resource())?;
        let phases = ["Pending", "Injecting", "Capturing", "Restoring", "Completed", "Failed"];
        let reported = |phase: &&str| self.body.contains(&format!("\"phase\":\"{phase}\""));
        let detail = if self.resource().ends_with("/status") {
            phases.into_iter().find(reported)
        } else if self.is_of_template() {
            Some("template")
        } else if self.body.contains("managedFields") {
            Some("managedFields")
        } else if self.body.contains("/metadata/finalizers") {
            Some("finalizer")
        } else {
            None
        };
        detail.map_or(Ok(()), |detail| write!(formatter, " ({detail})"))
    }
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is answered with this code and not passed on; 429 with `Retry-After: 1`.
    Answer(u16),
    /// It is neither passed on nor answered, as where a packet filter drops the connection.
    Hold,
    /// It is passed on after this time.
    Delay(Duration),
    /// The connection ends, and it is not passed on.
    CutBefore,
    /// It is passed on, and the connection ends before the answer.
    CutAfter,
    /// It is passed on, and the stream of its answer breaks after this time, in the middle of a line.
    Break(Duration),
    /// The stream of its answer ends after this time as if all was said.
    End(Duration),
    /// Its answer begins, and nothing comes any more.
    Freeze,
    /// A watch is told that its resource version is too old.
    Expired,
    /// The operator is killed, and it is not passed on.
    KillBefore,
    /// It is passed on, and the operator is killed before the answer.
    KillAfter,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(429) => formatter.write_str("429 with Retry-After"),
            Self::Answer(code) => write!(formatter, "{code}"),
            Self::Hold => formatter.write_str("no answer"),
            Self::Delay(time) => write!(formatter, "answer after {time:?}"),
            Self::CutBefore => formatter.write_str("connection cut before the request"),
            Self::CutAfter => formatter.write_str("connection cut before the answer"),
            Self::Break(time) => write!(formatter, "stream cut after {time:?}"),
            Self::End(time) => write!(formatter, "stream ends after {time:?}"),
            Self::Freeze => formatter.write_str("stream falls silent"),
            Self::Expired => formatter.write_str("410 in a watch"),
            Self::KillBefore => formatter.write_str("killed before it"),
            Self::KillAfter => formatter.write_str("killed after it"),
        }
    }
}

/// Which requests a fault befalls.
pub struct Rule {
    fault: Fault,
    concerns: Box<dyn Fn(&Request) -> bool + Send>,
    skip: usize,
    times: usize,
    /// The requests that it has befallen.
    pub(super) hits: Vec<Request>,
}

impl Rule {
    /// Befalls every request for which `concerns` holds.
    pub fn new(fault: Fault, concerns: impl Fn(&Request) -> bool + Send + 'static) -> Self {
        Self {
            fault,
            concerns: Box::new(concerns),
            skip: 0,
            times: usize::MAX,
            hits: Vec::new(),
        }
    }

    /// Spares the first ones.
    pub fn after(mut self, skip: usize) -> Self {
        self.skip = skip;
        self
    }

    /// Befalls so many of them and no more.
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    /// What becomes of a request, where it is concerned.
    pub(super) fn judge(&mut self, request: &Request) -> Option<Fault> {
        if !(self.concerns)(request) || self.hits.len() == self.times {
            return None;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        self.hits.push(request.clone());
        Some(self.fault)
    }
}
