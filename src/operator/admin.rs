//! The admin port: probes and metrics.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use tokio::net::TcpListener;

use super::Error;
use super::context::Context;

/// Takes the port.
pub async fn bind(address: &str) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|source| Error::Admin {
        address: address.to_owned(),
        source,
    })
}

/// Answers until it is aborted.
pub async fn serve(listener: TcpListener, context: Arc<Context>) {
    let router = Router::new()
        .route("/livez", get(alive))
        .route("/readyz", get(async || "ok\n"))
        .route("/metrics", get(metrics))
        .with_state(context);
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "admin port");
    }
}

/// 503 when a loop hangs, with the state of each; the kubelet starts the operator anew then.
async fn alive(State(context): State<Arc<Context>>) -> impl IntoResponse {
    match context.pulses.check() {
        Ok(text) => (StatusCode::OK, text),
        Err(text) => {
            tracing::error!(text, "not alive");
            (StatusCode::SERVICE_UNAVAILABLE, text)
        }
    }
}

async fn metrics(State(context): State<Arc<Context>>) -> impl IntoResponse {
    let mut text = String::new();
    match encode(&mut text, &context.registry()) {
        Ok(()) => {
            let content = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(axum::http::header::CONTENT_TYPE, content)], text).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
