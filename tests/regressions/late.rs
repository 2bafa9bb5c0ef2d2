//! An endpoint over HTTP/2 that answers when nobody waits for that any more.

use std::sync::Arc;

use bytes::Bytes;
use h2::server::SendResponse;
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::pay;
use crate::harness::{
    Authority, ENDPOINT_SECRET, SECOND_ATTEMPT, Setup, delivery_to, stands, text,
};

/// Hands each request to the test.
struct Endpoint {
    url: String,
    seen: UnboundedReceiver<Seen>,
    _serving: JoinSet<()>,
}

/// A request that waits for its answer.
struct Seen {
    /// The number of its connection.
    connection: usize,
    webhook_id: String,
    respond: SendResponse<Bytes>,
}

impl Endpoint {
    /// With a certificate of this authority.
    async fn start(authority: &Authority) -> Self {
        let identity = authority.issue("endpoint");
        let chain = vec![CertificateDer::from(identity.certificate)];
        let key = PrivatePkcs8KeyDer::from(identity.key).into();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        tls.alpn_protocols = vec![b"h2".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}/hooks", listener.local_addr().unwrap());
        let (sees, seen) = unbounded_channel();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            for connection in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(serve(acceptor.clone(), stream, connection, sees.clone()));
            }
        });
        Self { url, seen, _serving: serving }
    }

    async fn next(&mut self) -> Seen {
        self.seen.recv().await.expect("it serves")
    }
}

async fn serve(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    connection: usize,
    sees: UnboundedSender<Seen>,
) {
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let Ok(mut served) = h2::server::handshake(stream).await else { return };
    while let Some(Ok((request, respond))) = served.accept().await {
        let webhook_id = request.headers()["webhook-id"].to_str().unwrap().to_owned();
        if sees.send(Seen { connection, webhook_id, respond }).is_err() {
            return;
        }
    }
}

impl Seen {
    /// Whether somebody still waits for it is not known.
    fn answer(mut self) {
        let answer = http::Response::builder().status(204).body(()).unwrap();
        drop(self.respond.send_response(answer, true));
    }
}

/// Take out `is_over = true` in `Stream::drop` of the egress: the second attempt goes over the
/// connection on which the first got no answer in time.
#[tokio::test]
async fn an_answer_over_http2_after_the_timeout_counts_for_nothing_and_the_next_attempt_does() {
    let authority = Authority::new("root");
    let mut endpoint = Endpoint::start(&authority).await;
    let table = format!(
        "[endpoints.crm]\nurl = \"{}\"\nevents = [\"payment.*\"]\nca = \"root.pem\"\n\
         timeout = \"2s\"\nsecrets = [{{ value = \"{ENDPOINT_SECRET}\" }}]",
        endpoint.url
    );
    let prepared = Setup::stripe().table(&table).prepare();
    std::fs::write(prepared.folder().join("root.pem"), authority.pem()).unwrap();
    let gateway = prepared.start().await;

    pay(&gateway, "evt_1").await;
    let first = endpoint.next().await;
    gateway.settle().await;
    let attempted = delivery_to(&gateway.event("evt_1").await, "crm");
    let (connection, webhook_id) = (first.connection, first.webhook_id.clone());
    first.answer();
    gateway.settle().await;
    let answered = delivery_to(&gateway.event("evt_1").await, "crm");
    let second = async {
        let second = endpoint.next().await;
        let seen = (second.connection, second.webhook_id.clone());
        second.answer();
        seen
    };
    let ((), second) = tokio::join!(gateway.advance(SECOND_ATTEMPT), second);

    assert_eq!(text(&attempted["attempts"][0]["reason"]), "endpoint_timeout", "{attempted:#}");
    assert_eq!((stands(&attempted), &answered), (("pending", 1), &attempted));
    assert_eq!(second, (connection + 1, webhook_id));
    let done = delivery_to(&gateway.event("evt_1").await, "crm");
    assert_eq!(stands(&done), ("done", 2));
    let statuses = [&done["attempts"][0]["status"], &done["attempts"][1]["status"]];
    assert_eq!(statuses, [&Value::Null, &Value::from(204)], "{done:#}");
    assert_eq!(done["attempts"][1]["http2"], true, "{done:#}");
}
