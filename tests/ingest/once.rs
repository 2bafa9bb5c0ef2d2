//! One event on many connections at once, and what reaches an endpoint of it.

use serde_json::json;
use tokio::task::JoinSet;

use super::held::Held;
use crate::harness::{
    Receiver, STRIPE_SECRET, Setup, delivery_to, payment, stands, stripe_signature, text,
};

/// Guards I3 up to the endpoint. Have `Draft::append` find no owner of an event id: all hundred are
/// stored and delivered.
#[tokio::test]
async fn an_event_on_a_hundred_connections_at_once_reaches_an_endpoint_of_the_api_once() {
    let receiver = Receiver::start().await;
    let prepared = Setup::stripe().line("master_key = { file = \"master\" }").prepare();
    std::fs::write(prepared.folder().join("master"), "c4".repeat(32)).unwrap();
    let gateway = prepared.start().await;
    let endpoint = json!({ "name": "crm", "url": receiver.url(), "events": ["payment.*"] });
    let made = gateway.tell("/v1/endpoints", &endpoint).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let body = payment("evt_1", "pi_1", "succeeded");
    let now = gateway.clock().now().seconds();
    let signature = stripe_signature(STRIPE_SECRET, now, &body);
    let headers = format!("stripe-signature: {signature}\r\ncontent-length: {}", body.len());

    // All of the connections stand, with all of the request but its last byte.
    let (&last, most) = body.as_bytes().split_last().unwrap();
    let mut connections = Vec::new();
    for _ in 0..100 {
        let mut held = Held::begin(&gateway, "stripe", &headers).await;
        held.send(most).await;
        connections.push(held);
    }
    let mut posting = JoinSet::new();
    for mut held in connections {
        posting.spawn(async move {
            held.send(&[last]).await;
            held.whole_answer().await.to_ascii_lowercase()
        });
    }
    let answers = posting.join_all().await;
    gateway.settle().await;

    assert!(answers.iter().all(|answer| answer.starts_with("http/1.1 200 ")), "{answers:#?}");
    let first = |answer: &&String| !answer.contains("hookgate-duplicate: true");
    assert_eq!(answers.iter().filter(first).count(), 1);
    let key = text(&made.json()["id"]).replace('_', "-");
    assert_eq!(stands(&delivery_to(&gateway.event("evt_1").await, &key)), ("done", 1));
    assert!(gateway.stripe(&body).await.is_duplicate(), "as one that comes later");
    gateway.settle().await;
    assert_eq!(receiver.received().len(), 1);
}
