//! No file descriptors are left: who is connected goes on being served, the next ones wait.
#![cfg(target_os = "linux")]

use std::time::Duration;

use fastrand::Rng;
use rustix::process::Resource;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Ledger, Load, Process, Setup, payment};

/// So many that the answers to what they forge are held back.
const SENDERS: usize = 16;

/// Guards I12.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_descriptors_the_connected_are_served_and_the_others_wait() {
    let (ledger, _receiver, setup) = Ledger::open().await;
    let mut gateway = Process::start(setup.prepare()).await;
    let load = Load::start(&gateway, SENDERS, &ledger, &mut Rng::new());
    let all = SENDERS as u64;
    ledger.until(|tally| tally.connected == all && tally.answered >= 100).await;

    // Who looks whether the configuration has changed can't open it either.
    gateway.log.may_say("Too many open files");
    // Below what is open already, so that nothing more can be.
    gateway.limit(Resource::Nofile, Some(1));
    let address = gateway.public().strip_prefix("http://").unwrap().to_owned();
    let mut waiting = TcpStream::connect(&address).await.unwrap();
    waiting
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    gateway.log.says("failed to accept a connection; trying again until it works").await;
    let answered = ledger.tally().answered;
    ledger.until(|tally| tally.answered >= answered + 1_000).await;
    assert_eq!(gateway.log.count("failed to accept"), 1, "a trouble that goes on is told once");

    gateway.limit(Resource::Nofile, None);
    let mut heard = String::new();
    waiting.read_to_string(&mut heard).await.unwrap();
    assert!(heard.starts_with("HTTP/1.1 200 OK"), "{heard}");
    load.stop().await;
    ledger.check(&gateway).await;
    gateway.terminate().await;
}

/// Guards I11.
#[tokio::test]
async fn silent_connections_that_hold_the_last_descriptors_make_room() {
    let setup = Setup::stripe().table("[limits]\nstall = \"1h\"");
    let mut gateway = Process::start(setup.prepare()).await;
    gateway.log.may_say("Too many open files");
    let folder = format!("/proc/{}/fd", gateway.pid().as_raw_nonzero());
    let open = std::fs::read_dir(folder).unwrap().count() as u64;
    gateway.limit(Resource::Nofile, Some(open + 20));

    let address = gateway.public().strip_prefix("http://").unwrap().to_owned();
    let mut silent = Vec::new();
    for _ in 0..40 {
        silent.push(TcpStream::connect(&address).await.unwrap());
    }
    let (body, patience) = (payment("evt_1", "pi_1", "succeeded"), Duration::from_secs(60));
    let answer = tokio::time::timeout(patience, gateway.stripe(&body)).await;

    assert_eq!(answer.expect("a sender is let in").status, 200);
    gateway.log.says("failed to accept a connection").await;
    gateway.limit(Resource::Nofile, None);
    gateway.terminate().await;
}
