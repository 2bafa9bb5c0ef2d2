//! The event types that there are, for whoever chooses what an endpoint is to receive.

use super::*;

#[tokio::test]
async fn event_types_come_from_plugins_and_their_samples_from_the_gateway_and_from_what_came() {
    let secrets = format!("secrets = [{{ value = \"{STRIPE_SECRET}\" }}]");
    let gateway =
        Setup::guest().plugin("stripe").source("stripe", "stripe", &secrets).start().await;
    gateway.guest(&json!({ "id": "1", "type": "order.unheard-of" })).await.accepted();
    gateway.settle().await;

    let all = gateway.ask("/v1/event-types").await.json()["event_types"].clone();
    let names = texts(&all, "name");
    assert!(names.is_sorted(), "{names:?}");
    let of = |name: &str| {
        let found = all.as_array().unwrap().iter().find(|it| it["name"] == name);
        found.unwrap_or_else(|| panic!("no {name} in {names:?}")).clone()
    };
    let paid = of("dispute.won");
    assert_eq!(paid["from"], json!(["stripe"]));
    assert_eq!(paid["example"]["type"], "dispute.won", "{paid}");
    assert!(paid["example"]["data"].is_object(), "as the sample has it: {paid}");
    assert!(!text(&of("hookgate.disk.low")["description"]).is_empty());
    assert_eq!(of("order.unheard-of")["example"], Value::Null);
}
