//! `hookgate status`, as an operator looks at a gateway.

use serde_json::{Value, json};

use super::delivery::run;
use crate::harness::{Setup, payment};

#[tokio::test]
async fn a_gateway_is_shown_at_a_glance_with_what_somebody_should_look_at() {
    let gateway = Setup::stripe().start().await;
    gateway.stripe(&payment("evt_1", "pi_1", "payment_failed")).await.accepted();
    gateway.settle().await;
    let well = run(&gateway, &["status"]).await;
    assert!(well.line("gateway").contains(", store healthy"), "{}", well.out);
    assert!(well.line("waiting").starts_with("waiting   0 "), "{}", well.out);
    assert!(!well.out.contains("attention"), "{}", well.out);

    for number in 0..12 {
        let event = payment(&format!("evt_forged_{number}"), "pi_1", "payment_failed");
        assert_eq!(gateway.stripe_with("whsec_guessed", &event).await.status, 401);
    }
    std::fs::remove_file(gateway.folder().join("plugins/stripe.wasm")).unwrap();
    gateway.reload().await;
    let shown = run(&gateway, &["status"]).await;
    shown.line("source   stripe   plugin stripe is not loaded");
    shown.line("source   stripe   12 refused in 10 min, most because: ");

    let said = run(&gateway, &["status", "--span", "day", "--json"]).await;
    let said: Value = serde_json::from_str(said.succeeded()).unwrap();
    let total = &said["total"];
    assert_eq!((&said["span"], &total["accepted"]), (&json!("day"), &json!(1)), "{said}");
    assert_eq!(total["refused"], 12, "{said}");
    let first = json!({
        "kind": "source", "name": "stripe", "text": "plugin stripe is not loaded",
    });
    assert_eq!(said["attention"][0], first, "{said}");
    assert_eq!(said["reasons"][0]["name"], "plugin_missing", "{said}");
}
