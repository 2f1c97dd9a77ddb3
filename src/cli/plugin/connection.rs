//! The way to the cluster, chosen as kubectl chooses it.

use std::path::PathBuf;

use clap::Args;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use super::problem::Problem;

/// What kubectl calls its global options, those that matter here.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Cluster")]
pub(super) struct Connection {
    /// Namespace of the workload and its sessions; that of the context where it is left out.
    #[arg(long, short)]
    pub(super) namespace: Option<String>,
    /// Context of the kubeconfig, in place of the current one.
    #[arg(long)]
    context: Option<String>,
    /// Kubeconfig file, in place of $KUBECONFIG and ~/.kube/config.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Act as this user.
    #[arg(long = "as", value_name = "USER")]
    user: Option<String>,
    /// Act as a member of this group as well; can be given more than once.
    #[arg(long = "as-group", value_name = "GROUP", requires = "user")]
    groups: Vec<String>,
}

/// A way to the cluster, and the namespace that is meant.
pub(super) struct Cluster {
    /// With the user's rights.
    pub(super) client: Client,
    /// The one that was named, else that of the context.
    pub(super) namespace: String,
}

impl Connection {
    /// Reads the kubeconfig and sets up a client; nothing is sent yet.
    pub(super) async fn connect(&self) -> Result<Cluster, Problem> {
        let config = self.config().await?;
        let namespace = self
            .namespace
            .clone()
            .unwrap_or_else(|| config.default_namespace.clone());
        let client = Client::try_from(config).map_err(|error| Problem::of("set up the way to the cluster", &error))?;
        Ok(Cluster { client, namespace })
    }

    async fn config(&self) -> Result<Config, Problem> {
        let options = KubeConfigOptions {
            context: self.context.clone(),
            ..KubeConfigOptions::default()
        };
        let read = match &self.kubeconfig {
            Some(file) => match Kubeconfig::read_from(file) {
                Ok(kubeconfig) => Config::from_custom_kubeconfig(kubeconfig, &options).await,
                Err(error) => Err(error),
            },
            None => Config::from_kubeconfig(&options).await,
        };
        let mut config = match read {
            Ok(config) => config,
            // In a pod there is another way; one that was named must not be passed over.
            Err(_) if self.kubeconfig.is_none() && self.context.is_none() && Config::incluster().is_ok() => {
                Config::incluster().map_err(|error| Problem::new(error.to_string()))?
            }
            Err(error) => {
                return Err(Problem::new(format!(
                    "cannot read the way to the cluster: {error}. Name it with --kubeconfig and --context, or set KUBECONFIG"
                )));
            }
        };
        if self.user.is_some() {
            config.auth_info.impersonate.clone_from(&self.user);
            config.auth_info.impersonate_groups = (!self.groups.is_empty()).then(|| self.groups.clone());
        }
        Ok(config)
    }
}
