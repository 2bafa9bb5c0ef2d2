//! What died of a version of a handler, and what another version makes of it.

use serde_json::{Value, json};

use crate::harness::{Harness, Receiver, Setup, plugin_file, run_of};

/// The guest reads requests; the handler `logic` is the guest too, and may send to the endpoint
/// `crm`, which gets one delivery after another. With these rules for the handler.
async fn with_logic(receiver: &Receiver, rules: &str) -> Harness {
    let notices = ["customer.payment_failed_notice"];
    let rest = "body = \"cloudevents\"\nconcurrency = 1";
    let gateway = Setup::guest()
        .plugin_as("logic", "guest")
        .endpoint_with("crm", receiver, &notices, rest)
        .table("[handlers.logic]\nendpoints = [\"crm\"]")
        .without("plugins = \"plugins\"\n")
        .table(&format!("[plugins]\nfolder = \"plugins\"\n[plugins.logic]\n{rules}"))
        .start()
        .await;
    // Three fail by themselves, one over an endpoint that is not granted.
    for (id, what) in [("1", "fail"), ("2", "trap"), ("3", "fail"), ("4", "send")] {
        let subject = if id == "4" { "pi_2" } else { "pi_1" };
        let command = json!({
            "id": id, "type": "payment.failed", "subject": subject, "do": what, "endpoint": "bank",
        });
        gateway.guest(&command).await.accepted();
    }
    gateway.settle().await;
    // One that traps may be tried more often than the others.
    while dead(&gateway).await.len() < 4 {
        gateway.advance(crate::waiting::A_DAY).await;
    }
    gateway
}

/// The ids of the dead runs of `logic`.
async fn dead(gateway: &Harness) -> Vec<Value> {
    let dead = gateway.dead().await;
    dead.into_iter().filter(|letter| letter["name"] == "logic").map(|it| it["id"].clone()).collect()
}

/// Puts another version of `logic` in place, which makes a notice of each payment that failed.
async fn put_newer(gateway: &Harness) {
    gateway.drop_plugin("logic", &std::fs::read(plugin_file("dunning")).unwrap());
    gateway.reload().await;
    gateway.settle().await;
}

/// Guards I8. Without `Letters::Runs` in `Live::reopen` nothing is retried.
#[tokio::test]
async fn another_version_of_a_handler_retries_what_died_of_its_own_fault_if_the_operator_wants_it()
{
    let receiver = Receiver::start().await;
    let gateway = with_logic(&receiver, "retry_dead = true").await;

    put_newer(&gateway).await;

    let received = receiver.received();
    let told = received.iter().map(|notice| notice.json()["data"].clone());
    let told: Vec<Value> = told.map(|data| json!([data["event"], data["failures"]])).collect();
    assert_eq!(told, [json!(["1", 1]), json!(["2", 2]), json!(["3", 3])], "in their order");
    let refused = run_of(&gateway.event("4").await, "logic");
    assert_eq!(dead(&gateway).await, [refused["id"].clone()], "no version makes that good");
    let others = run_of(&gateway.event("1").await, "guest");
    assert_eq!(others["state"], "dead", "nobody has asked for the runs of another handler");
}

/// Without `retry_dead` in `Live::reopen` it is done all the same.
#[tokio::test]
async fn another_version_of_a_handler_leaves_dead_what_is_dead_unless_the_operator_says_otherwise()
{
    let receiver = Receiver::start().await;
    let gateway = with_logic(&receiver, "log_lines = 9").await;
    let before = dead(&gateway).await;

    put_newer(&gateway).await;

    assert_eq!(dead(&gateway).await, before);
    assert!(receiver.received().is_empty());
}
