//! Stopping: nothing is lost, and nothing waits longer than the grace period.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hookgate::clock::Clock;
use tokio::task::JoinSet;

use crate::harness::{Process, Receiver, STRIPE_SECRET, Setup, payment, stripe_signature};

/// Posts events until nobody listens any more, and gives how many were answered 200.
async fn post_until_refused(
    client: reqwest::Client,
    public: String,
    numbers: Arc<AtomicU64>,
    accepted: tokio::sync::watch::Sender<u64>,
) {
    loop {
        let number = numbers.fetch_add(1, Ordering::Relaxed);
        let body = payment(&format!("evt_{number}"), &format!("pi_{number}"), "payment_failed");
        let signature = stripe_signature(STRIPE_SECRET, Clock::System.now().seconds(), &body);
        let post = client.post(format!("{public}/in/stripe"));
        match post.header("stripe-signature", signature).body(body).send().await {
            Ok(answer) if answer.status() == 200 => accepted.send_modify(|count| *count += 1),
            Ok(answer) => panic!("answered {}", answer.status()),
            Err(_) => return,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_under_load_ends_in_order_and_a_start_continues() {
    let receiver = Receiver::start().await;
    let setup = Setup::stripe().endpoint("crm", &receiver, &["payment.failed"]);
    let gateway = Process::start(setup.prepare()).await;
    let client = hookgate::egress::operator_client().unwrap();
    let accepted = tokio::sync::watch::Sender::new(0);
    let numbers = Arc::new(AtomicU64::new(1));
    let mut posting = JoinSet::new();
    for _ in 0..32 {
        let (client, public) = (client.clone(), gateway.public().to_owned());
        posting.spawn(post_until_refused(client, public, numbers.clone(), accepted.clone()));
    }
    accepted.subscribe().wait_for(|count| *count >= 500).await.unwrap();

    let stopped = gateway.terminate().await;
    while let Some(ended) = posting.join_next().await {
        ended.unwrap();
    }
    let gateway = Process::start(stopped).await;
    gateway.settle().await;

    let stored = gateway.events().await.len() as u64;
    let answered = *accepted.borrow();
    assert!(stored >= answered, "{answered} were answered, {stored} are stored");
    assert_eq!(receiver.ids().len() as u64, stored, "every event is delivered under one id");
    gateway.terminate().await;
}

#[tokio::test]
async fn a_stop_waits_for_what_is_in_flight_no_longer_than_the_grace_period() {
    let receiver = Receiver::start().await;
    receiver.hang();
    let setup = Setup::stripe()
        .endpoint_with("slow", &receiver, &["payment.failed"], "timeout = \"1h\"")
        .table("[limits]\ngrace = \"200ms\"");
    let gateway = setup.clock(Clock::System).start().await;
    gateway.stripe(&payment("evt_1", "pi_1", "payment_failed")).await.accepted();
    receiver.arrived(1).await;

    let stopped = gateway.stop().await;
    receiver.answer(204);
    let gateway = stopped.start().await;
    gateway.settle().await;

    let received = receiver.received();
    assert_eq!(received.len(), 2, "what was cut off is attempted again");
    assert_eq!(receiver.ids().len(), 1, "under the same id");
}

#[tokio::test]
async fn a_stop_without_anything_in_flight_is_immediate_and_a_restart_knows_everything() {
    let gateway = Setup::stripe().start().await;
    let id = gateway.stripe(&payment("evt_1", "pi_1", "payment_failed")).await.accepted();
    gateway.settle().await;

    let gateway = gateway.restart().await;

    let again = gateway.stripe(&payment("evt_1", "pi_1", "payment_failed")).await;
    assert!(again.is_duplicate());
    assert_eq!(again.json()["id"], id);
    assert_eq!(gateway.ask(&format!("/v1/receipts/{id}")).await.status, 200);
    assert_eq!(gateway.events("").await.len(), 1);
}
