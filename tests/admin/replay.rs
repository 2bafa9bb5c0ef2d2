//! Replay: what is done again, what is tried now, and what is left as it is.

use super::*;

/// Guards I8. Take the look for a replay out of `Delivery::record`, and whoever replays last week's
/// dead letters is alerted that deliveries take a week.
#[tokio::test]
async fn a_dead_delivery_that_is_replayed_keeps_its_id() {
    let receiver = Receiver::answering(500).await;
    let gateway = Setup::stripe()
        .endpoint_with("crm", &receiver, &["payment.*"], "retries = []")
        .start()
        .await;
    gateway.stripe(&payment("evt_1", "pi_1", "succeeded")).await.accepted();
    gateway.settle().await;
    let dead = text(&gateway.dead().await[0]["id"]);

    receiver.answer(204);
    gateway.advance(MINUTE).await;
    gateway.replay(&dead).await;

    assert_eq!(receiver.received().len(), 2);
    assert_eq!(receiver.ids().into_iter().collect::<Vec<_>>(), [dead]);
    assert_eq!(gateway.dead().await, Vec::<Value>::new());
    let delivery = delivery_to(&gateway.event("evt_1").await, "crm");
    assert_eq!(texts(&delivery["attempts"], "verdict"), ["dead", "done"]);
    assert_eq!(delivery["reopened_at"], json!([minutes_in(1).to_string()]));

    let timed = async || {
        let metrics = gateway.ask("/metrics").await.body;
        let count =
            metrics.lines().find_map(|it| it.strip_prefix("hookgate_delivery_seconds_count "));
        count.map(str::to_owned)
    };
    assert_eq!(timed().await.as_deref(), Some("0"), "a replay says nothing of the way");
    gateway.stripe(&payment("evt_2", "pi_2", "succeeded")).await.accepted();
    gateway.settle().await;
    assert_eq!(timed().await.as_deref(), Some("1"));
}

/// The works that a replay has reopened, hastened, and left as they are.
#[track_caller]
fn counts(replay: &Value) -> [u64; 3] {
    ["reopened", "hastened", "unchanged"].map(|name| replay[name].as_u64().expect("it is counted"))
}

#[tokio::test]
async fn a_replay_by_filter_touches_what_matches_and_no_more() {
    let receiver = Receiver::answering(500).await;
    let gateway = Setup::stripe()
        .endpoint_with("crm", &receiver, &["payment.*"], "retries = []")
        .start()
        .await;
    for (id, subject) in [("evt_1", "pi_1"), ("evt_2", "pi_2"), ("evt_3", "pi_1")] {
        gateway.stripe(&payment(id, subject, "succeeded")).await.accepted();
        gateway.settle().await;
    }
    receiver.answer(204);

    let filter = json!({ "subject": "pi_1", "state": "dead" });
    let replayed = gateway.replay_matching(&filter).await;
    let again = gateway.replay_matching(&filter).await;

    assert_eq!(counts(&replayed), [2, 0, 0], "{replayed}");
    assert_eq!(replayed["filter"], filter);
    let now = json!(NOW.to_string());
    assert_eq!([&replayed["requested_at"], &replayed["finished_at"]], [&now; 2]);
    assert_eq!(counts(&again), [0, 0, 0], "{again}");
    assert_eq!(listed(&gateway, "state=dead").await, ["evt_2"]);
    assert_eq!(listed(&gateway, "state=done").await, ["evt_1", "evt_3"]);
    assert_eq!(receiver.received().len(), 5);
}

#[tokio::test]
async fn a_replay_that_does_not_say_what_is_refused_and_replays_nothing() {
    let receiver = Receiver::start().await;
    let gateway = Setup::stripe().endpoint("crm", &receiver, &["payment.*"]).start().await;
    gateway.stripe(&payment("evt_1", "pi_1", "succeeded")).await.accepted();
    gateway.settle().await;
    let cases = [
        (json!({ "filter": {} }), "empty filter"),
        (json!({ "ids": [] }), "ids"),
        (json!({}), "ids"),
        (json!({ "ids": ["evt_1"] }), "evt_1"),
        (json!({ "filter": { "subject": "pi_1" }, "ids": ["evt_1"] }), "evt_1"),
        (json!({ "filter": { "subjekt": "pi_1" } }), "subjekt"),
        (json!({ "filter": { "state": "broken" } }), "broken"),
        (json!({ "all": true }), "all"),
        (json!("everything"), "everything"),
        (json!({ "filter": { "subject": "pi_1" }, "cursor": "0-9" }), "`cursor`"),
    ];

    for (body, reason) in cases {
        check_refused(&gateway.tell("/v1/replay", &body).await, 422, reason);
    }
    gateway.settle().await;

    assert_eq!(receiver.received().len(), 1, "it was delivered when it came, and never again");
}

#[tokio::test]
async fn what_waits_for_another_try_is_tried_now_if_an_operator_says_so() {
    let receiver = Receiver::answering(503).await;
    let gateway = Setup::stripe()
        .endpoint_with("crm", &receiver, &["payment.*"], "retries = [\"1h\"]")
        .start()
        .await;
    for id in ["evt_1", "evt_2"] {
        gateway.stripe(&payment(id, "pi_1", "succeeded")).await.accepted();
        gateway.settle().await;
    }
    receiver.answer(204);
    let delivery = text(&delivery_to(&gateway.event("evt_1").await, "crm")["id"]);

    let one = gateway.tell("/v1/replay", &json!({ "ids": [delivery] })).await.json();
    gateway.settle().await;
    let rest = gateway.replay_matching(&json!({ "state": "pending" })).await;

    assert_eq!(counts(&one)[..2], [0, 1], "{one}");
    assert_eq!(counts(&rest)[..2], [0, 1], "{rest}");
    assert_eq!(listed(&gateway, "state=done").await, ["evt_1", "evt_2"]);
    assert_eq!(receiver.received().len(), 4);
}

/// Guards I8 and I10.
#[tokio::test]
async fn a_replay_by_filter_goes_on_after_a_restart_though_nobody_waits_for_it() {
    let gateway = Setup::guest().start().await;
    for id in ["a", "b"] {
        gateway.guest(&json!({ "id": id, "events": 600 })).await.accepted();
    }
    gateway.settle().await;

    let begun = gateway.tell("/v1/replay", &json!({ "filter": { "source": "guest" } })).await;
    assert_eq!(begun.status, 202, "{}", begun.body);
    let gateway = gateway.restart().await;
    gateway.settle().await;

    let path = format!("/v1/replays/{}", text(&begun.json()["id"]));
    let replay = gateway.ask(&path).await.json();
    assert_eq!(counts(&replay), [1200, 0, 0], "{replay}");
    assert!(replay["finished_at"].is_string(), "{replay}");
}

#[tokio::test]
async fn a_replay_that_was_never_begun_is_not_there() {
    let gateway = Setup::stripe().start().await;
    let id = "000000000001000000";

    check_refused(&gateway.ask(&format!("/v1/replays/rpl_{id}")).await, 404, "rpl_");
    let elsewhere = format!("/v1/replays/rpl_{id}");
    check_refused(&gateway.ask(&format!("/v1/events/rpl_{id}")).await, 400, &elsewhere);
    let named = gateway.tell("/v1/replay", &json!({ "ids": [format!("rpl_{id}")] })).await;
    check_refused(&named, 404, "rpl_");
}

#[tokio::test]
async fn a_replay_is_found_in_the_list_and_canceled_while_it_waits_near_a_mark() {
    let gateway = Setup::guest().table("[limits]\nbacklog = 4").start().await;
    for id in ["1", "2", "3"] {
        gateway.guest(&json!({ "id": id, "do": "retry" })).await.accepted();
        gateway.settle().await;
    }
    let begun = gateway.tell("/v1/replay", &json!({ "filter": { "source": "guest" } })).await;
    gateway.settle().await;
    let listed = gateway.ask("/v1/replays").await.json();
    let mut waiting = begun.json();
    waiting["waits"] = json!(true);
    assert_eq!(listed, json!({ "replays": [waiting] }));
    gateway.guest(&json!({ "id": "4" })).await.accepted();

    let path = format!("/v1/replays/{}", text(&listed["replays"][0]["id"]));
    let canceled = gateway.delete(&path).await.json();

    assert_eq!(canceled["canceled"], true, "{canceled}");
    assert_eq!(canceled["finished_at"], NOW.to_string(), "{canceled}");
    assert_eq!(gateway.delete(&path).await.json(), canceled);
    assert_eq!(gateway.ask("/v1/replays").await.json(), json!({ "replays": [canceled] }));
    let id = "000000000001000000";
    check_refused(&gateway.delete(&format!("/v1/replays/rpl_{id}")).await, 404, "rpl_");
    check_refused(&gateway.delete(&format!("/v1/events/evt_{id}")).await, 405, "DELETE");
}

#[tokio::test]
async fn a_replay_that_waits_for_the_disk_settles_and_goes_on_when_there_is_room() {
    let mark = |bytes: u64| format!("disk_free_bytes = {bytes}");
    let [room, no_room] = [mark(0), mark(1 << 50)];
    let gateway = Setup::guest().table(&format!("[limits]\n{room}")).start().await;
    gateway.guest(&json!({ "id": "1" })).await.accepted();
    gateway.settle().await;
    gateway.reconfigure(|config| config.replace(&room, &no_room)).await;

    let begun = gateway.tell("/v1/replay", &json!({ "filter": { "source": "guest" } })).await;
    let path = format!("/v1/replays/{}", text(&begun.json()["id"]));
    gateway.settle().await;
    let waiting = gateway.ask(&path).await.json();
    assert_eq!([&waiting["waits"], &waiting["finished_at"]], [&json!(true), &Value::Null]);

    gateway.reconfigure(|config| config.replace(&no_room, &room)).await;
    while gateway.ask(&path).await.json()["finished_at"].is_null() {}
    assert_eq!(counts(&gateway.ask(&path).await.json())[0], 1);
}

#[tokio::test]
pub(crate) async fn a_run_hears_which_try_it_is_and_whether_a_person_requested_it_again() {
    let gateway = Setup::guest().start().await;
    let command = json!({ "id": "1", "do": "attempt", "then": "retry", "until": 2 });
    gateway.guest(&command).await.accepted();
    gateway.settle().await;
    gateway.advance(SECOND_TRY).await;

    gateway.replay(&text(&run_of(&gateway.event("1").await, "guest")["id"])).await;
    gateway.advance(SECOND_TRY).await;

    let run = run_of(&gateway.event("1").await, "guest");
    let tries = run["tries"].as_array().cloned().unwrap_or_default();
    let heard: Vec<String> =
        tries.iter().flat_map(|tried| texts(&tried["log"], "message")).collect();
    let by_a_person = "replay: Some(Replay { by: \"operator\" })";
    let expected = [
        ("attempt: 1,", "replay: None"),
        ("attempt: 2,", "replay: None"),
        ("attempt: 1,", by_a_person),
        ("attempt: 2,", by_a_person),
    ];
    assert_eq!(heard.len(), expected.len(), "{heard:?}");
    for (context, (attempt, replay)) in heard.iter().zip(expected) {
        assert!(context.contains(attempt) && context.contains(replay), "{context}");
    }
}

#[tokio::test]
async fn what_a_replayed_run_emits_has_ids_of_its_own_and_a_retry_changes_none() {
    let receiver = Receiver::start().await;
    let gateway = Setup::guest()
        .endpoint_with("crm", &receiver, &["guest.emitted"], "body = \"cloudevents\"")
        .table("[handlers.guest]\nendpoints = [\"crm\"]")
        .start()
        .await;
    let command = json!({ "id": "1", "do": "emit", "data": {}, "then": "retry", "until": 2 });
    gateway.guest(&command).await.accepted();
    gateway.settle().await;
    gateway.advance(SECOND_TRY).await;

    let run = text(&run_of(&gateway.event("1").await, "guest")["id"]);
    for _ in 0..2 {
        gateway.replay(&run).await;
        gateway.advance(SECOND_TRY).await;
    }

    let received = receiver.received();
    let ids: Vec<String> = received.iter().map(|delivery| text(&delivery.json()["id"])).collect();
    assert_eq!(ids, [format!("{run}.1"), format!("{run}.1.r1"), format!("{run}.1.r2")]);
}
