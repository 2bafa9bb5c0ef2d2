//! Flutterwave's requests of both versions, proven and parsed.

use hookgate_flutterwave::Flutterwave;
use hookgate_sdk::testing::Suite;
use hookgate_sdk::{Header, Provider, Request, provider_tests};

const SECRET: &str = "hookgate-flutterwave-lantern";

fn suite() -> Suite<Flutterwave> {
    Suite::new("flutterwave", env!("CARGO_MANIFEST_DIR"), SECRET)
}

provider_tests!(suite());

mod with_a_token {
    use super::*;

    provider_tests!(suite().with_settings(r#"{"version":"v3"}"#));
}

#[test]
fn of_both_proofs_both_must_hold() {
    let mut request = Request::post("/", "{}");
    for (name, value) in
        [("verif-hash", SECRET.to_owned()), ("flutterwave-signature", "A".repeat(43) + "=")]
    {
        request.headers.push(Header { name: name.to_owned(), value });
    }
    assert_eq!(Flutterwave::claim(&request).unwrap().evidence.len(), 2);
}

#[test]
fn a_version_is_one_of_two() {
    for settings in ["{}", r#"{"version":"v3"}"#, r#"{"version":"v4"}"#] {
        assert_eq!(Flutterwave::check(settings), Ok(()));
    }
    assert!(Flutterwave::check(r#"{"version":"v5"}"#).is_err());
}
