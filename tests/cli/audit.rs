//! `hookgate audit`: listed and exported while a gateway runs, verified when it is stopped.

use std::path::Path;

use serde_json::{Value, json};

use super::{Ran, hookgate};
use crate::harness::{Setup, text};

async fn verify(place: &Path, more: &[&str]) -> Ran {
    let place = place.to_str().expect("it is text");
    hookgate([&["audit", "verify", place][..], more].concat()).await
}

#[tokio::test]
async fn an_audit_log_is_listed_exported_and_verified() {
    let gateway = Setup::stripe().start().await;
    for _ in 0..3 {
        gateway.tell("/v1/reload", &Value::Null).await;
    }
    let listed = hookgate(["audit", "list", "--admin", gateway.admin()]).await;
    assert!(listed.succeeded().contains("POST /v1/reload"), "{}", listed.out);
    let by = ["audit", "list", "--admin", gateway.admin(), "--operation", "reload", "--actor"];
    let found = hookgate([&by[..], &["this machine"][..]].concat()).await;
    assert_eq!(found.succeeded().matches("POST /v1/reload").count(), 3, "{}", found.out);
    let none = hookgate([&by[..], &["token ci"][..]].concat()).await;
    assert_eq!(none.succeeded().lines().count(), 1, "the head alone: {}", none.out);
    let exported = hookgate(["audit", "export", "--admin", gateway.admin()]).await;
    let lines: Vec<Value> = exported
        .succeeded()
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is JSON"))
        .collect();
    assert!(lines.len() >= 3 && lines[0]["number"] == 1, "{}", exported.out);
    let data = gateway.folder().join("data");
    let beside = verify(&data, &[]).await;
    assert_eq!(beside.code, Some(2), "{}", beside.err);
    assert!(beside.err.contains("is in use by another gateway"), "{}", beside.err);

    let stopped = gateway.stop().await;

    let sound = verify(&data, &[]).await;
    assert_eq!(sound.succeeded().lines().last(), Some("the audit log is as it was written"));
    let known = format!("1:{}", text(&lines[0]["hash"]));
    verify(&data, &["--expect", &known]).await.succeeded();
    let other = format!("1:{}", "0f".repeat(32));
    let wrong = verify(&stopped.folder().join("hookgate.toml"), &["--expect", &other]).await;
    wrong.failed_with("hookgate: faults found: 1");
    wrong.line("FAULT entry 1: the hash is not the one that it is known to have had");
    let missing = format!("999:{}", "0f".repeat(32));
    verify(&data, &["--expect", &missing]).await.line("FAULT entry 999: the entry is known");
}

/// What a command changes in a stopped store is written down like what a request changes.
#[tokio::test]
async fn what_a_command_does_to_a_store_is_in_its_audit_log() {
    let stopped = Setup::stripe().start().await.stop().await;
    let data = stopped.folder().join("data");
    let place = data.to_str().expect("it is text");
    hookgate(["store", "repair", "--anyway", place]).await.succeeded();
    hookgate(["token", "reset", "--open", place]).await.succeeded();

    let gateway = stopped.start().await;

    let listed = gateway.ask("/v1/audit?order=oldest").await.json();
    let of = |what: &str| {
        let mut items = listed["items"].as_array().into_iter().flatten();
        items.find(|entry| entry["what"] == what).cloned().unwrap_or_default()
    };
    for what in ["hookgate store repair", "hookgate token reset"] {
        let entry = of(what);
        assert!(text(&entry["who"]).starts_with("user "), "{what}: {listed}");
        assert_eq!(entry["from"], json!("command line"));
    }
}
