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
    page.says("Accepted").says("nothing waits").says("No dead letters");
    page.says("Nothing needs attention");
    // A day is drawn out of the hours that the store counted.
    let day = gateway.person().open("/?span=day").await;
    day.says("by the hour").says("less than one an hour");
    assert!(day.html.contains("1 request accepted, 1 delivery delivered"), "{}", day.html);
}

/// Guards what stands first: an endpoint that gets nothing, and why; and that a tenant sees no
/// other's.
#[tokio::test]
async fn what_is_wrong_stands_on_the_overview_of_those_whose_it_is() {
    let receiver = Receiver::start().await;
    let gateway = Setup::stripe().endpoint("crm", &receiver, &["*"]).start().await;
    let endpoints = gateway.ask("/v1/endpoints").await.json();
    let crm = text(&endpoints["items"][0]["id"]);
    let disabled = gateway.tell(&format!("/v1/endpoints/{crm}/disable"), &json!({})).await;
    assert_eq!(disabled.status, 200, "{}", disabled.body);

    let page = gateway.person().open("/").await;
    page.says("Endpoint crm disabled").says("somebody disabled it");
    assert!(page.links().contains(&format!("/endpoints/{crm}")));

    let ops = token(&gateway, None, &json!({ "name": "ops", "scopes": ["admin"] })).await;
    let acme = json!({ "name": "acme", "scopes": ["read"], "tenant": "acme" });
    let acme = token(&gateway, Some(&ops), &acme).await;
    let tenant = gateway.signed_in(&acme).await;
    let page = tenant.open("/").await;
    page.says("What belongs to your tenant").says("Nothing needs attention");
    assert!(!page.html.contains("crm") && !page.html.contains("stripe"), "{}", page.html);
    assert_eq!(tenant.open("/sources").await.status, 403);
}

/// Guards the groups of what was refused, and that a person finds the address to post to.
#[tokio::test]
async fn a_source_says_why_it_refused_and_where_its_provider_posts() {
    let gateway = Setup::stripe().start().await;
    let body = payment("evt_1", "pi_1", "succeeded");
    assert!(gateway.stripe_with("whsec_another", &body).await.status >= 400);
    gateway.stripe(&body).await.accepted();

    let refused = gateway.ask("/v1/sources/stripe/refused").await.json();
    let reason = text(&refused["items"][0]["reason"]);
    let page = gateway.person().open("/sources/stripe").await;
    page.says("Point the provider here").says("50 % of requests").says(&reason);
    let receipts = gateway.ask("/v1/receipts?source=stripe").await.json();
    page.says(&text(&receipts["items"][0]["id"]));
    assert!(!gateway.person().open("/sources").await.html.contains(">never<"));
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
    let page = person.open("/sources/stripe").await;
    assert!(page.html.contains("value=\"/in/stripe\""), "{}", page.html);
    assert_eq!(person.open("/sources/none").await.status, 404);
}

/// Guards the way of a sample from the form to the store, and that it is new each time.
#[tokio::test]
async fn a_sample_comes_in_as_its_provider_would_send_it() {
    let gateway = Setup::stripe().start().await;
    let person = gateway.person();
    let action = "/sources/stripe/sample";
    let page = person.open("/sources/stripe").await;
    let sources = gateway.ask("/v1/sources").await.json();
    let names = sources["sources"][0]["samples"].as_array().unwrap();
    assert!(names.contains(&json!("charge.dispute.created")), "{names:?}");
    assert_eq!(page.html.matches("<option value=").count(), names.len());
    for _ in 0..2 {
        let fields = [("sample", "charge.dispute.created")];
        let sent = person.submit(&page, action, &fields).await;
        sent.says("accepted the sample charge.dispute.created").says("is new");
    }
    person.submit(&page, action, &[("sample", "none")]).await.says("its plugin has no such sample");
    gateway.settle().await;

    let events = gateway.events("source=stripe").await;
    let types: Vec<String> = events.iter().map(|event| text(&event["type"])).collect();
    assert_eq!(types.len(), 2, "{types:?}");
    assert_eq!(gateway.tell("/v1/sources/none/sample", &json!({})).await.status, 404);
    let wrong = gateway.tell("/v1/sources/stripe/sample", &json!({ "other": 1 })).await;
    assert_eq!(wrong.status, 422, "{}", wrong.body);
}

/// Guards that a source without a secret can be tried too: nothing can sign for it.
#[tokio::test]
async fn a_source_that_verifies_nothing_receives_a_sample_without_a_signature() {
    let setup = Setup::new().plugin("stripe");
    let gateway = setup.source("open", "stripe", "verify = \"none\"").start().await;
    let sample = json!({ "sample": "charge.dispute.created" });
    for _ in 0..2 {
        let sent = gateway.tell("/v1/sources/open/sample", &sample).await;
        assert!(sent.json()["receipt"].is_string(), "{}", sent.body);
        assert_eq!(sent.json()["is_duplicate"], false, "{}", sent.body);
    }
    gateway.settle().await;
    assert_eq!(gateway.events("source=open").await.len(), 2);
    gateway.person().open("/sources/open").await.says("without a signature");
}

/// Guards how the address is put together, and that the page shows it.
#[tokio::test]
async fn a_source_shows_its_whole_address_where_somebody_has_said_it() {
    let setup = Setup::stripe().line("public_url = \"https://hooks.example.com/pay/\"");
    let gateway = setup.start().await;
    let sources = gateway.ask("/v1/sources").await.json();
    let url = &sources["sources"][0]["url"];
    assert_eq!(url, "https://hooks.example.com/pay/in/stripe");
    let page = gateway.person().open("/sources/stripe").await;
    assert!(page.html.contains("value=\"https://hooks.example.com/pay/in/stripe\""));
    assert!(!page.text().contains("A path of the public port"), "{}", page.text());
}

/// Guards the scope of the operation, and that its form is left out without it.
#[tokio::test]
async fn who_may_only_read_sends_no_sample() {
    let gateway = Setup::stripe().start().await;
    let ops = token(&gateway, None, &json!({ "name": "ops", "scopes": ["admin"] })).await;
    let look = json!({ "name": "look", "scopes": ["read"] });
    let look = token(&gateway, Some(&ops), &look).await;

    let page = gateway.signed_in(&look).await.open("/sources/stripe").await;
    assert!(!page.offers("/sources/stripe/sample"), "{}", page.html);
    let post = gateway.client().post(format!("{}/v1/sources/stripe/sample", gateway.admin()));
    let refused = answer(post.header("authorization", format!("Bearer {look}")).json(&json!({})));
    assert_eq!(refused.await.status, 403);
}

/// Guards that the age of a secret is that of its file, and that one without a file has none.
#[tokio::test]
async fn a_source_says_how_old_its_secrets_are_and_never_a_value() {
    let secrets = "secrets = [{ file = \"signing\" }, { value = \"whsec_of_the_configuration\" }]";
    let setup = Setup::new().plugin("stripe").source("stripe", "stripe", secrets);
    let prepared = setup.prepare();
    std::fs::write(prepared.folder().join("signing"), "whsec_of_the_file").unwrap();
    let gateway = prepared.start().await;

    let sources = gateway.ask("/v1/sources").await.json();
    let since = &sources["sources"][0]["secrets_since"];
    assert!(since[0].is_string() && since[1].is_null(), "{since}");
    let page = gateway.person().open("/sources/stripe").await;
    page.says("2 secrets, the oldest written");
    assert!(!page.html.contains("whsec_of"), "{}", page.html);
}
