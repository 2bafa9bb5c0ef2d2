//! `hookgate delivery`, as a person uses it behind an endpoint that fails.

use hookgate::clock::Clock;
use serde_json::{Value, json};

use super::{Ran, hookgate};
use crate::harness::{Harness, Receiver, Setup, text};

pub(super) async fn run(gateway: &Harness, args: &[&str]) -> Ran {
    hookgate([args, &["--admin", gateway.admin()]].concat()).await
}

/// A gateway that has attempted deliveries of these orders to `crm`, whose table has this line too.
pub(super) async fn start(receiver: &Receiver, line: &str, orders: &[&str]) -> Harness {
    let setup = Setup::guest().endpoint_with("crm", receiver, &["order.*"], line);
    let gateway = setup.clock(Clock::System).start().await;
    for id in orders {
        gateway.guest(&json!({ "id": id, "type": "order.paid" })).await.accepted();
    }
    gateway.settle().await;
    gateway
}

/// The documents that a command prints, one a line.
pub(super) fn documents(ran: &Ran) -> Vec<Value> {
    ran.succeeded().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn deliveries_are_listed_shown_retried_and_discarded() {
    let receiver = Receiver::answering(500).await;
    let gateway = start(&receiver, "retries = [\"1h\"]", &["1", "2"]).await;
    let list = ["delivery", "list", "--endpoint", "crm", "--json"];
    let listed = documents(&run(&gateway, &list).await);
    assert_eq!(listed.len(), 2);
    let [second, first] = [&listed[0], &listed[1]].map(|delivery| text(&delivery["id"]));
    let table = run(&gateway, &["delivery", "list", "--state", "pending"]).await;
    let row = table.line(&first);
    assert!(row.contains("  500 ") && row.contains("order.paid"), "{row}");
    let shown = run(&gateway, &["delivery", "show", &first]).await;
    assert!(shown.succeeded().contains("\"status\": 500"), "{}", shown.out);

    run(&gateway, &["delivery", "discard", &first]).await.succeeded();
    let again = run(&gateway, &["delivery", "discard", &first]).await;
    again.failed_with("the gateway answered 409");
    let dead = run(&gateway, &["delivery", "list", "--reason", "discarded", "--json"]).await;
    assert_eq!(documents(&dead).iter().map(|it| text(&it["id"])).collect::<Vec<_>>(), [first]);

    receiver.answer(204);
    run(&gateway, &["delivery", "retry", &second]).await.succeeded();
    receiver.arrived(3).await;
    gateway.settle().await;
    let done = documents(&run(&gateway, &["delivery", "list", "--state", "done", "--json"]).await);
    assert_eq!(done.iter().map(|it| text(&it["id"])).collect::<Vec<_>>(), [second]);
}
