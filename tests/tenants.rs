//! What belongs to one tenant, and what another's token gets of it: nothing, in any route.

mod states;
mod turns;

use hookgate::event::Timestamp;
use serde_json::{Value, json};

use crate::harness::{
    Answer, GUEST_TOKEN, Harness, Receiver, Setup, answer, delivery_to, run_of, text,
};

/// An operation of the document.
struct Route {
    method: String,
    path: String,
    /// What it is to a token with a tenant.
    tenants: String,
    streams: bool,
    takes_file: bool,
}

/// Every operation that the gateway has, also those that come later.
fn routes(document: &Value) -> Vec<Route> {
    let mut routes = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("there are paths") {
        for (method, operation) in methods.as_object().expect("a path has methods") {
            let content = operation["responses"]["200"]["content"].as_object();
            routes.push(Route {
                method: method.to_uppercase(),
                path: path.clone(),
                tenants: text(&operation["x-hookgate-tenants"]),
                streams: content.is_some_and(|it| it.contains_key("text/event-stream")),
                takes_file: operation["requestBody"]["content"]["application/octet-stream"]
                    .is_object(),
            });
        }
    }
    routes
}

/// Makes a token as whoever has this one, and gives what is sent.
async fn make(gateway: &Harness, by: &str, body: &Value) -> String {
    let mut post = gateway.client().post(format!("{}/v1/tokens", gateway.admin())).json(body);
    if !by.is_empty() {
        post = post.bearer_auth(by);
    }
    let made = answer(post).await;
    assert_eq!(made.status, 201, "{}", made.body);
    text(&made.json()["token"])
}

async fn send(
    gateway: &Harness,
    by: &str,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Answer {
    let url = format!("{}{path}", gateway.admin());
    let mut request = gateway.client().request(method.parse().unwrap(), url).bearer_auth(by);
    if let Some(body) = body {
        request = request.json(body);
    }
    answer(request).await
}

/// Which kind of problem an answer is.
fn kind(answer: &Answer) -> String {
    let kind = text(&answer.json()["type"]);
    kind.rsplit('#').next().unwrap_or_default().to_owned()
}

/// Whether an answer refuses what is asked for, and says no more than that of what is there.
#[track_caller]
fn check_hidden(route: &Route, at: &str, answer: &Answer) {
    let Route { method, tenants, .. } = route;
    if at.starts_with("/v1/subjects/") {
        // It begins to erase what is the token's own of that name, which is nothing.
        assert_eq!(answer.status, 202, "{method} {at}: {}", answer.body);
        return;
    }
    let kind = kind(answer);
    let refused = (answer.status, kind.as_str());
    match tenants.as_str() {
        "operator" => {
            assert_eq!(refused, (403, "operator-only"), "{method} {at}: {}", answer.body);
        }
        "own" => {
            let mut hidden = vec![(404, "not-found"), (400, "invalid-id"), (403, "operator-only")];
            if method == "POST" && (at == "/v1/endpoints" || at == "/v1/replays") {
                // It would be one of the token's own.
                hidden.push((422, "invalid-body"));
            }
            assert!(hidden.contains(&refused), "{method} {at}: {}", answer.body);
        }
        other => panic!("{method} {at} has a path of its own and is {other}"),
    }
}

/// Whether a list has nothing: no list in it has an item.
#[track_caller]
fn check_empty(at: &str, answer: &Answer) {
    assert_eq!(answer.status, 200, "{at}: {}", answer.body);
    let page = answer.json();
    let lists: Vec<_> =
        page.as_object().into_iter().flatten().filter(|(_, it)| it.is_array()).collect();
    assert!(!lists.is_empty(), "{at} is no list: {page}");
    for (name, list) in lists {
        assert_eq!(*list, json!([]), "{at}: {name}");
    }
}

/// With the source `guest`, whose table has this line too, and an endpoint of the operator.
fn of_tenants(line: &str, receiver: &Receiver) -> Setup {
    let rest = format!("secrets = [{{ value = \"{GUEST_TOKEN}\" }}]\n{line}");
    let setup = Setup::new().plugin("guest").source("guest", "guest", &rest);
    setup.endpoint("crm", receiver, &["order.*"])
}

/// A gateway with what is another tenant's and the operator's, and the ids of all of it: an event
/// first, then what came of it, and endpoints of the configuration and of the API.
async fn foreign(receiver: &Receiver) -> (Harness, Vec<String>) {
    let setup = of_tenants("tenant = \"globex\"", receiver);
    let prepared = setup.line("master_key = { file = \"master\" }").prepare();
    std::fs::write(prepared.folder().join("master"), MASTER).unwrap();
    let gateway = prepared.start().await;
    let body = json!({
        "name": "theirs", "url": receiver.url(), "events": ["order.*"], "tenant": "globex",
    });
    let theirs = gateway.tell("/v1/endpoints", &body).await.json();
    gateway.guest(&json!({ "id": "1", "type": "order.paid" })).await.accepted();
    gateway.settle().await;
    let event = gateway.event("1").await;
    let [run, delivery] = [run_of(&event, "guest"), delivery_to(&event, "crm")];
    let to_theirs = delivery_to(&event, &text(&theirs["id"]).replace('_', "-"));
    let filter = json!({ "filter": { "source": "guest" } });
    let begun = gateway.tell("/v1/replay", &filter).await.json();
    gateway.settle().await;
    let listed = gateway.ask("/v1/endpoints").await.json();
    let operators = listed["items"].as_array().unwrap().iter().find(|it| it["name"] == "crm");
    let works = [&event["receipt"]["id"], &run["id"], &delivery["id"], &to_theirs["id"]];
    let others = [&begun["id"], &operators.unwrap()["id"], &theirs["id"]];
    let ids = [&event["id"]].into_iter().chain(works).chain(others).map(text).collect();
    (gateway, ids)
}

/// Guards what a tenant's token may reach. A route that comes later is asked too, and has to say
/// what it is to such a token.
#[tokio::test]
async fn a_token_of_a_tenant_gets_nothing_of_others_in_any_route() {
    let receiver = Receiver::answering(410).await;
    let (gateway, ids) = foreign(&receiver).await;
    let ops = make(&gateway, "", &json!({ "name": "ops", "scopes": ["admin"] })).await;
    let acme = json!({ "name": "acme", "scopes": ["admin"], "tenant": "acme" });
    let acme = make(&gateway, &ops, &acme).await;
    let before = send(&gateway, &ops, "GET", &format!("/v1/events/{}", ids[0]), None).await.json();

    let document = send(&gateway, &acme, "GET", "/v1/openapi.json", None).await.json();
    for route in routes(&document) {
        let Route { method, path, tenants, streams, takes_file } = &route;
        if tenants == "open" {
            continue;
        }
        if *streams && tenants == "own" {
            // It does not end: what it sends is looked at elsewhere.
            assert!(["/v1/events/stream", "/v1/deliveries/stream"].contains(&path.as_str()));
            continue;
        }
        let (begin, end) = match path.split_once('{') {
            Some((begin, rest)) => (begin, rest.split_once('}').map(|(_, end)| end)),
            None => (path.as_str(), None),
        };
        if let Some(end) = end {
            for id in ids.iter().map(String::as_str).chain(["crm", "guest", "ops", "acme"]) {
                let at = format!("{begin}{id}{end}");
                let body = json!({});
                let body = (method == "POST" || method == "PATCH").then_some(&body);
                check_hidden(&route, &at, &send(&gateway, &acme, method, &at, body).await);
            }
        } else if method == "GET" && tenants == "own" {
            check_empty(path, &send(&gateway, &acme, method, path, None).await);
        } else if method == "GET" || *takes_file {
            check_hidden(&route, path, &send(&gateway, &acme, method, path, None).await);
        } else {
            let filter = json!({ "filter": { "source": "guest" } });
            let named = ids.iter().map(|id| json!({ "ids": [id] }));
            for body in named.chain([filter]) {
                check_hidden(&route, path, &send(&gateway, &acme, method, path, Some(&body)).await);
            }
        }
    }

    // Nothing was changed meanwhile.
    gateway.settle().await;
    let after = send(&gateway, &ops, "GET", &format!("/v1/events/{}", ids[0]), None).await.json();
    assert_eq!(after, before);
    let tokens = send(&gateway, &ops, "GET", "/v1/tokens", None).await.json();
    assert_eq!(tokens["tokens"].as_array().map(Vec::len), Some(2), "{tokens}");
    for parameter in ["tenant=globex", "tenant=acme", "source=guest"] {
        let path = format!("/v1/events?{parameter}");
        check_empty(&path, &send(&gateway, &acme, "GET", &path, None).await);
    }
}

#[tokio::test]
async fn a_token_of_a_tenant_sees_its_own_events_without_what_is_the_operators() {
    let receiver = Receiver::start().await;
    // Nobody is there, but every event has a trace.
    let traces = "[telemetry]\nendpoint = \"http://127.0.0.1:1\"";
    let setup = of_tenants("tenant_label = \"merchant\"", &receiver).table(traces);
    let gateway = setup.start().await;
    for (id, merchant) in [("1", "globex"), ("2", "acme"), ("3", "a b")] {
        let labels = json!({ "merchant": merchant });
        let command = json!({ "id": id, "type": "order.paid", "labels": labels, "do": "emit" });
        gateway.guest(&command).await.accepted();
        gateway.settle().await;
    }
    receiver.arrived(3).await;
    let foreign = gateway.event("1").await;
    let whose = |event: &Value| event["tenant"].as_str().map(str::to_owned);
    let tenants: Vec<_> = gateway.events("type=order.paid").await.iter().map(whose).collect();
    assert_eq!(tenants, [Some("globex".to_owned()), Some("acme".to_owned()), None]);
    let emitted = gateway.events("type=guest.emitted").await;
    assert_eq!(emitted.iter().map(whose).collect::<Vec<_>>(), tenants, "of the event's tenant");
    assert_eq!(gateway.events("tenant=globex").await.len(), 2);
    let metrics = gateway.ask("/metrics").await.body;
    assert!(metrics.contains("hookgate_invalid_tenants_total{source=\"guest\"}"), "{metrics}");
    let ops = make(&gateway, "", &json!({ "name": "ops", "scopes": ["admin"] })).await;
    let acme = json!({ "name": "acme", "scopes": ["read", "replay"], "tenant": "acme" });
    let acme = make(&gateway, &ops, &acme).await;

    let listed = send(&gateway, &acme, "GET", "/v1/events", None).await.json();
    let items = listed["items"].as_array().unwrap();
    let types: Vec<_> = items.iter().map(|event| text(&event["type"])).collect();
    assert_eq!(types, ["guest.emitted", "order.paid"], "{listed}");
    assert!(items.iter().all(|event| event["receipt"].is_null()), "{listed}");
    let path = format!("/v1/events/{}", text(&items[1]["id"]));
    let own = send(&gateway, &acme, "GET", &path, None).await.json();
    assert_eq!((&own["tenant"], &own["event"]["id"]), (&json!("acme"), &json!("2")));
    assert_eq!((&own["runs"], &own["deliveries"]), (&json!([]), &json!([])), "{own}");
    assert_eq!((&own["receipt"], &own["receipt_id"]), (&Value::Null, &Value::Null));
    assert!(own["trace_id"].is_null() && foreign["trace_id"].is_string(), "{own}");
    let path = format!("/v1/events/{}", text(&foreign["id"]));
    assert_eq!(send(&gateway, &acme, "GET", &path, None).await.status, 404);
    let whole = send(&gateway, &ops, "GET", &path, None).await.json();
    assert_eq!((&whole["runs"], &whole["receipt"]), (&foreign["runs"], &foreign["receipt"]));

    let heard = heard(&gateway, &acme, "\"event_id\":\"2\"").await;
    assert!(!heard.contains("globex") && !heard.contains("\"event_id\":\"1\""), "{heard}");
    let path = "/v1/events/stream?tenant=globex";
    assert_eq!(send(&gateway, &acme, "GET", path, None).await.status, 400);
}

/// What the stream sends of all that there is, until this comes.
async fn heard(gateway: &Harness, by: &str, until: &str) -> String {
    let url = format!("{}/v1/events/stream?after={}", gateway.admin(), Timestamp(0));
    let mut stream = gateway.client().get(url).bearer_auth(by).send().await.unwrap();
    assert_eq!(stream.status(), 200);
    let mut heard = String::new();
    while !heard.contains(until) {
        let chunk = stream.chunk().await.unwrap().expect("the stream goes on");
        heard += std::str::from_utf8(&chunk).expect("it is text");
    }
    heard
}

const MASTER: &str = "b3a1c2d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90";

/// With the source `guest`, whose events say whose they are, and a master key.
async fn of_merchants() -> Harness {
    let secrets = format!("secrets = [{{ value = \"{GUEST_TOKEN}\" }}]");
    let prepared = Setup::new()
        .table("master_key = { file = \"master\" }")
        .plugin("guest")
        .source("guest", "guest", &format!("{secrets}\ntenant_label = \"merchant\""))
        .prepare();
    std::fs::write(prepared.folder().join("master"), MASTER).unwrap();
    prepared.start().await
}

/// An endpoint for orders, made with this token; gives its id.
async fn endpoint_by(gateway: &Harness, by: &str, receiver: &Receiver) -> String {
    let body = json!({
        "name": "crm", "url": receiver.url(), "events": ["order.*"], "retries": ["1h"],
    });
    let made = send(gateway, by, "POST", "/v1/endpoints", Some(&body)).await;
    assert_eq!(made.status, 201, "{}", made.body);
    text(&made.json()["id"])
}

/// The ids in a list, newest first.
async fn ids(gateway: &Harness, by: &str, path: &str) -> Vec<String> {
    let page = send(gateway, by, "GET", path, None).await;
    assert_eq!(page.status, 200, "{path}: {}", page.body);
    crate::harness::texts(&page.json()["items"], "id")
}

#[tokio::test]
async fn a_token_of_a_tenant_has_the_deliveries_to_its_own_endpoints_and_no_others() {
    let receiver = Receiver::answering(500).await;
    let gateway = of_merchants().await;
    let ops = make(&gateway, "", &json!({ "name": "ops", "scopes": ["admin"] })).await;
    let mut of = Vec::new();
    for tenant in ["acme", "globex"] {
        let scopes = ["read", "replay", "write"];
        let token = json!({ "name": tenant, "scopes": scopes, "tenant": tenant });
        let token = make(&gateway, &ops, &token).await;
        let endpoint = endpoint_by(&gateway, &token, &receiver).await;
        of.push((tenant, token, endpoint));
    }
    let operators = endpoint_by(&gateway, &ops, &receiver).await;
    // The other tenant's are the newer ones.
    for (id, merchant) in [("1", "acme"), ("2", "globex"), ("3", "globex"), ("4", "globex")] {
        let labels = json!({ "merchant": merchant });
        let command = json!({ "id": id, "type": "order.paid", "labels": labels });
        gateway.guest(&command).await.accepted();
    }
    receiver.arrived(8).await;
    assert_eq!(send(&gateway, &ops, "GET", "/v1/settled", None).await.status, 200);
    let all = ids(&gateway, &ops, "/v1/deliveries").await;
    assert_eq!(all.len(), 8);

    let [(_, acme, _), (_, globex, foreign)] = &of[..] else { panic!("there are two") };
    let own = ids(&gateway, acme, "/v1/deliveries?limit=1").await;
    assert_eq!(own.len(), 1, "the first page is no empty one");
    let others = ids(&gateway, globex, "/v1/deliveries").await;
    assert_eq!(others.len(), 3);
    for query in [format!("endpoint={foreign}"), "tenant=globex".into(), "endpoint=crm".into()] {
        let path = format!("/v1/deliveries?{query}");
        check_empty(&path, &send(&gateway, acme, "GET", &path, None).await);
    }
    let elsewhere = format!("/v1/deliveries?endpoint={operators}");
    check_empty(&elsewhere, &send(&gateway, acme, "GET", &elsewhere, None).await);
    for delivery in all.iter().filter(|id| **id != own[0]) {
        for (method, what) in [("GET", ""), ("POST", "/retry"), ("POST", "/discard")] {
            let path = format!("/v1/deliveries/{delivery}{what}");
            let body = (method == "POST").then(|| json!({}));
            let answer = send(&gateway, acme, method, &path, body.as_ref()).await;
            assert_eq!((answer.status, kind(&answer)), (404, "not-found".to_owned()), "{path}");
        }
    }

    // All that wait for another try end, the other tenant's last.
    for (by, delivery) in [(acme, &own[0]), (globex, &others[0]), (globex, &others[1])] {
        let path = format!("/v1/deliveries/{delivery}/discard");
        let answer = send(&gateway, by, "POST", &path, Some(&json!({}))).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    for path in ["/v1/dead?limit=1", "/v1/deliveries?state=dead&limit=1"] {
        assert_eq!(ids(&gateway, acme, path).await, own, "{path}");
    }
    assert_eq!(ids(&gateway, globex, "/v1/dead").await.len(), 2);
    let counted = send(&gateway, acme, "GET", "/v1/dead/reasons", None).await.json();
    let groups = counted["groups"].as_array().unwrap();
    assert_eq!((groups.len(), &groups[0]["count"]), (1, &json!(1)), "{counted}");
    assert_eq!(ids(&gateway, &ops, "/v1/dead?tenant=globex").await.len(), 2);
}

/// Guards I8, and what a tenant's token may have done again.
#[tokio::test]
async fn a_tenant_replays_the_dead_deliveries_to_its_own_endpoint_and_nothing_else() {
    // No answer for which others would wait.
    let [operators, own] = [Receiver::answering(400).await, Receiver::answering(400).await];
    let source = format!("secrets = [{{ value = \"{GUEST_TOKEN}\" }}]\ntenant = \"acme\"");
    let prepared = Setup::new()
        .table("master_key = { file = \"master\" }")
        .plugin("guest")
        .source("guest", "guest", &source)
        .endpoint_with("crm", &operators, &["order.*"], "retries = []")
        .prepare();
    std::fs::write(prepared.folder().join("master"), MASTER).unwrap();
    let gateway = prepared.start().await;
    let endpoint = json!({
        "name": "own", "url": own.url(), "events": ["order.*"], "tenant": "acme", "retries": [],
    });
    let made = gateway.tell("/v1/endpoints", &endpoint).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let id = text(&made.json()["id"]);
    gateway.guest(&json!({ "id": "1", "type": "order.paid" })).await.accepted();
    gateway.settle().await;
    assert_eq!(gateway.dead().await.len(), 2);
    for receiver in [&operators, &own] {
        receiver.answer(204);
    }
    let ops = make(&gateway, "", &json!({ "name": "ops", "scopes": ["admin"] })).await;
    let acme = json!({ "name": "acme", "scopes": ["read", "replay"], "tenant": "acme" });
    let acme = make(&gateway, &ops, &acme).await;
    let ask = async |filter: Value| {
        let body = json!({ "filter": filter });
        send(&gateway, &acme, "POST", "/v1/replays", Some(&body)).await
    };

    for (filter, expected) in [
        (json!({ "state": "dead" }), (403, "operator-only")),
        (json!({ "endpoint": "crm", "state": "dead" }), (404, "not-found")),
        (json!({ "endpoint": id, "tenant": "globex" }), (403, "operator-only")),
    ] {
        let refused = ask(filter).await;
        assert_eq!((refused.status, kind(&refused).as_str()), expected, "{}", refused.body);
    }
    let begun = ask(json!({ "endpoint": id, "state": "dead" })).await;
    assert_eq!(begun.status, 202, "{}", begun.body);
    let path = format!("/v1/replays/{}", text(&begun.json()["id"]));
    let look = async || send(&gateway, &acme, "GET", &path, None).await.json();
    while look().await["finished_at"].is_null() {}

    let ended = look().await;
    assert_eq!(ended["reopened"], 1, "{ended}");
    let filter = json!({
        "state": "dead", "tenant": "acme", "endpoint": id.replace('_', "-"), "kind": "delivery",
    });
    assert_eq!(ended["filter"], filter);
    own.arrived(2).await;
    assert_eq!((own.ids().len(), operators.received().len()), (1, 1));
}

/// Guards I11: what waits for the paused endpoints of one tenant does not fill what all share.
#[tokio::test]
async fn what_waits_for_one_tenant_is_an_eighth_of_the_mark_and_the_oldest_beyond_it_are_dead() {
    let receiver = Receiver::start().await;
    let setup = of_tenants("tenant = \"acme\"", &receiver)
        .line("master_key = { file = \"master\" }")
        .table("[limits]\nbacklog_per_source = 64");
    let prepared = setup.prepare();
    std::fs::write(prepared.folder().join("master"), MASTER).unwrap();
    let gateway = prepared.start().await;
    for name in ["a", "b"] {
        let body = json!({
            "name": name, "tenant": "acme", "url": receiver.url(), "events": ["order.*"],
        });
        let made = gateway.tell("/v1/endpoints", &body).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let pause = format!("/v1/endpoints/{}/pause", text(&made.json()["id"]));
        assert_eq!(gateway.tell(&pause, &json!({})).await.status, 200);
    }

    for number in 0..10 {
        let order = json!({ "id": number.to_string(), "type": "order.paid" });
        gateway.guest(&order).await.accepted();
    }
    let dead = loop {
        let dead = gateway.dead().await;
        if dead.len() >= 12 {
            break dead;
        }
        tokio::task::yield_now().await;
    };

    let why = "more deliveries wait for the endpoints of its tenant than a tenant may have";
    assert!(dead.len() == 12 && dead.iter().all(|letter| letter["detail"] == why), "{dead:#?}");
    let left = gateway.ask("/v1/deliveries?state=pending").await.json();
    assert_eq!(left["items"].as_array().map(Vec::len), Some(8), "four of each: {left}");
}
