//! The dashboard's queries on a real Prometheus that scrapes the operator, whose path `TLSDEBUG_PROMETHEUS` holds
//! (`tests/monitoring.sh` sets it).

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tlsdebug::session::Phase;

use crate::diagnosis::start;
use crate::support::{Scenario, kubectl, scenario};

const DASHBOARD: &str = include_str!("../../charts/tlsdebug/files/dashboard.json");

/// What shows nothing as long as nothing goes wrong.
const MAY_BE_EMPTY: [&str; 2] = ["tlsdebug_refused_writes_total", "tlsdebug_failed_sessions_total"];

struct Prometheus {
    child: Child,
    address: String,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Prometheus {
    fn start(scenario: &Scenario, program: &str) -> Self {
        let address = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .to_string();
        let config = json!({
            "global": {"scrape_interval": "1s"},
            "scrape_configs": [{"job_name": "tlsdebug", "static_configs": [{"targets": [scenario.admin_address()]}]}]
        });
        let file = scenario.path("prometheus.yaml");
        std::fs::write(&file, config.to_string()).unwrap();
        let child = Command::new(program)
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", scenario.path("prometheus").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=error")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, address }
    }

    /// The results of a query; `None`: it does not answer yet.
    fn query(&self, query: &str) -> Option<Vec<Value>> {
        let url = format!("http://{}/api/v1/query", self.address);
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--get", &url, "--data-urlencode", &format!("query={query}")]);
        let answer: Value = serde_json::from_str(&kubectl::run(&mut curl, "").stdout).ok()?;
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        Some(answer["data"]["result"].as_array()?.clone())
    }
}

#[test]
fn the_dashboard_shows_what_sessions_do() {
    let Ok(program) = std::env::var("TLSDEBUG_PROMETHEUS") else {
        return;
    };
    scenario("monitoring", async |scenario| {
        let prometheus = Prometheus::start(scenario, &program);
        start(scenario, "missing-intermediate", "0").await;
        scenario.create_session("s", "orders", &json!({}));
        scenario
            .status_with("s", "the cause to be found", |status| {
                status
                    .findings
                    .iter()
                    .any(|finding| finding.cause == "MissingIntermediate")
            })
            .await;
        scenario.stop_session("s");
        assert_eq!(scenario.finished("s").await.phase, Phase::Completed);
        let number = |query: &str| -> f64 {
            let results = prometheus.query(query).unwrap_or_default();
            results
                .first()
                .map_or(0.0, |one| one["value"][1].as_str().unwrap().parse().unwrap())
        };
        scenario
            .eventually("the end to be scraped", async || {
                (number("tlsdebug_sessions{phase=\"Completed\"}") > 0.0).then_some(())
            })
            .await;
        for (query, least) in [
            ("tlsdebug_injections_total{strategy=\"Rollout\"}", 1.0),
            ("tlsdebug_restorations_total", 1.0),
            ("tlsdebug_handshakes_total{outcome=\"failed\"}", 1.0),
            ("tlsdebug_failed_handshakes_total{cause=\"MissingIntermediate\"}", 1.0),
            ("tlsdebug_log_bytes_total", 1000.0),
            ("tlsdebug_reconcile_duration_seconds_count", 5.0),
            ("tlsdebug_leader", 1.0),
        ] {
            assert!(number(query) >= least, "{query} is {}", number(query));
        }
        assert!(number("tlsdebug_session_overdue_seconds").abs() < f64::EPSILON);

        let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
        let panels = dashboard["panels"].as_array().unwrap();
        let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
        let queries: BTreeSet<&str> = targets.map(|target| target["expr"].as_str().unwrap()).collect();
        assert!(queries.len() > 10);
        for query in queries {
            let is_optional = MAY_BE_EMPTY.iter().any(|name| query.contains(name));
            let what = format!("{query} to show something");
            scenario
                .eventually(&what, async || {
                    prometheus
                        .query(query)
                        .filter(|results| is_optional || !results.is_empty())
                })
                .await;
        }
    });
}
