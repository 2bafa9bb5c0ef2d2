//! The dead letters, replays and plugins.

use super::*;

#[tokio::test]
async fn pages_without_anything_say_how_something_comes_there() {
    let gateway = Setup::stripe().start().await;
    let person = gateway.person();
    person.open("/dead").await.says("No dead letters");
    person.open("/replays").await.says("No replays");
    person.open("/endpoints").await.says("No endpoints");
    person.open("/events").await.says("Post something to a source.");
    person.open("/plugins").await.says("stripe");
    person.open("/plugins/stripe").await.says("Runs");
}

/// With two dead deliveries to `crm`, which answers well from now on.
async fn with_dead(receiver: &Receiver) -> Harness {
    let setup = Setup::stripe().endpoint_with("crm", receiver, &["*"], "retries = []");
    let gateway = setup.start().await;
    for id in ["1", "2"] {
        let payment = payment(&format!("evt_{id}"), &format!("pi_{id}"), "succeeded");
        gateway.stripe(&payment).await.accepted();
    }
    gateway.settle().await;
    receiver.answer(204);
    gateway
}

/// Guards the way from the reasons to the end of a replay: each step is what the one before leads
/// to.
#[tokio::test]
async fn dead_letters_are_seen_by_reason_previewed_and_replayed() {
    let receiver = Receiver::answering(400).await;
    let gateway = with_dead(&receiver).await;
    let person = gateway.person();

    let page = person.open("/dead").await;
    page.says("2 dead letters").says("The endpoint refused it").says("20.00 USD").says("crm");
    let group = "/dead?kind=delivery&reason=endpoint_refused";
    assert!(page.links().contains(&group.to_owned()), "{:?}", page.links());
    let place = "/dead/replay?kind=delivery&reason=endpoint_refused";
    assert!(page.links().contains(&place.to_owned()), "{:?}", page.links());
    // As the page of an endpoint leads here.
    let endpoints = gateway.ask("/v1/endpoints").await.json();
    let of_one = format!("/dead?endpoint={}", text(&endpoints["items"][0]["id"]));
    let links = person.open(&of_one).await.links();
    let own = "/dead/replay?kind=delivery&endpoint=crm".to_owned();
    assert!(links.contains(&own), "{links:?}");
    let preview = person.open(place).await;
    preview.says("Replay 2 dead letters").says("crm");
    let wrong = [("rate", "fast")];
    let again = person.submit(&preview, "/dead/replay/begin", &wrong).await;
    again.says("whole number of works a second").says("Replay 2 dead letters");
    let begun = person.submit(&again, "/dead/replay/begin", &[("rate", "")]).await;
    begun.says("The replay has begun").says("endpoint_refused");

    gateway.settle().await;
    person.open("/dead").await.says("No dead letters");
    let replays = person.open("/replays").await;
    replays.says("Done").says("2 of 2");
    let place = replays.links().into_iter().find(|link| link.starts_with("/replays/rpl_")).unwrap();
    person.open(&place).await.says("It has come to its end");
    person.open(&format!("{place}/cancel")).await.says("It has come to its end");
}

/// Guards that what a scope may not do is not offered.
#[tokio::test]
async fn one_letter_is_replayed_by_whoever_may() {
    let receiver = Receiver::answering(400).await;
    let gateway = with_dead(&receiver).await;
    let ops = token(&gateway, None, &json!({ "name": "ops", "scopes": ["admin"] })).await;
    let look = json!({ "name": "look", "scopes": ["read"] });
    let look = token(&gateway, Some(&ops), &look).await;
    let reader = gateway.signed_in(&look).await.open("/dead?kind=delivery").await;
    reader.says("2 dead letters");
    assert!(!reader.offers("/dead/again"));
    let is_replay = |link: &String| link.starts_with("/dead/replay");
    assert!(!reader.links().iter().any(is_replay), "{:?}", reader.links());

    let person = gateway.signed_in(&ops).await;
    let page = person.open("/dead?kind=delivery").await;
    let page = person.submit(&page, "/dead/again", &[]).await;
    page.says("again").says("Any reason");
    receiver.arrived(3).await;
}

#[tokio::test]
async fn a_tenant_chooses_an_endpoint_of_its_own_before_it_replays() {
    let gateway = start().await;
    let ops = token(&gateway, None, &json!({ "name": "ops", "scopes": ["admin"] })).await;
    let acme = json!({ "name": "acme", "scopes": ["read", "replay"], "tenant": "acme" });
    let acme = token(&gateway, Some(&ops), &acme).await;
    let person = gateway.signed_in(&acme).await;
    let page = person.open("/dead/replay").await;
    page.says("Choose an endpoint");
    assert!(!page.offers("/dead/replay/begin"));
    let foreign = person.open("/dead/replay?endpoint=crm").await;
    assert_eq!(foreign.status, 404, "{}", foreign.text());
}

/// Guards what a plugin used from the count of a call to the row that shows it.
#[tokio::test]
async fn a_plugin_shows_its_calls_failures_and_limits() {
    let gateway = Setup::guest().start().await;
    gateway.guest(&json!({ "id": "1", "do": "fail", "reason": "no stock" })).await.accepted();
    gateway.settle().await;

    let usage = gateway.ask("/v1/plugins/guest").await.json()["usage"].clone();
    let calls = usage["calls"].as_array().unwrap();
    let failed: Vec<_> = calls.iter().map(|it| (text(&it["kind"]), it["failed"].clone())).collect();
    let expected = [("claim", 0), ("parse", 0), ("handle", 1)];
    assert_eq!(failed, expected.map(|(kind, many)| (kind.to_owned(), json!(many))), "{usage}");
    for kind in calls {
        let times = kind["times"].as_array().unwrap();
        let sum: u64 = times.iter().filter_map(|it| it["calls"].as_u64()).sum();
        assert_eq!(json!(sum), kind["calls"], "{kind}");
    }
    let person = gateway.person();
    let page = person.open("/plugins/guest").await;
    page.says("Runs 1 1 100 %").says("Memory of an instance").says("Time of each call: Runs");
    assert_eq!(person.open("/plugins/none").await.status, 404);
}

/// Guards the two pages of a canary, and that nobody is asked about one that is decided about.
#[tokio::test]
async fn a_canary_is_shown_beside_the_live_version_until_somebody_drops_it() {
    let gateway = Setup::guest().start().await;
    crate::canary::drop_next(&gateway, &crate::canary::guest(0, 1)).await;
    let person = gateway.person();

    let page = person.open("/plugins/guest").await;
    page.says("Live version").says("Drop…").says("Promote…");
    person.open("/plugins/guest/promote").await.says("From then on it runs all subjects.");
    let sure = person.open("/plugins/guest/drop").await;
    sure.says("gets all subjects again");
    let page = person.submit(&sure, "/plugins/guest/drop", &[]).await;
    page.says("Dropped. The live version gets all subjects.").says("Dropped by an operator");
    assert!(!page.links().contains(&"/plugins/guest/promote".to_owned()), "{:?}", page.links());
    let again = person.open("/plugins/guest/promote").await;
    again.says("Dropped by an operator");
    assert!(!again.offers("/plugins/guest/promote"), "{}", again.html);
}

#[tokio::test]
async fn the_gateway_looks_at_the_files_when_somebody_asks() {
    let gateway = Setup::stripe().start().await;
    let person = gateway.person();
    let page = person.open("/plugins").await;
    person.submit(&page, "/plugins", &[]).await.says("No plugin's file has changed.");
}
