//! `hookgate event`: events are listed, shown and replayed.

use serde_json::{Value, json};

use super::hookgate;
use crate::harness::{Harness, Ran, Receiver, Setup, payment, reasons, text};

impl Harness {
    /// Says this to the gateway over its admin API.
    pub(super) async fn event_command(&self, args: &[&str]) -> Ran {
        let at = ["--admin", self.admin()];
        hookgate(["event"].iter().chain(args).chain(&at)).await
    }
}

#[tokio::test]
async fn events_are_listed_shown_and_replayed_from_the_command_line() {
    let receiver = Receiver::answering(500).await;
    let gateway = Setup::stripe()
        .endpoint_with("crm", &receiver, &["payment.failed"], "retries = []")
        .start()
        .await;
    gateway.stripe(&payment("evt_1", "pi_1", "payment_failed")).await.accepted();
    gateway.settle().await;
    gateway.stripe(&payment("evt_2", "pi_2", "succeeded")).await.accepted();
    gateway.settle().await;
    let id = text(&gateway.events("subject=pi_1").await[0]["id"]);
    receiver.answer(204);

    let all = gateway.event_command(&["list"]).await;
    let dead = gateway.event_command(&["list", "--state", "dead", "--type", "payment.*"]).await;
    let one = gateway.event_command(&["list", "--limit", "1"]).await;
    let shown = gateway.event_command(&["show", &id, "--json"]).await;
    let story = gateway.event_command(&["show", &id]).await;
    let replayed = gateway.event_command(&["replay", &id]).await;
    gateway.settle().await;
    let by_filter = gateway.event_command(&["replay", "--subject", "pi_1"]).await;
    gateway.settle().await;

    assert_eq!(all.succeeded().lines().count(), 3, "{}", all.out);
    assert_eq!(dead.succeeded().lines().count(), 2, "{}", dead.out);
    let columns: Vec<_> = dead.line(&id).split_whitespace().collect();
    assert_eq!(columns[2..], ["dead", "payment.failed", "pi_1"], "{columns:?}");
    assert_eq!(one.succeeded().lines().count(), 2);
    assert!(one.out.contains("pi_2"), "the newest: {}", one.out);
    let event: Value = serde_json::from_str(shown.succeeded()).expect("it is JSON");
    assert_eq!((&event["id"], &event["deliveries"][0]["state"]), (&json!(id), &json!("dead")));
    story.succeeded();
    assert!(story.line("payment.failed").ends_with("  dead"), "{}", story.out);
    for part in ["received    POST /in/stripe", "failed      crm, attempt 1: ", "dead        crm; "]
    {
        assert!(story.out.contains(part), "no `{part}` in\n{}", story.out);
    }
    assert!(!story.out.contains('\u{1b}'), "colours are for terminals");
    for replayed in [replayed, by_filter] {
        let counted: Value = serde_json::from_str(replayed.succeeded()).expect("it is JSON");
        assert_eq!(counted, json!({ "reopened": 1, "hastened": 0, "unchanged": 0 }));
    }
    assert_eq!(receiver.received().len(), 3);
    assert_eq!(receiver.ids().len(), 1, "under one id");
}

#[tokio::test]
async fn a_replay_of_more_than_one_slice_goes_on_to_its_end_and_can_be_shown() {
    let gateway = Setup::guest().start().await;
    for id in ["a", "b"] {
        gateway.guest(&json!({ "id": id, "events": 600 })).await.accepted();
    }
    gateway.settle().await;

    let replayed = gateway.event_command(&["replay", "--source", "guest"]).await;

    let counted: Value = serde_json::from_str(replayed.succeeded()).expect("it is JSON");
    assert_eq!(counted, json!({ "reopened": 1200, "hastened": 0, "unchanged": 0 }));
    let id = replayed.err.split([' ', ',']).find(|word| word.starts_with("rpl_"));
    let shown = gateway.event_command(&["show", id.expect("it says which replay it is")]).await;
    let shown: Value = serde_json::from_str(shown.succeeded()).expect("it is JSON");
    assert_eq!(shown["reopened"], 1200, "{shown}");
    let id = text(&shown["id"]);
    let listed = gateway.event_command(&["replays"]).await;
    listed.succeeded();
    assert!(listed.line(&id).ends_with(r#"1200  {"source":"guest"}"#), "{}", listed.out);
}

#[tokio::test]
async fn a_replay_that_waits_is_found_and_canceled_from_the_command_line() {
    let gateway = Setup::guest().table("[limits]\nbacklog = 1").start().await;
    gateway.guest(&json!({ "id": "1", "do": "retry" })).await.accepted();
    gateway.settle().await;
    let begun = gateway.tell("/v1/replay", &json!({ "filter": { "source": "guest" } })).await;
    let id = text(&begun.json()["id"]);

    let canceled = gateway.event_command(&["replay", "--cancel", &id]).await;
    let again = gateway.event_command(&["replay", "--cancel", &id]).await;
    let both = gateway.event_command(&["replay", "--cancel", &id, "--source", "guest"]).await;

    for canceled in [canceled, again] {
        let counted: Value = serde_json::from_str(canceled.succeeded()).expect("it is JSON");
        assert_eq!(counted, json!({ "reopened": 0, "hastened": 0, "unchanged": 0 }));
    }
    both.failed_with("--cancel");
    let shown = gateway.event_command(&["show", &id]).await;
    assert!(shown.succeeded().contains(r#""canceled": true"#), "{}", shown.out);
}

#[tokio::test]
async fn deeply_nested_data_goes_the_whole_way_and_is_shown_digit_for_digit() {
    let receiver = Receiver::start().await;
    let gateway = Setup::stripe().endpoint("crm", &receiver, &["customer.*"]).start().await;
    let nested = |depth: usize| format!("{}1.10{}", "[".repeat(depth), "]".repeat(depth));
    let body = |id: &str, depth| {
        let object = format!(r#"{{"id":"cus_1","object":"customer","x":{}}}"#, nested(depth));
        let head = format!(r#"{{"id":"{id}","object":"event","type":"customer.created""#);
        format!(r#"{head},"created":1767225600,"data":{{"object":{object}}}}}"#)
    };

    gateway.stripe(&body("evt_200", 200)).await.accepted();
    let too_deep = gateway.stripe(&body("evt_600", 600)).await.accepted();
    gateway.settle().await;

    let sent = receiver.received();
    assert_eq!(sent.len(), 1);
    assert!(String::from_utf8_lossy(&sent[0].body).contains(&nested(200)));
    let id = text(&gateway.events("subject=cus_1").await[0]["id"]);
    gateway.event_command(&["show", &id]).await.succeeded();
    let shown = gateway.event_command(&["show", &id, "--json"]).await;
    let shown: String = shown.succeeded().split_whitespace().collect();
    assert!(shown.contains(&nested(200)), "{shown}");
    let dead = gateway.receipt(&too_deep).await;
    assert_eq!(dead["state"], "dead");
    assert!(reasons(&dead["tries"])[0].contains("nested more than 512 levels deep"), "{dead}");
}

#[tokio::test]
async fn what_the_gateway_refuses_is_said_in_its_own_words() {
    let gateway = Setup::stripe().start().await;

    let everything = gateway.event_command(&["replay"]).await;
    let no_state = gateway.event_command(&["list", "--state", "gone"]).await;
    let unknown = gateway.event_command(&["show", "evt_1"]).await;
    let nobody = hookgate(["event", "list", "--admin", "http://127.0.0.1:9"]).await;

    everything.failed_with("say what to replay: ids, or a filter such as --state dead");
    no_state.failed_with("the gateway answered 400: `state` must be pending, done or dead");
    assert_eq!(no_state.out, "", "there is no list, so it has no head");
    unknown.failed_with("the gateway answered 400: `evt_1` is not an id");
    nobody.failed_with("is the gateway running there?");
}
