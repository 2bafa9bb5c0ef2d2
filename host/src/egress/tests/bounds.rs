//! Answers that would cost time or memory without an end: each costs a bounded part of both.
//!
//! Whoever answers is a raw socket that is let go on until it is hung up on. Never looks at what a
//! status means.

use tokio::time::Instant;

use super::*;

#[tokio::test]
async fn an_endless_body_holds_nobody() {
    let (listener, url) = listener().await;
    let server = async {
        let (mut stream, _) = accept(&listener).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        // Ends only when the other side has gone.
        let mut sent = 0_usize;
        while stream.write_all(&[0xff; 4096]).await.is_ok() {
            sent += 4096;
        }
        sent
    };
    let egress = to_loopback();
    let (answer, sent) = tokio::join!(post(&egress, &url, PATIENCE), server);

    let answer = answer.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.excerpt, "\u{fffd}".repeat(EXCERPT_BYTES_MAX / 3));
    assert!(sent < 32 * 1024 * 1024, "{sent} bytes were taken, far more than buffers hold");
}

#[tokio::test]
async fn an_answer_counts_although_its_body_never_ends() {
    let (listener, url) = listener().await;
    let server = async {
        let (mut stream, _) = accept(&listener).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await.unwrap();
        // Holds the connection until the other side has gone.
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
    };
    let egress = to_loopback();
    let started = Instant::now();
    let (answer, ()) = tokio::join!(post(&egress, &url, PATIENCE), server);

    let answer = answer.unwrap();
    assert_eq!((answer.status, answer.excerpt.as_str()), (200, "half"));
    assert!(started.elapsed() < PATIENCE / 3, "waited for the rest");
}

#[tokio::test]
async fn a_silent_host_is_given_up() {
    let (listener, url) = listener().await;
    let egress = to_loopback();
    let mut held = None;
    let server = async { held = Some(accept(&listener).await) };
    let (answer, ()) = tokio::join!(post(&egress, &url, Duration::from_millis(100)), server);

    assert!(held.is_some());
    let error = answer.unwrap_err();
    assert!(matches!(error, EgressError::Timeout { .. }), "{error:?}");
}

/// Have `Egress::exchange` put a connection back whose request is given up: the late answer is
/// taken for that of the next request.
#[tokio::test]
async fn an_answer_after_the_timeout_is_no_answer_to_the_next_request() {
    let (listener, url) = listener().await;
    let egress = to_loopback();
    let (gave_up, is_late) = tokio::sync::oneshot::channel();
    let server = async {
        let (mut first, _) = accept(&listener).await;
        is_late.await.unwrap();
        // Whether somebody still reads there is not known.
        drop(first.write_all(b"HTTP/1.1 200 Late\r\ncontent-length: 0\r\n\r\n").await);
        let (mut second, _) = accept(&listener).await;
        second.write_all(b"HTTP/1.1 204 Fine\r\n\r\n").await.unwrap();
        [first, second]
    };
    let client = async {
        let error = post(&egress, &url, Duration::from_millis(500)).await.unwrap_err();
        assert_eq!(error.label(), "timeout");
        gave_up.send(()).unwrap();
        assert_eq!(post(&egress, &url, PATIENCE).await.unwrap().status, 204);
    };
    tokio::join!(client, server);
}

#[tokio::test]
async fn who_sends_interim_answers_for_ever_is_a_broken_connection() {
    // Take out `allowance.take` in `Metered::poll_read`: nothing ends before the request's time.
    for interim in ["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Hints\r\nlink: </a>\r\n\r\n"] {
        let (listener, url) = listener().await;
        let server = async {
            let (mut stream, _) = accept(&listener).await;
            let flood = interim.repeat(1_000);
            while stream.write_all(flood.as_bytes()).await.is_ok() {}
        };
        let egress = to_loopback();
        let (answer, ()) = tokio::join!(post(&egress, &url, PATIENCE), server);

        let error = answer.unwrap_err();
        assert_eq!(error.label(), "broken");
        let expected = "ended before the answer: the peer sent more than 256 KiB and no answer";
        assert!(error.to_string().ends_with(expected), "{error}");
    }
}

#[tokio::test]
async fn a_few_interim_answers_are_no_harm() {
    let interim = "HTTP/1.1 103 Hints\r\nlink: </a>\r\n\r\n".repeat(20);
    let (answer, _) = exchange(&format!("{interim}HTTP/1.1 204 Fine\r\n\r\n")).await;
    assert_eq!(answer.unwrap().status, 204);
}

/// Bytes that come one by one, for ever.
async fn trickle(mut stream: TcpStream, byte: u8) {
    while stream.write_all(&[byte]).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Take out `timeout_at(end, ..)` in `Patience::wait_until`: it is waited for without an end.
#[tokio::test]
async fn a_head_that_trickles_in_has_the_time_of_the_request_and_no_more() {
    let (listener, url) = listener().await;
    let server = async {
        let (mut stream, _) = accept(&listener).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nx-slow: ").await.unwrap();
        trickle(stream, b'a').await;
    };
    let egress = to_loopback();
    let timeout = Duration::from_millis(200);
    let (answer, ()) = tokio::join!(post(&egress, &url, timeout), server);

    assert_eq!(answer.unwrap_err().label(), "timeout");
}

/// Take out `BODY_WAIT_MAX` in `Exchange::excerpt`: the body has all the time of the request.
#[tokio::test]
async fn a_body_that_trickles_in_holds_an_answer_for_a_second() {
    let (listener, url) = listener().await;
    let server = async {
        let (mut stream, _) = accept(&listener).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        trickle(stream, b'a').await;
    };
    let egress = to_loopback();
    let started = Instant::now();
    let (answer, ()) = tokio::join!(post(&egress, &url, PATIENCE), server);

    let answer = answer.unwrap();
    assert_eq!(answer.status, 200);
    assert!(answer.excerpt.starts_with('a'), "what came is kept");
    assert!(started.elapsed() < PATIENCE / 3, "waited for the rest");
}

fn answer_with(headers: usize) -> String {
    let headers: String = (0..headers).map(|number| format!("x-{number}: a\r\n")).collect();
    format!("HTTP/1.1 204 Fine\r\n{headers}\r\n")
}

/// Take out `max_headers` in `Connection::over`: more than 100 are too many.
#[tokio::test]
async fn an_answer_with_150_headers_is_an_answer_and_one_with_513_is_none() {
    for headers in [150, 512] {
        let (answer, _) = exchange(&answer_with(headers)).await;
        assert_eq!(answer.unwrap().status, 204, "{headers} headers");
    }
    let (answer, _) = exchange(&answer_with(513)).await;
    let error = answer.unwrap_err().to_string();
    assert!(error.ends_with("the head of the answer is too large"), "{error}");
}

/// Take out `max_buf_size` in `Connection::over`: four times as much is held before it ends.
#[tokio::test]
async fn a_head_larger_than_64_kib_is_not_held() {
    let (listener, url) = listener().await;
    let server = async {
        let (mut stream, _) = accept(&listener).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nx-large: ").await.unwrap();
        while stream.write_all(&[b'a'; 4096]).await.is_ok() {}
    };
    let egress = to_loopback();
    let (answer, ()) = tokio::join!(post(&egress, &url, PATIENCE), server);

    let error = answer.unwrap_err().to_string();
    assert!(error.ends_with("the head of the answer is too large"), "{error}");
}
