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
