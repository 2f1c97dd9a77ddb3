//! What a user writes: the spec, its defaults, its bounds and its CEL rules.

use std::collections::BTreeSet;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::status::TLSDebugSessionStatus;

/// Turns on TLS debug output in one workload, reads why its handshakes fail, writes the answer into the status and
/// turns the output off again. The workload ends as it was before.
#[derive(CustomResource, Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "tlsdebug.io",
    version = "v1alpha1",
    kind = "TLSDebugSession",
    plural = "tlsdebugsessions",
    shortname = "tds",
    namespaced,
    status = "TLSDebugSessionStatus",
    derive = "PartialEq",
    printcolumn = r#"{"name":"Phase","type":"string","jsonPath":".status.phase"}"#,
    printcolumn = r#"{"name":"Target","type":"string","jsonPath":".spec.target.name"}"#,
    printcolumn = r#"{"name":"Cause","type":"string","jsonPath":".status.cause"}"#,
    printcolumn = r#"{"name":"Expires","type":"string","jsonPath":".status.expiresAt"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"Failed","type":"integer","jsonPath":".status.handshakes.failed","priority":1}"#,
    printcolumn = r#"{"name":"Verdict","type":"string","jsonPath":".status.verdict","priority":1}"#,
    printcolumn = r#"{"name":"Summary","type":"string","jsonPath":".status.summary"}"#,
    validation = Rule::new("self.metadata.name.size() <= 63").message("metadata.name may have at most 63 characters, so that it fits into a label"),
    validation = Rule::new("!has(self.spec.peer) || self.metadata.name.size() <= 58")
        .message("metadata.name may have at most 58 characters with spec.peer, whose session is named after it")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!(self.target.kind == 'Pod' && has(self.strategy) && self.strategy == 'Rollout')")
        .message("target.kind Pod has no controller that could roll it: leave strategy out or set it to Clone"),
    validation = Rule::new("!self.receiveTraffic || (has(self.strategy) && self.strategy == 'Clone') || self.target.kind == 'Pod'")
        .message("receiveTraffic is for strategy Clone: pods of a rollout keep their labels and receive traffic anyway"),
    validation = Rule::new("!(has(self.peer) && self.peer.kind == 'Pod' && has(self.strategy) && self.strategy == 'Rollout')")
        .message("peer.kind Pod has no controller that could roll it: leave strategy out or set it to Clone"),
    validation = Rule::new("!has(self.peer) || self.peer.kind != self.target.kind || self.peer.name != self.target.name")
        .message("peer is the other end of the connections: another workload than target"),
    validation = Rule::new("self.target == oldSelf.target").message("target is immutable: create a new session"),
    validation = Rule::new("has(self.peer) == has(oldSelf.peer) && (!has(self.peer) || self.peer == oldSelf.peer)")
        .message("peer is immutable: create a new session"),
    validation = Rule::new("has(self.strategy) == has(oldSelf.strategy) && (!has(self.strategy) || self.strategy == oldSelf.strategy)")
        .message("strategy is immutable: create a new session"),
    validation = Rule::new("self.receiveTraffic == oldSelf.receiveTraffic").message("receiveTraffic is immutable: create a new session"),
    validation = Rule::new("self.variable == oldSelf.variable").message("variable is immutable: create a new session"),
    validation = Rule::new("self.debug == oldSelf.debug").message("debug is immutable: create a new session"),
    validation = Rule::new("self.duration == oldSelf.duration").message("duration is immutable: create a new session"),
    validation = Rule::new("self.progressDeadline == oldSelf.progressDeadline").message("progressDeadline is immutable: create a new session"),
    validation = Rule::new("has(self.match) == has(oldSelf.match) && (!has(self.match) || self.match == oldSelf.match)")
        .message("match is immutable: create a new session"),
    validation = Rule::new("self.stopWhen == oldSelf.stopWhen").message("stopWhen is immutable: create a new session"),
    validation = Rule::new("self.stop == oldSelf.stop || self.stop").message("stop only goes from false to true: create a new session"),
    validation = Rule::new("self.maxPods == oldSelf.maxPods").message("maxPods is immutable: create a new session"),
    validation = Rule::new("self.maxLogBytes == oldSelf.maxLogBytes").message("maxLogBytes is immutable: create a new session"),
    validation = Rule::new("self.allowKeyMaterial == oldSelf.allowKeyMaterial").message("allowKeyMaterial is immutable: create a new session"),
    validation = Rule::new("has(self.ttlAfterFinished) == has(oldSelf.ttlAfterFinished) && (!has(self.ttlAfterFinished) || self.ttlAfterFinished == oldSelf.ttlAfterFinished)")
        .message("ttlAfterFinished is immutable: create a new session"),
)]
pub struct TLSDebugSessionSpec {
    /// The workload whose JVM is to be debugged; always in the session's own namespace.
    pub target: Target,

    /// The other end of the connections: a second workload of the namespace, debugged at the same time by a session of its
    /// own, which is named after this one with `-peer` behind it and ends with it. The logs of both are read as one: what
    /// only both ends prove is in this session's findings, and `status.handshakes` counts what both have seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::target")]
    pub peer: Option<Target>,

    /// How the flag gets into a JVM. Rollout: the workload is edited, and its controller replaces the pods, once to switch
    /// the output on and once to switch it off. Clone: one more pod runs with the flag, and the workload is left alone.
    /// Unset: Rollout, but Clone for a Pod; `status.strategy` says which one is in effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::strategy")]
    pub strategy: Option<Strategy>,

    /// Clone only: keep the labels that Services select, so that the clone receives traffic.
    #[serde(default)]
    pub receive_traffic: bool,

    /// The environment variable that carries the flag into the JVM. `JAVA_CUSTOM_OPTS` and `JAVA_DEBUGGER_OPTS` are read
    /// by webMethods' start scripts, `JAVA_TOOL_OPTIONS` by every JVM, `JDK_JAVA_OPTIONS` by the `java` launcher from
    /// JDK 9 on.
    #[serde(default)]
    pub variable: OptionsVariable,

    /// What the JVM is to print: the words of `-Djavax.net.debug`; `ssl` must be among them. `trustmanager` and
    /// `keymanager` prove more and print much more. Words that print keys or the transported data are not offered.
    #[serde(default = "default_debug")]
    #[schemars(schema_with = "schema::debug")]
    pub debug: BTreeSet<DebugOption>,

    /// How long the output stays on, from 30s to 8h, such as 10m or 1h30m. It counts from the moment when the first pod
    /// with the flag is ready or prints its first debug record.
    #[serde(default = "default_duration")]
    #[schemars(schema_with = "schema::duration")]
    pub duration: String,

    /// How long the session waits, from 1m to 2h, for the workload to be ready for the change, and then for the first pod
    /// with the flag. When it is over, the session gives up and restores.
    #[serde(default = "default_progress_deadline")]
    #[schemars(schema_with = "schema::progress_deadline")]
    pub progress_deadline: String,

    /// Which handshakes decide `status.cause`, `status.summary` and `stopWhen: FirstFailure`. All others are counted, and
    /// listed in `status.findings`. Unset: all handshakes decide.
    #[serde(default, rename = "match", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::matching")]
    pub matching: Option<Match>,

    /// What ends the session. Expired: the end of `duration`. FirstFailure: the first handshake that fails (with `match`:
    /// with one of those servers), or else the end of `duration`.
    #[serde(default)]
    pub stop_when: StopWhen,

    /// Set to true to end the session now and restore the workload. Cannot be set back.
    #[serde(default)]
    pub stop: bool,

    /// How many pods are read at the same time, from 1 to 20, the oldest first; the others are named in
    /// `status.warnings`.
    #[serde(default = "default_max_pods")]
    #[schemars(range(min = 1, max = 20))]
    pub max_pods: u32,

    /// How many bytes of log are read at most, over all pods: 1048576 (1 MiB) to 17179869184 (16 GiB).
    #[serde(default = "default_max_log_bytes")]
    #[schemars(range(min = 1_048_576, max = 17_179_869_184_u64))]
    pub max_log_bytes: u64,

    /// JDKs before 8u272 print TLS master secrets with this output, and they stay in the container's log. Unless this is
    /// true, the session ends and restores at the first such block.
    #[serde(default)]
    pub allow_key_material: bool,

    /// How long a session that has ended is kept before it deletes itself, from 0s to 720h. Unset: it is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::ttl")]
    pub ttl_after_finished: Option<String>,
}

/// A workload in the session's namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Target {
    /// Kind of the workload.
    pub kind: TargetKind,
    /// Name of the workload.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Container whose JVM is meant, a sidecar or init container too; needed only when the pod has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::container")]
    pub container: Option<String>,
}

/// Kinds of workloads that a session can have as its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs, reason = "the names are the Kubernetes kinds")]
pub enum TargetKind {
    Deployment,
    StatefulSet,
    DaemonSet,
    Pod,
}

impl std::fmt::Display for TargetKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{self:?}")
    }
}

/// How the flag gets into a JVM.
///
/// Rollout edits the workload, whose controller then rolls the pods. Clone runs one more pod with the flag and leaves
/// the workload alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs, reason = "described by the type")]
pub enum Strategy {
    Rollout,
    Clone,
}

/// Environment variables that a start script or a JVM reads options from.
///
/// `JAVA_CUSTOM_OPTS` and `JAVA_DEBUGGER_OPTS` are read by webMethods' start scripts, `JAVA_TOOL_OPTIONS` by every JVM,
/// `JDK_JAVA_OPTIONS` by the `java` launcher from JDK 9 on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs, reason = "described by the type")]
pub enum OptionsVariable {
    #[default]
    #[serde(rename = "JAVA_CUSTOM_OPTS")]
    JavaCustomOpts,
    #[serde(rename = "JAVA_DEBUGGER_OPTS")]
    JavaDebuggerOpts,
    #[serde(rename = "JAVA_TOOL_OPTIONS")]
    JavaToolOptions,
    #[serde(rename = "JDK_JAVA_OPTIONS")]
    JdkJavaOptions,
}

impl OptionsVariable {
    const ALL: [Self; 4] = [
        Self::JavaCustomOpts,
        Self::JavaDebuggerOpts,
        Self::JavaToolOptions,
        Self::JdkJavaOptions,
    ];

    /// The variable with this name; `None`: it is none of them.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|variable| variable.name() == name)
    }

    /// The variable's name in a container's environment.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::JavaCustomOpts => "JAVA_CUSTOM_OPTS",
            Self::JavaDebuggerOpts => "JAVA_DEBUGGER_OPTS",
            Self::JavaToolOptions => "JAVA_TOOL_OPTIONS",
            Self::JdkJavaOptions => "JDK_JAVA_OPTIONS",
        }
    }
}

/// Values of `javax.net.debug` that print neither secrets nor application data on JDK 8u272 and later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names are JSSE's")]
pub enum DebugOption {
    Ssl,
    Handshake,
    KeyManager,
    TrustManager,
    Record,
    Session,
    SslCtx,
    DefaultCtx,
    Verbose,
    RespMgr,
    Sni,
}

impl DebugOption {
    /// The word as `javax.net.debug` knows it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ssl => "ssl",
            Self::Handshake => "handshake",
            Self::KeyManager => "keymanager",
            Self::TrustManager => "trustmanager",
            Self::Record => "record",
            Self::Session => "session",
            Self::SslCtx => "sslctx",
            Self::DefaultCtx => "defaultctx",
            Self::Verbose => "verbose",
            Self::RespMgr => "respmgr",
            Self::Sni => "sni",
        }
    }
}

/// Which handshakes decide a session's cause.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Match {
    /// Names that the client asked for (`server_name` of its ClientHello), where `*` stands for any characters and `?` for
    /// one. Case does not matter. A handshake without a name matches none.
    pub server_names: Vec<String>,
}

/// What ends a session before its duration is over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs, reason = "described at the field")]
pub enum StopWhen {
    #[default]
    Expired,
    FirstFailure,
}

fn default_debug() -> BTreeSet<DebugOption> {
    [DebugOption::Ssl, DebugOption::Handshake].into()
}

fn default_duration() -> String {
    "15m".to_owned()
}

fn default_progress_deadline() -> String {
    "15m".to_owned()
}

const fn default_max_pods() -> u32 {
    3
}

const fn default_max_log_bytes() -> u64 {
    256 * 1024 * 1024
}

impl TLSDebugSessionSpec {
    /// The strategy in effect: a Pod can only be cloned, everything else is rolled unless the user says otherwise.
    #[must_use]
    pub fn effective_strategy(&self) -> Strategy {
        self.strategy.unwrap_or(match self.target.kind {
            TargetKind::Pod => Strategy::Clone,
            _ => Strategy::Rollout,
        })
    }

    /// The JVM option, `-Djavax.net.debug=` and the words in JSSE's customary order: it looks for `ssl` first.
    #[must_use]
    pub fn flag(&self) -> String {
        let words: Vec<_> = self.debug.iter().map(|option| option.word()).collect();
        format!("{FLAG}{}", words.join(","))
    }
}

/// How each flag begins.
pub const FLAG: &str = "-Djavax.net.debug=";

/// Schemas that a derive cannot express: CEL on values, and options without `null`.
mod schema {
    use schemars::{Schema, SchemaGenerator, json_schema};

    pub(super) fn strategy(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "enum": ["Rollout", "Clone"]})
    }

    pub(super) fn target(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<super::Target>()
    }

    pub(super) fn container(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "minLength": 1, "maxLength": 63})
    }

    pub(super) fn debug(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "array",
            "x-kubernetes-list-type": "set",
            "minItems": 1,
            "maxItems": 11,
            "items": {"type": "string", "enum": ["ssl", "handshake", "keymanager", "trustmanager", "record", "session",
                "sslctx", "defaultctx", "verbose", "respmgr", "sni"]},
            "x-kubernetes-validations": [{
                "rule": "'ssl' in self",
                "message": "debug must hold ssl: without it JSSE prints nothing"
            }]
        })
    }

    pub(super) fn matching(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "required": ["serverNames"],
            "properties": {"serverNames": {
                "description": "Names of servers, as the client asks for them (server_name in its ClientHello): * stands for any \
                    characters, ? for one, as in *.bank.example. Case does not matter. A handshake without a name matches none.",
                "type": "array", "minItems": 1, "maxItems": 32,
                "items": {"type": "string", "minLength": 1, "maxLength": 253, "x-kubernetes-validations": [{
                    "rule": "self.matches('^[A-Za-z0-9.*?_-]+$')",
                    "message": "serverNames are names of servers, with * for any characters and ? for one, such as *.bank.example"
                }]}
            }}
        })
    }

    pub(super) fn duration(_: &mut SchemaGenerator) -> Schema {
        bounded("duration", "30s", "8h")
    }

    pub(super) fn progress_deadline(_: &mut SchemaGenerator) -> Schema {
        bounded("progressDeadline", "1m", "2h")
    }

    pub(super) fn ttl(_: &mut SchemaGenerator) -> Schema {
        bounded("ttlAfterFinished", "0s", "720h")
    }

    /// A rule and no `pattern`: the API server would answer with the expression and with a fault of the conversion beside it.
    /// Six digits of each unit are well within what CEL's `duration` takes.
    fn bounded(field: &str, least: &str, most: &str) -> Schema {
        let is_duration = "self.matches('^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$') && self != ''";
        json_schema!({
            "type": "string",
            "maxLength": 32,
            "x-kubernetes-validations": [{
                "rule": format!("{is_duration} && duration(self) >= duration('{least}') && duration(self) <= duration('{most}')"),
                "message": format!("{field} must be from {least} to {most}, written as 90s, 10m or 1h30m")
            }]
        })
    }
}
