//! What an administrator can set.

/// What an administrator can set.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct Settings {
    /// Namespaces whose sessions are served, separated by commas; all when empty.
    #[arg(long, env = "TLSDEBUG_WATCH_NAMESPACES", value_delimiter = ',')]
    pub watch_namespaces: Vec<String>,

    /// Address of probes (/livez, /readyz) and metrics (/metrics).
    #[arg(long, env = "TLSDEBUG_ADMIN_ADDRESS", default_value = "0.0.0.0:8080")]
    pub admin_address: String,

    /// Name of this replica, in events and, with a random suffix, in the leader lease.
    #[arg(long, env = "TLSDEBUG_IDENTITY", default_value = "tlsdebug")]
    pub identity: String,

    /// Namespace of the leader lease; without it this is the only replica.
    #[arg(long, env = "TLSDEBUG_LEASE_NAMESPACE")]
    pub lease_namespace: Option<String>,

    /// Name of the leader lease.
    #[arg(long, env = "TLSDEBUG_LEASE_NAME", default_value = "tlsdebug")]
    pub lease_name: String,

    /// Start no session where the chart's ValidatingAdmissionPolicy is not found: without it, whoever may create a session
    /// gains the operator's rights over workloads and logs.
    #[arg(long, env = "TLSDEBUG_REQUIRE_ADMISSION_POLICY", default_value_t = true, action = clap::ArgAction::Set)]
    pub require_admission_policy: bool,

    /// Only look whether an operator with these settings can work and one does; say what is missing.
    #[arg(long)]
    pub check: bool,

    /// How much the operator writes into its own log: error, warn, info, debug or trace.
    #[arg(long, env = "TLSDEBUG_LOG_LEVEL", default_value = "info")]
    pub log_level: tracing::Level,

    /// How the operator's own log is written.
    #[arg(long, env = "TLSDEBUG_LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,
}

/// How the operator's own log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}
