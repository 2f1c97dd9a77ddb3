//! Clocks that are wrong or are set: a session ends in time, or early, and never late by more than its own duration.

use std::time::{Duration, Instant};

use serde_json::json;
use tlsdebug::session::Phase;
use tlsdebug::session::conditions::ConditionType;

use crate::support::scenario;
use crate::support::sessions::condition;
use crate::support::workloads::literal;

#[test]
fn one_that_goes_forward_ends_sessions() {
    scenario("clock-forward", async |scenario| {
        scenario.deployed("orders", &literal()).await;
        let before = scenario.snapshot("orders").await;
        scenario.create_session("session", "orders", &json!({"duration": "1h"}));
        scenario.reached("session", Phase::Capturing).await;
        scenario.step_clock("2h");
        let status = scenario.finished("session").await;
        assert_eq!(status.phase, Phase::Completed);
        assert_eq!(condition(&status, ConditionType::Capturing).reason, "Expired");
        scenario.assert_as_before("orders", &before).await;
    });
}

#[test]
fn one_that_goes_back_does_not_lengthen_a_session() {
    scenario("clock-back", async |scenario| {
        scenario.deployed("orders", &literal()).await;
        let before = scenario.snapshot("orders").await;
        scenario.create_session("session", "orders", &json!({"duration": "30s"}));
        scenario.reached("session", Phase::Capturing).await;
        let begin = Instant::now();
        scenario.step_clock("-2h");
        let status = scenario.finished("session").await;
        assert_eq!(status.phase, Phase::Completed);
        assert_eq!(condition(&status, ConditionType::Capturing).reason, "Expired");
        assert!(begin.elapsed() < Duration::from_mins(1), "{:?}", begin.elapsed());
        scenario.assert_as_before("orders", &before).await;
    });
}
