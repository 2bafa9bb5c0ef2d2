//! The audit log, settings and tokens; signing in and out.

use super::*;
use crate::harness::Page;

/// Guards that a session is judged by its token each time.
#[tokio::test]
async fn to_revoke_a_token_ends_its_sessions_at_once() {
    let gateway = Setup::stripe().start().await;
    let ops = token(&gateway, None, &json!({ "name": "ops", "scopes": ["admin"] })).await;
    let body = json!({ "name": "other", "scopes": ["admin"] });
    let other = token(&gateway, Some(&ops), &body).await;
    let person = gateway.signed_in(&other).await;
    person.open("/settings/tokens").await.says("other").says("ops");
    person.open("/audit").await.says("/v1/tokens");
    person.open("/settings").await.says("token other");

    let delete = gateway.client().delete(format!("{}/v1/tokens/other", gateway.admin()));
    let revoked = answer(delete.header("authorization", format!("Bearer {ops}"))).await;
    assert_eq!(revoked.status, 200, "{}", revoked.body);

    person.open("/settings").await.says("Sign in");
}

/// Guards the check of `hookgate-form` at the gate, for whoever has only the cookie.
#[tokio::test]
async fn a_session_reads_by_its_cookie_and_changes_nothing_by_it_alone() {
    let gateway = Setup::stripe().start().await;
    let ops = token(&gateway, None, &json!({ "name": "ops", "scopes": ["admin"] })).await;
    let begin = gateway.client().post(format!("{}/v1/session", gateway.admin()));
    let begun = answer(begin.header("authorization", format!("Bearer {ops}"))).await;
    let set = begun.headers["set-cookie"].to_str().unwrap().to_owned();
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Strict"), "{set}");
    let cookie = set.split(';').next().unwrap();
    let form = text(&begun.json()["form"]);

    let get = gateway.client().get(format!("{}/v1/plugins", gateway.admin()));
    assert_eq!(answer(get.header("cookie", cookie)).await.status, 200);
    for (form, status) in [(None, 403), (Some("wrong"), 403), (Some(&*form), 200)] {
        let post = gateway.client().post(format!("{}/v1/reload", gateway.admin()));
        let post = post.header("cookie", cookie);
        let post = match form {
            Some(form) => post.header("hookgate-form", form),
            None => post,
        };
        assert_eq!(answer(post).await.status, status, "{form:?}");
    }
}

/// The token in a page that shows one.
fn shown_token(page: &Page) -> String {
    let shown = page.html.split("value=\"").find(|part| part.starts_with("hgt_"));
    shown.and_then(|part| part.split('"').next()).unwrap().to_owned()
}

/// Guards that whoever makes the first token sees it, though they may ask for no page without it.
#[tokio::test]
async fn the_first_token_is_shown_to_whoever_made_it() {
    let gateway = Setup::stripe().start().await;
    let stranger = gateway.person();
    stranger.open("/settings/tokens").await.says("Make the first token");
    let form = stranger.open("/settings/tokens/new").await;
    form.says("It is the first token.");
    let fields = [("name", "ops"), ("scope", "admin")];
    let made = stranger.submit(&form, "/settings/tokens/new", &fields).await;
    made.says("nobody can get it again");
    stranger.open("/settings/tokens").await.says("A token of the admin port.");

    let person = gateway.signed_in(&shown_token(&made)).await;
    person.open("/settings/tokens").await.says("ops (yours) admin").says("never");
    let last = person.open("/settings/tokens/ops/revoke").await;
    last.says("It is the only token.").says("You are signed in with it.");
}

#[tokio::test]
async fn a_token_is_made_with_what_the_form_says_and_revoked() {
    let gateway = Setup::stripe().start().await;
    let ops = token(&gateway, None, &json!({ "name": "ops", "scopes": ["admin"] })).await;
    let person = gateway.signed_in(&ops).await;
    let form = person.open("/settings/tokens/new").await;
    assert!(!form.text().contains("It is the first token."));
    form.says("write : change endpoints and canaries, send samples, discard deliveries");

    let wrong = [("name", "C I"), ("scope", "read"), ("tenant", "acme")];
    let refused = person.submit(&form, "/settings/tokens/new", &wrong).await;
    assert_eq!(refused.status, 422, "{}", refused.text());
    assert!(refused.html.contains("value=\"C I\"") && refused.html.contains("value=\"acme\""));
    assert!(refused.html.contains("value=\"read\" checked"), "{}", refused.html);

    let fields = [("name", "ci"), ("scope", "read"), ("scope", "replay"), ("days", "7")];
    let made = person.submit(&form, "/settings/tokens/new", &fields).await;
    made.says("The token is made.").says("read, replay").says("in 7 days");
    let ci = gateway.signed_in(&shown_token(&made)).await;
    assert_eq!(ci.open("/settings/tokens").await.status, 403);

    let confirm = person.open("/settings/tokens/ci/revoke").await;
    confirm.says("Scopes read, replay");
    let revoked = person.submit(&confirm, "/settings/tokens/ci/revoke", &[]).await;
    revoked.says("Revoked.");
    assert!(!revoked.links().contains(&"/settings/tokens/ci/revoke".to_owned()));
    ci.open("/").await.says("A token of the admin port.");
}

#[tokio::test]
async fn the_audit_log_is_read_from_either_end_with_what_changed() {
    let gateway = Setup::stripe().start().await;
    let ops = token(&gateway, None, &json!({ "name": "ops", "scopes": ["admin"] })).await;
    token(&gateway, Some(&ops), &json!({ "name": "later", "scopes": ["read"] })).await;
    let person = gateway.signed_in(&ops).await;
    let after = |text: &str, first: &str, second: &str| {
        text.find(first).zip(text.find(second)).is_some_and(|(first, second)| first < second)
    };
    let newest = person.open("/audit").await;
    newest.says("token ops").says("this machine").says("After").says("Hash before");
    let oldest = person.open("/audit?order=oldest").await;
    assert!(after(&newest.text(), "later", "this machine"), "{}", newest.text());
    assert!(after(&oldest.text(), "this machine", "later"), "{}", oldest.text());
}

#[tokio::test]
async fn the_settings_show_what_the_gateway_runs_with_and_no_secret() {
    let gateway = Setup::stripe().start().await;
    let page = gateway.person().open("/settings").await;
    page.says("Retention").says("Limits").says("body_bytes").says("free; below").says("stripe");
    assert!(!page.html.contains("whsec_"), "{}", page.html);
}

/// Guards the filters of the page, which keeps them from one order to the other.
#[tokio::test]
async fn the_audit_log_is_searched_by_who_did_what_and_when() {
    let gateway = start().await;
    let ops = token(&gateway, None, &json!({ "name": "ops", "scopes": ["admin"] })).await;
    let look = json!({ "name": "look", "scopes": ["read"] });
    token(&gateway, Some(&ops), &look).await;
    let person = gateway.signed_in(&ops).await;
    let entries = |page: &Page| page.html.matches("POST /v1/tokens").count();

    let of_ops = person.open("/audit?actor=token+ops&operation=%2Fv1%2Ftokens").await;
    of_ops.says("token ops from");
    assert_eq!(entries(&of_ops), 1, "{}", of_ops.html);
    let oldest = of_ops.links().into_iter().find(|link| link.contains("order=oldest")).unwrap();
    assert_eq!(entries(&person.open(&oldest).await), 1, "{oldest}");
    assert_eq!(entries(&person.open("/audit?operation=%2Fv1%2Ftokens").await), 2);
    person.open("/audit?until=2020-01-01T00:00").await.says("None has all of this.");
    let wrong = person.open("/audit?since=yesterday").await;
    assert_eq!(wrong.status, 400, "{}", wrong.html);
    assert!(wrong.text().contains("must be a time"), "{}", wrong.text());
}
