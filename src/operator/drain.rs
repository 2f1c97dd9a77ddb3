//! Ending every session before the operator goes away: without it nothing would be restored.
//!
//! Sessions are stopped and waited for; the operator, which still runs, does the rest. What a terminal or a session that is
//! gone has changed is waited for as well. Nothing else is written, and nothing is taken off by force: what is not restored
//! in time is named, with the command that does it by hand.

use std::fmt;
use std::time::Duration;

use jiff::SignedDuration;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use tokio::time::{Instant, sleep, timeout_at};

use super::act;
use super::listing::{KINDS, answer, each_page};
use super::observe::{existing, resource};
use crate::session::{Phase, TLSDebugSession, TargetKind};
use crate::workload::patch::Builder;
use crate::workload::record::{Record, RecordOwner};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);
/// Between two looks once no session is left: the operator sweeps once a minute.
const LOOK_AT_WORKLOADS: Duration = Duration::from_secs(5);
/// So long before the time is over the workloads are looked at, too, though sessions are left.
const LAST_LOOKS: Duration = Duration::from_secs(10);
/// Within this an answer to one request has to come.
const LONGEST: Duration = Duration::from_secs(10);

/// What an administrator can set.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct Settings {
    /// Namespaces whose sessions are ended, separated by commas; all when empty.
    #[arg(long, env = "TLSDEBUG_WATCH_NAMESPACES", value_delimiter = ',')]
    pub watch_namespaces: Vec<String>,

    /// How long to wait for the workloads to be restored, such as 90s or 4m.
    #[arg(long, default_value = "4m")]
    pub patience: SignedDuration,
}

/// Why not everything is restored.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no way to the API server.
    #[error(transparent)]
    Client(#[from] super::Error),
    /// The time is over.
    #[error(
        "these are not restored within {patience:#}:\n{list}Look whether the operator runs and what it logs, then try again. \
         Going on all the same (helm uninstall --no-hooks) leaves the flag in, and the sessions with a finalizer that nobody \
         takes off."
    )]
    Left {
        /// How long they were waited for.
        patience: SignedDuration,
        /// A line for each session and workload, and for each request that failed.
        list: String,
    },
    /// Nothing is known to be left, but not everything could be looked at.
    #[error("cannot tell within {patience:#} whether everything is restored:\n{list}")]
    Unseen {
        /// How long it was tried.
        patience: SignedDuration,
        /// A line for each request that failed.
        list: String,
    },
}

/// What is not restored, as far as it can be seen.
#[derive(Default)]
struct Left {
    sessions: Vec<TLSDebugSession>,
    changes: Vec<Change>,
    /// Requests that failed. None of them keeps anything else from being stopped.
    errors: Vec<String>,
}

/// A workload with a record that no session among those that are left stands for.
struct Change {
    namespace: String,
    kind: TargetKind,
    name: String,
    record: Record,
}

/// Stops all sessions and waits until their workloads are restored, and those that a terminal or a session that is gone has
/// changed. Returns how many sessions it has stopped.
pub async fn run(settings: &Settings) -> Result<usize, Error> {
    let client = super::client(&super::config().await?, None)?;
    drain(&client, settings).await
}

async fn drain(client: &Client, settings: &Settings) -> Result<usize, Error> {
    let scopes = super::namespaces(&settings.watch_namespaces);
    let patience = settings.patience;
    let deadline = Instant::now() + Duration::try_from(patience).unwrap_or_default();
    let mut stopped = 0;
    let mut last = None;
    loop {
        let mut left = Left::default();
        let with_workloads = Instant::now() + LAST_LOOKS >= deadline;
        // A request that is not answered must not outlast the time that is left.
        let look = timeout_at(deadline, left.look(client, &scopes, with_workloads, &mut stopped));
        if look.await.is_err() {
            let left = last.get_or_insert(left);
            left.errors
                .push("the API server has not answered the last request".to_owned());
            break;
        }
        if left.is_nothing() {
            return Ok(stopped);
        }
        tracing::info!(
            sessions = left.sessions.len(),
            workloads = left.changes.len(),
            "waiting for the workloads to be restored"
        );
        for error in &left.errors {
            tracing::warn!("{error}; will try again");
        }
        let pause = if left.sessions.is_empty() {
            LOOK_AT_WORKLOADS
        } else {
            LOOK
        };
        last = Some(left);
        if Instant::now() + LOOK >= deadline {
            break;
        }
        sleep(pause.min(deadline.saturating_duration_since(Instant::now() + LOOK / 2))).await;
    }
    let left = last.unwrap_or_default();
    let list = left.to_string();
    Err(if left.sessions.is_empty() && left.changes.is_empty() {
        Error::Unseen { patience, list }
    } else {
        Error::Left { patience, list }
    })
}

impl Left {
    fn is_nothing(&self) -> bool {
        self.sessions.is_empty() && self.changes.is_empty() && self.errors.is_empty()
    }

    /// Stops what is not stopped yet and notes what has not ended. Workloads are looked at once no session is left, for a
    /// cluster has many of them, or `with_workloads`.
    async fn look(&mut self, client: &Client, scopes: &[Option<String>], with_workloads: bool, stopped: &mut usize) {
        for scope in scopes {
            let sessions: Api<TLSDebugSession> = match scope {
                Some(namespace) => Api::namespaced(client.clone(), namespace),
                None => Api::all(client.clone()),
            };
            let all = async { existing(sessions.list(&ListParams::default()).await.map(|list| list.items)) };
            match answer(LONGEST, all).await {
                Ok(all) => self
                    .sessions
                    .extend(all.into_iter().filter(|session| !has_ended(session))),
                Err(error) => self.errors.push(format!(
                    "cannot list the sessions in {}: {error}",
                    place(scope.as_ref())
                )),
            }
        }
        for session in self.sessions.iter().filter(|session| !session.spec.stop) {
            let (namespace, name) = (session.namespace().unwrap_or_default(), session.name_any());
            let sessions = Api::<TLSDebugSession>::namespaced(client.clone(), &namespace);
            let stop = Builder::default().add(&["spec", "stop"], true).build();
            let written = async { existing(act::write(&sessions, &name, stop).await) };
            match answer(LONGEST, written).await {
                Ok(()) => *stopped += 1,
                Err(error) => self
                    .errors
                    .push(format!("cannot stop session {namespace}/{name}: {error}")),
            }
        }
        if with_workloads || self.sessions.is_empty() {
            for scope in scopes {
                for kind in KINDS {
                    if let Err(error) = self.look_at_workloads(client, scope.as_deref(), kind).await {
                        self.errors
                            .push(format!("cannot list the {kind}s in {}: {error}", place(scope.as_ref())));
                    }
                }
            }
        }
    }

    async fn look_at_workloads(
        &mut self,
        client: &Client,
        scope: Option<&str>,
        kind: TargetKind,
    ) -> Result<(), String> {
        let Self { sessions, changes, .. } = self;
        each_page(client, scope, &resource(kind), LONGEST, |page| {
            for object in page {
                if let Some(Ok(record)) = Record::of(&object.metadata)
                    && !sessions
                        .iter()
                        .any(|session| session.uid().as_ref() == Some(&record.session.uid))
                {
                    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
                    changes.push(Change {
                        namespace,
                        kind,
                        name,
                        record,
                    });
                }
            }
        })
        .await
    }
}

fn place(scope: Option<&String>) -> String {
    scope.map_or_else(
        || "all namespaces".to_owned(),
        |namespace| format!("namespace {namespace:?}"),
    )
}

/// Nothing is left to restore, and the session can be deleted where no operator runs.
fn has_ended(session: &TLSDebugSession) -> bool {
    let status = session.status.as_ref();
    let is_finished = status.is_some_and(|status| status.phase.is_finished());
    let is_pending = status.is_none_or(|status| status.phase == Phase::Pending && status.injection.is_none());
    let has_finalizer = session
        .finalizers()
        .iter()
        .any(|finalizer| finalizer == super::plan::FINALIZER);
    // One that is stopped before any operator has seen it begins nothing.
    !has_finalizer && (is_finished || (is_pending && session.spec.stop))
}

impl fmt::Display for Left {
    fn fmt(&self, list: &mut fmt::Formatter<'_>) -> fmt::Result {
        for session in &self.sessions {
            let status = session.status.clone().unwrap_or_default();
            let (namespace, name) = (session.namespace().unwrap_or_default(), session.name_any());
            writeln!(
                list,
                "  session {namespace}/{name}: {:?}, {} {:?}",
                status.phase, session.spec.target.kind, session.spec.target.name
            )?;
            if let Some(command) = status.restore_command {
                writeln!(list, "    by hand: {command}")?;
            }
        }
        for Change {
            namespace,
            kind,
            name,
            record,
        } in &self.changes
        {
            let whose = match record.owner {
                RecordOwner::Operator => format!("session {}/{}", record.session.namespace, record.session.name),
                RecordOwner::Terminal => format!(
                    "a terminal (kubectl tlsdebug run), until {} at the latest",
                    record.deadline
                ),
            };
            let argument = kind.to_string().to_lowercase();
            writeln!(
                list,
                "  {kind} {namespace}/{name}: changed by {whose}\n    by hand: kubectl tlsdebug restore {argument}/{name} \
                 --namespace {namespace}"
            )?;
        }
        for error in &self.errors {
            writeln!(list, "  {error}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use hyper::{Request, Response};
    use kube::client::Body;
    use serde_json::json;

    use super::*;

    fn session(status: &serde_json::Value, finalizers: &[&str]) -> TLSDebugSession {
        serde_json::from_value(json!({
            "apiVersion": "tlsdebug.io/v1alpha1", "kind": "TLSDebugSession",
            "metadata": {"name": "session", "namespace": "shop", "finalizers": finalizers},
            "spec": {"target": {"kind": "Deployment", "name": "orders"}}, "status": status
        }))
        .expect("a session")
    }

    #[test]
    fn a_session_has_ended_when_it_can_be_deleted_without_an_operator() {
        let finalizer = crate::operator::plan::FINALIZER;
        let completed = json!({"phase": "Completed"});
        assert!(has_ended(&session(&completed, &["example.com/another"])));
        assert!(!has_ended(&session(&completed, &[finalizer])));
        assert!(!has_ended(&session(&json!({"phase": "Restoring"}), &[])));
        assert!(!has_ended(&session(&json!({}), &[])), "it may begin any moment");
    }

    fn record(owner: RecordOwner) -> Record {
        serde_json::from_value(json!({
            "session": {"namespace": "shop", "name": "gone", "uid": "u-2"}, "owner": owner,
            "deadline": "2026-01-01T00:00:00Z", "container": "main", "variable": "JAVA_TOOL_OPTIONS",
            "appended": "-Djavax.net.debug=ssl,handshake", "entryCreated": true, "listCreated": true, "sha256Written": "00"
        }))
        .expect("a record")
    }

    /// An API server that answers with `answer`: method and path, to status and body.
    fn server(answer: impl Fn(&str, &str) -> (u16, serde_json::Value) + Clone + Send + 'static) -> Client {
        let service = tower::service_fn(move |request: Request<Body>| {
            let (status, body) = answer(request.method().as_str(), request.uri().path());
            let response = Response::builder()
                .status(status)
                .body(Body::from(body.to_string().into_bytes()));
            std::future::ready(Ok::<_, Infallible>(response.expect("a response")))
        });
        Client::new(service, "demo")
    }

    fn list(items: &[serde_json::Value]) -> (u16, serde_json::Value) {
        (
            200,
            json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": items}),
        )
    }

    fn forbidden() -> (u16, serde_json::Value) {
        let status = json!({"apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure", "message": "not yours",
            "reason": "Forbidden", "code": 403});
        (403, status)
    }

    #[tokio::test]
    async fn what_fails_keeps_nothing_else_running() {
        let client = server(|method, path| {
            let one = |name: &str| {
                let mut session = session(&json!({"phase": "Capturing"}), &["tlsdebug.io/restore"]);
                session.metadata.name = Some(name.to_owned());
                serde_json::to_value(session).expect("JSON")
            };
            match (method, path.contains("/tlsdebugsessions")) {
                ("GET", true) if path.contains("/closed/") => forbidden(),
                ("GET", true) => list(&[one("first"), one("second")]),
                ("PATCH", true) if path.ends_with("/first") => forbidden(),
                ("PATCH", true) => (200, one("second")),
                _ => list(&[]),
            }
        });
        let scopes = ["closed", "shop"].map(|namespace| Some(namespace.to_owned()));
        let (mut left, mut stopped) = (Left::default(), 0);
        left.look(&client, &scopes, true, &mut stopped).await;
        assert_eq!((stopped, left.sessions.len(), left.errors.len()), (1, 2, 2), "{left}");
        assert!(
            left.errors[0].contains("\"closed\"") && left.errors[1].contains("shop/first"),
            "{left}"
        );
    }

    #[tokio::test]
    async fn a_changed_workload_is_left_without_a_session() {
        let client = server(|_, path| {
            if !path.ends_with("/statefulsets") {
                return list(&[]);
            }
            let workload = |name: &str, text: &str| {
                json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata":
                    {"name": name, "namespace": "shop", "annotations": {"tlsdebug.io/injection": text}}})
            };
            list(&[
                workload("orders", &record(RecordOwner::Operator).text()),
                workload("bank", &record(RecordOwner::Terminal).text()),
                workload("other", "what is no record nobody can take back"),
            ])
        });
        let (mut left, mut stopped) = (Left::default(), 0);
        left.look(&client, &[None], false, &mut stopped).await;
        insta::assert_snapshot!(left, @r"
          StatefulSet shop/orders: changed by session shop/gone
            by hand: kubectl tlsdebug restore statefulset/orders --namespace shop
          StatefulSet shop/bank: changed by a terminal (kubectl tlsdebug run), until 2026-01-01T00:00:00Z at the latest
            by hand: kubectl tlsdebug restore statefulset/bank --namespace shop
        ");
    }

    #[tokio::test]
    async fn a_server_that_never_answers_is_not_an_empty_list_of_sessions() {
        let nobody = tower::service_fn(|_: Request<Body>| std::future::pending::<Result<Response<Body>, Infallible>>());
        let settings = Settings {
            watch_namespaces: Vec::new(),
            patience: SignedDuration::from_millis(10),
        };
        let error = drain(&Client::new(nobody, "demo"), &settings)
            .await
            .expect_err("no answer");
        insta::assert_snapshot!(error, @r"
        cannot tell within 10ms whether everything is restored:
          the API server has not answered the last request
        ");
    }

    #[test]
    fn a_session_that_is_stopped_before_it_was_seen_has_ended() {
        let mut stopped = session(&json!({"phase": "Pending"}), &[]);
        stopped.spec.stop = true;
        assert!(has_ended(&stopped));
        stopped.metadata.finalizers = Some(vec![crate::operator::plan::FINALIZER.to_owned()]);
        assert!(!has_ended(&stopped), "the operator has it");
    }

    #[test]
    fn what_is_left_is_named_with_the_way_out() {
        let left = session(&json!({"phase": "Capturing", "restoreCommand": "kubectl patch …"}), &[]);
        let error = Error::Left {
            patience: SignedDuration::from_mins(4),
            list: Left {
                sessions: vec![left],
                ..Left::default()
            }
            .to_string(),
        };
        insta::assert_snapshot!(error, @r#"
        these are not restored within 4m:
          session shop/session: Capturing, Deployment "orders"
            by hand: kubectl patch …
        Look whether the operator runs and what it logs, then try again. Going on all the same (helm uninstall --no-hooks) leaves the flag in, and the sessions with a finalizer that nobody takes off.
        "#);
    }
}
