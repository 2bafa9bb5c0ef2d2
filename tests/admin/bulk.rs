//! Bulk replay: what it would come to, which works it reaches, and how it stands still and goes on.

use super::*;

/// A gateway with three deliveries to `crm` and one to `erp`, all of them dead; from now on both
/// endpoints accept everything.
async fn with_dead() -> (Harness, [Receiver; 2]) {
    // No answer for which others would wait.
    let receivers = [Receiver::answering(400).await, Receiver::answering(400).await];
    let gateway = Setup::stripe()
        .endpoint_with("crm", &receivers[0], &["payment.*"], "retries = []")
        .endpoint_with("erp", &receivers[1], &["payment.failed"], "retries = []")
        .start()
        .await;
    for (id, status) in [("1", "succeeded"), ("2", "payment_failed"), ("3", "succeeded")] {
        gateway.stripe(&payment(&format!("evt_{id}"), "pi_1", status)).await.accepted();
        gateway.settle().await;
    }
    assert_eq!(gateway.dead().await.len(), 4);
    receivers.iter().for_each(|receiver| receiver.answer(204));
    (gateway, receivers)
}

async fn shown(gateway: &Harness, begun: &Answer) -> Value {
    assert_eq!(begun.status, 202, "{}", begun.body);
    gateway.ask(&format!("/v1/replays/{}", text(&begun.json()["id"]))).await.json()
}

#[tokio::test]
async fn a_preview_says_what_a_replay_would_come_to_and_does_nothing() {
    let (gateway, receivers) = with_dead().await;
    let body = json!({ "filter": { "reason": "endpoint_refused" }, "preview": true });

    let preview = gateway.tell("/v1/replays", &body).await;
    gateway.settle().await;

    assert_eq!(preview.status, 200, "{}", preview.body);
    let preview = preview.json();
    assert_eq!((&preview["matches"], &preview["at_least"]), (&json!(4), &json!(false)));
    let by_endpoint = json!([
        { "endpoint": "crm", "matches": 3 },
        { "endpoint": "erp", "matches": 1 },
    ]);
    assert_eq!(preview["by_endpoint"], by_endpoint);
    let sample = &preview["samples"][0];
    assert_eq!((&sample["kind"], &sample["name"]), (&json!("delivery"), &json!("crm")));
    assert_eq!(sample["event"], gateway.event("evt_1").await["id"]);
    assert_eq!(receivers.each_ref().map(|receiver| receiver.received().len()), [3, 1]);
    assert_eq!(gateway.ask("/v1/replays").await.json(), json!({ "replays": [] }));
}

/// Guards I8.
#[tokio::test]
async fn a_replay_of_an_endpoint_delivers_again_to_that_one_alone() {
    let (gateway, receivers) = with_dead().await;
    let died = receivers[0].ids();
    let endpoints = gateway.ask("/v1/endpoints?name=crm").await.json();
    let body = json!({ "filter": { "endpoint": endpoints["items"][0]["id"], "state": "dead" } });

    let begun = gateway.tell("/v1/replays", &body).await;
    gateway.settle().await;

    let replay = shown(&gateway, &begun).await;
    assert_eq!([&replay["total"], &replay["reopened"]], [&json!(3); 2], "{replay}");
    assert_eq!(replay["filter"], json!({ "state": "dead", "endpoint": "crm" }));
    assert_eq!(receivers.each_ref().map(|receiver| receiver.received().len()), [6, 1]);
    assert_eq!(receivers[0].ids(), died, "under the same ids");
    let unknown = json!({ "filter": { "endpoint": "ep_000000000001000000" } });
    check_refused(&gateway.tell("/v1/replays", &unknown).await, 404, "ep_000000000001000000");
    let of_run = json!({ "filter": { "endpoint": text(&gateway.event("evt_1").await["id"]) } });
    check_refused(&gateway.tell("/v1/replays", &of_run).await, 422, "not the id of an endpoint");
}

/// Guards I8.
#[tokio::test]
async fn a_paused_replay_goes_on_when_it_is_resumed_also_after_a_restart() {
    let (gateway, receivers) = with_dead().await;
    let body = json!({ "filter": { "state": "dead" }, "rate": 1 });
    let begun = gateway.tell("/v1/replays", &body).await;
    let path = format!("/v1/replays/{}", text(&begun.json()["id"]));

    let paused = gateway.tell(&format!("{path}/pause"), &json!({})).await.json();
    let gateway = gateway.restart().await;
    gateway.settle().await;
    let still = gateway.ask(&path).await.json();
    assert_eq!((&paused["paused"], &paused["finished_at"]), (&json!(true), &Value::Null));
    assert_eq!(still, paused, "nobody goes on with it");
    assert_eq!((&still["rate"], &still["waits"]), (&json!(1), &json!(false)));

    let resumed = gateway.tell(&format!("{path}/resume"), &json!({})).await.json();
    assert_eq!(resumed["paused"], false, "{resumed}");
    gateway.settle().await;
    let ended = shown(&gateway, &begun).await;
    assert_eq!(ended["reopened"], 4, "{ended}");
    assert!(ended["finished_at"].is_string(), "{ended}");
    assert_eq!(receivers.each_ref().map(|receiver| receiver.received().len()), [6, 2]);
    let canceled = gateway.tell(&format!("{path}/cancel"), &json!({})).await.json();
    assert_eq!(canceled, ended, "it is finished already");
}

#[tokio::test]
async fn a_bulk_replay_that_does_not_say_what_is_refused() {
    let (gateway, receivers) = with_dead().await;
    for (body, reason) in [
        (json!({}), "filter"),
        (json!({ "filter": {} }), "empty filter"),
        (json!({ "filter": { "reason": "endpoint_refused", "state": "done" } }), "`state`"),
        (json!({ "filter": { "reason": "broken" } }), "broken"),
        (json!({ "filter": { "state": "dead" }, "rate": 0 }), "`rate`"),
        (json!({ "filter": { "state": "dead" }, "ids": [] }), "ids"),
    ] {
        check_refused(&gateway.tell("/v1/replays", &body).await, 422, reason);
    }
    gateway.settle().await;
    assert_eq!(receivers.each_ref().map(|receiver| receiver.received().len()), [3, 1]);
}
