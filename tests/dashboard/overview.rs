//! The overview and the sources.

use super::*;

/// Guards [`/v1/overview`] from the count of a request to the tile that shows it.
#[tokio::test]
async fn the_overview_counts_what_came_and_what_was_delivered() {
    let receiver = Receiver::start().await;
    let gateway = Setup::stripe().endpoint("crm", &receiver, &["*"]).start().await;
    gateway.stripe(&payment("evt_1", "pi_1", "succeeded")).await.accepted();
    gateway.settle().await;

    let figures = gateway.ask("/v1/overview").await.json();
    let total = &figures["total"];
    assert_eq!((&total["accepted"], &total["delivered"]), (&json!(1), &json!(1)));
    assert_eq!((&figures["waiting"], &figures["dead"]), (&json!(0), &json!(0)));
    let page = gateway.person().open("/").await;
    page.says("Accepted").says("nothing waits").says("0 dead letters");
}

#[tokio::test]
async fn the_sources_are_listed_with_how_their_requests_were_answered() {
    let gateway = Setup::stripe().start().await;
    gateway.stripe(&payment("evt_1", "pi_1", "succeeded")).await.accepted();

    let sources = gateway.ask("/v1/sources").await.json();
    let stripe = &sources["sources"][0];
    assert_eq!((&stripe["name"], &stripe["path"]), (&json!("stripe"), &json!("/in/stripe")));
    assert_eq!(stripe["answered"], json!({ "accepted": 1 }));
    let person = gateway.person();
    person.open("/sources").await.says("stripe");
    person.open("/sources/stripe").await.says("/in/stripe");
    assert_eq!(person.open("/sources/none").await.status, 404);
}
