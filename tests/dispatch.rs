//! Parse, route, run, commit: what becomes of an event, in which order, and what of it is kept.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{
    Harness, Receiver, SECOND_TRY, Setup, THIRD_TRY, payment, plugin_file, reasons, run_of, stands,
    text, texts,
};
use crate::waiting::A_DAY;

/// The handler `guest` may send to the endpoint `crm`, which gets one delivery after another.
fn guest_with(receiver: &Receiver) -> Setup {
    let rest = "body = \"cloudevents\"\nconcurrency = 1";
    Setup::guest()
        .endpoint_with("crm", receiver, &["guest.emitted", "payment.*", "customer.*"], rest)
        .table("[handlers.guest]\nendpoints = [\"crm\"]")
}

/// A command to the guest: to emit `number` about a subject.
fn emit(id: &str, subject: &str, number: u32) -> Value {
    json!({ "id": id, "subject": subject, "do": "emit", "data": { "number": number } })
}

/// With more keys.
fn with(mut command: Value, more: Value) -> Value {
    let (Some(command_keys), Value::Object(more)) = (command.as_object_mut(), more) else {
        panic!("a command is an object");
    };
    command_keys.extend(more);
    command
}

/// The numbers that the guest has emitted, in the order in which they arrived.
fn numbers(receiver: &Receiver) -> Vec<u64> {
    let received = receiver.received();
    received.iter().filter_map(|delivery| delivery.json()["data"]["number"].as_u64()).collect()
}

#[tokio::test]
async fn dunning_counts_failures_by_subject_and_alerts_once() {
    let receiver = Receiver::start().await;
    let events = ["customer.payment_failed_notice", "hookgate.alert"];
    let gateway = Setup::stripe()
        .endpoint("crm", &receiver, &events)
        .handler("dunning", "endpoints = [\"crm\"]")
        .start()
        .await;

    let fates = [
        ("pi_1", "payment_failed"),
        ("pi_2", "payment_failed"),
        ("pi_1", "payment_failed"),
        ("pi_1", "payment_failed"),
        ("pi_1", "payment_failed"),
        ("pi_1", "succeeded"),
        ("pi_1", "payment_failed"),
        ("pi_2", "payment_failed"),
    ];
    for (number, (subject, fate)) in fates.into_iter().enumerate() {
        gateway.stripe(&payment(&format!("evt_{number}"), subject, fate)).await.accepted();
        gateway.settle().await;
    }

    let (mut notices, mut alerts) = (Vec::new(), Vec::new());
    for delivery in receiver.received() {
        let body = delivery.json();
        let subject = delivery.text("subject");
        match delivery.text("type").as_str() {
            "hookgate.alert" => alerts.push((subject, text(&body["data"]["message"]))),
            _ => notices.push((subject, body["data"]["failures"].as_u64())),
        }
    }
    let expected = [("pi_1", 1), ("pi_2", 1), ("pi_1", 2), ("pi_1", 3), ("pi_1", 4), ("pi_1", 1)];
    let expected = expected.into_iter().chain([("pi_2", 2)]);
    let expected: Vec<_> = expected.map(|(id, count)| (id.to_owned(), Some(count))).collect();
    assert_eq!(notices, expected);
    let message = "payment pi_1 failed 3 times in a row";
    assert_eq!(alerts, [("pi_1".to_owned(), message.to_owned())]);
    let run = run_of(&gateway.event("evt_3").await, "dunning");
    assert_eq!(texts(&run["tries"][0]["alerts"], "message"), [message]);
}

#[tokio::test]
async fn what_is_posted_at_once_about_one_subject_runs_one_at_a_time_in_order() {
    let receiver = Receiver::start().await;
    let gateway = Setup::stripe()
        .endpoint_with("crm", &receiver, &["customer.*"], "body = \"cloudevents\"\nconcurrency = 1")
        .handler("dunning", "endpoints = [\"crm\"]")
        .start()
        .await;
    let gateway = Arc::new(gateway);

    let mut posts = JoinSet::new();
    for number in 0..40 {
        let gateway = gateway.clone();
        posts.spawn(async move {
            let body = payment(&format!("evt_{number}"), "pi_1", "payment_failed");
            gateway.stripe(&body).await.accepted()
        });
    }
    posts.join_all().await;
    gateway.settle().await;

    let stored = gateway.events("source=stripe").await;
    let stored: Vec<String> = stored.iter().map(|event| text(&event["event_id"])).collect();
    let notices: Vec<_> = receiver.received().iter().map(|it| it.json()["data"].clone()).collect();
    let counts: Vec<_> = notices.iter().filter_map(|it| it["failures"].as_u64()).collect();
    assert_eq!(counts, (1..=40).collect::<Vec<u64>>());
    let events: Vec<_> = notices.iter().map(|it| text(&it["event"])).collect();
    assert_eq!(events, stored);
}

#[tokio::test]
async fn what_is_posted_one_after_another_runs_in_that_order() {
    let receiver = Receiver::start().await;
    let gateway = guest_with(&receiver).start().await;

    // Every other one takes much longer to parse than the one behind it.
    let padding = "x".repeat(900_000);
    for number in 0..40 {
        let command = emit(&format!("g_{number}"), "a", number);
        let padding = if number % 2 == 0 { &padding } else { "" };
        gateway.guest(&with(command, json!({ "padding": padding }))).await.accepted();
    }
    gateway.settle().await;

    assert_eq!(numbers(&receiver), (0..40).collect::<Vec<u64>>());
}

/// Guards I11.
#[tokio::test]
async fn a_failing_run_holds_back_its_own_subject_only() {
    let receiver = Receiver::start().await;
    let gateway = guest_with(&receiver).start().await;

    let first = with(emit("first", "a", 1), json!({ "then": "retry", "until": 2 }));
    gateway.guest(&first).await.accepted();
    gateway.settle().await;
    gateway.guest(&emit("second", "a", 2)).await.accepted();
    gateway.guest(&emit("other", "b", 3)).await.accepted();
    gateway.guest(&json!({ "id": "no subject", "do": "emit", "data": { "number": 4 } })).await;
    gateway.settle().await;
    let mut meanwhile = numbers(&receiver);
    gateway.advance(SECOND_TRY).await;

    meanwhile.sort_unstable();
    assert_eq!(meanwhile, [3, 4]);
    assert_eq!(numbers(&receiver)[2..], [1, 2]);
}

/// Guards I8.
#[tokio::test]
async fn once_a_run_is_dead_the_next_of_its_subject_goes_on() {
    let receiver = Receiver::start().await;
    let gateway = guest_with(&receiver).start().await;

    let first = with(emit("first", "a", 1), json!({ "then": "fail", "reason": "no such plan" }));
    gateway.guest(&first).await.accepted();
    gateway.guest(&emit("second", "a", 2)).await.accepted();
    gateway.settle().await;

    assert_eq!(numbers(&receiver), [2]);
    let run = run_of(&gateway.event("first").await, "guest");
    assert_eq!(run["state"], "dead");
    assert_eq!(reasons(&run["tries"]), ["no such plan"]);
    let dead = gateway.dead().await;
    assert_eq!(dead.len(), 1);
    assert_eq!((&dead[0]["id"], &dead[0]["detail"]), (&run["id"], &json!("no such plan")));
    assert_eq!(dead[0]["reason"], "plugin_failed");
}

/// Guards I5 and I6.
#[tokio::test]
async fn a_failed_run_commits_nothing_that_it_asked_for() {
    let receiver = Receiver::start().await;
    let gateway = guest_with(&receiver).start().await;

    let fail = json!({ "then": "fail" });
    gateway.guest(&with(emit("emits", "a", 1), fail.clone())).await.accepted();
    let sends = json!({ "id": "sends", "do": "send", "endpoint": "crm", "text": "no" });
    gateway.guest(&with(sends, fail.clone())).await.accepted();
    gateway.guest(&with(json!({ "id": "alerts", "do": "alert" }), fail)).await.accepted();
    gateway.guest(&json!({ "id": "traps", "do": "emit", "then": "trap" })).await.accepted();
    gateway.settle().await;

    assert_eq!(receiver.received().len(), 0);
    assert_eq!(gateway.events("source=guest").await.len(), 4);
    assert_eq!(gateway.events("type=hookgate.alert").await.len(), 0);
    for id in ["emits", "sends", "alerts", "traps"] {
        let tries = &run_of(&gateway.event(id).await, "guest")["tries"];
        let tried = &tries[0];
        let nothing = json!([]);
        assert_eq!([&tried["events"], &tried["parcels"], &tried["alerts"]], [&nothing; 3], "{id}");
    }
}

/// Guards I6.
#[tokio::test]
async fn a_failed_run_leaves_the_state_as_it_was() {
    let gateway = Setup::guest().start().await;

    let count = json!({ "id": "first", "subject": "a", "do": "state" });
    let failing = with(count.clone(), json!({ "then": "retry", "until": 3 }));
    gateway.guest(&failing).await.accepted();
    gateway.settle().await;
    gateway.advance(SECOND_TRY).await;
    gateway.advance(THIRD_TRY).await;
    gateway.guest(&with(count, json!({ "id": "second" }))).await.accepted();
    gateway.settle().await;

    let counted = async |id: &str| {
        let run = run_of(&gateway.event(id).await, "guest");
        let tries = run["tries"].as_array().cloned().unwrap_or_default();
        tries.iter().flat_map(|tried| texts(&tried["log"], "message")).collect::<Vec<_>>()
    };
    assert_eq!(counted("first").await, ["1", "1", "1"]);
    assert_eq!(counted("second").await, ["2"]);
}

/// Guards I5.
#[tokio::test]
async fn what_is_emitted_reaches_handlers_and_only_the_granted_endpoints_that_subscribe() {
    let (crm, audit, ledger) =
        (Receiver::start().await, Receiver::start().await, Receiver::start().await);
    let gateway = Setup::guest()
        .endpoint("crm", &crm, &["payment.failed"])
        .endpoint("audit", &audit, &["*"])
        .endpoint("ledger", &ledger, &["payout.*"])
        .table("[handlers.guest]\nendpoints = [\"crm\", \"ledger\"]")
        .handler("dunning", "endpoints = [\"audit\"]")
        .start()
        .await;

    let command = json!({ "id": "1", "subject": "pi_1", "do": "emit", "emits": "payment.failed" });
    gateway.guest(&command).await.accepted();
    gateway.settle().await;

    assert_eq!(crm.types(), ["payment.failed"]);
    let mut heard = audit.types();
    heard.sort();
    assert_eq!(heard, ["customer.payment_failed_notice", "guest.asked"]);
    assert_eq!(ledger.received().len(), 0);
    let emitted = crm.received()[0].json();
    assert_eq!((&emitted["source"], &emitted["subject"]), (&json!("guest"), &json!("pi_1")));
}

/// Guards I5.
#[tokio::test]
pub(crate) async fn a_handler_without_grants_reaches_nothing() {
    let receiver = Receiver::start().await;
    let gateway = Setup::guest()
        .endpoint("crm", &receiver, &["guest.emitted", "hookgate.alert"])
        .start()
        .await;

    gateway.guest(&emit("emits", "a", 1)).await.accepted();
    gateway.guest(&json!({ "id": "alerts", "do": "alert" })).await.accepted();
    gateway.guest(&json!({ "id": "sends", "do": "send", "endpoint": "crm" })).await.accepted();
    gateway.settle().await;

    assert_eq!(receiver.received().len(), 0);
    assert_eq!(gateway.events("type=guest.emitted").await.len(), 1);
    let run = run_of(&gateway.event("sends").await, "guest");
    assert_eq!(run["state"], "dead");
    let reason = &reasons(&run["tries"])[0];
    assert!(reason.contains("not granted the endpoint `crm`"), "{reason}");
}

/// Guards I7.
#[tokio::test]
async fn a_chain_of_emitted_events_ends() {
    let gateway = Setup::guest().start().await;

    let chain = (0..20).fold(json!({}), |rest, _| json!({ "do": "emit", "data": rest }));
    gateway.guest(&with(chain, json!({ "id": "first" }))).await.accepted();
    gateway.settle().await;

    let emitted = gateway.events("type=guest.emitted").await;
    assert_eq!(emitted.len(), 8);
    let last = gateway.event(&text(&emitted[7]["event_id"])).await;
    assert_eq!(last["depth"], 8);
    let run = run_of(&last, "guest");
    assert_eq!(run["state"], "dead");
    let reason = "the chain of emitted events is longer than 8";
    assert_eq!(reasons(&run["tries"]), [reason]);
}

/// Guards I6 and I7.
#[tokio::test]
async fn a_run_whose_handler_has_no_room_fails_whole_and_is_done_once_there_is_room() {
    let gateway = Setup::guest().table("[handlers.guest]\nstate_keys = 1").start().await;
    for (id, subject) in [("evt_1", "a"), ("evt_2", "b")] {
        let command = json!({ "id": id, "subject": subject, "do": "state" });
        gateway.guest(&command).await.accepted();
        gateway.settle().await;
    }
    assert_eq!(run_of(&gateway.event("evt_1").await, "guest")["state"], "done");
    let run = run_of(&gateway.event("evt_2").await, "guest");
    assert_eq!(run["state"], "pending");
    let reason = &reasons(&run["tries"])[0];
    assert!(reason.contains("would have 2 keys") && reason.contains("allows 1"), "{reason}");
    let metrics = gateway.ask("/metrics").await.body;
    let failed = r#"runs_total{handler="guest",outcome="transient",cause="limit"} 1"#;
    assert!(metrics.contains(failed), "{metrics}");

    gateway.reconfigure(|config| config.replace("state_keys = 1", "state_keys = 2")).await;
    gateway.advance(SECOND_TRY).await;

    assert_eq!(run_of(&gateway.event("evt_2").await, "guest")["state"], "done");
}

/// Guards I7.
#[tokio::test]
pub(crate) async fn what_comes_of_one_receipt_is_bounded_in_number() {
    let gateway = Setup::guest().start().await;

    let cascade = json!({ "id": "first", "do": "emit", "times": 64, "again": true });
    gateway.guest(&cascade).await.accepted();
    gateway.settle().await;

    // Each of the 64 has a share of 14 in the 936 that are left, and wants 64.
    assert_eq!(gateway.events("type=guest.emitted").await.len(), 64);
    let dead = gateway.ask("/v1/dead?limit=500").await.json()["items"].clone();
    let dead = dead.as_array().unwrap();
    assert_eq!(dead.len(), 64);
    let reason = text(&dead[0]["detail"]);
    assert!(reason.contains("allowance is 14 events of "), "{reason}");
    assert!(reason.contains("limits.emitted_events = 1000"), "{reason}");
}

/// Guards I7.
#[tokio::test]
async fn what_comes_of_one_receipt_is_bounded_in_bytes_and_in_all_its_events() {
    let limit = "[limits]\nemitted_bytes = 1000";
    let gateway = Setup::guest().table(limit).start().await;

    let heavy = |id: &str, bytes: usize| {
        let data = "x".repeat(bytes);
        json!({ "id": id, "do": "emit", "emits": "a.b", "data": data })
    };
    gateway.guest(&heavy("light", 500)).await.accepted();
    gateway.guest(&heavy("heavy", 1000)).await.accepted();
    gateway.settle().await;

    let states = async |id| run_of(&gateway.event(id).await, "guest")["state"].clone();
    assert_eq!((states("light").await, states("heavy").await), (json!("done"), json!("dead")));
    assert_eq!(gateway.events("type=a.b").await.len(), 1);
    let reason = text(&gateway.dead().await[0]["detail"]);
    assert!(reason.starts_with("the run emits 1 events of 1014 bytes together, but"), "{reason}");
}

#[tokio::test]
async fn the_events_of_one_receipt_share_what_may_come_of_it() {
    let gateway = Setup::guest().start().await;

    let many = json!({ "id": "many", "events": 50, "do": "emit", "times": 21, "emits": "a.b" });
    gateway.guest(&many).await.accepted();
    let fewer = json!({ "id": "fewer", "events": 50, "do": "emit", "times": 20, "emits": "a.b" });
    gateway.guest(&fewer).await.accepted();
    gateway.settle().await;

    assert_eq!(gateway.events("type=a.b").await.len(), 1000);
    assert_eq!(gateway.dead().await.len(), 50);
}

#[tokio::test]
async fn a_handler_gets_back_what_it_emitted_only_if_it_names_the_very_type() {
    let gateway = Setup::guest().plugin_as("echo", "guest").start().await;

    for emits in ["guest.emitted", "a.b"] {
        let command = json!({ "id": emits, "do": "emit", "emits": emits, "data": {} });
        gateway.guest(&command).await.accepted();
    }
    gateway.guest(&json!({ "id": "alerts", "do": "alert" })).await.accepted();
    gateway.settle().await;

    let handlers = async |event_type: &str| {
        // Both handlers emit it; the source is the one that did.
        let found = gateway.events(&format!("type={event_type}&source=guest")).await;
        assert_eq!(found.len(), 1, "{event_type}: {found:?}");
        let shown = gateway.event(&text(&found[0]["event_id"])).await;
        texts(&shown["runs"], "handler")
    };
    assert_eq!(handlers("guest.emitted").await, ["echo", "guest"]);
    assert_eq!(handlers("a.b").await, ["echo"]);
    assert_eq!(handlers("hookgate.alert").await, ["echo"]);
}

/// A gateway in which the source `stripe` can't parse yet: another plugin has that name. With the
/// dead receipt's id and body.
pub(crate) async fn unparsed(receiver: &Receiver, rest: &str) -> (Harness, String, String) {
    let gateway = Setup::new()
        .plugin_as("stripe", "guest")
        .source("stripe", "stripe", &format!("verify = \"none\"\n{rest}"))
        .endpoint("crm", receiver, &["payment.failed"])
        .start()
        .await;
    let body = payment("evt_1", "pi_1", "payment_failed");
    let body = body.replacen('{', r#"{"do": "fail", "at": "parse", "reason": "too new", "#, 1);
    let id = gateway.stripe(&body).await.accepted();
    gateway.settle().await;
    (gateway, id, body)
}

/// Guards I8.
#[tokio::test]
pub(crate) async fn what_can_not_be_parsed_is_kept_whole_until_a_newer_plugin_can() {
    let receiver = Receiver::start().await;
    let (gateway, id, body) = unparsed(&receiver, "").await;

    let receipt = gateway.receipt(&id).await;
    let dead = gateway.dead().await;
    gateway.drop_plugin("stripe", &std::fs::read(plugin_file("stripe")).unwrap());
    gateway.reload().await;
    gateway.settle().await;

    assert_eq!((&receipt["state"], &receipt["body"]), (&json!("dead"), &json!(body)));
    assert_eq!(dead.len(), 1);
    assert_eq!((&dead[0]["id"], &dead[0]["detail"]), (&json!(id), &json!("too new")));
    assert_eq!(receiver.types(), ["payment.failed"]);
    assert_eq!(gateway.receipt(&id).await["state"], "done");
    assert_eq!(gateway.dead().await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_newer_plugin_that_is_there_at_a_start_parses_what_was_dead() {
    let receiver = Receiver::start().await;
    let (gateway, id, _) = unparsed(&receiver, "").await;

    gateway.drop_plugin("stripe", &std::fs::read(plugin_file("stripe")).unwrap());
    let gateway = gateway.restart().await;
    gateway.settle().await;

    assert_eq!(receiver.types(), ["payment.failed"]);
    assert_eq!(gateway.receipt(&id).await["state"], "done");
}

/// Guards I8 and I10.
#[tokio::test]
async fn a_restart_keeps_what_is_to_be_tried_again_and_its_order() {
    let receiver = Receiver::start().await;
    let gateway = guest_with(&receiver).start().await;

    let first = with(emit("first", "a", 1), json!({ "then": "retry", "until": 3 }));
    gateway.guest(&first).await.accepted();
    gateway.settle().await;
    gateway.guest(&emit("second", "a", 2)).await.accepted();
    gateway.settle().await;
    let gateway = gateway.restart().await;
    gateway.settle().await;
    let tried_once = run_of(&gateway.event("first").await, "guest")["tries_made"].clone();
    gateway.advance(SECOND_TRY).await;
    let gateway = gateway.restart().await;
    gateway.settle().await;
    let meanwhile = numbers(&receiver);
    gateway.advance(THIRD_TRY).await;

    assert_eq!(tried_once, 1);
    assert_eq!(meanwhile, Vec::<u64>::new());
    assert_eq!(numbers(&receiver), [1, 2]);
    let gateway = gateway.restart().await;
    gateway.settle().await;
    assert_eq!(numbers(&receiver), [1, 2]);
    assert_eq!(run_of(&gateway.event("first").await, "guest")["tries_made"], 3);
}

#[tokio::test]
async fn a_run_waits_for_a_handler_that_is_gone_and_for_its_return() {
    let receiver = Receiver::start().await;
    let gateway = guest_with(&receiver).start().await;

    let command = with(emit("1", "a", 1), json!({ "then": "retry", "until": 2 }));
    gateway.guest(&command).await.accepted();
    gateway.settle().await;
    let stopped = gateway.stop().await;
    let file = stopped.folder().join("plugins/guest.wasm");
    std::fs::remove_file(&file).unwrap();
    let gateway = stopped.start().await;
    // More often than anything is tried.
    for _ in 0..12 {
        gateway.advance(A_DAY).await;
    }
    let gone = run_of(&gateway.event("1").await, "guest");
    std::fs::copy(plugin_file("guest"), file).unwrap();
    gateway.reload().await;
    gateway.settle().await;

    assert_eq!(stands(&gone), ("pending", 1), "it has used no try");
    let run = run_of(&gateway.event("1").await, "guest");
    assert_eq!((stands(&run), numbers(&receiver)), (("done", 2), vec![1]));
}
