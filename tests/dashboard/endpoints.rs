//! The endpoints, and what may be done with one.

use super::*;

/// Guards that what a scope may not do is not offered, and that the API refuses it all the same.
#[tokio::test]
async fn who_may_only_read_is_offered_nothing_to_change() {
    let gateway = start().await;
    let ops = token(&gateway, None, &json!({ "name": "ops", "scopes": ["admin"] })).await;
    let body = json!({ "name": "look", "scopes": ["read"] });
    let look = token(&gateway, Some(&ops), &body).await;
    let person = gateway.signed_in(&ops).await;
    let form = person.open("/endpoints/new").await;
    let receiver = Receiver::start().await;
    let url = receiver.url();
    let fields = [("name", "crm"), ("url", url), ("events", "*")];
    let page = person.submit(&form, "/endpoints/new", &fields).await;
    page.says("The endpoint is there").says("Signing secret");
    let listed = person.open("/endpoints").await;
    let place = listed.links().into_iter().find(|link| link.starts_with("/endpoints/ep_")).unwrap();

    let pause = format!("{place}/pause");
    let own = person.open(&place).await;
    person.submit(&own, &pause, &[]).await.says("Paused.");
    let reader = gateway.signed_in(&look).await;
    assert!(!reader.open(&place).await.offers(&format!("{place}/resume")));
    assert!(!reader.open("/endpoints").await.links().contains(&"/endpoints/new".to_owned()));
    for page in ["/endpoints/new".to_owned(), format!("{place}/edit"), format!("{place}/rotate")] {
        assert_eq!(reader.open(&page).await.status, 403, "{page}");
    }
}

/// Makes an endpoint by the API, and gives the address of its page.
async fn made(gateway: &Harness, receiver: &Receiver) -> String {
    let body = json!({ "name": "crm", "url": receiver.url(), "events": ["*"] });
    let made = gateway.tell("/v1/endpoints", &body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    format!("/endpoints/{}", text(&made.json()["id"]))
}

/// Guards each act of the page, and that the page says before what one of them would end.
#[tokio::test]
async fn an_endpoint_is_paused_pinged_disabled_enabled_and_deleted() {
    let receiver = Receiver::answering(500).await;
    let gateway = start().await;
    let place = made(&gateway, &receiver).await;
    gateway.stripe(&payment("evt_1", "pi_1", "succeeded")).await.accepted();
    gateway.settle().await;
    let at = |verb: &str| format!("{place}/{verb}");

    let person = gateway.person();
    let page = person.open(&place).await;
    page.says("payment.succeeded").says("answered 500").says("Failed, 24 h");
    let page = person.submit(&page, &at("pause"), &[]).await;
    page.says("Paused. Its deliveries wait.").says("lose no try");
    assert!(page.offers(&at("resume")) && !page.offers(&at("pause")));
    person.submit(&page, &at("ping"), &[]).await.says("The ping is on its way.");

    let sure = person.open(&at("disable")).await;
    sure.says("2 deliveries wait for it now, and become dead letters.");
    let page = person.submit(&sure, &at("disable"), &[]).await;
    page.says("by an operator");
    gateway.settle().await;
    let page = person.submit(&page, &at("enable"), &[]).await;
    page.says("Enabled.");
    let links = page.links();
    let dead = links.iter().find(|link| link.starts_with("/dead?")).unwrap();
    person.open(dead).await.says("crm");
    let replay = links.iter().find(|link| link.starts_with("/dead/replay?")).unwrap();
    person.open(replay).await.says("2 dead letters");
    let sure = person.open(&at("delete")).await;
    sure.says("No delivery waits for it now.").says("no way back");
    person.submit(&sure, &at("delete"), &[]).await.says("No endpoints");
    assert_eq!(person.open(&place).await.status, 410);
}

/// Guards that a secret is shown by the page that made it and by no other.
#[tokio::test]
async fn a_rotated_secret_is_shown_once() {
    let receiver = Receiver::start().await;
    let gateway = start().await;
    let place = made(&gateway, &receiver).await;
    let rotate = format!("{place}/rotate");

    let person = gateway.person();
    let form = person.open(&rotate).await;
    let wrong = person.submit(&form, &rotate, &[("overlap", "soon")]).await;
    assert_eq!(wrong.status, 422, "{}", wrong.text());
    assert!(wrong.text().contains("overlap") && wrong.html.contains("value=\"soon\""));
    // The field itself, and no other.
    let marked: Vec<_> = wrong.html.match_indices("aria-invalid").map(|(at, _)| at).collect();
    let field = marked.first().and_then(|at| wrong.html[..*at].rsplit('<').next());
    let is_overlap = field.is_some_and(|field| field.contains("name=\"overlap\""));
    assert!(marked.len() == 1 && is_overlap, "{}", wrong.html);
    let page = person.submit(&wrong, &rotate, &[("overlap", "1h")]).await;
    page.says("Keep the new secret");
    assert!(page.html.contains("value=\"whsec_"), "{}", page.html);
    let again = person.open(&place).await;
    again.says("signs by HMAC-SHA256");
    assert!(!again.html.contains("whsec_"), "{}", again.html);
}

/// Guards `is_of_api`: what the API would refuse is not offered.
#[tokio::test]
async fn an_endpoint_of_the_configuration_is_changed_there() {
    let receiver = Receiver::start().await;
    let gateway = Setup::stripe().endpoint("crm", &receiver, &["*"]).start().await;
    let endpoints = gateway.ask("/v1/endpoints").await.json();
    let place = format!("/endpoints/{}", text(&endpoints["items"][0]["id"]));

    let page = gateway.person().open(&place).await;
    page.says("Changed in the configuration");
    assert!(page.offers(&format!("{place}/pause")));
    for verb in ["edit", "rotate", "delete"] {
        assert!(!page.links().contains(&format!("{place}/{verb}")), "{verb}");
    }
}

#[tokio::test]
async fn a_tenant_sees_its_own_endpoints_and_no_other() {
    let receiver = Receiver::start().await;
    let gateway = start().await;
    let place = made(&gateway, &receiver).await;
    let ops = token(&gateway, None, &json!({ "name": "ops", "scopes": ["admin"] })).await;
    let body = json!({ "name": "acme", "scopes": ["read", "write"], "tenant": "acme" });
    let acme = token(&gateway, Some(&ops), &body).await;

    let person = gateway.signed_in(&acme).await;
    person.open("/endpoints").await.says("No endpoints");
    assert_eq!(person.open(&place).await.status, 404);
    assert_eq!(person.open(&format!("{place}/delete")).await.status, 404);
    person.open("/endpoints?name=none").await.says("None has all of this.");
    gateway.signed_in(&ops).await.open("/endpoints").await.says("crm");
}

/// Guards that a form with something wrong in it comes back with what was written, but for secrets.
#[tokio::test]
async fn a_new_endpoint_gets_a_test_delivery() {
    let receiver = Receiver::start().await;
    let gateway = start().await;
    let person = gateway.person();
    let form = person.open("/endpoints/new").await;
    let credential = [("credential", "bearer"), ("credential_value", "planted-sesame")];
    let mut fields = vec![("name", "crm"), ("url", "nowhere")];
    fields.extend(credential);
    let wrong = person.submit(&form, "/endpoints/new", &fields).await;
    assert_eq!(wrong.status, 422, "{}", wrong.text());
    assert!(wrong.html.contains("value=\"crm\"") && wrong.html.contains("aria-invalid=\"true\""));
    assert!(!wrong.html.contains("planted-sesame"), "{}", wrong.html);

    fields[1] = ("url", receiver.url());
    fields.push(("headers", "x-a: 1\r\nx-b: 2"));
    let page = person.submit(&wrong, "/endpoints/new", &fields).await;
    page.says("The endpoint is there. Keep its secret").says("A ping is on its way.");
    page.says("bearer token").says("x-a: 1, x-b: 2");
    assert!(!page.html.contains("planted-sesame"), "{}", page.html);
    let arrived = receiver.arrived(1).await;
    assert_eq!(arrived[0].text("type"), "hookgate.ping");
    assert_eq!(arrived[0].header("authorization"), "Bearer planted-sesame");
}

/// Guards the revision that goes with the form, and that only what was changed is.
#[tokio::test]
async fn an_endpoint_is_edited_by_who_has_seen_it_as_it_is() {
    let receiver = Receiver::start().await;
    let gateway = start().await;
    let place = made(&gateway, &receiver).await;
    let edit = format!("{place}/edit");
    let before = gateway.ask(&format!("/v1{place}")).await.json();

    let person = gateway.person();
    let form = person.open(&edit).await;
    person.submit(&form, &edit, &[]).await.says("Nothing has changed.");
    person.submit(&form, &edit, &[("timeout", "20s")]).await.says("Saved.");
    let mut after = gateway.ask(&format!("/v1{place}")).await.json();
    assert_eq!(after["timeout"], "20s");
    assert_ne!(after["revision"], before["revision"]);
    for changed in ["timeout", "revision", "updated_at"] {
        after[changed] = before[changed].clone();
    }
    assert_eq!(after, before);

    let late = person.submit(&form, &edit, &[("timeout", "30s")]).await;
    assert!(late.text().contains("Changed meanwhile"), "{}", late.text());
    assert_eq!(gateway.ask(&format!("/v1{place}")).await.json()["timeout"], "20s");
    person.submit(&late, &edit, &[("timeout", "30s")]).await.says("Saved.");
}
