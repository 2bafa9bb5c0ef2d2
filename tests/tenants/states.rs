//! Which state of an event a tenant sees: that of its own deliveries, and not how those of the
//! operator go.

use serde_json::{Value, json};

use super::{check_empty, endpoint_by, heard, make, of_merchants, send};
use crate::harness::{Harness, Receiver, text};

/// The operator's token, and one of this tenant.
async fn tokens(gateway: &Harness, tenant: &str) -> [String; 2] {
    let ops = make(gateway, "", &json!({ "name": "ops", "scopes": ["admin"] })).await;
    let token = json!({ "name": "theirs", "scopes": ["read", "write"], "tenant": tenant });
    let theirs = make(gateway, &ops, &token).await;
    [ops, theirs]
}

/// An event of a merchant.
async fn order(gateway: &Harness, id: &str, merchant: &str) {
    let labels = json!({ "merchant": merchant });
    let command = json!({ "id": id, "type": "order.paid", "labels": labels });
    gateway.guest(&command).await.accepted();
}

/// The one item of a list, as whoever has this token sees it.
async fn only(gateway: &Harness, by: &str, path: &str) -> Value {
    let page = send(gateway, by, "GET", path, None).await;
    let items = page.json()["items"].as_array().cloned().unwrap_or_default();
    let [item] = &items[..] else { panic!("{path} has not one item: {}", page.body) };
    item.clone()
}

/// Guards what a tenant learns of the operator's endpoints. Take `counted` out of `lists::events`:
/// the event is pending to both. Take `count_own` out of `Stream::next`: so it is on the stream.
#[tokio::test]
async fn the_state_of_an_event_is_that_of_the_tenant_s_own_deliveries_wherever_it_is_shown() {
    let (own, operators) = (Receiver::start().await, Receiver::answering(500).await);
    let gateway = of_merchants().await;
    let [ops, acme] = tokens(&gateway, "acme").await;
    endpoint_by(&gateway, &acme, &own).await;
    endpoint_by(&gateway, &ops, &operators).await;
    order(&gateway, "1", "acme").await;
    own.arrived(1).await;
    operators.arrived(1).await;
    // What fails waits for an hour.
    gateway.settle().await;

    let shown = only(&gateway, &acme, "/v1/events").await;
    assert_eq!(shown["state"], "done", "{shown}");
    assert_eq!(only(&gateway, &ops, "/v1/events").await["state"], "pending");
    for (by, is, is_not) in [(&acme, "done", "pending"), (&ops, "pending", "done")] {
        only(&gateway, by, &format!("/v1/events?state={is}")).await;
        let other = format!("/v1/events?state={is_not}");
        check_empty(&other, &send(&gateway, by, "GET", &other, None).await);
    }
    let path = format!("/v1/events/{}", text(&shown["id"]));
    assert_eq!(send(&gateway, &acme, "GET", &path, None).await.json()["state"], "done");
    let to_acme = heard(&gateway, &acme, "\"state\":\"done\"").await;
    assert!(!to_acme.contains("pending"), "{to_acme}");
    heard(&gateway, &ops, "\"state\":\"pending\"").await;
}

/// Have `begin` count those that there are at that time, and no change: to who listens the event is
/// done, because no endpoint counts.
#[tokio::test]
async fn an_endpoint_that_is_made_while_somebody_listens_counts_from_then_on() {
    let receiver = Receiver::answering(500).await;
    let gateway = of_merchants().await;
    let [_, globex] = tokens(&gateway, "globex").await;
    let url = format!("{}/v1/events/stream", gateway.admin());
    let stream = gateway.client().get(url).bearer_auth(&globex).send().await;
    let mut stream = stream.unwrap();
    // Its beginning: by then the gateway knows who listens.
    stream.chunk().await.unwrap().expect("the stream goes on");

    endpoint_by(&gateway, &globex, &receiver).await;
    order(&gateway, "1", "globex").await;

    let mut heard = String::new();
    while !heard.contains("\"state\":\"") {
        let chunk = stream.chunk().await.unwrap().expect("the stream goes on");
        heard += std::str::from_utf8(&chunk).expect("it is text");
    }
    assert!(heard.contains("\"state\":\"pending\""), "{heard}");
}
