//! `run`: a whole session from the terminal, with the user's rights and without an operator.
//!
//! It is the operator's own code: observe, plan, act, again and again. What the operator keeps in the status of an object
//! is kept in memory here; what must outlive this process is in the record on the workload, as ever: it says that a
//! terminal made the change, and until when that has a claim to it.

use std::ops::ControlFlow;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use futures::{Stream, StreamExt};
use jiff::Timestamp;
use kube::runtime::reflector::ObjectRef;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::connection::{Cluster, Connection};
use super::news::{self, News};
use super::options::SessionOptions;
use super::problem::Problem;
use super::rehearsal;
use super::screen::Screen;
use super::watch::exit_code;
use super::{preview, rights};
use crate::cli::output::{self, Output};
use crate::cli::program;
use crate::diagnosis::Journal;
use crate::diagnosis::report::Report;
use crate::operator::act::{self, Outcome};
use crate::operator::capture::{Capture, Captured, Wake};
use crate::operator::metrics::LogMetrics;
use crate::operator::observe;
use crate::operator::plan::undo::Step;
use crate::operator::plan::{self, Action};
use crate::operator::reconcile::LONGEST_LOOK;
use crate::operator::watch::Watch;
use crate::session::{TLSDebugSession, TLSDebugSessionStatus, Target, TargetKind};
use crate::workload::record::RecordOwner;

/// Until the next look after a fault.
const AFTER_FAULT: Duration = Duration::from_secs(2);

/// Arguments of `run`.
#[derive(Debug, Args)]
#[command(
    after_help = "Ctrl-C ends the session and restores the workload. Should this process be killed, `restore` undoes what \
                        it left; an operator does so as well, a minute after the record's deadline.\n\n\
                        Exit codes: 0 all handshakes succeeded, 1 failures found, 2 nothing to say, or it could not be done."
)]
pub(in crate::cli) struct Run {
    #[command(flatten)]
    options: SessionOptions,
    /// Form of the report, which is printed at the end.
    #[arg(long, short, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// Show the patch and what would restart, and change nothing.
    #[arg(long = "dry-run")]
    preview: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Run {
    /// Runs the session to its end.
    pub(super) async fn run(self) -> Result<ExitCode, Problem> {
        let (kind, name) = (self.options.target.kind, &self.options.target.name);
        if kind == TargetKind::Pod {
            return Err(Problem::new(format!(
                "a pod can only be cloned, and a clone belongs to a session: {} start pod/{name}, or run on the workload that \
                 made the pod",
                program()
            )));
        }
        let cluster = self.connection.connect().await?;
        rights::demand(&cluster, &format!("debug {kind} {name:?}"), &rights::of_run(kind)).await?;
        let session = rehearsal::session(&cluster.namespace, self.options.spec(), Timestamp::now());
        if self.preview {
            return Box::pin(dry_run(&cluster, session)).await;
        }
        let (wake, woken) = mpsc::unbounded_channel();
        let mut terminal = Terminal {
            cluster: &cluster,
            session,
            wake,
            capture: None,
            watch: None,
            keeps_journal: self.output == Output::Html,
            report: None,
            journal: Journal::default(),
            fault: None,
            may_have_changed: false,
        };
        terminal.live(woken).await?;
        let status = terminal.session.status.unwrap_or_default();
        let Some(report) = terminal.report else {
            return Ok(exit_code(&status));
        };
        let report = Report {
            warnings: status.warnings.clone(),
            ..report
        };
        output::print(
            &mut std::io::stdout().lock(),
            self.output,
            &report,
            &terminal.journal,
            "",
        )
        .map_err(|error| Problem::new(format!("cannot write the report: {error}")))?;
        Ok(exit_code(&TLSDebugSessionStatus {
            verdict: Some(report.verdict),
            ..status
        }))
    }
}

async fn dry_run(cluster: &Cluster, session: TLSDebugSession) -> Result<ExitCode, Problem> {
    let tried = format!("look at {} {:?}", session.spec.target.kind, session.spec.target.name);
    let rehearsal = rehearsal::rehearse(cluster, session, RecordOwner::Terminal, Timestamp::now())
        .await
        .map_err(|error| Problem::of(tried, &error))?;
    if let rehearsal::Outcome::Refused { reason, message } = &rehearsal.outcome {
        return Err(Problem::new(format!("{reason}: {message}")));
    }
    let restarts = match &rehearsal.observed.workload {
        Some(workload) => Some(preview::restarts(cluster, workload).await?),
        None => None,
    };
    output::write(preview::text(&rehearsal, restarts.as_ref()));
    Ok(ExitCode::SUCCESS)
}

/// A session that lives in this process.
struct Terminal<'a> {
    cluster: &'a Cluster,
    session: TLSDebugSession,
    wake: Wake,
    capture: Option<Capture>,
    watch: Option<Watch>,
    /// Whether the page shows the single handshakes.
    keeps_journal: bool,
    /// The last that was read.
    report: Option<Report>,
    /// The handshakes of that report, once nothing more is read.
    journal: Journal,
    /// What was said last of a write that does not go through.
    fault: Option<String>,
    /// Whether the change was sent. An answer that is lost says nothing, so this stays until the API server refuses it.
    may_have_changed: bool,
}

/// What signals have asked for.
#[derive(Debug, Default)]
struct Asked {
    stop: bool,
    interrupts: u32,
}

impl Asked {
    /// Takes one more. Only the user's second Ctrl-C leaves before the end: a terminal that is closed, and a machine that is
    /// shut down, send several signals without anybody having decided that.
    fn take(&mut self, signal: SignalKind) -> ControlFlow<()> {
        let is_first = !self.stop;
        self.stop = true;
        if signal == SignalKind::interrupt() {
            self.interrupts += 1;
            if self.interrupts > 1 {
                return ControlFlow::Break(());
            }
            say("Restoring; Ctrl-C once more leaves at once.");
        } else if is_first {
            say("Restoring.");
        }
        ControlFlow::Continue(())
    }
}

/// Above the standing line, from where that is not at hand.
fn say(text: impl Into<String>) {
    Screen::stderr().lines(&[text.into()]);
}

impl Terminal<'_> {
    async fn live(&mut self, mut woken: mpsc::UnboundedReceiver<ObjectRef<TLSDebugSession>>) -> Result<(), Problem> {
        let mut signals = pin!(signals()?);
        let mut asked = Asked::default();
        let (mut screen, mut news) = (Screen::stderr(), News::default());
        let mut second = tokio::time::interval(Duration::from_secs(1));
        loop {
            let was_asked = asked.stop;
            let Some(looked) = heeding(&mut signals, &mut asked, self.look_in_time()).await else {
                return Err(self.abandoned());
            };
            let mut pause = looked?;
            self.session.spec.stop = asked.stop;
            if asked.stop && !was_asked {
                pause = pause.min(AFTER_FAULT);
            }
            let now = Timestamp::now();
            screen.lines(&news.lines(&self.session, now));
            let status = self.session.status.clone().unwrap_or_default();
            if status.phase.is_finished() {
                return Ok(());
            }
            let next = tokio::time::sleep(pause);
            tokio::pin!(next);
            loop {
                screen.standing(&news::standing(&status, Timestamp::now()));
                tokio::select! {
                    () = &mut next => break,
                    Some(_) = woken.recv() => break,
                    _ = second.tick() => {}
                    Some(signal) = signals.next() => {
                        if asked.take(signal).is_break() {
                            return Err(self.abandoned());
                        }
                        self.session.spec.stop = true;
                        break;
                    }
                }
            }
        }
    }

    /// One look, which ends in time whether the API server answers or not.
    async fn look_in_time(&mut self) -> Result<Duration, Problem> {
        // Its future is large.
        if let Ok(looked) = tokio::time::timeout(LONGEST_LOOK, Box::pin(self.look())).await {
            return looked;
        }
        let seconds = LONGEST_LOOK.as_secs();
        self.faulty(format!("the API server has not answered for {seconds} seconds"))
    }

    /// One look: observe, plan, act. Returns when to look again.
    async fn look(&mut self) -> Result<Duration, Problem> {
        let client = &self.cluster.client;
        let captured = self.capture.as_ref().map_or_else(Captured::default, Capture::captured);
        let observed = match observe::observe(client, self.session.clone(), captured, false).await {
            Ok(observed) => observe::Observed {
                owner: RecordOwner::Terminal,
                ..observed
            },
            Err(error) => return self.faulty(Problem::of("look at the workload", &error).to_string()),
        };
        if observed.is_left_behind {
            let Target { kind, name, .. } = &self.session.spec.target;
            return Err(Problem::new(format!(
                "{kind} {name:?} still has what a session that is gone has changed. {} restore {}/{name} {} takes it back, then run \
                 this again. Nothing was changed",
                program(),
                kind.to_string().to_lowercase(),
                self.cluster.arguments
            )));
        }
        if observed.captured.report.is_some() {
            self.report.clone_from(&observed.captured.report);
        }
        let plan = plan::plan(&observed, Timestamp::now());
        let could_have_changed = self.may_have_changed;
        let is_change = matches!(plan.action, Action::Inject(_) | Action::CreateClone(_));
        self.may_have_changed |= is_change;
        let outcome = match plan.action {
            // The session is an object in memory: nothing keeps it, and nobody has to let it go.
            Action::AddFinalizer
            | Action::RemoveFinalizer
            | Action::DeleteSession
            | Action::CreatePeer(_)
            | Action::StopPeer => Outcome::Done,
            _ => match act::act(client, &observed, &plan.action).await {
                Ok(outcome) => outcome,
                Err(error) => return self.faulty(Problem::of("change the workload", &error).to_string()),
            },
        };
        if is_change && !matches!(outcome, Outcome::Done) {
            // Refused, so this one has not gone through.
            self.may_have_changed = could_have_changed;
        }
        match outcome {
            Outcome::Done => self.fault = None,
            Outcome::Moved => return Ok(Duration::from_millis(100)),
            Outcome::Forbidden(message) | Outcome::Rejected(message) => {
                let target = &self.session.spec.target;
                let (kind, name) = (target.kind, &target.name);
                return match plan.action {
                    Action::Inject(_) if !self.may_have_changed => Err(Problem::new(format!(
                        "cannot change {kind} {name:?}: the API server refuses it: {message}. Nothing was changed"
                    ))),
                    Action::Undo(Step::Restore(_)) => {
                        let advice = "It is tried again; until then the flag stays in";
                        self.faulty(format!("cannot restore {kind} {name:?}: {message}. {advice}"))
                    }
                    _ => self.faulty(format!(
                        "cannot tidy up behind {kind} {name:?}: {message}. It is tried again"
                    )),
                };
            }
        }
        self.run_beside(&observed, &plan);
        self.session.status = Some(plan.status);
        Ok(plan.look_again)
    }

    fn run_beside(&mut self, observed: &observe::Observed, plan: &plan::Plan) {
        match &observed.workload {
            Some(workload) if plan.watch => {
                self.watch.get_or_insert_with(|| {
                    Watch::start(self.cluster.client.clone(), &self.session, workload, self.wake.clone())
                });
            }
            _ => self.watch = None,
        }
        let Some(injection) = plan.status.injection.as_ref().filter(|_| plan.capture) else {
            let read = self.capture.take().filter(|_| self.keeps_journal);
            if let Some((report, journal)) = read.and_then(|capture| capture.journal()) {
                (self.report, self.journal) = (Some(report), journal);
            }
            return;
        };
        let container = injection.change.container.clone();
        let capture = self.capture.get_or_insert_with(|| {
            let (logs, wake) = (self.cluster.logs.clone(), self.wake.clone());
            let capture = Capture::new(logs, &self.session, container, wake, LogMetrics::default());
            if self.keeps_journal {
                capture.keeping_journal()
            } else {
                capture
            }
        });
        capture.follow(&observed.remains.pods, self.session.spec.max_pods);
    }

    /// Says once what does not work; it may work the next time. Before the change there is nothing to wait for.
    fn faulty(&mut self, message: String) -> Result<Duration, Problem> {
        if !self.may_have_changed {
            return Err(Problem::new(format!("{message}. Nothing was changed")));
        }
        if self.fault.as_ref() != Some(&message) {
            say(format!("Warning: {message}"));
            self.fault = Some(message);
        }
        Ok(AFTER_FAULT)
    }

    /// The user does not wait for the end.
    fn abandoned(&self) -> Problem {
        if !self.may_have_changed {
            return Problem::new("left before the end. Nothing was changed");
        }
        let target = &self.session.spec.target;
        let kind = target.kind.to_string().to_lowercase();
        Problem::new(format!(
            "left before the end. {} restore {kind}/{} {} --force does what is left to do",
            program(),
            target.name,
            self.cluster.arguments
        ))
    }
}

/// Finishes `work` while signals are heeded. `None`: the user leaves.
async fn heeding<T>(
    signals: &mut (impl Stream<Item = SignalKind> + Unpin),
    asked: &mut Asked,
    work: impl Future<Output = T>,
) -> Option<T> {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return Some(done),
            Some(signal) = signals.next() => {
                if asked.take(signal).is_break() {
                    return None;
                }
            }
        }
    }
}

/// Signals that ask for the end: the terminal's Ctrl-C, its end, and a kill.
pub(super) fn signals() -> Result<impl Stream<Item = SignalKind>, Problem> {
    let listen = |kind| {
        let signal = signal(kind).map_err(|error| Problem::new(format!("cannot listen for signals: {error}")))?;
        let each = futures::stream::unfold(signal, async |mut signal| signal.recv().await.map(|()| ((), signal)));
        Ok(each.map(move |()| kind).boxed())
    };
    let all = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(listen);
    Ok(futures::stream::select_all(
        all.into_iter().collect::<Result<Vec<_>, Problem>>()?,
    ))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::io;

    use axum::http::{Method, Request, Response};
    use kube::Client;
    use kube::client::Body;
    use serde_json::{Value, json};

    use super::*;

    fn answer(code: u16, body: &Value) -> Response<Body> {
        let response = Response::builder().status(code);
        response
            .body(Body::from(body.to_string().into_bytes()))
            .expect("a response")
    }

    /// A cluster with one Deployment, whose answer to a write is `written`.
    fn cluster(written: impl Fn() -> io::Result<Response<Body>> + Clone + Send + 'static) -> Cluster {
        let service = tower::service_fn(move |request: Request<Body>| {
            let path = request.uri().path().to_owned();
            let answer = match *request.method() {
                Method::GET if path.ends_with("/deployments/orders") => Ok(answer(200, &deployment())),
                Method::GET => Ok(answer(
                    200,
                    &json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": []}),
                )),
                _ => written(),
            };
            async { answer }
        });
        let client = Client::new(service, "shop");
        Cluster {
            logs: client.clone(),
            client,
            namespace: "shop".to_owned(),
            arguments: "--namespace shop --context prod".to_owned(),
        }
    }

    fn deployment() -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "orders", "namespace": "shop", "uid": "d", "resourceVersion": "7", "generation": 1},
            "spec": {
                "replicas": 1, "selector": {"matchLabels": {"app": "orders"}},
                "template": {
                    "metadata": {"labels": {"app": "orders"}},
                    "spec": {"containers": [{"name": "msr", "image": "msr:1"}]}
                }
            },
            "status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}
        })
    }

    fn terminal(cluster: &Cluster) -> Terminal<'_> {
        let spec = json!({"target": {"kind": "Deployment", "name": "orders"}, "duration": "5m"});
        let spec = serde_json::from_value(spec).expect("a spec");
        Terminal {
            cluster,
            session: rehearsal::session("shop", spec, Timestamp::now()),
            wake: mpsc::unbounded_channel().0,
            capture: None,
            watch: None,
            keeps_journal: false,
            report: None,
            journal: Journal::default(),
            fault: None,
            may_have_changed: false,
        }
    }

    /// Looks until the change is sent, or this gives up.
    async fn changed(terminal: &mut Terminal<'_>) -> Result<(), Problem> {
        for _ in 0..5 {
            Box::pin(terminal.look()).await?;
            if terminal.may_have_changed {
                return Ok(());
            }
        }
        panic!("no change was sent");
    }

    #[tokio::test]
    async fn a_change_whose_answer_is_lost_is_gone_after() {
        let cluster = cluster(|| Err(io::Error::other("connection reset")));
        let mut terminal = terminal(&cluster);
        changed(&mut terminal).await.expect("it is tried again");
        Box::pin(terminal.look()).await.expect("and again");
        assert!(
            terminal
                .abandoned()
                .to_string()
                .contains("restore deployment/orders --namespace shop --context prod --force")
        );
    }

    #[tokio::test]
    async fn a_change_that_is_refused_ends_the_command() {
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 403, "reason": "Forbidden",
            "message": "deployments.apps \"orders\" is forbidden: User \"jane\" cannot patch resource \"deployments\""
        });
        let cluster = cluster(move || Ok(answer(403, &status)));
        let mut terminal = terminal(&cluster);
        let problem = changed(&mut terminal)
            .await
            .expect_err("nothing to wait for")
            .to_string();
        assert!(problem.ends_with("Nothing was changed"), "{problem}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_api_server_that_hangs_does_not_keep_a_user() {
        let nobody = tower::service_fn(|_: Request<Body>| std::future::pending::<Result<Response<Body>, Infallible>>());
        let client = Client::new(nobody, "shop");
        let cluster = Cluster {
            logs: client.clone(),
            client,
            ..cluster(|| Err(io::Error::other("unused")))
        };
        let mut terminal = terminal(&cluster);
        terminal.may_have_changed = true;
        assert_eq!(terminal.look_in_time().await, Ok(AFTER_FAULT));
        let mut signals = futures::stream::iter([SignalKind::interrupt(); 2]).chain(futures::stream::pending());
        let left = heeding(&mut signals, &mut Asked::default(), Box::pin(terminal.look())).await;
        assert!(left.is_none(), "the second interrupt leaves");
    }

    #[test]
    fn only_the_second_interrupt_leaves() {
        let mut asked = Asked::default();
        for signal in [
            SignalKind::hangup(),
            SignalKind::terminate(),
            SignalKind::hangup(),
            SignalKind::interrupt(),
        ] {
            assert!(asked.take(signal).is_continue(), "{signal:?}");
            assert!(asked.stop);
        }
        assert!(asked.take(SignalKind::interrupt()).is_break());
    }
}
