//! `tail`: diagnoses a log as it grows, beside the program that writes it. For clusters where no operator may be installed.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use clap::Args;
use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt};
use prometheus_client::encoding::text::encode;
use serde_json::json;
use tokio::sync::mpsc;

use super::connection::Connection;
use super::problem::Problem;
use super::rehearsal;
use super::run::signals;
use crate::cli::output;
use crate::diagnosis::Diagnoser;
use crate::diagnosis::report::Report;
use crate::operator::capture::Capture;
use crate::operator::metrics::Metrics;
use crate::operator::observe::DebugPod;
use crate::operator::observe::pods::container_status;
use crate::session::{TLSDebugSessionSpec, TLSDebugSessionStatus};

/// Between two looks at a log that says nothing.
const PACE: Duration = Duration::from_millis(500);
/// Between two looks at the own pod.
const BETWEEN_LOOKS: Duration = Duration::from_secs(5);
/// Bytes read at once.
const CHUNK: usize = 64 * 1024;

/// Arguments of `tail`.
#[derive(Debug, Args)]
#[command(
    after_help = "Prints one JSON object a line for each finding, when it is found. Exit codes: 0 the log has ended, or this \
                        was asked to end; 2 it cannot be read."
)]
pub(in crate::cli) struct Tail {
    #[command(flatten)]
    source: Source,
    /// Container whose log is read, with --self.
    #[arg(long, short)]
    container: Option<String>,
    /// Name of this pod; from the downward API.
    #[arg(long, env = "POD_NAME", value_name = "NAME")]
    pod: Option<String>,
    /// Serve /metrics and /livez at this address, such as 0.0.0.0:8081.
    #[arg(long, value_name = "ADDRESS")]
    metrics_address: Option<String>,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Source {
    /// Read the log of a container of this pod, through the API; over its restarts.
    #[arg(long = "self", requires_all = ["container", "pod"])]
    own: bool,
    /// Read a file as it grows; over its rotation.
    #[arg(long)]
    file: Option<PathBuf>,
    /// Read standard input to its end.
    #[arg(long)]
    stdin: bool,
}

impl Tail {
    /// Reads until the log ends, or a signal comes.
    pub(super) async fn run(self) -> Result<ExitCode, Problem> {
        let metrics = Metrics::default();
        if let Some(address) = &self.metrics_address {
            serve(address, metrics.clone()).await?;
        }
        let teller = Teller {
            metrics,
            ..Teller::default()
        };
        if self.source.own {
            self.read_self(teller).await?;
        } else if let Some(file) = &self.source.file {
            read_file(file, teller).await?;
        } else {
            read_stdin(teller).await?;
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn read_self(&self, mut teller: Teller) -> Result<(), Problem> {
        let cluster = self.connection.connect().await?;
        let (pod, container) = (
            self.pod.clone().unwrap_or_default(),
            self.container.clone().unwrap_or_default(),
        );
        let pods = Api::<Pod>::namespaced(cluster.client.clone(), &cluster.namespace);
        let tried = || {
            format!(
                "read container {container:?} of pod {pod:?} in namespace {:?}",
                cluster.namespace
            )
        };
        let spec: TLSDebugSessionSpec = serde_json::from_value(json!({
            "target": {"kind": "Pod", "name": pod}, "maxLogBytes": u64::MAX
        }))
        .map_err(|error| Problem::new(error.to_string()))?;
        let session = rehearsal::session(&cluster.namespace, spec, jiff::Timestamp::now());
        let (wake, mut woken) = mpsc::unbounded_channel();
        let logs = teller.metrics.logs.clone();
        let mut capture = Capture::new(cluster.logs.clone(), &session, container.clone(), wake, logs);
        let mut signals = std::pin::pin!(signals()?);
        let mut fault = None;
        loop {
            let seen = tokio::select! {
                Some(_) = signals.next() => return Ok(()),
                seen = pods.get(&pod) => seen,
            };
            let seen = match seen {
                Ok(seen) => seen,
                Err(error) if is_final(&error) => return Err(Problem::of(tried(), &error)),
                Err(error) => {
                    let problem = Problem::of(tried(), &error);
                    if fault.as_ref() != Some(&problem) {
                        output::warn(format_args!("Warning: {problem}. It is tried again"));
                        fault = Some(problem);
                    }
                    tokio::select! {
                        Some(_) = signals.next() => return Ok(()),
                        () = tokio::time::sleep(BETWEEN_LOOKS) => continue,
                    }
                }
            };
            fault = None;
            let spec = seen.spec.as_ref();
            let mut names = spec.into_iter().flat_map(|spec| {
                let init = spec.init_containers.iter().flatten();
                init.chain(&spec.containers).map(|container| container.name.as_str())
            });
            if !names.any(|name| name == container) {
                return Err(Problem::new(format!(
                    "cannot {}: the pod has no such container",
                    tried()
                )));
            }
            capture.follow(&[of(&seen, &container)], 1);
            if let Some(report) = capture.captured().report {
                teller.tell(&report);
            }
            tokio::select! {
                Some(_) = signals.next() => return Ok(()),
                Some(_) = woken.recv() => {}
                () = tokio::time::sleep(BETWEEN_LOOKS) => {}
            }
        }
    }
}

/// Whether a request will not go through the next time either: a right is missing, or the pod is.
fn is_final(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if [401, 403, 404].contains(&status.code))
}

/// A pod of which only lives and restarts are asked.
fn of(pod: &Pod, container: &str) -> DebugPod {
    let status = container_status(pod, container);
    let has_started = status.and_then(|status| status.started).unwrap_or_default()
        || status.is_some_and(|status| status.restart_count > 0);
    DebugPod {
        name: pod.name_any(),
        uid: pod.uid().unwrap_or_default(),
        resource_version: pod.resource_version().unwrap_or_default(),
        ready: false,
        created: None,
        terminating: false,
        restarts: status.filter(|_| has_started).map(|status| status.restart_count),
        waiting: None,
    }
}

async fn read_file(path: &Path, mut teller: Teller) -> Result<(), Problem> {
    let problem = |error: io::Error| Problem::new(format!("cannot read {}: {error}", path.display()));
    let mut signals = std::pin::pin!(signals()?);
    let mut diagnoser = Diagnoser::new(path.display().to_string());
    let mut file: Option<File> = None;
    let mut buffer = vec![0; CHUNK];
    loop {
        if file.is_none() {
            // The program may not have made it yet.
            file = match File::open(path) {
                Ok(file) => Some(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(problem(error)),
            };
        }
        let read = match &mut file {
            Some(file) => file.read(&mut buffer).map_err(problem)?,
            None => 0,
        };
        if read > 0 {
            teller.take(&mut diagnoser, &buffer[..read]);
            continue;
        }
        if let Some(open) = &file
            && was_rotated(open, path)
        {
            file = None;
            continue;
        }
        tokio::select! {
            Some(_) = signals.next() => break,
            () = tokio::time::sleep(PACE) => {}
        }
    }
    diagnoser.finish();
    teller.tell(&diagnoser.report());
    Ok(())
}

/// Whether another file is there under the name, or this one is shorter than what was read of it.
fn was_rotated(open: &File, path: &Path) -> bool {
    use std::io::Seek as _;
    let mut open_position = open;
    let (Ok(now), Ok(ours), Ok(position)) = (path.metadata(), open.metadata(), open_position.stream_position()) else {
        return false;
    };
    (now.dev(), now.ino()) != (ours.dev(), ours.ino()) || ours.len() < position
}

async fn read_stdin(mut teller: Teller) -> Result<(), Problem> {
    let mut diagnoser = Diagnoser::new("standard input");
    let (send, mut chunks) = mpsc::channel(1);
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        loop {
            let mut chunk = vec![0; CHUNK];
            let read = input.read(&mut chunk);
            let is_last = !matches!(read, Ok(length) if length > 0);
            let chunk = read.map(|length| {
                chunk.truncate(length);
                chunk
            });
            if send.blocking_send(chunk).is_err() || is_last {
                return;
            }
        }
    });
    // A signal to a whole process group must not cut off what the program says while it stops: its end ends this.
    let mut signals = std::pin::pin!(signals()?);
    loop {
        tokio::select! {
            chunk = chunks.recv() => match chunk {
                Some(Ok(chunk)) if !chunk.is_empty() => teller.take(&mut diagnoser, &chunk),
                Some(Err(error)) => return Err(Problem::new(format!("cannot read standard input: {error}"))),
                _ => break,
            },
            Some(_) = signals.next() => {}
        }
    }
    diagnoser.finish();
    teller.tell(&diagnoser.report());
    Ok(())
}

/// Tells each finding once, and counts.
#[derive(Default)]
struct Teller {
    metrics: Metrics,
    told: HashSet<(String, String)>,
    before: TLSDebugSessionStatus,
}

impl Teller {
    fn take(&mut self, diagnoser: &mut Diagnoser, bytes: &[u8]) {
        self.metrics.logs.bytes.inc_by(bytes.len() as u64);
        let revision = diagnoser.revision();
        diagnoser.feed(bytes);
        if diagnoser.revision() != revision {
            self.tell(&diagnoser.report());
        }
    }

    fn tell(&mut self, report: &Report) {
        let after = TLSDebugSessionStatus {
            handshakes: Some(report.handshakes),
            findings: report.findings.clone(),
            ..TLSDebugSessionStatus::default()
        };
        self.metrics.reported(Some(&self.before), &after);
        self.before = after;
        for finding in &report.findings {
            if self.told.insert((finding.cause.clone(), finding.summary.clone())) {
                // Nobody reads any more: the metrics still count.
                let _ = writeln!(io::stdout(), "{}", json!(finding));
            }
        }
    }
}

async fn serve(address: &str, metrics: Metrics) -> Result<(), Problem> {
    let listener = tokio::net::TcpListener::bind(address).await.map_err(|error| {
        Problem::new(format!(
            "cannot listen on {address}: {error}. Choose another --metrics-address"
        ))
    })?;
    let text = async move || {
        let mut text = String::new();
        let content = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &metrics.registry_of_logs());
        ([(axum::http::header::CONTENT_TYPE, content)], text)
    };
    let router = Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/metrics", get(text));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(())
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    #[test]
    fn an_api_server_that_is_away_for_a_while_ends_nothing() {
        let answered = |code| kube::Error::Api(Status::failure("", "").with_code(code).boxed());
        assert_eq!([401, 403, 404].map(|code| is_final(&answered(code))), [true; 3]);
        assert_eq!([429, 500, 503].map(|code| is_final(&answered(code))), [false; 3]);
        assert!(!is_final(&kube::Error::Service("connection refused".into())));
    }
}
