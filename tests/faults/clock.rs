//! A clock that leaps by hours or years, ahead and back: nothing is lost, done twice, forgotten or
//! held up.

use std::time::Duration;

use hookgate::event::Timestamp;
use serde_json::json;

use crate::harness::{
    Harness, NOW, Receiver, SECOND_ATTEMPT, STRIPE_SECRET, Setup, payment, run_of,
    stripe_signature, texts,
};

/// What the clock leaps by.
const LEAP: Duration = Duration::from_secs(7 * 60 * 60);

const AHEAD: Timestamp = Timestamp(NOW.0 + LEAP.as_millis() as u64);
const BACK: Timestamp = Timestamp(NOW.0 - LEAP.as_millis() as u64);

async fn one(receiver: &Receiver) -> Harness {
    Setup::stripe().endpoint("crm", receiver, &["payment.failed"]).start().await
}

/// The clock leaps, and what is due then happens.
async fn leap(gateway: &Harness, now: Timestamp) {
    gateway.clock().set(now);
    gateway.settle().await;
}

async fn fail(gateway: &Harness, event_id: &str) {
    gateway.stripe(&payment(event_id, "pi_1", "payment_failed")).await.accepted();
    gateway.settle().await;
}

/// The events that have arrived, in order.
fn arrived(receiver: &Receiver) -> Vec<String> {
    receiver.received().iter().map(|delivery| delivery.text("id")).collect()
}

/// Guards I8.
#[tokio::test]
async fn what_is_to_be_tried_again_is_when_its_time_has_come_however_it_came() {
    let receiver = Receiver::answering(503).await;
    let gateway = one(&receiver).await;
    fail(&gateway, "evt_now").await;
    leap(&gateway, AHEAD).await;
    fail(&gateway, "evt_ahead").await;
    assert_eq!(arrived(&receiver), ["evt_now", "evt_now", "evt_ahead"]);

    receiver.answer(204);
    leap(&gateway, BACK).await;
    fail(&gateway, "evt_back").await;
    let gateway = gateway.restart().await;
    gateway.settle().await;
    assert_eq!(arrived(&receiver)[3..], ["evt_back"], "nothing else is due");

    leap(&gateway, NOW).await;
    leap(&gateway, AHEAD.after(SECOND_ATTEMPT)).await;
    assert_eq!(arrived(&receiver)[4..], ["evt_ahead"]);
    leap(&gateway, BACK).await;
    leap(&gateway, AHEAD.after(LEAP)).await;
    assert_eq!(arrived(&receiver)[5..], ["evt_now"], "its second delay is minutes");
    assert_eq!(receiver.ids().len(), 3);
}

/// Guards I8.
#[tokio::test]
async fn what_is_to_be_tried_again_is_so_in_time_though_the_clock_goes_back_by_years() {
    let receiver = Receiver::answering(503).await;
    let gateway = one(&receiver).await;
    fail(&gateway, "evt_before").await;
    gateway.clock().set(Timestamp(NOW.0 / 2));
    fail(&gateway, "evt_after").await;
    assert_eq!(arrived(&receiver), ["evt_before", "evt_after"]);

    receiver.answer(204);
    gateway.advance(SECOND_ATTEMPT).await;

    let mut again = arrived(&receiver).split_off(2);
    again.sort();
    assert_eq!(again, ["evt_after", "evt_before"]);
}

#[tokio::test]
async fn a_failing_run_holds_its_subject_back_until_its_time_comes_again() {
    let gateway = Setup::guest().table("[handlers.guest]").start().await;
    let first =
        json!({ "id": "evt_1", "subject": "pi_1", "do": "state", "then": "retry", "until": 2 });
    gateway.guest(&first).await.accepted();
    gateway.settle().await;
    gateway.clock().set(BACK);
    gateway.guest(&json!({ "id": "evt_2", "subject": "pi_1", "do": "state" })).await.accepted();
    gateway.settle().await;
    assert_eq!(run_of(&gateway.event("evt_2").await, "guest")["state"], "pending");

    let gateway = gateway.restart().await;
    leap(&gateway, AHEAD).await;

    for (event, count) in [("evt_1", "1"), ("evt_2", "2")] {
        let run = run_of(&gateway.event(event).await, "guest");
        assert_eq!(run["state"], "done", "{run:#}");
        let last = run["tries"].as_array().and_then(|tries| tries.last()).unwrap();
        assert_eq!(texts(&last["log"], "message"), [count]);
    }
}

/// Guards I3.
#[tokio::test]
async fn a_known_event_stays_known() {
    let receiver = Receiver::start().await;
    let mut gateway = one(&receiver).await;
    for (event, now) in [("evt_1", NOW), ("evt_2", BACK), ("evt_3", AHEAD)] {
        leap(&gateway, now).await;
        fail(&gateway, event).await;
    }

    for now in [AHEAD.after(LEAP), BACK, NOW, AHEAD] {
        gateway = gateway.restart().await;
        leap(&gateway, now).await;
        for event in ["evt_1", "evt_2", "evt_3"] {
            let again = gateway.stripe(&payment(event, "pi_1", "payment_failed")).await;
            assert!(again.status == 200 && again.is_duplicate(), "{event} at {now}: {again:?}");
        }
    }

    gateway.settle().await;
    assert_eq!(arrived(&receiver), ["evt_1", "evt_2", "evt_3"]);
    let stored = gateway.events("").await;
    assert_eq!(texts(&json!(stored), "event_id"), ["evt_1", "evt_2", "evt_3"]);
}

/// Guards I2.
#[tokio::test]
async fn how_old_a_signature_may_be_goes_by_the_clock_as_it_is() {
    let gateway = Setup::stripe().start().await;
    let event = payment("evt_1", "pi_1", "payment_failed");
    let signature = stripe_signature(STRIPE_SECRET, NOW.seconds(), &event);
    let post = async || gateway.post("stripe", &[("stripe-signature", &signature)], &*event).await;

    gateway.clock().set(AHEAD);
    assert_eq!(post().await.status, 401);
    gateway.clock().set(NOW.after(Duration::from_secs(299)));
    post().await.accepted();
    gateway.clock().set(AHEAD);
    assert_eq!(post().await.status, 401, "also when it is known");
    gateway.clock().set(BACK);
    assert!(post().await.is_duplicate());
}
