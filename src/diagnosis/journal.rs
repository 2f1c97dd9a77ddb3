//! The handshakes themselves, where a reader wants to see them and not only what is wrong: kept up to a limit, and only
//! where they are asked for.

use std::collections::{HashMap, VecDeque};

use super::path::{self, Path};
use super::report::HandshakeCounts;
use crate::handshake::{Handshake, Knowledge, Outcome, Side};

/// Rows of one source that are kept of each outcome: half of them the first, half the last.
const KEPT_ROWS: usize = 10_000;
/// Handshakes of one failure that are kept whole, beside its last one.
const KEPT_OF_FAILURE: u32 = 3;
/// Handshakes that are kept whole of those that succeeded, and of those without an end.
const KEPT_OF_OUTCOME: u32 = 8;

/// The handshakes of all sources, and what of them is left out.
#[derive(Debug, Default)]
pub struct Journal {
    /// The sources, in the order in which they were given.
    pub sources: Vec<Source>,
    /// The handshakes that are kept: by source, then in the order in which they began.
    pub rows: Vec<Row>,
    /// Handshakes that are counted and not kept, by outcome.
    pub left_out: HandshakeCounts,
}

/// What was read of one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The name as evidence has it.
    pub name: String,
    /// Lines read.
    pub lines: u64,
    /// Bytes read.
    pub bytes: u64,
}

/// One handshake.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its source, as an index.
    pub source: usize,
    /// How it ended.
    pub outcome: Outcome,
    /// This log's end.
    pub side: Option<Side>,
    /// The name in the ClientHello's `server_name` extension.
    pub server_name: Option<String>,
    /// Subject of the certificate that the other end sent.
    pub peer_subject: Option<String>,
    /// The name of the thread on which it began.
    pub thread: Option<String>,
    /// Time of its first record, as printed.
    pub begun: Option<String>,
    /// Time of its last record, as printed.
    pub ended: Option<String>,
    /// Line of its first record.
    pub line: Option<u64>,
    /// The negotiated version.
    pub version: Option<String>,
    /// The cipher suite that the server chose.
    pub cipher_suite: Option<String>,
    /// The name of its cause in the catalogue, if it failed.
    pub cause: Option<&'static str>,
    /// The finding that explains it, as an index into the report.
    pub finding: Option<usize>,
    /// The same connection as the other end's log has it, as an index into the rows.
    pub other_end: Option<usize>,
    /// All that is known of it; a few of each kind have that.
    pub detail: Option<Box<Detail>>,
    /// Ties it to the other end.
    random: String,
    /// Its failure among those of its source.
    group: Option<usize>,
}

/// All that is known of one handshake.
#[derive(Debug, Clone)]
pub struct Detail {
    /// The handshake.
    pub handshake: Handshake,
    /// The certificates from the other end's own one towards a trust anchor.
    pub path: Option<Path>,
}

/// What the report says of one failure of a source.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// The finding that explains it, as an index into the report.
    pub(super) finding: Option<usize>,
    /// Its cause by all that the log says, and not only by what it had said when the handshake settled.
    pub(super) cause: Option<&'static str>,
}

/// The handshakes of one source, as they settle.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    /// Succeeded, failed, without an end.
    kept: [Kept; 3],
    settled: u64,
    /// Of each kind how many there were, and the place of the last one.
    kinds: HashMap<(Outcome, Option<usize>), (u32, u64)>,
}

#[derive(Debug, Clone, Default)]
struct Kept {
    first: Vec<(u64, Row)>,
    last: VecDeque<(u64, Row)>,
    left_out: u64,
}

impl Rows {
    /// Takes a handshake that has settled; `group` is its failure among those of its source.
    pub(super) fn take(&mut self, handshake: &Handshake, cause: Option<&'static str>, group: Option<usize>) {
        let outcome = handshake.outcome();
        let kept = &mut self.kept[match outcome {
            Outcome::Succeeded => 0,
            Outcome::Failed => 1,
            Outcome::Open => 2,
        }];
        let wanted = if outcome == Outcome::Failed {
            KEPT_OF_FAILURE
        } else {
            KEPT_OF_OUTCOME
        };
        let mut row = Row::of(handshake, cause, group);
        let (count, last) = self.kinds.entry((outcome, group)).or_default();
        *count += 1;
        // Beyond the first ones it is only the last that is kept whole.
        if *count > wanted + 1
            && let Some(row) = kept.at(*last)
        {
            row.detail = None;
        }
        *last = self.settled;
        row.detail = Some(Box::new(Detail {
            handshake: handshake.clone(),
            path: None,
        }));
        kept.push((self.settled, row));
        self.settled += 1;
    }
}

impl Kept {
    fn push(&mut self, row: (u64, Row)) {
        if self.first.len() < KEPT_ROWS / 2 {
            self.first.push(row);
            return;
        }
        if self.last.len() == KEPT_ROWS / 2 {
            self.last.pop_front();
            self.left_out += 1;
        }
        self.last.push_back(row);
    }

    /// The row at a place among all that have settled.
    fn at(&mut self, place: u64) -> Option<&mut Row> {
        let key = |(place, _): &(u64, Row)| *place;
        if let Ok(index) = self.last.binary_search_by_key(&place, key) {
            return Some(&mut self.last[index].1);
        }
        let index = self.first.binary_search_by_key(&place, key).ok()?;
        Some(&mut self.first[index].1)
    }
}

impl Row {
    fn of(handshake: &Handshake, cause: Option<&'static str>, group: Option<usize>) -> Self {
        let hello = handshake.client_hello.as_ref();
        Self {
            source: 0,
            outcome: handshake.outcome(),
            side: handshake.side,
            server_name: hello.and_then(|hello| hello.server_name.clone()),
            peer_subject: handshake
                .peer_certificate()
                .map(|certificate| certificate.subject.clone()),
            thread: handshake
                .threads
                .first()
                .map(|thread| thread.name.clone())
                .filter(|name| !name.is_empty()),
            begun: handshake.begun.clone(),
            ended: handshake.ended.clone(),
            line: handshake.transcript().first().map(|entry| entry.line),
            version: handshake.version.clone(),
            cipher_suite: handshake
                .server_hello
                .as_ref()
                .map(|hello| hello.cipher_suite.clone())
                .filter(|suite| !suite.is_empty()),
            cause,
            finding: None,
            other_end: None,
            detail: None,
            random: hello.map(|hello| hello.random.clone()).unwrap_or_default(),
            group,
        }
    }
}

impl Journal {
    /// Adds what a source has kept. `places` has one entry for each failure of the source.
    pub(super) fn add(&mut self, source: Source, rows: &Rows, places: &[Place], knowledge: &Knowledge) {
        let [succeeded, failed, open] = &rows.kept;
        self.left_out.succeeded += succeeded.left_out;
        self.left_out.failed += failed.left_out;
        self.left_out.incomplete += open.left_out;
        self.left_out.total += succeeded.left_out + failed.left_out + open.left_out;
        let mut all: Vec<&(u64, Row)> = rows
            .kept
            .iter()
            .flat_map(|kept| kept.first.iter().chain(&kept.last))
            .collect();
        all.sort_by_key(|(settled, row)| (row.line, *settled));
        for (_, row) in all {
            let mut row = row.clone();
            row.source = self.sources.len();
            if let Some(place) = row.group.and_then(|group| places.get(group)) {
                row.finding = place.finding;
                row.cause = place.cause.or(row.cause);
            }
            if let Some(detail) = &mut row.detail {
                detail.path = path::of(&detail.handshake, row.cause, knowledge);
            }
            self.rows.push(row);
        }
        self.sources.push(source);
    }

    /// Ties the two ends of a connection together where two logs, or one log, hold both.
    pub(super) fn pair(&mut self) {
        let mut ends: HashMap<(&str, Side), usize> = HashMap::new();
        for (index, row) in self.rows.iter().enumerate() {
            if let Some(side) = row.side.filter(|_| !row.random.is_empty()) {
                ends.insert((&row.random, side), index);
            }
        }
        let others: Vec<Option<usize>> = self
            .rows
            .iter()
            .map(|row| {
                let other = match row.side? {
                    Side::Client => Side::Server,
                    Side::Server => Side::Client,
                };
                ends.get(&(row.random.as_str(), other)).copied()
            })
            .collect();
        for (row, other) in self.rows.iter_mut().zip(others) {
            row.other_end = other;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::Diagnoser;

    fn hello(thread: u32, random: u32, verb: &str) -> String {
        format!(
            "javax.net.ssl|DEBUG|{thread:02}|t{thread}|2026-11-23 14:54:54.556 GMT|X.java:1|{verb} ClientHello handshake message (\n  \"random\" : \
             \"{random:08x}\",\n)\n"
        )
    }

    fn journal(logs: &[String]) -> Journal {
        let diagnosers: Vec<Diagnoser> = logs
            .iter()
            .map(|log| {
                let mut diagnoser = Diagnoser::with_journal("log");
                diagnoser.feed(log.as_bytes());
                diagnoser.finish();
                diagnoser
            })
            .collect();
        Diagnoser::join_with_journal(&diagnosers).1
    }

    #[test]
    fn the_first_and_the_last_are_kept_and_the_rest_is_counted() {
        let log: String = (0..12_000).map(|number| hello(1, number, "Produced")).collect();
        let journal = journal(&[log]);
        assert_eq!(journal.rows.len(), KEPT_ROWS);
        assert_eq!((journal.left_out.incomplete, journal.left_out.total), (2_000, 2_000));
        assert_eq!(journal.rows[0].line, Some(1));
        assert_eq!(journal.rows[KEPT_ROWS - 1].line, Some(11_999 * 3 + 1));
    }

    #[test]
    fn a_few_are_kept_whole_the_last_one_among_them() {
        let log: String = (0..100).map(|number| hello(1, number, "Produced")).collect();
        let whole: Vec<usize> = journal(&[log])
            .rows
            .iter()
            .enumerate()
            .filter(|(_, row)| row.detail.is_some())
            .map(|(index, _)| index)
            .collect();
        assert_eq!(whole, [0, 1, 2, 3, 4, 5, 6, 7, 99]);
    }

    #[test]
    fn both_ends_of_a_connection_know_each_other() {
        let journal = journal(&[
            hello(1, 7, "Produced"),
            hello(1, 8, "Consuming") + &hello(2, 7, "Consuming"),
        ]);
        let others: Vec<Option<usize>> = journal.rows.iter().map(|row| row.other_end).collect();
        let (client, server) = (0, journal.rows.iter().rposition(|row| row.random == "00000007"));
        assert_eq!(others[client], server);
        assert_eq!(server.and_then(|server| others[server]), Some(client));
        assert_eq!(others.iter().flatten().count(), 2);
    }
}
