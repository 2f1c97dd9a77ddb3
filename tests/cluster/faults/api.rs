//! The API server refuses, is slow, falls silent, or breaks connections, at each moment of a session's life.

use std::time::Duration;

use axum::http::Method;
use serde_json::json;
use tlsdebug::session::{Phase, TargetKind};

use super::{Ending, Matrix, note};
use crate::support::faults::{Fault, Request, Rule};
use crate::support::proxy::Proxy;
use crate::support::scenario;

/// When a fault begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    Injecting,
    Capturing,
    Restoring,
}

const MOMENTS: [Moment; 3] = [Moment::Injecting, Moment::Capturing, Moment::Restoring];

/// What requests are answered with, or not.
const REFUSALS: [Fault; 7] = [
    Fault::Answer(409),
    Fault::Answer(429),
    Fault::Answer(500),
    Fault::Answer(503),
    Fault::CutBefore,
    Fault::CutAfter,
    Fault::Hold,
];

fn is_read(request: &Request) -> bool {
    request.method == Method::GET && !request.is_watch() && !request.is_log()
}

/// The next writes and reads fail, so many of each.
fn refuse(proxy: &Proxy, fault: Fault, times: usize) {
    proxy.add(Rule::new(fault, Request::is_write).times(times));
    proxy.add(Rule::new(fault, is_read).times(times));
}

/// Streams that are open break, and so many of those that are opened next fail like this.
fn spoil_streams(proxy: &Proxy, fault: Fault, times: usize) {
    proxy.add(Rule::new(fault, |request| request.is_watch() || request.is_log()).times(times));
    proxy.break_streams();
}

/// One session, and `spoil` at a moment of its life.
async fn cell(matrix: &Matrix<'_>, proxy: &Proxy, session: &str, moment: Moment, what: &str, spoil: impl Fn(&Proxy)) {
    if moment == Moment::Injecting {
        spoil(proxy);
    }
    matrix.create(session);
    matrix.captures(session).await;
    if moment == Moment::Capturing {
        spoil(proxy);
        // Something to look at: a pod is replaced.
        matrix
            .scenario
            .kubectl(&["delete", "pod", "--selector", "app=orders", "--wait=false"])
            .done();
        matrix.scenario.all_settled(matrix.kind, "orders").await;
    }
    if moment == Moment::Restoring {
        spoil(proxy);
    }
    let lived = matrix.ends(session).await;
    let hits = proxy.clear();
    assert!(!hits.is_empty(), "{what} has befallen no request");
    let status = lived.status.as_ref().unwrap();
    assert_eq!(
        (status.phase, &status.failure),
        (Phase::Completed, &None),
        "{what}: {hits:?}"
    );
    let what = format!("{what} ({} requests)", hits.len());
    note(&format!("API server, {moment:?}"), &what, &lived);
}

fn all_refusals(name: &str, moment: Moment) {
    scenario(name, async |scenario| {
        let matrix = Matrix::new(scenario, TargetKind::Deployment, json!({}), Ending::Stopped).await;
        let proxy = scenario.proxied();
        for (number, fault) in REFUSALS.into_iter().enumerate() {
            let session = format!("session-{number}");
            // Each request that is not answered costs the time that is waited for an answer.
            let times = if fault == Fault::Hold { 1 } else { 2 };
            let what = fault.to_string();
            cell(&matrix, proxy, &session, moment, &what, |proxy| {
                refuse(proxy, fault, times);
            })
            .await;
        }
    });
}

#[test]
#[ignore = "long: make faults"]
fn refuses_when_a_session_begins() {
    all_refusals("refused-injecting", Moment::Injecting);
}

#[test]
#[ignore = "long: make faults"]
fn refuses_while_a_session_captures() {
    all_refusals("refused-capturing", Moment::Capturing);
}

#[test]
#[ignore = "long: make faults"]
fn refuses_when_a_session_ends() {
    all_refusals("refused-restoring", Moment::Restoring);
}

#[test]
#[ignore = "long: make faults"]
fn breaks_watches_and_log_streams() {
    scenario("streams-broken", async |scenario| {
        let matrix = Matrix::new(scenario, TargetKind::Deployment, json!({}), Ending::Stopped).await;
        let proxy = scenario.proxied();
        let faults = [
            Fault::Break(Duration::from_millis(300)),
            Fault::End(Duration::from_millis(300)),
            Fault::Expired,
            Fault::Answer(410),
            Fault::Answer(500),
            Fault::CutBefore,
            Fault::Freeze,
            Fault::Hold,
        ];
        for (number, fault) in faults.into_iter().enumerate() {
            for moment in MOMENTS {
                let session = format!("session-{number}-{moment:?}").to_lowercase();
                let what = format!("streams: {fault}");
                // Before a session begins there is one stream, which is given up only after a time.
                let is_silent = [Fault::Freeze, Fault::Hold].contains(&fault);
                let times = if is_silent && moment == Moment::Injecting { 1 } else { 3 };
                cell(&matrix, proxy, &session, moment, &what, |proxy| {
                    spoil_streams(proxy, fault, times);
                })
                .await;
            }
        }
    });
}

#[test]
fn fails_at_every_turn_of_one_session() {
    scenario("api-fails", async |scenario| {
        let matrix = Matrix::new(scenario, TargetKind::Deployment, json!({}), Ending::Stopped).await;
        let proxy = scenario.proxied();
        refuse(proxy, Fault::Answer(503), 1);
        refuse(proxy, Fault::CutAfter, 1);
        matrix.create("session");
        matrix.captures("session").await;
        spoil_streams(proxy, Fault::Expired, 3);
        refuse(proxy, Fault::Answer(429), 1);
        refuse(proxy, Fault::Answer(409), 1);
        let lived = matrix.ends("session").await;
        let hits = proxy.clear();
        let status = lived.status.as_ref().unwrap();
        assert_eq!((status.phase, &status.failure), (Phase::Completed, &None), "{hits:?}");
        assert!(hits.len() > 8, "{hits:?}");
        note(
            "API server, always",
            "503, cut, 410, 429 and 409 in one session",
            &lived,
        );
    });
}

#[test]
#[ignore = "long: make faults"]
fn is_slow_from_beginning_to_end() {
    scenario("api-slow", async |scenario| {
        let matrix = Matrix::new(scenario, TargetKind::Deployment, json!({}), Ending::Stopped).await;
        let proxy = scenario.proxied();
        for (session, delay) in [("one-second", 1), ("three-seconds", 3)] {
            let fault = Fault::Delay(Duration::from_secs(delay));
            proxy.add(Rule::new(fault, |request| !request.is_watch()));
            matrix.create(session);
            matrix.captures(session).await;
            let lived = matrix.ends(session).await;
            proxy.clear();
            note("API server, always", &format!("every {fault}"), &lived);
        }
    });
}

#[test]
#[ignore = "long: make faults"]
fn does_not_answer_the_first_requests_of_an_operator() {
    scenario("api-silent-first", async |scenario| {
        let matrix = Matrix::new(scenario, TargetKind::Deployment, json!({}), Ending::Stopped).await;
        let proxy = scenario.proxied();
        for (session, fault, concerns) in [
            (
                "first-list",
                Fault::Hold,
                (|request| request.resource() == "tlsdebugsessions") as fn(&Request) -> bool,
            ),
            ("first-watch", Fault::Hold, Request::is_watch),
            ("silent-watch", Fault::Freeze, Request::is_watch),
        ] {
            scenario.kill_operator();
            proxy.add(Rule::new(fault, concerns).times(1));
            scenario.start_operator();
            scenario
                .eventually("the request", async || (proxy.hits() == 1).then_some(()))
                .await;
            matrix.create(session);
            matrix.captures(session).await;
            let lived = matrix.ends(session).await;
            proxy.clear();
            note(
                "API server, at the operator's start",
                &format!("{session}: {fault}"),
                &lived,
            );
        }
    });
}
