//! The audit log, settings and tokens; signing in and out.

use super::*;

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
    person.open("/settings").await.says("Configuration");

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
