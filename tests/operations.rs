//! What happens to the gateway itself arrives as events at the endpoints that subscribe to it.

use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::harness::{Harness, Receiver, Setup, plugin_file, text};
use crate::reload::edition;

const MINUTE: Duration = Duration::from_secs(60);

/// The types and the data of all that has arrived, once there is so much.
async fn told(receiver: &Receiver, count: usize) -> Vec<(String, Value)> {
    let received = receiver.arrived(count).await;
    assert!(received.iter().all(|it| it.text("source") == "hookgate"), "{received:?}");
    received.iter().map(|it| (it.text("type"), it.json()["data"].clone())).collect()
}

/// Has an endpoint of the configuration stand otherwise.
async fn act(gateway: &Harness, endpoint: &str, what: &str) {
    let listed = gateway.ask(&format!("/v1/endpoints?name={endpoint}")).await.json();
    let id = text(&listed["items"][0]["id"]);
    let done = gateway.tell(&format!("/v1/endpoints/{id}/{what}"), &json!({})).await;
    assert_eq!(done.status, 200, "{}", done.body);
}

#[tokio::test]
async fn a_plugin_that_is_replaced_and_one_that_is_refused_are_told() {
    let receiver = Receiver::start().await;
    let gateway = Setup::guest().endpoint("ops", &receiver, &["hookgate.plugin.*"]).start().await;
    let newer = edition(&std::fs::read(plugin_file("guest")).unwrap(), 7);
    gateway.drop_plugin("guest", &newer);
    gateway.reload().await;
    let (event_type, data) = told(&receiver, 1).await.remove(0);
    let digest = hex::encode(Sha256::digest(&newer));
    assert_eq!(
        (event_type.as_str(), &data["plugin"]),
        ("hookgate.plugin.reloaded", &json!("guest"))
    );
    assert_eq!(data["digest"], digest);

    gateway.drop_plugin("guest", b"no plugin");
    gateway.reload().await;
    let (event_type, data) = told(&receiver, 2).await.remove(1);
    assert_eq!(
        (event_type.as_str(), &data["running"]),
        ("hookgate.plugin.refused", &json!(digest))
    );
    assert!(!text(&data["reason"]).is_empty(), "{data}");
}

#[tokio::test]
async fn a_handler_that_the_gateway_pauses_is_told() {
    let receiver = Receiver::start().await;
    let gateway = Setup::guest()
        .endpoint("ops", &receiver, &["hookgate.plugin.failed"])
        .table("[limits]\nhandle_deadline = \"50ms\"")
        .start()
        .await;
    for id in ["1", "2", "3"] {
        let spin = json!({ "id": id, "do": "nothing", "then": "spin", "until": 2 });
        gateway.guest(&spin).await.accepted();
        gateway.settle().await;
    }
    let (_, data) = told(&receiver, 1).await.remove(0);
    let [plugin, handler] = ["plugin", "handler"].map(|of| text(&data[of]));
    assert_eq!((plugin.as_str(), handler.as_str()), ("guest", "guest"));
}

#[tokio::test]
async fn a_source_that_falls_silent_is_told() {
    let receiver = Receiver::start().await;
    let secrets = "verify = \"none\"\nexpect = \"1 in 10m\"";
    let gateway = Setup::new()
        .plugin("guest")
        .source("shop", "guest", secrets)
        .endpoint("ops", &receiver, &["hookgate.source.*"])
        .start()
        .await;
    gateway.advance(11 * MINUTE).await;
    let (event_type, data) = told(&receiver, 1).await.remove(0);
    assert_eq!((event_type.as_str(), &data["source"]), ("hookgate.source.silent", &json!("shop")));
}

/// Guards that no endpoint receives what it did not subscribe to, that a start repeats nothing, and
/// that what can't be delivered makes nothing more.
#[tokio::test]
async fn a_disabled_endpoint_is_told_once_to_those_who_name_that() {
    let (ops, all) = (Receiver::start().await, Receiver::start().await);
    let broken = Receiver::answering(500).await;
    let gateway = Setup::guest()
        .endpoint("ops", &ops, &["hookgate.endpoint.*"])
        .endpoint("all", &all, &["*"])
        .endpoint("broken", &broken, &["hookgate.*"])
        .start()
        .await;
    act(&gateway, "all", "disable").await;
    let (event_type, data) = told(&ops, 1).await.remove(0);
    assert_eq!(event_type, "hookgate.endpoint.disabled");
    assert_eq!((&data["reason"], &data["endpoint"]["name"]), (&json!("operator"), &json!("all")));

    let gateway = gateway.restart().await;
    act(&gateway, "broken", "disable").await;
    told(&ops, 2).await;
    act(&gateway, "all", "enable").await;
    let told = told(&ops, 3).await;
    gateway.settle().await;
    let types: Vec<&str> = told.iter().map(|(event_type, _)| event_type.as_str()).collect();
    let expected =
        ["hookgate.endpoint.disabled", "hookgate.endpoint.disabled", "hookgate.endpoint.recovered"];
    assert_eq!(types, expected);
    assert_eq!(told[1].1["endpoint"]["name"], "broken");
    assert!(all.received().is_empty());
    assert_eq!(ops.received().len(), 3);
}
