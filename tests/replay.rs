//! Bulk replay through `kill -9`: each dead delivery goes out again, under its own id.
//!
//! The real program, killed while a replay by filter is half done, and started again on the same
//! data.

use std::collections::BTreeSet;

use serde_json::json;

use crate::harness::{Process, Receiver, Setup, payment, text};

/// More than the gateway opens at a time.
const DEAD: usize = 2_000;

/// Guards I7 and I8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bulk_replay_that_is_killed_half_done_delivers_each_again_under_its_id() {
    // No answer for which others would wait.
    let receiver = Receiver::answering(400).await;
    let setup = Setup::stripe()
        .endpoint_with("crm", &receiver, &["payment.failed"], "retries = []\nconcurrency = 4")
        .table("[limits]\nuncommitted = 8");
    let gateway = Process::start(setup.prepare()).await;
    for number in 0..DEAD {
        let payment = payment(&format!("evt_{number}"), &format!("pi_{number}"), "payment_failed");
        gateway.stripe(&payment).await.accepted();
    }
    gateway.settle().await;
    let died = receiver.ids();
    assert_eq!(died.len(), DEAD);
    receiver.answer(204);
    let before = receiver.received().len();

    let bulk = json!({ "filter": { "endpoint": "crm", "state": "dead" } });
    let begun = gateway.tell("/v1/replays", &bulk).await;
    assert_eq!((begun.status, &begun.json()["total"]), (202, &json!(DEAD)), "{}", begun.body);
    receiver.arrived(before + DEAD / 2).await;
    let gateway = Process::start(gateway.kill().await).await;
    gateway.settle().await;

    let received = receiver.received();
    let again = &received[before..];
    let ids: BTreeSet<String> = again.iter().map(|it| it.header("webhook-id").to_owned()).collect();
    assert!(ids == died, "{} of {DEAD} arrived again", ids.intersection(&died).count());
    // One endpoint has half of the room.
    let repeated = again.len() - ids.len();
    assert!(repeated <= 4 + 8 / 2, "{repeated} deliveries arrived twice");
    let replay = gateway.ask(&format!("/v1/replays/{}", text(&begun.json()["id"]))).await.json();
    assert_eq!(replay["reopened"], DEAD, "{replay}");
    assert!(replay["finished_at"].is_string(), "{replay}");
    gateway.terminate().await;
}
