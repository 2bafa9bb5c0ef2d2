//! Interlace's requests, proven and parsed, in either variant that an operator may confirm.

use hookgate_interlace::Interlace;
use hookgate_sdk::testing::{Bench, send};
use hookgate_sdk::{Piece, Provider, Request, provider_tests};

const SECRET: &str = "hookgate-interlace-lantern";

provider_tests!(Interlace);

#[test]
fn a_body_that_is_signed_as_a_whole_can_have_nothing_changed() {
    let suite = suite().with_settings(r#"{"signed":"body"}"#);
    suite.check_flipped_bits();
    suite.check_header_order();
    suite.check_any_values();
}

#[test]
fn an_id_is_made_of_what_is_signed() {
    let id = |signed: &str, own: &str, sent: &str| {
        let body = format!(
            r#"{{"id":"{own}","eventType":"CARD.UPDATED","createTime":"{sent}","resource":"{{}}"}}"#
        );
        let bench = Bench::new().with_settings(&format!(r#"{{"signed":"{signed}"}}"#));
        bench.call(|| Interlace::parse(&Request::post("/", body)).unwrap().remove(0).id)
    };
    assert_eq!(id("body", "i-1", "1"), "i-1");
    assert_eq!(id("resource", "i-1", "1"), id("resource", "i-2", "2"));
}

#[test]
fn nothing_is_taken_before_the_operator_confirms() {
    let check = |settings: &str| Bench::new().with_settings(settings).check_provider::<Interlace>();
    let missing = check("{}").unwrap_err();
    assert!(missing.starts_with("`signed` is missing (what the signature covers; ask Interlace"));
    assert!(missing.ends_with(r#"set it to one of "resource", "body""#), "{missing}");
    assert!(check(r#"{"signed":"nothing"}"#).is_err());
    assert_eq!(check(include_str!("../settings.json")), Ok(()));
}

#[test]
fn the_answer_is_what_interlace_waits_for() {
    let reply = Interlace::describe().reply.unwrap();
    let body = vec![Piece::Bytes(br#"{"received": true}"#.to_vec())];
    assert_eq!((reply.status, reply.body), (200, body));
}

#[test]
fn an_event_says_whose_it_is_how_real_and_for_which_order() {
    let body = r#"{"id":"i1","eventType":"CARD.UPDATED","apiVersion":"v3",
        "resource":"{\"id\":\"c1\",\"accountId\":\"ACC1\",\"referenceId\":\"L-1001\"}"}"#;
    let request = Request::post("/in/interlace", body);
    let bench = Bench::new().with_settings(include_str!("../settings.json"));
    let event = bench.call(|| send::<Interlace>(&request, SECRET, 0)).remove(0);
    for (name, value) in [("account", "ACC1"), ("reference", "L-1001")] {
        assert_eq!(event.label(name), Some(value), "{name}");
    }
    assert!(event.data.contains(r#""apiVersion":"v3""#), "{}", event.data);
}

#[test]
fn an_amount_that_cant_be_read_gives_way_to_no_other() {
    let body = r#"{"id":"i","eventType":"CARD_TRANSACTION.CREATED",
        "resource":"{\"id\":\"c\",\"transactionAmount\":\"1,5\",\"transactionCurrency\":\"EUR\",\"billingAmount\":\"9\",\"billingCurrency\":\"USD\"}"}"#;
    let bench = Bench::new().with_settings(include_str!("../settings.json"));
    assert_eq!(bench.call(|| Interlace::parse(&Request::post("/", body)).unwrap())[0].money, None);
}
