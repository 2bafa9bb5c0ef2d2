//! Requests to those who offer HTTP/2: a server that hands each of them to the test.

use std::future::poll_fn;
use std::pin::pin;

use h2::server::{Builder, SendResponse};
use h2::{Reason, RecvStream};
use http::Version;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::identities::{acceptor, post_as, secure_listener, trusting_ca};
use super::*;

const HTTP_2_ONLY: &[&[u8]] = &[b"h2"];

/// A request that was seen, and the number of its connection.
struct Seen {
    connection: usize,
    request: Request<RecvStream>,
    respond: SendResponse<Bytes>,
}

struct Server {
    url: Url,
    seen: UnboundedReceiver<Seen>,
    _serving: JoinSet<()>,
}

impl Server {
    /// Allows so many requests at a time on a connection.
    async fn allowing(streams: u32) -> Self {
        let (listener, url) = secure_listener().await;
        let (sees, seen) = unbounded_channel();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let acceptor = acceptor(HTTP_2_ONLY);
            let mut connections = JoinSet::new();
            for connection in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, sees) = (acceptor.clone(), sees.clone());
                connections.spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let mut builder = Builder::new();
                    builder.max_concurrent_streams(streams);
                    let Ok(mut served) = builder.handshake::<_, Bytes>(stream).await else {
                        return;
                    };
                    while let Some(Ok((request, respond))) = served.accept().await {
                        if sees.send(Seen { connection, request, respond }).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { url, seen, _serving: serving }
    }

    async fn next(&mut self) -> Seen {
        let seen = tokio::time::timeout(PATIENCE, self.seen.recv()).await;
        seen.expect("a request comes").expect("it is served")
    }

    /// Sees the next request, and answers it.
    async fn answer_next(&mut self) -> usize {
        let seen = self.next().await;
        let connection = seen.connection;
        seen.answer().await;
        connection
    }
}

impl Seen {
    async fn answer(mut self) {
        let mut body = Vec::new();
        while let Some(piece) = self.request.body_mut().data().await {
            body.extend_from_slice(&piece.unwrap());
        }
        assert_eq!(body, b"{}");
        let head = Response::builder().status(200).body(()).unwrap();
        let mut answer = self.respond.send_response(head, false).unwrap();
        answer.send_data("fine".into(), true).unwrap();
    }
}

/// A post that goes on by itself.
fn posting(posts: &mut JoinSet<Attempted>, egress: &Egress, identity: &Identity, url: &Url) {
    let (egress, identity, url) = (egress.clone(), identity.clone(), url.clone());
    posts.spawn(async move { post_as(&identity, &egress, &url).await });
}

#[track_caller]
fn check_answered(attempted: &Attempted) {
    let answer = attempted.ended.as_ref().unwrap();
    assert_eq!((answer.status, answer.excerpt.as_str()), (200, "fine"));
    assert!(attempted.trace.http2);
}

/// Take out `HTTP_2` in `Way::new`: they don't agree on a protocol.
#[tokio::test]
async fn who_offers_http2_is_sent_many_requests_over_one_connection() {
    let mut server = Server::allowing(100).await;
    let (egress, identity) = (to_loopback(), trusting_ca());
    let url = server.url.clone();
    let first = post_as(&identity, &egress, &url);
    let seen = async {
        let seen = server.next().await;
        let request = &seen.request;
        assert_eq!(
            (request.uri(), request.version()),
            (&url.as_str().parse().unwrap(), Version::HTTP_2)
        );
        assert!(!request.headers().contains_key("host"), "it is a part of the URL");
        assert_eq!(request.headers()["content-length"], "2");
        seen.answer().await;
    };
    let (first, ()) = tokio::join!(first, seen);
    check_answered(&first);
    assert!(!first.trace.reused);

    let mut posts = JoinSet::new();
    for _ in 0..20 {
        posting(&mut posts, &egress, &identity, &url);
    }
    // All of them are on their way before one is answered.
    let mut held = Vec::new();
    for _ in 0..20 {
        held.push(server.next().await);
    }
    for seen in held {
        assert_eq!(seen.connection, 0);
        seen.answer().await;
    }
    for post in posts.join_all().await {
        check_answered(&post);
        assert!(post.trace.reused);
        assert!(post.trace.times_us[Phase::Headers as usize].is_some(), "{post:?}");
    }
}

/// Take out `has_room` in `Http2::stream`: the third waits for one of the others.
#[tokio::test]
async fn what_is_more_than_a_connection_may_have_goes_over_another() {
    let mut server = Server::allowing(2).await;
    let (egress, identity) = (to_loopback(), trusting_ca());
    let url = server.url.clone();
    let mut posts = JoinSet::new();
    posting(&mut posts, &egress, &identity, &url);
    assert_eq!(server.answer_next().await, 0);
    check_answered(&posts.join_next().await.unwrap().unwrap());

    let mut held = Vec::new();
    for connection in [0, 0, 1] {
        posting(&mut posts, &egress, &identity, &url);
        let seen = server.next().await;
        assert_eq!(seen.connection, connection);
        held.push(seen);
    }
    for seen in held {
        seen.answer().await;
    }
    for post in posts.join_all().await {
        check_answered(&post);
    }
}

/// Have `was_looked_at` be true: the request fails at the first refusal.
#[tokio::test]
async fn a_request_that_was_refused_is_sent_again_once() {
    let mut server = Server::allowing(100).await;
    let (egress, identity) = (to_loopback(), trusting_ca());
    let url = server.url.clone();
    let mut posts = JoinSet::new();
    posting(&mut posts, &egress, &identity, &url);
    server.next().await.respond.send_reset(Reason::REFUSED_STREAM);
    assert_eq!(server.answer_next().await, 1, "not where it was refused");
    check_answered(&posts.join_next().await.unwrap().unwrap());

    posting(&mut posts, &egress, &identity, &url);
    for _ in 0..2 {
        server.next().await.respond.send_reset(Reason::REFUSED_STREAM);
    }
    let error = posts.join_next().await.unwrap().unwrap().ended.unwrap_err().to_string();
    assert!(error.ends_with("the peer reset the request with HTTP/2 error 7"), "{error}");
}

/// Have `was_looked_at` be false: it is sent again, and done twice.
#[tokio::test]
async fn a_request_that_was_reset_otherwise_may_have_been_done_and_fails() {
    let mut server = Server::allowing(100).await;
    let (egress, identity) = (to_loopback(), trusting_ca());
    let mut posts = JoinSet::new();
    posting(&mut posts, &egress, &identity, &server.url);
    server.next().await.respond.send_reset(Reason::INTERNAL_ERROR);
    let failed = posts.join_next().await.unwrap().unwrap();
    assert_eq!(failed.ended.unwrap_err().label(), "broken");
    assert!(failed.trace.http2);
}

/// Take out `is_over = true` in `Stream::drop`: the next goes where nobody answers.
#[tokio::test]
async fn a_connection_on_which_nobody_answered_in_time_is_not_used_again() {
    let mut server = Server::allowing(100).await;
    let (egress, identity) = (to_loopback(), trusting_ca());
    let url = server.url.clone();
    let terms = Terms { identity: &identity, connect_timeout: PATIENCE, body_excerpt: 0 };
    let target = Target::new(url.clone());
    let patience = Patience::of(Duration::from_millis(500));
    let late = egress.post(&target, terms, Vec::new(), "{}".into(), patience);
    let (late, seen) = tokio::join!(late, server.next());
    assert_eq!(
        (late.ended.unwrap_err().label(), late.trace.phase),
        ("timeout", Some(Phase::Headers))
    );

    let mut posts = JoinSet::new();
    posting(&mut posts, &egress, &identity, &url);
    assert_eq!(server.answer_next().await, 1);
    check_answered(&posts.join_next().await.unwrap().unwrap());
    drop(seen);
}

/// Take out the end at `BODY_BYTES_MAX` in `Exchange::excerpt`: it is read for a second.
#[tokio::test]
async fn an_endless_body_over_http2_holds_nobody() {
    let mut server = Server::allowing(100).await;
    let (egress, identity) = (to_loopback(), trusting_ca());
    let url = server.url.clone();
    let endless = async {
        let mut seen = server.next().await;
        let head = Response::builder().status(200).body(()).unwrap();
        let mut body = seen.respond.send_response(head, false).unwrap();
        let mut sent = 0;
        loop {
            body.reserve_capacity(4096);
            let Some(Ok(room)) = poll_fn(|cx| body.poll_capacity(cx)).await else { return sent };
            let piece = Bytes::from(vec![b'a'; room]);
            if body.send_data(piece, false).is_err() {
                return sent;
            }
            sent += room;
        }
    };
    let (attempted, sent) = tokio::join!(post_as(&identity, &egress, &url), endless);

    let answer = attempted.ended.unwrap();
    assert_eq!((answer.status, answer.excerpt), (200, "a".repeat(EXCERPT_BYTES_MAX)));
    assert!(attempted.trace.http2);
    assert!(sent < 1024 * 1024, "{sent} bytes were taken, far more than is read and on the way");
}

/// Take out `max_header_list_size` in `builder`: no more than 16 KiB of headers are an answer.
#[tokio::test]
async fn an_answer_over_http2_with_150_headers_is_an_answer_and_so_is_one_with_512() {
    let mut server = Server::allowing(100).await;
    let (egress, identity) = (to_loopback(), trusting_ca());
    let url = server.url.clone();
    for headers in [150, 512] {
        let mut posts = JoinSet::new();
        posting(&mut posts, &egress, &identity, &url);
        let mut seen = server.next().await;
        let names = (0..headers).map(|number| format!("x-{number}"));
        let answer = names.fold(Response::builder().status(204), |it, name| it.header(name, "a"));
        seen.respond.send_response(answer.body(()).unwrap(), true).unwrap();
        let attempted = posts.join_next().await.unwrap().unwrap();
        assert_eq!(attempted.ended.unwrap().status, 204, "{headers} headers");
    }
}

/// Have all identities be equal: the second goes over the connection of the first.
#[tokio::test]
async fn a_connection_is_shared_by_one_identity_alone() {
    let mut server = Server::allowing(100).await;
    let egress = to_loopback();
    let url = server.url.clone();
    let mut posts = JoinSet::new();
    let identities = [trusting_ca(), trusting_ca()];
    for _ in 0..2 {
        for (number, identity) in identities.iter().enumerate() {
            posting(&mut posts, &egress, identity, &url);
            assert_eq!(server.answer_next().await, number);
            check_answered(&posts.join_next().await.unwrap().unwrap());
        }
    }
}

/// Take out `timeout_at(end, ..)` in `Patience::wait_until`, and `allowance.only` in `Http2`: it
/// goes on for as long as the server does.
#[tokio::test]
async fn interim_answers_for_ever_end_with_the_time_of_the_request() {
    let mut server = Server::allowing(100).await;
    let (egress, identity) = (to_loopback(), trusting_ca());
    let target = Target::new(server.url.clone());
    let flood = async {
        let mut seen = server.next().await;
        let interim = || Response::builder().status(103).header("link", "</a>").body(()).unwrap();
        while seen.respond.send_informational(interim()).is_ok() {
            tokio::time::sleep(Duration::from_micros(100)).await;
        }
        // It was hung up on, which the request is about to notice.
        std::future::pending::<()>().await;
    };
    let terms = Terms { identity: &identity, connect_timeout: PATIENCE, body_excerpt: 0 };
    let patience = Patience::of(Duration::from_millis(500));
    let post = egress.post(&target, terms, Vec::new(), "{}".into(), patience);
    let mut flood = pin!(flood);
    let attempted = tokio::select! {
        attempted = post => attempted,
        () = flood.as_mut() => panic!("it goes on for ever"),
    };
    let label = attempted.ended.unwrap_err().label();
    assert!(["timeout", "broken"].contains(&label), "{label}");
}

/// Give `dial::open` the same TLS for both: a look-up goes over HTTP/2.
#[tokio::test]
async fn a_look_up_goes_over_http1_also_to_those_who_offer_http2() {
    let (listener, url) = secure_listener().await;
    let allow = vec!["127.0.0.0/8".parse().unwrap()];
    let mut ca = Authorities::default();
    ca.add(include_bytes!("../fixtures/ca.pem")).unwrap();
    let egress = Egress::new(Config { allow, ca, ..Config::default() }, Clock::manual(NOW));
    let egress = egress.unwrap();
    let server = async {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = acceptor(&[&b"h2"[..], b"http/1.1"]).accept(stream).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0, "the request was cut");
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
    };
    let (fetched, ()) = tokio::join!(egress.fetch(&url, None, 1024, PATIENCE), server);
    assert_eq!(fetched.unwrap(), Fetched { status: 200, body: "{}".into() });
}
