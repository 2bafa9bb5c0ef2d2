//! The store's file is removed under the running gateway, as by a cleaning job: a stop says so and
//! waits for nothing, since nothing can be recorded any more.
#![cfg(unix)]

use std::time::Duration;

use crate::harness::{Process, Receiver, Setup, payment};

/// Less than what is in flight would take.
const SOON: Duration = Duration::from_secs(40);

/// A gateway whose file was removed while a delivery was under way that takes this long.
async fn delivering(timeout: &str) -> (Process, Receiver) {
    let receiver = Receiver::start().await;
    receiver.hang();
    let timeout = format!("timeout = \"{timeout}\"");
    let setup = Setup::stripe()
        .endpoint_with("crm", &receiver, &["payment.failed"], &timeout)
        .table("[limits]\ngrace = \"10m\"");
    let gateway = Process::start(setup.prepare()).await;
    gateway.stripe(&payment("evt_1", "pi_1", "payment_failed")).await.accepted();
    receiver.arrived(1).await;
    std::fs::remove_file(gateway.stopped().folder().join("data/hookgate.redb")).unwrap();
    (gateway, receiver)
}

/// Ends it, which must be soon and with an error that says why.
async fn check_stops(mut gateway: Process) {
    gateway.signal_stop();
    let ended = async {
        gateway.log.says("the gateway can't store anything any more").await;
        gateway.log.says("somebody removed or replaced the store's file").await;
        gateway.ended_with(1).await
    };
    tokio::time::timeout(SOON, ended).await.expect("it does not wait for the grace period");
}

/// Guards I10.
#[tokio::test]
async fn a_stop_after_the_file_was_removed_ends_at_once_and_says_why() {
    let (gateway, _receiver) = delivering("1m").await;

    check_stops(gateway).await;
}

/// Guards I10.
#[tokio::test]
async fn what_waits_to_be_recorded_holds_up_no_stop_after_the_file_was_removed() {
    let (mut gateway, _receiver) = delivering("3s").await;
    gateway.log.says("and tries again: ").await;

    check_stops(gateway).await;
}
