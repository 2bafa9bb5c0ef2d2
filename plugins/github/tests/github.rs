//! GitHub's requests, proven and parsed.

use hookgate_github::GitHub;
use hookgate_sdk::testing::send;
use hookgate_sdk::{Request, provider_tests};

const SECRET: &str = "hookgate's lantern";

provider_tests!(GitHub);

#[test]
fn a_body_alone_names_its_event_well_enough_to_be_sent() {
    for (body, event_type) in [
        (include_str!("../samples/sponsorship.created.json"), "subscription.created"),
        (include_str!("../samples/issues.opened.json"), "github.issues.opened"),
        (include_str!("../samples/push.json"), "github.push"),
        (include_str!("../samples/ping.json"), "github.ping"),
        (include_str!("../samples/issues.closed.form"), "github.issues.closed"),
    ] {
        let events = send::<GitHub>(&Request::post("/in/github", body), SECRET, 0);
        assert_eq!(events[0].type_, event_type);
    }
}

#[test]
fn an_event_says_whose_it_is_how_real_and_for_which_order() {
    let body = r#"{"action":"created","check_run":{"id":1,"external_id":"build-7"},
        "repository":{"id":2,"owner":{"login":"lanterns"}}}"#;
    let mut request = Request::post("/in/github", body);
    request.set_header("x-github-event", "check_run");
    let event = send::<GitHub>(&request, SECRET, 0).remove(0);
    for (name, value) in [("account", "lanterns"), ("reference", "build-7")] {
        assert_eq!(event.label(name), Some(value), "{name}");
    }
}
