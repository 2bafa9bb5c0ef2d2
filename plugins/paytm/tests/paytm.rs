//! Paytm's requests, proven and parsed.

use hookgate_paytm::Paytm;
use hookgate_sdk::testing::send;
use hookgate_sdk::{Json, Provider, Request, provider_tests};

const SECRET: &str = "hookgate-lantern";

provider_tests!(Paytm, |suite| suite.with_payloads(|_, payload| form(&payload)));

/// The form of which a shared payload has the fields.
fn form(payload: &str) -> String {
    let members = Json::parse(payload.as_bytes()).expect("JSON").members();
    let field = |(name, value): (&str, Json<'_>)| {
        format!("{name}={}", value.text("").unwrap_or_default().replace(' ', "+"))
    };
    members.iter().map(field).collect::<Vec<_>>().join("&")
}

fn id(body: &str) -> String {
    Paytm::parse(&Request::post("/in/paytm", body)).expect("it is parsed")[0].id.clone()
}

#[test]
fn another_checksum_is_a_retry_and_another_state_is_not() {
    let first = id("ORDERID=L-1001&STATUS=PENDING&CHECKSUMHASH=AAAA");
    assert_eq!(first, id("STATUS=PENDING&ORDERID=L-1001&CHECKSUMHASH=BBBB"));
    assert_ne!(first, id("ORDERID=L-1001&STATUS=TXN_SUCCESS&CHECKSUMHASH=AAAA"));
}

#[test]
fn names_that_were_moved_hide_no_event() {
    let genuine = id("RESPMSG=Success&STATUS=PENDING");
    assert_ne!(genuine, id("RESPMSH=Success&STATUS=PENDING"));
    assert_ne!(genuine, id("STATUR=Success&STATUS=PENDING"));
    assert_ne!(id("STATUS=PENDING&STATUS=1"), id("STATUS=1&STATUS=PENDING"));
}

#[test]
fn no_value_can_pass_for_two() {
    let claim = |form: &str| {
        let request = Paytm::sign(Request::post("/in/paytm", form), 0, &[]).unwrap();
        Paytm::claim(&request)
    };
    assert!(claim("ORDERID=L-1001&STATUS=PENDING").is_ok());
    assert!(claim("ORDERID=L-1001%7CPENDING").is_err());
}

#[test]
fn a_plus_that_was_not_escaped_is_read_all_the_same() {
    let claim = |checksum: &str| {
        let form = format!("STATUS=PENDING&CHECKSUMHASH={checksum}");
        Paytm::claim(&Request::post("/in/paytm", form)).ok()
    };
    assert_eq!(claim("a+a/"), claim("a%2Ba%2F"));
    assert!(claim("a+a/").is_some());
    assert_eq!((claim(""), claim("a-a_")), (None, None));
}

#[test]
fn an_amount_needs_its_currency() {
    let money = |form: &str| {
        let events = Paytm::parse(&Request::post("/in/paytm", form)).unwrap();
        events[0].money.as_ref().map(|money| format!("{} {}", money.amount, money.currency))
    };
    let paid = money("STATUS=TXN_SUCCESS&TXNAMOUNT=499.00&CURRENCY=INR");
    assert_eq!(paid.as_deref(), Some("499.00 INR"));
    assert_eq!(money("STATUS=TXN_SUCCESS&TXNAMOUNT=499.00"), None);
    assert_eq!(money("STATUS=TXN_SUCCESS&TXNAMOUNT=4,99&CURRENCY=INR"), None);
}

#[test]
fn an_event_says_whose_it_is_how_real_and_for_which_order() {
    let form = "MID=HgLantern01&ORDERID=L-1001&STATUS=TXN_FAILURE&RESPCODE=227";
    let event = send::<Paytm>(&Request::post("/in/paytm", form), SECRET, 0).remove(0);
    for (name, value) in
        [("account", "HgLantern01"), ("reference", "L-1001"), ("decline_code", "227")]
    {
        assert_eq!(event.label(name), Some(value), "{name}");
    }
}

#[test]
fn a_proof_that_is_not_there_is_called_missing() {
    let refused = Paytm::claim(&Request::post("/in/paytm", "ORDERID=L-1001")).unwrap_err();
    assert_eq!(refused.reason, "field `CHECKSUMHASH` is missing or not a checksum");
}
