//! One log source, diagnosed as it comes in.

use super::catalogue;
use super::join::{self, Explained};
use super::journal::{Journal, Place, Rows, Source};
use super::merge;
use super::report::{Certainty, Evidence, Finding, HandshakeCounts, Peer, Report, Verdict};
use super::rules;
use crate::handshake::{Handshake, Knowledge, Outcome, Side, Tracker};
use crate::log::{Event, Kind, Reader};

/// Different failures that are kept with their handshake; further ones are counted only.
const KEPT_FAILURES: usize = 64;
/// Evidence lines of one finding.
const KEPT_EVIDENCE: usize = 10;
/// Handshakes of one finding that can be found in the other end's log.
const KEPT_RANDOMS: usize = 64;
/// Threads named by one finding.
const KEPT_THREADS: usize = 10;

/// Reads one log source piece by piece and says at any time what is wrong with its handshakes.
///
/// Memory does not grow with the log: what is kept are the handshakes under way, the first handshake of each different
/// failure, and the certificates that passed by, each up to a limit.
#[derive(Debug, Clone)]
pub struct Diagnoser {
    source: String,
    reader: Reader,
    tracker: Tracker,
    settled: HandshakeCounts,
    groups: Vec<Group>,
    unexplained: u64,
    /// Settled handshakes that never got an answer.
    unanswered: u64,
    /// Settled handshakes without an end in which this client had no certificate to send.
    without_certificate: u64,
    key_material: bool,
    revision: u64,
    journal: Option<Rows>,
}

/// Failed handshakes that one finding explains, represented by the first of those that show it most certainly.
///
/// How certain they are may change with what the log says later, so the first is kept beside a surer one: how the log was cut
/// must not decide.
#[derive(Debug, Clone)]
struct Group {
    key: (&'static str, Option<Side>, Peer, String),
    first: Box<Handshake>,
    surer: Option<Box<Handshake>>,
    /// Of the surest: how certain it was when it was settled, and that it cannot have been mistaken for another.
    surest: (Certainty, bool),
    count: u64,
    /// Handshakes need not end in the order in which they began.
    first_seen: Option<String>,
    last_seen: Option<String>,
    threads: Vec<String>,
    randoms: Vec<String>,
}

impl Diagnoser {
    /// Begins with a source, named as evidence shall name it.
    pub fn new(source: impl Into<String>) -> Self {
        Self {
            source: source.into(),
            reader: Reader::default(),
            tracker: Tracker::default(),
            settled: HandshakeCounts::default(),
            groups: Vec::new(),
            unexplained: 0,
            unanswered: 0,
            without_certificate: 0,
            key_material: false,
            revision: 0,
            journal: None,
        }
    }

    /// Begins with a source of which the single handshakes shall be told as well; see [`Self::join_with_journal`]. Memory
    /// grows with the log up to the journal's limits then.
    pub fn with_journal(source: impl Into<String>) -> Self {
        Self {
            tracker: Tracker::with_transcripts(),
            journal: Some(Rows::default()),
            ..Self::new(source)
        }
    }

    /// Takes the next bytes, in any split.
    pub fn feed(&mut self, bytes: &[u8]) {
        let Self {
            reader,
            tracker,
            key_material,
            revision,
            ..
        } = self;
        reader.feed(bytes, |event| take(event, tracker, key_material, revision));
        self.settle();
    }

    /// Lines are missing between what was fed and what comes next; called between two lines. No handshake goes on beyond it:
    /// what follows on the same thread may be another one.
    pub fn gap(&mut self) {
        self.finish();
    }

    /// The input has ended.
    pub fn finish(&mut self) {
        let Self {
            reader,
            tracker,
            key_material,
            revision,
            ..
        } = self;
        reader.finish(|event| take(event, tracker, key_material, revision));
        tracker.finish();
        self.settle();
        self.revision += 1;
    }

    /// What the log has said so far.
    #[must_use]
    pub fn report(&self) -> Report {
        let mut explained = self.explain();
        join::resolve(&mut explained);
        self.report_of(explained)
    }

    /// One report on several sources. Where two hold both ends of a connection, one end's reason explains the other's failure.
    pub fn join<'a>(diagnosers: impl IntoIterator<Item = &'a Diagnoser>) -> Report {
        Report::merge(Self::joined(diagnosers))
    }

    /// The same, as one report on each source.
    pub fn joined<'a>(diagnosers: impl IntoIterator<Item = &'a Diagnoser>) -> Vec<Report> {
        let resolved = Self::resolved(diagnosers).into_iter();
        resolved
            .map(|(diagnoser, explained)| diagnoser.report_of(explained))
            .collect()
    }

    /// The same report, with the handshakes of those sources that were begun [with a journal](Self::with_journal). For sources
    /// that have ended: a handshake that is still followed is in the report and not in the journal.
    pub fn join_with_journal<'a>(diagnosers: impl IntoIterator<Item = &'a Diagnoser>) -> (Report, Journal) {
        let all = Self::resolved(diagnosers);
        let findings: Vec<(&Diagnoser, Vec<Finding>)> = all
            .iter()
            .map(|(diagnoser, explained)| {
                let findings = explained.iter().map(|explained| explained.finding.clone());
                (*diagnoser, findings.take(diagnoser.groups.len()).collect())
            })
            .collect();
        let report = Report::merge(
            all.into_iter()
                .map(|(diagnoser, explained)| diagnoser.report_of(explained)),
        );
        let mut journal = Journal::default();
        for (diagnoser, findings) in findings {
            let places: Vec<Place> = findings
                .iter()
                .map(|finding| Place {
                    finding: report.findings.iter().position(|known| known.same_cause_as(finding)),
                    cause: catalogue::ALL
                        .iter()
                        .find(|cause| cause.id == finding.cause)
                        .map(|cause| cause.id),
                })
                .collect();
            let source = Source {
                name: diagnoser.source.clone(),
                lines: diagnoser.lines(),
                bytes: diagnoser.bytes(),
            };
            let none = Rows::default();
            let rows = diagnoser.journal.as_ref().unwrap_or(&none);
            journal.add(source, rows, &places, diagnoser.tracker.knowledge());
        }
        journal.pair();
        (report, journal)
    }

    /// The findings of several sources, each of which knows what the others say of the same connections.
    fn resolved<'a>(diagnosers: impl IntoIterator<Item = &'a Diagnoser>) -> Vec<(&'a Diagnoser, Vec<Explained>)> {
        let mut all: Vec<(&Diagnoser, Vec<Explained>)> = diagnosers
            .into_iter()
            .map(|diagnoser| (diagnoser, diagnoser.explain()))
            .collect();
        join::resolve(all.iter_mut().flat_map(|(_, explained)| explained));
        all
    }

    /// The findings, each with the handshakes that it explains.
    fn explain(&self) -> Vec<Explained> {
        let knowledge = self.tracker.knowledge();
        let mut all = Vec::new();
        for group in &self.groups {
            let (mut finding, mut shown) = (self.finding(&group.first, knowledge), &group.first);
            if let Some(surer) = &group.surer {
                let other = self.finding(surer, knowledge);
                if other.certainty > finding.certainty && other.same_cause_as(&finding) {
                    (finding, shown) = (other, surer);
                }
            }
            finding.count = group.count;
            finding.first_seen.clone_from(&group.first_seen);
            finding.last_seen.clone_from(&group.last_seen);
            finding.threads.clone_from(&group.threads);
            all.push(Explained {
                finding,
                randoms: group.randoms.clone(),
                decided: shown.decided_here(),
            });
        }
        for handshake in self
            .tracker
            .followed()
            .filter(|handshake| handshake.outcome() == Outcome::Failed)
        {
            let randoms = random(handshake).into_iter().collect();
            all.push(Explained {
                finding: self.finding(handshake, knowledge),
                randoms,
                decided: handshake.decided_here(),
            });
        }
        all
    }

    fn report_of(&self, explained: Vec<Explained>) -> Report {
        let mut report = Report::empty();
        report.handshakes = self.settled;
        for handshake in self.tracker.followed() {
            count(&mut report.handshakes, handshake);
        }
        for Explained { mut finding, .. } in explained {
            // One handshake stands for all, as in a group: what others add would be gone again once they are settled.
            if let Some(known) = report.findings.iter_mut().find(|known| known.same_cause_as(&finding)) {
                let evidence = std::mem::take(&mut finding.evidence);
                if finding.certainty > known.certainty {
                    known.evidence = evidence;
                }
            }
            report.add(finding);
        }
        report.verdict = Verdict::of(
            &report.handshakes,
            self.debug_records() > 0,
            report.handshakes.total > 0,
        );
        self.warn(&mut report);
        report.sort();
        report
    }

    /// Lines read.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.reader.lines()
    }

    /// Bytes read.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.reader.bytes()
    }

    /// Records of debug output seen.
    #[must_use]
    pub fn debug_records(&self) -> u64 {
        self.reader.records()
    }

    /// Whether a JVM before 8u272 printed key material. None of it is kept.
    #[must_use]
    pub fn key_material_seen(&self) -> bool {
        self.key_material
    }

    /// Grows whenever findings or counts changed.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Takes over the handshakes about which nothing more is expected.
    fn settle(&mut self) {
        let settled: Vec<_> = self.tracker.settled().collect();
        for handshake in settled {
            count(&mut self.settled, &handshake);
            self.unanswered += u64::from(handshake.is_unanswered());
            self.without_certificate += u64::from(lacked_certificate(&handshake));
            if handshake.outcome() == Outcome::Failed {
                self.group(handshake);
            } else if let Some(journal) = &mut self.journal {
                journal.take(&handshake, None, None);
            }
        }
    }

    fn group(&mut self, handshake: Box<Handshake>) {
        let diagnosis = rules::diagnose(&handshake, self.tracker.knowledge());
        let sure = (diagnosis.certainty, !handshake.uncertain);
        let key = (diagnosis.cause.id, handshake.side, peer(&handshake), diagnosis.summary);
        let thread = handshake.threads.first().map(|thread| thread.name.clone());
        if let Some(journal) = &mut self.journal {
            let place = self.groups.iter().position(|group| group.key == key);
            let place = place.unwrap_or(self.groups.len());
            journal.take(
                &handshake,
                Some(diagnosis.cause.id),
                (place < KEPT_FAILURES).then_some(place),
            );
        }
        if let Some(group) = self.groups.iter_mut().find(|group| group.key == key) {
            group.count += 1;
            if group.randoms.len() < KEPT_RANDOMS {
                group.randoms.extend(random(&handshake));
            }
            merge::earliest(&mut group.first_seen, handshake.begun.as_deref());
            merge::latest(&mut group.last_seen, handshake.ended.as_deref());
            if let Some(thread) = thread
                && group.threads.len() < KEPT_THREADS
                && !group.threads.contains(&thread)
            {
                group.threads.push(thread);
            }
            if sure > group.surest {
                (group.surer, group.surest) = (Some(handshake), sure);
            }
            return;
        }
        if self.groups.len() == KEPT_FAILURES {
            self.unexplained += 1;
            return;
        }
        let (first_seen, last_seen) = (handshake.begun.clone(), handshake.ended.clone());
        self.groups.push(Group {
            key,
            randoms: random(&handshake).into_iter().collect(),
            first: handshake,
            surer: None,
            surest: sure,
            count: 1,
            first_seen,
            last_seen,
            threads: thread.into_iter().collect(),
        });
    }

    fn finding(&self, handshake: &Handshake, knowledge: &Knowledge) -> Finding {
        let diagnosis = rules::diagnose(handshake, knowledge);
        let mut topics = diagnosis.topics.to_vec();
        topics.push(crate::handshake::Topic::Failure);
        let mut lines = handshake.evidence(&topics);
        // What failed stands last: lines before it give way.
        let failure = handshake.evidence(&[crate::handshake::Topic::Failure]);
        let room = KEPT_EVIDENCE.saturating_sub(failure.len());
        lines.retain(|line| !failure.contains(line));
        lines.truncate(room);
        lines.extend(failure);
        lines.sort_by_key(|line| line.number);
        lines.truncate(KEPT_EVIDENCE);
        let evidence = lines
            .into_iter()
            .map(|line| Evidence {
                source: self.source.clone(),
                line: line.number,
                text: line.text.clone(),
            })
            .collect();
        Finding {
            cause: diagnosis.cause.id.to_owned(),
            certainty: diagnosis.certainty,
            side: handshake.side.unwrap_or(diagnosis.cause.default_side()),
            peer: peer(handshake),
            count: 1,
            other_end: None,
            summary: diagnosis.summary,
            explanation: diagnosis.explanation,
            remedies: diagnosis
                .cause
                .remedies
                .iter()
                .map(|remedy| (*remedy).to_owned())
                .collect(),
            evidence,
            first_seen: handshake.begun.clone(),
            last_seen: handshake.ended.clone(),
            threads: handshake
                .threads
                .first()
                .map(|thread| thread.name.clone())
                .into_iter()
                .collect(),
        }
    }

    /// What remains for handshakes without an end.
    fn unfinished(&self, incomplete: u64) -> String {
        let plural = if incomplete == 1 {
            "handshake has"
        } else {
            "handshakes have"
        };
        let followed = self
            .tracker
            .followed()
            .filter(|handshake| handshake.is_unanswered())
            .count();
        let unanswered = self.unanswered + followed as u64;
        let source = &self.source;
        let followed = self.tracker.followed();
        let without =
            self.without_certificate + followed.filter(|handshake| lacked_certificate(handshake)).count() as u64;
        if without > 0 {
            return format!(
                "{source}: {incomplete} {plural} no end in this log; in {without} of them the server asked for a client certificate and this \
                 client had none to send. A server that insists on one ends the handshake then (ClientCertificateMissing)"
            );
        }
        if unanswered == 0 {
            return format!("{source}: {incomplete} {plural} no end in this log");
        }
        format!(
            "{source}: {incomplete} {plural} no end in this log; of {unanswered} it shows a ClientHello and no answer. One may still come. If \
             none does, the server or a firewall in between swallows the connection, or waits for something else than TLS; a server \
             without a common version or cipher suite would have sent an alert or closed the connection"
        )
    }

    fn warn(&self, report: &mut Report) {
        if self.unexplained > 0 {
            report.warnings.push(format!(
                "{}: {} further failed handshakes are counted without a finding",
                self.source, self.unexplained
            ));
        }
        if self.key_material {
            report.warnings.push(format!(
                "{}: this JVM prints key material under javax.net.debug (JDK before 8u272); whoever has this log can decrypt the \
                 recorded traffic",
                self.source
            ));
        }
        if report.handshakes.incomplete > 0 {
            report.warnings.push(self.unfinished(report.handshakes.incomplete));
        }
        match report.verdict {
            Verdict::NoHandshakes => report.warnings.push(format!(
                "{}: debug output without a single handshake; use -Djavax.net.debug=ssl,handshake (`ssl` alone prints no messages \
                 before 17.0.21 and 21.0.9), and note that webMethods' own TLS stack (useJSSE=false) prints nothing here",
                self.source
            )),
            Verdict::NoDebugOutput if self.lines() > 0 => report.warnings.push(format!(
                "{}: no line of JSSE debug output; the JVM did not run with -Djavax.net.debug=ssl,handshake, or this is not its log",
                self.source
            )),
            _ => {}
        }
    }
}

fn take(event: Event, tracker: &mut Tracker, key_material: &mut bool, revision: &mut u64) {
    let is_first_key_material = event.kind == Kind::KeyMaterial && !*key_material;
    *key_material |= is_first_key_material;
    *revision += u64::from(is_first_key_material);
    *revision += u64::from(tracker.apply(event));
}

fn count(counts: &mut HandshakeCounts, handshake: &Handshake) {
    counts.total += 1;
    match handshake.outcome() {
        Outcome::Succeeded => counts.succeeded += 1,
        Outcome::Failed => counts.failed += 1,
        Outcome::Open => counts.incomplete += 1,
    }
}

/// Whether its end is not in the log and this client was asked for a certificate that it did not have.
fn lacked_certificate(handshake: &Handshake) -> bool {
    handshake.outcome() == Outcome::Open && handshake.no_client_certificate
}

fn random(handshake: &Handshake) -> Option<String> {
    handshake
        .client_hello
        .as_ref()
        .map(|hello| hello.random.clone())
        .filter(|random| !random.is_empty())
}

fn peer(handshake: &Handshake) -> Peer {
    Peer {
        server_name: handshake
            .client_hello
            .as_ref()
            .and_then(|hello| hello.server_name.clone()),
        certificate_subject: handshake
            .peer_certificate()
            .map(|certificate| certificate.subject.clone()),
    }
}
