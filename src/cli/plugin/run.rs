//! `run`: a whole session from the terminal, with the user's rights and without an operator.
//!
//! It is the operator's own code: observe, plan, act, again and again. What the operator keeps in the status of an object
//! is kept in memory here; what must outlive this process is in the record on the workload, as ever: it says that a
//! terminal made the change, and until when that has a claim to it.

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
use crate::operator::watch::Watch;
use crate::session::{Phase, TLSDebugSession, TLSDebugSessionStatus, Target, TargetKind};
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
            return dry_run(&cluster, session).await;
        }
        let (wake, woken) = mpsc::unbounded_channel();
        let mut terminal = Terminal {
            cluster: &cluster,
            session,
            wake,
            capture: None,
            watch: None,
            report: None,
            fault: None,
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
            &Journal::default(),
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
    print!("{}", preview::text(&rehearsal, restarts.as_ref()));
    Ok(ExitCode::SUCCESS)
}

/// A session that lives in this process.
struct Terminal<'a> {
    cluster: &'a Cluster,
    session: TLSDebugSession,
    wake: Wake,
    capture: Option<Capture>,
    watch: Option<Watch>,
    /// The last that was read.
    report: Option<Report>,
    /// What was said last of a write that does not go through.
    fault: Option<String>,
}

impl Terminal<'_> {
    async fn live(&mut self, mut woken: mpsc::UnboundedReceiver<ObjectRef<TLSDebugSession>>) -> Result<(), Problem> {
        let mut interrupts = pin!(interrupts()?);
        let (mut screen, mut news) = (Screen::stderr(), News::default());
        let mut second = tokio::time::interval(Duration::from_secs(1));
        loop {
            let pause = self.look(&mut screen).await?;
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
                    Some(()) = interrupts.next() => {
                        if self.session.spec.stop {
                            return Err(self.abandoned());
                        }
                        screen.lines(&["Restoring; once more leaves at once.".to_owned()]);
                        self.session.spec.stop = true;
                        break;
                    }
                }
            }
        }
    }

    /// One look: observe, plan, act. Returns when to look again.
    async fn look(&mut self, screen: &mut Screen) -> Result<Duration, Problem> {
        let client = &self.cluster.client;
        let captured = self.capture.as_ref().map_or_else(Captured::default, Capture::captured);
        let observed = match observe::observe(client, self.session.clone(), captured, false).await {
            Ok(observed) => observe::Observed {
                owner: RecordOwner::Terminal,
                ..observed
            },
            Err(error) => return self.faulty(screen, Problem::of("look at the workload", &error).to_string()),
        };
        if observed.is_left_behind {
            let Target { kind, name, .. } = &self.session.spec.target;
            return Err(Problem::new(format!(
                "{kind} {name:?} still has what a session that is gone has changed. {} restore {}/{name} --namespace {} takes it \
                 back, then run this again. Nothing was changed",
                program(),
                kind.to_string().to_lowercase(),
                self.cluster.namespace
            )));
        }
        if observed.captured.report.is_some() {
            self.report.clone_from(&observed.captured.report);
        }
        let plan = plan::plan(&observed, Timestamp::now());
        let outcome = match plan.action {
            // The session is an object in memory: nothing keeps it, and nobody has to let it go.
            Action::AddFinalizer | Action::RemoveFinalizer | Action::DeleteSession => Outcome::Done,
            _ => match act::act(client, &observed, &plan.action).await {
                Ok(outcome) => outcome,
                Err(error) => return self.faulty(screen, Problem::of("change the workload", &error).to_string()),
            },
        };
        match outcome {
            Outcome::Done => self.fault = None,
            Outcome::Moved => return Ok(Duration::from_millis(100)),
            Outcome::Forbidden(message) | Outcome::Rejected(message) => {
                let target = &self.session.spec.target;
                let (kind, name) = (target.kind, &target.name);
                return match plan.action {
                    Action::Inject(_) => Err(Problem::new(format!(
                        "cannot change {kind} {name:?}: the API server refuses it: {message}. Nothing was changed"
                    ))),
                    Action::Undo(Step::Restore(_)) => {
                        let advice = "It is tried again; until then the flag stays in";
                        self.faulty(screen, format!("cannot restore {kind} {name:?}: {message}. {advice}"))
                    }
                    _ => self.faulty(
                        screen,
                        format!("cannot tidy up behind {kind} {name:?}: {message}. It is tried again"),
                    ),
                };
            }
        }
        self.run_beside(&observed, &plan);
        self.session.status = Some(plan.status);
        Ok(plan.look_again)
    }

    fn run_beside(&mut self, observed: &observe::Observed, plan: &plan::Plan) {
        let client = || self.cluster.client.clone();
        match &observed.workload {
            Some(workload) if plan.watch => {
                self.watch
                    .get_or_insert_with(|| Watch::start(client(), &self.session, workload, self.wake.clone()));
            }
            _ => self.watch = None,
        }
        match plan.status.injection.as_ref().filter(|_| plan.capture) {
            Some(injection) => {
                let container = injection.change.container.clone();
                let capture = self.capture.get_or_insert_with(|| {
                    Capture::new(
                        client(),
                        &self.session,
                        container,
                        self.wake.clone(),
                        LogMetrics::default(),
                    )
                });
                capture.follow(&observed.remains.pods, self.session.spec.max_pods);
            }
            None => self.capture = None,
        }
    }

    /// Says once what does not work; it may work the next time. Before the change there is nothing to wait for.
    fn faulty(&mut self, screen: &mut Screen, message: String) -> Result<Duration, Problem> {
        let phase = self
            .session
            .status
            .as_ref()
            .map(|status| status.phase)
            .unwrap_or_default();
        if phase == Phase::Pending {
            return Err(Problem::new(message));
        }
        if self.fault.as_ref() != Some(&message) {
            screen.lines(&[format!("Warning: {message}")]);
            self.fault = Some(message);
        }
        Ok(AFTER_FAULT)
    }

    /// The user does not wait for the end.
    fn abandoned(&self) -> Problem {
        let target = &self.session.spec.target;
        let kind = target.kind.to_string().to_lowercase();
        Problem::new(format!(
            "left before the end. {} restore {kind}/{} --namespace {} --force does what is left to do",
            program(),
            target.name,
            self.cluster.namespace
        ))
    }
}

/// Interrupts of any kind: the terminal's Ctrl-C, its end, and a kill.
pub(super) fn interrupts() -> Result<impl Stream<Item = ()>, Problem> {
    let listen = |kind| {
        let signal = signal(kind).map_err(|error| Problem::new(format!("cannot listen for signals: {error}")))?;
        Ok(futures::stream::unfold(signal, async |mut signal| signal.recv().await.map(|()| ((), signal))).boxed())
    };
    let all = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(listen);
    Ok(futures::stream::select_all(
        all.into_iter().collect::<Result<Vec<_>, Problem>>()?,
    ))
}
