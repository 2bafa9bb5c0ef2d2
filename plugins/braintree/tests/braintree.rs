//! Braintree's requests, proven, answered and parsed.

use hookgate_braintree::Braintree;
use hookgate_sdk::testing::{Bench, answer, send, sign};
use hookgate_sdk::{Provider, Request, provider_tests};

const SECRET: &str = "hookgate_private_lantern";
const SETTINGS: &str = include_str!("../settings.json");

provider_tests!(Braintree);

fn asked(url: &str) -> Option<String> {
    let request = Request { method: "GET".to_owned(), ..Request::post(url, "") };
    let claims = Bench::new().with_settings(SETTINGS).call(|| Braintree::claim(&request)).ok()?;
    assert!(claims.evidence.is_empty());
    answer(&Braintree::describe(), &claims, &request, SECRET)
}

#[test]
fn only_a_challenge_is_answered() {
    let challenge = "20f9f8ed05f77439fe955c977e4c8a53";
    assert!(asked(&format!("/in/braintree?a=b&bt_challenge={challenge}")).is_some());
    for query in [
        "",
        "?bt_challenge=",
        "?bt_challenge=20f9f8ed05f77439fe",
        "?bt_challenge=20f9f8ed05f77439fe955c977e4c8a530",
        "?bt_challenge=20F9F8ED05F77439FE955C977E4C8A53",
        "?bt_challenge=20f9f8ed05f77439fe955c97%0A",
        "?bt_challenge=PG5vdGlmaWNhdGlvbi8%2BCg",
    ] {
        assert_eq!(asked(&format!("/in/braintree{query}")), None, "{query}");
    }
}

#[test]
fn what_was_answered_signs_nothing() {
    let challenge = "20f9f8ed05f77439fe955c977e4c8a53";
    let answered = asked(&format!("/in/braintree?bt_challenge={challenge}")).unwrap();
    let signature = answered.replace('|', "%7C");
    for payload in [challenge.to_owned(), format!("{challenge}%0A")] {
        let body = format!("bt_signature={signature}&bt_payload={payload}");
        let request = Request::post("/in/braintree", body);
        let claims = Bench::new().with_settings(SETTINGS).call(|| Braintree::claim(&request));
        assert!(claims.is_err(), "{claims:?}");
    }
}

#[test]
fn xml_and_a_form_are_signed_alike() {
    Bench::new().with_settings(SETTINGS).call(|| {
        let xml = Request::post("/in/braintree", "<notification><kind>check</kind></notification>");
        let form = sign::<Braintree>(&xml, SECRET, 0);
        assert!(form.body.starts_with(b"bt_signature=hookgate_public_lantern%7C"));
        assert_eq!(sign::<Braintree>(&form, SECRET, 0).body, form.body);
        assert_eq!(Braintree::parse(&form).unwrap(), []);
    });
}

#[test]
fn settings_are_checked() {
    let check = |settings: &str| Bench::new().with_settings(settings).check_provider::<Braintree>();
    assert_eq!(check(SETTINGS), Ok(()));
    for settings in ["{}", r#"{"public_key":""}"#, r#"{"public_key":"a|b"}"#] {
        assert!(check(settings).is_err(), "{settings}");
    }
}

#[test]
fn an_event_says_whose_it_is_how_real_and_for_which_order() {
    let body = r#"<notification><timestamp type="datetime">2026-01-01T00:00:00Z</timestamp>
        <kind>transaction_settled</kind><source-merchant-id>hgsource</source-merchant-id><subject>
        <transaction><id>hgtx01</id><type>sale</type><order-id>L-1001</order-id></transaction></subject>
        </notification>"#;
    let request = Request::post("/in/braintree", body);
    let bench = Bench::new().with_settings(include_str!("../settings.json"));
    let event = bench.call(|| send::<Braintree>(&request, SECRET, 0)).remove(0);
    for (name, value) in [("account", "hgsource"), ("reference", "L-1001")] {
        assert_eq!(event.label(name), Some(value), "{name}");
    }
    assert!(event.data.contains(r#""source-merchant-id":"hgsource""#), "{}", event.data);
}

#[test]
fn an_amount_that_cant_be_read_gives_way_to_no_other() {
    let xml = "<notification><kind>dispute_opened</kind><subject><dispute><id>d</id>\
        <amount>1,50</amount><currency-iso-code>EUR</currency-iso-code><transaction><id>t</id>\
        <amount>9.00</amount><currency-iso-code>EUR</currency-iso-code></transaction></dispute>\
        </subject></notification>";
    Bench::new().with_settings(SETTINGS).call(|| {
        let form = sign::<Braintree>(&Request::post("/", xml), SECRET, 0);
        assert_eq!(Braintree::parse(&form).unwrap()[0].money, None);
    });
}
