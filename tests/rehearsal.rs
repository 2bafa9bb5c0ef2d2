//! Rehearsals: another version of a plugin, run over what a gateway has stored.

use std::time::Duration;

use hookgate::plugin::FILE_BYTES_MAX;
use serde_json::{Value, json};

use crate::canary::guest;
use crate::harness::{Answer, Harness, Setup, answer, payment, plugin_file, text};

/// How long a stop may take, if the configuration says nothing else.
const GRACE: Duration = Duration::from_secs(30);

fn post(gateway: &Harness, query: &str) -> reqwest::RequestBuilder {
    let url = format!("{}/v1/rehearsals?{query}", gateway.admin());
    gateway.client().post(url).header("content-type", "application/octet-stream")
}

/// Sends a version of a plugin.
pub(crate) async fn begin(gateway: &Harness, query: &str, wasm: Vec<u8>) -> Answer {
    answer(post(gateway, query).body(wasm)).await
}

fn path(begun: &Answer) -> String {
    assert_eq!(begun.status, 202, "{}", begun.body);
    format!("/v1/rehearsals/{}", text(&begun.json()["id"]))
}

/// How a rehearsal ended that has begun.
pub(crate) async fn ended(gateway: &Harness, begun: &Answer) -> Value {
    let path = path(begun);
    loop {
        let row = gateway.ask(&path).await.json();
        if row["state"] != "running" {
            return row;
        }
    }
}

/// What is left to say of the reports: role, compared and differing.
fn counts(row: &Value) -> Vec<(String, u64, u64)> {
    assert_eq!(row["state"], "done", "{row}");
    let reports = row["reports"].as_array().into_iter().flatten();
    let number = |report: &Value, key: &str| report[key].as_u64().unwrap_or_default();
    reports.map(|it| (text(&it["role"]), number(it, "compared"), number(it, "differing"))).collect()
}

/// A guest that has counted for some subjects, on forty events.
pub(crate) async fn counting(setup: Setup) -> Harness {
    let gateway = setup.start().await;
    for number in 0..40 {
        let subject = format!("pi_{}", number % 7);
        let command = json!({ "id": format!("evt_{number}"), "subject": subject, "do": "state" });
        gateway.guest(&command).await.accepted();
    }
    gateway.settle().await;
    gateway
}

/// Payments on which `dunning` has run, and on which the guest spins.
async fn spinning(payments: usize) -> Harness {
    let rules =
        "[plugins]\nfolder = \"plugins\"\n[plugins.dunning]\ndeadlines = { handle = \"1s\" }";
    let setup = Setup::stripe().plugin("dunning").without("plugins = \"plugins\"").table(rules);
    let gateway = setup.start().await;
    for number in 0..payments {
        let payment = payment(&format!("evt_{number}"), "pi_1", "payment_failed");
        let mut payment: Value = serde_json::from_str(&payment).unwrap();
        payment["data"]["object"]["do"] = json!("spin");
        gateway.stripe(&payment.to_string()).await.accepted();
    }
    gateway.settle().await;
    gateway
}

fn built(name: &str) -> Vec<u8> {
    std::fs::read(plugin_file(name)).unwrap()
}

/// Without `emission` or `differs` of the rehearsal nothing differs; with a commit the log grows.
#[tokio::test]
async fn a_version_that_differs_is_told_from_one_that_does_not_and_nothing_is_stored() {
    let gateway = counting(Setup::guest()).await;
    // The log grows by the entries of the audit alone.
    let stored = async || {
        let list = async |name: &str| gateway.ask(&format!("/v1/{name}?limit=500")).await.json();
        let entries = list("audit").await["items"].as_array().map_or(0, Vec::len);
        let end = gateway.stats().end - u64::try_from(entries).unwrap();
        (list("receipts").await, list("events").await, end, gateway.stats().works)
    };
    let before = stored().await;

    let same = ended(&gateway, &begin(&gateway, "plugin=guest", built("guest")).await).await;
    let other = ended(&gateway, &begin(&gateway, "plugin=guest", guest(3, 1)).await).await;
    let roles =
        |count: u64| [("provider".to_owned(), count, 0_u64), ("handler".to_owned(), count, 0_u64)];
    assert_eq!(counts(&same), roles(40));
    assert_eq!(same["memory_limit_bytes"], 32 << 20, "{same}");
    let differing = counts(&other)[1].2;
    assert!((1..40).contains(&differing), "{other}");
    let group = &other["reports"][1]["groups"][0];
    assert_eq!((&group["kind"], &group["count"]), (&json!("outcome"), &json!(differing)));
    assert!(text(&group["samples"][0]["id"]).starts_with("run_"), "{group}");

    for (filter, count) in
        [("limit=10", 10), ("source=nobody", 0), ("type=payment.*", 0), ("type=guest.asked", 40)]
    {
        let query = format!("plugin=guest&{filter}");
        let row = ended(&gateway, &begin(&gateway, &query, built("guest")).await).await;
        assert_eq!(counts(&row), roles(count), "{filter}");
    }
    assert_eq!(stored().await, before, "nothing is added to the log");

    let since = format!("plugin=guest&since={}", gateway.clock().now());
    gateway.advance(Duration::from_secs(60)).await;
    let row = ended(&gateway, &begin(&gateway, &since, built("guest")).await).await;
    assert_eq!(counts(&row), roles(40));
    let since = format!("plugin=guest&since={}", gateway.clock().now());
    let row = ended(&gateway, &begin(&gateway, &since, built("guest")).await).await;
    assert_eq!(counts(&row), roles(0));
}

/// Without `is_taken` in `Desk::place` the second begins; without `cancel` in `Desk::end` the first
/// fails after twenty calls.
#[tokio::test]
async fn one_rehearsal_goes_on_at_a_time_until_somebody_ends_it() {
    let gateway = spinning(60).await;
    let begun = begin(&gateway, "plugin=dunning", built("guest")).await;
    let second = begin(&gateway, "plugin=dunning", built("dunning")).await;
    assert_eq!(second.status, 409, "{}", second.body);
    assert!(text(&second.json()["type"]).ends_with("#rehearsal-runs"), "{}", second.body);
    assert_eq!(second.json()["id"], begun.json()["id"]);

    let told = gateway.delete(&path(&begun)).await;
    assert_eq!(told.status, 200, "{}", told.body);
    let row = ended(&gateway, &begun).await;
    assert_eq!(row["state"], "canceled", "{row}");
    assert!(row.get("reports").is_none(), "{row}");
    let next = ended(&gateway, &begin(&gateway, "plugin=dunning", built("dunning")).await).await;
    assert_eq!(counts(&next), [("handler".to_owned(), 60_u64, 0_u64)]);
    assert_eq!(gateway.ask(&path(&begun)).await.json()["state"], "canceled", "it is kept");
    let list = gateway.ask("/v1/rehearsals").await.json();
    let items = list["items"].as_array().unwrap();
    let states: Vec<_> = items.iter().map(|row| text(&row["state"])).collect();
    assert_eq!(states, ["done", "canceled"], "{list}");
    assert!(items.iter().all(|row| row.get("reports").is_none()), "{list}");
    let page = gateway.person().open("/plugins/dunning").await;
    page.says("Ended by an operator").says("As a handler, over 60 runs: 60 equal");
}

/// Guards I10. Without `Desk::closed` the next start finds the store in use.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_ends_a_rehearsal_and_a_start_goes_on() {
    let gateway = spinning(60).await;
    let begun = begin(&gateway, "plugin=dunning", built("guest")).await;
    let path = path(&begun);
    while gateway.ask(&path).await.json()["of"] == 0 {}

    let stopped = tokio::time::timeout(GRACE, gateway.stop()).await;
    let gateway = stopped.expect("it stops within the grace period").start().await;

    assert_eq!(gateway.ask(&path).await.status, 404);
    assert_eq!(gateway.events("source=stripe").await.len(), 60);
}

/// Without the scope of the operations a token that reads sees what events say, and one that writes
/// sends a file that shows the settings and the state of a handler.
#[tokio::test]
async fn a_rehearsal_is_for_those_who_may_do_all_and_its_file_is_bounded() {
    let gateway = Setup::guest().start().await;
    let long = vec![0; FILE_BYTES_MAX + 1];
    for (query, body, status, kind) in [
        ("plugin=guest", long, 413, "body-too-large"),
        ("plugin=guest", Vec::new(), 400, "malformed-body"),
        ("plugin=guest", b"no plugin".to_vec(), 422, "invalid-plugin"),
        ("source=guest", b"no plugin".to_vec(), 400, "invalid-parameter"),
        ("plugin=guest&limit=0", b"no plugin".to_vec(), 400, "invalid-parameter"),
    ] {
        let refused = begin(&gateway, query, body).await;
        assert_eq!(refused.status, status, "{query}: {}", refused.body);
        assert!(text(&refused.json()["type"]).ends_with(kind), "{}", refused.body);
    }
    let json = gateway.tell("/v1/rehearsals?plugin=guest", &json!({})).await;
    assert_eq!(json.status, 415, "{}", json.body);
    let unsigned = post(&gateway, "plugin=guest").header("hookgate-signature", "a text");
    assert_eq!(answer(unsigned.body("no plugin")).await.status, 400);
    // Each of them has given its place back.
    let begun = begin(&gateway, "plugin=guest", built("guest")).await;
    let path = path(&begun);

    let mut tokens = Vec::new();
    for scope in ["admin", "read", "write"] {
        let made = gateway.client().post(format!("{}/v1/tokens", gateway.admin()));
        let made = made.json(&json!({ "name": scope, "scopes": [scope] }));
        // The first one is made by whoever is on this machine.
        let made = match tokens.first() {
            Some(token) => made.bearer_auth(token),
            None => made,
        };
        tokens.push(text(&answer(made).await.json()["token"]));
    }
    let url = format!("{}{path}", gateway.admin());
    for less in &tokens[1..] {
        let sent = post(&gateway, "plugin=guest").bearer_auth(less).body("no plugin");
        assert_eq!(answer(sent).await.status, 403);
        let client = gateway.client();
        for asked in [client.get(&url), client.delete(&url)] {
            assert_eq!(answer(asked.bearer_auth(less)).await.status, 403);
        }
    }
    let seen = gateway.client().get(&url).bearer_auth(&tokens[0]);
    assert_eq!(answer(seen).await.status, 200);
}
