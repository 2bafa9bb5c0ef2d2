//! Endpoints that are gone, or do nothing but fail: the gateway disables them by itself.

use std::time::Duration;

use serde_json::{Value, json};

use super::{act, delivery, endpoint, fail, fail_a_payment, one};
use crate::harness::{Harness, Receiver, delivery_to, stands, text};

const HALF_AN_HOUR: Duration = Duration::from_secs(1_800);

/// Where the endpoint stands, and why.
async fn stands_so(gateway: &Harness) -> (Value, Value) {
    let endpoint = endpoint(gateway).await;
    (endpoint["state"].clone(), endpoint["reason"].clone())
}

/// Guards I8.
#[tokio::test]
async fn a_410_disables_the_endpoint_and_what_comes_then_is_dead_without_an_attempt() {
    let receiver = Receiver::answering(410).await;
    let gateway = one(&receiver, "").await;

    fail_a_payment(&gateway).await;
    assert_eq!(stands(&delivery(&gateway).await), ("dead", 1));
    assert_eq!(stands_so(&gateway).await, (json!("disabled"), json!("gone")));
    receiver.answer(204);
    fail(&gateway, "evt_2").await;
    gateway.settle().await;
    let gateway = gateway.restart().await;
    gateway.settle().await;

    let second = delivery_to(&gateway.event("evt_2").await, "crm");
    assert_eq!((stands(&second), receiver.received().len()), (("dead", 0), 1));
    let letter = &gateway.dead().await[0];
    assert_eq!(letter["reason"], "endpoint_gone");
    assert_eq!(letter["detail"], "the endpoint is disabled: it answered 410 Gone");
    assert_eq!(stands_so(&gateway).await, (json!("disabled"), json!("gone")), "as before");

    act(&gateway, "enable").await;
    gateway.replay(&text(&second["id"])).await;
    receiver.arrived(2).await;
}

#[tokio::test]
async fn an_endpoint_that_does_nothing_but_fail_is_disabled_when_its_time_is_over() {
    let receiver = Receiver::answering(500).await;
    let patience = "disable_after = \"1h\"\nretries = []\nuse_breaker = false";
    let gateway = one(&receiver, patience).await;
    for number in 0..20 {
        fail(&gateway, &format!("evt_{number}")).await;
    }
    gateway.settle().await;
    gateway.advance(HALF_AN_HOUR).await;
    fail(&gateway, "evt_20").await;
    gateway.settle().await;
    assert_eq!(stands_so(&gateway).await.0, "enabled");

    // A start knows since when it fails.
    let gateway = gateway.restart().await;
    gateway.advance(HALF_AN_HOUR).await;
    fail(&gateway, "evt_21").await;
    gateway.settle().await;
    assert_eq!(stands_so(&gateway).await, (json!("disabled"), json!("failing")));

    act(&gateway, "enable").await;
    fail(&gateway, "evt_22").await;
    gateway.settle().await;
    assert_eq!(stands_so(&gateway).await.0, "enabled", "it begins anew");
    assert_eq!(receiver.received().len(), 23);
}

#[tokio::test]
async fn an_endpoint_that_took_one_delivery_of_many_stays_enabled() {
    let receiver = Receiver::answering(500).await;
    let patience = "disable_after = \"1h\"\nretries = []\nuse_breaker = false";
    let gateway = one(&receiver, patience).await;
    for number in 0..25 {
        fail(&gateway, &format!("evt_{number}")).await;
    }
    gateway.settle().await;
    receiver.answer(204);
    fail(&gateway, "evt_25").await;
    gateway.settle().await;
    receiver.answer(500);
    gateway.advance(HALF_AN_HOUR * 2).await;
    fail(&gateway, "evt_26").await;
    gateway.settle().await;
    assert_eq!(stands_so(&gateway).await.0, "enabled");
}
