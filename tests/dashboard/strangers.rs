//! Who is kept out: pages of other sites, other names of the port, and cookies of earlier sessions.

use super::*;

/// Guards that the API judges where a request comes from, also where it has no page.
#[tokio::test]
async fn no_page_of_another_site_or_name_reads_a_page() {
    let gateway = Setup::stripe().start().await;
    let (name, page) = (("host", "evil.example"), ("sec-fetch-site", "cross-site"));
    let origin = ("origin", "https://evil.example");
    for (path, (header, value), status) in [
        ("/events", name, 421),
        ("/sign-in", name, 421),
        ("/nothing", name, 421),
        ("/", page, 403),
        ("/events", origin, 403),
    ] {
        let get = gateway.client().get(format!("{}{path}", gateway.admin()));
        let answered = answer(get.header("accept", "text/html").header(header, value)).await;
        assert_eq!(answered.status, status, "{path} {header}");
        assert!(!answered.body.contains("/sign-out") && !answered.body.contains("stripe"));
    }
}

/// Guards that the form to sign in is judged like any other: a page of another site would sign
/// somebody in with a token of its own.
#[tokio::test]
async fn no_page_of_another_site_signs_somebody_in() {
    let gateway = Setup::stripe().start().await;
    let ops = token(&gateway, None, &json!({ "name": "ops", "scopes": ["admin"] })).await;
    for (header, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "same-site"),
        ("sec-fetch-site", "cross-site"),
    ] {
        let post = gateway.client().post(format!("{}/sign-in", gateway.admin()));
        let post = post.header("content-type", "application/x-www-form-urlencoded");
        let answered = answer(post.header(header, value).body(format!("token={ops}"))).await;
        assert_eq!(answered.status, 403, "{header}: {value}");
        assert!(!answered.headers.contains_key("set-cookie"));
        assert!(!answered.body.contains(&ops), "a token is shown to nobody");
    }
}

/// Guards the end of the earlier session in `session::begin`.
#[tokio::test]
async fn whoever_signs_in_again_leaves_no_session_behind() {
    let gateway = Setup::stripe().start().await;
    let ops = token(&gateway, None, &json!({ "name": "ops", "scopes": ["admin"] })).await;
    let begin = async |cookie: &str| {
        let post = gateway.client().post(format!("{}/v1/session", gateway.admin()));
        let post = post.header("authorization", format!("Bearer {ops}"));
        let begun = answer(post.header("cookie", cookie)).await;
        let set = begun.headers["set-cookie"].to_str().unwrap();
        set.split(';').next().unwrap().to_owned()
    };
    let status = async |cookie: &str| {
        let get = gateway.client().get(format!("{}/v1/plugins", gateway.admin()));
        answer(get.header("cookie", cookie)).await.status
    };
    let first = begin("a=b").await;
    assert_eq!(status(&first).await, 200);
    let second = begin(&first).await;
    assert_eq!((status(&first).await, status(&second).await), (401, 200));
    assert_eq!(status(&format!("{first}; {second}")).await, 200, "one of them is good");
    let third = begin("a=b").await;
    assert_eq!(status(&format!("{third}; {second}")).await, 401, "both are good");
}
