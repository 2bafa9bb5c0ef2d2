//! Shopify's requests, proven and parsed.

use hookgate_sdk::provider_tests;
use hookgate_sdk::testing::Suite;
use hookgate_shopify::Shopify;

const SECRET: &str = "shpss_hookgate_lantern";

provider_tests!(Suite::<Shopify>::new("shopify", env!("CARGO_MANIFEST_DIR"), SECRET).with_headers(
    |sample| {
        // A sample's name is its topic, and after a dot what there is to tell of it.
        let topic = sample.split('.').next().unwrap_or_default();
        let (object, verb) = topic.rsplit_once('_').unwrap_or((topic, "update"));
        vec![
            ("x-shopify-topic", format!("{object}/{verb}")),
            ("x-shopify-event-id", "ev-hg-01".to_owned()),
            ("x-shopify-triggered-at", "2026-01-01T00:00:00.250Z".to_owned()),
        ]
    }
));
