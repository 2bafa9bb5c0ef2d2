//! A connection over HTTP/2 without a socket, and peers of every kind.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use h2::Reason;
use h2::client::{ResponseFuture, SendRequest};
use tokio::io::DuplexStream;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;

use super::*;
use crate::listener::Limits;

/// Longer than anything takes that is not stuck.
const PATIENCE: Duration = Duration::from_secs(20);
/// As the listener has it.
const PATIENT: Limits = Limits {
    connections_max: 1,
    connections_per_address: 1,
    handshake: PATIENCE,
    head: PATIENCE,
    stall: PATIENCE,
    idle: PATIENCE,
    half_close: true,
};

/// A connection that is served, and the peer's end of it.
struct Served {
    peer: SendRequest<Bytes>,
    connection: Arc<Connection>,
    cancel: CancellationToken,
    serving: JoinSet<Option<HungUp>>,
    /// The peer's end goes on by itself.
    _peering: JoinSet<Result<(), h2::Error>>,
}

fn serve_on(
    stream: DuplexStream,
    app: Router,
    limits: Limits,
) -> (Arc<Connection>, CancellationToken, JoinSet<Option<HungUp>>) {
    let connection = Arc::new(Connection::new("192.0.2.1:1".parse().unwrap()));
    let cancel = CancellationToken::new();
    let service = Service { app: Arc::new(app), limits, cancel: cancel.clone() };
    let mut serving = JoinSet::new();
    serving.spawn(serve(stream, NonZeroU32::new(4).unwrap(), service, Arc::clone(&connection)));
    (connection, cancel, serving)
}

async fn start(app: Router, limits: Limits) -> Served {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let (connection, cancel, serving) = serve_on(ours, app, limits);
    let (peer, driven) = h2::client::handshake(theirs).await.unwrap();
    let mut peering = JoinSet::new();
    peering.spawn(driven);
    Served { peer, connection, cancel, serving, _peering: peering }
}

impl Served {
    /// Begins a request, as soon as one more may be open.
    async fn ask(&mut self, path: &str) -> Result<ResponseFuture, h2::Error> {
        let mut ready = self.peer.clone().ready().await?;
        let (answer, _) = ready.send_request(request(path), true)?;
        Ok(answer)
    }

    /// Asks, and gives the status and the body of the answer.
    async fn get(&mut self, path: &str) -> (u16, String) {
        let answer = self.ask(path).await.expect("one more may be open");
        whole(answer).await
    }

    /// How the gateway's end ended.
    async fn ended(&mut self) -> Option<HungUp> {
        let ended = tokio::time::timeout(PATIENCE, self.serving.join_next()).await;
        ended.expect("it ends").expect("it is served").expect("it does not panic")
    }
}

fn request(path: &str) -> http::Request<()> {
    let request = http::Request::get(format!("https://hooks.example:8443{path}"));
    request.version(http::Version::HTTP_2).body(()).unwrap()
}

async fn whole(answer: ResponseFuture) -> (u16, String) {
    let answer = tokio::time::timeout(PATIENCE, answer).await.expect("it is answered");
    let (head, mut body) = answer.expect("it is an answer").into_parts();
    let mut text = Vec::new();
    while let Some(piece) = body.data().await {
        text.extend_from_slice(&piece.expect("it is whole"));
    }
    (head.status.as_u16(), String::from_utf8(text).unwrap())
}

fn hello() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

/// An app that says when a request has begun, and answers when it may go on.
struct Held {
    app: Router,
    begun: Arc<AtomicUsize>,
    begins: Arc<Notify>,
    go_on: Arc<Semaphore>,
}

fn held() -> Held {
    let begun = Arc::new(AtomicUsize::new(0));
    let (begins, go_on) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(0)));
    let (count, tells, waits) = (Arc::clone(&begun), Arc::clone(&begins), Arc::clone(&go_on));
    let handler = || async move {
        count.fetch_add(1, Ordering::Relaxed);
        tells.notify_one();
        waits.acquire().await.unwrap().forget();
        "hello"
    };
    Held { app: hello().route("/held", get(handler)), begun, begins, go_on }
}

impl Held {
    /// Waits until so many requests have begun.
    async fn begins(&self, requests: usize) {
        let begun = async {
            while self.begun.load(Ordering::Relaxed) < requests {
                self.begins.notified().await;
            }
        };
        tokio::time::timeout(PATIENCE, begun).await.expect("they begin");
    }
}

#[tokio::test]
async fn many_requests_are_served_at_a_time_but_no_more_than_may_be() {
    let held = held();
    let mut served = start(held.app.clone(), PATIENT).await;
    // The first is answered before the peer knows how many may be open.
    assert_eq!(served.get("/").await, (200, "hello".to_owned()));
    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.push(served.ask("/held").await.unwrap());
    }
    held.begins(4).await;
    assert!(served.connection.waits().is_none(), "the gateway works");

    answers.push(served.ask("/held").await.unwrap());
    let brief = tokio::time::timeout(Duration::from_millis(100), held.begins(5)).await;
    assert!(brief.is_err(), "one more than may be was begun");
    held.go_on.add_permits(1);
    held.begins(5).await;
    held.go_on.add_permits(4);
    for answer in answers {
        assert_eq!(whole(answer).await, (200, "hello".to_owned()));
    }
}

#[tokio::test]
async fn a_peer_that_takes_back_one_request_after_the_other_is_hung_up_on() {
    let held = held();
    let mut served = start(held.app.clone(), PATIENT).await;
    let taking_back = async {
        for number in 1.. {
            let Ok(mut ready) = served.peer.clone().ready().await else { break };
            let Ok((_, mut sender)) = ready.send_request(request("/held"), false) else { break };
            tokio::select! {
                () = held.begins(number) => (),
                _ = served.serving.join_next() => return number,
            }
            sender.send_reset(Reason::CANCEL);
        }
        usize::MAX
    };
    let number = tokio::time::timeout(PATIENCE, taking_back).await.expect("it is hung up on");
    assert!((100..120).contains(&number), "{number}");
}

#[tokio::test]
async fn a_peer_that_asks_for_nothing_any_more_is_hung_up_on() {
    let limits = Limits { idle: Duration::from_millis(50), ..PATIENT };
    let mut served = start(hello(), limits).await;
    assert_eq!(served.get("/").await.0, 200);
    assert_eq!(served.ended().await, Some(HungUp::Idle));
}

#[tokio::test]
async fn a_peer_that_never_asks_is_hung_up_on() {
    let limits = Limits { head: Duration::from_millis(50), ..PATIENT };
    let mut served = start(hello(), limits).await;
    assert_eq!(served.ended().await, Some(HungUp::Silent));
}

#[tokio::test]
async fn stopping_answers_what_has_begun_and_takes_nothing_new() {
    let held = held();
    let mut served = start(held.app.clone(), PATIENT).await;
    let answer = served.ask("/held").await.unwrap();
    held.begins(1).await;
    served.cancel.cancel();
    held.go_on.add_permits(1);
    assert_eq!(whole(answer).await, (200, "hello".to_owned()));
    assert_eq!(served.ended().await, None);
    let late = match served.ask("/").await {
        Ok(answer) => answer.await.map(drop),
        Err(error) => Err(error),
    };
    assert!(late.is_err());
}

#[tokio::test]
async fn stopping_waits_for_nobody_who_asks_for_nothing() {
    let mut silent = start(hello(), PATIENT).await;
    let mut idle = start(hello(), PATIENT).await;
    assert_eq!(idle.get("/").await.0, 200);
    // Its peer is there, and says nothing any more.
    let (ours, _theirs) = tokio::io::duplex(64 * 1024);
    let (_, mute, mut serving) = serve_on(ours, hello(), PATIENT);
    for cancel in [&silent.cancel, &idle.cancel, &mute] {
        cancel.cancel();
    }
    assert_eq!((silent.ended().await, idle.ended().await), (None, None));
    let ended = tokio::time::timeout(PATIENCE, serving.join_next()).await.unwrap();
    assert_eq!(ended.unwrap().unwrap(), None);
}

#[tokio::test]
async fn a_peer_that_is_told_to_go_and_stays_is_hung_up_on() {
    let limits = Limits { idle: PATIENCE * 10, ..PATIENT };
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let (_, cancel, mut serving) = serve_on(ours, hello(), limits);
    let (peer, driven) = h2::client::handshake(theirs).await.unwrap();
    let mut driven = pin!(driven);
    let asking = async {
        let mut ready = peer.clone().ready().await.unwrap();
        let (answer, _) = ready.send_request(request("/"), true).unwrap();
        whole(answer).await
    };
    let answer = tokio::select! {
        ended = driven.as_mut() => panic!("it ended: {ended:?}"),
        answer = asking => answer,
    };
    assert_eq!(answer.0, 200);

    // Its end stays open, and nobody reads there that it is to go.
    cancel.cancel();

    let ended = tokio::time::timeout(PATIENCE, serving.join_next()).await.expect("it ends");
    assert_eq!(ended.unwrap().unwrap(), None);
}

#[tokio::test]
async fn an_answer_that_is_to_be_the_last_ends_the_connection_and_does_not_say_so_itself() {
    let close = || async { ([("connection", "close")], "bye") };
    let mut served = start(hello().route("/bye", get(close)), PATIENT).await;
    let answer = served.ask("/bye").await.unwrap();
    let answer = answer.await.unwrap();
    assert!(answer.status() == 200 && !answer.headers().contains_key("connection"));
    drop(answer);
    assert_eq!(served.ended().await, None);
}

#[tokio::test]
async fn a_head_that_is_too_large_reaches_nobody_and_costs_itself() {
    let held = held();
    let mut served = start(held.app.clone(), PATIENT).await;
    let mut large = request("/held");
    for number in 0..5 {
        let name = http::HeaderName::try_from(format!("x-{number}")).unwrap();
        large.headers_mut().insert(name, "x".repeat(7_000).parse().unwrap());
    }
    let mut ready = served.peer.clone().ready().await.unwrap();
    let (answer, _) = ready.send_request(large, true).unwrap();
    let refused = tokio::time::timeout(PATIENCE, answer).await.expect("it is refused");
    assert!(refused.is_err() || refused.is_ok_and(|answer| answer.status() == 431));
    assert_eq!(held.begun.load(Ordering::Relaxed), 0);
    assert_eq!(served.get("/").await.0, 200);
}

#[tokio::test]
async fn a_panic_costs_one_request() {
    let panics = || async { panic!("as the test wants it") as () };
    let mut served = start(hello().route("/panic", get(panics)), PATIENT).await;
    let unlucky = served.ask("/panic").await.unwrap();
    assert!(tokio::time::timeout(PATIENCE, unlucky).await.expect("it ends").is_err());
    assert_eq!(served.get("/").await, (200, "hello".to_owned()));
}

#[tokio::test]
async fn a_request_names_its_host_as_over_http_1() {
    let named = |headers: axum::http::HeaderMap| async move {
        headers["host"].to_str().unwrap_or_default().to_owned()
    };
    let mut served = start(Router::new().route("/", get(named)), PATIENT).await;
    assert_eq!(served.get("/").await, (200, "hooks.example:8443".to_owned()));
}
