//! Endpoints that fail again and again: their deliveries wait, and lose no try by it.

use std::time::Duration;

use serde_json::{Value, json};

use super::pacing::check_metric;
use super::{endpoint, fail, one};
use crate::harness::{Harness, Receiver, delivery_to, stands};

/// One attempt at a time, and none again before an hour.
const ONE_BY_ONE: &str = "concurrency = 1\nretries = [\"1h\"]";
/// Short of the first pause, with the most jitter.
const SHORT_OF_A_PAUSE: Duration = Duration::from_millis(3_900);
/// After that, until it is over in any case.
const REST_OF_A_PAUSE: Duration = Duration::from_millis(2_200);
/// Past the second pause.
const SECOND_PAUSE: Duration = Duration::from_secs(13);

async fn fail_many(gateway: &Harness, count: usize) {
    for number in 0..count {
        fail(gateway, &format!("evt_{number}")).await;
    }
    gateway.settle().await;
}

async fn breaker(gateway: &Harness) -> Value {
    endpoint(gateway).await["breaker"]["state"].clone()
}

/// Guards I8.
#[tokio::test]
async fn ten_failures_in_a_row_hold_the_others_back_until_a_probe_is_answered() {
    let receiver = Receiver::answering(500).await;
    let gateway = one(&receiver, ONE_BY_ONE).await;

    fail_many(&gateway, 14).await;
    let before = (receiver.received().len(), breaker(&gateway).await);
    check_metric(&gateway, "hookgate_breaker_open 1").await;
    gateway.advance(SHORT_OF_A_PAUSE).await;
    let too_soon = receiver.received().len();
    gateway.advance(REST_OF_A_PAUSE).await;
    let probed = (receiver.received().len(), breaker(&gateway).await);
    receiver.answer(204);
    gateway.advance(SECOND_PAUSE).await;

    assert_eq!(before, (10, json!("open")));
    assert_eq!(too_soon, 10);
    assert_eq!(probed, (11, json!("open")), "it is a try of a delivery");
    assert_eq!((receiver.received().len(), breaker(&gateway).await), (14, json!("closed")));
    check_metric(&gateway, "hookgate_breaker_open 0").await;
    let last = delivery_to(&gateway.event("evt_13").await, "crm");
    assert_eq!(stands(&last), ("done", 1), "waiting costs no try");
}

#[tokio::test]
async fn an_open_breaker_is_open_after_a_restart() {
    let receiver = Receiver::answering(500).await;
    let gateway = one(&receiver, ONE_BY_ONE).await;
    fail_many(&gateway, 12).await;

    receiver.answer(204);
    let gateway = gateway.restart().await;
    gateway.settle().await;
    let after_restart = (receiver.received().len(), breaker(&gateway).await);
    gateway.advance(SHORT_OF_A_PAUSE + REST_OF_A_PAUSE).await;

    assert_eq!(after_restart, (10, json!("open")));
    assert_eq!((receiver.received().len(), breaker(&gateway).await), (12, json!("closed")));
}

#[tokio::test]
async fn an_endpoint_without_a_breaker_is_tried_however_often_it_fails() {
    for without in ["use_breaker = false", "[limits]\nbreaker = false"] {
        let receiver = Receiver::answering(500).await;
        let gateway = one(&receiver, &format!("{ONE_BY_ONE}\n{without}")).await;
        fail_many(&gateway, 25).await;
        let seen = (receiver.received().len(), breaker(&gateway).await);
        assert_eq!(seen, (25, json!("closed")), "{without}");
    }
}

/// Guards that what an endpoint says of itself counts more, and that the default of all applies
/// without a restart.
#[tokio::test]
async fn an_endpoint_has_a_breaker_if_it_says_so_or_all_have() {
    let receiver = Receiver::answering(500).await;
    let lines = format!("{ONE_BY_ONE}\nuse_breaker = true\n[limits]\nbreaker = false");
    let gateway = one(&receiver, &lines).await;
    assert_eq!(endpoint(&gateway).await["use_breaker"], true);
    fail_many(&gateway, 12).await;
    assert_eq!((receiver.received().len(), breaker(&gateway).await), (10, json!("open")));

    let receiver = Receiver::answering(500).await;
    let gateway = one(&receiver, &format!("{ONE_BY_ONE}\n[limits]\nbreaker = false")).await;
    assert_eq!(endpoint(&gateway).await["use_breaker"], Value::Null, "it says nothing");
    gateway.reconfigure(|config| config.replace("breaker = false", "breaker = true")).await;
    fail_many(&gateway, 12).await;
    assert_eq!((receiver.received().len(), breaker(&gateway).await), (10, json!("open")));
}

#[tokio::test]
async fn a_changed_endpoint_is_probed_at_once() {
    let receiver = Receiver::answering(500).await;
    let gateway = one(&receiver, ONE_BY_ONE).await;
    fail_many(&gateway, 12).await;

    receiver.answer(204);
    gateway.reconfigure(|config| config.replace("concurrency = 1", "concurrency = 2")).await;
    gateway.settle().await;

    assert_eq!((receiver.received().len(), breaker(&gateway).await), (12, json!("closed")));
}
