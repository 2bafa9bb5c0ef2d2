//! Coinbase Commerce's requests, proven and parsed.

use hookgate_coinbase_commerce::CoinbaseCommerce;
use hookgate_sdk::testing::send;
use hookgate_sdk::{Provider, Request, provider_tests};

const SECRET: &str = "7b0c1d2e-hookgate-lantern";

provider_tests!(CoinbaseCommerce, |suite| suite.with_payloads(|name, payload| match name {
    // The event alone, as the API gives it.
    "event" => payload.replacen(r#""data""#, r#""event""#, 1),
    _ => payload,
}));

#[test]
fn an_event_says_whose_it_is_how_real_and_for_which_order() {
    let body = r#"{"attempt_number":2,"event":{"id":"e1","type":"charge:confirmed",
        "api_version":"2018-03-22","data":{"code":"HG1","organization_name":"Lanterns",
        "metadata":{"customer_id":"c7","order_id":"L-1001"}}}}"#;
    let request = Request::post("/in/coinbase-commerce", body);
    let event = send::<CoinbaseCommerce>(&request, SECRET, 0).remove(0);
    for (name, value) in [("account", "Lanterns"), ("reference", "L-1001")] {
        assert_eq!(event.label(name), Some(value), "{name}");
    }
    assert!(event.data.contains(r#""envelope":{"api_version":"2018-03-22"}"#), "{}", event.data);
}

#[test]
fn an_amount_that_cant_be_read_gives_way_to_no_other() {
    let body = r#"{"event":{"id":"e","type":"charge:confirmed","data":{"code":"H",
        "pricing":{"local":{"amount":"1,5","currency":"EUR"}},
        "payments":[{"value":{"local":{"amount":"9.00","currency":"EUR"}}}]}}}"#;
    assert_eq!(CoinbaseCommerce::parse(&Request::post("/", body)).unwrap()[0].money, None);
}
