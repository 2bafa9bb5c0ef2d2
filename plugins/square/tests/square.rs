//! Square's requests, proven and parsed.

use hookgate_sdk::testing::{Bench, send};
use hookgate_sdk::{Provider, Request, provider_tests};
use hookgate_square::Square;

const SECRET: &str = "hookgate-square-lantern";

provider_tests!(Square);

#[test]
fn the_url_must_be_what_square_knows() {
    let check = |settings: &str| Bench::new().with_settings(settings).check_provider::<Square>();
    assert_eq!(check(include_str!("../settings.json")), Ok(()));
    for settings in ["{}", r#"{"url":""}"#, r#"{"url":"/in/square"}"#, r#"{"uri":"https://a.b"}"#] {
        assert!(check(settings).is_err(), "{settings}");
    }
}

#[test]
fn an_event_says_whose_it_is_how_real_and_for_which_order() {
    let body = r#"{"merchant_id":"M1","location_id":"LO1","type":"payment.updated",
        "event_id":"e1","data":{"type":"payment","id":"P1","object":{"payment":{"id":"P1",
        "status":"COMPLETED","reference_id":"L-1001"}}}}"#;
    let mut request = Request::post("/in/square", body);
    request.set_header("square-environment", "Sandbox");
    let bench = Bench::new().with_settings(include_str!("../settings.json"));
    let event = bench.call(|| send::<Square>(&request, SECRET, 0)).remove(0);
    for (name, value) in [("account", "M1"), ("livemode", "false"), ("reference", "L-1001")] {
        assert_eq!(event.label(name), Some(value), "{name}");
    }
    assert!(event.data.contains(r#""location_id":"LO1""#), "{}", event.data);
}

#[test]
fn an_amount_that_cant_be_read_gives_way_to_no_other() {
    let body = r#"{"type":"invoice.payment_made","event_id":"e","data":{"object":{"invoice":{"id":"i",
        "payment_requests":[{"total_completed_amount_money":{"amount":1.5,"currency":"EUR"}}],
        "amount_money":{"amount":900,"currency":"EUR"}}}}}"#;
    let bench = Bench::new().with_settings(include_str!("../settings.json"));
    assert_eq!(bench.call(|| Square::parse(&Request::post("/", body)).unwrap())[0].money, None);
}
