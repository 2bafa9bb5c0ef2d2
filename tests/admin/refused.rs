//! What a source has refused, so that an operator can see why a genuine provider gets 401.

use super::*;

async fn refused(gateway: &Harness, source: &str) -> Vec<Value> {
    let answer = gateway.ask(&format!("/v1/sources/{source}/refused")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["items"].as_array().cloned().unwrap_or_default()
}

#[tokio::test]
async fn a_refused_request_is_shown_with_its_reason_and_without_credentials() {
    let gateway = Setup::stripe().start().await;
    gateway.stripe(&payment("evt_1", "pi_1", "succeeded")).await.accepted();
    assert_eq!(refused(&gateway, "stripe").await, Vec::<Value>::new(), "it was accepted");

    let body = payment("evt_2", "pi_2", "succeeded");
    let forged = [("stripe-signature", "t=1,v1=00"), ("authorization", "Basic c2VjcmV0")];
    assert_eq!(gateway.post("stripe?token=abc&page=1", &forged, body.clone()).await.status, 401);
    let leaked = format!("{{\"leaked\": \"{STRIPE_SECRET}\"}}");
    assert_eq!(gateway.post("stripe", &[], leaked).await.status, 401);

    let listed = refused(&gateway, "stripe").await;
    assert_eq!(listed.len(), 2, "{listed:#?}");
    let [newest, oldest] = [&listed[0], &listed[1]];
    assert_eq!(newest["body"], "{\"leaked\": \"(hidden)\"}");
    assert_eq!((&oldest["status"], &oldest["method"]), (&json!(401), &json!("POST")));
    assert_eq!((&oldest["body"], &oldest["body_bytes"]), (&json!(body), &json!(body.len())));
    assert_eq!(oldest["url"], "/in/stripe?token=(hidden)&page=1");
    assert_eq!((&oldest["at"], &oldest["peer"]), (&json!(NOW.to_string()), &json!("127.0.0.1")));
    assert!(!text(&oldest["reason"]).is_empty(), "{oldest}");
    let headers = oldest["headers"].as_array().unwrap();
    assert!(headers.contains(&json!(["stripe-signature", "t=1,v1=00"])), "{headers:?}");
    assert!(headers.contains(&json!(["authorization", "(hidden)"])), "{headers:?}");
}

#[tokio::test]
async fn the_last_hundred_are_kept_with_the_beginning_of_each_body() {
    let gateway = Setup::stripe().start().await;
    for number in 0..105 {
        let body = format!("{number} {}", "x".repeat(10_000));
        gateway.post("stripe", &[], body).await;
    }
    let large = "x".repeat(2 << 20);
    let too_large = gateway.post("stripe", &[], large).await;

    let listed = refused(&gateway, "stripe").await;
    assert_eq!(listed.len(), 100);
    let begins = |request: &Value| text(&request["body"]).split(' ').next().map(str::to_owned);
    assert_eq!(too_large.status, 413);
    assert_eq!((&listed[0]["status"], &listed[0]["body"]), (&json!(413), &Value::Null));
    assert_eq!(listed[0]["body_bytes"], Value::Null, "it was not read");
    assert_eq!(begins(&listed[1]), Some("104".to_owned()));
    assert_eq!(begins(&listed[99]), Some("6".to_owned()));
    assert_eq!(text(&listed[1]["body"]).len(), 4096);
}

#[tokio::test]
async fn a_source_that_there_is_not_has_refused_nothing() {
    let gateway = Setup::stripe().start().await;
    gateway.post("nobody", &[], "{}").await;

    check_refused(&gateway.ask("/v1/sources/nobody/refused").await, 404, "no source `nobody`");
    check_refused(&gateway.ask("/v1/sources/No/refused").await, 400, "is not a name");
    assert_eq!(refused(&gateway, "stripe").await, Vec::<Value>::new());
}
