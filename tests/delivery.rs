//! The way out: what an endpoint gets, how often it is tried, and what stands in the record of it.

mod breaker;
mod disabling;
mod held;
mod pacing;

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{
    ENDPOINT_SECRET, GUEST_TOKEN, Harness, NOW, Receiver, SECOND_ATTEMPT, Setup, THIRD_ATTEMPT,
    delivery_to, payment, reasons, stands, text, texts,
};

/// Another secret of an endpoint.
const NEXT_SECRET: &str = "whsec_bmV4dCBzZWNyZXQgb2YgdGhlIGVuZHBvaW50IQ==";

/// The delays before the second attempt, the third, and so on.
const DELAYS_SECS: [u64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];

/// Sooner than a delay of a minute is over, with the most jitter.
const SHORT_OF_A_MINUTE: Duration = Duration::from_secs(47);
/// After that, until it is over in any case.
const REST_OF_THE_MINUTE: Duration = Duration::from_secs(26);
/// Past a delay of an hour, jitter and all.
const PAST_AN_HOUR: Duration = Duration::from_secs(4_321);
const DAY: Duration = Duration::from_secs(86_400);

/// One endpoint, which gets the failed payments.
async fn one(receiver: &Receiver, rest: &str) -> Harness {
    Setup::stripe().endpoint_with("crm", receiver, &["payment.failed"], rest).start().await
}

async fn fail_a_payment(gateway: &Harness) {
    fail(gateway, "evt_1").await;
    gateway.settle().await;
}

async fn fail(gateway: &Harness, event_id: &str) {
    gateway.stripe(&payment(event_id, "pi_1", "payment_failed")).await.accepted();
}

/// The endpoint as operators see it.
async fn endpoint(gateway: &Harness) -> Value {
    gateway.ask("/v1/endpoints").await.json()["items"][0].clone()
}

/// Has an operator do this to the endpoint.
async fn act(gateway: &Harness, what: &str) {
    let path = format!("/v1/endpoints/{}/{what}", text(&endpoint(gateway).await["id"]));
    let done = gateway.tell(&path, &json!({})).await;
    assert_eq!(done.status, 200, "{what}: {}", done.body);
}

/// The delivery of the payment's event.
async fn delivery(gateway: &Harness) -> Value {
    delivery_to(&gateway.event("evt_1").await, "crm")
}

#[tokio::test]
async fn a_delivery_is_signed_with_every_secret_of_the_endpoint() {
    let receiver = Receiver::start().await;
    let gateway = one(&receiver, "").await;
    let both = format!("{{ value = \"{ENDPOINT_SECRET}\" }}, {{ value = \"{NEXT_SECRET}\" }}");
    let first = format!("{{ value = \"{ENDPOINT_SECRET}\" }}");
    gateway.reconfigure(|config| config.replace(&first, &both)).await;

    fail_a_payment(&gateway).await;

    let received = &receiver.received()[0];
    assert!(received.is_signed_with(ENDPOINT_SECRET) && received.is_signed_with(NEXT_SECRET));
    assert!(!received.is_signed_with("whsec_c29tZWJvZHkgZWxzZSdzIHNlY3JldCBrZXkh"));
    assert_eq!(received.header("webhook-timestamp"), NOW.seconds().to_string());
    assert!(received.header("user-agent").starts_with("hookgate/"));
}

#[tokio::test]
async fn a_credential_of_the_configuration_goes_with_each_delivery() {
    for (credential, name, value) in [
        ("{ bearer = { value = \"open-sesame\" } }", "authorization", "Bearer open-sesame"),
        (
            "{ basic = { username = \"shop\", password = { value = \"sesame\" } } }",
            "authorization",
            "Basic c2hvcDpzZXNhbWU=",
        ),
        ("{ header = { name = \"X-Key\", value = { value = \"open\" } } }", "x-key", "open"),
    ] {
        let receiver = Receiver::start().await;
        let gateway = one(&receiver, &format!("credential = {credential}")).await;
        fail_a_payment(&gateway).await;
        let received = &receiver.received()[0];
        assert_eq!(received.header(name), value);
        assert!(received.is_signed_with(ENDPOINT_SECRET));
    }
}

#[tokio::test]
async fn the_standard_body_is_type_timestamp_and_data() {
    let receiver = Receiver::start().await;
    let gateway = one(&receiver, "body = \"standard\"").await;

    fail_a_payment(&gateway).await;

    let received = &receiver.received()[0];
    let data = json!({
        "id": "pi_1", "object": "payment_intent", "amount": 1000, "currency": "usd",
    });
    let expected =
        json!({ "type": "payment.failed", "timestamp": "2023-11-14T22:13:20.000Z", "data": data });
    assert_eq!(received.header("content-type"), "application/json");
    assert_eq!(received.json(), expected);
    assert!(received.is_signed_with(ENDPOINT_SECRET));
}

#[tokio::test]
async fn a_cloud_event_names_the_provider_s_event_and_the_source() {
    let receiver = Receiver::start().await;
    let gateway = one(&receiver, "body = \"cloudevents\"").await;

    fail_a_payment(&gateway).await;

    let received = &receiver.received()[0];
    let expected = json!({
        "specversion": "1.0",
        "id": "evt_1",
        "source": "stripe",
        "type": "payment.failed",
        "subject": "pi_1",
        "time": "2023-11-14T22:13:20.000Z",
        "datacontenttype": "application/json",
        "amount": "10.00",
        "currency": "USD",
        "data": { "id": "pi_1", "object": "payment_intent", "amount": 1000, "currency": "usd" },
    });
    assert_eq!(received.header("content-type"), "application/cloudevents+json");
    assert_eq!(received.json(), expected);
    assert!(received.is_signed_with(ENDPOINT_SECRET));
}

#[tokio::test]
async fn a_raw_body_is_what_the_provider_sent_to_the_byte() {
    let receiver = Receiver::start().await;
    let gateway =
        Setup::guest().endpoint_with("archive", &receiver, &["*"], "body = \"raw\"").start().await;

    let body = b"{ \"subject\": \"a\",\r\n\t\"n\": 1.00000000000000000001 }\n\n".to_vec();
    let headers = [("x-token", GUEST_TOKEN), ("content-type", "text/x-odd; charset=none")];
    gateway.post("guest", &headers, body.clone()).await.accepted();
    gateway.settle().await;

    assert_eq!(gateway.dead().await, Vec::<Value>::new());
    let received = &receiver.received()[0];
    assert_eq!(received.body, body);
    assert_eq!(received.header("content-type"), "text/x-odd; charset=none");
    assert!(received.is_signed_with(ENDPOINT_SECRET));
}

#[tokio::test]
async fn the_webhook_id_is_the_same_on_every_attempt_and_differs_by_event_and_endpoint() {
    let (crm, audit) = (Receiver::answering(503).await, Receiver::answering(503).await);
    let gateway = Setup::stripe()
        .endpoint("crm", &crm, &["payment.failed"])
        .endpoint("audit", &audit, &["payment.failed"])
        .start()
        .await;

    fail(&gateway, "evt_1").await;
    fail(&gateway, "evt_2").await;
    gateway.settle().await;
    gateway.advance(SECOND_ATTEMPT).await;

    assert_eq!((crm.received().len(), audit.received().len()), (4, 4));
    assert_eq!((crm.ids().len(), audit.ids().len()), (2, 2));
    assert!(crm.ids().is_disjoint(&audit.ids()));
    let ids = [delivery(&gateway).await, delivery_to(&gateway.event("evt_2").await, "crm")];
    assert_eq!(crm.ids(), ids.iter().map(|delivery| text(&delivery["id"])).collect());
}

#[tokio::test]
async fn every_attempt_is_signed_for_its_own_time() {
    let receiver = Receiver::answering(503).await;
    let gateway = one(&receiver, "").await;

    fail_a_payment(&gateway).await;
    gateway.advance(SECOND_ATTEMPT).await;

    let received = receiver.received();
    let times: Vec<_> = received.iter().map(|it| it.header("webhook-timestamp")).collect();
    assert_eq!(times, ["1700000000", "1700000007"]);
    assert!(received.iter().all(|delivery| delivery.is_signed_with(ENDPOINT_SECRET)));
}

/// Guards I8.
#[tokio::test]
async fn a_refused_delivery_is_tried_on_the_schedule_then_dead_and_replayed_with_its_id() {
    let receiver = Receiver::answering(500).await;
    let gateway = one(&receiver, "").await;

    fail_a_payment(&gateway).await;
    for (number, delay) in DELAYS_SECS.into_iter().enumerate() {
        let millis = delay * 1_000;
        assert_eq!(delivery(&gateway).await["state"], "pending");
        // Jitter is a fifth to either side.
        gateway.advance(Duration::from_millis(millis * 4 / 5 - 1)).await;
        assert_eq!(receiver.received().len(), number + 1, "sooner than {delay} s allows");
        gateway.advance(Duration::from_millis(millis * 2 / 5 + 1)).await;
        assert_eq!(receiver.received().len(), number + 2, "later than {delay} s allows");
    }
    let dead = delivery(&gateway).await;
    let letters = gateway.dead().await;
    gateway.advance(DAY * 7).await;
    let in_the_end = receiver.received().len();
    receiver.answer(200);
    gateway.replay(&text(&dead["id"])).await;

    assert_eq!(stands(&dead), ("dead", 10));
    assert_eq!((letters.len(), &letters[0]["detail"]), (1, &json!("the endpoint answered 500")));
    assert_eq!(letters[0]["reason"], "endpoint_refused");
    assert_eq!(letters[0]["schedule_ended"], true);
    assert_eq!(in_the_end, 10);
    let replayed = delivery(&gateway).await;
    assert_eq!(stands(&replayed), ("done", 1));
    assert_eq!((receiver.received().len(), receiver.ids().len()), (11, 1));
    assert_eq!(gateway.dead().await, Vec::<Value>::new());
}

/// Guards I8.
#[tokio::test]
async fn a_dead_letter_says_its_cause_phase_address_and_times() {
    let receiver = Receiver::start().await;
    receiver.answer_saying(500, "x".repeat(5_000));
    let patience = "retries = [\"1m\"]";
    let secure = format!(
        "[endpoints.secure]\nurl = \"{}\"\nevents = [\"payment.failed\"]\n\
         secrets = [{{ value = \"{ENDPOINT_SECRET}\" }}]\n{patience}",
        receiver.url().replacen("http:", "https:", 1)
    );
    let setup = Setup::stripe().endpoint_with("crm", &receiver, &["payment.failed"], patience);
    let gateway = setup.table(&secure).start().await;

    fail_a_payment(&gateway).await;
    gateway.advance(SHORT_OF_A_MINUTE + REST_OF_THE_MINUTE).await;

    let event = gateway.event("evt_1").await;
    let peer = receiver.url().trim_start_matches("http://").trim_end_matches("/hooks");
    for (endpoint, reason, phase, phases) in [
        ("crm", "endpoint_refused", "body", ["connect", "send", "headers", "body"].as_slice()),
        ("secure", "endpoint_tls", "tls", ["resolve", "connect", "tls"].as_slice()),
    ] {
        let delivery = delivery_to(&event, endpoint);
        let attempts = delivery["attempts"].as_array().unwrap();
        assert_eq!(attempts.len(), 2, "{delivery:#}");
        for attempt in attempts {
            let ended = (&attempt["reason"], &attempt["phase"], &attempt["peer"]);
            assert_eq!(ended, (&json!(reason), &json!(phase), &json!(peer)), "{attempt:#}");
        }
        let times = &attempts[0]["times_us"];
        assert!(phases.iter().all(|phase| times[phase].is_u64()), "{times}");
        let found = gateway.ask(&format!("/v1/dead?reason={reason}")).await.json();
        assert_eq!(texts(&found["items"], "id"), [text(&delivery["id"])]);
        let letter = &found["items"][0];
        assert_eq!(
            (&letter["detail"], &letter["schedule_ended"], &letter["tries_made"]),
            (&attempts[1]["detail"], &json!(true), &json!(2))
        );
    }
    let answered = &delivery_to(&event, "crm")["attempts"][1];
    assert_eq!((&answered["status"], &answered["causes"]), (&json!(500), &json!([])));
    assert_eq!(text(&answered["answer"]), "x".repeat(4_096));
    assert_eq!(answered["content_type"], "text/plain; charset=utf-8");
    let causes = delivery_to(&event, "secure")["attempts"][1]["causes"].clone();
    let outermost = format!("failed to negotiate TLS with `{peer}`");
    assert_eq!((&causes[0], causes.as_array().unwrap().len()), (&json!(outermost), 2));
}

#[tokio::test]
async fn an_endpoint_may_have_a_schedule_of_its_own() {
    let receiver = Receiver::answering(500).await;
    let gateway = one(&receiver, "retries = [\"1m\"]").await;

    fail_a_payment(&gateway).await;
    gateway.advance(SHORT_OF_A_MINUTE).await;
    let too_soon = receiver.received().len();
    gateway.advance(REST_OF_THE_MINUTE).await;

    assert_eq!((too_soon, receiver.received().len()), (1, 2));
    assert_eq!(delivery(&gateway).await["state"], "dead");
}

#[tokio::test]
async fn a_delay_that_the_endpoint_asks_for_is_kept() {
    let receiver = Receiver::start().await;
    receiver.answer_with(429, vec![("retry-after", "120".to_owned())]);
    let gateway = one(&receiver, "").await;

    fail_a_payment(&gateway).await;
    receiver.answer(204);
    gateway.advance(Duration::from_secs(119)).await;
    let too_soon = receiver.received().len();
    gateway.advance(Duration::from_secs(1)).await;

    assert_eq!((too_soon, receiver.received().len()), (1, 2));
    assert_eq!(delivery(&gateway).await["state"], "done");
}

#[tokio::test]
async fn an_endpoint_that_asks_for_a_pause_gets_nothing_else_meanwhile() {
    let receiver = Receiver::start().await;
    receiver.answer_with(429, vec![("retry-after", "120".to_owned())]);
    let gateway = one(&receiver, "").await;

    fail_a_payment(&gateway).await;
    receiver.answer(204);
    fail(&gateway, "evt_2").await;
    gateway.settle().await;
    gateway.advance(Duration::from_secs(119)).await;
    let too_soon = receiver.received().len();
    gateway.advance(Duration::from_secs(1)).await;

    assert_eq!((too_soon, receiver.received().len()), (1, 3));
    let second = delivery_to(&gateway.event("evt_2").await, "crm");
    assert_eq!(stands(&second), ("done", 1));
}

#[tokio::test]
async fn an_endpoint_that_is_gone_gets_no_second_attempt() {
    let receiver = Receiver::answering(410).await;
    let gateway = one(&receiver, "").await;

    fail_a_payment(&gateway).await;
    gateway.advance(DAY).await;

    assert_eq!(receiver.received().len(), 1);
    let delivery = delivery(&gateway).await;
    assert_eq!(delivery["state"], "dead");
    assert_eq!(reasons(&delivery["attempts"]), ["the endpoint answered 410 Gone"]);
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_is_not_followed() {
    let (moved, elsewhere) = (Receiver::start().await, Receiver::start().await);
    moved.answer_with(307, vec![("location", elsewhere.url().to_owned())]);
    let gateway = one(&moved, "").await;

    fail_a_payment(&gateway).await;

    assert_eq!((moved.received().len(), elsewhere.received().len()), (1, 0));
    let delivery = delivery(&gateway).await;
    assert_eq!(delivery["state"], "pending");
    assert_eq!(reasons(&delivery["attempts"]), ["the endpoint answered 307"]);
}

/// Guards I8.
#[tokio::test]
async fn what_is_owed_to_an_endpoint_that_was_removed_waits_for_its_return() {
    let receiver = Receiver::answering(503).await;
    let gateway = one(&receiver, "").await;
    let whole = std::fs::read_to_string(gateway.folder().join("hookgate.toml")).unwrap();

    fail_a_payment(&gateway).await;
    let without = whole.split("[endpoints.crm]").next().unwrap_or_default().to_owned();
    gateway.reconfigure(|_| without).await;
    gateway.advance(SECOND_ATTEMPT).await;
    let removed = delivery(&gateway).await;
    receiver.answer(200);
    gateway.reconfigure(|_| whole).await;
    gateway.advance(THIRD_ATTEMPT).await;

    let expected = ["the endpoint answered 503", "the configuration no longer has endpoint crm"];
    assert_eq!(reasons(&removed["attempts"]), expected);
    assert_eq!(removed["state"], "pending");
    assert_eq!((receiver.received().len(), receiver.ids().len()), (2, 1));
    assert_eq!(delivery(&gateway).await["state"], "done");
}

#[tokio::test]
async fn what_a_handler_sends_is_signed_and_keeps_its_content_type() {
    let receiver = Receiver::answering(503).await;
    let gateway = Setup::guest()
        .endpoint("crm", &receiver, &[])
        .table("[handlers.guest]\nendpoints = [\"crm\"]")
        .start()
        .await;

    let command = json!({ "id": "1", "do": "send", "endpoint": "crm", "text": "Ihre Zahlung äöü" });
    gateway.guest(&command).await.accepted();
    gateway.settle().await;
    receiver.answer(200);
    gateway.advance(SECOND_ATTEMPT).await;

    let received = receiver.received();
    assert_eq!((received.len(), receiver.ids().len()), (2, 1));
    for delivery in received {
        assert_eq!(delivery.body, "Ihre Zahlung äöü");
        assert_eq!(delivery.header("content-type"), "text/plain");
        assert!(delivery.is_signed_with(ENDPOINT_SECRET));
    }
    let event = gateway.event("1").await;
    let parcel = delivery_to(&event, "crm");
    assert_eq!((&parcel["state"], &parcel["run"]), (&json!("done"), &event["runs"][0]["id"]));
}

#[tokio::test]
async fn every_attempt_is_recorded_with_status_and_answer() {
    let receiver = Receiver::start().await;
    receiver.answer_saying(422, "no such customer \u{1b}[31m".to_owned() + &"x".repeat(5_000));
    let gateway = one(&receiver, "").await;

    fail_a_payment(&gateway).await;
    receiver.answer(200);
    gateway.advance(SECOND_ATTEMPT).await;

    let delivery = delivery(&gateway).await;
    let attempts = &delivery["attempts"];
    assert_eq!((&attempts[0]["status"], &attempts[1]["status"]), (&json!(422), &json!(200)));
    assert_eq!(texts(attempts, "outcome"), ["transient", "success"]);
    assert_eq!(texts(attempts, "verdict"), ["retry", "done"]);
    assert_eq!(texts(attempts, "at"), ["2023-11-14T22:13:20.000Z", "2023-11-14T22:13:27.000Z"]);
    let answer = text(&attempts[0]["answer"]);
    assert!(answer.starts_with("no such customer") && answer.len() <= 4_096, "{answer}");
}

/// Guards I8 and I10.
#[tokio::test]
async fn a_restart_between_attempts_keeps_their_number_and_their_time() {
    let receiver = Receiver::answering(503).await;
    let gateway = one(&receiver, "retries = [\"1m\", \"1h\"]").await;

    fail_a_payment(&gateway).await;
    let due = delivery(&gateway).await["retry_at"].clone();
    let gateway = gateway.restart().await;
    gateway.settle().await;
    let after_restart = delivery(&gateway).await;
    gateway.advance(SHORT_OF_A_MINUTE).await;
    let too_soon = receiver.received().len();
    gateway.advance(REST_OF_THE_MINUTE).await;
    let gateway = gateway.restart().await;
    gateway.settle().await;
    let before_last = receiver.received().len();
    gateway.advance(PAST_AN_HOUR).await;

    assert_eq!(stands(&after_restart), ("pending", 1));
    assert_eq!(after_restart["retry_at"], due);
    assert_eq!((too_soon, before_last, receiver.received().len()), (1, 2, 3));
    assert_eq!(receiver.ids().len(), 1);
    let dead = delivery(&gateway).await;
    assert_eq!(stands(&dead), ("dead", 3));
}
