//! What strangers can do by a trace: nothing. And what no span ever says.

use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;

use crate::harness::{Collector, ENDPOINT_SECRET, GUEST_TOKEN, Harness, Receiver, Setup, answer};

use super::{POST, SPAN, TRACE, TRACEPARENT, all};

const TOKEN: &str = "planted-token-5f0c2b91";
const PASSWORD: &str = "planted-p4ssw0rd-77";
const COLLECTORS: &str = "planted-key-of-the-collector-31";

/// Sends to the source `guest` by any method, within the trace of somebody else.
async fn send(gateway: &Harness, method: &str, query: &str, token: &str) -> u16 {
    let url = format!("{}/in/guest{query}", gateway.public());
    let request = gateway.client().request(method.parse().expect("a method"), url);
    answer(request.header("x-token", token).header("traceparent", TRACEPARENT)).await.status
}

/// Take `apart` out of `Ingest::receive`, or the check of a handshake out of `Verifying::ended`,
/// and anybody writes into the trace that it names. Let `known` give any method, and it chooses the
/// names of spans.
#[tokio::test]
async fn who_proves_nothing_is_in_no_trace_that_it_names() {
    let collector = Collector::start().await;
    let gateway = Setup::guest().table(&collector.table()).start().await;
    assert_eq!(send(&gateway, "POST", "", "guessed").await, 401);
    assert_eq!(send(&gateway, "GET", "?digest=20f9f8ed", "").await, 200);
    assert_eq!(send(&gateway, "BREW", "", GUEST_TOKEN).await, 405);
    gateway.stop().await;

    let spans = collector.spans();
    let names: Vec<&str> = spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, [POST, "GET /in/{source}", "HTTP /in/{source}"]);
    for span in &spans {
        assert!(span.trace != TRACE && span.parent.is_none() && !span.is_failed, "{span:#?}");
        assert_eq!(span.links, [(TRACE.to_owned(), SPAN.to_owned())]);
    }
    assert_eq!(spans[2].attribute("http.request.method"), "_OTHER");
}

/// End the span of a request in front of the wait of its answer, and it seems to have come when it
/// was answered, and to have taken no time.
#[tokio::test]
async fn the_span_of_a_refused_request_lasts_until_its_answer() {
    let collector = Collector::start().await;
    let gateway = Setup::guest().table(&collector.table()).start().await;
    let mut refused = JoinSet::new();
    // The source has time for the refusal of fifty at once; of the others each waits 10 ms more.
    for _ in 0..120 {
        let url = format!("{}/in/guest", gateway.public());
        refused.spawn(answer(gateway.client().request("BREW".parse().expect("a method"), url)));
    }
    for refused in refused.join_all().await {
        assert_eq!(refused.status, 405);
    }
    gateway.stop().await;

    let longest = collector.spans().iter().map(|span| span.took).max();
    assert!(longest >= Some(Duration::from_millis(100)), "{longest:?}");
}

/// Guards I4. Give a span the reason of a failure, the URL of an endpoint or of a request, and it
/// is found here.
#[tokio::test]
async fn no_span_has_a_secret() {
    let (collector, receiver) = (Collector::start().await, Receiver::start().await);
    receiver.answer_saying(400, format!("who is {TOKEN}?"));
    let url = receiver.url().replace("http://", &format!("http://planted:{PASSWORD}@"));
    let gateway = Setup::new()
        .plugin("guest")
        .source("guest", "guest", &format!("secrets = [{{ value = \"{TOKEN}\" }}]"))
        .table(&format!(
            "[endpoints.crm]\nurl = \"{url}?token={TOKEN}\"\nevents = [\"*\"]\nbody = \"raw\"\n\
             secrets = [{{ value = \"{ENDPOINT_SECRET}\" }}]\nretries = []"
        ))
        .table("[handlers.guest]\nendpoints = [\"crm\"]")
        .table(&collector.table())
        .table(&format!("[telemetry.headers]\napi-key = {{ value = \"{COLLECTORS}\" }}"))
        .start()
        .await;
    for command in [
        json!({ "id": "1", "do": "fail", "at": "parse", "reason": format!("not {TOKEN}") }),
        json!({ "id": "2", "do": "fail", "reason": format!("not {TOKEN}"), "subject": TOKEN }),
        json!({ "id": "3", "do": "trap", "text": TOKEN, "labels": { "token": TOKEN } }),
        json!({ "id": "4", "do": "emit", "data": { "token": TOKEN } }),
        json!({ "id": "5", "do": "send", "endpoint": "crm", "text": TOKEN }),
    ] {
        let query = format!("?token={TOKEN}");
        let post = gateway.client().post(format!("{}/in/guest{query}", gateway.public()));
        let post = post.header("x-token", TOKEN).header("x-other", PASSWORD);
        assert_eq!(answer(post.body(command.to_string())).await.status, 200);
    }
    gateway.settle().await;
    gateway.stop().await;

    let spans = collector.spans();
    for name in ["parse guest", "run guest", "deliver"] {
        assert!(all(&spans, name).iter().any(|span| span.is_failed), "{name}: {spans:#?}");
    }
    for export in collector.exports() {
        assert_eq!(export.headers["api-key"], COLLECTORS, "the collector gets its own");
        let text = String::from_utf8_lossy(&export.body);
        for planted in [TOKEN, PASSWORD, COLLECTORS, "who is"] {
            assert!(!text.contains(planted), "it says {planted}: {spans:#?}");
        }
    }
}
