//! Following the log of one container's life, over breaks of the connection.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{AsyncBufRead, AsyncReadExt};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::LogParams;

use super::Shared;
use super::lines::{Cutter, Judgement, Memory, split_timestamp};
use crate::diagnosis::Diagnoser;
use crate::operator::observe::pods::container_status;

/// A stream of a running container that brings nothing for this long is opened anew.
const SILENCE: Duration = Duration::from_mins(5);
const FIRST_RETRY: Duration = Duration::from_millis(200);
const LAST_RETRY: Duration = Duration::from_secs(10);

/// One life of a container: between two restarts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// The pod's name.
    pub pod: String,
    /// The pod's uid, because a StatefulSet's pods are reborn with the same name.
    pub uid: String,
    /// Restarts before this life.
    pub restarts: i32,
}

/// What was read of it.
#[derive(Debug)]
pub struct State {
    /// The pod's name.
    pub pod: String,
    /// The diagnosis so far.
    pub diagnoser: Diagnoser,
    /// Stretches that could not be read.
    pub gaps: u64,
    memory: Memory,
    cutter: Cutter,
    has_ended: bool,
}

impl State {
    /// Nothing read yet; `gaps` lives before it could not be read.
    #[must_use]
    pub fn new(diagnoser: Diagnoser, pod: &str, gaps: u64) -> Self {
        Self {
            pod: pod.to_owned(),
            diagnoser,
            gaps,
            memory: Memory::default(),
            cutter: Cutter::default(),
            has_ended: false,
        }
    }

    /// Whether nothing more will come.
    pub(super) const fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Nothing more will come: what only reading on needs is let go.
    pub(super) fn finish(&mut self) {
        let Self {
            cutter,
            memory,
            diagnoser,
            gaps,
            ..
        } = self;
        cutter.finish(|line| take(line, memory, diagnoser, gaps));
        self.diagnoser.finish();
        self.memory = Memory::default();
        self.has_ended = true;
    }
}

/// Locks a state; a panic ends the program, so none is ever left half changed.
pub(super) fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How reading ended.
enum End {
    /// The connection ended; whether the log did, the pod's status says.
    Closed,
    /// It brought nothing for too long: the connection may be dead.
    Silent,
    /// The session's limit of bytes is reached.
    Limit,
    /// The container was restarted between the look at the pod and the opening of the stream: it is another life's.
    NotOurs,
}

/// What the pod's status says of a life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Now {
    Running,
    /// Ended, and its log is still the current one.
    Ended,
    /// Ended, and a newer life has the current log.
    Previous,
    Gone,
}

/// Follows a life to its end. Every break is told apart: the log ended, the connection broke, the pod is gone.
pub async fn follow(shared: Arc<Shared>, life: Life, state: Arc<Mutex<State>>) {
    let pods: Api<Pod> = Api::namespaced(shared.client.clone(), &shared.namespace);
    let mut retry = FIRST_RETRY;
    let mut is_at_end = false;
    loop {
        let now = now(&pods, &life, &shared.container).await;
        let (follow, previous) = match now {
            Ok(Now::Running) => (true, false),
            Ok(Now::Ended) => (false, false),
            Ok(Now::Previous) => (false, true),
            Ok(Now::Gone) => {
                // What was written since the stream broke went with the pod.
                lock(&state).gaps += u64::from(!is_at_end);
                break;
            }
            Err(error) => {
                note_forbidden(&shared, &error);
                tracing::debug!(pod = life.pod, %error, "cannot read the pod");
                pause(&mut retry).await;
                continue;
            }
        };
        let since_time = {
            let mut state = lock(&state);
            state.cutter.reset();
            state.memory.resume()
        };
        let parameters = LogParams {
            container: Some(shared.container.clone()),
            follow,
            previous,
            timestamps: true,
            since_time,
            ..LogParams::default()
        };
        let lines = lock(&state).diagnoser.lines();
        match pods.log_stream(&life.pod, &parameters).await {
            Ok(stream) => {
                shared.note_unreadable(None);
                let end = read(stream, &shared, &state, async || {
                    let later = self::now(&pods, &life, &shared.container).await?;
                    Ok((later == Now::Previous) == previous && later != Now::Gone)
                })
                .await;
                is_at_end = matches!(end, Ok(End::Closed));
                match end {
                    Ok(End::Limit) => break,
                    Ok(End::Closed) if !follow => break,
                    Ok(End::Closed) => {}
                    Ok(End::Silent) => tracing::debug!(pod = life.pod, "log stream brings nothing"),
                    Ok(End::NotOurs) => tracing::debug!(pod = life.pod, "the container was restarted meanwhile"),
                    Err(error) => tracing::debug!(pod = life.pod, %error, "log stream broke"),
                }
            }
            // The log of an ended life is gone with its container.
            Err(kube::Error::Api(status)) if !follow && [400, 404].contains(&status.code) => {
                tracing::debug!(
                    pod = life.pod,
                    reason = status.message,
                    "the rest of the log cannot be read"
                );
                lock(&state).gaps += 1;
                break;
            }
            Err(error) => {
                note_forbidden(&shared, &error);
                tracing::debug!(pod = life.pod, %error, "cannot open the log stream");
            }
        }
        // A stream that brings nothing and closes is opened ever more slowly.
        if lock(&state).diagnoser.lines() > lines {
            retry = FIRST_RETRY;
        }
        pause(&mut retry).await;
    }
    lock(&state).finish();
    shared.news.notify_one();
}

/// What passes by itself is tried again without a word; a right has to be given.
fn note_forbidden(shared: &Shared, error: &kube::Error) {
    if let kube::Error::Api(status) = error
        && status.is_forbidden()
    {
        shared.note_unreadable(Some(&status.message));
    }
}

async fn pause(retry: &mut Duration) {
    tokio::time::sleep(*retry).await;
    *retry = (*retry * 2).min(LAST_RETRY);
}

/// Reads to the end of a stream. Nothing of it counts before `is_ours`, asked when its first bytes are there, has said that
/// it belongs to the life that it was opened for: a request names a pod and no life. Lines that were written before the
/// stream was opened are not lost, for it begins at the start of the log, or before the last line that was read.
async fn read(
    stream: impl AsyncBufRead,
    shared: &Shared,
    state: &Mutex<State>,
    is_ours: impl AsyncFnOnce() -> kube::Result<bool>,
) -> std::io::Result<End> {
    let mut stream = std::pin::pin!(stream);
    let mut buffer = vec![0; 32 * 1024];
    let mut is_ours = Some(is_ours);
    loop {
        let Ok(read) = tokio::time::timeout(SILENCE, stream.read(&mut buffer)).await else {
            return Ok(End::Silent);
        };
        let bytes = &buffer[..read?];
        if bytes.is_empty() {
            return Ok(End::Closed);
        }
        if let Some(is_ours) = is_ours.take()
            && !is_ours().await.map_err(std::io::Error::other)?
        {
            return Ok(End::NotOurs);
        }
        if !shared.take(bytes.len()) {
            return Ok(End::Limit);
        }
        let mut state = lock(state);
        let state = &mut *state;
        let before = state.diagnoser.revision();
        let State {
            cutter,
            memory,
            diagnoser,
            gaps,
            ..
        } = state;
        cutter.feed(bytes, |line| take(line, memory, diagnoser, gaps));
        if state.diagnoser.revision() != before {
            shared.news.notify_one();
        }
    }
}

/// Takes one line as the kubelet gives it.
fn take(line: &[u8], memory: &mut Memory, diagnoser: &mut Diagnoser, gaps: &mut u64) {
    let text = match split_timestamp(line) {
        Some((timestamp, text)) => match memory.judge(timestamp, text) {
            Judgement::Known => return,
            Judgement::New => text,
            Judgement::NewAfterGap => {
                *gaps += 1;
                diagnoser.gap();
                text
            }
        },
        None => line,
    };
    diagnoser.feed(text);
    diagnoser.feed(b"\n");
}

async fn now(pods: &Api<Pod>, life: &Life, container: &str) -> kube::Result<Now> {
    let Some(pod) = pods
        .get_opt(&life.pod)
        .await?
        .filter(|pod| pod.metadata.uid.as_ref() == Some(&life.uid))
    else {
        return Ok(Now::Gone);
    };
    let Some(container) = container_status(&pod, container) else {
        return Ok(Now::Gone);
    };
    let is_running = container.state.as_ref().is_some_and(|state| state.running.is_some());
    Ok(match container.restart_count - life.restarts {
        0 if is_running => Now::Running,
        0 => Now::Ended,
        1 => Now::Previous,
        _ => Now::Gone,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ClientHello and the failure of one handshake; between them, on the same thread, lines are lost.
    #[test]
    fn no_handshake_goes_on_over_a_gap() {
        let log = include_str!("../../../tests/logs/17.0.15-expired-client.log");
        let (hello, rest) = log.split_at(log.find("|Consuming ServerHello").expect("an answer"));
        let (hello, answer) = hello.rsplit_once('\n').expect("a record");
        let rest = format!("{answer}{rest}");
        let mut state = State::new(Diagnoser::new("orders"), "orders", 0);
        for (minute, text) in [hello, &rest].into_iter().enumerate() {
            let State {
                memory,
                diagnoser,
                gaps,
                ..
            } = &mut state;
            memory.resume();
            for line in text.lines() {
                let stamped = format!("2026-11-25T10:{minute:02}:00Z {line}");
                take(stamped.as_bytes(), memory, diagnoser, gaps);
            }
        }
        state.finish();
        let report = state.diagnoser.report();
        assert_eq!(state.gaps, 1);
        assert_eq!((report.handshakes.failed, report.handshakes.incomplete), (1, 1));
        assert_eq!(
            report.findings[0].peer.server_name, None,
            "whose it is went with the lines that are lost"
        );
    }
}
