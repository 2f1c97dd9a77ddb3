//! A report and its handshakes as one page that needs nothing else: no reference leads out of it, and what it shows of a log
//! cannot become part of it.

mod chain;
mod data;
mod evidence;
mod finding;
mod ladder;
mod words;

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use crate::diagnosis::catalogue::{ALL, Cause};
use crate::diagnosis::report::{HandshakeCounts, Report, Verdict};
use crate::diagnosis::{Detail, Journal, Path, Row};
use crate::handshake::Handshake;
use finding::Beside;
use ladder::End;
use words::{capital, certainty, clean, counted, grouped, outcome, prose, size};

const STYLE: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/page.js");

/// Bytes of handshakes that are drawn; further ones are left out, first those that no finding shows.
const DRAWN_BYTES: usize = 3_000_000;
/// Findings that are told in full.
const TOLD_FINDINGS: usize = 100;

/// The page. Its size has a limit, whatever the report holds; what it leaves out, it says.
#[must_use]
pub fn html(report: &Report, journal: &Journal) -> String {
    let drawings = Drawings::of(report, journal);
    let (data, no_room) = data::data(journal, &|index| drawings.places.get(&index).copied());
    let mut left_out = journal.left_out;
    for index in &no_room {
        count(&mut left_out, &journal.rows[*index]);
    }
    // A script element ends at its end tag wherever that stands.
    let data = serde_json::to_string(&data).unwrap_or_default().replace('<', "\\u003c");
    let title = headline(report);
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    );
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="generator" content={ "tlsdebug " (env!("CARGO_PKG_VERSION")) };
                title { (title) " – tlsdebug" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a .skip href="#findings" { "To the findings" }
                (top(report, journal, &title))
                (bar(report, journal))
                main {
                    (findings(report, &drawings))
                    (warnings(report))
                    (handshakes(journal, left_out))
                    (details(&drawings))
                }
                footer { p { "Made by tlsdebug " (env!("CARGO_PKG_VERSION")) ". This page holds records of the JVM’s TLS debug output, and nothing else of the log." } }
                script #data type="application/json" { (PreEscaped(data)) }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
    .into_string()
}

/// The handshakes that are drawn in the page.
struct Drawings<'a> {
    /// Where a row is drawn: the row whose drawing shows it.
    places: HashMap<usize, usize>,
    /// The drawing of each finding.
    findings: Vec<Option<Ends<'a>>>,
    /// The drawings that belong to no finding, or are a further one of its.
    others: Vec<(Ends<'a>, String)>,
    /// Handshakes that could be drawn and had no room.
    no_room: usize,
}

/// A handshake as one end's log has it, and as the other's has it where there is one.
pub(super) struct Ends<'a> {
    /// Its number, from 1.
    number: usize,
    this: End<'a>,
    that: Option<End<'a>>,
    details: [Option<&'a Detail>; 2],
}

impl<'a> Ends<'a> {
    fn of(journal: &'a Journal, index: usize) -> Option<Self> {
        let end = |index: usize| {
            let row: &Row = &journal.rows[index];
            let detail = row.detail.as_deref()?;
            let source = journal
                .sources
                .get(row.source)
                .map_or("", |source| source.name.as_str());
            let handshake = &detail.handshake;
            Some((End { row, handshake, source }, detail))
        };
        let (this, detail) = end(index)?;
        let that = journal.rows[index].other_end.and_then(end);
        Some(Self {
            number: index + 1,
            this,
            that: that.map(|(end, _)| end),
            details: [Some(detail), that.map(|(_, detail)| detail)],
        })
    }

    /// The transcripts with the names of their sources.
    fn transcripts(&self) -> Vec<(&'a str, &'a Handshake)> {
        [Some(self.this), self.that]
            .into_iter()
            .flatten()
            .map(|end| (end.source, end.handshake))
            .collect()
    }

    /// The chain that was judged: as the end that received it knows it.
    fn path(&self) -> Option<&'a Path> {
        let paths = || self.details.iter().flatten().filter_map(|detail| detail.path.as_ref());
        let received = paths().find(|path| Some(path.from) != self.this.row.side);
        received.or_else(|| paths().next())
    }
}

impl<'a> Drawings<'a> {
    fn of(report: &Report, journal: &'a Journal) -> Self {
        let mut drawings = Self {
            places: HashMap::new(),
            findings: Vec::new(),
            others: Vec::new(),
            no_room: 0,
        };
        let mut bytes = 0;
        for finding in 0..report.findings.len().min(TOLD_FINDINGS) {
            let of_finding = |row: &&(usize, &Row)| row.1.finding == Some(finding) && row.1.detail.is_some();
            let rows: Vec<(usize, &Row)> = journal.rows.iter().enumerate().collect();
            let both = |row: &&(usize, &Row)| {
                row.1
                    .other_end
                    .is_some_and(|other| journal.rows[other].detail.is_some())
            };
            let best = rows
                .iter()
                .filter(of_finding)
                .find(both)
                .or_else(|| rows.iter().find(of_finding));
            let ends = best
                .filter(|(index, _)| !drawings.places.contains_key(index))
                .and_then(|(index, _)| Ends::of(journal, *index));
            let ends = ends.filter(|ends| {
                let fits = bytes < DRAWN_BYTES;
                bytes += drawing(ends).into_string().len();
                drawings.no_room += usize::from(!fits);
                fits
            });
            if let Some(ends) = &ends {
                drawings.place(ends);
            }
            drawings.findings.push(ends);
        }
        for index in 0..journal.rows.len() {
            if drawings.places.contains_key(&index) {
                continue;
            }
            let Some(ends) = Ends::of(journal, index) else { continue };
            if bytes > DRAWN_BYTES {
                drawings.no_room += 1;
                continue;
            }
            let drawn = whole(&ends).into_string();
            bytes += drawn.len();
            drawings.place(&ends);
            drawings.others.push((ends, drawn));
        }
        drawings
    }

    fn place(&mut self, ends: &Ends<'_>) {
        let this = ends.number - 1;
        self.places.insert(this, this);
        if let Some(other) = ends.this.row.other_end.filter(|_| ends.that.is_some()) {
            self.places.insert(other, this);
        }
    }
}

fn top(report: &Report, journal: &Journal, title: &str) -> Markup {
    let class = match report.verdict {
        Verdict::FailuresFound => "bad",
        Verdict::AllSucceeded => "good",
        _ => "open",
    };
    let twice = journal.rows.iter().filter(|row| row.other_end.is_some()).count() / 2;
    html! {
        header .top {
            p .brand { b { "tlsdebug" } " diagnosis" }
            h1 .{(class)} { (title) }
            (share(report.handshakes))
            @if twice > 0 {
                p .aside { (counted(twice as u64, "connection")) @if twice == 1 { " is" } @else { " are" } " in the logs of both ends, and so counted twice." }
            }
            ul .sources {
                @for source in &journal.sources {
                    li { span .name { (clean(&source.name)) } " " span .aside { (counted(source.lines, "line")) ", " (size(source.bytes)) } }
                }
            }
        }
    }
}

/// The outcomes as a bar of their shares, and in words.
fn share(counts: HandshakeCounts) -> Markup {
    if counts.total < 2 {
        return html! {};
    }
    let parts = [
        (counts.failed, "bad", "✕", "failed"),
        (counts.succeeded, "good", "✓", "succeeded"),
        (counts.incomplete, "open", "…", "without an end in the log"),
    ];
    // Every share is seen, however small.
    let width = |part: u64| {
        if part == 0 {
            0
        } else {
            (part * 1000 / counts.total).max(6)
        }
    };
    let mut at = 0;
    let bars: Vec<(u64, u64, &str)> = parts
        .iter()
        .map(|(part, class, ..)| {
            let bar = (at, width(*part), *class);
            at += bar.1;
            bar
        })
        .collect();
    html! {
        svg .share viewBox={ "0 0 " (at) " 10" } preserveAspectRatio="none" aria-hidden="true" {
            @for (x, width, class) in bars { @if width > 0 { rect .{(class)} x=(x) y="0" width=(width) height="10" {} } }
        }
        ul .counts {
            @for (part, class, sign, what) in parts { @if part > 0 { li .{(class)} { span .sign aria-hidden="true" { (sign) } " " b { (grouped(part)) } " " (what) } } }
        }
    }
}

fn bar(report: &Report, journal: &Journal) -> Markup {
    html! {
        div .bar {
            nav aria-label="Parts of this page" {
                @if !report.findings.is_empty() { a href="#findings" { "Findings " span .count { (report.findings.len()) } } }
                @if !journal.rows.is_empty() { a href="#handshakes" { "Handshakes " span .count { (grouped(report.handshakes.total)) } } }
            }
            search hidden {
                label for="search" { span .unseen { "Search in findings and handshakes" } }
                input #search type="search" placeholder="Search  ( / )" autocomplete="off" spellcheck="false";
                output #found for="search" {}
            }
        }
    }
}

fn findings(report: &Report, drawings: &Drawings<'_>) -> Markup {
    if report.findings.is_empty() {
        return html! { section #findings { h2 { "Findings" } p .note { (nothing(report.verdict)) } } };
    }
    let told = report.findings.len().min(TOLD_FINDINGS);
    html! {
        section #findings {
            h2 { "Findings" }
            @if told > 1 {
                ol .contents {
                    @for (number, finding) in (1..).zip(&report.findings[..told]) {
                        li { span .ordinal { (number) } a .title href={ "#finding-" (number) } { (finding.cause) } " " (certainty(finding.certainty)) " " span .times { "×\u{a0}" (grouped(finding.count)) } span .summary { (clean(&finding.summary)) } }
                    }
                }
            }
            @for (index, told) in report.findings[..told].iter().enumerate() {
                @let before = report.findings[..index].iter().position(|known| known.cause == told.cause && known.remedies == told.remedies);
                @let beside = Beside { shown: drawings.findings[index].as_ref(), elsewhere: drawings.elsewhere(index), before: before.map(|before| before + 1) };
                (finding::finding(index + 1, told, beside))
            }
            @if report.findings.len() > told {
                p .note { "Left out: " (report.findings.len() - told) " further findings. " code { "--output text" } " shows them all." }
            }
        }
    }
}

impl Drawings<'_> {
    /// The drawing in which a finding's handshake is shown together with its other end's.
    fn elsewhere(&self, finding: usize) -> Option<usize> {
        if self.findings[finding].is_some() {
            return None;
        }
        let shown = self.findings.iter().flatten();
        let mut with = shown.filter(|ends| ends.that.is_some_and(|that| that.row.finding == Some(finding)));
        with.next().map(|ends| ends.number)
    }
}

fn nothing(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::FailuresFound => "The failed handshakes are counted without a finding.",
        Verdict::AllSucceeded => "Nothing is wrong with the handshakes of this log.",
        Verdict::Inconclusive => "No handshake is shown to its end, so nothing can be said of its outcome.",
        Verdict::NoHandshakes => "There is TLS debug output, and no handshake in it.",
        Verdict::NoDebugOutput => "There is no TLS debug output to read.",
    }
}

fn warnings(report: &Report) -> Markup {
    html! {
        @if !report.warnings.is_empty() {
            section #notes {
                h2 { "Notes" }
                ul { @for warning in &report.warnings { li { (prose(warning)) } } }
            }
        }
    }
}

fn handshakes(journal: &Journal, left_out: HandshakeCounts) -> Markup {
    if journal.rows.is_empty() {
        return html! {};
    }
    html! {
        section #handshakes tabindex="-1" {
            h2 { "Handshakes" }
            @if left_out.total > 0 {
                p .note #left-out {
                    "Left out of this page for its size: " (counted(left_out.total, "handshake"))
                    " (" (grouped(left_out.failed)) " failed, " (grouped(left_out.succeeded)) " succeeded, " (grouped(left_out.incomplete))
                    " without an end). The first and the last of each outcome are here; the counts at the top are those of the whole log."
                }
            }
            noscript { p .note { "The table of handshakes, its filters and its time line need JavaScript. The findings above do not." } }
            div #board hidden {
                figure #timeline {
                    figcaption { span #timeline-title { "When they began" } " " output #window {} button type="button" #whole hidden { "Whole time" } }
                    svg #chart role="img" aria-labelledby="timeline-title" aria-describedby="window" {}
                    div .ranges {
                        label { "From " input #from type="range" min="0" max="1000" value="0"; }
                        label { "To " input #to type="range" min="0" max="1000" value="1000"; }
                    }
                }
                div #filters role="group" aria-label="Filters" {}
                p #shown role="status" {}
                div .scroll {
                    table #rows {
                        caption .unseen { "Handshakes" }
                        thead { tr { th scope="col" { "No." } th scope="col" aria-sort="ascending" { button type="button" #order { "Began" } } th scope="col" { "Outcome" } th scope="col" { "Host" } th scope="col" { "Cause, or what was chosen" } th scope="col" { "Thread" } th scope="col" { "Log" } } }
                        tbody {}
                    }
                }
                nav #pages aria-label="Pages of the table" { button type="button" #previous { "Previous" } span #page {} button type="button" #next { "Next" } }
            }
        }
    }
}

fn details(drawings: &Drawings<'_>) -> Markup {
    if drawings.others.is_empty() && drawings.no_room == 0 {
        return html! {};
    }
    html! {
        section #details {
            h2 { "Handshakes in detail" }
            p .note {
                "Of each kind the first ones and the last one are drawn."
                @if drawings.no_room > 0 { " Left out of this page for its size: " (counted(drawings.no_room as u64, "drawing")) "." }
            }
            @for (_, drawn) in &drawings.others { (PreEscaped(drawn)) }
        }
    }
}

/// A handshake that is drawn apart from a finding.
fn whole(ends: &Ends<'_>) -> Markup {
    let row = ends.this.row;
    let (word, class, sign) = outcome(row.outcome);
    let chosen: Vec<&str> = [row.version.as_deref(), row.cipher_suite.as_deref()]
        .into_iter()
        .flatten()
        .collect();
    html! {
        details .handshake id={ "handshake-" (ends.number) } {
            summary {
                span .ordinal { (ends.number) } " "
                span .{(class)} { span .sign aria-hidden="true" { (sign) } " " (row.cause.map_or_else(|| capital(word), str::to_owned)) }
                @if let Some(host) = &row.server_name { " " span .host { (clean(host)) } }
                @if row.cause.is_none() && !chosen.is_empty() { " " span .aside { (clean(&chosen.join(", "))) } }
                @if let Some(begun) = &row.begun { " " span .aside { (clean(begun)) } }
            }
            @if let Some(finding) = row.finding { p { a href={ "#finding-" (finding + 1) } { "Finding " (finding + 1) } " explains it." } }
            (drawing(ends))
            h4 { "Records" }
            @for (source, handshake) in ends.transcripts() { (evidence::transcript(source, handshake)) }
        }
    }
}

/// Ladder and chain of a handshake.
fn drawing(ends: &Ends<'_>) -> Markup {
    html! {
        (ladder::ladder(ends.this, ends.that))
        (finding::certificates(ends))
    }
}

fn headline(report: &Report) -> String {
    let counts = report.handshakes;
    match report.verdict {
        Verdict::FailuresFound if counts.total == 1 => "The handshake failed".to_owned(),
        Verdict::FailuresFound => format!(
            "{} of {} handshakes failed",
            grouped(counts.failed),
            grouped(counts.total)
        ),
        Verdict::AllSucceeded if counts.succeeded == 1 => "The handshake succeeded".to_owned(),
        Verdict::AllSucceeded => format!("All {} handshakes succeeded", grouped(counts.succeeded)),
        Verdict::Inconclusive => "Inconclusive: no handshake is shown to its end".to_owned(),
        Verdict::NoHandshakes => "No TLS handshake in this log".to_owned(),
        Verdict::NoDebugOutput => "No TLS debug output in this log".to_owned(),
    }
}

fn cause(id: &str) -> Option<&'static Cause> {
    ALL.iter().copied().find(|cause| cause.id == id)
}

fn count(counts: &mut HandshakeCounts, row: &Row) {
    use crate::handshake::Outcome;
    counts.total += 1;
    match row.outcome {
        Outcome::Succeeded => counts.succeeded += 1,
        Outcome::Failed => counts.failed += 1,
        Outcome::Open => counts.incomplete += 1,
    }
}

fn hash(text: &str) -> String {
    STANDARD.encode(Sha256::digest(text.as_bytes()))
}
