//! What neighbours of a hostile plugin keep: their threads, their turns and their deadlines.
//!
//! How much of their throughput they keep, `make bench-isolation` measures. Never looks at what
//! becomes of the hostile one.

use std::sync::Arc;

use hookgate::store::WorkKind;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::NAMES;
use crate::harness::{Receiver, Setup, payment, plugin_file, run_of, stands};

/// Guards I11: everything in the list at once, in each function that a request leads to, under
/// deadlines of this plugin alone.
///
/// Without: plugin/call/pool.rs: the turns, by which a source or handler never has all threads; or
/// plugin.rs: a pool for each kind of call.
#[tokio::test]
async fn all_that_is_hostile_at_once_holds_up_no_other() {
    let receiver = Receiver::start().await;
    let times = "{ claims = \"50ms\", parse = \"50ms\", handle = \"50ms\" }";
    let gateway = Setup::stripe()
        .plugin("guest")
        .source("guest", "guest", "verify = \"none\"")
        .endpoint("crm", &receiver, &["customer.*"])
        .handler("dunning", "endpoints = [\"crm\"]")
        .without("plugins = \"plugins\"")
        .table(&format!("[plugins]\nfolder = \"plugins\"\n[plugins.guest]\ndeadlines = {times}"))
        .start()
        .await;
    let gateway = Arc::new(gateway);

    let mut hostile = JoinSet::new();
    for (name, at) in
        NAMES.iter().flat_map(|name| ["claim", "parse", "handle"].map(|at| (name, at)))
    {
        let id = format!("{name} in {at}");
        let command = json!({ "id": id, "do": name, "at": at, "again": true, "times": 64 });
        let gateway = Arc::clone(&gateway);
        hostile.spawn(async move { gateway.guest(&command).await });
    }
    for number in 0..10 {
        let body = payment(&format!("evt_{number}"), "pi_1", "payment_failed");
        gateway.stripe(&body).await.accepted();
    }
    receiver.arrived(10).await;
    hostile.join_all().await;

    for number in 0..10 {
        let run = run_of(&gateway.event(&format!("evt_{number}")).await, "dunning");
        assert_eq!(stands(&run), ("done", 1), "{run:#}");
    }
}

/// Guards I11.
///
/// Without: plugin/call/pool.rs: the turns, by which no handler has all threads.
#[tokio::test]
async fn a_handler_that_spins_holds_up_no_other() {
    let receiver = Receiver::start().await;
    // Four threads, all of which two handlers that spin would have.
    let gateway = Setup::stripe()
        .plugin("guest")
        .plugin_as("echo", "guest")
        .source("guest", "guest", "verify = \"none\"")
        .endpoint("crm", &receiver, &["customer.*"])
        .handler("dunning", "endpoints = [\"crm\"]")
        .table("[limits]\nhandle_deadline = \"5s\"\nrun_threads = 4")
        .start()
        .await;
    let failed = async |number: usize| {
        let body = payment(&format!("evt_{number}"), "pi_1", "payment_failed");
        gateway.stripe(&body).await.accepted();
    };
    failed(0).await;
    receiver.arrived(1).await;

    for number in 0..20 {
        gateway.guest(&json!({ "id": format!("spin-{number}"), "do": "spin" })).await.accepted();
    }
    for number in 1..6 {
        failed(number).await;
    }
    receiver.arrived(6).await;

    let runs = gateway.stats().works[&WorkKind::Run];
    assert_eq!(runs.retrying, 0, "the others waited for those that spin: {runs:?}");
}

/// Guards I11.
///
/// Without: plugin/call/pool.rs: the threads that stand by for calls that run long.
#[tokio::test]
async fn five_sources_whose_parse_spins_hold_up_no_other() {
    let receiver = Receiver::start().await;
    let sources = ["one", "two", "three", "four", "five"];
    let setup = Setup::stripe()
        .plugin("guest")
        .endpoint("crm", &receiver, &["payment.failed"])
        .table("[limits]\nparse_deadline = \"5s\"\nparse_threads = 3");
    let open = |setup: Setup, source: &&str| setup.source(source, "guest", "verify = \"none\"");
    let gateway = sources.iter().fold(setup, open).start().await;
    let failed = async |number: usize| {
        let body = payment(&format!("evt_{number}"), "pi_1", "payment_failed");
        gateway.stripe(&body).await.accepted();
    };
    failed(0).await;
    receiver.arrived(1).await;

    for number in 0..100 {
        let spin = json!({ "do": "spin", "at": "parse" }).to_string();
        gateway.post(sources[number % sources.len()], &[], spin).await.accepted();
    }
    for number in 1..6 {
        failed(number).await;
    }
    receiver.arrived(6).await;

    let parses = gateway.stats().works[&WorkKind::Parse];
    assert_eq!(parses.retrying, 0, "the others waited for those that spin: {parses:?}");
}

/// Guards I11.
///
/// Without: plugin/call/pool.rs: the threads for the slow, who are told by their last calls.
#[tokio::test]
async fn sources_whose_claims_spin_hold_up_no_other() {
    let sources = ["one", "two", "three", "four"];
    let setup = Setup::stripe()
        .plugin("guest")
        .table("[limits]\nclaims_deadline = \"5s\"\nclaims_threads = 3");
    let open = |setup: Setup, source: &&str| setup.source(source, "guest", "verify = \"none\"");
    let gateway = sources.iter().fold(setup, open).start().await;
    let gateway = Arc::new(gateway);
    let body = |number| payment(&format!("evt_{number}"), "pi_1", "succeeded");
    gateway.stripe(&body(0)).await.accepted();

    let mut spinning = JoinSet::new();
    for number in 0..64 {
        let (gateway, source) = (gateway.clone(), sources[number % sources.len()]);
        let spin = json!({ "do": "spin", "at": "claim" }).to_string();
        spinning.spawn(async move { gateway.post(source, &[], spin).await });
    }
    for number in 1..21 {
        gateway.stripe(&body(number)).await.accepted();
    }

    assert!(spinning.try_join_next().is_none(), "the neighbour waited for those that spin");
}

/// Guards I11.
///
/// Without: plugin/call/pool.rs: the turns, by which no source has all threads.
#[tokio::test]
async fn a_provider_that_spins_holds_up_no_other_source_and_can_be_replaced() {
    let receiver = Receiver::start().await;
    let gateway = Setup::stripe()
        .plugin("guest")
        .source("guest", "guest", "verify = \"none\"")
        .endpoint("crm", &receiver, &["payment.failed"])
        .table("[limits]\nparse_deadline = \"2s\"")
        .start()
        .await;

    for _ in 0..100 {
        gateway.guest(&json!({ "do": "spin", "at": "parse" })).await.accepted();
    }
    for number in 0..5 {
        let body = payment(&format!("evt_{number}"), "pi_1", "payment_failed");
        gateway.stripe(&body).await.accepted();
    }
    receiver.arrived(5).await;
    gateway.drop_plugin("guest", &std::fs::read(plugin_file("stripe")).unwrap());
    gateway.reload().await;

    assert_eq!(gateway.plugin("guest").await["handler"], Value::Null, "the new one runs");
    let parses = gateway.stats().works[&WorkKind::Parse];
    assert!(parses.retrying < 20, "the others waited for those that spin: {parses:?}");
}
