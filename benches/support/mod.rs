//! What both benchmarks measure with.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::api::LogParams;
use kube::{Api, Client};
use tlsdebug::diagnosis::report::Evidence;

/// The value below or at which so many hundredths of the values are, in milliseconds; not a number where there is none.
pub fn percentile(seconds: &[f64], hundredths: usize) -> f64 {
    let mut sorted = seconds.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() * hundredths).div_ceil(100).max(1) - 1;
    sorted.get(rank).map_or(f64::NAN, |seconds| seconds * 1000.0)
}

/// The container runtime's timestamp of a line; `None` where the pod is gone.
pub async fn written(client: &Client, namespace: &str, evidence: &Evidence) -> Option<Timestamp> {
    let with_times = LogParams {
        timestamps: true,
        ..LogParams::default()
    };
    let pods = Api::<Pod>::namespaced(client.clone(), namespace);
    let log = pods.logs(&evidence.source, &with_times).await.ok()?;
    let line = log.lines().nth(usize::try_from(evidence.line).unwrap() - 1)?;
    assert!(
        line.contains(evidence.text.trim_end_matches('…')),
        "line {} is {line:?}, not {:?}",
        evidence.line,
        evidence.text
    );
    line.split(' ').next()?.parse().ok()
}
