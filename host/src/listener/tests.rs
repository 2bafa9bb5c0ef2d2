//! A listener on a port of its own, and peers of every kind.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::*;

/// A listener that serves in the background.
struct Served {
    address: SocketAddr,
    cancel: CancellationToken,
    metrics: Metrics,
    tasks: JoinSet<()>,
}

async fn start(app: Router, limits: Limits) -> Served {
    let socket = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let cancel = CancellationToken::new();
    let metrics = Metrics::new();
    let mut tasks = JoinSet::new();
    let front = Arc::default();
    let socket = socket.into();
    let port = Port { socket, name: "test", limits, front, metrics: metrics.clone() };
    tasks.spawn(port.serve(app, cancel.clone()));
    Served { address, cancel, metrics, tasks }
}

/// Long enough for anything that is not stuck.
const PATIENCE: Duration = Duration::from_secs(20);

impl Served {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn stop(mut self) {
        self.cancel.cancel();
        let ended = tokio::time::timeout(PATIENCE, self.tasks.join_next()).await;
        ended.expect("it drains at once").unwrap().unwrap();
    }
}

fn hello() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

/// An app that says when a request has begun, and answers `hello` when it may go on.
struct Held {
    app: Router,
    begun: Arc<Notify>,
    go_on: Arc<Notify>,
}

fn held() -> Held {
    let begun = Arc::new(Notify::new());
    let go_on = Arc::new(Notify::new());
    let begins = begun.clone();
    let waits = go_on.clone();
    let handler = || async move {
        begins.notify_one();
        waits.notified().await;
        "hello"
    };
    Held { app: Router::new().route("/", get(handler)), begun, go_on }
}

async fn ask(stream: &mut TcpStream) {
    stream.write_all(b"GET / HTTP/1.1\r\nhost: here\r\n\r\n").await.unwrap();
}

/// Reads up to the end of the answer, which is `hello`.
async fn hear(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    while !answer.ends_with(b"hello") {
        assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "hung up on");
    }
    String::from_utf8(answer).unwrap()
}

async fn is_hung_up_on(stream: &mut TcpStream) -> bool {
    let mut buffer = [0; 1024];
    let heard = tokio::time::timeout(PATIENCE, stream.read(&mut buffer)).await;
    !matches!(heard.expect("it ends soon"), Ok(1..))
}

#[tokio::test]
async fn a_connection_serves_one_request_after_the_other() {
    let served = start(hello(), Limits::default()).await;
    let mut stream = served.connect().await;
    for _ in 0..3 {
        ask(&mut stream).await;
        assert!(hear(&mut stream).await.starts_with("HTTP/1.1 200 OK"));
    }
    served.stop().await;
}

#[tokio::test]
async fn every_answer_has_a_browser_be_careful_unless_it_says_otherwise() {
    let own = || async { ([("cache-control", "max-age=60")], "hello") };
    let served = start(hello().route("/own", get(own)), Limits::default()).await;
    let mut stream = served.connect().await;
    stream.write_all(b"GET /own HTTP/1.1\r\nhost: here\r\n\r\n").await.unwrap();
    let answer = hear(&mut stream).await;
    for line in [
        "x-content-type-options: nosniff",
        "content-security-policy: default-src 'none'; frame-ancestors 'none'",
        "x-frame-options: DENY",
        "referrer-policy: no-referrer",
        "cross-origin-resource-policy: same-origin",
        "cache-control: max-age=60",
    ] {
        assert_eq!(answer.lines().filter(|found| *found == line).count(), 1, "{line}: {answer}");
    }
    assert!(!answer.contains("no-store"), "{answer}");
    served.stop().await;
}

#[tokio::test]
async fn stopping_closes_what_is_idle() {
    let served = start(hello(), Limits::default()).await;
    let mut silent = served.connect().await;
    let mut idle = served.connect().await;
    ask(&mut idle).await;
    hear(&mut idle).await;

    served.stop().await;

    assert!(is_hung_up_on(&mut idle).await);
    assert!(is_hung_up_on(&mut silent).await);
}

#[tokio::test]
async fn stopping_waits_for_no_head_that_is_not_whole() {
    let limits = Limits { head: PATIENCE * 10, ..Limits::default() };
    let served = start(hello(), limits).await;
    let mut slow = served.connect().await;
    slow.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    // Once this one was answered, the one before is served too.
    let mut later = served.connect().await;
    ask(&mut later).await;
    hear(&mut later).await;
    later.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();

    served.stop().await;

    assert!(is_hung_up_on(&mut slow).await);
    assert!(is_hung_up_on(&mut later).await);
}

#[tokio::test]
async fn stopping_finishes_what_is_in_flight() {
    let Held { app, begun, go_on } = held();
    let served = start(app, Limits::default()).await;
    let mut stream = served.connect().await;
    ask(&mut stream).await;
    begun.notified().await;

    let stopped = served.stop();
    let finish = async {
        go_on.notify_one();
        hear(&mut stream).await;
        assert!(is_hung_up_on(&mut stream).await);
    };
    tokio::join!(stopped, finish);
}

#[tokio::test]
async fn a_full_table_makes_the_next_one_wait_for_those_who_are_served() {
    let Held { app, begun, go_on } = held();
    let limits = Limits { connections_max: 1, ..Limits::default() };
    let served = start(app, limits).await;
    let mut first = served.connect().await;
    ask(&mut first).await;
    begun.notified().await;

    let mut second = served.connect().await;
    ask(&mut second).await;
    let brief = tokio::time::timeout(Duration::from_millis(100), begun.notified()).await;
    assert!(brief.is_err(), "served beyond the limit");

    go_on.notify_one();
    hear(&mut first).await;
    begun.notified().await;
    go_on.notify_one();
    hear(&mut second).await;
    served.stop().await;
}

#[tokio::test]
async fn who_is_slow_to_ask_is_hung_up_on() {
    let limits = Limits { head: Duration::from_millis(50), ..Limits::default() };
    let served = start(hello(), limits).await;
    let mut stream = served.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
    assert!(is_hung_up_on(&mut stream).await);
    served.stop().await;
}

#[tokio::test]
async fn a_panic_costs_one_connection() {
    let app = hello().route("/panic", get(|| async { panic!("as the test wants it") as () }));
    let served = start(app, Limits::default()).await;
    let mut unlucky = served.connect().await;
    let mut other = served.connect().await;
    unlucky.write_all(b"GET /panic HTTP/1.1\r\nhost: here\r\n\r\n").await.unwrap();
    assert!(is_hung_up_on(&mut unlucky).await);

    ask(&mut other).await;
    hear(&mut other).await;
    served.stop().await;
}

/// Times that a test can wait for.
fn short() -> Limits {
    let time = Duration::from_millis(200);
    Limits { head: time, stall: time, ..Limits::default() }
}

/// An answer that no socket has room for.
fn flood() -> Router {
    hello().route("/flood", get(|| async { vec![b'x'; 64 << 20] }))
}

/// Waits until the gateway has hung up on this many peers for this reason.
async fn until_hung_up(served: &Served, reason: &str, peers: usize) {
    let line = format!(r#"hookgate_hangups_total{{port="test",reason="{reason}"}} {peers}"#);
    let told = async {
        while !served.metrics.render().lines().any(|found| found == line) {
            tokio::task::yield_now().await;
        }
    };
    let told = tokio::time::timeout(PATIENCE, told).await;
    told.unwrap_or_else(|_| panic!("no `{line}` in\n{}", served.metrics.render()));
}

#[tokio::test]
async fn who_does_not_read_the_answer_is_hung_up_on() {
    let served = start(flood(), short()).await;
    let mut stream = served.connect().await;
    stream.write_all(b"GET /flood HTTP/1.1\r\nhost: here\r\n\r\n").await.unwrap();
    until_hung_up(&served, "not_reading", 1).await;
    served.stop().await;
}

#[tokio::test]
async fn who_asks_again_and_again_and_reads_nothing_is_hung_up_on() {
    let served = start(hello(), short()).await;
    let mut stream = served.connect().await;
    let requests = b"GET / HTTP/1.1\r\nhost: here\r\n\r\n".repeat(1_000);
    let asking = async { while stream.write_all(&requests).await.is_ok() {} };
    tokio::join!(until_hung_up(&served, "not_reading", 1), asking);
    served.stop().await;
}

#[tokio::test]
async fn who_reads_a_byte_now_and_then_is_hung_up_on() {
    let served = start(flood(), short()).await;
    let mut stream = served.connect().await;
    stream.write_all(b"GET /flood HTTP/1.1\r\nhost: here\r\n\r\n").await.unwrap();
    let reading = async {
        while let Ok(1..) = stream.read(&mut [0; 1]).await {
            // Nothing is waited for: this is how slow the peer is.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = until_hung_up(&served, "not_reading", 1) => (),
        () = reading => panic!("the answer has no end"),
    }
    served.stop().await;
}

#[tokio::test]
async fn who_reads_slowly_gets_the_whole_answer() {
    let patient = Limits { stall: Duration::from_secs(2), ..Limits::default() };
    let served = start(flood(), patient).await;
    let mut stream = served.connect().await;
    stream
        .write_all(b"GET /flood HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut buffer = vec![0; 4 << 20];
    let mut read = 0;
    loop {
        let bytes = stream.read(&mut buffer).await.unwrap();
        if bytes == 0 {
            break;
        }
        read += bytes;
        // Nothing is waited for: this is how slow the peer is.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(read > 64 << 20, "{read}");
    served.stop().await;
}

#[tokio::test]
async fn an_idle_connection_is_kept_for_longer_than_a_silent_one() {
    let served = start(hello(), short()).await;
    let mut silent = served.connect().await;
    let mut idle = served.connect().await;
    ask(&mut idle).await;
    hear(&mut idle).await;

    assert!(is_hung_up_on(&mut silent).await);
    until_hung_up(&served, "silent", 1).await;
    // As long again, and more.
    let mut another = served.connect().await;
    assert!(is_hung_up_on(&mut another).await);
    ask(&mut idle).await;
    hear(&mut idle).await;
    served.stop().await;
}

#[tokio::test]
async fn a_later_head_that_has_begun_must_go_on() {
    let served = start(hello(), short()).await;
    let mut stream = served.connect().await;
    ask(&mut stream).await;
    hear(&mut stream).await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
    assert!(is_hung_up_on(&mut stream).await);
    until_hung_up(&served, "idle", 1).await;
    served.stop().await;
}

#[tokio::test]
async fn an_idle_connection_ends_after_its_time() {
    let limits = Limits { idle: Duration::from_millis(100), ..Limits::default() };
    let served = start(hello(), limits).await;
    let mut stream = served.connect().await;
    ask(&mut stream).await;
    hear(&mut stream).await;
    assert!(is_hung_up_on(&mut stream).await);
    served.stop().await;
}

#[tokio::test]
async fn who_has_closed_the_sending_side_gets_the_answer() {
    let limits = Limits { half_close: true, ..Limits::default() };
    let Held { app, begun, go_on } = held();
    let served = start(app, limits).await;
    let mut stream = served.connect().await;
    ask(&mut stream).await;
    begun.notified().await;
    stream.shutdown().await.unwrap();
    go_on.notify_one();
    hear(&mut stream).await;
    assert!(is_hung_up_on(&mut stream).await, "nothing more can come");
    served.stop().await;
}

#[tokio::test]
async fn a_flood_of_silent_connections_makes_room_for_who_has_something_to_say() {
    let limits = Limits { connections_max: 8, ..Limits::default() };
    let served = start(hello(), limits).await;
    let mut flood = Vec::new();
    for _ in 0..16 {
        flood.push(served.connect().await);
    }
    let mut stream = served.connect().await;
    ask(&mut stream).await;
    let heard = tokio::time::timeout(PATIENCE, hear(&mut stream)).await;
    assert!(heard.is_ok(), "a sender is locked out");
    served.stop().await;
}
