//! Peers that keep the gateway waiting: what they cost others, and when they are hung up on.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::held::Held;
use crate::harness::{
    GUEST_TOKEN, Harness, Process, STRIPE_SECRET, Setup, Wire, answer, payment, stripe_signature,
};

/// Longer than anything takes that is not stuck.
const PATIENCE: Duration = Duration::from_secs(30);

async fn connect(url: &str) -> TcpStream {
    TcpStream::connect(url.strip_prefix("http://").unwrap()).await.unwrap()
}

/// Everything that comes until the gateway hangs up.
async fn hear(stream: &mut TcpStream) -> String {
    let mut heard = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut heard)).await;
    // A gateway that hangs up on somebody who still sends may do so with a reset.
    let _read = read.expect("the gateway hangs up");
    String::from_utf8(heard).unwrap()
}

/// An operator whose replay is being worked on, and waits for the rest of its body.
async fn operator(gateway: &Harness) -> TcpStream {
    let mut operator = connect(gateway.admin()).await;
    let head = "POST /v1/replay HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\n\
                content-type: application/json\r\ncontent-length: 9\r\n\r\n";
    operator.write_all(head.as_bytes()).await.unwrap();
    let mut goes_on = [0; "HTTP/1.1 100 Continue\r\n\r\n".len()];
    operator.read_exact(&mut goes_on).await.unwrap();
    operator
}

/// The request of a genuine event, to be written to a socket.
fn genuine(gateway: &Harness, body: &str) -> String {
    let signature = stripe_signature(STRIPE_SECRET, gateway.clock().now().seconds(), body);
    let length = body.len();
    format!(
        "POST /in/stripe HTTP/1.1\r\nhost: here\r\nstripe-signature: {signature}\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
}

/// Guards I11.
#[tokio::test]
async fn bodies_that_do_not_come_keep_no_genuine_sender_out() {
    let limits = "[limits]\nrequests = 2\nrequests_per_source = 1";
    let gateway = Setup::stripe().table(limits).start().await;
    let mut held = Vec::new();
    for _ in 0..50 {
        let mut slow = Held::begin(&gateway, "stripe", "content-length: 100000").await;
        slow.send(b"{").await;
        held.push(slow);
    }

    for number in 0..20 {
        let body = payment(&format!("evt_{number}"), "pi_1", "succeeded");
        gateway.stripe(&body).await.accepted();
    }
}

/// Guards I7 and I11.
#[tokio::test]
async fn bodies_that_fill_the_memory_give_way_to_genuine_senders() {
    let limits = "[limits]\nheld_bytes = 4000000\nheld_bytes_per_source = 2000000";
    let gateway = Setup::stripe().open().table(limits).start().await;
    let mut held = Vec::new();
    for _ in 0..16 {
        let mut slow = Held::begin(&gateway, "stripe", "content-length: 1000000").await;
        slow.send(&vec![b' '; 500_000]).await;
        held.push(slow);
    }

    for number in 0..20 {
        let body = payment(&format!("evt_{number}"), "pi_1", "succeeded");
        gateway.stripe(&body).await.accepted();
        gateway.post("open", &[], body).await.accepted();
    }
}

/// Guards I11.
#[tokio::test]
async fn who_keeps_the_gateway_waiting_is_hung_up_on() {
    let gateway = Setup::stripe().table("[limits]\nstall = \"1s\"").start().await;
    let head = "POST /in/stripe HTTP/1.1\r\nhost: here\r\n";
    let part = format!("{head}content-length: 10\r\n\r\n{{");
    let body = payment("evt_1", "pi_1", "succeeded");
    let mut silent = connect(gateway.public()).await;
    let mut slow_head = connect(gateway.public()).await;
    slow_head.write_all(head.as_bytes()).await.unwrap();
    let mut slow_body = connect(gateway.public()).await;
    slow_body.write_all(part.as_bytes()).await.unwrap();
    let mut kept = connect(gateway.public()).await;

    assert_eq!(hear(&mut silent).await, "");
    assert_eq!(hear(&mut slow_head).await, "");
    let heard = hear(&mut slow_body).await;
    assert!(heard.starts_with("HTTP/1.1 408 "), "{heard}");
    drop(kept);
    kept = connect(gateway.public()).await;
    for _ in 0..2 {
        kept.write_all(genuine(&gateway, &body).as_bytes()).await.unwrap();
        let mut heard = [0; 1024];
        let read = kept.read(&mut heard).await.unwrap();
        assert!(heard[..read].starts_with(b"HTTP/1.1 200 "));
        // Longer than a peer may keep the gateway waiting.
        assert_eq!(hear(&mut connect(gateway.public()).await).await, "");
    }
}

/// I10: what was not accepted is no reason to wait.
#[tokio::test]
async fn a_stop_waits_for_no_request_that_is_not_whole() {
    let limits = "[limits]\nstall = \"5m\"\ngrace = \"10m\"";
    let gateway = Setup::stripe().table(limits).start().await;
    let mut operator = operator(&gateway).await;
    let mut slow_head = connect(gateway.public()).await;
    slow_head.write_all(b"POST /in/stripe HTTP/1.1\r\nhost: here\r\n").await.unwrap();
    let mut refused = connect(gateway.public()).await;
    let part = "POST /in/nowhere HTTP/1.1\r\nhost: here\r\ncontent-length: 9\r\n\r\n{";
    refused.write_all(part.as_bytes()).await.unwrap();
    let mut slow_body = Held::begin(&gateway, "stripe", "content-length: 9").await;
    slow_body.send(b"{").await;

    let stopping = tokio::time::timeout(PATIENCE, gateway.stop());
    let (stopped, answer) = tokio::join!(stopping, slow_body.whole_answer());

    assert!(stopped.is_ok(), "it takes too long");
    let (head, body) = answer.split_once("\r\n\r\n").expect("it is an answer");
    assert!(head.starts_with("HTTP/1.1 503 ") && head.contains("retry-after: 5"), "{answer}");
    assert!(head.contains("connection: close"), "{answer}");
    assert_eq!(body, r#"{"error":"try again later"}"#);
    assert_eq!(hear(&mut slow_head).await, "");
    assert!(hear(&mut refused).await.starts_with("HTTP/1.1 404 "));
    let told = hear(&mut operator).await;
    assert!(told.contains(r#""detail":"the gateway is stopping""#), "{told}");
}

/// Guards I10.
#[tokio::test]
async fn a_stop_waits_for_nobody_who_waits_for_the_end_of_all_work() {
    let limits = "[limits]\nparses = 0\ngrace = \"10m\"";
    let gateway = Setup::stripe().table(limits).start().await;
    gateway.stripe(&payment("evt_1", "pi_1", "succeeded")).await.accepted();
    let mut waiting = connect(gateway.admin()).await;
    waiting.write_all(b"GET /v1/settled HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    // Asked later, answered earlier: by then the other waits.
    assert_eq!(gateway.ask("/healthz").await.status, 200);

    let stopped = tokio::time::timeout(PATIENCE, gateway.stop()).await;

    assert!(stopped.is_ok(), "it takes too long");
    let told = hear(&mut waiting).await;
    assert!(told.contains(r#""detail":"the gateway is stopping""#), "{told}");
}

/// Guards I11.
#[tokio::test]
async fn who_never_reads_an_answer_is_hung_up_on_at_both_ports() {
    let gateway = Setup::guest().table("[limits]\nstall = \"1s\"").start().await;
    // Accepted again and again, each time with a long answer.
    let reply = json!({ "status": 200, "type": "text/plain", "text": "x".repeat(8_000) });
    let body = json!({ "id": "1", "reply": reply }).to_string();
    let known = format!(
        "POST /in/guest HTTP/1.1\r\nhost: here\r\nx-token: {GUEST_TOKEN}\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let metrics = "GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned();
    for (url, request) in [(gateway.public(), known), (gateway.admin(), metrics)] {
        let mut stream = connect(url).await;
        let requests = request.repeat(100);
        let asking = async { while stream.write_all(requests.as_bytes()).await.is_ok() {} };
        tokio::time::timeout(PATIENCE, asking).await.expect("the gateway hangs up");
    }
    let metrics = gateway.ask("/metrics").await.body;
    for port in ["public", "admin"] {
        let line = format!(r#"hookgate_hangups_total{{port="{port}",reason="not_reading"}} 1"#);
        assert!(metrics.contains(&line), "{metrics}");
    }
}

#[tokio::test]
async fn a_connection_that_brings_only_refused_requests_is_closed_with_the_answer_to_one() {
    let gateway = Setup::stripe().start().await;
    for (method, path) in [
        ("POST", "/in/stripe"),
        ("POST", "/in/nowhere"),
        ("POST", "/in/%ff"),
        ("PATCH", "/in/stripe"),
        ("POST", "/zzz"),
        ("GET", "/zzz"),
        ("POST", "/healthz"),
    ] {
        let mut stream = connect(gateway.public()).await;
        let request =
            format!("{method} {path} HTTP/1.1\r\nhost: here\r\ncontent-length: 2\r\n\r\n{{}}");
        // All at once and nothing read: it does not depend on the peer.
        stream.write_all(request.repeat(40).as_bytes()).await.unwrap();
        let heard = hear(&mut stream).await;
        assert_eq!(heard.matches("HTTP/1.1 4").count(), 16, "{path}: {heard}");
        assert_eq!(heard.matches("connection: close").count(), 1, "{path}: {heard}");
    }
    gateway.stripe(&payment("evt_1", "pi_1", "succeeded")).await.accepted();
}

/// A request whose body is one byte larger than the smallest limit that there can be.
fn too_large() -> String {
    let body = " ".repeat(1025);
    format!("POST /in/stripe HTTP/1.1\r\nhost: here\r\ncontent-length: 1025\r\n\r\n{body}")
}

#[tokio::test]
async fn bodies_that_are_too_large_and_nothing_else_end_a_connection_with_the_answer_to_one() {
    let gateway = Setup::stripe().table("[limits]\nbody_bytes = 1024").start().await;
    let mut stream = connect(gateway.public()).await;
    let mut heard = String::new();
    for number in 1..=16 {
        stream.write_all(too_large().as_bytes()).await.unwrap();
        while heard.matches("too large\"}").count() < number {
            let mut part = [0; 1024];
            let read = tokio::time::timeout(PATIENCE, stream.read(&mut part)).await;
            let read = read.expect("the gateway answers").unwrap();
            assert_ne!(read, 0, "the gateway hangs up after {heard}");
            heard += std::str::from_utf8(&part[..read]).unwrap();
        }
    }

    assert_eq!(hear(&mut stream).await, "");
    assert_eq!(heard.matches("HTTP/1.1 413 ").count(), 16, "{heard}");
    assert_eq!(heard.matches("connection: close").count(), 1, "{heard}");
}

#[tokio::test]
async fn a_probe_between_refusals_is_answered_and_takes_none_of_them_back() {
    let gateway = Setup::stripe().start().await;
    let mut stream = connect(gateway.public()).await;
    let head = "HTTP/1.1\r\nhost: here\r\n\r\n";
    let turn = format!("GET /healthz {head}GET /zzz {head}");
    stream.write_all(turn.repeat(40).as_bytes()).await.unwrap();
    let heard = hear(&mut stream).await;
    let count = |status: &str| heard.matches(status).count();
    assert_eq!((count("HTTP/1.1 200"), count("HTTP/1.1 404")), (16, 16), "{heard}");
}

#[tokio::test]
async fn a_challenge_that_proves_nothing_takes_no_refusal_back_either() {
    let gateway = Setup::guest().start().await;
    let mut stream = connect(gateway.public()).await;
    let asked = "GET /in/guest?digest=ab HTTP/1.1\r\nhost: here\r\n\r\n";
    let forged = "POST /in/guest HTTP/1.1\r\nhost: here\r\ncontent-length: 2\r\n\r\n{}";
    stream.write_all(format!("{asked}{forged}").repeat(40).as_bytes()).await.unwrap();
    let heard = hear(&mut stream).await;
    let count = |status: &str| heard.matches(status).count();
    assert_eq!((count("HTTP/1.1 200"), count("HTTP/1.1 401")), (16, 16), "{heard}");
}

#[tokio::test]
async fn a_connection_that_only_probes_is_closed_with_the_answer_to_the_hundredth() {
    let gateway = Setup::stripe().start().await;
    let mut stream = connect(gateway.public()).await;
    let probe = "GET /healthz HTTP/1.1\r\nhost: here\r\n\r\n";
    stream.write_all(probe.repeat(200).as_bytes()).await.unwrap();
    let heard = hear(&mut stream).await;
    assert_eq!(heard.matches("HTTP/1.1 200").count(), 100);
    assert_eq!(heard.matches("connection: close").count(), 1);
}

#[tokio::test]
async fn requests_to_no_source_are_answered_at_a_hundred_a_second_on_however_many_connections() {
    let gateway = Setup::stripe().start().await;
    let begun = Instant::now();
    for number in 0..150 {
        // A connection each.
        let mut stream = connect(gateway.public()).await;
        let head = "HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n";
        let path = ["zzz", "in/nowhere", "in/%ff"][number % 3];
        stream.write_all(format!("GET /{path} {head}").as_bytes()).await.unwrap();
        let heard = hear(&mut stream).await;
        assert!(heard.starts_with("HTTP/1.1 404 "), "{heard}");
    }
    assert!(begun.elapsed() >= Duration::from_millis(900), "150 take a second at least");
}

/// Guards I11.
#[tokio::test]
async fn bodies_that_are_too_large_or_broken_are_answered_at_a_hundred_a_second() {
    let gateway = Setup::stripe().table("[limits]\nbody_bytes = 1024").start().await;
    let head = "POST /in/stripe HTTP/1.1\r\nhost: here\r\n";
    let broken = format!("{head}transfer-encoding: chunked\r\n\r\nnot a length\r\n");
    let too_large = too_large().replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n");
    let begun = Instant::now();
    for number in 0..150 {
        // A connection each.
        let mut stream = connect(gateway.public()).await;
        let (request, status) = [(&broken, "400"), (&too_large, "413")][number % 2];
        stream.write_all(request.as_bytes()).await.unwrap();
        let heard = hear(&mut stream).await;
        assert!(heard.starts_with(&format!("HTTP/1.1 {status} ")), "{heard}");
    }
    assert!(begun.elapsed() >= Duration::from_millis(900), "150 take a second at least");
}

/// Guards I11.
#[tokio::test]
async fn refusals_of_one_source_are_answered_at_a_hundred_a_second_beside_genuine_requests() {
    let gateway = Setup::stripe().start().await;
    let flooding = async {
        for _ in 0..200 {
            assert_eq!(gateway.post("stripe", &[], "{}").await.status, 401);
        }
    };
    let begun = Instant::now();
    let genuine = async {
        for number in 0..50 {
            gateway
                .stripe(&payment(&format!("evt_{number}"), "pi_1", "succeeded"))
                .await
                .accepted();
        }
    };
    tokio::join!(flooding, genuine);
    assert!(begun.elapsed() >= Duration::from_secs(1), "200 refusals take 1.5 s at least");
}

#[tokio::test]
async fn who_has_closed_the_sending_side_is_answered() {
    let gateway = Setup::stripe().start().await;
    let mut stream = connect(gateway.public()).await;
    let request = genuine(&gateway, &payment("evt_1", "pi_1", "succeeded"));
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let heard = hear(&mut stream).await;
    assert!(heard.starts_with("HTTP/1.1 200 "), "{heard}");
}

#[tokio::test]
async fn a_length_that_is_too_large_is_refused_at_once() {
    let gateway = Setup::stripe().start().await;
    let mut stream = connect(gateway.public()).await;
    let head = "POST /in/stripe HTTP/1.1\r\nhost: here\r\nexpect: 100-continue\r\n\
                content-length: 1048577\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let heard = hear(&mut stream).await;
    assert!(heard.starts_with("HTTP/1.1 413 "), "{heard}");

    // Who sends it all the same gets to read why.
    for bytes in [2_000_000, 4_000_000] {
        let refused = gateway.post("stripe", &[], vec![b' '; bytes]).await;
        assert_eq!(refused.status, 413);
    }
}

/// Guards I11.
#[tokio::test]
async fn those_who_wait_at_the_operators_port_blind_no_probe() {
    let gateway = Setup::stripe().table("[limits]\nparses = 0").start().await;
    gateway.stripe(&payment("evt_1", "pi_1", "succeeded")).await.accepted();
    let mut waiting = Vec::new();
    for _ in 0..400 {
        let mut stream = connect(gateway.admin()).await;
        stream.write_all(b"GET /v1/settled HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        waiting.push(stream);
    }

    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(gateway.ask(path).await.status, 200, "{path}");
    }
    let settled = gateway.ask("/v1/settled").await;
    assert_eq!(settled.status, 503, "{}", settled.body);
}

/// Guards I11.
#[tokio::test]
async fn those_who_are_answered_at_the_operators_port_leave_half_of_it_to_the_probes() {
    let gateway = Setup::stripe().start().await;
    let mut operators = Vec::new();
    for _ in 0..128 {
        operators.push(operator(&gateway).await);
    }

    let next = gateway.ask("/v1/events").await;
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(gateway.ask(path).await.status, 200, "{path}");
    }

    assert_eq!(next.status, 503, "{}", next.body);
    assert!(next.body.contains("the gateway is answering too many requests"), "{}", next.body);
}

/// Guards I11: who asks for what is open to all is not spared as an operator is.
#[tokio::test]
async fn connections_that_only_ask_whether_it_is_well_make_room_before_an_operator_does() {
    let gateway = Setup::stripe().start().await;
    let mut operator = Wire::open(gateway.admin()).await.unwrap();
    assert_eq!(operator.get("/v1/plugins").await.unwrap().status, 200);
    // With the operator's they are as many as the port takes.
    let mut probes = Vec::new();
    for _ in 0..255 {
        let mut probe = Wire::open(gateway.admin()).await.unwrap();
        assert_eq!(probe.get("/healthz").await.unwrap().status, 200);
        probes.push(probe);
    }

    let mut newcomer = Wire::open(gateway.admin()).await.unwrap();
    let asked = tokio::time::timeout(PATIENCE, newcomer.get("/v1/plugins")).await;

    assert_eq!(asked.expect("there is room").unwrap().status, 200);
    let stays = operator.get("/v1/plugins").await.expect("others make room first");
    assert_eq!(stays.status, 200);
}

#[tokio::test]
async fn a_flood_of_forged_requests_writes_a_few_short_lines() {
    let stopped = Setup::stripe().prepare();
    let info = |command: &mut tokio::process::Command| {
        command.env("RUST_LOG", "hookgate=info");
    };
    let mut gateway = Process::start_with(stopped, info).await;
    let (started, client) = (Instant::now(), hookgate::egress::operator_client().unwrap());
    let url = format!("{}/in/stripe", gateway.public());
    let forged = |text: &str| {
        let signature = format!("t={text}{STRIPE_SECRET}");
        answer(client.post(&url).header("stripe-signature", signature).body("{}"))
    };
    for _ in 0..300 {
        assert_eq!(forged(&"x".repeat(4_000)).await.status, 401);
    }
    let seconds = started.elapsed().as_secs() as usize;
    assert_eq!(gateway.stripe(&payment("evt_1", "pi_1", "succeeded")).await.status, 200);

    gateway.log.says("rejected a request").await;
    let lines = gateway.log.lines("rejected a request");
    assert!(lines.len() <= 5 * (seconds + 2), "{} lines in {seconds} s", lines.len());
    for line in lines {
        assert!(line.len() < 800 && !line.contains(STRIPE_SECRET), "{line}");
        let line: Value = serde_json::from_str(&line).unwrap();
        assert!(line["fields"]["peer"].as_str().unwrap().starts_with("127.0.0.1:"), "{line}");
    }
    gateway.terminate().await;
}
