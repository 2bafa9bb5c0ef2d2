//! Work whose plugin is gone: it waits, for all to see, uses no try, and goes on when the plugin
//! returns. So do the events that come meanwhile for a handler that the configuration names.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Harness, Receiver, Setup, payment, plugin_file, run_of, stands};

/// Longer than anything waits for its next try.
pub(crate) const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn file(gateway: &Harness, plugin: &str) -> PathBuf {
    gateway.folder().join(format!("plugins/{plugin}.wasm"))
}

async fn remove(gateway: &Harness, plugin: &str) {
    std::fs::remove_file(file(gateway, plugin)).unwrap();
    gateway.reload().await;
}

/// Puts a plugin into the folder under this name, and lets what waited for it happen.
async fn put_back(gateway: &Harness, plugin: &str, built: &str) {
    gateway.drop_plugin(plugin, &std::fs::read(plugin_file(built)).unwrap());
    gateway.reload().await;
    gateway.settle().await;
}

/// How many works wait for the guest: by its row, and by the metrics. Nothing where none is said.
async fn waiting(gateway: &Harness) -> (Value, Value, Option<String>) {
    let row = gateway.plugin("guest").await;
    let metrics = gateway.ask("/metrics").await.body;
    let series = "hookgate_waiting_for_plugin{kind=\"run\",name=\"guest\"} ";
    let counted = metrics.lines().find_map(|line| line.strip_prefix(series)).map(str::to_owned);
    (row["missing"].clone(), row["waiting"].clone(), counted)
}

/// A gateway with the endpoint `crm` for notices, and whatever else is there.
fn with_crm(receiver: &Receiver) -> Setup {
    Setup::stripe().endpoint("crm", receiver, &["customer.*"])
}

async fn fail(gateway: &Harness, event_id: &str) {
    gateway.stripe(&payment(event_id, "pi_1", "payment_failed")).await.accepted();
    gateway.settle().await;
}

/// How many failures in a row the notices speak of.
fn failures(receiver: &Receiver) -> Vec<u64> {
    let received = receiver.received();
    let counts = received.iter().filter_map(|it| it.json()["data"]["failures"].as_u64());
    let mut counts: Vec<u64> = counts.collect();
    counts.sort_unstable();
    counts
}

/// Guards I8. Without `remember_handlers` in `Live::take` no event waits for the handler; without
/// `Handling`, none that comes after the restart.
#[tokio::test]
async fn events_that_come_while_a_configured_handler_is_gone_wait_for_it_over_a_restart_too() {
    let receiver = Receiver::start().await;
    let gateway = with_crm(&receiver).handler("dunning", "endpoints = [\"crm\"]").start().await;

    remove(&gateway, "dunning").await;
    fail(&gateway, "evt_1").await;
    let gone = gateway.plugin("dunning").await;
    let gateway = gateway.restart().await;
    fail(&gateway, "evt_2").await;
    let still = gateway.plugin("dunning").await;
    let before = failures(&receiver);
    put_back(&gateway, "dunning", "dunning").await;

    assert_eq!((&gone["missing"], &gone["waiting"]), (&json!(true), &json!(1)));
    assert_eq!((&still["missing"], &still["waiting"]), (&json!(true), &json!(2)));
    assert_eq!((before, failures(&receiver)), (vec![], vec![1, 2]));
    assert_eq!(gateway.dead().await, Vec::<Value>::new());
}

/// With all that is live in place of the names of the configuration in `remember_handlers`, work
/// waits for ever for a handler that the operator took away.
#[tokio::test]
async fn a_handler_without_a_table_that_is_removed_gets_nothing() {
    let receiver = Receiver::start().await;
    let gateway = with_crm(&receiver).plugin("dunning").start().await;

    remove(&gateway, "dunning").await;
    fail(&gateway, "evt_1").await;
    let gone = gateway.plugin("dunning").await;
    put_back(&gateway, "dunning", "dunning").await;

    assert_eq!(gone, Value::Null);
    assert_eq!(gateway.event("evt_1").await["runs"], json!([]));
}

/// Without `remember_handlers` in `Live::apply` the first event waits for the handler; without the
/// last loop of `note` in `store/handlers.rs`, the second.
#[tokio::test]
async fn a_handler_whose_table_was_removed_while_it_was_gone_is_not_remembered() {
    let receiver = Receiver::start().await;
    // What it runs on is in the store behind a restart.
    let gateway = with_crm(&receiver).handler("dunning", "").start().await.restart().await;
    let table = "[handlers.dunning]";

    remove(&gateway, "dunning").await;
    gateway.reconfigure(|config| config.replace(table, "")).await;
    fail(&gateway, "evt_1").await;
    gateway.rewrite_config(|config| format!("{config}\n{table}\n"));
    let gateway = gateway.restart().await;
    fail(&gateway, "evt_2").await;

    for id in ["evt_1", "evt_2"] {
        assert_eq!(gateway.event(id).await["runs"], json!([]), "{id}");
    }
}

/// Guards I8. Without `missing_of_handler` in `Runs::take` the runs are tried until they are dead.
#[tokio::test]
async fn the_runs_of_a_removed_handler_wait_in_their_order_and_go_on_when_it_returns() {
    let receiver = Receiver::start().await;
    let rest = "body = \"cloudevents\"\nconcurrency = 1";
    let gateway = Setup::guest()
        .endpoint_with("crm", &receiver, &["guest.emitted"], rest)
        .table("[handlers.guest]\nendpoints = [\"crm\"]")
        .start()
        .await;
    for number in 1..=3 {
        let command = json!({
            "id": format!("evt_{number}"), "subject": "pi_1", "do": "emit",
            "data": { "number": number }, "then": "retry", "until": 2,
        });
        gateway.guest(&command).await.accepted();
    }
    gateway.settle().await;

    remove(&gateway, "guest").await;
    for _ in 0..12 {
        gateway.advance(A_DAY).await;
    }
    let first = run_of(&gateway.event("evt_1").await, "guest");
    let second = run_of(&gateway.event("evt_2").await, "guest");
    put_back(&gateway, "guest", "guest").await;
    for _ in 2..=3 {
        gateway.advance(A_DAY).await;
    }

    assert_eq!((stands(&first), stands(&second)), (("pending", 1), ("pending", 0)));
    let received = receiver.received();
    let numbers: Vec<_> = received.iter().map(|it| it.json()["data"]["number"].clone()).collect();
    assert_eq!(numbers, [1, 2, 3].map(Value::from));
    assert_eq!(gateway.dead().await, Vec::<Value>::new());
}

/// Guards I8. Without `missing_of_source` in `Parses::take` the parse is tried until it is dead.
#[tokio::test]
async fn the_parses_of_a_removed_provider_wait_and_go_on_when_it_returns() {
    let receiver = Receiver::start().await;
    let gateway = Setup::new()
        .plugin_as("stripe", "guest")
        .source("stripe", "stripe", "verify = \"none\"")
        .endpoint("crm", &receiver, &["payment.failed"])
        .start()
        .await;
    let body = payment("evt_1", "pi_1", "payment_failed");
    let body = body.replacen('{', r#"{"do": "retry", "at": "parse", "#, 1);
    let id = gateway.stripe(&body).await.accepted();
    gateway.settle().await;

    remove(&gateway, "stripe").await;
    for _ in 0..12 {
        gateway.advance(A_DAY).await;
    }
    let waiting = gateway.receipt(&id).await;
    let row = gateway.plugin("stripe").await;
    put_back(&gateway, "stripe", "stripe").await;

    assert_eq!(stands(&waiting), ("pending", 1));
    assert_eq!((&row["missing"], &row["waiting"]), (&json!(true), &json!(1)));
    assert_eq!(receiver.types(), ["payment.failed"]);
    assert_eq!(gateway.receipt(&id).await["state"], "done");
}

#[tokio::test]
async fn what_waits_for_a_plugin_is_shown_with_it_until_it_returns() {
    let gateway = Setup::guest().start().await;
    for id in ["1", "2"] {
        gateway.guest(&json!({ "id": id, "do": "retry" })).await.accepted();
    }
    gateway.settle().await;
    let before = waiting(&gateway).await;

    remove(&gateway, "guest").await;
    let gone = waiting(&gateway).await;
    let unsettled = gateway.ask("/v1/settled").await;
    put_back(&gateway, "guest", "guest").await;
    let after = waiting(&gateway).await;
    let settled = gateway.ask("/v1/settled").await;

    assert_eq!(before, (Value::Null, Value::Null, None));
    assert_eq!(gone, (json!(true), json!(2), Some("2".to_owned())));
    assert_eq!(after, (Value::Null, Value::Null, Some("0".to_owned())));
    let detail = "plugins are missing or stopped; what waits: 2 runs of guest";
    assert_eq!((unsettled.status, &unsettled.json()["detail"]), (503, &json!(detail)));
    assert_eq!(settled.status, 200, "{}", settled.body);
}
