//! Stopping: nothing is lost, and nothing waits longer than the grace period.

use std::time::Duration;

use fastrand::Rng;
use hookgate::clock::Clock;

use crate::harness::{Ledger, Load, Process, Receiver, Setup, payment};

/// How long a stop may take, if the configuration says nothing else.
const GRACE: Duration = Duration::from_secs(30);

/// Guards I1 and I10.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_under_load_ends_in_order_and_a_start_continues() {
    let (ledger, _receiver, setup) = Ledger::open().await;
    let mut stopped = setup.prepare();
    for _ in 0..3 {
        let gateway = Process::start(stopped).await;
        let load = Load::start(&gateway, 64, &ledger, &mut Rng::new());
        let answered = ledger.tally().answered;
        ledger.until(|tally| tally.answered >= answered + 500).await;

        let ended = tokio::time::timeout(GRACE, gateway.terminate()).await;
        stopped = ended.expect("it stops within the grace period");
        load.broken().await;
    }

    let gateway = Process::start(stopped).await;
    ledger.check(&gateway).await;
    gateway.terminate().await;
}

/// Guards I10.
#[tokio::test]
async fn a_stop_waits_for_what_is_in_flight_no_longer_than_the_grace_period() {
    let receiver = Receiver::start().await;
    receiver.hang();
    let setup = Setup::stripe()
        .endpoint_with("slow", &receiver, &["payment.failed"], "timeout = \"1m\"")
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

/// Guards I10.
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
