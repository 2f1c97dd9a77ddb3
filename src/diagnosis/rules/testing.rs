//! Small logs for the tests of the rules, in the layout of JDK 17.

use crate::diagnosis::Diagnoser;
use crate::diagnosis::report::{Finding, Report};

const SUITES: &str =
    "TLS_AES_256_GCM_SHA384(0x1302), TLS_AES_128_GCM_SHA256(0x1301), TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384(0xC030)";

/// One record on the thread `main`.
pub(super) fn record(message: &str, payload: Option<&str>) -> String {
    let head = format!("javax.net.ssl|DEBUG|10|main|2026-11-23 14:54:54.556 GMT|X.java:1|{message}");
    payload.map_or_else(|| format!("{head}\n"), |payload| format!("{head} (\n{payload}\n)\n"))
}

/// A ClientHello of this end.
pub(super) fn client_hello(host: &str) -> String {
    client_hello_of(host, SUITES)
}

/// A ClientHello of this end that offers these suites.
pub(super) fn client_hello_of(host: &str, suites: &str) -> String {
    let payload = format!(
        "\"ClientHello\": {{\n  \"client version\"      : \"TLSv1.2\",\n  \"random\"              : \"AA{}\",\n  \"cipher suites\"       : \
         \"[{suites}]\",\n  \"extensions\"          : [\n    \"server_name (0)\": {{\n      type=host_name (0), value={host}\n    }},\n    \
         \"supported_versions (43)\": {{\n      \"versions\": [TLSv1.3, TLSv1.2]\n    }}\n  ]\n}}",
        host.len()
    );
    record("Produced ClientHello handshake message", Some(&payload))
}

/// A ClientHello of this end that offers these groups and signature schemes.
pub(super) fn client_hello_with(host: &str, groups: &str, schemes: &str) -> String {
    client_hello(host).replace(
        "    \"supported_versions",
        &format!(
            "    \"supported_groups (10)\": {{\n      \"versions\": [{groups}]\n    }},\n    \"signature_algorithms (13)\": {{\n      \
             \"signature schemes\": [{schemes}]\n    }},\n    \"supported_versions"
        ),
    )
}

/// The ServerHello that comes in.
pub(super) fn server_hello(version: &str) -> String {
    let payload = format!(
        "\"ServerHello\": {{\n  \"server version\"      : \"{version}\",\n  \"cipher suite\"        : \"TLS_AES_256_GCM_SHA384(0x1302)\"\n}}"
    );
    record("Consuming ServerHello handshake message", Some(&payload))
}

/// One certificate of a chain.
#[derive(Clone, Copy)]
pub(super) struct Link<'a> {
    pub(super) subject: &'a str,
    pub(super) issuer: &'a str,
    pub(super) not_after: &'a str,
    pub(super) names: &'a [&'a str],
}

impl<'a> Link<'a> {
    pub(super) fn new(subject: &'a str, issuer: &'a str) -> Self {
        Self {
            subject,
            issuer,
            not_after: "2036-11-20 14:47:22.000 GMT",
            names: &[],
        }
    }
}

impl std::fmt::Display for Link<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "  \"certificate\" : {{\n    \"version\"            : \"v3\",\n    \"serial number\"      : \"{:02x}\",\n    \"issuer\"             : \
             \"{}\",\n    \"not before\"         : \"2019-11-23 14:47:22.000 GMT\",\n    \"not  after\"         : \"{}\",\n    \
             \"subject\"            : \"{}\",\n    \"subject public key\" : \"RSA\",\n    \"extensions\"         : [\n      {{\n        ObjectId: \
             2.5.29.17 Criticality=false\n        SubjectAlternativeName [\n",
            self.subject.len() + 1,
            self.issuer,
            self.not_after,
            self.subject
        )?;
        for name in self.names {
            writeln!(f, "          DNSName: {name}")?;
        }
        write!(f, "        ]\n      }}\n    ]}}")
    }
}

/// A server's chain that comes in.
pub(super) fn server_chain(chain: &[Link<'_>]) -> String {
    let list: Vec<String> = chain.iter().map(Link::to_string).collect();
    record(
        "Consuming server Certificate handshake message",
        Some(&format!("\"Certificates\": [\n{}\n]", list.join(",\n"))),
    )
}

/// A fatal error of this end with one exception beneath.
pub(super) fn fatal(alert: &str, message: &str, class: &str) -> String {
    fatal_with(alert, message, &[&format!("{class}: {message}")])
}

/// A fatal error of this end with these lines of a throwable.
pub(super) fn fatal_with(alert: &str, message: &str, thrown: &[&str]) -> String {
    let lines: Vec<String> = thrown
        .iter()
        .map(|line| format!("  {line}\n  \tat java.base/x.Y.startHandshake(Y.java:1)"))
        .collect();
    record(
        &format!("Fatal ({alert}): {message}"),
        Some(&format!("\"throwable\" : {{\n{}}}\n", lines.join("\n"))),
    )
}

/// A fatal alert of the peer.
pub(super) fn received(alert: &str) -> String {
    record(
        "Received alert message",
        Some(&format!(
            "\"Alert\": {{\n  \"level\"      : \"fatal\",\n  \"description\": \"{alert}\"\n}}"
        )),
    ) + &fatal(
        &alert.to_uppercase(),
        &format!("Received fatal alert: {alert}"),
        "javax.net.ssl.SSLHandshakeException",
    )
}

/// The report on a log.
pub(super) fn report(log: &str) -> Report {
    let mut diagnoser = Diagnoser::new("log");
    diagnoser.feed(log.as_bytes());
    diagnoser.finish();
    diagnoser.report()
}

/// The only finding on a log.
pub(super) fn only(log: &str) -> Finding {
    let mut report = report(log);
    assert_eq!(report.findings.len(), 1, "{report:#?}");
    report.findings.remove(0)
}
