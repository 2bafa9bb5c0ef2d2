//! The event types that there are, for whoever chooses what an endpoint is to receive.

use std::path::Path;

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
    let unheard = of("order.unheard-of");
    assert_eq!((&unheard["example"], &unheard["description"]), (&Value::Null, &Value::Null));
    let described = of("guest.described");
    assert_eq!(described["description"], "The guest does what its command says.");
    assert_eq!(described["from"], json!(["guest"]));
    assert_eq!(of("payment.failed")["description"], "The payment was declined or failed.");
}

/// Guards that the gateway describes what the SDK gives to the authors of plugins.
#[tokio::test]
async fn each_canonical_type_has_a_description() {
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("plugin-sdk");
    let sdk = std::fs::read_to_string(sdk.join("src/types.rs")).unwrap();
    let constants = sdk.lines().filter_map(|line| line.split_once(": &str = \""));
    let canonical: Vec<&str> = constants.map(|(_, text)| text.trim_end_matches("\";")).collect();
    assert_eq!(canonical.len(), 17, "{canonical:?}");
    let gateway = Setup::guest().start().await;
    for name in &canonical {
        gateway.guest(&json!({ "id": name, "type": name })).await.accepted();
    }
    gateway.settle().await;

    let all = gateway.ask("/v1/event-types").await.json()["event_types"].clone();
    for name in canonical {
        let of = all.as_array().unwrap().iter().find(|it| it["name"] == name).unwrap();
        assert!(of["description"].is_string(), "{of}");
    }
}
