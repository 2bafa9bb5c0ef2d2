//! HubSpot's requests, proven and parsed.

use hookgate_hubspot::HubSpot;
use hookgate_sdk::testing::{Bench, send};
use hookgate_sdk::{Provider, Request, Timestamp, provider_tests};

const SECRET: &str = "hglantern-0000-1111-2222-app";
const AT: Timestamp = 1_767_225_600_000;
const SETTINGS: &str = include_str!("../settings.json");

provider_tests!(HubSpot);

fn ids(request: &Request) -> Vec<String> {
    let events = HubSpot::parse(request).unwrap_or_default();
    events.into_iter().map(|event| event.id).collect()
}

fn by_get(received_at: Timestamp) -> Request {
    let request = Request::post("/in/hubspot?contactId=5&email=a%40b.example", "");
    Request { method: "GET".to_owned(), received_at, ..request }
}

fn by_post(received_at: Timestamp) -> Request {
    Request { received_at, ..Request::post("/in/hubspot", r#"{"objectId":5}"#) }
}

#[test]
fn the_url_must_be_what_hubspot_calls() {
    let check = |settings: &str| Bench::new().with_settings(settings).check_provider::<HubSpot>();
    for settings in [SETTINGS, r#"{"url":"https://a.b/c?d=e","version":"v3"}"#] {
        assert_eq!(check(settings), Ok(()), "{settings}");
    }
    for settings in ["{}", r#"{"url":"/in"}"#, r#"{"url":"https://a.b","version":"v1"}"#] {
        assert!(check(settings).is_err(), "{settings}");
    }
}

#[test]
fn an_event_says_whose_it_is() {
    let body = r#"[{"eventId":1,"portalId":62,"subscriptionType":"ticket.creation"}]"#;
    let bench = Bench::new().with_settings(SETTINGS);
    let request = Request::post("/in/hubspot", body);
    let event = bench.call(|| send::<HubSpot>(&request, SECRET, AT)).remove(0);
    assert_eq!(event.label("account"), Some("62"));
    assert_eq!(event.type_, "hubspot.ticket.creation");
}

#[test]
fn only_another_attempt_is_the_same_event() {
    let sent = |rest: &str| {
        let body = format!(r#"[{{"eventId":7,"subscriptionId":1,{rest}}}]"#);
        ids(&Request::post("/in/hubspot", body))
    };
    let first = sent(r#""attemptNumber":0,"objectId":901,"propertyName":"amount""#);
    assert_eq!(first, sent(r#""attemptNumber":3,"objectId":901,"propertyName":"amount""#));
    assert_ne!(first, sent(r#""attemptNumber":0,"objectId":902,"propertyName":"amount""#));
    assert_ne!(first, sent(r#""attemptNumber":0,"objectId":901,"propertyName":"stage""#));
}

#[test]
fn a_contact_and_a_deal_of_one_number_are_two_subjects() {
    let body = r#"[{"eventId":1,"subscriptionType":"contact.creation","objectId":5},
        {"eventId":2,"subscriptionType":"deal.creation","objectId":5},
        {"eventId":3,"subscriptionType":"contact.associationChange","fromObjectId":5}]"#;
    let events = HubSpot::parse(&Request::post("/in/hubspot", body)).unwrap();
    let subjects: Vec<_> = events.iter().filter_map(|event| event.subject.as_deref()).collect();
    assert_eq!(subjects, ["contact:5", "deal:5", "contact:5"]);
}

#[test]
fn a_workflow_may_call_twice_with_the_same_values() {
    let called = HubSpot::parse(&by_get(1)).unwrap().remove(0);
    assert_eq!(called.type_, "hubspot.notification");
    assert_eq!(called.data, r#"{"contactId":"5","email":"a@b.example"}"#);
    for call in [by_get, by_post] {
        assert_eq!(ids(&call(1)), ids(&call(1)));
        assert_ne!(ids(&call(1)), ids(&call(2)));
    }
}

#[test]
fn a_query_is_proven_whole_or_not_at_all() {
    let claim = |request: Request| {
        Bench::new().with_settings(SETTINGS).call(|| HubSpot::claim(&request)).is_ok()
    };
    let signed = HubSpot::sign(by_get(1), AT, &[]).unwrap();
    assert!(claim(signed.clone()));
    assert!(!claim(Request { body: b"&email=".to_vec(), ..signed }));
    let mut by_body_alone = by_get(1);
    by_body_alone.set_header("x-hubspot-signature", "00".repeat(32));
    by_body_alone.set_header("x-hubspot-signature-version", "v1");
    assert!(!claim(by_body_alone));
}

#[test]
fn no_digit_of_a_query_passes_for_one_of_the_time() {
    let claim = |time: String| {
        let mut signed = HubSpot::sign(by_get(1), AT, &[]).unwrap();
        signed.set_header("x-hubspot-request-timestamp", time);
        Bench::new().with_settings(SETTINGS).call(|| HubSpot::claim(&signed)).is_ok()
    };
    assert!(claim(AT.to_string()));
    for time in [format!("0{AT}"), format!("5{AT}")] {
        assert!(!claim(time.clone()), "{time}");
    }
}
