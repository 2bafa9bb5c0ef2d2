//! The API as programs know it: the document, and answers that are as it says, also if something is
//! wrong.

use std::collections::BTreeSet;

use super::document::Document;
use super::*;
use crate::harness::GUEST_TOKEN;

/// A gateway with an event that was delivered at the second attempt, one whose delivery waits for
/// another try, and one whose run is dead.
async fn busy_gateway() -> (Harness, Receiver) {
    let receiver = Receiver::answering(500).await;
    let secrets = |secret: &str| format!("secrets = [{{ value = \"{secret}\" }}]");
    let prepared = Setup::new()
        .table("master_key = { file = \"master\" }")
        .plugin("guest")
        .source("guest", "guest", &secrets(GUEST_TOKEN))
        .plugin("stripe")
        .source("stripe", "stripe", &secrets(STRIPE_SECRET))
        .endpoint_with("crm", &receiver, &["order.*"], "retries = [\"10s\", \"1h\"]")
        .prepare();
    std::fs::write(prepared.folder().join("master"), "5a".repeat(32)).unwrap();
    let gateway = prepared.start().await;
    gateway.guest(&json!({ "id": "1", "type": "order.paid" })).await.accepted();
    gateway.settle().await;
    receiver.answer(204);
    gateway.advance(MINUTE).await;
    receiver.answer(500);
    gateway.guest(&json!({ "id": "2", "type": "order.paid" })).await.accepted();
    gateway.settle().await;
    gateway.guest(&json!({ "id": "3", "do": "fail" })).await.accepted();
    gateway.settle().await;
    assert_eq!(gateway.post("guest", &[("x-token", "wrong")], "{}").await.status, 401);
    (gateway, receiver)
}

/// Does everything with an endpoint once, and gives the answers.
async fn of_endpoints(gateway: &Harness, receiver: &Receiver) -> Vec<(&'static str, Answer)> {
    let endpoint = json!({ "name": "more", "url": receiver.url(), "events": ["nothing.*"] });
    let made = gateway.tell("/v1/endpoints", &endpoint).await;
    let path = format!("/v1/endpoints/{}", text(&made.json()["id"]));
    let mut answers = vec![("createEndpoint", made)];
    answers.push(("listEndpoints", gateway.ask("/v1/endpoints").await));
    let patch = gateway.client().patch(format!("{}{path}", gateway.admin()));
    let patch = patch.json(&json!({ "description": "Another." }));
    answers.push(("changeEndpoint", crate::harness::answer(patch).await));
    for (id, act) in [
        ("pauseEndpoint", "pause"),
        ("resumeEndpoint", "resume"),
        ("disableEndpoint", "disable"),
        ("enableEndpoint", "enable"),
        ("pingEndpoint", "ping"),
        ("rotateSecret", "rotate"),
    ] {
        answers.push((id, gateway.tell(&format!("{path}/{act}"), &json!({})).await));
    }
    for (id, part) in
        [("getEndpoint", ""), ("listSecrets", "/secrets"), ("getEndpointStats", "/stats")]
    {
        answers.push((id, gateway.ask(&format!("{path}{part}")).await));
    }
    answers.push(("deleteEndpoint", gateway.delete(&path).await));
    answers
}

#[tokio::test]
async fn the_document_that_is_served_is_the_one_that_is_checked_in() {
    let gateway = Setup::new().start().await;
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
    let checked_in = std::fs::read_to_string(file).expect("`make docs` writes docs/openapi.json");
    let checked_in: Value = serde_json::from_str(&checked_in).expect("docs/openapi.json is JSON");

    let served = gateway.ask("/v1/openapi.json").await.json();

    assert!(served == checked_in, "docs/openapi.json is not current: `make docs` writes it");
    assert_eq!(served["openapi"], "3.1.0");
}

#[tokio::test]
async fn every_operation_answers_as_the_document_says() {
    let (gateway, receiver) = busy_gateway().await;
    let document = Document::of(&gateway.ask("/v1/openapi.json").await);
    let event = gateway.event("1").await;
    let [run, delivery] = [run_of(&event, "guest"), delivery_to(&event, "crm")];
    let reload = gateway.tell("/v1/reload", &json!({})).await;
    let ids = json!({ "ids": [run["id"]] });
    let filter = json!({ "filter": { "source": "guest", "state": "dead" } });
    let begun = gateway.tell("/v1/replay", &filter).await;
    gateway.settle().await;
    let path = |list: &str, id: &Value| format!("/v1/{list}/{}", text(id));
    let replay = path("replays", &begun.json()["id"]);

    let mut checked = BTreeSet::new();
    let mut check = |id: &str, answer: &Answer| {
        assert!(answer.status < 300, "{id}: {}", answer.body);
        document.check(id, answer);
        checked.insert(id.to_owned());
    };
    check("reload", &reload);
    check("replay", &begun);
    check("replay", &gateway.tell("/v1/replay", &ids).await);
    gateway.settle().await;
    for (id, path) in of_reading(&event, &run, &delivery, &replay) {
        check(id, &gateway.ask(&path).await);
    }
    check("cancelReplay", &gateway.delete(&replay).await);
    for (id, answer) in of_endpoints(&gateway, &receiver).await {
        check(id, &answer);
    }
    let waits = path("deliveries", &delivery_to(&gateway.event("2").await, "crm")["id"]);
    for (id, what) in [("discardDelivery", "discard"), ("retryDelivery", "retry")] {
        check(id, &gateway.tell(&format!("{waits}/{what}"), &json!({})).await);
    }
    for (id, answer) in of_replays(&gateway).await {
        check(id, &answer);
    }
    for (id, answer) in [
        of_canaries(&gateway).await,
        of_rehearsals(&gateway).await,
        of_streams(&gateway).await,
        of_erasures(&gateway).await,
    ]
    .concat()
    {
        check(id, &answer);
    }
    let sample = json!({ "sample": "charge.dispute.created" });
    check("backUp", &gateway.tell("/v1/backup", &json!({})).await);
    check("sendSample", &gateway.tell("/v1/sources/stripe/sample", &sample).await);
    // The last, for from then on the gateway asks for one.
    for (id, answer) in of_tokens(&gateway).await {
        check(id, &answer);
    }
    let refused = gateway.ask("/v1/events").await;
    document.check("listEvents", &refused);
    assert_eq!(refused.status, 401);
    assert_eq!(refused.headers["www-authenticate"], "Bearer");

    let all: BTreeSet<String> = document.operations().into_iter().map(|(id, ..)| id).collect();
    assert_eq!(checked, all, "each operation is checked here");
}

/// Counts, begins, holds and ends a replay by a filter, and gives the answers.
async fn of_replays(gateway: &Harness) -> Vec<(&'static str, Answer)> {
    let mut bulk = json!({ "filter": { "kind": "run" }, "preview": true });
    let counted = gateway.tell("/v1/replays", &bulk).await;
    bulk["preview"] = json!(false);
    let begun = gateway.tell("/v1/replays", &bulk).await;
    let replay = format!("/v1/replays/{}", text(&begun.json()["id"]));
    let mut answers = vec![("beginReplay", counted), ("beginReplay", begun)];
    for (id, act) in [("pauseReplay", "pause"), ("resumeReplay", "resume"), ("endReplay", "cancel")]
    {
        answers.push((id, gateway.tell(&format!("{replay}/{act}"), &json!({})).await));
    }
    answers
}

/// Has a subject forgotten, and gives the answers.
async fn of_erasures(gateway: &Harness) -> Vec<(&'static str, Answer)> {
    let begun = gateway.tell("/v1/subjects/jane%40example.com/forget", &json!({})).await;
    let shown = gateway.ask(&format!("/v1/erasures/{}", text(&begun.json()["id"]))).await;
    let listed = gateway.ask("/v1/erasures").await;
    vec![("forgetSubject", begun), ("getErasure", shown), ("listErasures", listed)]
}

/// Makes a token, has a browser sign in and out with it, and revokes it. From then on every request
/// needs one.
async fn of_tokens(gateway: &Harness) -> Vec<(&'static str, Answer)> {
    let listed = gateway.ask("/v1/tokens").await;
    let made = gateway.tell("/v1/tokens", &json!({ "name": "ci", "scopes": ["admin"] })).await;
    let token = text(&made.json()["token"]);
    let mut answers = vec![("listTokens", listed), ("makeToken", made)];
    for (id, method, path) in [
        ("beginSession", "POST", "/v1/session"),
        ("getSession", "GET", "/v1/session"),
        ("endSession", "DELETE", "/v1/session"),
        ("revokeToken", "DELETE", "/v1/tokens/ci"),
    ] {
        let url = format!("{}{path}", gateway.admin());
        let request = gateway.client().request(method.parse().unwrap(), url).bearer_auth(&token);
        answers.push((id, crate::harness::answer(request).await));
    }
    answers
}

/// Does everything with two canaries once, and gives the answers.
async fn of_canaries(gateway: &Harness) -> Vec<(&'static str, Answer)> {
    crate::canary::drop_next(gateway, &crate::canary::guest(0, 1)).await;
    let path = "/v1/plugins/guest/canary";
    let mut answers = vec![("getCanary", gateway.ask(path).await)];
    answers.push(("dropCanary", gateway.tell(&format!("{path}/drop"), &json!({})).await));
    gateway.reload().await;
    crate::canary::drop_next(gateway, &crate::canary::guest(0, 2)).await;
    answers.push(("promoteCanary", gateway.tell(&format!("{path}/promote"), &json!({})).await));
    answers
}

/// Has a file rehearsed, and gives the answers.
async fn of_rehearsals(gateway: &Harness) -> Vec<(&'static str, Answer)> {
    let begun = crate::rehearsal::begin(gateway, "plugin=guest", crate::canary::guest(2, 3)).await;
    crate::rehearsal::ended(gateway, &begun).await;
    let path = format!("/v1/rehearsals/{}", text(&begun.json()["id"]));
    let (shown, ended) = (gateway.ask(&path).await, gateway.delete(&path).await);
    let listed = gateway.ask("/v1/rehearsals").await;
    vec![
        ("beginRehearsal", begun),
        ("listRehearsals", listed),
        ("getRehearsal", shown),
        ("endRehearsal", ended),
    ]
}

/// The operations that only read, and where each is.
fn of_reading(
    event: &Value,
    run: &Value,
    delivery: &Value,
    replay: &str,
) -> Vec<(&'static str, String)> {
    let path = |list: &str, id: &Value| format!("/v1/{list}/{}", text(id));
    vec![
        ("listEvents", "/v1/events?limit=1".to_owned()),
        ("listReceipts", "/v1/receipts".to_owned()),
        ("listDeadLetters", "/v1/dead".to_owned()),
        ("countDeadLetters", "/v1/dead/reasons".to_owned()),
        ("listHours", "/v1/hours".to_owned()),
        ("getEvent", path("events", &event["id"])),
        ("getReceipt", path("receipts", &event["receipt"]["id"])),
        ("getRun", path("runs", &run["id"])),
        ("getRunState", path("runs", &run["id"]) + "/state"),
        ("listDeliveries", "/v1/deliveries?limit=2".to_owned()),
        ("listEventTypes", "/v1/event-types".to_owned()),
        ("getDelivery", path("deliveries", &delivery["id"])),
        ("getDeliveryRequest", path("deliveries", &delivery["id"]) + "/request"),
        ("listSources", "/v1/sources".to_owned()),
        ("listRefused", "/v1/sources/guest/refused".to_owned()),
        ("listReplays", "/v1/replays".to_owned()),
        ("getReplay", replay.to_owned()),
        ("listPlugins", "/v1/plugins".to_owned()),
        ("getPlugin", "/v1/plugins/guest".to_owned()),
        ("getHealth", "/healthz".to_owned()),
        ("getReadiness", "/readyz".to_owned()),
        ("getMetrics", "/metrics".to_owned()),
        ("getOverview", "/v1/overview?span=day".to_owned()),
        ("getSettings", "/v1/settings".to_owned()),
        ("waitUntilSettled", "/v1/settled".to_owned()),
        ("getDocument", "/v1/openapi.json".to_owned()),
        ("listAudit", "/v1/audit?limit=2".to_owned()),
    ]
}

/// The heads of the answers that do not end.
async fn of_streams(gateway: &Harness) -> Vec<(&'static str, Answer)> {
    let mut answers = Vec::new();
    for (id, path) in
        [("streamEvents", "/v1/events/stream"), ("streamDeliveries", "/v1/deliveries/stream")]
    {
        let stream = gateway.client().get(format!("{}{path}", gateway.admin()));
        let stream = stream.send().await.unwrap();
        let (status, headers) = (stream.status().as_u16(), stream.headers().clone());
        answers.push((id, Answer { status, headers, body: String::new() }));
    }
    answers
}

#[tokio::test]
async fn every_error_is_a_problem_that_the_document_knows() {
    let gateway = Setup::stripe().start().await;
    let document = Document::of(&gateway.ask("/v1/openapi.json").await);
    let nothing = "/v1/events/evt_000000000001000000";
    let large = format!("\"{}\"", "x".repeat(2 << 20));
    let large = large.as_str();
    let json = ("content-type", "application/json");
    let form = ("content-type", "text/plain");
    let foreign = ("host", "evil.example");
    let page = ("origin", "https://evil.example");

    for (id, method, path, header, body, status, kind) in [
        ("listEvents", "GET", "/v1/events?colour=red", json, "", 400, "unknown-parameter"),
        ("listEvents", "GET", "/v1/events?limit=0", json, "", 400, "invalid-parameter"),
        ("listEvents", "GET", "/v1/events?limit=1&limit=2", json, "", 400, "invalid-parameter"),
        ("getEvent", "GET", "/v1/events/evt_1", json, "", 400, "invalid-id"),
        ("getEvent", "GET", "/v1/events/%ff", json, "", 400, "invalid-id"),
        ("getEvent", "GET", nothing, json, "", 404, "not-found"),
        ("listEvents", "GET", "/v1/events", foreign, "", 421, "foreign-host"),
        ("listEvents", "GET", "/v1/events", page, "", 403, "foreign-page"),
        ("listPlugins", "GET", "/v1/plugins?name=stripe", json, "", 400, "unknown-parameter"),
        ("getMetrics", "GET", "/metrics?name=a", json, "", 400, "unknown-parameter"),
        ("reload", "POST", "/v1/reload?now=1", json, "", 400, "unknown-parameter"),
        ("reload", "POST", "/v1/reload", json, "{\"now\":1}", 422, "invalid-body"),
        ("replay", "POST", "/v1/replay", json, "{", 400, "malformed-body"),
        ("replay", "POST", "/v1/replay", json, "{\"ids\":[]}", 422, "invalid-body"),
        ("replay", "POST", "/v1/replay", form, "{\"ids\":[]}", 415, "unsupported-media-type"),
        ("replay", "POST", "/v1/replay", json, large, 413, "body-too-large"),
    ] {
        let method = method.parse().unwrap();
        let request = gateway.client().request(method, format!("{}{path}", gateway.admin()));
        let request = request.header(header.0, header.1).body(body.to_owned());
        let answer = crate::harness::answer(request).await;
        let problem = answer.json();
        let said = text(&problem["type"]);
        assert_eq!((answer.status, said.rsplit('#').next()), (status, Some(kind)), "{path}");
        assert_eq!(problem["status"], status, "{problem}");
        document.check(id, &answer);
    }
    for (path, status) in [("/v1/nothing", 404), ("/nothing", 404), ("/v1/replay", 405)] {
        let answer = gateway.ask(path).await;
        assert_eq!(answer.headers["content-type"], "application/problem+json", "{path}");
        assert_eq!((answer.status, &answer.json()["status"]), (status, &json!(status)), "{path}");
    }
}

/// The parameters that a path has are those that its document names, and no more.
#[tokio::test]
async fn no_path_accepts_a_parameter_that_it_does_not_have() {
    let gateway = Setup::new().start().await;
    let document = Document::of(&gateway.ask("/v1/openapi.json").await);
    let id = "evt_000000000001000000";

    for (_, method, path) in document.operations() {
        let path = path.replace("{id}", id).replace("{name}", "ci");
        let url = format!("{}{path}?colour=red", gateway.admin());
        let request = gateway.client().request(method.parse().unwrap(), url);
        let answer = crate::harness::answer(request).await;
        check_refused(&answer, 400, "`colour` is not a parameter of this path");
    }
}
