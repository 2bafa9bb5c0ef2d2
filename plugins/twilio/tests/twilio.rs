//! Twilio's requests, proven and parsed.

use hookgate_sdk::testing::{Bench, send};
use hookgate_sdk::{Provider, Request, Worth, provider_tests};
use hookgate_twilio::Twilio;

const SECRET: &str = "hookgatetwiliolantern";

provider_tests!(Twilio, |suite| suite.with_url("/in/twilio?shop=1"));

#[test]
fn the_url_must_be_what_twilio_knows() {
    let check = |settings: &str| Bench::new().with_settings(settings).check_provider::<Twilio>();
    for settings in [include_str!("../settings.json"), r#"{"url":"https://a.b/c?d=e"}"#] {
        assert_eq!(check(settings), Ok(()));
    }
    for settings in ["{}", r#"{"url":""}"#, r#"{"url":"/in/twilio"}"#] {
        assert!(check(settings).is_err(), "{settings}");
    }
}

#[test]
fn an_event_says_whose_it_is_how_real_and_for_which_order() {
    let body = r#"MessageSid=SM1&MessageStatus=sent&AccountSid=AC1"#;
    let request = Request::post("/in/twilio", body);
    let bench = Bench::new().with_settings(include_str!("../settings.json"));
    let event = bench.call(|| send::<Twilio>(&request, SECRET, 0)).remove(0);
    assert_eq!(event.label("account"), Some("AC1"));
}

#[test]
fn only_a_hash_that_is_the_whole_query_can_be_no_value_of_a_form() {
    let worth = |query: &str, body: &str| {
        let request = Request::post(&format!("/in/twilio{query}"), body);
        let request = Twilio::sign(request, 0, &[]).unwrap();
        let bench = Bench::new().with_settings(include_str!("../settings.json"));
        bench.call(|| Twilio::claim(&request)).unwrap().evidence[0].worth
    };
    assert_eq!(worth("", "[]"), None);
    // The SHA-256 of `[]`, as the text of a message that was signed behind a query.
    let hash = "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945";
    for query in [
        "?shop=1",
        &format!("?shop=1AccountSidAC1Body&bodySHA256={hash}&FromA"),
        &format!("?bodySHA256={hash}&FromA"),
    ] {
        assert_eq!(worth(query, "[]"), Some(Worth::Unbound), "{query}");
    }
    assert_eq!(worth("", "MessageSid=SM1"), Some(Worth::Unbound));
}
