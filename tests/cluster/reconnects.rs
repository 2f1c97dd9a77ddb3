//! Reading logs over connections that break again and again, and over rotation: compared with what the container runtime
//! has written. No line is lost and none is read twice, or it is said.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use serde_json::json;
use tlsdebug::session::Phase;
use tlsdebug::session::status::PodCapture;

use crate::support::faults::{Fault, Request, Rule};
use crate::support::random::Random;
use crate::support::workloads::{deployment, literal};
use crate::support::{Scenario, scenario, table};

/// Writes lines of different lengths to both streams until there is a file `/tmp/stop`: LINES to each stream ten times a
/// second, of which every 800th has 20,000 characters.
const PROGRAM: &str = r#"
write() {
	awk -v name="$1" -v lines="$LINES" 'BEGIN {
		while (length(pad) < 20000) pad = pad "0123456789abcdef"
		srand(length(name))
		while ((getline none < "/tmp/stop") < 0) {
			for (i = 0; i < lines; i++) {
				size = ++number % 800 ? int(rand() * 60) : 20000
				print name, number, substr(pad, 1, size)
			}
			fflush()
			system("sleep 0.1")
		}
	}'
}
trap 'exit 0' TERM
case "$JAVA_CUSTOM_OPTS" in *.debug=ssl*) write out & write errors >&2 & esac
while :; do sleep 1 & wait $!; done
"#;

/// A session that reads a pod with this many lines for each stream and tenth of a second.
async fn read(scenario: &Scenario, lines: u32) -> String {
    let mut environment = literal();
    let entries = environment.as_array_mut().unwrap();
    entries.push(json!({"name": "LINES", "value": lines.to_string()}));
    let mut manifest = deployment("orders", &environment);
    manifest["spec"]["template"]["spec"]["containers"][0]["command"] = json!(["sh", "-c", PROGRAM]);
    scenario.apply(&manifest);
    scenario.rolled_out("orders").await;
    scenario.create_session("session", "orders", &json!({"maxLogBytes": 17_179_869_184_u64}));
    let pod = scenario
        .eventually("a pod with the flag", async || {
            let pods = scenario.pods("orders").await;
            let has_flag = |pod: &&Pod| json!(pod.spec).to_string().contains("javax.net.debug");
            pods.iter().find(has_flag).map(ResourceExt::name_any)
        })
        .await;
    scenario
        .eventually("a thousand lines to be read", async || {
            let read = read_so_far(scenario, &pod).await?;
            (read.lines > 1000).then_some(())
        })
        .await;
    pod
}

/// What the operator has read so far. Lines without debug records are no reason for it to look at the session; a change
/// of the pod is.
async fn read_so_far(scenario: &Scenario, pod: &str) -> Option<PodCapture> {
    let now = format!("looked-at={}", jiff::Timestamp::now().as_millisecond());
    scenario.kubectl(&["annotate", "pod", pod, "--overwrite", &now]).done();
    let status = scenario.status("session").await;
    status.pods.into_iter().find(|read| read.name == pod)
}

fn end_writing(scenario: &Scenario, pod: &str) {
    scenario.kubectl(&["exec", pod, "--", "touch", "/tmp/stop"]).done();
}

/// Waits until nothing more comes.
async fn end_of_reading(scenario: &Scenario, pod: &str) -> PodCapture {
    let mut last = (0, Instant::now());
    loop {
        let read = read_so_far(scenario, pod).await.unwrap();
        if read.lines != last.0 {
            last = (read.lines, Instant::now());
        } else if last.1.elapsed() > Duration::from_secs(12) {
            // A stream is opened again within 10 s of a break.
            return read;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// What is in a container's log file.
#[derive(Debug, Default)]
struct Written {
    lines: u64,
    bytes: u64,
    /// Lines that the runtime has written in several parts.
    long: u64,
    /// Lines in a second.
    rate: u64,
}

/// Where the kubelet keeps the log files of a pod's container.
async fn folder(scenario: &Scenario, pod: &str) -> PathBuf {
    let pods = scenario.pods("orders").await;
    let uid = pods.iter().find(|one| one.name_any() == pod).unwrap().uid().unwrap();
    let state = PathBuf::from(std::env::var_os("KUBECONFIG").unwrap());
    let logs = state.with_file_name("pod-logs");
    logs.join(format!("{}_{pod}_{uid}/main", scenario.namespace))
}

fn files(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

/// How many lines were written, by the numbers that they bear: rotated files are packed, and the oldest are deleted. The
/// latest one of these is not packed yet, and the current one may be empty.
fn numbered(folder: &Path) -> u64 {
    let paths = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let unpacked = paths.filter(|path| path.extension().is_none_or(|extension| extension != "gz"));
    let texts: Vec<_> = unpacked
        .map(|path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned())
        .collect();
    let last = |name: &str| -> u64 {
        let lines = texts.iter().flat_map(|text| text.lines());
        let numbers = lines.filter_map(|line| line.split_once(name)?.1.split(' ').next()?.parse().ok());
        numbers.max().unwrap()
    };
    last(" F out ") + last(" F errors ")
}

impl Written {
    /// Counts as the runtime's format has it: `TIME STREAM TAG TEXT`, where tag P says that the line goes on.
    fn of(folder: &Path) -> Self {
        let mut written = Self::default();
        let mut times = Vec::new();
        assert_eq!(files(folder), 1, "the log was rotated");
        let bytes = std::fs::read(folder.join("0.log")).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        for line in text.lines() {
            let mut fields = line.splitn(4, ' ');
            let time: jiff::Timestamp = fields.next().unwrap().parse().unwrap();
            times.push(time);
            let is_part = fields.nth(1) == Some("P");
            written.bytes += fields.next().unwrap_or_default().len() as u64 + u64::from(!is_part);
            written.lines += u64::from(!is_part);
            written.long += u64::from(is_part);
        }
        let (first, last) = (times.iter().min().unwrap(), times.iter().max().unwrap());
        let milliseconds = u64::try_from(last.duration_since(*first).as_millis()).unwrap();
        written.rate = written.lines * 1000 / milliseconds;
        written
    }
}

/// Breaks the log stream so often at random moments.
async fn break_streams(scenario: &Scenario, times: usize, random: &mut Random) {
    let proxy = scenario.proxied_already();
    for _ in 0..times {
        let opened = proxy.passed(Request::is_log);
        // Often before what was read already has come once more, which takes a while; most often after that.
        tokio::time::sleep(Duration::from_millis(random.below(1500))).await;
        proxy.break_streams();
        scenario
            .eventually("the stream to be opened again", async || {
                (proxy.passed(Request::is_log) > opened).then_some(())
            })
            .await;
    }
}

fn note(what: &str, opened: usize, written: u64, read: &PodCapture) {
    let figures = [opened as u64, written, read.lines, read.gaps].map(|figure| figure.to_string());
    let [opened, written, lines, gaps] = &figures;
    table::row("reconnects", &[what, opened, written, lines, gaps]);
}

async fn reconnected(scenario: &Scenario, times: usize, lines: u32) {
    let mut random = Random::new();
    scenario.proxied();
    let pod = read(scenario, lines).await;
    break_streams(scenario, times, &mut random).await;
    let proxy = scenario.proxied_already();
    // The kubelet ends each stream after four hours: the same, but the connection is not broken.
    proxy.add(Rule::new(Fault::End(Duration::from_millis(500)), Request::is_log).times(5));
    proxy.break_streams();
    scenario
        .eventually("streams that end", async || (proxy.hits() == 5).then_some(()))
        .await;
    let opened = proxy.passed(Request::is_log);
    end_writing(scenario, &pod);
    let folder = folder(scenario, &pod).await;
    scenario
        .eventually("all that was written to be read", async || {
            let read = read_so_far(scenario, &pod).await?;
            (read.lines >= Written::of(&folder).lines).then_some(())
        })
        .await;
    // What is read twice may come later.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let read = read_so_far(scenario, &pod).await.unwrap();
    let written = Written::of(&folder);
    let (rate, long) = (written.rate, written.long);
    let what = format!("{times} breaks and 5 ends of the stream, {rate} lines/s, {long} lines over 16 KiB");
    note(&what, opened, written.lines, &read);
    assert_eq!(
        (read.lines, read.bytes, read.gaps),
        (written.lines, written.bytes, 0),
        "{written:?}"
    );
    assert!(written.long > 0);
    scenario.stop_session("session");
    assert_eq!(scenario.finished("session").await.phase, Phase::Completed);
}

#[test]
fn a_few_broken_streams_lose_nothing() {
    scenario("reconnects-few", async |scenario| reconnected(scenario, 8, 20).await);
}

#[test]
#[ignore = "long: make faults"]
fn two_hundred_broken_streams_lose_nothing() {
    // In four parts: the kubelet reads a log from its start whenever a stream is opened, ever more slowly.
    for part in ["one", "two", "three", "four"] {
        scenario(&format!("reconnects-{part}"), async |scenario| {
            reconnected(scenario, 50, 140).await;
        });
    }
}

#[test]
#[ignore = "long: make faults"]
fn what_rotation_takes_is_counted_as_a_gap() {
    scenario("rotation", async |scenario| {
        let mut random = Random::new();
        let proxy = scenario.proxied();
        let pod = read(scenario, 1000).await;
        break_streams(scenario, 10, &mut random).await;
        // Nothing is read for so long that a whole file goes.
        proxy.add(Rule::new(Fault::Answer(500), Request::is_log));
        proxy.break_streams();
        let folder = folder(scenario, &pod).await;
        // Twice as much as a file holds has to be written.
        let patience = Duration::from_mins(6);
        scenario
            .within(patience, "two rotations", async || (files(&folder) >= 3).then_some(()))
            .await;
        let before = read_so_far(scenario, &pod).await.unwrap().lines;
        proxy.clear();
        // That lines are missing shows when the next one comes.
        scenario
            .eventually("reading to go on", async || {
                (read_so_far(scenario, &pod).await?.lines > before).then_some(())
            })
            .await;
        end_writing(scenario, &pod);
        let read = end_of_reading(scenario, &pod).await;
        let written = numbered(&folder);
        let opened = proxy.passed(Request::is_log);
        note(
            "10 breaks, and two rotations while nothing can be read",
            opened,
            written,
            &read,
        );
        assert!(read.lines < written && read.gaps > 0, "{read:?} of {written}");
        scenario.stop_session("session");
        assert_eq!(scenario.finished("session").await.phase, Phase::Completed);
    });
}
