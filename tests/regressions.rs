//! What users of other gateways suffered, as tests that name it.
//!
//! Here are those that have no other place. Elsewhere are
//! - an event on a hundred connections at once: `ingest/once.rs`;
//! - a tenant's token that names what is another's, in every route of the OpenAPI document:
//!   `tenants.rs`;
//! - an answer larger than any limit, with 150 headers, or without an end, over HTTP/1.1 and
//!   HTTP/2: `host/src/egress/tests/bounds.rs` and `http2.rs` beside it.

mod late;

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{
    Harness, Receiver, Setup, delivery_to, payment, refusal, serve, stands, text, texts,
};

const MASTER: &str = "master_key = { file = \"master\" }";
/// The longest that a `Retry-After` is obeyed.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
const SECOND: Duration = Duration::from_secs(1);

/// With the source `stripe` and a master key.
async fn start() -> Harness {
    let prepared = Setup::stripe().line(MASTER).prepare();
    std::fs::write(prepared.folder().join("master"), "c4".repeat(32)).unwrap();
    prepared.start().await
}

/// An endpoint of the API for payments: where it is, what deliveries call it, and its secret.
async fn create(gateway: &Harness, receiver: &Receiver) -> (String, String, String) {
    let endpoint = json!({ "name": "crm", "url": receiver.url(), "events": ["payment.*"] });
    let made = gateway.tell("/v1/endpoints", &endpoint).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let made = made.json();
    let id = text(&made["id"]);
    (format!("/v1/endpoints/{id}"), id.replace('_', "-"), text(&made["secrets"][0]["value"]))
}

async fn pay(gateway: &Harness, event_id: &str) {
    gateway.stripe(&payment(event_id, "pi_1", "succeeded")).await.accepted();
}

/// The dead letters, once there are so many.
async fn dead(gateway: &Harness, count: usize) -> Vec<Value> {
    loop {
        let dead = gateway.dead().await;
        if dead.len() >= count {
            return dead;
        }
        tokio::task::yield_now().await;
    }
}

/// Guards I8. Take `self.note(..)` out of `Endpoints::follow`: what is queued waits for ever.
#[tokio::test]
async fn an_endpoint_deleted_with_deliveries_queued_leaves_each_as_a_dead_letter_with_the_reason() {
    let receiver = Receiver::start().await;
    let gateway = start().await;
    let (path, key, _) = create(&gateway, &receiver).await;
    let paused = gateway.tell(&format!("{path}/pause"), &json!({})).await;
    assert_eq!(paused.status, 200, "{}", paused.body);
    for event in ["evt_1", "evt_2", "evt_3"] {
        pay(&gateway, event).await;
    }
    gateway.settle().await;

    assert_eq!(gateway.delete(&path).await.status, 200);
    let letters = Value::from(dead(&gateway, 3).await);

    assert_eq!(texts(&letters, "reason"), ["endpoint_gone"; 3]);
    assert_eq!(texts(&letters, "detail"), ["the endpoint was deleted"; 3]);
    for event in ["evt_1", "evt_2", "evt_3"] {
        let delivery = delivery_to(&gateway.event(event).await, &key);
        assert_eq!(stands(&delivery), ("dead", 0), "{event}");
    }
    assert!(receiver.received().is_empty());
}

/// Take out `min(RETRY_AFTER_MAX)` in `RetryPolicy::verdict`: it is never tried again.
#[tokio::test]
async fn a_retry_after_beyond_any_integer_is_obeyed_for_a_day() {
    let receiver = Receiver::start().await;
    receiver.answer_with(503, vec![("retry-after", "9".repeat(40))]);
    let gateway = Setup::stripe().endpoint("crm", &receiver, &["payment.*"]).start().await;

    pay(&gateway, "evt_1").await;
    gateway.settle().await;
    receiver.answer(204);
    gateway.advance(LONGEST - SECOND).await;
    let too_soon = receiver.received().len();
    gateway.advance(SECOND).await;

    assert_eq!((too_soon, receiver.received().len()), (1, 2));
    assert_eq!(stands(&delivery_to(&gateway.event("evt_1").await, "crm")), ("done", 2));
}

/// Guards I2 and I9. Have `Entry::choice` give the last word for one that it does not know, and
/// note nothing: everybody may post.
#[tokio::test]
async fn an_unknown_verifier_is_never_accepted() {
    let forged = payment("evt_1", "pi_1", "succeeded");
    let unknown = ["any", "None", "hmac", ""].map(|word| format!("verify = \"{word}\""));
    for verify in &unknown {
        let stopped = Setup::new().plugin("stripe").source("stripe", "stripe", verify).prepare();
        let said = refusal(serve(&stopped)).await;
        assert!(said.contains("`verify` must be"), "{verify}: {said}");
    }

    let gateway = Setup::stripe().source("gone", "nowhere", "verify = \"none\"").start().await;
    let plugin = "plugin = \"stripe\"\n";
    for verify in &unknown {
        gateway.rewrite_config(|text| text.replacen(plugin, &format!("{plugin}{verify}\n"), 1));
        assert_eq!(gateway.reload().await["config"]["outcome"], "kept", "{verify}");
        assert_eq!(gateway.post("stripe", &[], forged.as_str()).await.status, 401, "{verify}");
        gateway.rewrite_config(|text| text.replacen(&format!("{verify}\n"), "", 1));
    }
    // One whose plugin nobody has put there verifies nothing, and so accepts nothing.
    assert_eq!(gateway.post("gone", &[], forged.as_str()).await.status, 503);
    gateway.settle().await;
    assert_eq!(gateway.events("").await, Vec::<Value>::new());
}

/// Guards I1 and I2. Have `Listed::active` leave out what does not open: the delivery goes out
/// unsigned. One that starts with another key is in `endpoints.rs`.
#[tokio::test]
async fn a_start_without_the_master_key_accepts_events_and_sends_none_unsigned() {
    let receiver = Receiver::start().await;
    let gateway = start().await;
    let (path, key, secret) = create(&gateway, &receiver).await;
    let stopped = gateway.stop().await;
    let config = stopped.folder().join("hookgate.toml");
    let text = std::fs::read_to_string(&config).unwrap();

    // The configuration names a place where there is none: it says so, and where.
    let [there, away] = ["master", "elsewhere"].map(|name| stopped.folder().join(name));
    std::fs::rename(&there, &away).unwrap();
    let said = refusal(serve(&stopped)).await;
    assert!(said.contains("failed to read") && said.contains("master"), "{said}");

    std::fs::write(&config, text.replacen(MASTER, "", 1)).unwrap();
    let gateway = stopped.start().await;
    assert_eq!(gateway.ask(&path).await.json()["locked"], json!(true));
    pay(&gateway, "evt_1").await;
    gateway.settle().await;
    let delivery = delivery_to(&gateway.event("evt_1").await, &key);
    assert_eq!(stands(&delivery), ("pending", 0));
    assert!(receiver.received().is_empty());

    std::fs::rename(&away, &there).unwrap();
    gateway.reconfigure(|_| text).await;
    assert!(receiver.arrived(1).await[0].is_signed_with(&secret));
}
