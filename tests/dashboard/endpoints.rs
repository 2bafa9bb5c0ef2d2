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
    let found = page.links().into_iter().find(|link| link.starts_with("/endpoints/ep_"));
    assert_eq!(found, None, "the page is that of the endpoint");
    let listed = person.open("/endpoints").await;
    let place = listed.links().into_iter().find(|link| link.starts_with("/endpoints/ep_")).unwrap();

    let pause = format!("{place}/pause");
    let own = person.open(&place).await;
    person.submit(&own, &pause, &[]).await.says("Paused.");
    let reader = gateway.signed_in(&look).await;
    assert!(!reader.open(&place).await.offers(&format!("{place}/resume")));
    assert!(!reader.open("/endpoints").await.links().contains(&"/endpoints/new".to_owned()));
}
