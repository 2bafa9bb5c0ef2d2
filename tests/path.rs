//! The whole path of an event, through real wasm, a real store and real sockets.

use crate::harness::{Receiver, Setup, payment};

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
