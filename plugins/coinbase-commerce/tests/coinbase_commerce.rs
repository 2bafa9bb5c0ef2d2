//! Coinbase Commerce's requests, proven and parsed.

use hookgate_coinbase_commerce::CoinbaseCommerce;
use hookgate_sdk::provider_tests;
use hookgate_sdk::testing::Suite;

const SECRET: &str = "7b0c1d2e-hookgate-lantern";

provider_tests!(
    Suite::<CoinbaseCommerce>::new("coinbase-commerce", env!("CARGO_MANIFEST_DIR"), SECRET)
        .with_payloads(|name, payload| match name {
            // The event alone, as the API gives it.
            "event" => payload.replacen(r#""data""#, r#""event""#, 1),
            _ => payload,
        })
);
