//! What operators ask and tell: lists, one event, the dead, replay, plugins, metrics, health.

mod access;
mod api;
mod audit;
mod bulk;
mod dead;
mod deliveries;
mod document;
mod event_types;
mod idempotency;
mod refused;
pub(crate) mod replay;
mod stream;
mod unread;
mod visitor;

use std::time::Duration;

use hookgate::event::Timestamp;
use serde_json::{Value, json};

use crate::harness::{
    Answer, Harness, NOW, Receiver, SECOND_TRY, STRIPE_SECRET, Setup, delivery_to, payment,
    plugin_file, reasons, run_of, stands, text, texts,
};

const MINUTE: Duration = Duration::from_secs(60);

/// A gateway with four events a minute apart, of two sources and in every state:
///
/// | event | source   | type              | subject | state   |
/// |-------|----------|-------------------|---------|---------|
/// | evt_1 | stripe   | payment.failed    | pi_1    | done    |
/// | evt_2 | stripe   | payment.succeeded | pi_2    | done    |
/// | 3     | guest    | guest.asked       | pi_1    | dead    |
/// | 4     | guest    | payment.failed    | pi_4    | pending |
async fn four_events() -> Harness {
    let secrets = format!("secrets = [{{ value = \"{STRIPE_SECRET}\" }}]");
    let gateway =
        Setup::guest().plugin("stripe").source("stripe", "stripe", &secrets).start().await;
    let minute = async || {
        gateway.settle().await;
        gateway.advance(MINUTE).await;
    };

    gateway.stripe(&payment("evt_1", "pi_1", "payment_failed")).await.accepted();
    minute().await;
    gateway.stripe(&payment("evt_2", "pi_2", "succeeded")).await.accepted();
    minute().await;
    gateway.guest(&json!({ "id": "3", "subject": "pi_1", "do": "fail" })).await.accepted();
    minute().await;
    let retried = json!({ "id": "4", "type": "payment.failed", "subject": "pi_4", "do": "retry" });
    gateway.guest(&retried).await.accepted();
    gateway.settle().await;
    gateway
}

/// What the sources called the events of a list, oldest first.
async fn listed(gateway: &Harness, query: &str) -> Vec<String> {
    gateway.events(query).await.iter().map(|event| text(&event["event_id"])).collect()
}

fn minutes_in(minutes: u32) -> Timestamp {
    NOW.after(MINUTE * minutes)
}

/// Refused, and the reason holds this.
#[track_caller]
fn check_refused(answer: &Answer, status: u16, reason: &str) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    let problem = answer.json();
    assert_eq!(problem["status"], status, "{problem}");
    let detail = text(&problem["detail"]);
    assert!(detail.contains(reason), "no `{reason}` in `{detail}`");
}

#[tokio::test]
async fn events_are_listed_newest_first() {
    let gateway = four_events().await;

    let answer = gateway.ask("/v1/events").await.json();

    assert_eq!(texts(&answer["items"], "event_id"), ["4", "3", "evt_2", "evt_1"]);
    assert_eq!(answer["next"], Value::Null);
    let newest = &answer["items"][0];
    assert_eq!(newest["recorded_at"], minutes_in(3).to_string());
    let oldest = &answer["items"][3];
    let expected = json!({
        "id": oldest["id"], "receipt": oldest["receipt"], "source": "stripe",
        "event_id": "evt_1", "type": "payment.failed", "subject": "pi_1",
        "time": "2023-11-14T22:13:20.000Z", "recorded_at": "2023-11-14T22:13:20.000Z",
        "state": "done",
    });
    assert_eq!(*oldest, expected);
}

#[tokio::test]
async fn every_filter_narrows_a_list() {
    let gateway = four_events().await;
    let (first, second) = (minutes_in(1), minutes_in(2));
    let cases = [
        ("source=stripe".to_owned(), &["evt_1", "evt_2"][..]),
        ("source=nobody".to_owned(), &[]),
        ("type=payment.failed".to_owned(), &["evt_1", "4"]),
        ("type=payment.*".to_owned(), &["evt_1", "evt_2", "4"]),
        ("subject=pi_1".to_owned(), &["evt_1", "3"]),
        ("state=done".to_owned(), &["evt_1", "evt_2"]),
        ("state=dead".to_owned(), &["3"]),
        ("state=pending".to_owned(), &["4"]),
        (format!("after={first}"), &["evt_2", "3", "4"]),
        (format!("before={first}"), &["evt_1"]),
        (format!("after={first}&before={second}"), &["evt_2"]),
        ("source=guest&type=payment.*&state=pending&subject=pi_4".to_owned(), &["4"]),
        ("source=guest&subject=pi_2".to_owned(), &[]),
    ];

    for (query, expected) in cases {
        assert_eq!(listed(&gateway, &query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn pages_show_every_event_once_also_while_more_come_in() {
    let gateway = Setup::stripe().start().await;
    let body = |number| payment(&format!("evt_{number}"), "pi_1", "succeeded");
    for number in 0..23 {
        gateway.stripe(&body(number)).await.accepted();
    }
    gateway.settle().await;

    let mut seen = Vec::new();
    let mut path = "/v1/events?limit=5".to_owned();
    loop {
        let page = gateway.ask(&path).await.json();
        let items = texts(&page["items"], "event_id");
        assert!(items.len() <= 5, "{items:?}");
        seen.extend(items);
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/events?limit=5&cursor={next}");
        gateway.stripe(&body(1000 + seen.len())).await.accepted();
        gateway.settle().await;
    }

    let expected: Vec<_> = (0..23).rev().map(|number| format!("evt_{number}")).collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn the_dead_come_in_pages_too() {
    let gateway = Setup::guest().start().await;
    for number in 0..7 {
        let command = json!({ "id": number.to_string(), "do": "fail", "at": "parse" });
        gateway.guest(&command).await.accepted();
    }
    gateway.settle().await;

    let all = texts(&gateway.dead().await.into(), "id");
    let mut seen = Vec::new();
    let mut path = "/v1/dead?limit=3".to_owned();
    loop {
        let page = gateway.ask(&path).await.json();
        seen.extend(texts(&page["items"], "id"));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/dead?limit=3&cursor={next}");
    }

    assert_eq!(all.len(), 7);
    assert_eq!(seen, all);
    for (filter, count) in [("kind=parse", 7), ("kind=run", 0), ("name=another", 0)] {
        let page = gateway.ask(&format!("/v1/dead?{filter}")).await.json();
        assert_eq!(texts(&page["items"], "id").len(), count, "{filter}");
    }
}

#[tokio::test]
async fn receipts_are_listed_by_source_and_state() {
    let gateway = Setup::guest().start().await;
    for number in 0..5 {
        let what = if number == 3 { "fail" } else { "nothing" };
        let command = json!({ "id": number.to_string(), "do": what, "at": "parse" });
        gateway.guest(&command).await.accepted();
    }
    gateway.settle().await;

    let mut seen = Vec::new();
    let mut path = "/v1/receipts?limit=2".to_owned();
    loop {
        let page = gateway.ask(&path).await.json();
        seen.extend(texts(&page["items"], "id"));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/receipts?limit=2&cursor={next}");
    }
    let dead = gateway.ask("/v1/receipts?state=dead").await.json();
    let other = gateway.ask("/v1/receipts?source=another").await.json();

    assert_eq!(seen.len(), 5);
    assert_eq!(texts(&dead["items"], "id"), seen[1..2]);
    assert_eq!(other["items"], json!([]));
}

#[tokio::test]
async fn a_cursor_goes_on_in_its_own_list_alone() {
    let gateway = Setup::stripe().start().await;
    for number in 0..2 {
        let body = payment(&format!("evt_{number}"), "pi_1", "succeeded");
        gateway.stripe(&body).await.accepted();
    }
    gateway.settle().await;

    let page = gateway.ask("/v1/events?source=stripe&limit=1").await.json();
    let next = page["next"].as_str().unwrap();
    let rest = gateway.ask(&format!("/v1/events?source=stripe&cursor={next}")).await.json();

    assert_eq!(texts(&rest["items"], "event_id"), ["evt_0"]);
    for other in ["/v1/events?limit=1", "/v1/events?source=adyen", "/v1/dead?limit=1"] {
        check_refused(&gateway.ask(&format!("{other}&cursor={next}")).await, 400, "`cursor`");
    }
}

#[tokio::test]
async fn a_parameter_that_can_not_be_read_is_named() {
    let gateway = Setup::new().start().await;
    let cases = [
        ("/v1/events?limit=0", "limit"),
        ("/v1/events?limit=501", "limit"),
        ("/v1/events?limit=many", "limit"),
        ("/v1/events?cursor=-1", "cursor"),
        ("/v1/events?cursor=v1.AAAA", "cursor"),
        ("/v1/events?state=broken", "state"),
        ("/v1/events?source=Stripe", "source"),
        ("/v1/events?type=pay*", "type"),
        ("/v1/events?after=yesterday", "after"),
        ("/v1/events?before=", "before"),
        ("/v1/events?colour=red", "colour"),
        ("/v1/events?limit=1&limit=2", "limit"),
        ("/v1/hours?after=today", "after"),
        ("/v1/hours?limit=1", "limit"),
        ("/v1/receipts?state=broken", "state"),
        ("/v1/receipts?subject=pi_1", "subject"),
        ("/v1/dead?kind=event", "kind"),
        ("/v1/dead?name=A", "name"),
        ("/v1/dead?limit=0", "limit"),
        ("/v1/dead?cursor=first", "cursor"),
        ("/v1/dead?state=dead", "state"),
    ];

    for (path, parameter) in cases {
        let answer = gateway.ask(path).await;
        assert_eq!(answer.status, 400, "{path}: {}", answer.body);
        let problem = answer.json();
        assert_eq!(problem["parameter"], parameter, "{path}: {problem}");
        let detail = text(&problem["detail"]);
        assert!(detail.starts_with(&format!("`{parameter}` ")), "{path}: {detail}");
    }
    let answer = gateway.ask("/v1/events?limit=many").await;
    check_refused(&answer, 400, "`limit` must be a number from 1 to 500, not `many`");
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let gateway = four_events().await;
    let other = Setup::stripe().start().await;
    let elsewhere = other.stripe(&payment("evt_1", "pi_1", "succeeded")).await.accepted();
    let event = text(&gateway.events("").await[0]["id"]);
    let digits = event.trim_start_matches("evt_");

    // An id of another store, and ids that stand for nothing, or for something else, in this one.
    check_refused(&gateway.ask(&format!("/v1/receipts/{elsewhere}")).await, 404, &elsewhere);
    let nothing = format!("rcp_{digits}");
    check_refused(&gateway.ask(&format!("/v1/receipts/{nothing}")).await, 404, &nothing);
    let last = format!("evt_zzzzzzzzzzzz{}", &digits[12..]);
    check_refused(&gateway.ask(&format!("/v1/events/{last}")).await, 404, &last);
    check_refused(&gateway.ask("/v1/nothing").await, 404, "path");
    let body = json!({ "ids": [event, elsewhere] });
    check_refused(&gateway.tell("/v1/replay", &body).await, 404, &elsewhere);
}

#[tokio::test]
async fn an_id_of_another_kind_is_refused() {
    let gateway = four_events().await;
    let event = &gateway.events("").await[0];
    let (event, receipt) = (text(&event["id"]), text(&event["receipt"]));

    let place = format!("look at /v1/receipts/{receipt}");
    check_refused(&gateway.ask(&format!("/v1/events/{receipt}")).await, 400, &place);
    let place = format!("look at /v1/events/{event}");
    check_refused(&gateway.ask(&format!("/v1/receipts/{event}")).await, 400, &place);
    check_refused(&gateway.ask(&format!("/v1/runs/{event}")).await, 400, &place);
    check_refused(&gateway.ask("/v1/events/evt_1").await, 400, "`evt_1` is not an id");
}

#[tokio::test]
async fn an_event_is_shown_with_all_that_became_of_it() {
    let receiver = Receiver::answering(500).await;
    let gateway = Setup::stripe()
        .endpoint_with("crm", &receiver, &["payment.*"], "retries = [\"10s\"]")
        .handler("dunning", "config = { alert_after = 1 }")
        .start()
        .await;

    let receipt = gateway.stripe(&payment("evt_1", "pi_1", "payment_failed")).await.accepted();
    gateway.settle().await;
    receiver.answer(204);
    gateway.advance(MINUTE).await;
    let shown = gateway.event("evt_1").await;

    assert_eq!((&shown["receipt"]["id"], &shown["state"]), (&json!(receipt), &json!("done")));
    assert_eq!((&shown["cause"], &shown["depth"]), (&Value::Null, &json!(0)));
    assert_eq!(shown["event"]["subject"], "pi_1");
    let run = run_of(&shown, "dunning");
    assert_eq!(stands(&run), ("done", 1));
    let tried = &run["tries"][0];
    assert_eq!(tried["plugin"]["name"], "dunning");
    assert_eq!((&tried["outcome"], &tried["verdict"]), (&json!("success"), &json!("done")));
    assert_eq!(tried["alerts"][0]["severity"], "warning", "{tried:#}");
    let delivery = delivery_to(&shown, "crm");
    assert_eq!(stands(&delivery), ("done", 2));
    let attempts = &delivery["attempts"];
    assert_eq!(texts(attempts, "verdict"), ["retry", "done"]);
    assert_eq!((&attempts[0]["status"], &attempts[1]["status"]), (&json!(500), &json!(204)));
    assert_eq!(reasons(attempts), ["the endpoint answered 500", ""]);
    assert_eq!(attempts[0]["at"], NOW.to_string());
    assert_eq!(attempts[1]["at"], minutes_in(1).to_string());

    // What its run emitted stands by itself and says where it comes from.
    let emitted = &gateway.events("type=customer.payment_failed_notice").await[0];
    let events = tried["events"].as_array().expect("a list");
    assert!(events.contains(&emitted["id"]), "{events:?}");
    let emitted = gateway.ask(&format!("/v1/events/{}", text(&emitted["id"]))).await.json();
    assert_eq!((&emitted["cause"], &emitted["depth"]), (&run["id"], &json!(1)));
}

#[tokio::test]
async fn a_run_and_a_delivery_lead_to_their_event() {
    let gateway = four_events().await;
    let event = gateway.event("3").await;
    let run = run_of(&event, "guest");

    let shown = gateway.ask(&format!("/v1/runs/{}", text(&run["id"]))).await.json();

    assert_eq!((&shown["id"], &shown["tries"]), (&run["id"], &run["tries"]));
    assert_eq!((&shown["event_id"], &shown["event"]["id"]), (&event["id"], &json!("3")));
    assert_eq!(shown["receipt_id"], event["receipt"]["id"]);
    let digits = text(&run["id"]).replacen("run_", "dlv_", 1);
    check_refused(&gateway.ask(&format!("/v1/deliveries/{digits}")).await, 404, &digits);
    let place = format!("look at /v1/deliveries/{digits}");
    check_refused(&gateway.ask(&format!("/v1/events/{digits}")).await, 400, &place);
}

#[tokio::test]
async fn a_method_that_a_path_does_not_take_is_refused_with_those_that_it_takes() {
    let gateway = Setup::new().start().await;
    for (answer, method, allowed) in [
        (gateway.tell("/v1/events", &json!({})).await, "POST", "GET,HEAD"),
        (gateway.ask("/v1/replay").await, "GET", "POST"),
        (gateway.tell("/v1/replays/rpl_1", &json!({})).await, "POST", "GET,HEAD,DELETE"),
    ] {
        check_refused(&answer, 405, method);
        assert_eq!(answer.headers["allow"], allowed);
    }
}

#[tokio::test]
async fn plugins_are_listed_with_what_is_wrong_with_them() {
    let gateway = Setup::stripe().handler("dunning", "").start().await;

    gateway.drop_plugin("broken", b"\0asm but no plugin");
    let report = gateway.reload().await;
    let rows = gateway.ask("/v1/plugins").await.json()["plugins"].clone();

    let reason = text(&report["plugins"][0]["reason"]);
    assert!(!reason.is_empty(), "{report:#}");
    assert_eq!(texts(&rows, "name"), ["broken", "dunning", "stripe"]);
    let broken = gateway.plugin("broken").await;
    assert_eq!((&broken["digest"], &broken["refused"]), (&Value::Null, &json!(reason)));
    let dunning = gateway.plugin("dunning").await;
    assert_eq!(dunning["handles"], json!(["payment.failed", "payment.succeeded"]));
    assert_eq!((&dunning["provider"], &dunning["refused"]), (&Value::Null, &Value::Null));
    let stripe = gateway.plugin("stripe").await;
    assert!(stripe["provider"].is_string() && stripe["handler"].is_null(), "{stripe:#}");
    let digest = text(&stripe["digest"]);
    assert!(digest.len() == 64 && digest.bytes().all(|it| it.is_ascii_hexdigit()), "{digest}");
}

#[tokio::test]
async fn metrics_count_what_happened_line_by_line() {
    let receiver = Receiver::answering(410).await;
    let gateway = Setup::stripe()
        .endpoint("crm", &receiver, &["payment.*"])
        .handler("dunning", "config = { alert_after = 1 }")
        .start()
        .await;
    let body = payment("evt_1", "pi_1", "payment_failed");
    gateway.stripe(&body).await.accepted();
    gateway.stripe(&body).await;
    gateway.stripe_with("whsec_wrong", &body).await;
    gateway.post("nobody", &[], "{}").await;
    gateway.post("../stripe/x", &[], "{}").await;
    gateway.settle().await;

    let answer = gateway.ask("/metrics").await;
    let lines: Vec<_> = answer.body.lines().collect();

    let content_type = answer.headers["content-type"].to_str().unwrap();
    assert!(content_type.starts_with("application/openmetrics-text"), "{content_type}");
    let expected = [
        r#"hookgate_requests_total{source="stripe",outcome="accepted"} 1"#,
        r#"hookgate_requests_total{source="stripe",outcome="duplicate"} 1"#,
        r#"hookgate_requests_total{source="stripe",outcome="refused"} 1"#,
        r#"hookgate_requests_total{source="",outcome="unknown_source"} 2"#,
        r#"hookgate_refusals_total{source="stripe",reason="mismatch"} 1"#,
        r#"hookgate_parses_total{source="stripe",outcome="success",cause=""} 1"#,
        r#"hookgate_runs_total{handler="dunning",outcome="success",cause=""} 1"#,
        r#"hookgate_attempts_total{endpoint="crm",outcome="permanent"} 1"#,
        r#"hookgate_alerts_total{handler="dunning",severity="warning"} 1"#,
        r#"hookgate_dead{kind="delivery"} 1"#,
        r#"hookgate_pending{kind="run"} 0"#,
        "hookgate_run_seconds_count 1",
    ];
    for line in expected {
        assert!(lines.contains(&line), "no `{line}` in\n{}", answer.body);
    }
    assert_eq!(lines.last(), Some(&"# EOF"));
    for line in lines.iter().filter(|line| !line.starts_with("# ")) {
        let (name, number) = line.rsplit_once(' ').expect("a name and a number");
        assert!(name.starts_with("hookgate_"), "{line}");
        assert!(number.parse::<f64>().is_ok(), "{line}");
    }
}

#[tokio::test]
async fn it_is_ready_once_every_source_has_its_plugin() {
    let secrets = format!("secrets = [{{ value = \"{STRIPE_SECRET}\" }}]");
    let gateway = Setup::new().source("cards", "stripe", &secrets).start().await;

    let before = gateway.ask("/readyz").await;
    gateway.drop_plugin("stripe", &std::fs::read(plugin_file("stripe")).unwrap());
    let report = gateway.reload().await;
    let after = gateway.ask("/readyz").await;

    assert_eq!(before.status, 503);
    assert_eq!(before.json()["missing"], json!(["source cards: plugin stripe is not loaded"]));
    assert_eq!(report["plugins"], json!([{ "plugin": "stripe", "outcome": "loaded" }]));
    assert_eq!((after.status, after.body.as_str()), (200, "ready\n"));
    assert_eq!(gateway.ask("/healthz").await.body, "ok\n", "it was in health all along");
}

#[tokio::test]
async fn each_port_answers_only_its_own() {
    let gateway = Setup::stripe().start().await;

    for path in ["/v1/events", "/v1/dead", "/v1/plugins", "/metrics", "/readyz"] {
        let outside = gateway.client().get(format!("{}{path}", gateway.public()));
        assert_eq!(outside.send().await.unwrap().status(), 404, "{path}");
        assert_ne!(gateway.ask(path).await.status, 404, "{path}");
    }
    for path in ["/v1/replay", "/v1/reload"] {
        let outside = gateway.client().post(format!("{}{path}", gateway.public()));
        assert_eq!(outside.send().await.unwrap().status(), 404, "{path}");
    }
    let body = payment("evt_1", "pi_1", "succeeded");
    let inside = gateway.client().post(format!("{}/in/stripe", gateway.admin())).body(body);
    let inside = inside.header("content-type", "application/json");
    assert_eq!(inside.send().await.unwrap().status(), 404);
    let health = gateway.client().get(format!("{}/healthz", gateway.public()));
    assert_eq!(health.send().await.unwrap().status(), 200);
}
