//! A file of the store is removed under the running gateway, as by a cleaning job: a stop says so
//! and waits for nothing, since nothing can be recorded any more.
#![cfg(unix)]

use std::path::PathBuf;
use std::time::Duration;

use crate::harness::{Process, Receiver, Setup, Stopped, payment};

/// Less than what is in flight would take.
const SOON: Duration = Duration::from_secs(40);

/// The files that are written to: that of the rows, and the newest volume of the log.
const WRITTEN: [fn(&Stopped) -> PathBuf; 2] =
    [|it| it.store_files().remove(0), |it| it.store_files().pop().expect("there are some")];

/// A gateway of which this file was removed while a delivery was under way that takes this long.
async fn delivering(timeout: &str, file: fn(&Stopped) -> PathBuf) -> (Process, Receiver) {
    let receiver = Receiver::start().await;
    receiver.hang();
    let timeout = format!("timeout = \"{timeout}\"");
    let setup = Setup::stripe()
        .endpoint_with("crm", &receiver, &["payment.failed"], &timeout)
        .table("[limits]\ngrace = \"10m\"");
    let gateway = Process::start(setup.prepare()).await;
    gateway.stripe(&payment("evt_1", "pi_1", "payment_failed")).await.accepted();
    receiver.arrived(1).await;
    std::fs::remove_file(file(gateway.stopped())).expect("it lies there");
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
async fn a_stop_after_a_file_was_removed_ends_at_once_and_says_why() {
    for file in WRITTEN {
        let (gateway, _receiver) = delivering("1m", file).await;

        check_stops(gateway).await;
    }
}

/// Guards I10.
#[tokio::test]
async fn what_waits_to_be_recorded_holds_up_no_stop_after_a_file_was_removed() {
    for file in WRITTEN {
        let (mut gateway, _receiver) = delivering("3s", file).await;
        gateway.log.says("and tries again: ").await;

        check_stops(gateway).await;
    }
}

/// Guards I1: what is written to a file that was removed is in no file that a start would find.
#[tokio::test]
async fn nothing_is_answered_after_a_file_was_removed() {
    for file in WRITTEN {
        let gateway = Process::start(Setup::stripe().prepare()).await;
        gateway.stripe(&payment("evt_0", "pi_1", "payment_failed")).await.accepted();
        gateway.settle().await;
        std::fs::remove_file(file(gateway.stopped())).unwrap();

        let answer = gateway.stripe(&payment("evt_1", "pi_1", "payment_failed")).await;

        assert_eq!(answer.status, 503, "{}", answer.body);
        assert_eq!(gateway.ask("/readyz").await.status, 503);
        drop(gateway.kill().await);
    }
}
