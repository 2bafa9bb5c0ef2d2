//! Where an attempt ends, and what is known of it then: one test for each phase.

use std::io;
use std::net::SocketAddr;

use super::*;
use crate::failure::Reason;

/// More than the system holds for somebody who does not read.
const LARGE_BYTES: usize = 64 << 20;

/// Posts to this URL, and gives all that was seen.
async fn attempt(egress: &Egress, url: &Url, body: Bytes, connect_timeout: Duration) -> Attempted {
    let identity = Identity::system();
    let terms = Terms { identity: &identity, connect_timeout, body_excerpt: EXCERPT_BYTES_MAX };
    let target = Target::new(url.clone());
    egress.post(&target, terms, Vec::new(), body, Patience::of(PATIENCE)).await
}

async fn tried(egress: &Egress, url: &Url) -> Attempted {
    attempt(egress, url, "{}".into(), PATIENCE).await
}

fn address_of(url: &Url) -> SocketAddr {
    url.socket_addrs(|| None).unwrap()[0]
}

/// It came through these phases, which have a time each, and ended in the last.
#[track_caller]
fn check_phases(attempted: &Attempted, phases: &[Phase]) {
    let Attempted { trace, .. } = attempted;
    let timed = |phase: &Phase| trace.times_us[*phase as usize].is_some();
    let seen: Vec<Phase> = Phase::ALL.into_iter().filter(timed).collect();
    assert_eq!((seen.as_slice(), trace.phase), (phases, phases.last().copied()), "{attempted:?}");
}

/// What it failed of, to programs, and the innermost of its causes.
#[track_caller]
fn failure(attempted: &Attempted) -> (Reason, String) {
    let error = attempted.ended.as_ref().unwrap_err();
    (error.reason(), error.causes().pop().unwrap())
}

#[tokio::test]
async fn a_name_that_nobody_knows_ends_an_attempt_while_it_is_resolved() {
    let look_up = |_: &str| Err(io::Error::other("no such name"));
    let resolver = Resolver::new(Arc::new(look_up), Bounds::default());
    let clock = Clock::manual(NOW);
    let egress = Egress::with_resolver(Config::default(), clock, resolver).unwrap();

    let attempted = tried(&egress, &"http://hooks.example/".parse().unwrap()).await;

    check_phases(&attempted, &[Phase::Resolve]);
    assert_eq!(attempted.trace.peer, None);
    assert_eq!(failure(&attempted).0, Reason::EndpointUnreachable);
    let causes = attempted.ended.unwrap_err().causes();
    assert_eq!((causes.len(), causes[0].as_str()), (2, "failed to resolve `hooks.example`"));
}

#[tokio::test]
async fn an_address_that_is_not_allowed_ends_an_attempt_before_it_connects() {
    let (_listener, url) = listener().await;
    let attempted = tried(&egress(&[]), &url).await;

    check_phases(&attempted, &[Phase::Resolve]);
    let (reason, cause) = failure(&attempted);
    assert_eq!(reason, Reason::BlockedByGuard);
    assert!(cause.contains("a loopback address"), "{cause}");
}

#[tokio::test]
async fn who_does_not_listen_ends_an_attempt_while_it_connects() {
    let (listener, url) = listener().await;
    drop(listener);
    let attempted = tried(&to_loopback(), &url).await;

    check_phases(&attempted, &[Phase::Resolve, Phase::Connect]);
    assert_eq!(attempted.trace.peer, Some(address_of(&url)));
    let refused = (Reason::EndpointUnreachable, "connection refused".to_owned());
    assert_eq!(failure(&attempted), refused);
}

#[tokio::test]
async fn who_speaks_no_tls_ends_an_attempt_while_it_is_agreed_on() {
    let (listener, mut url) = listener().await;
    url.set_scheme("https").unwrap();
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad\r\n\r\n").await.unwrap();
        stream
    };
    let egress = to_loopback();
    let (attempted, _stream) = tokio::join!(tried(&egress, &url), server);

    check_phases(&attempted, &[Phase::Resolve, Phase::Connect, Phase::Tls]);
    let expected = (Reason::EndpointTls, "the peer does not speak TLS".to_owned());
    assert_eq!(failure(&attempted), expected);
}

#[tokio::test]
async fn who_is_silent_while_tls_is_agreed_on_is_late_and_has_no_bad_certificate() {
    let (listener, mut url) = listener().await;
    url.set_scheme("https").unwrap();
    let egress = to_loopback();
    let timeout = Duration::from_millis(500);
    let server = async { listener.accept().await.unwrap() };
    let client = attempt(&egress, &url, "{}".into(), timeout);
    let (attempted, _stream) = tokio::join!(client, server);

    check_phases(&attempted, &[Phase::Resolve, Phase::Connect, Phase::Tls]);
    assert_eq!(attempted.trace.peer, Some(address_of(&url)));
    let late = (Reason::EndpointTimeout, "timed out after 500ms".to_owned());
    assert_eq!(failure(&attempted), late);
}

#[tokio::test]
async fn who_leaves_before_all_is_read_ends_an_attempt_while_it_is_sent() {
    let (listener, url) = listener().await;
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_u8().await.unwrap();
    };
    let egress = to_loopback();
    let body = Bytes::from(vec![b'x'; LARGE_BYTES]);
    let (attempted, ()) = tokio::join!(attempt(&egress, &url, body, PATIENCE), server);

    check_phases(&attempted, &[Phase::Resolve, Phase::Connect, Phase::Send]);
    assert_eq!(failure(&attempted).0, Reason::EndpointUnreachable);
}

#[tokio::test]
async fn who_reads_all_and_leaves_ends_an_attempt_while_the_answer_is_awaited() {
    let (listener, url) = listener().await;
    let server = async { drop(accept(&listener).await) };
    let egress = to_loopback();
    let (attempted, ()) = tokio::join!(tried(&egress, &url), server);

    check_phases(&attempted, &[Phase::Resolve, Phase::Connect, Phase::Send, Phase::Headers]);
    assert_eq!(attempted.trace.peer, Some(address_of(&url)));
    let (reason, cause) = failure(&attempted);
    assert_eq!(reason, Reason::EndpointUnreachable);
    assert!(cause.starts_with("connection "), "{cause}");
}

#[tokio::test]
async fn a_body_that_breaks_off_ends_an_attempt_in_it_and_is_an_answer() {
    let (listener, url) = listener().await;
    let answer = "HTTP/1.1 500 Oh\r\ncontent-type: text/plain\r\ncontent-length: 9\r\n\r\nhalf";
    let server = async {
        let (mut stream, _) = accept(&listener).await;
        stream.write_all(answer.as_bytes()).await.unwrap();
    };
    let egress = to_loopback();
    let (attempted, ()) = tokio::join!(tried(&egress, &url), server);

    let phases = [Phase::Resolve, Phase::Connect, Phase::Send, Phase::Headers, Phase::Body];
    check_phases(&attempted, &phases);
    assert!(!attempted.trace.reused && !attempted.trace.http2);
    let answer = attempted.ended.unwrap();
    assert_eq!((answer.status, answer.excerpt.as_str()), (500, "half"));
    assert_eq!(answer.content_type.as_deref(), Some("text/plain"));
}

#[tokio::test]
async fn over_an_open_connection_an_attempt_begins_with_sending() {
    let (listener, url) = listener().await;
    let long = format!("text/{}", "x".repeat(200));
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-type: {long}\r\ncontent-length: 0\r\n\r\n");
    let server = async {
        let (mut stream, _) = accept(&listener).await;
        stream.write_all(answer.as_bytes()).await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n{}") {
            assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0, "it is used again");
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream
    };
    let egress = to_loopback();
    let client = async {
        let first = tried(&egress, &url).await;
        (first, tried(&egress, &url).await)
    };
    let ((first, second), _stream) = tokio::join!(client, server);

    assert!(!first.trace.reused && second.trace.reused);
    check_phases(&second, &[Phase::Send, Phase::Headers, Phase::Body]);
    assert_eq!(second.trace.peer, Some(address_of(&url)));
    let content_type = second.ended.unwrap().content_type.unwrap();
    assert_eq!(content_type, &long[..CONTENT_TYPE_BYTES_MAX]);
}
