//! Reading the logs of the pods that carry the flag, beside the reconcile, and waking the session when there is news.

pub mod lines;
pub mod stream;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube::Client;
use kube::runtime::reflector::ObjectRef;
use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::diagnosis::Diagnoser;
use crate::diagnosis::report::{Certainty, Peer, Report, Verdict};
use crate::operator::observe::DebugPod;
use crate::session::TLSDebugSession;
use crate::session::status::PodCapture;

/// Wakes a session's reconcile.
pub type Wake = mpsc::UnboundedSender<ObjectRef<TLSDebugSession>>;

/// A new cause is written at once, but not more often than this.
const BETWEEN_CAUSES: Duration = Duration::from_millis(250);
/// A log that is written without a pause is looked at for new causes this often.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);
/// Counts alone are written this often.
const BETWEEN_COUNTS: Duration = Duration::from_secs(2);

/// What a session's streams have brought so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Captured {
    /// The report over all streams; `None` before the first stream.
    pub report: Option<Report>,
    /// What was read of which container's life.
    pub pods: Vec<PodCapture>,
    /// Records of JSSE debug output over all streams.
    pub debug_records: u64,
    /// A block of TLS keys was seen.
    pub key_material_seen: bool,
    /// Reading stopped at the session's limit of bytes.
    pub limit_reached: bool,
}

/// The streams of one session. Dropping it ends them.
pub struct Capture {
    tasks: Vec<AbortHandle>,
    shared: Arc<Shared>,
    stored: Stored,
}

/// What the status held when these streams began: an earlier operator's answer. It stands until everything that it was
/// drawn from has been read again, which never happens where a pod is gone or its log was rotated.
#[derive(Debug, Default)]
struct Stored {
    pods: Vec<PodCapture>,
    report: Option<Report>,
}

impl Stored {
    fn of(session: &TLSDebugSession) -> Self {
        let Some(status) = session.status.as_ref().filter(|status| !status.pods.is_empty()) else {
            return Self::default();
        };
        Self {
            pods: status.pods.clone(),
            report: Some(Report {
                verdict: status.verdict.unwrap_or(Verdict::NoDebugOutput),
                handshakes: status.handshakes.unwrap_or_default(),
                findings: status.findings.clone(),
                warnings: Vec::new(),
            }),
        }
    }

    fn holds(&self, life: &PodCapture) -> bool {
        self.pods.iter().any(|stored| is_same_life(stored, life))
    }

    /// Whether all of it has been read again.
    fn is_covered_by(&self, read: &[PodCapture]) -> bool {
        self.pods.iter().all(|stored| {
            read.iter()
                .any(|now| is_same_life(stored, now) && now.lines >= stored.lines)
        })
    }
}

fn is_same_life(one: &PodCapture, other: &PodCapture) -> bool {
    (&one.uid, one.restarts) == (&other.uid, other.restarts)
}

/// By the pod's uid and the container's restarts.
type Lives = BTreeMap<(String, i32), Arc<Mutex<stream::State>>>;

/// What the streams of one session share.
pub struct Shared {
    client: Client,
    namespace: String,
    container: String,
    news: Notify,
    bytes: AtomicU64,
    limit: u64,
    lives: Mutex<Lives>,
}

impl Shared {
    /// Counts bytes that are about to be read; `false` once the session's limit is reached.
    fn take(&self, bytes: usize) -> bool {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed) < self.limit
    }

    fn lives(&self) -> MutexGuard<'_, Lives> {
        self.lives.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a user must hear of at once: the causes, how sure they are, and with whom.
    fn causes(&self) -> Vec<(String, Certainty, Peer)> {
        let mut causes: Vec<_> = self
            .lives()
            .values()
            .flat_map(|life| stream::lock(life).diagnoser.report().findings)
            .map(|finding| (finding.cause, finding.certainty, finding.peer))
            .collect();
        causes.sort();
        causes.dedup();
        causes
    }
}

impl Capture {
    /// Sets up a capture without streams; `container` is the one whose log is read in every pod.
    #[must_use]
    pub fn new(client: Client, session: &TLSDebugSession, container: String, wake: Wake) -> Self {
        let shared = Arc::new(Shared {
            client,
            namespace: session.metadata.namespace.clone().unwrap_or_default(),
            container,
            news: Notify::new(),
            bytes: AtomicU64::new(0),
            limit: session.spec.max_log_bytes,
            lives: Mutex::default(),
        });
        let notifier = tokio::spawn(notify(shared.clone(), ObjectRef::from_obj(session), wake)).abort_handle();
        Self {
            tasks: vec![notifier],
            shared,
            stored: Stored::of(session),
        }
    }

    /// Starts a stream for every container life that has none yet, for `max_pods` pods at most.
    pub fn follow(&mut self, pods: &[DebugPod], max_pods: u32) {
        let mut lives = self.shared.lives();
        let mut uids: BTreeSet<String> = lives.keys().map(|(uid, _)| uid.clone()).collect();
        for pod in pods {
            let Some(restarts) = pod.restarts else { continue };
            if !uids.contains(&pod.uid) && uids.len() >= max_pods as usize {
                continue;
            }
            uids.insert(pod.uid.clone());
            // The kubelet keeps the log of one earlier life; it may hold the failure that ended it.
            for restarts in [restarts - 1, restarts].into_iter().filter(|restarts| *restarts >= 0) {
                lives.entry((pod.uid.clone(), restarts)).or_insert_with(|| {
                    let state = Arc::new(Mutex::new(stream::State::new(
                        Diagnoser::new(pod.name.clone()),
                        &pod.name,
                    )));
                    let life = stream::Life {
                        pod: pod.name.clone(),
                        uid: pod.uid.clone(),
                        restarts,
                    };
                    let task = tokio::spawn(stream::follow(self.shared.clone(), life, state.clone()));
                    self.tasks.push(task.abort_handle());
                    state
                });
            }
        }
    }

    /// What the streams have brought so far, with what was stored before them.
    #[must_use]
    pub fn captured(&self) -> Captured {
        let limit_reached = self.shared.bytes.load(Ordering::Relaxed) >= self.shared.limit;
        let mut captured = Captured {
            limit_reached,
            ..Captured::default()
        };
        let mut reports = Vec::new();
        for ((uid, restarts), life) in self.shared.lives().iter() {
            let state = stream::lock(life);
            captured.debug_records += state.diagnoser.debug_records();
            captured.key_material_seen |= state.diagnoser.key_material_seen();
            captured.pods.push(PodCapture {
                name: state.pod.clone(),
                uid: uid.clone(),
                restarts: *restarts,
                lines: state.diagnoser.lines(),
                bytes: state.diagnoser.bytes(),
                gaps: state.gaps,
            });
            reports.push(state.diagnoser.report());
        }
        if !self.stored.is_covered_by(&captured.pods) {
            // Lives are told apart, so that no handshake counts twice.
            let (mut pods, mut merged) = (self.stored.pods.clone(), Vec::from_iter(self.stored.report.clone()));
            for (pod, report) in captured.pods.into_iter().zip(reports) {
                if !self.stored.holds(&pod) {
                    pods.push(pod);
                    merged.push(report);
                }
            }
            (captured.pods, reports) = (pods, merged);
        }
        if !reports.is_empty() {
            captured.report = Some(Report::merge(reports));
        }
        captured
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

/// Turns news of the streams into wake-ups: a new cause at once, counts at a slower pace.
async fn notify(shared: Arc<Shared>, session: ObjectRef<TLSDebugSession>, wake: Wake) {
    let mut told = Vec::new();
    loop {
        shared.news.notified().await;
        let slow = Instant::now() + BETWEEN_COUNTS;
        let mut causes = shared.causes();
        while causes == told {
            tokio::select! {
                () = tokio::time::sleep_until(slow) => break,
                () = shared.news.notified() => {}
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
            causes = shared.causes();
        }
        told = causes;
        if wake.send(session.clone()).is_err() {
            return;
        }
        tokio::time::sleep(BETWEEN_CAUSES).await;
    }
}
