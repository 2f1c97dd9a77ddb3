//! The leader lease: of several replicas one acts.
//!
//! Guarantee: two replicas hold the lease at the same time only where one of them was stopped and does not know it yet. A
//! lease is no fence, so every write to a workload has its own precondition beside it. Clocks of different nodes are
//! never compared: a lease counts as expired when its holder has not renewed it while this replica watched for its
//! whole duration.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::time::Instant;

/// How long a lease lasts after its last renewal.
const DURATION: Duration = Duration::from_secs(15);
/// How often the holder renews it.
const RENEWAL: Duration = Duration::from_secs(3);
/// How often a replica that waits looks at it.
const LOOK: Duration = Duration::from_secs(2);

/// The lease of one operator installation.
pub struct LeaderLease {
    api: Api<Lease>,
    name: String,
    identity: String,
}

impl LeaderLease {
    /// The lease `name` in `namespace`, claimed as `identity`, which must differ between replicas.
    #[must_use]
    pub fn new(client: Client, namespace: &str, name: &str, identity: &str) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            name: name.to_owned(),
            identity: identity.to_owned(),
        }
    }

    /// Waits until this replica holds the lease.
    pub async fn acquire(&self) {
        let mut seen: Option<(Option<String>, Instant)> = None;
        loop {
            match self.try_acquire(&mut seen).await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => tracing::warn!(lease = self.name, %error, "cannot take the leader lease; will try again"),
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Renews the lease until that fails for its whole duration or another replica has it. Whoever calls this must
    /// stop acting when it returns.
    pub async fn keep(&self) {
        let mut renewed = Instant::now();
        loop {
            tokio::time::sleep(RENEWAL).await;
            match tokio::time::timeout(RENEWAL, self.renew()).await {
                Ok(Ok(true)) => {
                    renewed = Instant::now();
                    continue;
                }
                Ok(Ok(false)) => {
                    tracing::error!(lease = self.name, "another replica holds the leader lease");
                    return;
                }
                Ok(Err(error)) => tracing::warn!(lease = self.name, %error, "cannot renew the leader lease"),
                Err(_) => tracing::warn!(
                    lease = self.name,
                    "the API server does not answer; the leader lease is not renewed"
                ),
            }
            // The next attempt may take as long again, and another replica may act once the lease is over.
            if renewed.elapsed() + 2 * RENEWAL >= DURATION {
                tracing::error!(lease = self.name, "the leader lease could not be renewed in time");
                return;
            }
        }
    }

    /// Gives the lease up, so that the next replica need not wait for its expiry.
    pub async fn release(&self) {
        let released = async {
            let Some(mut lease) = self.api.get_opt(&self.name).await? else {
                return Ok(());
            };
            let spec = lease.spec.get_or_insert_default();
            if spec.holder_identity.as_ref() == Some(&self.identity) {
                spec.holder_identity = None;
                self.api.replace(&self.name, &PostParams::default(), &lease).await?;
            }
            Ok::<_, kube::Error>(())
        };
        if let Err(error) = released.await {
            tracing::warn!(lease = self.name, %error, "cannot release the leader lease; it expires by itself");
        }
    }

    async fn try_acquire(&self, seen: &mut Option<(Option<String>, Instant)>) -> kube::Result<bool> {
        let Some(mut lease) = self.api.get_opt(&self.name).await? else {
            let lease = Lease {
                metadata: ObjectMeta {
                    name: Some(self.name.clone()),
                    ..ObjectMeta::default()
                },
                spec: Some(self.claim(None)),
            };
            return created(self.api.create(&PostParams::default(), &lease).await);
        };
        let version = lease.metadata.resource_version.clone();
        let spec = lease.spec.clone().unwrap_or_default();
        let is_free = spec
            .holder_identity
            .as_deref()
            .is_none_or(|holder| holder.is_empty() || holder == self.identity);
        let has_expired = match seen {
            Some((seen_version, since)) if *seen_version == version => since.elapsed() >= DURATION,
            _ => {
                *seen = Some((version, Instant::now()));
                false
            }
        };
        if !is_free && !has_expired {
            return Ok(false);
        }
        lease.spec = Some(self.claim(Some(&spec)));
        created(self.api.replace(&self.name, &PostParams::default(), &lease).await)
    }

    async fn renew(&self) -> kube::Result<bool> {
        let mut lease = self.api.get(&self.name).await?;
        let spec = lease.spec.get_or_insert_default();
        if spec.holder_identity.as_ref() != Some(&self.identity) {
            return Ok(false);
        }
        spec.renew_time = Some(MicroTime(Timestamp::now()));
        self.api
            .replace(&self.name, &PostParams::default(), &lease)
            .await
            .map(|_| true)
    }

    fn claim(&self, before: Option<&LeaseSpec>) -> LeaseSpec {
        let now = MicroTime(Timestamp::now());
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            acquire_time: Some(now.clone()),
            renew_time: Some(now),
            lease_transitions: Some(
                before
                    .and_then(|spec| spec.lease_transitions)
                    .unwrap_or(0)
                    .saturating_add(1),
            ),
            ..LeaseSpec::default()
        }
    }
}

/// Every write carries the resource version that was read, so a conflict means that another replica was faster.
fn created(result: kube::Result<Lease>) -> kube::Result<bool> {
    match result {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.is_conflict() || status.is_already_exists() => Ok(false),
        Err(error) => Err(error),
    }
}
