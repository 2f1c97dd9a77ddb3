//! Every phase that every session of a namespace goes through, seen by an independent watcher.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures::StreamExt;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use tlsdebug::session::{Phase, TLSDebugSession};

/// The phases of each session by its name, without repetitions.
#[derive(Debug, Clone, Default)]
pub struct Phases(Arc<Mutex<BTreeMap<String, Vec<Phase>>>>);

impl Phases {
    /// Watches until the runtime ends.
    pub fn watch(client: Client, namespace: &str) -> Self {
        let phases = Self::default();
        let api = Api::<TLSDebugSession>::namespaced(client, namespace);
        let seen = phases.clone();
        tokio::spawn(async move {
            let mut sessions = watcher(api, watcher::Config::default())
                .default_backoff()
                .touched_objects()
                .boxed();
            while let Some(session) = sessions.next().await {
                if let Ok(session) = session {
                    seen.note(&session);
                }
            }
        });
        phases
    }

    fn note(&self, session: &TLSDebugSession) {
        let Some(status) = &session.status else { return };
        let mut all = self.0.lock().unwrap();
        let phases = all.entry(session.name_any()).or_default();
        if phases.last() != Some(&status.phase) {
            phases.push(status.phase);
        }
    }

    /// The phases that a session has gone through so far.
    pub fn of(&self, session: &str) -> Vec<Phase> {
        self.0.lock().unwrap().get(session).cloned().unwrap_or_default()
    }
}
