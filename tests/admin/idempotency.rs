//! Writes with an `Idempotency-Key`: done once, with the same answer each time.

use super::*;
use crate::harness::Process;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// What a write with a key is answered.
async fn written(
    client: &reqwest::Client,
    admin: &str,
    (method, path): (&str, &str),
    (key, body): (&str, &Value),
) -> Answer {
    let request = client.request(method.parse().unwrap(), format!("{admin}{path}"));
    crate::harness::answer(request.header("idempotency-key", key).json(body)).await
}

/// A replay with a key.
async fn replay(gateway: &Harness, key: &str, body: &Value) -> Answer {
    written(gateway.client(), gateway.admin(), ("POST", "/v1/replay"), (key, body)).await
}

/// A gateway with a delivery that is done, and the body of a replay of it.
async fn delivered() -> (Harness, Receiver, Value) {
    let receiver = Receiver::start().await;
    let gateway = Setup::stripe().endpoint("crm", &receiver, &["payment.*"]).start().await;
    gateway.stripe(&payment("evt_1", "pi_1", "succeeded")).await.accepted();
    gateway.settle().await;
    let delivery = delivery_to(&gateway.event("evt_1").await, "crm");
    let ids = json!({ "ids": [delivery["id"]] });
    (gateway, receiver, ids)
}

fn is_again(answer: &Answer) -> bool {
    answer.headers.get("idempotency-replayed").is_some_and(|value| value == "true")
}

#[tokio::test]
async fn a_write_is_done_once_and_answered_alike_however_often_it_is_sent() {
    let (gateway, receiver, ids) = delivered().await;

    let first = replay(&gateway, "a-1", &ids).await;
    gateway.settle().await;
    let again = replay(&gateway, "a-1", &ids).await;
    gateway.settle().await;

    assert_eq!((first.status, &first.json()["reopened"]), (200, &json!(1)));
    assert_eq!((again.status, &again.body), (200, &first.body));
    assert_eq!(again.headers["content-type"], first.headers["content-type"]);
    assert!(!is_again(&first) && is_again(&again));
    assert_eq!(receiver.received().len(), 2);
    // Without a key, and with another, it is done again.
    gateway.tell("/v1/replay", &ids).await;
    gateway.settle().await;
    replay(&gateway, "a-2", &ids).await;
    gateway.settle().await;
    assert_eq!(receiver.received().len(), 4);
}

/// A client that gives up on an answer and asks again may do so while the first request goes on.
#[tokio::test]
async fn of_requests_with_one_key_at_once_one_is_done_and_none_is_in_doubt() {
    let (gateway, receiver, ids) = delivered().await;

    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (client, admin) = (gateway.client().clone(), gateway.admin().to_owned());
        let ids = ids.clone();
        let replay = ("POST", "/v1/replay");
        asked.spawn(async move { written(&client, &admin, replay, ("a", &ids)).await });
    }
    let answers = asked.join_all().await;
    gateway.settle().await;

    let firsts = answers.iter().filter(|it| it.status == 200 && !is_again(it)).count();
    assert_eq!(firsts, 1);
    for answer in answers.iter().filter(|it| it.status != 200) {
        check_refused(answer, 409, "is not answered yet");
    }
    assert!(is_again(&replay(&gateway, "a", &ids).await));
    assert_eq!(receiver.received().len(), 2);
}

#[tokio::test]
async fn an_answer_is_kept_over_a_restart_and_for_a_day() {
    let (gateway, receiver, ids) = delivered().await;
    let first = replay(&gateway, "a", &ids).await;
    gateway.settle().await;

    let gateway = gateway.restart().await;
    gateway.advance(HOUR * 23).await;
    assert!(is_again(&replay(&gateway, "a", &ids).await));
    gateway.advance(HOUR * 3).await;
    let later = replay(&gateway, "a", &ids).await;
    gateway.settle().await;

    assert!(!is_again(&later) && !is_again(&first));
    assert_eq!(receiver.received().len(), 3);
}

#[tokio::test]
async fn another_request_with_a_key_that_was_used_is_refused() {
    let (gateway, receiver, ids) = delivered().await;
    replay(&gateway, "a", &ids).await;
    gateway.settle().await;

    let other = json!({ "filter": { "source": "stripe" } });
    check_refused(&replay(&gateway, "a", &other).await, 422, "another request");
    let (client, admin) = (gateway.client(), gateway.admin());
    let reload = written(client, admin, ("POST", "/v1/reload"), ("a", &json!({}))).await;
    check_refused(&reload, 422, "another request");
    assert_eq!(receiver.received().len(), 2);
}

#[tokio::test]
async fn what_was_refused_is_answered_alike_and_what_is_wrong_with_a_key_is_said() {
    let (gateway, ..) = delivered().await;
    let wrong = json!({ "ids": [] });
    check_refused(&replay(&gateway, "a", &wrong).await, 422, "`ids` must have");
    let again = replay(&gateway, "a", &wrong).await;
    check_refused(&again, 422, "`ids` must have");
    assert!(is_again(&again));

    for key in ["", "two words", &"x".repeat(256)] {
        check_refused(&replay(&gateway, key, &wrong).await, 400, "1 to 255 visible characters");
    }
    let token = json!({ "name": "ci", "scopes": ["read"] });
    let (client, admin) = (gateway.client(), gateway.admin());
    let made = written(client, admin, ("POST", "/v1/tokens"), ("b", &token)).await;
    check_refused(&made, 400, "takes no `Idempotency-Key`");
    assert_eq!(gateway.ask("/v1/tokens").await.json(), json!({ "tokens": [] }));
}

/// Guards I1: what was answered stays so.
#[tokio::test]
async fn a_retry_after_a_kill_gets_the_answer_that_was_lost() {
    let setup = Setup::stripe().prepare();
    let gateway = Process::start(setup).await;
    let id = gateway.stripe(&payment("evt_1", "pi_1", "succeeded")).await.accepted();
    assert!(id.starts_with("rcp_"));
    gateway.settle().await;
    let filter = json!({ "filter": { "source": "stripe" } });
    let begin = ("POST", "/v1/replay");
    let first = written(gateway.client(), gateway.admin(), begin, ("a", &filter)).await;
    assert_eq!(first.status, 202, "{}", first.body);

    let gateway = Process::start(gateway.kill().await).await;
    let again = written(gateway.client(), gateway.admin(), begin, ("a", &filter)).await;

    assert_eq!((again.status, &again.body), (202, &first.body));
    assert!(is_again(&again));
    gateway.settle().await;
    let replays = gateway.ask("/v1/replays").await.json();
    assert_eq!(replays["replays"].as_array().map(Vec::len), Some(1), "{replays}");
    gateway.terminate().await;
}
