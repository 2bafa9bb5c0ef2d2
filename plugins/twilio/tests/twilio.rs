//! Twilio's requests, proven and parsed.

use hookgate_sdk::testing::Suite;
use hookgate_sdk::{Provider, provider_tests};
use hookgate_twilio::Twilio;

const SECRET: &str = "hookgatetwiliolantern";

provider_tests!(
    Suite::<Twilio>::new("twilio", env!("CARGO_MANIFEST_DIR"), SECRET)
        .with_url("/in/twilio?shop=1")
);

#[test]
fn the_url_must_be_what_twilio_knows() {
    for settings in [include_str!("../settings.json"), r#"{"url":"https://a.b/c?d=e"}"#] {
        assert_eq!(Twilio::check(settings), Ok(()));
    }
    for settings in ["{}", r#"{"url":""}"#, r#"{"url":"/in/twilio"}"#] {
        assert!(Twilio::check(settings).is_err(), "{settings}");
    }
}
