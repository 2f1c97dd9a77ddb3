//! The leader lease: of several replicas one acts.
//!
//! Guarantee: two replicas hold the lease at the same time only where one of them was stopped and does not know it yet; its
//! [`Held`] then refuses its writes, but for one that was on its way already. A lease is no fence against that one, so
//! every write to a workload has its own precondition beside it. Clocks of different nodes are never compared: a lease
//! counts as expired when its holder has not renewed it while this replica watched for its whole duration.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::time::{Instant, sleep, timeout};

use super::pulse::Pulse;

/// How long a lease lasts after its last renewal.
pub const DURATION: Duration = Duration::from_secs(15);
/// How often the holder renews it, and how long one attempt may take.
const RENEWAL: Duration = Duration::from_secs(3);
/// How often a replica that waits looks at it.
const LOOK: Duration = Duration::from_secs(2);

/// The lease of one operator installation.
pub struct LeaderLease {
    api: Api<Lease>,
    name: String,
    identity: String,
    held: Held,
    pulse: Pulse,
}

/// Whether this replica may write now. It may not before it has the lease, nor when it could not renew it in time, even
/// where it does not know yet: a process that was stopped and continued.
#[derive(Debug, Clone, Default)]
pub struct Held(Arc<Mutex<Option<Instant>>>);

impl Held {
    /// Whether the lease was renewed so lately that no other replica can have taken it. What is left of its duration
    /// is for a write to arrive in.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        let renewed = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        renewed.is_some_and(|renewed| renewed.elapsed() + RENEWAL < DURATION)
    }

    fn set(&self, renewed: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = renewed;
    }
}

/// What another replica knows of the lease: as which version it has seen it, and since when.
type Seen = Option<(Option<String>, Instant)>;

impl LeaderLease {
    /// The lease `name` in `namespace`. It is claimed as `identity` with a random suffix, so that replicas of equal names
    /// are told apart, and a replica from its own earlier life.
    #[must_use]
    pub fn new(client: Client, namespace: &str, name: &str, identity: &str, held: Held, pulse: Pulse) -> Self {
        let random = RandomState::new().hash_one(std::process::id());
        Self {
            api: Api::namespaced(client, namespace),
            name: name.to_owned(),
            identity: format!("{identity}_{random:016x}"),
            held,
            pulse,
        }
    }

    /// As who the lease is claimed.
    #[must_use]
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// Waits until this replica holds the lease.
    pub async fn acquire(&self) {
        let mut seen = None;
        loop {
            let begin = Instant::now();
            match timeout(RENEWAL, self.try_acquire(&mut seen)).await {
                Ok(Ok(true)) => {
                    self.held.set(Some(begin));
                    return;
                }
                Ok(Ok(false)) => {}
                Ok(Err(error)) => {
                    tracing::warn!(lease = self.name, %error, "cannot take the leader lease; will try again");
                }
                Err(_) => tracing::warn!(lease = self.name, "the API server does not answer; will try again"),
            }
            self.pulse.beat();
            let expires_in = seen.as_ref().map(|(_, since)| DURATION.saturating_sub(since.elapsed()));
            sleep(
                expires_in
                    .filter(|left| !left.is_zero())
                    .map_or(LOOK, |left| left.min(LOOK)),
            )
            .await;
        }
    }

    /// Renews the lease until that fails for its whole duration or another replica has it. Whoever calls this must
    /// stop acting when it returns.
    pub async fn keep(&self) {
        let mut renewed = Instant::now();
        loop {
            sleep(RENEWAL).await;
            self.pulse.beat();
            let begin = Instant::now();
            match timeout(RENEWAL, self.renew()).await {
                Ok(Ok(true)) => {
                    renewed = begin;
                    self.held.set(Some(begin));
                    continue;
                }
                Ok(Ok(false)) => {
                    tracing::error!(lease = self.name, "another replica holds the leader lease");
                    break;
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
                break;
            }
        }
        self.held.set(None);
    }

    /// Gives the lease up, so that the next replica need not wait for its expiry.
    pub async fn release(&self) {
        self.held.set(None);
        let released = async {
            let Some(mut lease) = self.api.get_opt(&self.name).await? else {
                return Ok(());
            };
            let spec = lease.spec.get_or_insert_default();
            if spec.holder_identity.as_ref() == Some(&self.identity) {
                spec.holder_identity = None;
                won(self.api.replace(&self.name, &PostParams::default(), &lease).await)?;
            }
            Ok::<_, kube::Error>(())
        };
        match timeout(RENEWAL, released).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(lease = self.name, %error, "cannot release the leader lease; it expires by itself");
            }
            Err(_) => tracing::warn!(
                lease = self.name,
                "the API server does not answer; the leader lease expires by itself"
            ),
        }
    }

    async fn try_acquire(&self, seen: &mut Seen) -> kube::Result<bool> {
        let Some(mut lease) = self.api.get_opt(&self.name).await? else {
            return self.create().await;
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
        won(self.api.replace(&self.name, &PostParams::default(), &lease).await)
    }

    /// Whether the lease is still this replica's. Where somebody has written it in between, it is read again to see who.
    async fn renew(&self) -> kube::Result<bool> {
        loop {
            let Some(mut lease) = self.api.get_opt(&self.name).await? else {
                if self.create().await? {
                    return Ok(true);
                }
                continue;
            };
            let spec = lease.spec.get_or_insert_default();
            if spec.holder_identity.as_ref() != Some(&self.identity) {
                return Ok(false);
            }
            spec.renew_time = Some(MicroTime(Timestamp::now()));
            if won(self.api.replace(&self.name, &PostParams::default(), &lease).await)? {
                return Ok(true);
            }
        }
    }

    async fn create(&self) -> kube::Result<bool> {
        let lease = Lease {
            metadata: ObjectMeta {
                name: Some(self.name.clone()),
                ..ObjectMeta::default()
            },
            spec: Some(self.claim(None)),
        };
        won(self.api.create(&PostParams::default(), &lease).await)
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

/// Every write carries the resource version that was read, so a conflict means that somebody else was faster.
fn won(result: kube::Result<Lease>) -> kube::Result<bool> {
    match result {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if [404, 409].contains(&status.code) => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::http::{Method, Request, Response};
    use kube::client::Body;
    use serde_json::{Value, json};

    use super::*;
    use crate::operator::pulse::Pulses;

    /// An API server that keeps one lease, and in which others write first where asked.
    #[derive(Clone, Default)]
    struct Server(Arc<Mutex<State>>);

    #[derive(Default)]
    struct State {
        lease: Option<Value>,
        version: u64,
        /// Who writes the lease between the next read and the write after it.
        faster: Option<&'static str>,
    }

    impl State {
        fn store(&mut self, mut lease: Value) -> Value {
            self.version += 1;
            lease["metadata"]["resourceVersion"] = json!(self.version.to_string());
            self.lease = Some(lease.clone());
            lease
        }

        fn answer(&mut self, method: &Method, body: Value) -> (u16, Value) {
            if *method != Method::GET
                && let Some(holder) = self.faster.take()
            {
                let mut lease = self.lease.clone().unwrap_or_else(|| body.clone());
                lease["spec"]["holderIdentity"] = json!(holder);
                self.store(lease);
            }
            let stored = self
                .lease
                .as_ref()
                .map(|lease| lease["metadata"]["resourceVersion"].clone());
            match (method, stored) {
                (&Method::GET, Some(_)) => (200, self.lease.clone().unwrap_or_default()),
                (&Method::POST, Some(_)) => (409, json!({"reason": "AlreadyExists"})),
                (&Method::POST, None) => (201, self.store(body)),
                (&Method::PUT, Some(version)) if body["metadata"]["resourceVersion"] == version => {
                    (200, self.store(body))
                }
                (&Method::PUT, Some(_)) => (409, json!({"reason": "Conflict"})),
                _ => (404, json!({"reason": "NotFound"})),
            }
        }
    }

    impl Server {
        fn lease(&self, identity: &str) -> LeaderLease {
            let server = self.clone();
            let service = tower::service_fn(move |request: Request<Body>| {
                let server = server.clone();
                async move {
                    let (parts, body) = request.into_parts();
                    let body = body.collect_bytes().await.unwrap_or_default();
                    let body = serde_json::from_slice(&body).unwrap_or_default();
                    let mut state = server.0.lock().unwrap_or_else(PoisonError::into_inner);
                    let (code, mut answer) = state.answer(&parts.method, body);
                    if code >= 400 {
                        answer["kind"] = json!("Status");
                        answer["status"] = json!("Failure");
                        answer["code"] = json!(code);
                    }
                    let mut response = Response::new(Body::from(answer.to_string().into_bytes()));
                    *response.status_mut() = code.try_into().unwrap_or_default();
                    Ok::<_, Infallible>(response)
                }
            });
            let pulse = Pulses::default().add("lease", DURATION);
            let client = Client::new(service, "demo");
            LeaderLease::new(client, "demo", "tlsdebug", identity, Held::default(), pulse)
        }

        fn others_write_first(&self, holder: &'static str) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).faster = Some(holder);
        }

        fn holder(&self) -> Value {
            let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            state
                .lease
                .as_ref()
                .map(|lease| lease["spec"]["holderIdentity"].clone())
                .unwrap_or_default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn replicas_of_the_same_name_are_told_apart() {
        let server = Server::default();
        let (one, other) = (server.lease("tlsdebug-0"), server.lease("tlsdebug-0"));
        one.acquire().await;
        assert_ne!(one.identity(), other.identity());
        assert!(matches!(other.try_acquire(&mut None).await, Ok(false)));
        assert!(one.held.is_valid() && !other.held.is_valid());
        assert!(matches!(one.renew().await, Ok(true)));
        one.release().await;
        assert!(!one.held.is_valid());
        assert!(
            matches!(other.try_acquire(&mut None).await, Ok(true)),
            "it need not wait"
        );
        assert_eq!(server.holder(), other.identity());
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_that_comes_too_late_is_a_lost_race_and_no_error() {
        let server = Server::default();
        let lease = server.lease("late");
        server.others_write_first("first");
        assert!(
            matches!(lease.try_acquire(&mut None).await, Ok(false)),
            "created by another"
        );
        server.others_write_first("");
        lease.acquire().await;
        assert_eq!(server.holder(), lease.identity());

        server.others_write_first("another");
        assert!(matches!(lease.renew().await, Ok(false)), "taken by another");
        lease.release().await;
        assert_eq!(server.holder(), "another", "what is another's is not released");
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_somebody_else_wrote_stays_its_holders() {
        let server = Server::default();
        let lease = server.lease("holder");
        lease.acquire().await;
        let identity: &'static str = Box::leak(lease.identity().to_owned().into_boxed_str());
        // Such as a person who annotates it.
        server.others_write_first(identity);
        assert!(matches!(lease.renew().await, Ok(true)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_is_not_renewed_is_taken_when_it_is_over_and_its_holder_writes_nothing_more() {
        let server = Server::default();
        let (holder, standby) = (server.lease("holder"), server.lease("standby"));
        holder.acquire().await;
        let begin = Instant::now();
        standby.acquire().await;
        assert_eq!(begin.elapsed(), DURATION);
        assert!(standby.held.is_valid() && !holder.held.is_valid());
        tokio::time::timeout(DURATION, holder.keep())
            .await
            .expect("it gives up");
        assert_eq!(server.holder(), standby.identity());
    }
}
