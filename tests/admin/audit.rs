//! The audit log: each write has an entry that says who did what, and no secret stands in one.

use sha2::{Digest, Sha256};

use super::*;
use crate::harness::{ENDPOINT_SECRET, answer};

/// All entries, oldest first.
async fn entries(gateway: &Harness, by: &str) -> Vec<Value> {
    let get = gateway.client().get(format!("{}/v1/audit?order=oldest&limit=500", gateway.admin()));
    let listed = answer(get.header("authorization", by)).await;
    assert_eq!(listed.status, 200, "{}", listed.body);
    listed.json()["items"].as_array().cloned().unwrap_or_default()
}

/// The entries of requests: who, what, and the status of the answer.
fn requests(entries: &[Value]) -> Vec<(String, String, String)> {
    let of = |entry: &Value| ["who", "what", "outcome"].map(|key| text(&entry[key]));
    let asked = entries.iter().filter(|entry| text(&entry["what"]).contains(" /v1/"));
    asked.map(of).map(|[who, what, outcome]| (who, what, outcome)).collect()
}

#[tokio::test]
async fn each_write_says_who_did_what_and_what_became_of_it() {
    let gateway = Setup::stripe().start().await;
    gateway.stripe(&payment("evt_1", "pi_1", "payment_failed")).await.accepted();
    gateway.settle().await;
    let made = gateway.tell("/v1/tokens", &json!({ "name": "ops", "scopes": ["admin"] })).await;
    let token = text(&made.json()["token"]);
    let by = format!("Bearer {token}");
    let ask = async |method: &str, path: &str, body: Value| {
        let url = format!("{}{path}", gateway.admin());
        let request = gateway.client().request(method.parse().expect("a method"), url);
        answer(request.header("authorization", &by).json(&body)).await
    };
    let event = text(&ask("GET", "/v1/events", Value::Null).await.json()["items"][0]["id"]);
    ask("POST", "/v1/replay", json!({ "ids": [event] })).await;
    ask("POST", "/v1/replay", json!({ "ids": [] })).await;
    let begun = ask("POST", "/v1/replay", json!({ "filter": { "source": "stripe" } })).await;
    gateway.settle().await;
    let replay = text(&begun.json()["id"]);
    ask("DELETE", &format!("/v1/replays/{replay}"), Value::Null).await;
    ask("POST", "/v1/reload", Value::Null).await;
    ask("POST", "/v1/tokens", json!({ "name": "ci", "scopes": ["read"] })).await;
    ask("DELETE", "/v1/tokens/ci", Value::Null).await;

    let entries = entries(&gateway, &by).await;

    let ops = "token ops".to_owned();
    let expected = [
        ("this machine".to_owned(), "POST /v1/tokens".to_owned(), "201"),
        (ops.clone(), "POST /v1/replay".to_owned(), "200"),
        (ops.clone(), "POST /v1/replay".to_owned(), "422"),
        (ops.clone(), "POST /v1/replay".to_owned(), "202"),
        (ops.clone(), format!("DELETE /v1/replays/{replay}"), "200"),
        (ops.clone(), "POST /v1/reload".to_owned(), "200"),
        (ops.clone(), "POST /v1/tokens".to_owned(), "201"),
        (ops.clone(), "DELETE /v1/tokens/ci".to_owned(), "200"),
    ];
    let expected = expected.map(|(who, what, outcome)| (who, what, outcome.to_owned()));
    assert_eq!(requests(&entries), expected, "{entries:#?}");
    let shown = json!(entries).to_string();
    assert!(!shown.contains("hgt_") && shown.contains("127.0.0.1:"), "{shown}");
    let of = |what: &str| entries.iter().rfind(|entry| entry["what"] == what).cloned().unwrap();
    assert_eq!(of("POST /v1/tokens")["after"]["scopes"], json!(["read"]));
    assert_eq!(of("DELETE /v1/tokens/ci")["before"]["name"], "ci");
    assert_eq!(of("POST /v1/reload")["after"]["config"]["outcome"], "unchanged");
    for (number, pair) in entries.windows(2).enumerate() {
        assert_eq!(pair[0]["number"], number + 1);
        assert_eq!(pair[1]["previous"], pair[0]["hash"]);
    }
}

/// Guards I4.
#[tokio::test]
async fn a_change_of_the_files_says_what_is_another_now_and_no_secret() {
    let gateway = Setup::stripe().start().await;
    let table = format!(
        "\n[endpoints.crm]\nurl = \"http://me:planted_91c2@127.0.0.1:9/planted_91c2\"\n\
         events = [\"payment.*\"]\nsecrets = [{{ value = \"{ENDPOINT_SECRET}\" }}]\n"
    );
    gateway.reconfigure(|text| format!("admin_hosts = [\"ops.internal\"]\n{text}{table}")).await;
    let applied = loop {
        // It is written down beside everything else.
        let entries = entries(&gateway, "").await;
        let found = entries.into_iter().find(|entry| entry["what"] == "the configuration");
        if let Some(found) = found {
            break found;
        }
    };

    assert_eq!((&applied["who"], &applied["outcome"]), (&json!("the files"), &json!("applied")));
    assert_eq!(applied["before"]["admin_hosts"], json!([]));
    assert_eq!(applied["after"]["admin_hosts"], json!(["ops.internal"]));
    assert_eq!(applied["after"]["endpoints"]["crm"]["events"], json!(["payment.*"]));
    assert!(!applied.to_string().contains("planted"), "{applied}");
    assert!(!applied.to_string().contains(ENDPOINT_SECRET), "{applied}");
    assert!(applied["after"].get("sources").is_none(), "{applied}");
}

/// Guards I4.
#[tokio::test]
async fn a_reload_applies_another_master_key_and_the_log_shows_its_id_alone() {
    let gateway = Setup::stripe().start().await;
    let id = |byte: u8| {
        let hashed = [b"hookgate master key 1\0".as_slice(), &[byte; 32]].concat();
        let hash: [u8; 32] = Sha256::digest(hashed).into();
        json!([hex::encode(&hash[..8])])
    };
    let put = |byte: u8| {
        let folder = gateway.folder();
        std::fs::write(folder.join("partial"), hex::encode([byte; 32])).unwrap();
        std::fs::rename(folder.join("partial"), folder.join("master")).unwrap();
    };

    put(0xa1);
    gateway.reconfigure(|text| format!("master_key = {{ file = \"master\" }}\n{text}")).await;
    put(0xb2);
    // Who watches the files may have seen it first.
    assert_ne!(gateway.reload().await["config"]["outcome"], "kept");
    let entries = loop {
        // They are written down beside everything else.
        let entries = entries(&gateway, "").await;
        if entries.iter().any(|entry| entry["after"]["master_keys"] == id(0xb2)) {
            break entries;
        }
    };

    let keys = |entry: &Value| (!entry["after"]["master_keys"].is_null()).then(|| entry.clone());
    let changes: Vec<Value> = entries.iter().filter_map(keys).collect();
    let [first, second] = &changes[..] else { panic!("two changes: {changes:?}") };
    let of = |entry: &Value| ["before", "after"].map(|at| entry[at]["master_keys"].clone());
    assert_eq!(of(first), [json!([]), id(0xa1)]);
    assert_eq!(of(second), [id(0xa1), id(0xb2)]);
    for byte in [0xa1, 0xb2] {
        assert!(!json!(entries).to_string().contains(&hex::encode([byte; 32])));
    }
}

#[tokio::test]
async fn nobody_reads_the_audit_log_without_the_scope_for_it() {
    let gateway = Setup::stripe().start().await;
    let made = gateway.tell("/v1/tokens", &json!({ "name": "ci", "scopes": ["read"] })).await;
    let by = format!("Bearer {}", text(&made.json()["token"]));
    let get = gateway.client().get(format!("{}/v1/audit", gateway.admin()));
    assert_eq!(answer(get.header("authorization", by)).await.status, 403);
    assert_eq!(gateway.ask("/v1/audit").await.status, 401);
}
