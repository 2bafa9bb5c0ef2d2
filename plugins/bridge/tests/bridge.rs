//! Bridge's requests, proven and parsed, with a key of our own in the place of Bridge's.

use hookgate_bridge::Bridge;
use hookgate_sdk::testing::{send, sign};
use hookgate_sdk::{Provider, Request, provider_tests};

const KEY: &str = include_str!("private_key.pem");

provider_tests!(Bridge, |suite| suite.with_secret(KEY));

/// The type of the event about an object in this state.
fn type_of(category: &str, written: &str, state: &str) -> String {
    let body = format!(
        r#"{{"event_id":"wh_1","event_category":"{category}","event_type":"{written}",
            "event_object_id":"o1","event_object_status":"{state}","event_object":{{"id":"o1"}}}}"#
    );
    Bridge::parse(&Request::post("/in/bridge", body)).expect("it is an event").remove(0).type_
}

#[test]
fn the_state_of_a_transfer_decides_once() {
    for (written, state, expected) in [
        ("transfer.created", "awaiting_funds", "payout.created"),
        ("transfer.updated.status_transitioned", "payment_submitted", "payout.updated"),
        ("transfer.updated.status_transitioned", "payment_processed", "payout.paid"),
        ("transfer.updated", "payment_processed", "payout.updated"),
        ("transfer.updated.status_transitioned", "returned", "payout.failed"),
        ("transfer.updated.status_transitioned", "undeliverable", "payout.failed"),
        ("transfer.updated", "undeliverable", "payout.updated"),
        ("transfer.updated.status_transitioned", "refunded", "payout.refunded"),
        ("transfer.deleted", "canceled", "payout.canceled"),
    ] {
        assert_eq!(type_of("transfer", written, state), expected, "{written} {state}");
    }
}

#[test]
fn a_name_means_the_same_with_its_category_and_without() {
    for (category, change, state, expected) in [
        ("transfer", "updated.status_transitioned", "payment_processed", "payout.paid"),
        ("card_transaction", "created", "denied", "transaction.declined"),
        ("card_transaction", "updated.status_transitioned", "expired", "transaction.canceled"),
        ("card_account", "updated", "active", "card.updated"),
        ("customer", "deleted", "", "customer.deleted"),
        ("card_dispute", "created", "", "bridge.card_dispute.created"),
        ("", "lit", "", "bridge.lit"),
    ] {
        for written in [change.to_owned(), format!("{category}.{change}")] {
            assert_eq!(type_of(category, &written, state), expected, "{written}");
        }
    }
}

#[test]
fn a_retry_has_a_new_time_and_the_same_id() {
    let request = Request::post("/in/bridge", r#"{"event_id":"wh_1"}"#);
    let claims = |at| Bridge::claim(&sign::<Bridge>(&request, KEY, at)).unwrap();
    let (first, again) = (claims(0), claims(600_000));
    assert_eq!((first.event_ids, first.signed_at), (again.event_ids, Some(0)));
    assert_eq!(again.signed_at, Some(600_000));
    assert_ne!(first.values, again.values);
}

#[test]
fn an_event_says_whose_it_is_and_for_which_order() {
    let body = r#"{"event_id":"wh_1","event_developer_id":"d1","event_category":"transfer",
        "event_type":"transfer.updated",
        "event_object":{"id":"t1","client_reference_id":"L-1001"}}"#;
    let event = send::<Bridge>(&Request::post("/in/bridge", body), KEY, 0).remove(0);
    assert_eq!(event.subject.as_deref(), Some("t1"));
    for (name, value) in [("account", "d1"), ("reference", "L-1001")] {
        assert_eq!(event.label(name), Some(value), "{name}");
    }
}

#[test]
fn an_amount_that_cant_be_read_is_left_out() {
    let money = |amount: &str| {
        let body = format!(
            r#"{{"event_type":"transfer.created","event_category":"transfer",
                "event_object":{{"amount":{amount},"currency":"usd"}}}}"#
        );
        Bridge::parse(&Request::post("/in/bridge", body)).unwrap().remove(0).money
    };
    assert_eq!(money("\"100.0\"").map(|money| money.amount).as_deref(), Some("100.0"));
    assert_eq!(money("\"1,5\""), None);
    assert_eq!(money("null"), None);
}
