//! The whole path of an event, through real wasm, a real store and real sockets.

use crate::harness::{Receiver, Setup, payment};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_a_subject_are_handled_in_the_order_in_which_they_were_answered() {
    let receiver = Receiver::start().await;
    let gateway = Setup::stripe()
        .endpoint("crm", &receiver, &["customer.payment_failed_notice"])
        .handler("dunning", "endpoints = [\"crm\"]")
        .start()
        .await;

    for number in 1..=200 {
        let event = payment(&format!("evt_{number}"), "pi_1", "payment_failed");
        gateway.stripe(&event).await.accepted();
    }
    gateway.settle().await;

    let notices = receiver.received();
    assert_eq!(notices.len(), 200);
    for notice in notices {
        let data = &notice.json()["data"];
        let expected = format!("evt_{}", data["failures"]);
        assert_eq!(data["event"], expected, "the count and the event go up together");
    }
}

#[tokio::test]
async fn a_failed_payment_is_stored_run_and_delivered() {
    let receiver = Receiver::start().await;
    let gateway = Setup::stripe()
        .endpoint("crm", &receiver, &["payment.*", "customer.*"])
        .handler("dunning", "endpoints = [\"crm\"]")
        .start()
        .await;

    gateway.stripe(&payment("evt_1", "pi_1", "payment_failed")).await.accepted();
    gateway.settle().await;

    let mut types = receiver.types();
    types.sort();
    assert_eq!(types, ["customer.payment_failed_notice", "payment.failed"]);
    assert!(receiver.received().iter().all(|delivery| delivery.text("subject") == "pi_1"));
}
