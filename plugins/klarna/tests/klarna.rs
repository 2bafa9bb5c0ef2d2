//! Klarna's requests, proven and parsed.

use hookgate_klarna::Klarna;
use hookgate_sdk::testing::Suite;
use hookgate_sdk::{Provider, provider_tests};

const SECRET: &str = "hookgate-klarna-lantern";

provider_tests!(
    Suite::<Klarna>::new("klarna", env!("CARGO_MANIFEST_DIR"), SECRET)
        .with_headers(|_| vec![("klarna-signing-key-id", "krn:signing-key:hg".to_owned())])
);

#[test]
fn a_refusal_is_what_klarna_wants() {
    assert_eq!(Klarna::describe().refusal_status, 400);
}
