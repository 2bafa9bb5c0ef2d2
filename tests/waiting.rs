//! Work whose plugin is gone: it waits, for all to see, uses no try, and goes on when the plugin
//! returns.

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
