//! Deliveries as operators list them, try them again, and give them up.

use super::*;

/// Longer than an endpoint rests that has failed twice, and sooner than the next try.
const SOON: Duration = Duration::from_secs(5);

/// Three orders that went to `crm`: the first is done, the others wait for another try.
async fn three_orders() -> (Harness, Receiver) {
    let receiver = Receiver::start().await;
    let gateway = Setup::guest()
        .endpoint_with("crm", &receiver, &["order.*"], "retries = [\"10s\", \"1h\"]")
        .start()
        .await;
    for (id, subject, status) in [("1", "pi_1", 204), ("2", "pi_2", 500), ("3", "pi_1", 500)] {
        receiver.answer(status);
        let order = json!({ "id": id, "type": "order.paid", "subject": subject });
        gateway.guest(&order).await.accepted();
        gateway.settle().await;
    }
    (gateway, receiver)
}

/// What the sources called the events of the deliveries in a list, oldest first.
async fn listed(gateway: &Harness, query: &str) -> Vec<String> {
    let page = gateway.ask(&format!("/v1/deliveries?{query}")).await.json();
    let mut events = Vec::new();
    for item in page["items"].as_array().unwrap().iter().rev() {
        let event = gateway.ask(&format!("/v1/events/{}", text(&item["event_id"]))).await.json();
        events.push(text(&event["event"]["id"]));
    }
    events
}

async fn path_of(gateway: &Harness, event: &str) -> String {
    let delivery = delivery_to(&gateway.event(event).await, "crm");
    format!("/v1/deliveries/{}", text(&delivery["id"]))
}

#[tokio::test]
async fn deliveries_are_listed_with_their_endpoint_and_how_they_went_last() {
    let (gateway, _receiver) = three_orders().await;

    let page = gateway.ask("/v1/deliveries").await.json();
    let first = &page["items"][0];
    assert_eq!((&first["state"], &first["type"]), (&json!("pending"), &json!("order.paid")));
    assert_eq!((&first["subject"], &first["tries_made"]), (&json!("pi_1"), &json!(1)));
    assert_eq!(first["last_attempt"]["status"], 500, "{first}");
    assert_eq!(first["last_attempt"]["reason"], "endpoint_refused");
    let endpoint = &first["endpoint"];
    assert_eq!((&endpoint["name"], &endpoint["deleted"]), (&json!("crm"), &json!(false)));
    let id = gateway.ask("/v1/endpoints").await.json()["items"][0]["id"].clone();
    assert_eq!(endpoint["id"], id);
    let shown = gateway.ask(&path_of(&gateway, "3").await).await.json();
    let of_event = delivery_to(&gateway.event("3").await, "crm");
    assert_eq!([&shown["endpoint"], &of_event["endpoint"]], [endpoint; 2], "in one shape");

    let done_of = format!("endpoint={}&state=done", text(&id));
    let (before, after) = (format!("before={NOW}"), format!("after={NOW}"));
    let expected: [(&str, &[&str]); 14] = [
        ("limit=9", &["1", "2", "3"]),
        ("state=done", &["1"]),
        ("state=pending", &["2", "3"]),
        ("state=dead", &[]),
        ("subject=pi_1", &["1", "3"]),
        ("subject=pi_1&state=pending", &["3"]),
        ("type=order.*", &["1", "2", "3"]),
        ("type=payment.*", &[]),
        ("endpoint=crm", &["1", "2", "3"]),
        ("endpoint=erp", &[]),
        ("tenant=acme", &[]),
        (&done_of, &["1"]),
        (&before, &[]),
        (&after, &["1", "2", "3"]),
    ];
    for (query, expected) in expected {
        assert_eq!(listed(&gateway, query).await, expected, "{query}");
    }
    let refused = gateway.ask("/v1/deliveries?endpoint=evt_000000000001000000").await;
    check_refused(&refused, 400, "`endpoint` must be the id or the name of an endpoint");
}

#[tokio::test]
async fn one_that_waits_is_discarded_without_an_attempt_and_tried_again_when_asked() {
    let (gateway, receiver) = three_orders().await;
    let path = path_of(&gateway, "3").await;
    let attempts = receiver.received().len();

    let answer = gateway.tell(&format!("{path}/discard"), &json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(stands(&answer.json()), ("dead", 1));
    let again = gateway.tell(&format!("{path}/discard"), &json!({})).await;
    check_refused(&again, 409, "has ended already");
    assert!(text(&again.json()["type"]).ends_with("#not-pending"));
    assert_eq!(listed(&gateway, "reason=discarded").await, ["3"]);
    assert_eq!(listed(&gateway, "state=pending").await, ["2"]);
    let dead = gateway.ask("/v1/dead?reason=discarded").await.json()["items"].clone();
    assert_eq!(texts(&dead, "name"), ["crm"]);
    assert_eq!(dead[0]["schedule_ended"], false, "tries were left");
    gateway.advance(SOON).await;
    gateway.settle().await;
    assert_eq!(receiver.received().len(), attempts, "nobody tried it");

    receiver.answer(204);
    let answer = gateway.tell(&format!("{path}/retry"), &json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    gateway.settle().await;
    let received = receiver.arrived(attempts + 1).await;
    assert!(path.ends_with(received[attempts].header("webhook-id")), "under the same id");
    assert_eq!(listed(&gateway, "state=done").await, ["1", "3"]);
}

#[tokio::test]
async fn one_that_waits_is_tried_at_once_when_somebody_asks() {
    let (gateway, receiver) = three_orders().await;
    receiver.answer(204);
    let path = path_of(&gateway, "2").await;
    gateway.advance(SOON).await;

    assert_eq!(gateway.tell(&format!("{path}/retry"), &json!({})).await.status, 200);
    gateway.settle().await;

    assert_eq!(stands(&gateway.ask(&path).await.json()), ("done", 2), "it keeps its tries");
}
