//! Dead letters: why each is dead, to programs and in words, and how they are found by it.

use serde_json::{Value, json};

use super::check_refused;
use crate::harness::{Receiver, Setup, delivery_to, reasons, run_of, text, texts};

/// Guards I8.
#[tokio::test]
async fn every_kind_of_dead_letter_says_why() {
    let receiver = Receiver::answering(410).await;
    let gateway = Setup::guest().endpoint("crm", &receiver, &["order.*"]).start().await;

    let unparsed = json!({ "id": "1", "do": "fail", "at": "parse", "reason": "no sense in it" });
    let receipt = gateway.guest(&unparsed).await.accepted();
    gateway.settle().await;
    gateway.guest(&json!({ "id": "2", "do": "fail", "reason": "no stock" })).await.accepted();
    gateway.settle().await;
    gateway.guest(&json!({ "id": "3", "type": "order.paid" })).await.accepted();
    gateway.settle().await;
    let dead = Value::from(gateway.dead().await);

    assert_eq!(texts(&dead, "kind"), ["delivery", "run", "parse"]);
    assert_eq!(texts(&dead, "name"), ["crm", "guest", "guest"]);
    let expected = ["the endpoint answered 410 Gone", "no stock", "no sense in it"];
    assert_eq!(reasons(&dead), expected);
    assert_eq!(texts(&dead, "reason"), ["endpoint_gone", "plugin_failed", "unparsable"]);
    // None of them would have been another at another try.
    let letters = dead.as_array().unwrap();
    assert!(letters.iter().all(|letter| letter["schedule_ended"] == false), "{dead:#}");
    for (reason, kind) in [("endpoint_gone", "delivery"), ("unparsable", "parse")] {
        let found = gateway.ask(&format!("/v1/dead?reason={reason}")).await.json();
        assert_eq!(texts(&found["items"], "kind"), [kind], "{reason}");
    }
    let counted = gateway.ask("/v1/dead/reasons").await.json();
    let groups = &counted["groups"];
    assert_eq!(texts(groups, "reason"), ["unparsable", "plugin_failed", "endpoint_gone"]);
    assert_eq!(groups[2]["newest"]["id"], dead[0]["id"]);
    let none = gateway.ask("/v1/dead?reason=endpoint_tls").await.json();
    assert_eq!(none["items"], json!([]));
    let refused = gateway.ask("/v1/dead?reason=no%20stock").await;
    check_refused(&refused, 400, "`reason` must be one of endpoint_refused, ");
    assert_eq!((&dead[2]["id"], &dead[2]["event"]), (&json!(receipt), &Value::Null));
    let run = run_of(&gateway.event("2").await, "guest");
    assert_eq!(dead[1]["id"], run["id"]);
    assert_eq!(dead[0]["id"], delivery_to(&gateway.event("3").await, "crm")["id"]);
}

#[tokio::test]
async fn a_run_that_fails_over_what_it_is_not_granted_says_so() {
    let gateway = Setup::guest().start().await;

    let command = json!({ "id": "1", "do": "send", "endpoint": "bank", "text": "hello" });
    gateway.guest(&command).await.accepted();
    gateway.guest(&json!({ "id": "2", "do": "fail", "reason": "no stock" })).await.accepted();
    gateway.settle().await;

    let dead = gateway.ask("/v1/dead?reason=not_granted").await.json()["items"].clone();
    let run = run_of(&gateway.event("1").await, "guest");
    assert_eq!(texts(&dead, "id"), [text(&run["id"])]);
    assert!(reasons(&dead)[0].contains("has not granted the endpoint `bank`"), "{dead:#}");
}
