//! A disk that is full, as a limit on the size of files: every write behind it fails.
#![cfg(target_os = "linux")]

use fastrand::Rng;
use rustix::process::Resource;
use serde_json::json;

use crate::harness::{Ledger, Load, Process, payment};

/// The answer to operators who ask whether requests can be accepted.
async fn check_not_ready(gateway: &Process) {
    let answer = gateway.ask("/readyz").await;
    assert_eq!(answer.status, 503, "{}", answer.body);
    let missing = answer.json()["missing"].to_string();
    let why = ["the gateway can't read or write the store", "File too large"];
    assert!(why.iter().all(|why| missing.contains(why)), "{missing}");
    assert_eq!(answer.json()["reasons"][0]["name"], "store_unavailable", "{}", answer.body);
    assert_eq!(gateway.ask("/healthz").await.status, 200);
}

/// Under load until everybody is put off, then until everybody is accepted again.
async fn outlast(bytes: impl FnOnce(u64) -> u64) {
    let (ledger, _receiver, setup) = Ledger::open().await;
    let mut gateway = Process::start(setup.prepare()).await;
    let load = Load::start(&gateway, 16, &ledger, &mut Rng::new());
    ledger.until(|tally| tally.answered >= 300).await;

    let files = gateway.stopped().store_files().into_iter();
    let largest = files.map(|file| std::fs::metadata(file).unwrap().len()).max().unwrap();
    gateway.limit(Resource::Fsize, Some(bytes(largest)));
    ledger.until(|tally| tally.put_off >= 100).await;
    gateway.log.says("the gateway can't read or write the store, and tries again: ").await;
    check_not_ready(&gateway).await;

    gateway.limit(Resource::Fsize, None);
    let answered = ledger.tally().answered;
    ledger.until(|tally| tally.answered >= answered + 300).await;
    gateway.log.says("the gateway can write the store again").await;
    load.stop().await;
    assert_eq!(gateway.ask("/readyz").await.status, 200);
    ledger.check(&gateway).await;
    gateway.terminate().await;
}

/// Guards I1 and I12.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_takes_nothing_any_more_is_outlasted() {
    outlast(|_| 0).await;
}

/// What was written ahead of the log is used up first. Guards I1 and I12.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_on_which_no_file_can_grow_is_outlasted() {
    outlast(|largest| largest).await;
}

/// Guards I1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_while_the_disk_is_full_loses_nothing() {
    let (ledger, _receiver, setup) = Ledger::open().await;
    let gateway = Process::start(setup.prepare()).await;
    let load = Load::start(&gateway, 16, &ledger, &mut Rng::new());
    ledger.until(|tally| tally.answered >= 300).await;
    gateway.limit(Resource::Fsize, Some(0));
    ledger.until(|tally| tally.put_off >= 20).await;

    let stopped = gateway.kill().await;
    load.broken().await;
    let gateway = Process::start(stopped).await;

    ledger.check(&gateway).await;
    gateway.terminate().await;
}

/// Guards I1 and I10.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_while_the_disk_is_full_says_why_it_failed_and_loses_nothing() {
    let (ledger, _receiver, setup) = Ledger::open().await;
    // Longer it can't wait for what is to be recorded.
    let setup = setup.table("[limits]\ngrace = \"200ms\"");
    let mut gateway = Process::start(setup.prepare()).await;
    let load = Load::start(&gateway, 16, &ledger, &mut Rng::new());
    ledger.until(|tally| tally.answered >= 300).await;
    gateway.limit(Resource::Fsize, Some(0));
    ledger.until(|tally| tally.put_off >= 20).await;

    gateway.signal_stop();
    gateway.log.says("the gateway can't read or write the store, and tries again: ").await;
    gateway.log.says("failed to close the store: the gateway can't read or write the store").await;
    let stopped = gateway.ended_with(1).await;
    load.broken().await;
    let gateway = Process::start(stopped).await;

    ledger.check(&gateway).await;
    gateway.terminate().await;
}

/// Guards I1.
#[tokio::test]
async fn a_sender_is_told_when_to_come_again_and_nothing_else() {
    let (_, _receiver, setup) = Ledger::open().await;
    let mut gateway = Process::start(setup.prepare()).await;
    gateway.limit(Resource::Fsize, Some(0));

    let event = payment("evt_0", "pi_0", "payment_failed");
    let answer = gateway.stripe(&event).await;
    gateway.log.says("the gateway can't read or write the store, and tries again: ").await;

    assert_eq!((answer.status, answer.json()), (503, json!({ "error": "try again later" })));
    assert!(answer.headers.contains_key("retry-after"));
    gateway.limit(Resource::Fsize, None);
    gateway.log.says("the gateway can write the store again").await;
    gateway.stripe(&event).await.accepted();
    gateway.terminate().await;
}
