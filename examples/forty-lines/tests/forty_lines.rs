//! The shop's requests, proven and parsed, by the files in `samples/` and `vectors.json`.

use hookgate_example_forty_lines::FortyLines;
use hookgate_sdk::provider_tests;

provider_tests!(FortyLines);
