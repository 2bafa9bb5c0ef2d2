//! Real sockets on the loopback, where nothing may be sent unless a test allows it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::*;

mod bounds;
mod hostile;
mod http2;
mod identities;
mod phases;

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const PATIENCE: Duration = Duration::from_secs(30);

fn egress(allow: &[&str]) -> Egress {
    let allow = allow.iter().map(|network| network.parse().unwrap()).collect();
    Egress::new(Config { allow, ..Config::default() }, Clock::manual(NOW)).unwrap()
}

fn to_loopback() -> Egress {
    egress(&["127.0.0.0/8", "::1/128"])
}

/// A listener, and the URL that leads to it.
async fn listener() -> (TcpListener, Url) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    (listener, url.parse().unwrap())
}

/// The next request, whole: its body here is always `{}`.
async fn accept(listener: &TcpListener) -> (TcpStream, String) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n{}") {
        assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0, "the request was cut");
    }
    (stream, String::from_utf8(request).unwrap())
}

/// What comes of posting to somebody who answers so, and the request that they saw.
async fn exchange(answer: &str) -> (Result<Answer, EgressError>, String) {
    let (listener, url) = listener().await;
    let server = async {
        let (mut stream, request) = accept(&listener).await;
        stream.write_all(answer.as_bytes()).await.unwrap();
        request
    };
    let egress = to_loopback();
    let headers = vec![(HeaderName::from_static("webhook-id"), "dlv_1".to_owned())];
    let target = Target::new(url);
    tokio::join!(send(&egress, &target, headers, "{}".into(), Patience::of(PATIENCE)), server)
}

async fn post(egress: &Egress, url: &Url, timeout: Duration) -> Result<Answer, EgressError> {
    let patience = Patience::of(timeout);
    send(egress, &Target::new(url.clone()), Vec::new(), "{}".into(), patience).await
}

/// Posts on the terms of an endpoint that sets none.
async fn send<L: FnOnce()>(
    egress: &Egress,
    target: &Target,
    headers: Vec<(HeaderName, String)>,
    body: Bytes,
    patience: Patience<L>,
) -> Result<Answer, EgressError> {
    let (identity, connect_timeout) = (&Identity::system(), Config::default().connect_timeout);
    let terms = Terms { identity, connect_timeout, body_excerpt: EXCERPT_BYTES_MAX };
    egress.post(target, terms, headers, body, patience).await.ended
}

#[tokio::test]
async fn a_post_carries_its_headers_and_brings_the_answer() {
    let answer = "HTTP/1.1 503 Busy\r\nretry-after: 120\r\ncontent-length: 4\r\n\r\nbusy";
    let (answer, request) = exchange(answer).await;

    let answer = answer.unwrap();
    assert_eq!((answer.status, answer.excerpt.as_str()), (503, "busy"));
    assert_eq!(answer.retry_after, Some(Duration::from_secs(120)));
    assert!(request.starts_with("POST /hook HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("webhook-id: dlv_1\r\n"), "{request}");
}

#[tokio::test]
async fn who_does_not_listen_or_speak_is_told_apart() {
    let (listener, url) = listener().await;
    let egress = to_loopback();
    let mut server = JoinSet::new();
    server.spawn(async move {
        // First it speaks no TLS, then nothing at all, then it is gone.
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad\r\n\r\n").await.unwrap();
        drop(listener.accept().await.unwrap());
    });

    let mut secure = url.clone();
    secure.set_scheme("https").unwrap();
    let tls = post(&egress, &secure, PATIENCE).await.unwrap_err();
    let broken = post(&egress, &url, PATIENCE).await.unwrap_err();
    server.join_next().await.unwrap().unwrap();
    let connect = post(&egress, &url, PATIENCE).await.unwrap_err();
    let unknown = "http://nobody.invalid/".parse().unwrap();
    let unresolvable = post(&egress, &unknown, PATIENCE).await.unwrap_err();

    let labels = [&tls, &broken, &connect, &unresolvable].map(EgressError::label);
    assert_eq!(labels, ["tls", "broken", "connect", "unresolvable"]);
    let port = url.port().unwrap();
    let said = |reason: &str| format!("failed to connect to `127.0.0.1:{port}`: {reason}");
    assert_eq!(connect.to_string(), said("connection refused"));
    let peer = format!("`127.0.0.1:{port}`");
    let expected = format!("failed to negotiate TLS with {peer}: the peer does not speak TLS");
    assert_eq!(tls.to_string(), expected);
    let expected = format!("connection to {peer} ended before the answer: connection");
    assert!(broken.to_string().starts_with(&expected), "{broken}");
    let unresolvable = unresolvable.to_string();
    let expected = "failed to resolve `nobody.invalid`: ";
    assert!(unresolvable.starts_with(expected) && unresolvable.len() > expected.len());
}

#[tokio::test]
async fn a_connection_is_used_again_and_one_that_was_closed_is_not() {
    let (listener, url) = listener().await;
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let server = async {
        let (mut first, _) = accept(&listener).await;
        first.write_all(answer).await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n{}") {
            assert_ne!(first.read_buf(&mut request).await.unwrap(), 0, "it is used again");
        }
        first.write_all(answer).await.unwrap();
        drop(first);
        let (mut second, _) = accept(&listener).await;
        second.write_all(answer).await.unwrap();
        second
    };
    let egress = to_loopback();
    let client = async {
        for _ in 0..3 {
            assert_eq!(post(&egress, &url, PATIENCE).await.unwrap().status, 200);
            // So that what was closed is known to be.
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(server, client);
}

/// Many answer first and read then.
#[tokio::test]
async fn a_request_whose_answer_came_early_is_sent_to_its_end() {
    let (listener, url) = listener().await;
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    // More than the system holds for somebody who does not read.
    let mut body = vec![b'x'; 64 << 20];
    body.push(0);
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_u8().await.unwrap();
        stream.write_all(answer).await.unwrap();
        let mut chunk = vec![0; 1 << 20];
        let mut request = loop {
            let read = stream.read(&mut chunk).await.unwrap();
            assert_ne!(read, 0, "the request was cut");
            // The next request may come right behind the end of this one.
            if let Some(end) = chunk[..read].iter().position(|byte| *byte == 0) {
                break chunk[end + 1..read].to_vec();
            }
            // So that the answer is met before all is read.
            tokio::task::yield_now().await;
        };
        while !request.ends_with(b"\r\n\r\n{}") {
            assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0, "it is used again");
        }
        stream.write_all(answer).await.unwrap();
    };
    let egress = to_loopback();
    let client = async {
        let (target, patience) = (Target::new(url.clone()), Patience::of(PATIENCE));
        let early = send(&egress, &target, Vec::new(), body.into(), patience).await;
        assert_eq!(early.unwrap().status, 200);
        assert_eq!(post(&egress, &url, PATIENCE).await.unwrap().status, 200);
    };
    tokio::join!(server, client);
}

#[tokio::test]
async fn who_answers_early_and_reads_nothing_is_given_up() {
    let (listener, url) = listener().await;
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_u8().await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        stream
    };
    let egress = to_loopback();
    let body = Bytes::from(vec![b'x'; 64 << 20]);
    let (target, patience) = (Target::new(url), Patience::of(Duration::from_secs(1)));
    let (answer, mut stream) =
        tokio::join!(send(&egress, &target, Vec::new(), body, patience), server);
    assert_eq!(answer.unwrap().status, 200, "the answer counts");

    let to_its_end = async {
        let mut rest = vec![0; 1 << 20];
        while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
    };
    tokio::time::timeout(PATIENCE / 3, to_its_end).await.expect("it is not kept for another");
}

#[tokio::test]
async fn an_idle_connection_that_the_other_side_closed_is_closed_here_too() {
    let (listener, url) = listener().await;
    let (answered, was_read) = tokio::sync::oneshot::channel();
    let server = async {
        let (mut stream, _) = accept(&listener).await;
        stream.write_all(b"HTTP/1.1 204 Fine\r\n\r\n").await.unwrap();
        was_read.await.unwrap();
        stream.shutdown().await.unwrap();
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
    };
    let egress = to_loopback();
    let client = async {
        assert_eq!(post(&egress, &url, PATIENCE).await.unwrap().status, 204);
        answered.send(()).unwrap();
        for () in std::iter::repeat(()) {
            egress.way.load().idle.close_old();
            tokio::task::yield_now().await;
        }
    };
    let closed = async {
        tokio::select! {
            () = server => (),
            () = client => (),
        }
    };
    tokio::time::timeout(PATIENCE, closed).await.unwrap();
}

#[tokio::test]
async fn a_name_server_that_never_answers_holds_up_its_own_names_only() {
    let (listener, mut url) = listener().await;
    let server = async {
        let (mut stream, _) = accept(&listener).await;
        stream.write_all(b"HTTP/1.1 204 Fine\r\n\r\n").await.unwrap();
    };
    let look_up = |name: &str| {
        if name == "hanging.example" {
            loop {
                std::thread::park();
            }
        }
        Ok(vec![std::net::Ipv4Addr::LOCALHOST.into()])
    };
    let bounds = Bounds { wait: Duration::from_secs(1), ..Bounds::default() };
    let allow = vec!["127.0.0.0/8".parse().unwrap()];
    let egress = Egress::with_resolver(
        Config { allow, ..Config::default() },
        Clock::manual(NOW),
        Resolver::new(Arc::new(look_up), bounds),
    )
    .unwrap();
    let hanging: Url = "http://hanging.example/".parse().unwrap();
    url.set_host(Some("fine.example")).unwrap();

    let (hangs, fine, ()) =
        tokio::join!(post(&egress, &hanging, PATIENCE), post(&egress, &url, PATIENCE), server);

    assert_eq!(fine.unwrap().status, 204);
    let expected = "failed to resolve `hanging.example`: no name server answered in time";
    assert_eq!(hangs.unwrap_err().to_string(), expected);
}

#[tokio::test]
async fn name_and_password_of_a_url_are_sent_and_never_shown() {
    let (listener, mut url) = listener().await;
    url.set_username("shop").unwrap();
    url.set_password(Some("hunter 2")).unwrap();
    url.set_query(Some("token=hunter3"));
    let server = async {
        let (_, request) = accept(&listener).await;
        request
    };
    let egress = to_loopback();
    let (broken, request) = tokio::join!(post(&egress, &url, PATIENCE), server);

    let basic = format!("authorization: Basic {}\r\n", BASE64.encode("shop:hunter 2"));
    assert!(request.contains(&basic), "{request}");
    assert!(request.starts_with("POST /hook?token=hunter3 HTTP/1.1\r\n"), "{request}");
    let error = broken.unwrap_err();
    assert!(!format!("{error:?} {error}").contains("hunter"), "{error:?}");
}

#[tokio::test]
async fn an_error_keeps_the_url_to_itself() {
    let url = "http://nobody.invalid/hook?token=hunter2".parse().unwrap();
    let error = post(&egress(&[]), &url, PATIENCE).await.unwrap_err();
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
}

#[tokio::test]
async fn a_header_that_http_does_not_know_is_named() {
    let target = Target::new("http://example.com/".parse().unwrap());
    let headers = vec![(HeaderName::from_static("x-team"), "a\nb".to_owned())];
    let patience = Patience::of(PATIENCE);
    let error = send(&egress(&[]), &target, headers, Bytes::new(), patience).await.unwrap_err();
    assert_eq!(error.to_string(), "the name or value of the header `x-team` is not valid in HTTP");
}

#[test]
fn a_delay_is_seconds_or_a_date() {
    let asked = |value: &str| {
        let headers = HeaderMap::from_iter([(header::RETRY_AFTER, value.parse().unwrap())]);
        retry_after(&headers, NOW)
    };
    assert_eq!(asked("7"), Some(Duration::from_secs(7)));
    assert_eq!(asked("Tue, 14 Nov 2023 22:14:20 GMT"), Some(Duration::from_secs(60)));
    assert_eq!(asked("Tue, 14 Nov 2000 22:14:20 GMT"), Some(Duration::ZERO));
    // More than any integer is a long time, and not no wish.
    assert_eq!(asked(&"9".repeat(40)), Some(Duration::MAX));
    assert_eq!(asked("soon"), None);
    assert_eq!(asked(""), None);
    assert_eq!(asked("-1"), None);
}
