//! IppoPay's requests, as far as an operator can confirm how they are proven.

use hookgate_ippopay::IppoPay;
use hookgate_sdk::testing::Bench;
use hookgate_sdk::{Provider, Request, provider_tests};

const UNSIGNED: &str = r#"{"scheme":"unsigned"}"#;

provider_tests!(IppoPay);

mod with_a_token {
    use super::*;

    provider_tests!(IppoPay, |suite| suite.with_settings(
        r#"{"scheme":"token","header":"X-Lantern","type":"/event","subject":"/order/id"}"#
    ));
}

#[test]
fn nothing_is_taken_before_the_operator_confirms() {
    let check = |settings: &str| Bench::new().with_settings(settings).check_provider::<IppoPay>();
    assert!(check("{}").unwrap_err().contains("ask IppoPay how it proves a call"));
    for settings in [
        r#"{"scheme":"rot13"}"#,
        r#"{"scheme":"token"}"#,
        r#"{"scheme":"token","header":""}"#,
        r#"{"scheme":"token","header":"X Y"}"#,
        r#"{"scheme":"unsigned","header":"X-Lantern"}"#,
        r#"{"scheme":"unsigned","type":"event"}"#,
    ] {
        assert!(check(settings).is_err(), "{settings}");
    }
    assert_eq!(check(UNSIGNED), Ok(()));
}

#[test]
fn an_unsigned_call_proves_nothing() {
    let bench = Bench::new().with_settings(UNSIGNED);
    let call = Request::post("/", "status=success&order_id=1");
    assert_eq!(bench.call(|| IppoPay::claim(&call)).unwrap().evidence, []);
    let events = bench.call(|| IppoPay::parse(&call)).unwrap();
    assert_eq!(events[0].type_, "ippopay.notification");
    assert_eq!(events[0].data, r#"{"status":"success","order_id":"1"}"#);
    assert!(bench.call(|| IppoPay::sign(call, 0, &[])).is_err());
}
