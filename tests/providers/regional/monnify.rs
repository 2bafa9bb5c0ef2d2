//! Monnify's requests, proven and parsed.

use hookgate_monnify::Monnify;
use hookgate_sdk::{Provider, Request, provider_tests};

provider_tests!(Monnify in "../../../plugins/monnify");

#[test]
fn a_time_is_that_of_lagos() {
    let time = |written: &str| {
        let body = format!(
            r#"{{"eventType":"SUCCESSFUL_TRANSACTION","eventData":{{"paidOn":"{written}"}}}}"#
        );
        Monnify::parse(&Request::post("/in/monnify", body)).expect("it is an event").remove(0).time
    };
    assert_eq!(time("2023-11-14 23:13:20.5"), Some(1_700_000_000_500));
    assert_eq!(time("14/11/2023 11:13:20 PM"), None, "which is the day?");
}
