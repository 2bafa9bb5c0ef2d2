//! Worldline's requests, proven and parsed.

use hookgate_sdk::testing::{Bench, send};
use hookgate_sdk::{Provider, Request, provider_tests};
use hookgate_worldline::Worldline;

const SECRET: &str = "hookgate-worldline-lantern";

provider_tests!(Worldline);

#[test]
fn what_has_not_two_decimals_is_money_only_where_the_operator_says() {
    let payout = Request::post("/", include_str!("../samples/payout.account_credited.json"));
    for (settings, amount) in [
        ("{}", None),
        (r#"{"decimals":"two"}"#, Some("9900.00")),
        (r#"{"decimals":"iso"}"#, Some("990000")),
    ] {
        let bench = Bench::new().with_settings(settings);
        let events = bench.call(|| Worldline::parse(&payout)).unwrap();
        let money = events[0].money.as_ref().map(|money| money.amount.as_str());
        assert_eq!(money, amount, "{settings}");
        assert_eq!(bench.check_provider::<Worldline>(), Ok(()));
    }
    let other = Bench::new().with_settings(r#"{"decimals":"three"}"#);
    assert!(other.check_provider::<Worldline>().is_err());
}

#[test]
fn an_event_says_whose_it_is_how_real_and_for_which_order() {
    let body = r#"{"id":"e1","type":"payment.captured","apiVersion":"v1","merchantId":"20000","payment":{"id":"1_1",
        "paymentOutput":{"references":{"merchantReference":"L-1001"}}}}"#;
    let request = Request::post("/in/worldline", body);
    let event = send::<Worldline>(&request, SECRET, 0).remove(0);
    for (name, value) in [("account", "20000"), ("reference", "L-1001")] {
        assert_eq!(event.label(name), Some(value), "{name}");
    }
    assert!(event.data.contains(r#""apiVersion":"v1""#), "{}", event.data);
}
