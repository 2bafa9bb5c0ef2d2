//! Slack's requests, proven and parsed.

use hookgate_sdk::testing::{Suite, send};
use hookgate_sdk::{Request, provider_tests};
use hookgate_slack::Slack;

const SECRET: &str = "hookgate8slack8lantern";

provider_tests!(Suite::<Slack>::new("slack", env!("CARGO_MANIFEST_DIR"), SECRET));

#[test]
fn an_event_says_whose_it_is_how_real_and_for_which_order() {
    let body = r#"{"type":"event_callback","token":"x","team_id":"T1","api_app_id":"A1","event_id":"Ev1",
        "event":{"type":"app_mention","channel":"C1"}}"#;
    let request = Request::post("/in/slack", body);
    let event = send::<Slack>(&request, SECRET, 0).remove(0);
    assert_eq!(event.label("account"), Some("T1"));
    assert!(
        event.data.contains(r#""envelope":{"team_id":"T1","api_app_id":"A1"}"#),
        "{}",
        event.data
    );
}
