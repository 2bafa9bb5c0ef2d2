//! The demo's own endpoint: takes deliveries, checks their signatures, keeps them.

use std::sync::{Arc, Mutex};

use anyhow::Context;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::listener::{Limits, Port};
use crate::metrics::Metrics;
use crate::secrets::Secret;
use crate::signing::{self, SigningKey};

/// What deliveries are signed with.
pub(super) const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// A delivery as it arrived.
#[derive(Debug, Clone)]
pub(super) struct Received {
    pub(super) genuine: bool,
    pub(super) body: Value,
}

impl Received {
    pub(super) fn text(&self, key: &str) -> &str {
        self.body[key].as_str().unwrap_or("-")
    }
}

type Deliveries = Arc<Mutex<Vec<Received>>>;

/// A running endpoint.
pub(super) struct Subscriber {
    url: String,
    received: Deliveries,
    cancel: CancellationToken,
    tasks: JoinSet<()>,
}

impl Subscriber {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let socket = TcpListener::bind("127.0.0.1:0").await.context("failed to bind a port")?;
        let url = format!("http://{}/hooks", socket.local_addr()?);
        let received = Deliveries::default();
        let app = Router::new().route("/hooks", post(receive)).with_state(received.clone());
        let cancel = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let limits = Limits::default();
        let metrics = Metrics::new();
        let (socket, front) = (socket.into(), Arc::default());
        let port = Port { socket, name: "demo", limits, front, metrics };
        tasks.spawn(port.serve(app, cancel.clone()));
        Ok(Self { url, received, cancel, tasks })
    }

    pub(super) fn url(&self) -> String {
        self.url.clone()
    }

    /// What has arrived so far.
    pub(super) fn received(&self) -> Vec<Received> {
        self.received.lock().expect("no holder panics").clone()
    }

    pub(super) async fn stop(mut self) {
        self.cancel.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

async fn receive(
    State(received): State<Deliveries>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let genuine = is_genuine(&headers, &body);
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    received.lock().expect("no holder panics").push(Received { genuine, body });
    StatusCode::NO_CONTENT
}

/// Signs what arrived as the sender should have, and compares.
fn is_genuine(headers: &HeaderMap, body: &[u8]) -> bool {
    let header = |name: &str| headers.get(name)?.to_str().ok();
    let key = Secret::new(SECRET).and_then(|it| SigningKey::parse(&it).ok());
    let seconds = header("webhook-timestamp").and_then(|text| text.parse().ok());
    let (Some(id), Some(seconds), Some(key)) = (header("webhook-id"), seconds, key) else {
        return false;
    };
    let expected = signing::headers(id.to_owned(), seconds, body, &[key]);
    expected.iter().all(|(name, value)| header(name.as_str()) == Some(value))
}
