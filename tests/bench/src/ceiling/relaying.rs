//! A bare relay: what comes is posted on as it is, and answered when the endpoint has answered.
//!
//! What no gateway on this machine and this HTTP stack could deliver faster, were it without a
//! store, a signature and a plugin. Connections to the endpoint are kept, as many as there were
//! requests at a time. Never sends anything twice.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use anyhow::ensure;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::{HeaderValue, Request, StatusCode};
use axum::routing::post;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Serves until killed.
pub(crate) fn relay(endpoint: SocketAddr) -> anyhow::Result<()> {
    let host = HeaderValue::from_str(&endpoint.to_string())?;
    let onward = Arc::new(Onward { endpoint, host, idle: Mutex::default() });
    super::serve(Router::new().route("/in/{source}", post(pass)).with_state(onward))
}

/// Where everything is posted to.
struct Onward {
    endpoint: SocketAddr,
    host: HeaderValue,
    /// The one used last is the last.
    idle: Mutex<Vec<Link>>,
}

/// A connection to the endpoint; dropping it closes it.
struct Link {
    sender: SendRequest<Full<Bytes>>,
    /// Moves the bytes.
    _task: JoinSet<()>,
}

async fn pass(State(onward): State<Arc<Onward>>, body: Bytes) -> StatusCode {
    match onward.post(body).await {
        Ok(()) => StatusCode::OK,
        // Whoever measures ends with an error then.
        Err(_) => StatusCode::BAD_GATEWAY,
    }
}

impl Onward {
    fn idle(&self) -> MutexGuard<'_, Vec<Link>> {
        self.idle.lock().expect("no holder panics")
    }

    async fn post(&self, body: Bytes) -> anyhow::Result<()> {
        let kept = self.idle().pop();
        let mut link = match kept {
            Some(link) => link,
            None => Link::open(self.endpoint).await?,
        };
        link.sender.ready().await?;
        let request = Request::post("/")
            .header(HOST, self.host.clone())
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .body(Full::new(body))?;
        let answer = link.sender.send_request(request).await?;
        let status = answer.status();
        // To its end, or the connection could not be used again.
        answer.into_body().collect().await?;
        ensure!(status.is_success(), "the endpoint answered {status}");
        self.idle().push(link);
        Ok(())
    }
}

impl Link {
    async fn open(endpoint: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(endpoint).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        let mut task = JoinSet::new();
        // Who waits for an answer is told what breaks it.
        task.spawn(async move { drop(connection.await) });
        Ok(Self { sender, _task: task })
    }
}
