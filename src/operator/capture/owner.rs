//! Whose log a stream brings: a request names a pod and no life, and the pod's status, which tells, may be late.

use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use tokio::time::Instant;

use super::stream::{Life, State, lock};
use crate::operator::observe::pods::container_status;

/// How long the pod's status may be behind the kubelet: call a container running that has ended, or not know of its next life.
pub(super) const STATUS_LAG: Duration = Duration::from_secs(5);

/// What the pod's status says of a life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Now {
    Running,
    /// Ended, and its log is still the current one.
    Ended,
    /// Ended, and a newer life has the current log.
    Previous,
    Gone,
}

/// A life's state, and how much of it is certain to be of this life.
pub(super) struct Ownership<'a> {
    state: &'a Mutex<State>,
    checkpoint: Option<Checkpoint>,
}

/// The state before a stream was opened of which it is not certain that it brings this life's log.
struct Checkpoint {
    state: State,
    opened: Instant,
    /// The stream was opened for the log of the life before the current one.
    previous: bool,
    /// What came after it was another life's.
    is_refuted: bool,
}

impl<'a> Ownership<'a> {
    /// Nothing of this state is in doubt.
    pub(super) const fn new(state: &'a Mutex<State>) -> Self {
        Self {
            state,
            checkpoint: None,
        }
    }

    pub(super) const fn state(&self) -> &'a Mutex<State> {
        self.state
    }

    /// Whether the last stream may have brought another life's log.
    pub(super) const fn is_uncertain(&self) -> bool {
        self.checkpoint.is_some()
    }

    /// What was read is this life's.
    pub(super) fn confirm(&mut self) {
        self.checkpoint = None;
    }

    /// What the last streams brought since it was certain is another life's.
    pub(super) fn refute(&mut self) {
        if let Some(checkpoint) = &mut self.checkpoint {
            checkpoint.is_refuted = true;
        }
    }

    /// A look at the pod may tell whose log the last stream has brought.
    pub(super) fn looked(&mut self, now: Now) {
        let Some(checkpoint) = &self.checkpoint else { return };
        if checkpoint.is_refuted || now == Now::Gone {
            return;
        }
        if (now == Now::Previous) != checkpoint.previous {
            self.refute();
        } else if checkpoint.opened.elapsed() >= STATUS_LAG {
            self.confirm();
        }
    }

    /// Before a stream is opened: from when on it is to begin, or `None` at the start of the log.
    pub(super) fn resume(&mut self) -> Option<Timestamp> {
        match &mut self.checkpoint {
            Some(checkpoint) if checkpoint.is_refuted => checkpoint.state.resume(),
            _ => lock(self.state).resume(),
        }
    }

    /// A stream was opened. What was another life's is taken back only now: where none can be opened any more, it is better than
    /// nothing.
    pub(super) fn opened(&mut self, previous: bool) {
        let mut state = lock(self.state);
        let certain = match self.checkpoint.take() {
            Some(checkpoint) if checkpoint.is_refuted => {
                state.become_again(checkpoint.state);
                state.clone()
            }
            Some(checkpoint) => checkpoint.state,
            None => state.clone(),
        };
        self.checkpoint = Some(Checkpoint {
            state: certain,
            opened: Instant::now(),
            previous,
            is_refuted: false,
        });
    }
}

/// The life that a stream was opened for.
pub(super) struct Owner<'a> {
    pods: &'a Api<Pod>,
    life: &'a Life,
    container: &'a str,
    /// It was opened for the log of the life before the current one.
    previous: bool,
}

impl<'a> Owner<'a> {
    pub(super) fn new(pods: &'a Api<Pod>, life: &'a Life, container: &'a str, previous: bool) -> Self {
        Self {
            pods,
            life,
            container,
            previous,
        }
    }

    /// Whether the pod's status still has the life where the stream looked for it.
    pub(super) async fn is_still_there(&self) -> std::io::Result<bool> {
        let now = now(self.pods, self.life, self.container).await;
        let now = now.map_err(std::io::Error::other)?;
        Ok((now == Now::Previous) == self.previous && now != Now::Gone)
    }
}

/// Looks at the pod.
pub(super) async fn now(pods: &Api<Pod>, life: &Life, container: &str) -> kube::Result<Now> {
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
