//! Zoom's requests, proven and parsed.

use hookgate_sdk::testing::send;
use hookgate_sdk::{Request, provider_tests};
use hookgate_zoom::Zoom;

const SECRET: &str = "hookgate-zoom-lantern";

provider_tests!(Zoom);

#[test]
fn an_event_says_whose_it_is_how_real_and_for_which_order() {
    let body = r#"{"event":"recording.completed","event_ts":1767225600000,"download_token":"t1",
        "payload":{"account_id":"a1","object":{"uuid":"u1"}}}"#;
    let request = Request::post("/in/zoom", body);
    let event = send::<Zoom>(&request, SECRET, 0).remove(0);
    assert_eq!(event.label("account"), Some("a1"));
    assert!(event.data.contains(r#""download_token":"t1""#), "{}", event.data);
}
