//! Reading the logs of the pods that carry the flag, beside the reconcile, and waking the session when there is news.

pub mod lines;
mod lives;
mod owner;
pub mod pace;
pub mod stream;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube::Client;
use kube::runtime::reflector::ObjectRef;
use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use self::lives::Lives;
use crate::diagnosis::Journal;
use crate::diagnosis::report::Report;
use crate::operator::metrics::LogMetrics;
use crate::operator::observe::DebugPod;
use crate::session::TLSDebugSession;
use crate::session::status::{EarlierPods, PodCapture};

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
    /// What was read before in lives that are no longer among them.
    pub earlier_pods: Option<EarlierPods>,
    /// Records of JSSE debug output over all streams.
    pub debug_records: u64,
    /// A block of TLS keys was seen.
    pub key_material_seen: bool,
    /// Reading stopped at the session's limit of bytes.
    pub limit_reached: bool,
    /// Pods whose logs are written faster than the kubelet hands them on.
    pub falling_behind: BTreeSet<String>,
    /// What the operator may not read, in the API server's words.
    pub unreadable: Option<String>,
}

/// The streams of one session. Dropping it ends them.
pub struct Capture {
    tasks: Vec<AbortHandle>,
    shared: Arc<Shared>,
}

/// What the streams of one session share.
pub struct Shared {
    client: Client,
    namespace: String,
    container: String,
    news: Notify,
    bytes: AtomicU64,
    limit: u64,
    metrics: LogMetrics,
    lives: Mutex<Lives>,
    unreadable: Mutex<Option<String>>,
}

impl Shared {
    /// Counts bytes that are about to be read; `false` once the session's limit is reached.
    fn take(&self, bytes: usize) -> bool {
        self.metrics.bytes.inc_by(bytes as u64);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed) < self.limit
    }

    /// Keeps what the API server says of a right that is missing; `None`: none is.
    fn note_unreadable(&self, message: Option<&str>) {
        let mut unreadable = self.unreadable.lock().unwrap_or_else(PoisonError::into_inner);
        if unreadable.as_deref() != message {
            *unreadable = message.map(str::to_owned);
            self.news.notify_one();
        }
    }

    fn lives(&self) -> MutexGuard<'_, Lives> {
        self.lives.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Capture {
    /// Sets up a capture without streams; `container` is the one whose log is read in every pod.
    #[must_use]
    pub fn new(client: Client, session: &TLSDebugSession, container: String, wake: Wake, metrics: LogMetrics) -> Self {
        let shared = Arc::new(Shared {
            client,
            namespace: session.metadata.namespace.clone().unwrap_or_default(),
            container,
            news: Notify::new(),
            bytes: AtomicU64::new(0),
            limit: session.spec.max_log_bytes,
            metrics,
            lives: Mutex::new(Lives::new(session.status.as_ref())),
            unreadable: Mutex::default(),
        });
        let notifier = tokio::spawn(notify(shared.clone(), ObjectRef::from_obj(session), wake)).abort_handle();
        Self {
            tasks: vec![notifier],
            shared,
        }
    }

    /// Keeps the single handshakes as well, for [`Self::journal`]; to be asked for before the first stream. Memory grows with
    /// the logs up to the journal's limits then.
    #[must_use]
    pub fn keeping_journal(self) -> Self {
        self.shared.lives().keeps_journal = true;
        self
    }

    /// The report on what the streams have brought so far, and its handshakes. `None` where it does not tell of all: of container
    /// lives that ended long ago only the result is kept.
    #[must_use]
    pub fn journal(&self) -> Option<(Report, Journal)> {
        self.shared.lives().journal()
    }

    /// Starts a stream for every container life that has none yet, of `max_pods` pods at a time; a pod that is gone makes
    /// room for another one.
    pub fn follow(&mut self, pods: &[DebugPod], max_pods: u32) {
        let mut lives = self.shared.lives();
        let uids: Vec<&str> = pods.iter().map(|pod| pod.uid.as_str()).collect();
        lives.fold(&uids);
        self.tasks.retain(|task| !task.is_finished());
        let mut reading: BTreeSet<&str> = uids.into_iter().filter(|uid| lives.knows(uid)).collect();
        for pod in pods {
            let Some(restarts) = pod.restarts else { continue };
            if !reading.contains(pod.uid.as_str()) && reading.len() >= max_pods as usize {
                continue;
            }
            reading.insert(&pod.uid);
            // The kubelet keeps the log of one earlier life; it may hold the failure that ended it.
            for restarts in [restarts - 1, restarts].into_iter().filter(|restarts| *restarts >= 0) {
                if let Some(state) = lives.begin(&pod.name, &pod.uid, restarts) {
                    let life = stream::Life {
                        pod: pod.name.clone(),
                        uid: pod.uid.clone(),
                        restarts,
                    };
                    let task = tokio::spawn(stream::follow(self.shared.clone(), life, state));
                    self.tasks.push(task.abort_handle());
                }
            }
        }
    }

    /// What the streams have brought so far, with what was stored before them.
    #[must_use]
    pub fn captured(&self) -> Captured {
        self.of_lives(self.shared.lives().captured(None))
    }

    /// The same, read together with what the other end's streams have brought: the report tells of both.
    #[must_use]
    pub fn captured_with(&self, other: &Self) -> Captured {
        let mut own = self.shared.lives();
        self.of_lives(own.captured(Some(&other.shared.lives())))
    }

    fn of_lives(&self, captured: Captured) -> Captured {
        Captured {
            limit_reached: self.shared.bytes.load(Ordering::Relaxed) >= self.shared.limit,
            unreadable: self
                .shared
                .unreadable
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
            ..captured
        }
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
        let mut causes = shared.lives().causes();
        while causes == told {
            tokio::select! {
                () = tokio::time::sleep_until(slow) => break,
                () = shared.news.notified() => {}
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
            causes = shared.lives().causes();
        }
        told = causes;
        if wake.send(session.clone()).is_err() {
            return;
        }
        tokio::time::sleep(BETWEEN_CAUSES).await;
    }
}
