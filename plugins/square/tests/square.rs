//! Square's requests, proven and parsed.

use hookgate_sdk::testing::Suite;
use hookgate_sdk::{Provider, provider_tests};
use hookgate_square::Square;

const SECRET: &str = "hookgate-square-lantern";

provider_tests!(Suite::<Square>::new("square", env!("CARGO_MANIFEST_DIR"), SECRET));

#[test]
fn the_url_must_be_what_square_knows() {
    assert_eq!(Square::check(include_str!("../settings.json")), Ok(()));
    for settings in ["{}", r#"{"url":""}"#, r#"{"url":"/in/square"}"#, r#"{"uri":"https://a.b"}"#] {
        assert!(Square::check(settings).is_err(), "{settings}");
    }
}
