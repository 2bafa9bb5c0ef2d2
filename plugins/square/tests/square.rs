//! Square's requests, proven and parsed.

use hookgate_sdk::testing::Suite;
use hookgate_sdk::testing::vectors::Vector;
use hookgate_sdk::{Provider, provider_tests};
use hookgate_square::Square;

const SECRET: &str = "hookgate-square-lantern";

provider_tests!(
    Suite::<Square>::new("square", env!("CARGO_MANIFEST_DIR"), SECRET)
        .with_settings(r#"{"url":"https://pay.lantern.example/in/square"}"#)
        .with_vector_settings(url)
);

/// The URL that Square knows is the operator's to say.
fn url(vector: &Vector) -> String {
    let url = vector.url.as_deref().unwrap_or("https://pay.lantern.example/in/square");
    format!(r#"{{"url":"{url}"}}"#)
}

#[test]
fn the_url_must_be_what_square_knows() {
    assert_eq!(Square::check(r#"{"url":"https://pay.lantern.example/in/square"}"#), Ok(()));
    for settings in ["{}", r#"{"url":""}"#, r#"{"url":"/in/square"}"#, r#"{"uri":"https://a.b"}"#] {
        assert!(Square::check(settings).is_err(), "{settings}");
    }
}
