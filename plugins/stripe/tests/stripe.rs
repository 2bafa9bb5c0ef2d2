//! Stripe's requests, proven and parsed.

use hookgate_sdk::testing::{Bench, send};
use hookgate_sdk::{Event, FailureKind, Provider, Request, provider_tests};
use hookgate_stripe::Stripe;

const SECRET: &str = "whsec_hookgate_lantern";

provider_tests!(Stripe);

#[test]
fn data_is_the_object_as_it_was_written() {
    let object =
        r#"{ "id":"x", "rate":0.10000000000000000555, "big":123456789012345678901234567890 }"#;
    let body = format!(r#"{{"id":"evt_1","type":"a.b","created":1,"data":{{"object":{object}}}}}"#);
    assert_eq!(send::<Stripe>(&Request::post("/", body), SECRET, 0)[0].data, object);
}

fn event_of(body: &str) -> Event {
    send::<Stripe>(&Request::post("/", body), SECRET, 0).remove(0)
}

#[test]
fn an_event_of_a_connected_account_says_whose_it_is_and_how_real() {
    let event = event_of(
        r#"{"id":"evt_1","object":"event","api_version":"2024-06-20","created":1,"livemode":false,
            "pending_webhooks":2,"type":"refund.created","account":"acct_7",
            "data":{"object":{"id":"re_1",
            "object":"refund","amount":500,"currency":"eur","payment_intent":"pi_1",
            "metadata":{"order_id":"L-1001"}},"previous_attributes":{"status":"pending"}}}"#,
    );
    for (name, value) in [("account", "acct_7"), ("livemode", "false"), ("reference", "L-1001")] {
        assert_eq!(event.label(name), Some(value), "{name}");
    }
    let around = concat!(
        r#""envelope":{"api_version":"2024-06-20","livemode":false,"account":"acct_7","#,
        r#""previous_attributes":{"status":"pending"}}}"#
    );
    assert!(event.data.ends_with(around), "{}", event.data);
}

#[test]
fn a_charge_without_an_intent_is_a_payment_and_its_own_subject() {
    let charge = |own: &str, intent: &str| {
        event_of(&format!(
            r#"{{"id":"evt_1","type":"{own}","created":1,"data":{{"object":{{"id":"ch_1",
                "object":"charge","amount":500,"currency":"usd"{intent}}}}}}}"#
        ))
    };
    for intent in ["", r#","payment_intent":null"#] {
        for (own, expected) in
            [("charge.succeeded", "payment.succeeded"), ("charge.failed", "payment.failed")]
        {
            let event = charge(own, intent);
            assert_eq!((&*event.type_, event.subject.as_deref()), (expected, Some("ch_1")));
            assert_eq!(event.money.map(|money| money.amount).as_deref(), Some("5.00"));
        }
    }
    let event = charge("charge.succeeded", r#","payment_intent":"pi_1""#);
    assert_eq!(
        (&*event.type_, event.subject.as_deref()),
        ("stripe.charge.succeeded", Some("pi_1"))
    );
}

#[test]
fn a_name_that_nobody_knows_is_an_event_all_the_same() {
    for (own, expected) in [
        ("radar.rule.updated", "stripe.radar.rule.updated"),
        ("v2.core.account[requirements].updated", "stripe.v2.core.account.requirements.updated"),
        ("a b", "stripe.a_b"),
    ] {
        let body = format!(r#"{{"type":"{own}","created":1,"data":{{"object":{{"id":"x"}}}}}}"#);
        assert_eq!(event_of(&body).type_, expected);
    }
}

#[test]
fn a_body_that_is_no_event_is_a_permanent_failure() {
    for body in ["", "[]", "{}", r#"{"id":"evt_1"}"#, r#"{"id":"evt_1","type":""}"#, "\u{0}"] {
        let failure = Stripe::parse(&Request::post("/", body)).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Permanent, "{body}");
    }
}

#[test]
fn there_are_no_settings() {
    let check = |settings: &str| Bench::new().with_settings(settings).check_provider::<Stripe>();
    assert!(check("{}").is_ok());
    assert!(check(r#"{"secret":"no"}"#).is_err());
}
