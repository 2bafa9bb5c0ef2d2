//! Endpoints that the API makes: what reaches them, and what becomes of it when they change.

use serde_json::{Value, json};

use crate::harness::{
    Answer, GUEST_TOKEN, Harness, Receiver, Setup, answer, delivery_to, stands, text, texts,
};

const MASTER: &str = "b3a1c2d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90";

/// With the source `guest` and a master key, and these lines too.
async fn start(lines: &str) -> Harness {
    let prepared = Setup::new()
        .table("master_key = { file = \"master\" }")
        .plugin("guest")
        .source("guest", "guest", &format!("secrets = [{{ value = \"{GUEST_TOKEN}\" }}]"))
        .table(lines)
        .prepare();
    std::fs::write(prepared.folder().join("master"), MASTER).unwrap();
    prepared.start().await
}

async fn send(gateway: &Harness, method: &str, path: &str, body: &Value) -> Answer {
    let url = format!("{}{path}", gateway.admin());
    answer(gateway.client().request(method.parse().unwrap(), url).json(body)).await
}

/// An endpoint for these events at this receiver, and its secret.
async fn create(gateway: &Harness, receiver: &Receiver, more: Value) -> (Value, String) {
    let mut body = json!({ "name": "crm", "url": receiver.url(), "events": ["order.*"] });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    let made = gateway.tell("/v1/endpoints", &body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(made.headers["cache-control"], "no-store");
    let made = made.json();
    let secret = text(&made["secrets"][0]["value"]);
    (made, secret)
}

fn path(endpoint: &Value) -> String {
    format!("/v1/endpoints/{}", text(&endpoint["id"]))
}

/// What deliveries call an endpoint of the API.
fn key(endpoint: &Value) -> String {
    text(&endpoint["id"]).replace('_', "-")
}

async fn order(gateway: &Harness, id: &str) {
    gateway.guest(&json!({ "id": id, "type": "order.paid" })).await.accepted();
    gateway.settle().await;
}

async fn act(gateway: &Harness, endpoint: &Value, what: &str) -> Value {
    let done = gateway.tell(&format!("{}/{what}", path(endpoint)), &json!({})).await;
    assert_eq!(done.status, 200, "{what}: {}", done.body);
    done.json()
}

/// Which kind of problem an answer is.
fn kind(answer: &Answer) -> String {
    text(&answer.json()["type"]).rsplit('#').next().unwrap().to_owned()
}

/// The dead letters, once there are so many.
async fn dead(gateway: &Harness, count: usize) -> Vec<Value> {
    loop {
        let dead = gateway.dead().await;
        if dead.len() >= count {
            return dead;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_event_reaches_an_endpoint_that_the_api_made_signed_and_after_a_restart_too() {
    let receiver = Receiver::start().await;
    let gateway = start("").await;
    let (made, secret) = create(&gateway, &receiver, json!({ "headers": { "x-team": "a" } })).await;
    assert_eq!((&made["origin"], &made["state"]), (&json!("api"), &json!("enabled")));
    assert!(secret.starts_with("whsec_"), "{secret}");

    order(&gateway, "1").await;
    let received = receiver.arrived(1).await;
    assert!(received[0].is_signed_with(&secret));
    assert_eq!(received[0].header("x-team"), "a");
    let delivery = delivery_to(&gateway.event("1").await, &key(&made));
    assert_eq!(stands(&delivery), ("done", 1));

    let gateway = gateway.restart().await;
    let shown = gateway.ask(&path(&made)).await;
    assert!(!shown.body.contains(&secret), "it was shown once");
    assert_eq!((&shown.json()["id"], &shown.json()["locked"]), (&made["id"], &json!(false)));
    order(&gateway, "2").await;
    assert!(receiver.arrived(2).await[1].is_signed_with(&secret));
}

#[tokio::test]
async fn only_what_the_filter_is_for_reaches_an_endpoint() {
    let receiver = Receiver::start().await;
    let gateway = start("").await;
    let rule = json!({ "label": "nobody", "op": "exists" });
    let (made, _) = create(&gateway, &receiver, json!({ "filter": [rule] })).await;
    order(&gateway, "1").await;
    assert_eq!(gateway.event("1").await["deliveries"], json!([]));
    let all = send(&gateway, "PATCH", &path(&made), &json!({ "filter": null })).await;
    assert_eq!(all.status, 200, "{}", all.body);
    order(&gateway, "2").await;
    receiver.arrived(1).await;
}

#[tokio::test]
async fn a_paused_endpoint_keeps_its_deliveries_until_it_is_resumed() {
    let receiver = Receiver::start().await;
    let gateway = start("").await;
    let (made, _) = create(&gateway, &receiver, json!({})).await;
    let paused = act(&gateway, &made, "pause").await;
    assert_eq!((&paused["state"], &paused["reason"]), (&json!("paused"), &json!("operator")));
    gateway.guest(&json!({ "id": "1", "type": "order.paid" })).await.accepted();
    let gateway = gateway.restart().await;
    gateway.settle().await;
    let delivery = delivery_to(&gateway.event("1").await, &key(&made));
    assert_eq!(stands(&delivery), ("pending", 0));
    assert!(receiver.received().is_empty());

    assert_eq!(act(&gateway, &made, "resume").await["state"], "enabled");
    receiver.arrived(1).await;
}

/// Guards I4.
#[tokio::test]
async fn an_endpoint_that_repeats_its_own_secrets_has_none_of_them_stored() {
    let receiver = Receiver::start().await;
    let gateway = start("").await;
    let more = json!({ "credential": { "bearer": "sesame-of-the-shop" } });
    let (made, secret) = create(&gateway, &receiver, more).await;
    receiver.answer_saying(422, format!("Bearer sesame-of-the-shop, signed with {secret}"));
    order(&gateway, "1").await;

    assert_eq!(receiver.received()[0].header("authorization"), "Bearer sesame-of-the-shop");
    let delivery = delivery_to(&gateway.event("1").await, &key(&made));
    assert_eq!(delivery["attempts"][0]["answer"], "Bearer (hidden), signed with (hidden)");
}

#[tokio::test]
async fn a_header_is_a_credential_or_for_everybody_to_see() {
    let receiver = Receiver::start().await;
    let gateway = start("").await;
    let credential = json!({ "header": { "name": "X-Key", "value": "sesame-of-the-shop" } });
    let both = json!({
        "name": "both", "url": receiver.url(), "events": ["*"], "credential": credential,
        "headers": { "x-key": "a" },
    });
    let refused = gateway.tell("/v1/endpoints", &both).await;
    assert_eq!((refused.status, &refused.json()["field"]), (422, &json!("credential")));

    let (made, _) = create(&gateway, &receiver, json!({ "credential": credential })).await;
    let patch = json!({ "headers": { "x-key": "a" } });
    let refused = send(&gateway, "PATCH", &path(&made), &patch).await;
    assert_eq!((refused.status, &refused.json()["field"]), (422, &json!("credential")));
    let patch = json!({ "headers": { "x-key": "a" }, "credential": null });
    let changed = send(&gateway, "PATCH", &path(&made), &patch).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
}

/// Guards I4: who may change a URL does not get what was sent to the one of before.
#[tokio::test]
async fn a_credential_goes_to_another_host_only_if_somebody_says_so() {
    let (first, second) = (Receiver::start().await, Receiver::start().await);
    let gateway = start("").await;
    let bearer = json!({ "credential": { "bearer": "sesame-of-the-shop" } });
    let (made, _) = create(&gateway, &first, bearer).await;
    let patch = async |url: &str, more: Value| {
        let mut body = json!({ "url": url });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let patched = send(&gateway, "PATCH", &path(&made), &body).await;
        (patched.status, patched.json()["field"].clone())
    };
    let (changed, sent) = ((200, Value::Null), "Bearer sesame-of-the-shop");
    assert_eq!(patch(second.url(), json!({})).await, (422, json!("credential")));
    assert_eq!(patch(&format!("{}?v=2", first.url()), json!({})).await, changed, "the same host");
    assert_eq!(patch(second.url(), json!({ "credential": "keep" })).await, changed);
    order(&gateway, "1").await;
    assert_eq!(second.arrived(1).await[0].header("authorization"), sent);
    assert_eq!(patch(first.url(), json!({ "credential": null })).await, changed);
    order(&gateway, "2").await;
    assert_eq!(first.arrived(1).await[0].header("authorization"), "");
    assert_eq!(patch(second.url(), json!({})).await, changed, "nothing secret goes there");
}

/// Guards that nothing waits for an endpoint that nobody can bring back (I8).
#[tokio::test]
async fn an_endpoint_deleted_with_deliveries_owed_ends_them_as_dead_with_the_reason() {
    let receiver = Receiver::answering(500).await;
    let gateway = start("").await;
    let (made, _) = create(&gateway, &receiver, json!({})).await;
    order(&gateway, "1").await;
    let delivery = delivery_to(&gateway.event("1").await, &key(&made));
    assert_eq!(stands(&delivery), ("pending", 1));

    let deleted = gateway.delete(&path(&made)).await;
    assert_eq!(deleted.status, 200, "{}", deleted.body);
    let letter = &dead(&gateway, 1).await[0];
    assert_eq!((&letter["reason"], &letter["name"]), (&json!("endpoint_gone"), &json!(key(&made))));
    assert_eq!(
        (&letter["detail"], &letter["tries_made"]),
        (&json!("the endpoint was deleted"), &json!(1))
    );

    let gone = gateway.ask(&path(&made)).await;
    assert_eq!((gone.status, kind(&gone).as_str()), (410, "endpoint-deleted"));
    let again = gateway.delete(&path(&made)).await;
    assert_eq!((again.status, kind(&again).as_str()), (404, "not-found"));
    order(&gateway, "2").await;
    assert_eq!(gateway.event("2").await["deliveries"], json!([]));

    let gateway = gateway.restart().await;
    assert_eq!(gateway.ask(&path(&made)).await.status, 410);
    let (other, _) = create(&gateway, &receiver, json!({})).await;
    assert_ne!(other["id"], made["id"], "the name may be given again, the id never");
}

#[tokio::test]
async fn what_goes_to_a_disabled_endpoint_is_dead_at_once_and_can_be_replayed() {
    let receiver = Receiver::start().await;
    let gateway = start("").await;
    let (made, _) = create(&gateway, &receiver, json!({})).await;
    act(&gateway, &made, "disable").await;
    assert_eq!(act(&gateway, &made, "resume").await["state"], "disabled");
    order(&gateway, "1").await;
    let letter = &dead(&gateway, 1).await[0];
    assert_eq!((&letter["reason"], &letter["tries_made"]), (&json!("endpoint_gone"), &json!(0)));
    assert!(receiver.received().is_empty());

    act(&gateway, &made, "enable").await;
    gateway.replay(&text(&letter["id"])).await;
    receiver.arrived(1).await;
}

#[tokio::test]
async fn a_patch_changes_what_it_names_unless_somebody_was_faster() {
    let (first, second) = (Receiver::start().await, Receiver::start().await);
    let gateway = start("").await;
    let (made, _) = create(&gateway, &first, json!({ "description": "old" })).await;
    let patch = json!({ "url": second.url(), "name": "sales", "revision": 1 });
    let changed = send(&gateway, "PATCH", &path(&made), &patch).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    let changed = changed.json();
    assert_eq!((&changed["revision"], &changed["description"]), (&json!(2), &json!("old")));
    order(&gateway, "1").await;
    second.arrived(1).await;
    assert!(first.received().is_empty());

    let late = send(&gateway, "PATCH", &path(&made), &patch).await;
    assert_eq!((late.status, kind(&late).as_str()), (409, "changed"));
    create(&gateway, &first, json!({})).await;
    let taken = send(&gateway, "PATCH", &path(&made), &json!({ "name": "crm" })).await;
    assert_eq!((taken.status, kind(&taken).as_str()), (409, "endpoint-exists"));
}

/// Guards that a patch does not undo another that came while it was on its way.
#[tokio::test]
async fn patches_at_the_same_time_change_what_each_names() {
    let receiver = Receiver::start().await;
    let gateway = start("").await;
    let (made, _) = create(&gateway, &receiver, json!({})).await;
    let patch = async |member: &str| {
        let mut body = json!({ "metadata": {} });
        body["metadata"][member] = json!("set");
        let changed = send(&gateway, "PATCH", &path(&made), &body).await;
        assert_eq!(changed.status, 200, "{}", changed.body);
    };
    tokio::join!(patch("a"), patch("b"), patch("c"), patch("d"));
    let now = gateway.ask(&path(&made)).await.json();
    let all = json!({ "a": "set", "b": "set", "c": "set", "d": "set" });
    assert_eq!((&now["metadata"], &now["revision"]), (&all, &json!(5)));
}

#[tokio::test]
async fn a_patch_whose_credential_can_not_be_kept_changes_nothing() {
    let receiver = Receiver::start().await;
    let gateway = start("").await;
    let (made, _) = create(&gateway, &receiver, json!({ "description": "old" })).await;
    gateway.rewrite_config(|text| text.replacen("master_key = { file = \"master\" }", "", 1));
    let gateway = gateway.restart().await;
    let patch = json!({ "description": "new", "credential": { "bearer": "sesame-91c2" } });
    let refused = send(&gateway, "PATCH", &path(&made), &patch).await;
    assert_eq!((refused.status, kind(&refused).as_str()), (409, "no-master-key"));
    assert_eq!(gateway.ask(&path(&made)).await.json()["description"], "old");
}

#[tokio::test]
async fn a_setting_that_is_wrong_is_named_and_nothing_is_made() {
    let gateway = start("").await;
    let refused = async |member: &str, value: Value| {
        let mut body = json!({ "name": "crm", "url": "https://a.example", "events": ["*"] });
        body[member] = value;
        let refused = gateway.tell("/v1/endpoints", &body).await;
        (refused.status, kind(&refused), text(&refused.json()["field"]))
    };
    let invalid = |field: &str| (422, "invalid-body".to_owned(), field.to_owned());
    assert_eq!(refused("url", json!("ftp://a.example")).await, invalid("url"));
    assert_eq!(refused("url", json!("https://user:pass@a.example")).await, invalid("url"));
    assert_eq!(refused("events", json!(["a..b"])).await, invalid("events"));
    assert_eq!(refused("headers", json!({ "authorization": "x" })).await, invalid("headers"));
    assert_eq!(refused("secrets", json!(["whsec_short"])).await, invalid("secrets"));
    let hostile = (422, "egress-refused".to_owned(), "url".to_owned());
    assert_eq!(refused("url", json!("http://10.0.0.1/hooks")).await, hostile);
    assert_eq!(gateway.ask("/v1/endpoints").await.json()["items"], json!([]));
}

#[tokio::test]
async fn an_endpoint_of_the_configuration_is_shown_and_only_stands_otherwise() {
    let receiver = Receiver::start().await;
    let url = receiver.url();
    let table = format!(
        "[endpoints.crm]\nurl = \"{url}\"\nevents = [\"order.*\"]\n\
         secrets = [{{ value = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\" }}]"
    );
    let gateway = start(&table).await;
    let list = gateway.ask("/v1/endpoints").await.json();
    let listed = list["items"][0].clone();
    assert_eq!((&listed["name"], &listed["origin"]), (&json!("crm"), &json!("file")));
    assert_eq!(listed["revision"], 1, "a plugin that comes changes no endpoint");
    for (method, at) in [("PATCH", ""), ("POST", "/rotate")] {
        let at = format!("{}{at}", path(&listed));
        let refused = send(&gateway, method, &at, &json!({})).await;
        let refused = (refused.status, kind(&refused));
        assert_eq!(refused, (409, "endpoint-in-configuration".to_owned()), "{method} {at}");
    }
    assert_eq!(kind(&gateway.delete(&path(&listed)).await), "endpoint-in-configuration");
    let body = json!({ "name": "crm", "url": url, "events": ["*"] });
    let taken = gateway.tell("/v1/endpoints", &body).await;
    assert_eq!(kind(&taken), "endpoint-exists");

    act(&gateway, &listed, "pause").await;
    let gateway = gateway.restart().await;
    order(&gateway, "1").await;
    assert_eq!(stands(&delivery_to(&gateway.event("1").await, "crm")), ("pending", 0));
    act(&gateway, &listed, "resume").await;
    receiver.arrived(1).await;
}

#[tokio::test]
async fn during_a_rotation_both_secrets_sign_and_neither_is_shown_again() {
    let receiver = Receiver::start().await;
    let gateway = start("").await;
    let (made, old) = create(&gateway, &receiver, json!({})).await;
    let rotate = format!("{}/rotate", path(&made));
    let rotated = gateway.tell(&rotate, &json!({ "overlap": "1h" })).await;
    assert_eq!(rotated.status, 200, "{}", rotated.body);
    let new = text(&rotated.json()["secrets"][1]["value"]);
    assert!(!rotated.body.contains(&old), "only the new one is shown");
    order(&gateway, "1").await;
    let received = receiver.arrived(1).await;
    assert!(received[0].is_signed_with(&old) && received[0].is_signed_with(&new));

    let listed = gateway.ask(&format!("{}/secrets", path(&made))).await;
    assert!(!listed.body.contains(&old) && !listed.body.contains(&new));
    assert_eq!(texts(&listed.json()["secrets"], "kind"), ["whsec", "whsec"]);
    gateway.advance(std::time::Duration::from_secs(3_601)).await;
    order(&gateway, "2").await;
    let received = receiver.arrived(2).await;
    assert!(!received[1].is_signed_with(&old) && received[1].is_signed_with(&new));
}

#[tokio::test]
async fn a_credential_goes_along_and_is_never_shown() {
    let receiver = Receiver::start().await;
    let gateway = start("").await;
    let credential = json!({ "credential": { "bearer": "sesame-91c2" } });
    let (made, _) = create(&gateway, &receiver, credential).await;
    assert!(!made.to_string().contains("sesame-91c2"), "{made}");
    order(&gateway, "1").await;
    assert_eq!(receiver.arrived(1).await[0].header("authorization"), "Bearer sesame-91c2");
    let without = send(&gateway, "PATCH", &path(&made), &json!({ "credential": null })).await;
    assert_eq!(without.status, 200, "{}", without.body);
    let kinds = gateway.ask(&format!("{}/secrets", path(&made))).await.json();
    assert_eq!(texts(&kinds["secrets"], "kind"), ["whsec"]);
}

#[tokio::test]
async fn without_a_master_key_no_secret_is_stored_and_the_answer_says_how_to_give_one() {
    let gateway = Setup::guest().start().await;
    let body = json!({ "name": "crm", "url": "https://a.example", "events": ["*"] });
    let refused = gateway.tell("/v1/endpoints", &body).await;
    assert_eq!((refused.status, kind(&refused).as_str()), (409, "no-master-key"));
    assert!(text(&refused.json()["detail"]).contains("master_key"), "{}", refused.body);
}

#[tokio::test]
async fn a_ping_goes_to_its_endpoint_alone_as_any_delivery() {
    let (receiver, other) = (Receiver::start().await, Receiver::start().await);
    let gateway = start("").await;
    let (made, secret) = create(&gateway, &receiver, json!({ "tenant": "acme" })).await;
    create(&gateway, &other, json!({ "events": ["*"] })).await;
    let pinged = gateway.tell(&format!("{}/ping", path(&made)), &json!({})).await;
    assert_eq!(pinged.status, 202, "{}", pinged.body);
    let received = receiver.arrived(1).await;
    assert!(received[0].is_signed_with(&secret));
    assert_eq!(received[0].text("type"), "hookgate.ping");
    assert_eq!(received[0].header("webhook-id"), text(&pinged.json()["delivery"]));
    gateway.settle().await;
    let event = gateway.ask(&format!("/v1/events/{}", text(&pinged.json()["event"]))).await.json();
    assert_eq!((&event["tenant"], &event["state"]), (&json!("acme"), &json!("done")));
    assert!(other.received().is_empty());
}

/// Guards that the old master key may go once the gateway says so.
#[tokio::test]
async fn under_a_new_master_key_the_secrets_are_sealed_again_and_the_old_one_may_go() {
    let receiver = Receiver::start().await;
    let gateway = start("").await;
    let (made, secret) = create(&gateway, &receiver, json!({})).await;
    std::fs::write(gateway.folder().join("next"), "c4".repeat(32)).unwrap();
    let (old, next) = ("{ file = \"master\" }", "{ file = \"next\" }");
    gateway.reconfigure(|text| text.replacen(old, &format!("[{next}, {old}]"), 1)).await;
    while gateway.ask(&path(&made)).await.json()["revision"] == json!(1) {
        tokio::task::yield_now().await;
    }
    gateway.reconfigure(|text| text.replacen(&format!("[{next}, {old}]"), next, 1)).await;
    assert_eq!(gateway.ask(&path(&made)).await.json()["locked"], json!(false));
    order(&gateway, "1").await;
    assert!(receiver.arrived(1).await[0].is_signed_with(&secret));
}

/// Guards that a lost master key stops no start, and that nothing leaves unsigned meanwhile.
#[tokio::test]
async fn without_its_master_key_an_endpoint_holds_its_deliveries_until_it_is_back() {
    let receiver = Receiver::start().await;
    let gateway = start("").await;
    let (made, secret) = create(&gateway, &receiver, json!({})).await;
    std::fs::write(gateway.folder().join("other"), "c4".repeat(32)).unwrap();
    let (own, other) = ("{ file = \"master\" }", "{ file = \"other\" }");
    gateway.rewrite_config(|text| text.replacen(own, other, 1));
    let gateway = gateway.restart().await;
    assert_eq!(gateway.ask(&path(&made)).await.json()["locked"], json!(true));
    order(&gateway, "1").await;
    let delivery = delivery_to(&gateway.event("1").await, &key(&made));
    assert_eq!(stands(&delivery), ("pending", 0));
    assert!(receiver.received().is_empty());

    gateway.reconfigure(|text| text.replacen(other, own, 1)).await;
    assert!(receiver.arrived(1).await[0].is_signed_with(&secret));
}

#[tokio::test]
async fn an_endpoint_shows_its_attempts_by_the_hour() {
    let receiver = Receiver::start().await;
    let gateway = start("").await;
    let (made, _) = create(&gateway, &receiver, json!({})).await;
    for (id, status) in [("1", 204), ("2", 500)] {
        receiver.answer(status);
        order(&gateway, id).await;
    }
    // They are noted every few seconds, and at a stop.
    let gateway = gateway.restart().await;

    let stats = gateway.ask(&format!("{}/stats", path(&made))).await;
    assert_eq!(stats.status, 200, "{}", stats.body);
    let stats = stats.json();
    let total = &stats["total"];
    assert_eq!((&total["attempts"], &total["successes"]), (&json!(2), &json!(1)), "{stats}");
    assert_eq!(stats["hours"].as_array().map(Vec::len), Some(1), "{stats}");
    assert_eq!(stats["hours"][0]["attempts"], 2);
    let before = stats["hours"][0]["hour"].as_str().unwrap();
    let none = gateway.ask(&format!("{}/stats?before={before}", path(&made))).await.json();
    assert_eq!(none["hours"], json!([]));
}

/// Guards that whoever may ping an endpoint can't fill the backlog, and so keep out every source.
#[tokio::test]
async fn a_ping_is_refused_where_a_request_to_a_source_would_be() {
    let receiver = Receiver::start().await;
    let gateway = start("[limits]\nbacklog = 3").await;
    let (made, _) = create(&gateway, &receiver, json!({})).await;
    act(&gateway, &made, "pause").await;
    let ping = async || gateway.tell(&format!("{}/ping", path(&made)), &json!({})).await;
    for _ in 0..3 {
        assert_eq!(ping().await.status, 202);
        gateway.settle().await;
    }
    let refused = ping().await;
    assert_eq!((refused.status, kind(&refused).as_str()), (503, "busy"));
    act(&gateway, &made, "resume").await;
    receiver.arrived(3).await;
}
