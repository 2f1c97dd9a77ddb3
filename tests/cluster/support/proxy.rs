//! A proxy between the operator and the API server, in which things go wrong by rule. It passes on what it gets with
//! the operator's own credentials, and runs in a thread of its own: scenarios block theirs.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::process::Child;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Request as HttpRequest, Response, header};
use futures::{FutureExt, Stream, StreamExt};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::client::ClientBuilder;
use kube::{Client, Config};
use serde_json::json;
use tokio::sync::{oneshot, watch};

use super::faults::{Fault, Request, Rule};

/// A running proxy; dropping it ends it, and every connection through it.
pub struct Proxy {
    /// Where it listens, without TLS.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    end: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    rules: Mutex<Vec<Rule>>,
    /// Every request that was passed on, in the order in which they came.
    passed: Mutex<Vec<Request>>,
    operator: Mutex<Option<Arc<Mutex<Child>>>>,
    /// Counts the times at which all streams are broken.
    breaks: watch::Sender<u64>,
}

/// The connection is to end without an answer.
#[derive(Debug, thiserror::Error)]
#[error("cut by a rule")]
struct Cut;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Proxy {
    /// Starts one in front of the API server that KUBECONFIG names.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            rules: Mutex::default(),
            passed: Mutex::default(),
            operator: Mutex::default(),
            breaks: watch::Sender::new(0),
        });
        let (end, ended) = oneshot::channel();
        let served = shared.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                tokio::select! {
                    _ = ended => {}
                    () = serve(listener, served) => {}
                }
            });
        });
        Self {
            address,
            shared,
            end: Some(end),
            thread: Some(thread),
        }
    }

    /// Adds a rule. Of several that concern a request the first decides.
    pub fn add(&self, rule: Rule) {
        lock(&self.shared.rules).push(rule);
    }

    /// Takes all rules back and returns the requests that they have befallen.
    pub fn clear(&self) -> Vec<Request> {
        let rules = std::mem::take(&mut *lock(&self.shared.rules));
        rules.into_iter().flat_map(|rule| rule.hits).collect()
    }

    /// How many requests the rules have befallen so far.
    pub fn hits(&self) -> usize {
        lock(&self.shared.rules).iter().map(|rule| rule.hits.len()).sum()
    }

    /// How many requests for which `concerns` holds were passed on so far.
    pub fn passed(&self, concerns: impl Fn(&Request) -> bool) -> usize {
        self.requests().iter().filter(|request| concerns(request)).count()
    }

    /// What was passed on so far, in its order.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.shared.passed).clone()
    }

    /// Breaks the streams of all answers that are under way, each in the middle of what it brings.
    pub fn break_streams(&self) {
        self.shared.breaks.send_modify(|count| *count += 1);
    }

    /// Whom a rule kills.
    pub(super) fn is_used_by(&self, operator: Arc<Mutex<Child>>) {
        *lock(&self.shared.operator) = Some(operator);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.end.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn judge(&self, request: &Request) -> Option<Fault> {
        lock(&self.rules).iter_mut().find_map(|rule| rule.judge(request))
    }

    fn kill(&self) {
        if let Some(operator) = &*lock(&self.operator) {
            lock(operator).kill().unwrap();
        }
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut config = Config::infer().await.unwrap();
    // Whoever asks brings a token.
    config.auth_info = kube::config::AuthInfo::default();
    config.default_retry = false;
    let client = ClientBuilder::try_from(config).unwrap().build();
    listener.set_nonblocking(true).unwrap();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    loop {
        let (connection, _) = listener.accept().await.unwrap();
        let (shared, client) = (shared.clone(), client.clone());
        tokio::spawn(async move {
            let service = service_fn(|request| handle(request, shared.clone(), client.clone()));
            // A connection that a rule has cut ends with an error.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(connection), service)
                .await;
        });
    }
}

async fn handle(request: HttpRequest<Incoming>, shared: Arc<Shared>, client: Client) -> Result<Response<Body>, Cut> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(Body::new(body), usize::MAX).await.map_err(|_| Cut)?;
    let seen = Request {
        method: parts.method.clone(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    let fault = shared.judge(&seen);
    match fault {
        Some(Fault::Answer(code)) => return Ok(refusal(code)),
        Some(Fault::Expired) => {
            let event = json!({"type": "ERROR", "object": status(410)});
            return Ok(Response::new(Body::from(format!("{event}\n"))));
        }
        Some(Fault::Hold) => return std::future::pending().await,
        Some(Fault::CutBefore) => return Err(Cut),
        Some(Fault::KillBefore) => {
            shared.kill();
            return Err(Cut);
        }
        Some(Fault::Delay(time)) => tokio::time::sleep(time).await,
        _ => {}
    }
    // Before it is counted: whoever sees it counted and breaks streams means this one as well.
    let breaks = shared.breaks.subscribe();
    lock(&shared.passed).push(seen);
    let mut forwarded = HttpRequest::from_parts(parts, kube::client::Body::from(body.to_vec()));
    forwarded.headers_mut().remove(header::HOST);
    // As a task of its own: a write that is on its way arrives though whoever has sent it is gone.
    let answer = tokio::spawn(async move { client.send(forwarded).await });
    let answer = answer.await.map_err(|_| Cut)?.map_err(|_| Cut)?;
    let (mut parts, body) = answer.into_parts();
    parts.headers.remove(header::TRANSFER_ENCODING);
    let body = Body::new(body);
    let body = match fault {
        Some(Fault::CutAfter | Fault::KillAfter) => {
            to_bytes(body, usize::MAX).await.map_err(|_| Cut)?;
            if fault == Some(Fault::KillAfter) {
                shared.kill();
            }
            return Err(Cut);
        }
        Some(Fault::Freeze) => Body::from_stream(futures::stream::pending::<io::Result<Bytes>>()),
        Some(Fault::End(time)) => Body::from_stream(body.into_data_stream().take_until(tokio::time::sleep(time))),
        Some(Fault::Break(time)) => breakable(body, breaks, time),
        _ => breakable(body, breaks, Duration::MAX),
    };
    Ok(Response::from_parts(parts, body))
}

/// The same bytes; but after this time, or when all streams are broken, half of what is there and then an error.
fn breakable(body: Body, mut breaks: watch::Receiver<u64>, after: Duration) -> Body {
    let begin = tokio::time::Instant::now();
    let broken = async move {
        tokio::select! {
            _ = breaks.changed() => {}
            () = async {
                match begin.checked_add(after) {
                    Some(end) => tokio::time::sleep_until(end).await,
                    None => std::future::pending().await,
                }
            } => {}
        }
    };
    let whole = body.into_data_stream().map(|bytes| bytes.map_err(io::Error::other));
    Body::from_stream(until(whole.boxed(), broken.boxed()))
}

fn until(
    bytes: futures::stream::BoxStream<'static, io::Result<Bytes>>,
    broken: futures::future::BoxFuture<'static, ()>,
) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let broken = broken.shared();
    futures::stream::unfold(Some((bytes, false)), move |state| {
        let broken = broken.clone();
        async move {
            let (mut bytes, is_over) = state?;
            if is_over {
                return Some((Err(io::Error::other("cut by a rule")), None));
            }
            tokio::select! {
                biased;
                () = broken => {
                    let rest = bytes.next().now_or_never().flatten().and_then(Result::ok).unwrap_or_default();
                    Some((Ok(rest.slice(..rest.len() / 2)), Some((bytes, true))))
                }
                next = bytes.next() => Some((next?, Some((bytes, false)))),
            }
        }
    })
}

fn refusal(code: u16) -> Response<Body> {
    let mut answer = Response::new(Body::from(status(code).to_string()));
    *answer.status_mut() = code.try_into().unwrap();
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
    if code == 429 {
        headers.insert(header::RETRY_AFTER, "1".parse().unwrap());
    }
    answer
}

fn status(code: u16) -> serde_json::Value {
    let reason = match code {
        409 => "Conflict",
        410 => "Expired",
        429 => "TooManyRequests",
        503 => "ServiceUnavailable",
        _ => "InternalError",
    };
    json!({
        "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure", "message": format!("made up: {reason}"),
        "reason": reason, "code": code
    })
}
