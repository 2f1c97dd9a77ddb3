//! The table of handshakes as data for the page's script.

use std::collections::HashMap;

use serde::Serialize;

use super::words::{clean, name};
use crate::diagnosis::{Journal, Row};
use crate::handshake::{Outcome, Side};
use crate::log::moment::{moment, zone};

/// Bytes of rows that are taken into the page; further rows are left out.
const ROW_BYTES: usize = 2_500_000;

/// What the script reads. Texts that occur often stand in `texts` and are named by their index, -1 for none.
#[derive(Serialize)]
pub(super) struct Data<'a> {
    /// The zone of all times.
    zone: String,
    /// Lines are the axis where the log has no times.
    by_line: bool,
    texts: Vec<String>,
    /// The titles of the causes that occur.
    titles: HashMap<&'a str, &'a str>,
    rows: Vec<Cells>,
}

/// Number of the handshake; outcome (0 succeeded, 1 failed, 2 open); milliseconds since 1970, or null; line; source; end
/// (0 client, 1 server, -1); server name; holder of the peer's certificate; cause; finding from 1, or 0; version and suite; thread;
/// number of the handshake whose drawing shows it, or 0; number of the other end, or 0.
type Cells = (
    usize,
    u8,
    Option<i64>,
    u64,
    i32,
    i8,
    i32,
    i32,
    i32,
    usize,
    i32,
    i32,
    usize,
    usize,
);

#[derive(Debug, Default)]
struct Texts {
    all: Vec<String>,
    places: HashMap<String, i32>,
    bytes: usize,
}

impl Texts {
    fn place(&mut self, text: Option<String>) -> i32 {
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            return -1;
        };
        if let Some(place) = self.places.get(&text) {
            return *place;
        }
        let place = i32::try_from(self.all.len()).unwrap_or(-1);
        self.bytes += text.len() + 3;
        self.all.push(text.clone());
        self.places.insert(text, place);
        place
    }
}

/// The rows of the page, and how many of them had no room.
pub(super) fn data(journal: &Journal, drawn: &dyn Fn(usize) -> Option<usize>) -> (Data<'static>, Vec<usize>) {
    let first = journal
        .rows
        .iter()
        .find_map(|row| row.begun.as_deref().and_then(moment));
    let timed = journal.rows.iter().filter(|row| row.begun.is_some()).count();
    let by_line = timed * 2 < journal.rows.len() || first.is_none();
    let zone = journal
        .rows
        .iter()
        .find_map(|row| row.begun.as_deref().filter(|begun| moment(begun).is_some()))
        .map(|begun| clean(zone(begun)))
        .unwrap_or_default();
    let mut texts = Texts::default();
    let mut titles = HashMap::new();
    let mut rows = Vec::new();
    let mut left_out = Vec::new();
    let mut bytes = 0;
    // What failed comes first where there is not room for all.
    let mut order: Vec<usize> = (0..journal.rows.len()).collect();
    order.sort_by_key(|index| (journal.rows[*index].outcome == Outcome::Succeeded, *index));
    for index in order {
        if bytes + texts.bytes > ROW_BYTES {
            left_out.push(index);
            continue;
        }
        let row = &journal.rows[index];
        let begun = row.begun.as_deref().and_then(moment);
        let at = begun.zip(first).map(|(begun, first)| begun.on_clock_of(first));
        let source = texts.place(journal.sources.get(row.source).map(|source| clean(&source.name)));
        if let Some(id) = row.cause
            && let Some(cause) = super::cause(id)
        {
            titles.insert(cause.id, cause.title);
        }
        let cells: Cells = (
            index + 1,
            match row.outcome {
                Outcome::Succeeded => 0,
                Outcome::Failed => 1,
                Outcome::Open => 2,
            },
            at,
            row.line.unwrap_or_default(),
            source,
            match row.side {
                Some(Side::Client) => 0,
                Some(Side::Server) => 1,
                None => -1,
            },
            texts.place(row.server_name.as_deref().map(clean)),
            texts.place(row.peer_subject.as_deref().map(|subject| name(subject).0)),
            texts.place(row.cause.map(str::to_owned)),
            row.finding.map_or(0, |finding| finding + 1),
            texts.place(chosen(row)),
            texts.place(row.thread.as_deref().map(clean)),
            drawn(index).map_or(0, |place| place + 1),
            row.other_end.map_or(0, |other| other + 1),
        );
        bytes += 70;
        rows.push(cells);
    }
    rows.sort_by_key(|cells| cells.0);
    let data = Data {
        zone,
        by_line,
        texts: texts.all,
        titles,
        rows,
    };
    (data, left_out)
}

fn chosen(row: &Row) -> Option<String> {
    let chosen: Vec<&str> = [row.version.as_deref(), row.cipher_suite.as_deref()]
        .into_iter()
        .flatten()
        .collect();
    (!chosen.is_empty()).then(|| clean(&chosen.join(" ")))
}
