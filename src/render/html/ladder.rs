//! A handshake as a ladder: the client left, the server right, each message an arrow between them, down to where it broke.

use maud::{Markup, html};

use super::words::{capital, clean, counted, end, name, other};
use crate::diagnosis::Row;
use crate::handshake::{Entry, Failure, Handshake, Outcome, Side, Step};
use crate::log::moment::{Moment, moment};
use crate::log::{ClientHello, Names, ServerHello, Thrown};

/// One end as its own log tells it.
#[derive(Clone, Copy)]
pub(super) struct End<'a> {
    pub(super) row: &'a Row,
    pub(super) handshake: &'a Handshake,
    /// The name of its log.
    pub(super) source: &'a str,
}

/// A rung: what an end's log, or both ends' logs, say at one point.
#[derive(Debug, Clone)]
struct Rung<'a> {
    what: What<'a>,
    /// The end that sent the message, or whose log has the note.
    from: Option<Side>,
    /// The record in the client's and in the server's log.
    told: [Option<&'a Entry>; 2],
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What<'a> {
    Message(&'a str),
    Alert(&'a str),
    Note(&'a str),
    Error(&'a str),
}

/// The ladder of a handshake, with the other end's log beside it where there is one.
pub(super) fn ladder(this: End<'_>, that: Option<End<'_>>) -> Markup {
    let side = this.row.side.unwrap_or(Side::Client);
    let mut rungs = rungs(this.handshake, side);
    if let Some(that) = that {
        rungs = merge(&rungs, &self::rungs(that.handshake, other(side)));
    }
    let ends = [this, that.unwrap_or(this)];
    let end_of = |wanted: Side| {
        if wanted == side { Some(this) } else { that }
    };
    let (client, server) = (end_of(Side::Client), end_of(Side::Server));
    let start = |end: Option<End<'_>>| {
        end.and_then(|end| {
            end.handshake
                .transcript()
                .iter()
                .find_map(|entry| entry.time.as_deref().and_then(moment))
        })
    };
    let starts = [start(client), start(server)];
    let class = match (client.is_some(), server.is_some()) {
        (true, true) => "both",
        (true, false) => "left",
        _ => "right",
    };
    // Of several the last one is kept, and the only one that is answered.
    let hello = rungs.iter().rposition(|rung| rung.what == What::Message("ClientHello"));
    let broke = rungs
        .iter()
        .position(|rung| matches!(rung.what, What::Alert(_) | What::Error(_)));
    html! {
        div .ladder.{(class)} {
            (heads(client, server, ends[0]))
            ol {
                @for (index, rung) in rungs.iter().enumerate() {
                    (one(rung, &ends, starts, class, hello == Some(index), this.row.outcome == Outcome::Failed && broke == Some(index)))
                }
                (foot(this, that, &rungs))
            }
        }
    }
}

fn heads(client: Option<End<'_>>, server: Option<End<'_>>, this: End<'_>) -> Markup {
    let host = this.row.server_name.as_deref().map(clean);
    let log = |end: Option<End<'_>>| {
        html! {
            @if let Some(end) = end { span .log title=(clean(end.source)) { (clean(file(end.source))) } } @else { span .log { "no log of this end" } }
        }
    };
    html! {
        div .heads {
            p .end.unknown[client.is_none()] { strong { "Client" } (log(client)) }
            p .end.unknown[server.is_none()] {
                strong { "Server" @if let Some(host) = host { " " span .host { (host) } } }
                (log(server))
            }
        }
    }
}

/// The name of a file without its folders.
fn file(source: &str) -> &str {
    source.rsplit(['/', '\\']).next().unwrap_or(source)
}

fn one(
    rung: &Rung<'_>,
    ends: &[End<'_>; 2],
    starts: [Option<Moment>; 2],
    class: &str,
    last_hello: bool,
    broke: bool,
) -> Markup {
    let gutter = |index: usize| {
        let shown = class == "both" || (class == "left") == (index == 0);
        let told = rung.told[index];
        let offset = told
            .and_then(|entry| entry.time.as_deref().and_then(moment))
            .zip(starts[index])
            .map(|(at, start)| at.clock - start.clock);
        html! {
            @if shown {
                div .at {
                    @if let Some(entry) = told {
                        span .line { "line " (entry.line) }
                        @if let Some(offset) = offset { " " span .offset { "+" (milliseconds(offset)) } }
                    }
                }
            }
        }
    };
    let from = rung.from.unwrap_or(Side::Client);
    let (kind, direction) = match (&rung.what, from) {
        (What::Message(_), Side::Client) => ("message", "to-server"),
        (What::Message(_), Side::Server) => ("message", "to-client"),
        (What::Alert(_), Side::Client) => ("alert", "to-server"),
        (What::Alert(_), Side::Server) => ("alert", "to-client"),
        (What::Note(_), Side::Client) => ("note", "at-client"),
        (What::Note(_), Side::Server) => ("note", "at-server"),
        (What::Error(_), Side::Client) => ("error", "at-client"),
        (What::Error(_), Side::Server) => ("error", "at-server"),
    };
    html! {
        li .{(kind)} .{(direction)} .broke[broke] .unsure[rung.from.is_none() && kind == "message"] {
            (gutter(0))
            div .mid { div .says { (says(rung, from, ends, last_hello)) } @if kind == "message" || kind == "alert" { div .arrow aria-hidden="true" {} } }
            (gutter(1))
        }
    }
}

fn says(rung: &Rung<'_>, from: Side, ends: &[End<'_>; 2], last_hello: bool) -> Markup {
    let sender = capital(end(from));
    match rung.what {
        What::Message(name) => html! {
            span .unheard { (sender) " sends " }
            strong { (name) }
            @if name != "ClientHello" || last_hello { (content(name, from, ends)) }
        },
        What::Alert(name) => html! { span .unheard { (sender) " sends " } strong { "Alert " (clean(name)) } },
        What::Note(text) => html! { span .unheard { (sender) ": " } (clean(text)) },
        What::Error(text) => {
            html! { span .sign aria-hidden="true" { "✕ " } span .unheard { "Error at the " (end(from)) ": " } (clean(text)) }
        }
    }
}

/// What the messages that matter hold.
fn content(message: &str, from: Side, ends: &[End<'_>; 2]) -> Markup {
    let first = |find: &dyn Fn(&Handshake) -> Option<Markup>| {
        ends.iter().find_map(|end| find(end.handshake)).unwrap_or_default()
    };
    match message {
        "ClientHello" => first(&|handshake| {
            let hello = handshake.client_hello.as_ref()?;
            Some(offer(hello, handshake.server_hello.as_ref()))
        }),
        "ServerHello" => first(&|handshake| {
            let hello = handshake.server_hello.as_ref()?;
            let version = handshake.version.as_deref().unwrap_or(&hello.version);
            let chosen: Vec<&str> = [version, &hello.cipher_suite]
                .into_iter()
                .filter(|word| !word.is_empty())
                .collect();
            (!chosen.is_empty()).then(|| html! { span .sub { "chooses " (clean(&chosen.join(", "))) } })
        }),
        "Certificate" => ends
            .iter()
            .find_map(|end| {
                let chain = if end.row.side == Some(from) {
                    end.handshake.own_chain.as_ref()
                } else {
                    end.handshake.peer_chain.as_ref()
                };
                let chain = chain?;
                let names: Vec<String> = chain.iter().map(|certificate| name(&certificate.subject).0).collect();
                Some(if names.is_empty() {
                    html! { span .sub { "no certificate" } }
                } else {
                    html! { span .sub { (counted(names.len() as u64, "certificate")) ": " (names.join(" → ")) } }
                })
            })
            .unwrap_or_default(),
        "CertificateRequest" => first(&|handshake| {
            let authorities = handshake.requested.as_ref()?;
            Some(if authorities.is_empty() {
                html! { span .sub { "of any authority" } }
            } else {
                let names: Vec<String> = authorities.iter().take(3).map(|authority| name(authority).0).collect();
                html! {
                    span .sub {
                        "of " (names.join(", "))
                        @if authorities.len() > 3 { " and " (authorities.len() - 3) " more" }
                    }
                }
            })
        }),
        _ => html! {},
    }
}

fn offer<'a>(hello: &'a ClientHello, chosen: Option<&ServerHello>) -> Markup {
    let suites: Vec<&str> = hello.offered_suites().collect();
    let versions = hello.offered_versions();
    let list = |title: &str, items: Vec<&str>, chosen: Option<&str>| {
        html! {
            @if !items.is_empty() {
                dt { (title) }
                dd {
                    @for item in items {
                        @if chosen == Some(item) { span .item.chosen { (clean(item)) " (chosen)" } } @else { span .item { (clean(item)) } }
                        " "
                    }
                }
            }
        }
    };
    let refs = |names: &'a Names| names.iter().collect::<Vec<&str>>();
    html! {
        span .sub {
            "offers " (clean(&versions.join(", ")))
            @if !suites.is_empty() { @if !versions.is_empty() { ", " } (counted(suites.len() as u64, "cipher suite")) }
            @if let Some(host) = &hello.server_name { ", for " (clean(host)) }
        }
        @if !suites.is_empty() {
            details .offer {
                summary { "All that is offered" }
                dl {
                    (list("Versions", versions, chosen.map(|hello| hello.version.as_str())))
                    (list("Cipher suites", suites, chosen.map(|hello| hello.cipher_suite.as_str())))
                    (list("Groups", refs(&hello.groups), None))
                    (list("Signature algorithms", refs(&hello.signature_algorithms), None))
                    (list("Application protocols", refs(&hello.application_protocols), None))
                }
            }
        }
    }
}

/// How it ended.
fn foot(this: End<'_>, that: Option<End<'_>>, rungs: &[Rung<'_>]) -> Markup {
    let (class, text) = match this.row.outcome {
        Outcome::Succeeded => {
            let elsewhere = that.is_some_and(|that| that.row.outcome == Outcome::Failed);
            let text = if elsewhere {
                "✓ finished for this end; the other end failed"
            } else {
                "✓ both ends have finished"
            };
            ("good", text)
        }
        Outcome::Failed => ("bad", "✕ the handshake broke here"),
        Outcome::Open if rungs.len() <= 1 => ("open", "… no answer in this log"),
        Outcome::Open => ("open", "… the log shows no end"),
    };
    html! { li .foot.{(class)} { div .mid { (text) } } }
}

/// The rungs that one end's log tells.
fn rungs(handshake: &Handshake, side: Side) -> Vec<Rung<'_>> {
    let mut rungs: Vec<Rung<'_>> = Vec::new();
    let sent_alert = handshake
        .transcript()
        .iter()
        .any(|entry| matches!(entry.step, Step::Alert(_)) && entry.from == Some(side));
    let place = usize::from(side == Side::Server);
    for entry in handshake.transcript() {
        let mut told = [None, None];
        told[place] = Some(entry);
        let mut push = |what, from| rungs.push(Rung { what, from, told });
        match &entry.step {
            Step::Message(name) => push(What::Message(name), entry.from),
            Step::Alert(name) => push(What::Alert(name), entry.from.or(Some(other(side)))),
            Step::Note(text) => push(What::Note(text), Some(side)),
            Step::Error { message, alert } => {
                if !message.is_empty() {
                    push(What::Error(message), Some(side));
                }
                let broken = Failure::new(message.clone(), Thrown::default());
                if let Some(alert) = alert
                    && !sent_alert
                    && !broken.is_transport()
                {
                    push(What::Alert(alert), Some(side));
                }
            }
        }
    }
    // The same words a second time say nothing new.
    rungs.dedup_by(|next, known| {
        next.what == known.what && next.from == known.from && matches!(known.what, What::Error(_) | What::Note(_))
    });
    rungs
}

/// The rungs of both ends as one ladder: messages that both logs have are one rung, by the longest common subsequence.
fn merge<'a>(this: &[Rung<'a>], that: &[Rung<'a>]) -> Vec<Rung<'a>> {
    let same = |a: &Rung<'_>, b: &Rung<'_>| {
        matches!(a.what, What::Message(_) | What::Alert(_))
            && a.what == b.what
            && (a.from == b.from || a.from.is_none() || b.from.is_none())
    };
    let (rows, columns) = (this.len(), that.len());
    let mut longest = vec![vec![0_usize; columns + 1]; rows + 1];
    for row in (0..rows).rev() {
        for column in (0..columns).rev() {
            longest[row][column] = if same(&this[row], &that[column]) {
                longest[row + 1][column + 1] + 1
            } else {
                longest[row + 1][column].max(longest[row][column + 1])
            };
        }
    }
    let mut merged = Vec::with_capacity(rows + columns);
    let (mut row, mut column) = (0, 0);
    while row < rows && column < columns {
        if same(&this[row], &that[column]) {
            let mut rung = this[row].clone();
            rung.from = rung.from.or(that[column].from);
            for (told, other) in rung.told.iter_mut().zip(that[column].told) {
                *told = told.or(other);
            }
            merged.push(rung);
            (row, column) = (row + 1, column + 1);
        } else if longest[row + 1][column] >= longest[row][column + 1] {
            merged.push(this[row].clone());
            row += 1;
        } else {
            merged.push(that[column].clone());
            column += 1;
        }
    }
    merged.extend(this[row..].iter().cloned());
    merged.extend(that[column..].iter().cloned());
    merged
}

fn milliseconds(time: i64) -> String {
    if time.abs() < 10_000 {
        format!("{time} ms")
    } else {
        format!("{}.{} s", time / 1000, (time % 1000).abs() / 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Excerpt;

    fn rung(what: What<'static>, from: Side, place: usize, entry: &'static Entry) -> Rung<'static> {
        let mut told = [None, None];
        told[place] = Some(entry);
        Rung {
            what,
            from: Some(from),
            told,
        }
    }

    #[test]
    fn messages_that_both_logs_have_are_one_rung() {
        let entry: &'static Entry = Box::leak(Box::new(Entry {
            step: Step::Note(String::new()),
            from: None,
            line: 1,
            time: None,
            lines: Excerpt::new(),
        }));
        let client = vec![
            rung(What::Message("ClientHello"), Side::Client, 0, entry),
            rung(What::Error("refused"), Side::Client, 0, entry),
            rung(What::Alert("unknown_ca"), Side::Client, 0, entry),
        ];
        let server = vec![
            rung(What::Message("ClientHello"), Side::Client, 1, entry),
            rung(What::Message("ServerHello"), Side::Server, 1, entry),
            rung(What::Alert("unknown_ca"), Side::Client, 1, entry),
        ];
        let merged = merge(&client, &server);
        let both: Vec<bool> = merged
            .iter()
            .map(|rung| rung.told.iter().all(Option::is_some))
            .collect();
        assert_eq!(merged.len(), 4);
        assert_eq!((both[0], both[3]), (true, true));
        assert!(merged.iter().any(|rung| rung.what == What::Message("ServerHello")));
    }
}
