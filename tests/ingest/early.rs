//! Parsed on the way in: a receipt and its events are one commit, and a parse that comes to nothing
//! there refuses nobody.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Harness, Setup, payment, reasons, text, texts};

/// Longer than any parse takes that returns, on a machine that has other things to do.
const EARLY: &str = "[limits]\nearly_parse = \"1s\"\nclaims_deadline = \"10s\"";

/// A gateway that parses: until then nothing is parsed early.
async fn parsing(setup: Setup) -> Harness {
    let gateway = setup.start().await;
    gateway.stripe(&payment("evt_first", "pi_0", "succeeded")).await.accepted();
    gateway.settle().await;
    gateway
}

#[tokio::test]
async fn when_an_event_is_answered_it_is_parsed_in_the_same_commit() {
    let gateway = parsing(Setup::stripe().table(EARLY)).await;
    let commits = gateway.stats().commits;

    let answer = gateway.stripe(&payment("evt_1", "pi_1", "succeeded")).await;

    // Nobody has waited for anything but the answer.
    let receipt = gateway.receipt(&answer.accepted()).await;
    assert_eq!(gateway.stats().commits, commits + 1);
    assert_eq!(receipt["state"], "done");
    assert_eq!(
        (receipt["tries_made"].as_u64(), receipt["tries"].as_array().unwrap().len()),
        (Some(1), 1)
    );
    let event = gateway.event("evt_1").await;
    assert_eq!(receipt["events"], json!([event["id"]]));
    assert_eq!(receipt["tries"][0]["plugin"]["name"], "stripe");
    let again = gateway.stripe(&payment("evt_1", "pi_1", "succeeded")).await;
    assert!(again.is_duplicate());
    assert_eq!(gateway.stats().commits, commits + 1);
}

/// The guest counts the calls of its instance.
#[tokio::test]
async fn an_early_parse_finds_its_own_claims_in_its_instance_and_nothing_of_other_requests() {
    let gateway = Setup::guest().table(EARLY).start().await;
    gateway.guest(&json!({ "id": "first" })).await.accepted();
    gateway.settle().await;

    for id in ["1", "2", "3"] {
        let command = json!({ "id": id, "do": "count", "at": "parse" });
        let receipt = gateway.receipt(&gateway.guest(&command).await.accepted()).await;
        assert_eq!(receipt["state"], "done", "it was parsed early");
        assert_eq!(texts(&receipt["tries"][0]["log"], "message"), ["2"]);
    }
}

/// Guards I6.
#[tokio::test]
async fn what_was_parsed_early_is_there_once_after_a_restart() {
    let gateway = parsing(Setup::stripe().table(EARLY)).await;
    let answer = gateway.stripe(&payment("evt_1", "pi_1", "succeeded")).await;

    let gateway = gateway.restart().await;
    gateway.settle().await;

    let receipt = gateway.receipt(&answer.accepted()).await;
    assert_eq!((&receipt["state"], &receipt["tries_made"]), (&json!("done"), &json!(1)));
    let events = gateway.events("").await;
    let ids: Vec<String> = events.iter().map(|event| text(&event["event_id"])).collect();
    assert_eq!(ids, ["evt_first", "evt_1"]);
}

/// Guards I8.
#[tokio::test]
async fn a_request_is_never_refused_for_its_parse() {
    let setup = Setup::guest().table("[limits]\nparse_deadline = \"50ms\"");
    let gateway = setup.start().await;
    gateway.guest(&json!({ "id": "first" })).await.accepted();
    gateway.settle().await;

    let mut receipts = Vec::new();
    for (number, asked) in ["spin", "trap", "fail", "violate", "hoard"].iter().enumerate() {
        // Each is the first of its own, whatever became of those before.
        gateway.advance(Duration::from_secs(3_600)).await;
        let command = json!({ "id": format!("e{number}"), "at": "parse", "do": asked });
        receipts.push((asked, gateway.guest(&command).await.accepted()));
        gateway.settle().await;
    }

    for (asked, id) in receipts {
        let receipt = gateway.receipt(&id).await;
        let reasons = reasons(&receipt["tries"]);
        assert!(!reasons.is_empty(), "{asked} is told by the receipt: {receipt}");
        assert_eq!(receipt["events"], Value::Array(Vec::new()), "{asked}");
    }
}

#[tokio::test]
async fn what_comes_behind_a_request_that_is_parsed_later_comes_behind_its_events() {
    let gateway = parsing(Setup::stripe().table(EARLY)).await;
    // Too large for an early parse.
    let large = |number: usize| {
        let mut body = payment(&format!("evt_{number}"), "pi_1", "succeeded");
        body.push_str(&" ".repeat(300_000));
        body
    };
    for number in 0..40 {
        let small = payment(&format!("evt_{number}"), "pi_1", "succeeded");
        let body = if number % 4 == 0 { large(number) } else { small };
        gateway.stripe(&body).await.accepted();
    }
    gateway.settle().await;

    let events = gateway.events("").await;
    let ids: Vec<String> = events.iter().map(|event| text(&event["event_id"])).collect();
    let expected: Vec<String> = (0..40).map(|number| format!("evt_{number}")).collect();
    assert_eq!(ids[1..], expected);
}
