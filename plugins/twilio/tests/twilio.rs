//! Twilio's requests, proven and parsed.

use hookgate_sdk::testing::{Bench, send};
use hookgate_sdk::{Request, provider_tests};
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
