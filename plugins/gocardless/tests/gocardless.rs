//! GoCardless's requests, proven and parsed.

use hookgate_gocardless::GoCardless;
use hookgate_sdk::testing::Suite;
use hookgate_sdk::{Provider, provider_tests};

const SECRET: &str = "hookgate-gocardless-lantern";

provider_tests!(Suite::<GoCardless>::new("gocardless", env!("CARGO_MANIFEST_DIR"), SECRET));

#[test]
fn a_refusal_is_what_gocardless_wants() {
    assert_eq!(GoCardless::describe().refusal_status, 498);
}
