//! The container lives that a session reads: each on its own while it lasts, and one result of all that ended earlier.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::Captured;
use super::stream::{self, State};
use crate::diagnosis::report::{Certainty, Finding, HandshakeCounts, Peer, Report, Verdict};
use crate::diagnosis::{Diagnoser, Journal};
use crate::session::TLSDebugSessionStatus;
use crate::session::status::{EarlierPods, PodCapture};

/// Ended lives that are kept as they are, the latest; of earlier ones only the result stays.
const KEPT_ENDED: usize = 8;
/// Lives that are listed in the status: those of 20 pods, the most that are read at a time, and some that have ended.
const LISTED: usize = 40;
/// Findings of the result of earlier lives.
const KEPT_FINDINGS: usize = 64;
/// Warnings of the result of earlier lives; each names its pod.
const KEPT_WARNINGS: usize = 20;

/// The container lives of one session. Memory grows neither with restarts nor with replaced pods.
#[derive(Debug, Default)]
pub(super) struct Lives {
    /// In the order in which reading began.
    kept: Vec<Life>,
    /// By pod: the latest life that is kept as a result only. It is not read again.
    folded: HashMap<String, i32>,
    /// The result of earlier lives that the stored answer does not know.
    earlier: Earlier,
    /// The result of earlier lives that the stored answer was drawn from, too.
    earlier_stored: Earlier,
    stored: Stored,
    /// Whether the single handshakes are kept, for [`Self::journal`].
    pub(super) keeps_journal: bool,
}

/// One container between two restarts.
#[derive(Debug)]
struct Life {
    uid: String,
    restarts: i32,
    state: Arc<Mutex<State>>,
}

/// What was read in lives that are no longer kept.
#[derive(Debug, Default)]
struct Earlier {
    report: Option<Report>,
    counts: EarlierPods,
    debug_records: u64,
    key_material_seen: bool,
}

/// What the status held when reading began: an earlier operator's answer. It stands until everything that it was drawn
/// from has been read again, which never happens where a pod is gone or its log was rotated.
#[derive(Debug, Default)]
struct Stored {
    pods: Vec<PodCapture>,
    /// Those of them that have not been read again as far as before.
    uncovered: Vec<PodCapture>,
    earlier: EarlierPods,
    report: Option<Report>,
}

impl Lives {
    /// Nothing is read yet; `status` is what is stored.
    pub(super) fn new(status: Option<&TLSDebugSessionStatus>) -> Self {
        let stored = status
            .filter(|status| !status.pods.is_empty() || status.earlier_pods.is_some())
            .map(|status| Stored {
                pods: status.pods.clone(),
                uncovered: status.pods.clone(),
                earlier: status.earlier_pods.unwrap_or_default(),
                report: Some(Report {
                    verdict: status.verdict.unwrap_or(Verdict::NoDebugOutput),
                    handshakes: status.handshakes.unwrap_or_default(),
                    findings: status.findings.clone(),
                    warnings: Vec::new(),
                }),
            });
        Self {
            stored: stored.unwrap_or_default(),
            ..Self::default()
        }
    }

    /// The state of a life that has none yet; `None`: it has one, or had.
    pub(super) fn begin(&mut self, pod: &str, uid: &str, restarts: i32) -> Option<Arc<Mutex<State>>> {
        let is_folded = self.folded.get(uid).is_some_and(|latest| *latest >= restarts);
        let is_known = |life: &Life| (life.uid.as_str(), life.restarts) == (uid, restarts);
        if is_folded || self.kept.iter().any(is_known) {
            return None;
        }
        let stored = self.stored.pods.iter();
        let known_gaps = stored
            .filter(|life| (life.uid.as_str(), life.restarts) == (uid, restarts))
            .map(|life| life.gaps)
            .sum();
        let missed = self.missed(uid, restarts);
        let diagnoser = if self.keeps_journal {
            Diagnoser::with_journal(pod)
        } else {
            Diagnoser::new(pod)
        };
        let state = State::new(diagnoser, pod, missed, known_gaps);
        let state = Arc::new(Mutex::new(state));
        self.kept.push(Life {
            uid: uid.to_owned(),
            restarts,
            state: state.clone(),
        });
        Some(state)
    }

    /// How many lives of a container there were before this one that nobody has read: the kubelet keeps the log of one.
    fn missed(&self, uid: &str, restarts: i32) -> u64 {
        let kept = self
            .kept
            .iter()
            .filter(|life| life.uid == uid)
            .map(|life| life.restarts);
        let stored = self
            .stored
            .pods
            .iter()
            .filter(|life| life.uid == uid)
            .map(|life| life.restarts);
        let latest = kept
            .chain(stored)
            .chain(self.folded.get(uid).copied())
            .max()
            .unwrap_or(-1);
        u64::try_from(restarts - latest - 1).unwrap_or(0)
    }

    /// Whether a pod is or was read.
    pub(super) fn knows(&self, uid: &str) -> bool {
        self.folded.contains_key(uid) || self.kept.iter().any(|life| life.uid == uid)
    }

    /// Lets the oldest lives go that have ended and keeps their result; `uids` are the pods that are there.
    pub(super) fn fold(&mut self, uids: &[&str]) {
        let ended = |life: &Life| stream::lock(&life.state).has_ended();
        let mut surplus = self
            .kept
            .iter()
            .filter(|life| ended(life))
            .count()
            .saturating_sub(KEPT_ENDED);
        let mut remaining = Vec::with_capacity(self.kept.len());
        for life in std::mem::take(&mut self.kept) {
            if surplus > 0 && ended(&life) {
                surplus -= 1;
                self.fold_one(&life);
            } else {
                remaining.push(life);
            }
        }
        self.kept = remaining;
        // A pod that is gone does not come back. None at all may also mean that they could not be read.
        if !uids.is_empty() {
            self.folded.retain(|uid, _| uids.contains(&uid.as_str()));
        }
    }

    fn fold_one(&mut self, life: &Life) {
        let latest = self.folded.entry(life.uid.clone()).or_insert(life.restarts);
        *latest = life.restarts.max(*latest);
        let state = stream::lock(&life.state);
        let capture = capture(life, &state);
        self.stored.cover(&capture);
        let earlier = if self.stored.holds(&capture) {
            &mut self.earlier_stored
        } else {
            &mut self.earlier
        };
        earlier.take(&capture, &state.diagnoser);
    }

    /// What a user must hear of at once: the causes, how sure they are, and with whom.
    pub(super) fn causes(&self) -> Vec<(String, Certainty, Peer)> {
        let earlier = [&self.earlier, &self.earlier_stored].into_iter();
        let reports = earlier.filter_map(|earlier| earlier.report.clone()).chain(
            self.kept
                .iter()
                .map(|life| stream::lock(&life.state).diagnoser.report()),
        );
        let mut causes: Vec<_> = reports
            .flat_map(|report| report.findings)
            .map(|finding| (finding.cause, finding.certainty, finding.peer))
            .collect();
        causes.sort();
        causes.dedup();
        causes
    }

    /// The report on the lives that are kept, and their single handshakes; `None` where there were others, of which only the
    /// result is left.
    pub(super) fn journal(&self) -> Option<(Report, Journal)> {
        let are_all_kept = self.earlier.counts.lives == 0 && self.earlier_stored.counts.lives == 0;
        let lives: Vec<_> = self.kept.iter().map(|life| stream::lock(&life.state)).collect();
        (are_all_kept && !lives.is_empty())
            .then(|| Diagnoser::join_with_journal(lives.iter().map(|state| &state.diagnoser)))
    }

    /// What was read so far, with what was stored before. Lives explain each other, and those of the `other` end as well,
    /// whose report is a part of this one; whatever else is counted is of these lives alone.
    pub(super) fn captured(&mut self, other: Option<&Self>) -> Captured {
        let mut captured = Captured::default();
        let own: Vec<_> = self.kept.iter().map(|life| stream::lock(&life.state)).collect();
        let lives_of_other = other.iter().flat_map(|other| &other.kept);
        let of_other: Vec<_> = lives_of_other.map(|life| stream::lock(&life.state)).collect();
        let mut joined = Diagnoser::joined(own.iter().chain(&of_other).map(|state| &state.diagnoser)).into_iter();
        let mut read = Vec::new();
        for (life, state) in self.kept.iter().zip(&own) {
            captured.debug_records += state.diagnoser.debug_records();
            captured.key_material_seen |= state.diagnoser.key_material_seen();
            if state.pace.fell_behind() {
                captured.falling_behind.insert(state.pod.clone());
            }
            read.extend(joined.next().map(|report| (capture(life, state), report)));
        }
        drop((own, of_other));
        let mut earlier = EarlierPods::default();
        let mut reports: Vec<Report> = joined.collect();
        if let Some(other) = other {
            let earlier = [&other.earlier, &other.earlier_stored].into_iter();
            reports.extend(earlier.filter_map(|earlier| earlier.report.clone()));
        }
        for one in [&self.earlier, &self.earlier_stored] {
            captured.debug_records += one.debug_records;
            captured.key_material_seen |= one.key_material_seen;
        }
        for (pod, _) in &read {
            self.stored.cover(pod);
        }
        add(&mut earlier, self.earlier.counts);
        reports.extend(self.earlier.report.clone());
        if self.stored.is_covered() {
            add(&mut earlier, self.earlier_stored.counts);
            reports.extend(self.earlier_stored.report.clone());
        } else {
            // Lives are told apart, so that no handshake counts twice; only a failure that is none of the stored ones is new.
            let (again, new): (Vec<_>, Vec<_>) = read.into_iter().partition(|(pod, _)| self.stored.holds(pod));
            reports.extend(again.iter().map(|(_, report)| self.stored.news(report)));
            read = new;
            add(&mut earlier, self.stored.earlier);
            reports.extend(self.stored.report.clone());
            captured.pods.clone_from(&self.stored.pods);
        }
        for (pod, report) in read {
            captured.pods.push(pod);
            reports.push(report);
        }
        let surplus = captured.pods.len().saturating_sub(LISTED);
        for pod in captured.pods.drain(..surplus) {
            add(&mut earlier, EarlierPods::from(&pod));
        }
        captured.earlier_pods = (earlier.lives > 0).then_some(earlier);
        captured.report = (!reports.is_empty()).then(|| Report::merge(reports));
        captured
    }
}

impl Earlier {
    fn take(&mut self, capture: &PodCapture, diagnoser: &Diagnoser) {
        add(&mut self.counts, EarlierPods::from(capture));
        self.debug_records += diagnoser.debug_records();
        self.key_material_seen |= diagnoser.key_material_seen();
        let mut report = Report::merge(self.report.take().into_iter().chain([diagnoser.report()]));
        report.findings.truncate(KEPT_FINDINGS);
        report.warnings.truncate(KEPT_WARNINGS);
        self.report = Some(report);
    }
}

impl Stored {
    fn holds(&self, life: &PodCapture) -> bool {
        self.pods.iter().any(|stored| is_same_life(stored, life))
    }

    /// A life has been read again this far.
    fn cover(&mut self, read: &PodCapture) {
        self.uncovered
            .retain(|stored| !(is_same_life(stored, read) && read.lines >= stored.lines));
    }

    /// What a life that is read again tells and the stored answer does not.
    fn news(&self, read: &Report) -> Report {
        let told: Vec<_> = self.report.iter().flat_map(|report| &report.findings).collect();
        let is_told = |finding: &Finding| {
            told.iter()
                .any(|stored| (&stored.cause, &stored.peer) == (&finding.cause, &finding.peer))
        };
        let mut news = Report::empty();
        news.findings = read
            .findings
            .iter()
            .filter(|finding| !is_told(finding))
            .cloned()
            .collect();
        let failed = news.findings.iter().map(|finding| finding.count).sum();
        news.handshakes = HandshakeCounts {
            total: failed,
            failed,
            ..HandshakeCounts::default()
        };
        news
    }

    /// Whether all of it has been read again.
    const fn is_covered(&self) -> bool {
        self.uncovered.is_empty() && self.earlier.lives == 0
    }
}

impl From<&PodCapture> for EarlierPods {
    fn from(pod: &PodCapture) -> Self {
        Self {
            lives: 1,
            lines: pod.lines,
            bytes: pod.bytes,
            gaps: pod.gaps,
        }
    }
}

fn add(sum: &mut EarlierPods, more: EarlierPods) {
    sum.lives += more.lives;
    sum.lines += more.lines;
    sum.bytes += more.bytes;
    sum.gaps += more.gaps;
}

fn is_same_life(one: &PodCapture, other: &PodCapture) -> bool {
    (&one.uid, one.restarts) == (&other.uid, other.restarts)
}

fn capture(life: &Life, state: &State) -> PodCapture {
    PodCapture {
        name: state.pod.clone(),
        uid: life.uid.clone(),
        restarts: life.restarts,
        lines: state.diagnoser.lines(),
        bytes: state.diagnoser.bytes(),
        gaps: state.gaps,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One failed handshake.
    const LOG: &[u8] = include_bytes!("../../../tests/logs/17.0.15-expired-client.log");

    /// Reads one life from its start to its end.
    fn live(lives: &mut Lives, uid: &str, restarts: i32) {
        let state = lives.begin("orders", uid, restarts).expect("a new life");
        let mut state = stream::lock(&state);
        state.diagnoser.feed(LOG);
        state.finish();
    }

    fn status(captured: Captured) -> TLSDebugSessionStatus {
        let report = captured.report.expect("a report");
        TLSDebugSessionStatus {
            verdict: Some(report.verdict),
            handshakes: Some(report.handshakes),
            findings: report.findings,
            pods: captured.pods,
            earlier_pods: captured.earlier_pods,
            ..TLSDebugSessionStatus::default()
        }
    }

    #[test]
    fn lives_that_nobody_could_read_are_gaps() {
        let mut lives = Lives::default();
        for restarts in [0, 1, 3, 4] {
            live(&mut lives, "p-1", restarts);
        }
        live(&mut lives, "p-2", 2);
        let gaps: Vec<_> = lives.captured(None).pods.iter().map(|pod| pod.gaps).collect();
        assert_eq!(gaps, [0, 0, 1, 0, 2]);
    }

    #[test]
    fn gaps_that_an_earlier_operator_found_stay_when_the_log_is_read_again() {
        let mut first = Lives::default();
        live(&mut first, "p", 2);
        let before = status(first.captured(None));
        let mut next = Lives::new(Some(&before));
        live(&mut next, "p", 2);
        live(&mut next, "p", 4);
        let gaps: Vec<_> = next.captured(None).pods.iter().map(|pod| pod.gaps).collect();
        assert_eq!(gaps, [2, 1]);
    }

    #[test]
    fn a_thousand_restarts_and_replaced_pods_are_counted_and_not_kept() {
        let mut lives = Lives::default();
        for restarts in 0..1000 {
            live(&mut lives, "p-1", restarts);
            live(&mut lives, &format!("p-2-{restarts}"), 0);
            lives.fold(&["p-1", &format!("p-2-{restarts}")]);
            assert!(lives.kept.len() <= KEPT_ENDED);
            assert!(lives.folded.len() <= 2);
        }
        let captured = lives.captured(None);
        let lines = LOG.split_inclusive(|byte| *byte == b'\n').count() as u64;
        let earlier = captured.earlier_pods.expect("earlier lives");
        assert_eq!((captured.pods.len(), earlier.lives), (8, 1992));
        assert_eq!((earlier.lines, captured.pods[0].lines), (1992 * lines, lines));
        let report = captured.report.expect("a report");
        assert_eq!((report.handshakes.total, report.handshakes.failed), (2000, 2000));
        assert_eq!((report.findings.len(), report.findings[0].count), (1, 2000));
        assert!(report.findings[0].evidence.len() <= 20 && report.warnings.len() <= KEPT_WARNINGS + KEPT_ENDED);
        assert!(
            lives.begin("orders", "p-1", 998).is_none(),
            "a life that was read is read again"
        );
    }

    #[test]
    fn lives_that_have_not_ended_are_never_let_go() {
        let mut lives = Lives::default();
        let open: Vec<_> = (0..30)
            .filter_map(|pod| lives.begin("orders", &format!("p-{pod}"), 0))
            .collect();
        for restarts in 0..20 {
            live(&mut lives, "q", restarts);
        }
        lives.fold(&[]);
        assert_eq!(lives.kept.len(), 30 + KEPT_ENDED);
        stream::lock(&open[0]).diagnoser.feed(LOG);
        assert_eq!(lives.captured(None).report.expect("a report").handshakes.failed, 21);
    }

    #[test]
    fn what_an_earlier_operator_counted_is_counted_once() {
        let mut first = Lives::default();
        for restarts in 0..20 {
            live(&mut first, "p", restarts);
        }
        first.fold(&["p"]);
        let before = status(first.captured(None));
        assert_eq!(before.pods.len(), 8);
        // The next operator finds the logs of the last two lives only, and then a new one.
        let mut next = Lives::new(Some(&before));
        live(&mut next, "p", 18);
        live(&mut next, "p", 19);
        let again = next.captured(None);
        assert_eq!((&again.pods, again.earlier_pods), (&before.pods, before.earlier_pods));
        assert_eq!(again.report.expect("a report").handshakes.failed, 20);
        for restarts in 20..40 {
            live(&mut next, "p", restarts);
            next.fold(&["p"]);
        }
        let report = next.captured(None);
        assert_eq!(report.report.expect("a report").handshakes.failed, 40);
        assert_eq!(report.pods.len() as u64 + report.earlier_pods.expect("some").lives, 40);
    }

    #[test]
    fn a_stored_answer_goes_once_all_of_it_was_read_again() {
        let mut first = Lives::default();
        live(&mut first, "p", 0);
        let mut before = status(first.captured(None));
        // It was told of more than the log shows, which the log read again puts right.
        before.handshakes.as_mut().expect("counts").failed = 7;
        let mut next = Lives::new(Some(&before));
        live(&mut next, "p", 0);
        for restarts in 1..20 {
            live(&mut next, "p", restarts);
        }
        next.fold(&["p"]);
        assert_eq!(next.captured(None).report.expect("a report").handshakes.failed, 20);
    }

    #[test]
    fn a_new_failure_is_told_although_a_stored_pod_is_gone() {
        let good = include_bytes!("../../../tests/logs/11.0.33-ok-tls13-client.log");
        let mut first = Lives::default();
        for uid in ["gone", "stays"] {
            let state = first.begin("orders", uid, 0).expect("a new life");
            stream::lock(&state).diagnoser.feed(good);
        }
        let before = status(first.captured(None));
        assert_eq!(before.handshakes.expect("counts").succeeded, 2);
        let mut next = Lives::new(Some(&before));
        let state = next.begin("orders", "stays", 0).expect("a new life");
        stream::lock(&state).diagnoser.feed(good);
        let again = next.captured(None).report.expect("a report");
        assert_eq!((again.handshakes.total, again.findings.len()), (2, 0));
        stream::lock(&state).diagnoser.feed(LOG);
        let report = next.captured(None).report.expect("a report");
        assert_eq!(report.findings[0].cause, "CertificateExpired");
        let counts = report.handshakes;
        assert_eq!((counts.total, counts.succeeded, counts.failed), (3, 2, 1));
    }

    #[test]
    fn a_status_lists_no_more_than_it_can_hold() {
        let pod = |restarts| PodCapture {
            name: "orders".to_owned(),
            uid: "gone".to_owned(),
            restarts,
            lines: 10,
            ..PodCapture::default()
        };
        let stored = TLSDebugSessionStatus {
            pods: (0..40).map(pod).collect(),
            ..TLSDebugSessionStatus::default()
        };
        let mut lives = Lives::new(Some(&stored));
        for restarts in 0..5 {
            live(&mut lives, "p", restarts);
        }
        let captured = lives.captured(None);
        assert_eq!(captured.pods.len(), LISTED);
        assert_eq!(
            captured.earlier_pods,
            Some(EarlierPods {
                lives: 5,
                lines: 50,
                ..EarlierPods::default()
            })
        );
    }
}
