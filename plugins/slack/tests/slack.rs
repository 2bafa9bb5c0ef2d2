//! Slack's requests, proven and parsed.

use hookgate_sdk::testing::send;
use hookgate_sdk::{Request, provider_tests};
use hookgate_slack::Slack;

const SECRET: &str = "hookgate8slack8lantern";

provider_tests!(Slack);

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

#[test]
fn the_verification_token_is_in_no_event() {
    const TOKEN: &str = "gIkuvaNzQIHg97ATvDxqgjtO";
    let click =
        form(&format!(r#"{{"type":"block_actions","token":"{TOKEN}","user":{{"id":"U1"}}}}"#));
    for body in [
        format!("token={TOKEN}&team_id=T1&command=%2Frefund&text=all"),
        format!("%74oken={TOKEN}&team_id=T1&command=%2Frefund&token={TOKEN}"),
        format!("token={TOKEN}&team_id=T1&trigger_word=refund"),
        click,
        format!(r#"{{"type":"event_callback","token":"{TOKEN}","event":{{"type":"a"}}}}"#),
        format!(r#"{{"type":"app_rate_limited","token":"{TOKEN}","team_id":"T1"}}"#),
        format!(
            r#"{{"type":"event_callback","token":"{TOKEN}","event":{{"envelope":1,"type":"a"}}}}"#
        ),
    ] {
        let event = send::<Slack>(&Request::post("/in/slack", body.clone()), SECRET, 0).remove(0);
        assert!(!event.data.contains(TOKEN), "{body}: {}", event.data);
        assert!(event.data.len() > 2, "{body}");
    }
}

/// A click as Slack sends it.
fn form(payload: &str) -> String {
    let escaped = payload.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    format!("payload={escaped}")
}
