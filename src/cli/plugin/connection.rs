//! The way to the cluster, chosen as kubectl chooses it.

use std::path::PathBuf;

use clap::Args;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use super::problem::Problem;
use crate::operator::LONGEST_SILENCE;

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
    /// With the user's rights. No request hangs for ever.
    pub(super) client: Client,
    /// The one for log streams, which may be silent.
    pub(super) logs: Client,
    /// The one that was named, else that of the context.
    pub(super) namespace: String,
    /// The options that lead another command to the same place, for a hint that is to be pasted.
    pub(super) arguments: String,
}

impl Connection {
    /// Reads the kubeconfig and sets up a client; nothing is sent yet.
    pub(super) async fn connect(&self) -> Result<Cluster, Problem> {
        let config = self.config().await?;
        let namespace = self
            .namespace
            .clone()
            .unwrap_or_else(|| config.default_namespace.clone());
        let client =
            |config| Client::try_from(config).map_err(|error| Problem::of("set up the way to the cluster", &error));
        let mut patient = config.clone();
        patient.read_timeout = None;
        Ok(Cluster {
            client: client(config)?,
            logs: client(patient)?,
            arguments: self.arguments(&namespace),
            namespace,
        })
    }

    /// The options as they were given, each word fit for a shell; the namespace always, whatever the context says later.
    fn arguments(&self, namespace: &str) -> String {
        let kubeconfig = self.kubeconfig.as_ref().map(|file| file.display().to_string());
        let options = [
            ("--namespace", Some(namespace)),
            ("--context", self.context.as_deref()),
            ("--kubeconfig", kubeconfig.as_deref()),
            ("--as", self.user.as_deref()),
        ];
        let groups = self.groups.iter().map(|group| ("--as-group", Some(group.as_str())));
        let given = options.into_iter().chain(groups);
        let words: Vec<String> = given
            .filter_map(|(name, value)| Some(format!("{name} {}", quoted(value?))))
            .collect();
        words.join(" ")
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
        // What was interrupted is looked at anew; the client's own retries would last minutes.
        config.default_retry = false;
        config.connect_timeout = Some(LONGEST_SILENCE);
        config.read_timeout = Some(LONGEST_SILENCE);
        if self.user.is_some() {
            config.auth_info.impersonate.clone_from(&self.user);
            config.auth_info.impersonate_groups = (!self.groups.is_empty()).then(|| self.groups.clone());
        }
        Ok(config)
    }
}

/// A word that a shell takes as it is.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:@%+=,".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_leads_to_the_same_place() {
        assert_eq!(Connection::default().arguments("shop"), "--namespace shop");
        let connection = Connection {
            namespace: None,
            context: Some("prod eu".to_owned()),
            kubeconfig: Some("/home/jane/o'neil.conf".into()),
            user: Some("system:serviceaccount:shop:debug".to_owned()),
            groups: vec!["a".to_owned(), "b".to_owned()],
        };
        assert_eq!(
            connection.arguments("shop"),
            r"--namespace shop --context 'prod eu' --kubeconfig '/home/jane/o'\''neil.conf' --as system:serviceaccount:shop:debug --as-group a --as-group b"
        );
    }
}
