//! Interlace's requests, proven and parsed, in either variant that an operator may confirm.

use hookgate_interlace::Interlace;
use hookgate_sdk::testing::Suite;
use hookgate_sdk::{Provider, Request, provider_tests};

const SECRET: &str = "hookgate-interlace-lantern";

fn suite() -> Suite<Interlace> {
    Suite::new("interlace", env!("CARGO_MANIFEST_DIR"), SECRET)
}

provider_tests!(suite());

mod signed_as_a_whole {
    use super::*;

    provider_tests!(suite().with_settings(r#"{"signed":"body"}"#));
}

#[test]
fn nothing_is_taken_before_the_operator_confirms() {
    assert!(Interlace::check("{}").is_err());
    assert!(Interlace::check(r#"{"signed":"nothing"}"#).is_err());
    assert_eq!(Interlace::check(include_str!("../settings.json")), Ok(()));
    let mut request = Request::post("/", r#"{"resource":"{}"}"#);
    request.set_header("signature", "A".repeat(43) + "=");
    assert!(Interlace::claim(&request).is_err());
}

#[test]
fn the_answer_is_what_interlace_waits_for() {
    let reply = Interlace::describe().reply.unwrap();
    assert_eq!((reply.status, reply.body.as_slice()), (200, &br#"{"received": true}"#[..]));
}
