//! The provider's requests, proven and parsed, by the files in `samples/` and `vectors.json`.

use hookgate_sdk::provider_tests;
use hookgate_{{crate}}::Plugin;

provider_tests!(Plugin);
