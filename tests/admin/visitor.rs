//! Who asks at the operators' port: a program of the operator, or a page in the operator's browser.

use super::*;

/// What the operators' port answers to a request with these headers.
async fn asked_with(gateway: &Harness, method: &str, path: &str, headers: &[(&str, &str)]) -> u16 {
    let method = method.parse().unwrap();
    let mut request = gateway.client().request(method, format!("{}{path}", gateway.admin()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap().status().as_u16()
}

/// A header that a request has, and its value.
type Field<'a> = (&'a str, &'a str);

const JSON: Field<'static> = ("content-type", "application/json");

/// Checks the status with which the operators' port answers each of these requests: a method, a
/// path, headers.
async fn check_answers(gateway: &Harness, status: u16, requests: &[(&str, &str, &[Field<'_>])]) {
    for (method, path, headers) in requests {
        let answered = asked_with(gateway, method, path, headers).await;
        assert_eq!(answered, status, "{method} {path} {headers:?}");
    }
}

/// A name that somebody has pointed at this address.
#[tokio::test]
async fn a_page_under_a_foreign_name_can_neither_read_nor_replay() {
    let gateway = Setup::stripe().start().await;

    let requests: [(&str, &str, &[Field<'_>]); 4] = [
        ("GET", "/v1/events", &[("host", "evil.example")]),
        ("GET", "/v1/events", &[("host", "evil.example:80")]),
        ("GET", "/metrics", &[("host", "127.0.0.1.evil.example")]),
        ("POST", "/v1/replay", &[("host", "evil.example"), JSON]),
    ];

    check_answers(&gateway, 421, &requests).await;
}

/// What a browser says of a page elsewhere.
#[tokio::test]
async fn a_page_of_another_site_can_neither_read_nor_replay() {
    let gateway = Setup::stripe().start().await;

    let requests: [(&str, &str, &[Field<'_>]); 5] = [
        ("POST", "/v1/replay", &[("origin", "https://evil.example"), JSON]),
        ("POST", "/v1/reload", &[("origin", "null")]),
        ("GET", "/v1/settled", &[("sec-fetch-site", "cross-site")]),
        ("GET", "/v1/events", &[("sec-fetch-site", "same-site")]),
        ("POST", "/v1/reload", &[("origin", "http://127.0.0.1:1")]),
    ];

    check_answers(&gateway, 403, &requests).await;
}

/// What a browser sends for any page without asking this port first.
#[tokio::test]
async fn a_form_can_neither_replay_nor_reload() {
    let gateway = Setup::stripe().start().await;

    let requests: [(&str, &str, &[Field<'_>]); 3] = [
        ("POST", "/v1/replay", &[("content-type", "text/plain")]),
        ("POST", "/v1/reload", &[("content-type", "application/x-www-form-urlencoded")]),
        ("POST", "/v1/reload", &[("content-type", "multipart/form-data; boundary=a")]),
    ];

    check_answers(&gateway, 415, &requests).await;
}

/// The content type is asked for by the operation, and there is none. Guards that `content_type` is
/// asked behind the router.
#[tokio::test]
async fn a_method_or_a_path_that_is_not_there_is_said_to_be_so_whatever_the_body_is() {
    let gateway = Setup::stripe().start().await;
    let form = [("content-type", "application/x-www-form-urlencoded")];

    let requests: [(&str, &str, &[Field<'_>]); 3] = [
        ("PATCH", "/v1/rehearsals", &form),
        ("POST", "/v1/events", &form),
        ("PATCH", "/v1/endpoints/a/stats", &form),
    ];
    check_answers(&gateway, 405, &requests).await;

    check_answers(&gateway, 404, &[("POST", "/v1/nothing", &form)]).await;
}

#[tokio::test]
async fn programs_and_a_page_of_the_operators_port_are_answered() {
    let gateway = Setup::stripe().start().await;
    let own = gateway.admin();

    let requests: [(&str, &str, &[Field<'_>]); 6] = [
        ("GET", "/v1/events", &[("sec-fetch-site", "none")]),
        ("GET", "/v1/events", &[("sec-fetch-site", "same-origin"), ("origin", own)]),
        ("GET", "/v1/events", &[("host", "localhost:8081")]),
        ("POST", "/v1/reload", &[]),
        ("POST", "/v1/reload", &[JSON]),
        ("GET", "/healthz", &[("host", "gateway.internal")]),
    ];

    check_answers(&gateway, 200, &requests).await;
}

#[tokio::test]
async fn a_name_that_the_operator_has_configured_is_answered() {
    let gateway = Setup::stripe().start().await;
    let host = [("host", "ops.internal:8081")];
    assert_eq!(asked_with(&gateway, "GET", "/metrics", &host).await, 421);

    gateway.rewrite_config(|text| format!("admin_hosts = [\"ops.internal\"]\n{text}"));
    gateway.reload().await;

    assert_eq!(asked_with(&gateway, "GET", "/metrics", &host).await, 200);
}
