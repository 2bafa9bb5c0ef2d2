//! Twilio's requests, proven and parsed.

use hookgate_sdk::testing::Suite;
use hookgate_sdk::testing::vectors::Vector;
use hookgate_sdk::{Provider, provider_tests};
use hookgate_twilio::Twilio;

const SECRET: &str = "hookgatetwiliolantern";

provider_tests!(
    Suite::<Twilio>::new("twilio", env!("CARGO_MANIFEST_DIR"), SECRET)
        .with_settings(r#"{"url":"https://pay.lantern.example/in/twilio"}"#)
        .with_url("/in/twilio?shop=1")
        .with_vector_settings(url)
);

/// The URL that Twilio knows, without its query, is the operator's to say.
fn url(vector: &Vector) -> String {
    let url = vector.url.as_deref().unwrap_or("https://pay.lantern.example/in/twilio");
    format!(r#"{{"url":"{}"}}"#, url.split('?').next().unwrap_or_default())
}

#[test]
fn the_url_must_be_what_twilio_knows() {
    assert_eq!(Twilio::check(r#"{"url":"https://pay.lantern.example/in/twilio"}"#), Ok(()));
    for settings in
        ["{}", r#"{"url":""}"#, r#"{"url":"/in/twilio"}"#, r#"{"url":"https://a.b/c?d=e"}"#]
    {
        assert!(Twilio::check(settings).is_err(), "{settings}");
    }
}
