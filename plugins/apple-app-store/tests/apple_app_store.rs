//! The App Store's notifications, proven and parsed, with a root of our own in place of Apple's.

use hookgate_apple_app_store::AppleAppStore;
use hookgate_sdk::testing::{Bench, send};
use hookgate_sdk::{
    Event, Provider, Request, SignedToken, base64, hash, hex, json, provider_tests,
};

const KEY: &str = include_str!("key_and_root.pem");
const SETTINGS: &str = include_str!("../settings.json");
const SAMPLE: &str = include_str!("../samples/test.json");
/// The start of 2026.
const NOW: u64 = 1_767_225_600_000;

provider_tests!(AppleAppStore, |suite| {
    suite.with_secret(KEY).with_payloads(signed).with_own_ids()
});

/// A body with this notification, which may be signed already, under the certificates of a sample.
/// Other notifications are for other apps and environments, and a source accepts only one of each.
fn signed(_: &str, payload: String) -> String {
    let token = json::peek(SAMPLE.as_bytes(), "/signedPayload").unwrap_or_default();
    let header = token.split('.').next().unwrap_or_default();
    let inside = json::peek(payload.as_bytes(), "/signedPayload").map(|token| {
        let token = SignedToken::read(&token).expect("it is a token");
        String::from_utf8(token.into_payload()).expect("it is text")
    });
    let said = inside.unwrap_or(payload).replace("\"com.example\"", "\"org.example.lantern\"");
    let said = said.replace("\"LocalTesting\"", "\"Production\"");
    let said = said.replace("\"Sandbox\"", "\"Production\"");
    format!(r#"{{"signedPayload":"{header}.{}.AA"}}"#, base64::encode_url(said.as_bytes()))
}

fn notified(payload: String) -> Event {
    let request = Request::post("/in/apple", signed("", payload));
    let bench = Bench::new().with_settings(SETTINGS);
    bench.call(|| send::<AppleAppStore>(&request, KEY, NOW)).remove(0)
}

/// What becomes of a notification of this type with this token of a transaction.
fn about(kind: &str, token: &str) -> Event {
    let app = r#""bundleId":"org.example.lantern","environment":"Production""#;
    let data = format!(r#"{{{app},"signedTransactionInfo":"{token}"}}"#);
    notified(format!(r#"{{"notificationType":"{kind}","notificationUUID":"n1","data":{data}}}"#))
}

fn bought(kind: &str, transaction: &str) -> Event {
    let token = SignedToken::write(r#"{"alg":"ES256"}"#, transaction, &[]);
    about(kind, &token.expect("it is written"))
}

#[test]
fn the_pinned_root_is_apples() {
    let roots = AppleAppStore::describe().roots;
    let prints = roots.iter().map(|root| hex::encode(&hash::sha256(root)));
    let apples = "63343abfb89a6a03ebb57e9b3f5fa7be7c4f5c756f3017b3a8c488c3653e9179";
    assert_eq!(prints.collect::<Vec<_>>(), [apples]);
}

#[test]
fn an_amount_is_the_price_or_none() {
    for (kind, more, expected) in [
        ("ONE_TIME_CHARGE", "", Some("1.990")),
        ("ONE_TIME_CHARGE", r#","quantity":1"#, Some("1.990")),
        ("ONE_TIME_CHARGE", r#","quantity":2"#, None),
        ("REFUND", r#","revocationPercentage":100000"#, Some("1.990")),
        ("REFUND", r#","revocationPercentage":40000"#, None),
        ("DID_FAIL_TO_RENEW", "", None),
        ("EXPIRED", "", None),
        ("TEST", "", None),
    ] {
        let event = bought(kind, &format!(r#"{{"price":1990,"currency":"EUR"{more}}}"#));
        let amount = event.money.map(|money| money.amount);
        assert_eq!(amount.as_deref(), expected, "{kind} {more}");
    }
}

#[test]
fn only_what_was_a_subscription_is_canceled_when_it_is_shared_no_more() {
    let type_of = |product: &str| bought("REVOKE", &format!(r#"{{"type":"{product}"}}"#)).type_;
    assert_eq!(type_of("Auto-Renewable Subscription"), "subscription.canceled");
    assert_eq!(type_of("Non-Consumable"), "apple-app-store.REVOKE");
}

#[test]
fn an_event_is_about_its_transaction_and_keeps_the_rest() {
    let event = bought("REFUND", r#"{"originalTransactionId":"7","appAccountToken":"u1"}"#);
    assert_eq!(event.subject.as_deref(), Some("7"));
    assert_eq!(event.label("reference"), Some("u1"));
    let rest = r#""bundleId":"org.example.lantern","environment":"Production""#;
    let rest = format!(r#"{{"notificationType":"REFUND",{rest}}}"#);
    let transaction = r#"{"originalTransactionId":"7","appAccountToken":"u1""#;
    assert_eq!(event.data, format!(r#"{transaction},"envelope":{rest}}}"#));
}

#[test]
fn a_transaction_that_can_not_be_read_stays_as_it_is() {
    for token in ["", "lantern", "e30.lantern.AA"] {
        let event = about("REFUND", token);
        assert_eq!((&*event.type_, event.subject), ("refund.succeeded", None));
        let kept = format!(r#""signedTransactionInfo":"{token}""#);
        assert!(event.data.contains(&kept), "{}", event.data);
    }
}

#[test]
fn settings_are_checked() {
    for settings in ["{}", r#"{"bundle_id":""}"#, r#"{"bundle_id":"a","environment":"Xcode"}"#] {
        let bench = Bench::new().with_settings(settings);
        assert!(bench.check_provider::<AppleAppStore>().is_err(), "{settings}");
    }
}

#[test]
fn a_proof_that_is_not_there_is_called_missing() {
    let refused = AppleAppStore::claim(&Request::post("/in/apple-app-store", "{}")).unwrap_err();
    assert_eq!(refused.reason, "the body has no text `signedPayload`");
}
