//! The largest request that a provider sends, through everything.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;

use crate::harness::{Receiver, Setup};

/// GitHub caps what it sends at 25 MB.
const BODY_BYTES: usize = 25 << 20;

#[tokio::test]
async fn a_push_of_25_mib_is_accepted_parsed_and_delivered() {
    let receiver = Receiver::start().await;
    let limits = format!("[limits]\nbody_bytes = {BODY_BYTES}\nplugin_memory_bytes = 83886080");
    let gateway = Setup::new()
        .plugin("github")
        .source("code", "github", "secrets = [{ value = \"hookgate\" }]")
        .endpoint("crm", &receiver, &["github.*"])
        .table(&limits)
        .start()
        .await;
    let body = push();
    let mut mac = Hmac::<Sha256>::new_from_slice(b"hookgate").expect("any key will do");
    mac.update(body.as_bytes());
    let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
    let headers = [
        ("x-github-event", "push"),
        ("x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958"),
        ("x-hub-signature-256", &signature),
        ("content-type", "application/json"),
    ];

    gateway.post("code", &headers, body.clone()).await.accepted();
    gateway.settle().await;
    let larger = gateway.post("code", &headers, body.clone() + " ").await;

    assert_eq!(gateway.dead().await, Vec::<serde_json::Value>::new());
    let received = receiver.received();
    assert_eq!(received.len(), 1);
    let event = received[0].json();
    assert_eq!(event["type"], "github.push");
    assert_eq!(event["data"].to_string().len(), body.len());
    assert_eq!(larger.status, 413);
}

/// A push of many commits, of exactly so many bytes.
fn push() -> String {
    let commit = |number: usize| {
        json!({
            "id": format!("{number:040x}"),
            "message": format!("Trim the wick, \u{2028} the {number}th time \n"),
            "author": { "name": "mara", "email": "mara@example.com" },
            "added": [format!("lanterns/{number}.txt")], "removed": [], "modified": [],
        })
    };
    let mut text = json!({
        "ref": "refs/heads/main",
        "repository": { "id": 7002, "full_name": "lanternlight/wick" },
        "head_commit": { "id": "1111111111111111111111111111111111111111" },
    })
    .to_string();
    text.truncate(text.len() - 1);
    text += ",\"commits\":[";
    for number in 0.. {
        let next = commit(number).to_string() + ",";
        if text.len() + next.len() > BODY_BYTES - 64 {
            break;
        }
        text += &next;
    }
    let rest = BODY_BYTES - text.len() - "\"\"]}".len();
    text + "\"" + &"x".repeat(rest) + "\"]}"
}
