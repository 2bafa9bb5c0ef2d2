//! The events, and one event.

use super::*;

#[tokio::test]
async fn an_event_is_found_by_its_subject_and_shown() {
    let gateway = Setup::stripe().start().await;
    gateway.stripe(&payment("evt_1", "pi_1", "succeeded")).await.accepted();
    gateway.stripe(&payment("evt_2", "pi_2", "payment_failed")).await.accepted();
    gateway.settle().await;

    let person = gateway.person();
    let page = person.open("/events?subject=pi_2").await;
    page.says("payment.failed");
    assert!(!page.text().contains("payment.succeeded"));
    let link = page.links().into_iter().find(|link| link.starts_with("/events/evt_")).unwrap();
    person.open(&link).await.says("payment.failed").says("pi_2").says("Done");
}

/// The first event among the links of a page.
fn place_of_an_event(links: Vec<String>) -> String {
    let is_event =
        |link: &String| link.starts_with("/events/evt_") && link.matches('/').count() == 2;
    links.into_iter().find(is_event).unwrap()
}

/// Guards each step of the story, and the button that is `retryDelivery`.
#[tokio::test]
async fn a_story_goes_from_the_request_to_the_delivery_that_failed_and_is_sent_again() {
    let receiver = Receiver::answering(500).await;
    let gateway = Setup::stripe().endpoint("crm", &receiver, &["*"]).start().await;
    gateway.stripe(&payment("evt_1", "pi_1", "payment_failed")).await.accepted();
    gateway.settle().await;

    let person = gateway.person();
    let place = place_of_an_event(person.open("/events?state=pending").await.links());
    let page = person.open(&place).await;
    for said in ["Received", "Proven and stored", "Parsed by stripe", "Pending", "Try now"] {
        page.says(said);
    }
    page.says("The delivery to crm failed now: the endpoint answered 500.");
    page.says("Delivery to crm").says("Answered 500 from 127.0.0.1");
    let delivery = page.links().into_iter().find(|link| link.starts_with("#dlv_")).unwrap();
    let delivery = format!("/deliveries/{}", &delivery[1..]);
    assert_eq!(person.open(&delivery).await.text(), page.text());

    receiver.answer(204);
    let retried = person.submit(&page, &format!("{delivery}/retry"), &[]).await;
    retried.says("The gateway sends it now.");
    gateway.settle().await;
    person.open(&place).await.says("attempt 2").says("Answered 204").says("Done");
}

/// Guards `proof` of a receipt, from the store to its story.
#[tokio::test]
async fn a_story_says_so_of_a_request_that_proved_nothing() {
    let open = Setup::new().plugin("stripe").source("open", "stripe", "verify = \"none\"");
    let gateway = open.start().await;
    let receipt = gateway.post("open", &[], payment("evt_1", "pi_1", "succeeded")).await.accepted();
    gateway.settle().await;

    assert_eq!(gateway.receipt(&receipt).await["proof"], "none");
    let page = gateway.person().open(&format!("/receipts/{receipt}")).await;
    page.says("Stored without a proof").says("verified nothing");
}

/// Guards the page that stands before a discard.
#[tokio::test]
async fn a_discard_says_first_what_it_ends() {
    let receiver = Receiver::answering(500).await;
    let gateway = Setup::stripe().endpoint("crm", &receiver, &["*"]).start().await;
    gateway.stripe(&payment("evt_1", "pi_1", "payment_failed")).await.accepted();
    gateway.settle().await;

    let person = gateway.person();
    let place = place_of_an_event(person.open("/events").await.links());
    let links = person.open(&place).await.links();
    let discard = links.into_iter().find(|link| link.ends_with("/discard")).unwrap();
    let page = person.open(&discard).await;
    page.says("Discard the delivery to crm?").says("no further attempt");
    let ended = person.submit(&page, &discard, &[]).await;
    ended.says("Discarded.").says("It is a dead letter").says("Dead");
}

/// Guards the links between what a run added and the run that added it, and the replay of all.
#[tokio::test]
async fn what_a_run_added_and_the_run_lead_to_each_other() {
    let gateway = Setup::guest().start().await;
    let command = json!({ "id": "1", "subject": "pi_1", "do": "emit", "emits": "payment.failed" });
    gateway.guest(&command).await.accepted();
    gateway.settle().await;

    let id = text(&gateway.event("1").await["id"]);
    let person = gateway.person();
    let page = person.open(&format!("/events/{id}")).await;
    page.says("Run by guest").says("Added the events");
    let others = page.links().into_iter().filter(|link| !link.ends_with(&*id)).collect();
    let other = person.open(&place_of_an_event(others)).await;
    other.says("Added by a run");
    let run = other.links().into_iter().find(|link| link.starts_with("/runs/run_")).unwrap();
    assert_eq!(person.open(&run).await.text(), page.text());

    let replay = format!("/events/{id}/replay");
    let confirm = person.open(&replay).await;
    confirm.says("1 run and 0 deliveries");
    person.submit(&confirm, &replay, &[]).await.says("Replayed: 1 work done again.");
}

/// Guards `place_of`, the form that keeps what was written, and what an empty list offers.
#[tokio::test]
async fn the_search_finds_an_id_a_subject_or_a_type() {
    let gateway = Setup::stripe().start().await;
    let receipt = gateway.stripe(&payment("evt_1", "pi_1", "succeeded")).await.accepted();
    gateway.settle().await;

    let person = gateway.person();
    let page = person.open(&format!("/events?subject={receipt}")).await;
    page.says("Receipt").says("Parsed by stripe").says("Added the events");
    let body = page.links().into_iter().find(|link| link.ends_with("/body")).unwrap();
    let body = person.open(&body).await;
    assert_eq!(body.html, payment("evt_1", "pi_1", "succeeded"));
    assert!(body.headers["content-disposition"].to_str().unwrap().starts_with("attachment"));

    let none = person.open("/events?subject=payment").await;
    none.says("None has all of this.");
    let below = none.links().into_iter().find(|link| link.ends_with("type=payment.*")).unwrap();
    person.open(&below).await.says("payment.succeeded");
    let wrong = person.open("/events?state=broken&source=stripe").await;
    assert_eq!(wrong.status, 400);
    assert!(wrong.html.contains("name=\"source\" value=\"stripe\""), "{}", wrong.html);
    assert!(person.open("/events").await.html.contains("data-stream=\"/v1/events/stream\""));
}

/// Guards `may_replay` and `may_write`: what the API would refuse is not offered.
#[tokio::test]
async fn who_may_only_read_sees_the_story_without_buttons() {
    let receiver = Receiver::answering(500).await;
    let gateway = Setup::stripe().endpoint("crm", &receiver, &["*"]).start().await;
    gateway.stripe(&payment("evt_1", "pi_1", "payment_failed")).await.accepted();
    gateway.settle().await;
    let ops = token(&gateway, None, &json!({ "name": "ops", "scopes": ["admin"] })).await;
    let body = json!({ "name": "look", "scopes": ["read"] });
    let look = token(&gateway, Some(&ops), &body).await;

    let all = gateway.signed_in(&ops).await;
    let place = place_of_an_event(all.open("/events").await.links());
    assert!(all.open(&place).await.html.contains("/discard\""));
    let reader = gateway.signed_in(&look).await;
    let page = reader.open(&place).await;
    page.says("Answered 500");
    assert!(!page.html.contains("/retry\"") && !page.html.contains("/discard\""));
    assert!(!page.html.contains(&format!("{place}/replay")));
}

/// Guards the order of the stretches that are looked at, and the scope that values are for.
#[tokio::test]
async fn the_state_of_a_run_is_shown_as_it_was_before_and_after_it() {
    let gateway = Setup::guest().start().await;
    for id in ["first", "second"] {
        let command = json!({ "id": id, "subject": "pi_1", "do": "state" });
        gateway.guest(&command).await.accepted();
        gateway.settle().await;
    }
    let mut places = Vec::new();
    for id in ["first", "second"] {
        let run = crate::harness::run_of(&gateway.event(id).await, "guest");
        places.push(format!("/runs/{}/state", text(&run["id"])));
    }

    let state = gateway.ask(&format!("/v1{}", places[1])).await.json();
    let value = |base64: &str| json!({ "deleted": false, "base64": base64, "bytes": 1 });
    let expected = json!([{ "key": "count", "before": value("AQ=="), "after": value("Ag==") }]);
    assert_eq!((&state["keys"], &state["is_kept"]), (&expected, &json!(true)));
    let state = gateway.ask(&format!("/v1{}", places[0])).await.json();
    assert_eq!(state["keys"][0]["before"], Value::Null);
    let person = gateway.person();
    person.open(&places[1]).await.says("count").says("AQ==").says("Ag==");
    person.open(&places[0]).await.says("not kept, or never set before");

    let ops = token(&gateway, None, &json!({ "name": "ops", "scopes": ["admin"] })).await;
    let body = json!({ "name": "look", "scopes": ["read", "write", "replay"] });
    let look = token(&gateway, Some(&ops), &body).await;
    assert_eq!(gateway.signed_in(&look).await.open(&places[1]).await.status, 403);
}

/// Guards that the story asks as whoever looks at it: a tenant has no receipt, no run, and no event
/// of another.
#[tokio::test]
async fn a_tenant_sees_the_story_of_its_own_events_alone() {
    let source = format!(
        "secrets = [{{ value = \"{}\" }}]\ntenant_label = \"merchant\"",
        crate::harness::GUEST_TOKEN
    );
    let gateway = Setup::new().plugin("guest").source("guest", "guest", &source).start().await;
    for (id, merchant) in [("1", "globex"), ("2", "acme")] {
        let labels = json!({ "merchant": merchant });
        let command = json!({ "id": id, "type": "order.paid", "labels": labels });
        gateway.guest(&command).await.accepted();
        gateway.settle().await;
    }
    let place = |event: &Value| format!("/events/{}", text(&event["id"]));
    let (theirs, own) = (place(&gateway.event("1").await), place(&gateway.event("2").await));
    let ops = token(&gateway, None, &json!({ "name": "ops", "scopes": ["admin"] })).await;
    let body = json!({ "name": "acme", "scopes": ["admin"], "tenant": "acme" });
    let acme = token(&gateway, Some(&ops), &body).await;

    let all = gateway.signed_in(&ops).await;
    all.open(&own).await.says("Received").says("Run by guest");
    let tenant = gateway.signed_in(&acme).await;
    let page = tenant.open(&own).await;
    page.says("Recorded").says("No endpoint of yours gets it.");
    for hidden in ["Received", "Run by", "Parsed by", "/receipts/", "/runs/"] {
        assert!(!page.html.contains(hidden), "{hidden}: {}", page.html);
    }
    assert_eq!(tenant.open(&theirs).await.status, 404);
    let listed = tenant.open("/events").await.links();
    assert!(listed.contains(&own) && !listed.contains(&theirs));
}

/// Guards each arm of `masked` in the outline of a delivery: a request is shown, and no secret of
/// it.
#[tokio::test]
async fn an_attempt_shows_its_request_without_what_proves_anything() {
    let receiver = Receiver::start().await;
    let gateway = start().await;
    let body = json!({
        "name": "crm", "url": receiver.url(), "events": ["payment.*"],
        "headers": { "x-team": "billing" }, "credential": { "bearer": "planted-sesame" },
    });
    let made = gateway.tell("/v1/endpoints", &body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    gateway.stripe(&payment("evt_1", "pi_1", "succeeded")).await.accepted();
    gateway.settle().await;

    let event = gateway.events("source=stripe").await.remove(0);
    let place = format!("/events/{}", text(&event["id"]));
    let page = gateway.person().open(&place).await;
    page.says("What was sent").says("x-team: billing").says("webhook-signature: v1,(hidden)");
    page.says("authorization: (hidden)");
    let shown = gateway.ask(&format!("/v1{place}")).await.json();
    let delivery = text(&shown["deliveries"][0]["id"]);
    let asked = gateway.ask(&format!("/v1/deliveries/{delivery}/request")).await;
    let request = &asked.json()["request"];
    let header = |name: &str| {
        let headers = request["headers"].as_array().into_iter().flatten();
        headers.filter(|it| it["name"] == name).map(|it| text(&it["value"])).next()
    };
    let got = receiver.received().remove(0);
    assert_eq!(header("webhook-id"), Some(delivery), "{}", asked.body);
    assert_eq!(header("webhook-timestamp").as_deref(), Some(got.header("webhook-timestamp")));
    assert_eq!(request["body_bytes"], got.body.len(), "{}", asked.body);
    assert!(!page.html.contains("planted") && !asked.body.contains("planted"), "{}", asked.body);
}
