//! A subscriber's endpoint whose answer a test chooses, and which keeps what arrived.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A delivery as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// Whether it is signed with this secret, as Standard Webhooks says; other signatures may stand
    /// beside that.
    pub(crate) fn is_signed_with(&self, secret: &str) -> bool {
        let key = secret.strip_prefix("whsec_").and_then(|key| BASE64.decode(key).ok());
        let key = key.expect("a secret of Standard Webhooks");
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("any key will do");
        for part in [self.header("webhook-id"), ".", self.header("webhook-timestamp"), "."] {
            mac.update(part.as_bytes());
        }
        mac.update(&self.body);
        let expected = format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()));
        self.header("webhook-signature").split(' ').any(|signature| signature == expected)
    }

    /// A text of the body.
    pub(crate) fn text(&self, key: &str) -> String {
        self.json()[key].as_str().unwrap_or_default().to_owned()
    }
}

/// What the endpoint answers.
#[derive(Debug, Clone)]
enum Behaviour {
    Answer(u16, Vec<(&'static str, String)>, String),
    Hang,
    HangUp,
}

struct Shared {
    behaviour: Mutex<Behaviour>,
    received: watch::Sender<Vec<Received>>,
    /// Sees every delivery in place of `received`.
    observer: Option<Observer>,
}

type Observer = Box<dyn Fn(&Received) + Send + Sync>;

/// A running endpoint.
pub(crate) struct Receiver {
    url: String,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

impl Receiver {
    /// One that accepts everything.
    pub(crate) async fn start() -> Self {
        Self::serve(None).await
    }

    /// One that accepts everything, shows it, and keeps nothing: for more than fits into memory.
    pub(crate) async fn showing(see: impl Fn(&Received) + Send + Sync + 'static) -> Self {
        Self::serve(Some(Box::new(see))).await
    }

    async fn serve(observer: Option<Observer>) -> Self {
        let behaviour = Mutex::new(Behaviour::Answer(204, Vec::new(), String::new()));
        let shared = Arc::new(Shared { behaviour, received: watch::Sender::default(), observer });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/hooks", listener.local_addr().expect("it is bound"));
        let app = Router::new().route("/hooks", post(receive)).with_state(shared.clone());
        let app = app.layer(DefaultBodyLimit::disable());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, app).await.expect("it serves") });
        Self { url, shared, _tasks: tasks }
    }

    /// One that answers this status to everything.
    pub(crate) async fn answering(status: u16) -> Self {
        let receiver = Self::start().await;
        receiver.answer(status);
        receiver
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Answers this status from now on.
    pub(crate) fn answer(&self, status: u16) {
        self.answer_with(status, Vec::new());
    }

    pub(crate) fn answer_with(&self, status: u16, headers: Vec<(&'static str, String)>) {
        self.behave(Behaviour::Answer(status, headers, String::new()));
    }

    /// Answers this status and body from now on.
    pub(crate) fn answer_saying(&self, status: u16, body: String) {
        self.behave(Behaviour::Answer(status, Vec::new(), body));
    }

    /// Takes requests and never answers from now on.
    pub(crate) fn hang(&self) {
        self.behave(Behaviour::Hang);
    }

    /// Takes requests and closes their connections from now on.
    pub(crate) fn hang_up(&self) {
        self.behave(Behaviour::HangUp);
    }

    fn behave(&self, behaviour: Behaviour) {
        *self.shared.behaviour.lock().expect("no holder panics") = behaviour;
    }

    /// What has arrived so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.shared.received.borrow().clone()
    }

    /// Waits until so many have arrived.
    pub(crate) async fn arrived(&self, count: usize) -> Vec<Received> {
        let mut seen = self.shared.received.subscribe();
        let enough = seen.wait_for(|received| received.len() >= count).await;
        enough.expect("the endpoint runs").clone()
    }

    /// The `webhook-id`s of what has arrived, each once.
    pub(crate) fn ids(&self) -> BTreeSet<String> {
        self.received().iter().map(|delivery| delivery.header("webhook-id").to_owned()).collect()
    }

    /// The event types of what has arrived, in order.
    pub(crate) fn types(&self) -> Vec<String> {
        self.received().iter().map(|delivery| delivery.text("type")).collect()
    }
}

/// An endpoint that sends interim answers for ever, and never the answer.
pub(crate) struct Flood {
    url: String,
    _tasks: JoinSet<()>,
}

impl Flood {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/hooks", listener.local_addr().expect("it is bound"));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut floods = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                floods.spawn(async move {
                    // What comes before a request is no answer to it.
                    let asked = stream.read(&mut [0; 1024]).await;
                    let interim = b"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(1_000);
                    while asked.is_ok() && stream.write_all(&interim).await.is_ok() {}
                });
            }
        });
        Self { url, _tasks: tasks }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

async fn receive(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let delivery = Received { headers, body };
    match &shared.observer {
        Some(see) => see(&delivery),
        None => shared.received.send_modify(|received| received.push(delivery)),
    }
    let behaviour = shared.behaviour.lock().expect("no holder panics").clone();
    match behaviour {
        Behaviour::Answer(status, headers, body) => {
            let status = StatusCode::from_u16(status).expect("a test gives a status");
            let mut response = (status, body).into_response();
            for (name, value) in headers {
                response.headers_mut().insert(name, value.parse().expect("a header's value"));
            }
            response
        }
        Behaviour::Hang => std::future::pending().await,
        // Ends the task of the connection, and says nothing.
        Behaviour::HangUp => std::panic::resume_unwind(Box::new("hung up")),
    }
}
