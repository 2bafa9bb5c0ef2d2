//! Microsoft Graph's requests, proven and parsed.

use hookgate_microsoft_graph::MicrosoftGraph;
use hookgate_sdk::testing::send;
use hookgate_sdk::{Event, Provider, Request, provider_tests};

const SECRET: &str = "hookgate-graph-lantern";

provider_tests!(MicrosoftGraph);

fn parsed(received_at: u64, item: &str) -> Event {
    let body = format!(r#"{{"value":[{item}],"validationTokens":["eyJ"]}}"#);
    let request = Request { received_at, ..Request::post("/in/graph", body) };
    MicrosoftGraph::parse(&request).expect("it is parsed").remove(0)
}

#[test]
fn no_event_has_the_secret_in_it() {
    let event = parsed(0, r#"{"clientState":"lantern","resource":"users/1"}"#);
    assert_eq!(event.data, r#"{"resource":"users/1"}"#);
}

#[test]
fn every_subscription_proves_its_own_notifications() {
    let claims = |states: &[&str]| {
        let item = |state: &&str| format!(r#"{{"clientState":"{state}"}}"#);
        let items: Vec<String> = states.iter().map(item).collect();
        let body = format!(r#"{{"value":[{}]}}"#, items.join(","));
        MicrosoftGraph::claim(&Request::post("/in/graph", body)).map(|it| it.evidence.len())
    };
    assert_eq!(claims(&["a", "a", "a"]), Ok(1));
    assert_eq!(claims(&["a", "b", "a"]), Ok(2));
    assert!(claims(&[]).is_err() && claims(&["a", ""]).is_err());
    let many: Vec<String> = (0..65).map(|state| state.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(claims(&many[..64]), Ok(64));
    assert!(claims(&many).is_err());
}

#[test]
fn a_change_that_has_no_version_is_an_event_each_time() {
    let changed = r#"{"changeType":"updated","resource":"users/1"}"#;
    assert_ne!(parsed(1, changed).id, parsed(2, changed).id);
    for known in [
        r#"{"changeType":"created","resource":"users/1"}"#,
        r#"{"changeType":"updated","resource":"users/1","resourceData":{"@odata.etag":"W/1"}}"#,
        r#"{"id":"n1","changeType":"updated","resource":"users/1"}"#,
    ] {
        assert_eq!(parsed(1, known).id, parsed(2, known).id, "{known}");
    }
}

#[test]
fn equal_notifications_in_one_request_are_two_events() {
    let item = r#"{"changeType":"updated","resource":"users/1"}"#;
    let request = Request::post("/in/graph", format!(r#"{{"value":[{item},{item}]}}"#));
    let events = MicrosoftGraph::parse(&request).expect("it is parsed");
    assert_ne!(events[0].id, events[1].id);
}

#[test]
fn only_a_request_without_a_body_is_a_validation() {
    let claim = |url: &str, body: &str| MicrosoftGraph::claim(&Request::post(url, body));
    let is_validation =
        |url: &str, body: &str| claim(url, body).is_ok_and(|claims| claims.handshake.is_some());
    let url = "/in/graph?a=b&validationToken=Validation%3A+lantern";
    assert!(is_validation(url, ""));
    assert!(!is_validation(url, r#"{"value":[{"clientState":"lantern"}]}"#));
    for url in ["/in/graph", "/in/graph?validationToken=", "/in/graph?validationtoken=a"] {
        assert!(claim(url, "").is_err(), "{url}");
    }
    let long = format!("/in/graph?validationToken={}", "a".repeat(4_097));
    assert!(is_validation(&long[..long.len() - 1], "") && claim(&long, "").is_err());
}

#[test]
fn an_event_says_whose_it_is_how_real_and_for_which_order() {
    let body = r#"{"value":[{"changeType":"deleted","resource":"users/1","tenantId":"t1"}]}"#;
    let request = Request::post("/in/graph", body);
    let event = send::<MicrosoftGraph>(&request, SECRET, 0).remove(0);
    assert_eq!(event.type_, "microsoft-graph.deleted");
    assert_eq!(event.label("account"), Some("t1"));
}
