//! Following the log of one container's life, over breaks of the connection.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{AsyncBufRead, AsyncReadExt};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::LogParams;
use tokio::time::Instant;

use super::Shared;
use super::lines::{Cutter, Judgement, Memory, split_timestamp};
use super::owner::{Now, Owner, Ownership, STATUS_LAG, now};
use super::pace::Pace;
use crate::diagnosis::Diagnoser;
use crate::operator::metrics::LogMetrics;

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
#[derive(Debug, Clone)]
pub struct State {
    /// The pod's name.
    pub pod: String,
    /// The diagnosis so far.
    pub diagnoser: Diagnoser,
    /// Stretches that could not be read.
    pub gaps: u64,
    /// How many of them the metrics have.
    counted_gaps: u64,
    memory: Memory,
    cutter: Cutter,
    /// How reading keeps up with writing.
    pub pace: Pace,
    has_ended: bool,
}

impl State {
    /// Nothing read yet. `missed` lives before it could not be read; of its own log an earlier operator could not read
    /// `known_gaps`, and has counted them.
    #[must_use]
    pub fn new(diagnoser: Diagnoser, pod: &str, missed: u64, known_gaps: u64) -> Self {
        Self {
            pod: pod.to_owned(),
            diagnoser,
            gaps: missed + known_gaps,
            counted_gaps: known_gaps,
            memory: Memory::default(),
            cutter: Cutter::default(),
            pace: Pace::default(),
            has_ended: false,
        }
    }

    /// Before a stream is opened: from when on it is to begin, or `None` at the start of the log.
    pub(super) fn resume(&mut self) -> Option<Timestamp> {
        self.cutter.reset();
        self.pace.begin();
        self.memory.resume()
    }

    /// When the last line was written that was read.
    fn last(&self) -> Option<Timestamp> {
        self.memory.last()
    }

    /// Becomes another state of the same life. Gaps that the metrics have are not counted again when they are found again.
    pub(super) fn become_again(&mut self, other: Self) {
        *self = Self {
            counted_gaps: self.counted_gaps,
            ..other
        };
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
    /// The container had been restarted when the stream was opened: it is another life's.
    NotOurs,
}

/// Follows a life to its end. Every break is told apart: the log ended, the connection broke, the pod is gone.
pub async fn follow(shared: Arc<Shared>, life: Life, state: Arc<Mutex<State>>) {
    let pods: Api<Pod> = Api::namespaced(shared.client.clone(), &shared.namespace);
    let mut retry = FIRST_RETRY;
    let mut was_opened = false;
    let mut ownership = Ownership::new(&state);
    let count_gaps = CountGaps {
        state: &state,
        metrics: &shared.metrics,
    };
    // When the stream closed that may have brought all of the log.
    let mut closed: Option<Instant> = None;
    loop {
        count_gaps.count();
        let now = now(&pods, &life, &shared.container).await;
        if let Ok(now) = &now {
            ownership.looked(*now);
        }
        let (follow, previous) = match now {
            Ok(Now::Running) => {
                // It closed before the log ended, and what is written now is lost should the pod go.
                closed = closed.filter(|closed| closed.elapsed() < STATUS_LAG);
                (true, false)
            }
            Ok(Now::Ended) => (false, false),
            Ok(Now::Previous) => (false, true),
            Ok(Now::Gone) => {
                // What was written since the stream broke went with the pod.
                lock(&state).gaps += u64::from(closed.is_none());
                break;
            }
            Err(error) => {
                note_forbidden(&shared, &error);
                tracing::debug!(pod = life.pod, %error, "cannot read the pod");
                pause(&mut retry).await;
                continue;
            }
        };
        let parameters = LogParams {
            container: Some(shared.container.clone()),
            follow,
            previous,
            timestamps: true,
            since_time: ownership.resume(),
            ..LogParams::default()
        };
        let mut last = lock(&state).last();
        if std::mem::replace(&mut was_opened, true) {
            shared.metrics.reconnects.inc();
        }
        match pods.log_stream(&life.pod, &parameters).await {
            Ok(stream) => {
                shared.note_unreadable(None);
                let owner = Owner::new(&pods, &life, &shared.container, previous);
                ownership.opened(previous);
                last = lock(&state).last();
                let end = read(stream, &shared, &mut ownership, owner).await;
                closed = match end {
                    Ok(End::Closed) => Some(Instant::now()),
                    // Whether lines are missing shows what the stream before it has brought.
                    Ok(End::NotOurs) => closed,
                    _ => None,
                };
                match end {
                    Ok(End::Limit) => break,
                    // What was the rest of an ended life's log may have been the beginning of the next one's.
                    Ok(End::Closed)
                        if matches!(now, Ok(Now::Ended)) && ownership.is_uncertain() && lock(&state).last() != last =>
                    {
                        tokio::time::sleep(STATUS_LAG).await;
                    }
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
                lock(&state).gaps += u64::from(closed.is_none());
                break;
            }
            Err(error) => {
                note_forbidden(&shared, &error);
                tracing::debug!(pod = life.pod, %error, "cannot open the log stream");
            }
        }
        // A stream that brings nothing and closes is opened ever more slowly.
        if lock(&state).last() != last {
            retry = FIRST_RETRY;
        }
        pause(&mut retry).await;
    }
    lock(&state).finish();
    shared.news.notify_one();
}

/// Counts the gaps of a life, those of the last stretch when reading ends, in whatever way.
struct CountGaps<'a> {
    state: &'a Mutex<State>,
    metrics: &'a LogMetrics,
}

impl CountGaps<'_> {
    fn count(&self) {
        let mut state = lock(self.state);
        self.metrics.gaps.inc_by(state.gaps.saturating_sub(state.counted_gaps));
        // Those of lines that were taken back are found again.
        state.counted_gaps = state.counted_gaps.max(state.gaps);
    }
}

impl Drop for CountGaps<'_> {
    fn drop(&mut self) {
        self.count();
    }
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

/// Reads to the end of a stream. Nothing of it counts before its `owner`, asked when its first bytes are there, has said that
/// it belongs to the life that it was opened for: a request names a pod and no life. That is asked once more when the status
/// can no longer be behind; it is certain then. Lines that were written before the stream was opened are not lost, for it
/// begins at the start of the log, or before the last line that was read.
async fn read(
    stream: impl AsyncBufRead,
    shared: &Shared,
    ownership: &mut Ownership<'_>,
    owner: Owner<'_>,
) -> std::io::Result<End> {
    let mut stream = std::pin::pin!(stream);
    let mut buffer = vec![0; 32 * 1024];
    let ask_again = Instant::now() + STATUS_LAG;
    let mut is_first = true;
    let mut silent = Instant::now() + SILENCE;
    loop {
        let wait = if ownership.is_uncertain() {
            silent.min(ask_again)
        } else {
            silent
        };
        let read = tokio::time::timeout_at(wait, stream.read(&mut buffer)).await;
        if ownership.is_uncertain() && Instant::now() >= ask_again {
            if !owner.is_still_there().await? {
                ownership.refute();
                return Ok(End::NotOurs);
            }
            ownership.confirm();
        }
        let Ok(read) = read else {
            if Instant::now() >= silent {
                return Ok(End::Silent);
            }
            continue;
        };
        silent = Instant::now() + SILENCE;
        let bytes = &buffer[..read?];
        if bytes.is_empty() {
            return Ok(End::Closed);
        }
        if std::mem::take(&mut is_first) && !owner.is_still_there().await? {
            ownership.refute();
            return Ok(End::NotOurs);
        }
        if !shared.take(bytes.len()) {
            return Ok(End::Limit);
        }
        let mut state = lock(ownership.state());
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
        if let Some(last) = memory.last() {
            state.pace.note(last, Timestamp::now());
        }
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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::AtomicU64;

    use hyper::{Request, Response};
    use kube::Client;
    use kube::client::Body;
    use serde_json::json;
    use tokio::sync::Notify;

    use super::*;

    /// The ClientHello and the failure of one handshake; between them, on the same thread, lines are lost.
    #[test]
    fn no_handshake_goes_on_over_a_gap() {
        let log = include_str!("../../../tests/logs/17.0.15-expired-client.log");
        let (hello, rest) = log.split_at(log.find("|Consuming ServerHello").expect("an answer"));
        let (hello, answer) = hello.rsplit_once('\n').expect("a record");
        let rest = format!("{answer}{rest}");
        let mut state = State::new(Diagnoser::new("orders"), "orders", 0, 0);
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

    /// Follows the first life of a container of which the API server says what `looks` say, one after the other: how often it
    /// was restarted, and its state. It is gone then. Of `logs`, the current one and that of the life before it, each request
    /// brings the next text and ends then; where there is none, the API server answers with `refusal`.
    async fn followed(
        looks: Vec<(i32, serde_json::Value)>,
        logs: [Vec<Option<&'static str>>; 2],
        refusal: u16,
    ) -> (Arc<Shared>, Arc<Mutex<State>>) {
        let logs = logs.map(Vec::into_iter);
        let server = Arc::new((Mutex::new(looks.into_iter()), Mutex::new(logs)));
        let service = tower::service_fn(move |request: Request<Body>| {
            let failure = |code: u16| {
                let reason = if code == 404 { "NotFound" } else { "Other" };
                (
                    code,
                    json!({"kind": "Status", "status": "Failure", "code": code, "reason": reason}).to_string(),
                )
            };
            let (code, body) = if request.uri().path().ends_with("/log") {
                let is_previous = request
                    .uri()
                    .query()
                    .is_some_and(|query| query.contains("previous=true"));
                let text = server.1.lock().expect("no panic")[usize::from(is_previous)]
                    .next()
                    .flatten();
                text.map_or_else(|| failure(refusal), |text| (200, text.to_owned()))
            } else {
                let look = server.0.lock().expect("no panic").next();
                let pod = |(restarts, state)| {
                    let container = json!({"name": "main", "restartCount": restarts, "state": state, "image": "", "imageID": "",
                        "ready": true});
                    json!({"metadata": {"name": "orders", "uid": "u"}, "status": {"containerStatuses": [container]}})
                };
                look.map_or_else(|| failure(404), |look| (200, pod(look).to_string()))
            };
            let response = Response::builder().status(code).body(Body::from(body.into_bytes()));
            std::future::ready(Ok::<_, Infallible>(response.expect("a response")))
        });
        let shared = Arc::new(Shared {
            client: Client::new(service, "demo"),
            namespace: "demo".to_owned(),
            container: "main".to_owned(),
            news: Notify::new(),
            bytes: AtomicU64::new(0),
            limit: u64::MAX,
            metrics: LogMetrics::default(),
            lives: Mutex::default(),
            unreadable: Mutex::default(),
        });
        let life = Life {
            pod: "orders".to_owned(),
            uid: "u".to_owned(),
            restarts: 0,
        };
        let state = Arc::new(Mutex::new(State::new(Diagnoser::new("orders"), "orders", 1, 2)));
        follow(shared.clone(), life, state.clone()).await;
        (shared, state)
    }

    const LINE: &str = "2026-11-25T10:00:00Z a\n";

    /// The gaps of a container that is never restarted and has such states, and how many of them are counted.
    async fn gaps_of(states: Vec<serde_json::Value>, refusal: u16) -> (u64, u64) {
        let looks = states.into_iter().map(|state| (0, state)).collect();
        let (shared, state) = followed(looks, [vec![Some(LINE)], vec![]], refusal).await;
        assert_eq!(lock(&state).diagnoser.lines(), 1);
        let gaps = lock(&state).gaps - 3;
        (gaps, shared.metrics.gaps.get() - 1)
    }

    /// The kubelet serves the next life's log already, and the status is behind.
    #[tokio::test(start_paused = true)]
    async fn the_log_of_the_next_life_is_not_taken_for_this_one() {
        let running = |restarts: i32| (restarts, json!({"running": {}}));
        let ended = || (0, json!({"terminated": {"exitCode": 1}}));
        let lines = async |looks: Vec<(i32, serde_json::Value)>| {
            let previous = "2026-11-25T09:59:58Z first\n2026-11-25T09:59:58Z last\n";
            let (_, state) = followed(looks, [vec![Some(LINE)], vec![Some(previous)]], 400).await;
            let state = lock(&state);
            (state.diagnoser.lines(), state.gaps - 3)
        };
        let then_restarted = |looks: &[(i32, serde_json::Value)]| [looks, &vec![running(1); 4]].concat();
        assert_eq!(lines(then_restarted(&[running(0), running(0)])).await, (2, 0));
        assert_eq!(lines(then_restarted(&[ended(), ended()])).await, (2, 0));
        assert_eq!(
            lines(then_restarted(&[running(0), running(1)])).await,
            (2, 0),
            "seen at once"
        );
    }

    /// The API server does not answer for some seconds, and then the next life's log is there already.
    #[tokio::test(start_paused = true)]
    async fn of_a_life_that_is_known_only_what_a_late_stream_brought_is_taken_back() {
        let running = |restarts: i32| (restarts, json!({"running": {}}));
        let next = "2026-11-25T10:00:07Z next\n";
        let previous = "2026-11-25T10:00:00Z a\n2026-11-25T10:00:06Z last\n";
        for breaks in [0, 1] {
            let mut looks = vec![running(0); 8];
            looks.extend(vec![running(1); 8]);
            let current = vec![Some(LINE), None, None, None, None, Some(next)];
            let previous = [vec![None; breaks], vec![Some(previous)]].concat();
            let (_, state) = followed(looks, [current, previous], 500).await;
            let state = lock(&state);
            assert_eq!((state.diagnoser.lines(), state.gaps - 3), (2, 0), "{breaks}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_log_that_goes_on_after_its_stream_has_closed_has_a_gap() {
        let running = || json!({"running": {}});
        let ended = || json!({"terminated": {"exitCode": 0}});
        // The first two looks are those around the opening of the stream.
        let going_on = |looks: usize| (0..looks + 2).map(|_| running()).collect::<Vec<_>>();
        assert_eq!(gaps_of(going_on(12), 500).await, (1, 1), "it was running all the time");
        assert_eq!(
            gaps_of(going_on(2), 500).await,
            (0, 0),
            "it may have ended with its stream"
        );
        let then_ended = |looks| [going_on(looks), vec![ended()]].concat();
        assert_eq!(gaps_of(then_ended(12), 400).await, (1, 1));
        assert_eq!(
            gaps_of(then_ended(1), 400).await,
            (0, 0),
            "its log went after it was read"
        );
    }
}
