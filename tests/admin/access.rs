//! Who is let in at the admin port: tokens, and what they may do.
//!
//! Each attack is a line of a table, with the answer that it gets.

use hookgate::token::Scope;

use super::*;
use crate::harness::answer;

/// A request and what it is answered: a method, a path, headers, the status.
type Attack<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], u16);

const JSON: (&str, &str) = ("content-type", "application/json");

/// Sends each of these, and checks how it is answered.
async fn check_answers(gateway: &Harness, attacks: &[Attack<'_>]) {
    for (method, path, headers, status) in attacks {
        let method = method.parse().expect("a method");
        let mut request = gateway.client().request(method, format!("{}{path}", gateway.admin()));
        for (name, value) in *headers {
            request = request.header(*name, *value);
        }
        let answered = answer(request).await;
        assert_eq!(answered.status, *status, "{path} {headers:?}: {}", answered.body);
    }
}

/// Makes a token as whoever has this one, and gives what is sent with it.
async fn make(gateway: &Harness, by: Option<&str>, body: &Value) -> String {
    let mut post = gateway.client().post(format!("{}/v1/tokens", gateway.admin())).json(body);
    if let Some(by) = by {
        post = post.header("authorization", by);
    }
    let made = answer(post).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(made.headers["cache-control"], "no-store");
    let token = text(&made.json()["token"]);
    assert!(token.starts_with("hgt_") && token.len() == 47, "{token}");
    format!("Bearer {token}")
}

async fn get(gateway: &Harness, path: &str, by: &str) -> Answer {
    let get = gateway.client().get(format!("{}{path}", gateway.admin()));
    answer(get.header("authorization", by)).await
}

/// What a page in the operator's browser can do while the port asks for no token: nothing.
#[tokio::test]
async fn without_a_token_no_page_reaches_the_admin_port() {
    let gateway = Setup::stripe().start().await;

    let attacks: &[Attack<'_>] = &[
        // A name that was pointed at this machine.
        ("GET", "/v1/events", &[("host", "rebound.example:8081")], 421),
        ("POST", "/v1/tokens", &[("host", "rebound.example:8081"), JSON], 421),
        // An address of this machine that others reach too.
        ("GET", "/v1/events", &[("host", "192.168.1.7:8081")], 421),
        ("GET", "/v1/events", &[("host", "[2001:db8::1]:8081")], 421),
        // A simple POST, which a browser sends without asking first.
        ("POST", "/v1/reload", &[("content-type", "text/plain")], 415),
        ("POST", "/v1/tokens", &[("content-type", "application/x-www-form-urlencoded")], 415),
        ("POST", "/v1/replay", &[("origin", "https://evil.example"), JSON], 403),
        ("DELETE", "/v1/tokens/ci", &[("origin", "https://evil.example")], 403),
        ("GET", "/v1/events", &[("sec-fetch-site", "cross-site")], 403),
        ("GET", "/metrics", &[("sec-fetch-site", "same-site")], 403),
        // What a program of the operator sends.
        ("GET", "/v1/events", &[], 200),
        ("GET", "/v1/events", &[("host", "localhost:8081")], 200),
        ("GET", "/v1/events", &[("host", "[::1]:8081")], 200),
    ];
    check_answers(&gateway, attacks).await;
    // A probe sends the address of the pod.
    let probes: &[Attack<'_>] = &[
        ("GET", "/healthz", &[("host", "10.1.2.3:8081")], 200),
        ("GET", "/readyz", &[("host", "10.1.2.3:8081")], 200),
    ];
    check_answers(&gateway, probes).await;
}

#[tokio::test]
async fn with_a_token_nobody_is_let_in_without_one_that_is_good_for_it() {
    let gateway = Setup::stripe().start().await;
    let admin = make(&gateway, None, &json!({ "name": "ops", "scopes": ["admin"] })).await;
    let reading = json!({ "name": "ci", "scopes": ["read"] });
    let read = make(&gateway, Some(&admin), &reading).await;
    let expires_at = (gateway.clock().now().after(Duration::from_secs(60))).to_string();
    let short = json!({ "name": "short", "scopes": ["read"], "expires_at": expires_at });
    let short = make(&gateway, Some(&admin), &short).await;
    let gone = make(&gateway, Some(&admin), &json!({ "name": "gone", "scopes": ["admin"] })).await;
    let [admin, read, short, gone] = [&admin, &read, &short, &gone].map(String::as_str);
    let almost = &read[..read.len() - 1];
    check_answers(
        &gateway,
        &[
            ("GET", "/v1/events", &[("authorization", short)], 200),
            ("GET", "/v1/tokens", &[("authorization", gone)], 200),
            ("DELETE", "/v1/tokens/gone", &[("authorization", admin)], 200),
        ],
    )
    .await;
    gateway.clock().advance(Duration::from_secs(60));

    let attacks: &[Attack<'_>] = &[
        // None, a wrong one, one that was good.
        ("GET", "/v1/events", &[], 401),
        ("GET", "/metrics", &[], 401),
        ("POST", "/v1/tokens", &[JSON], 401),
        ("GET", "/v1/events", &[("authorization", almost)], 401),
        ("GET", "/v1/events", &[("authorization", "Basic Y2k6Y2k=")], 401),
        ("GET", "/v1/events", &[("authorization", read), ("authorization", read)], 401),
        ("GET", "/v1/events", &[("authorization", short)], 401),
        ("GET", "/v1/tokens", &[("authorization", gone)], 401),
        // One that may do something else.
        ("POST", "/v1/reload", &[("authorization", read)], 403),
        ("POST", "/v1/replay", &[("authorization", read), JSON], 403),
        ("GET", "/v1/tokens", &[("authorization", read)], 403),
        ("POST", "/v1/tokens", &[("authorization", read), JSON], 403),
        ("DELETE", "/v1/tokens/ops", &[("authorization", read)], 403),
        // A good one does not help a page of another site.
        ("GET", "/v1/events", &[("authorization", read), ("origin", "https://e.example")], 403),
        // What it is for.
        ("GET", "/v1/events", &[("authorization", read)], 200),
        ("GET", "/v1/events", &[("authorization", read), ("host", "10.1.2.3:8081")], 200),
        ("GET", "/metrics", &[("authorization", read)], 200),
        ("POST", "/v1/reload", &[("authorization", admin)], 200),
        ("GET", "/healthz", &[("host", "10.1.2.3:8081")], 200),
        ("GET", "/readyz", &[], 200),
    ];
    check_answers(&gateway, attacks).await;
    let metrics = get(&gateway, "/metrics", read).await.body;
    for reason in ["no_token", "unknown_token", "expired_token", "scope"] {
        let counted = format!("hookgate_admin_refusals_total{{reason=\"{reason}\"}}");
        assert!(metrics.contains(&counted), "{reason}: {metrics}");
    }
}

#[tokio::test]
async fn a_token_is_shown_once_and_listed_without_it() {
    let gateway = Setup::stripe().start().await;
    let body = json!({ "name": "ops", "scopes": ["admin", "read"] });
    let by = make(&gateway, None, &body).await;
    let theirs = json!({ "name": "theirs", "scopes": ["read"], "tenant": "acme" });
    make(&gateway, Some(&by), &theirs).await;

    let listed = get(&gateway, "/v1/tokens", &by).await;

    assert!(!listed.body.contains("hgt_"), "{}", listed.body);
    let token = listed.json()["tokens"][0].clone();
    assert_eq!(token["name"], "ops");
    assert_eq!(listed.json()["tokens"][1]["tenant"], "acme");
    assert_eq!(token["scopes"], json!([Scope::Read, Scope::Admin]));
    assert_eq!(token["last_used_at"], gateway.clock().now().to_string());
    let again = gateway.client().post(format!("{}/v1/tokens", gateway.admin()));
    let again = answer(again.header("authorization", by).json(&body)).await;
    assert_eq!(again.status, 409, "{}", again.body);
}

#[tokio::test]
async fn tokens_outlive_the_gateway_and_the_last_one_leaves_the_port_closed() {
    let gateway = Setup::stripe().start().await;
    let by = make(&gateway, None, &json!({ "name": "ops", "scopes": ["admin"] })).await;

    let (by, gateway) = (by.as_str(), gateway.restart().await);

    let revoke = gateway.client().delete(format!("{}/v1/tokens/ops", gateway.admin()));
    assert_eq!(answer(revoke.header("authorization", by)).await.status, 200);
    let attacks: &[Attack<'_>] = &[
        ("GET", "/v1/events", &[("authorization", by)], 401),
        ("GET", "/v1/events", &[], 401),
        ("POST", "/v1/tokens", &[JSON], 401),
    ];
    check_answers(&gateway, attacks).await;
    let gateway = gateway.restart().await;
    check_answers(&gateway, attacks).await;
}

#[tokio::test]
async fn a_token_of_the_configuration_is_good_until_it_is_gone_from_there() {
    const TOKEN: &str = "an operator wrote this token by hand";
    const OTHER: &str = "and this one is there for good, too";
    let table = |name: &str, token: &str| {
        format!("[tokens.{name}]\nscopes = [\"admin\"]\nsecrets = [{{ value = \"{token}\" }}]")
    };
    let [ops, other] = [table("ops", TOKEN), table("other", OTHER)];
    let gateway = Setup::stripe().table(&ops).table(&other).start().await;
    let by = &*format!("Bearer {TOKEN}");
    let kept: &[Attack<'_>] = &[
        ("GET", "/v1/events", &[("authorization", by)], 200),
        ("GET", "/v1/events", &[], 401),
        ("DELETE", "/v1/tokens/ops", &[("authorization", by)], 409),
    ];
    check_answers(&gateway, kept).await;

    gateway.rewrite_config(|text| text.replace(&ops, ""));
    let reload = gateway.client().post(format!("{}/v1/reload", gateway.admin()));
    let reload = reload.header("authorization", format!("Bearer {OTHER}"));
    assert_eq!(answer(reload).await.status, 200);

    let attacks: &[Attack<'_>] =
        &[("GET", "/v1/events", &[("authorization", by)], 401), ("GET", "/v1/events", &[], 401)];
    check_answers(&gateway, attacks).await;
}

#[tokio::test]
async fn metrics_that_are_configured_open_need_no_token() {
    let gateway = Setup::stripe().start().await;
    make(&gateway, None, &json!({ "name": "ci", "scopes": ["read"] })).await;
    check_answers(&gateway, &[("GET", "/metrics", &[], 401)]).await;
    let stopped = gateway.stop().await;
    let path = stopped.folder().join("hookgate.toml");
    let config = std::fs::read_to_string(&path).expect("it is there");
    std::fs::write(&path, format!("metrics = \"open\"\n{config}")).expect("it can be written");

    let gateway = stopped.start().await;

    check_answers(&gateway, &[("GET", "/metrics", &[], 200), ("GET", "/v1/dead", &[], 401)]).await;
}
