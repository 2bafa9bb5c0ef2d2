//! The events, and one event.

use super::*;

#[tokio::test]
async fn an_event_is_found_by_its_subject_and_shown() {
    let gateway = Setup::stripe().start().await;
    gateway.stripe(&payment("evt_1", "pi_1", "succeeded")).await.accepted();
    gateway.stripe(&payment("evt_2", "pi_2", "payment_failed")).await.accepted();
    gateway.settle().await;

    let person = gateway.person();
    let page = person.open("/events?subject=pi_2").await;
    page.says("payment.failed");
    assert!(!page.text().contains("payment.succeeded"));
    let link = page.links().into_iter().find(|link| link.starts_with("/events/evt_")).unwrap();
    person.open(&link).await.says("payment.failed").says("pi_2").says("Done");
}
