//! What `hookgate store` says of a store, and that it keeps its hands off one that is in use.

use std::ffi::OsStr;
use std::path::Path;

use serde_json::Value;

use super::{Ran, hookgate};
use crate::harness::{STRIPE_SECRET, Setup, payment, stripe_signature, text};

async fn check(store: &Path, more: &[&str]) -> Ran {
    let args = [OsStr::new("store"), OsStr::new("check"), store.as_os_str()];
    hookgate(args.into_iter().chain(more.iter().map(|arg| OsStr::new(*arg)))).await
}

#[tokio::test]
async fn a_store_is_checked_while_no_gateway_runs_on_it() {
    let gateway = Setup::stripe().start().await;
    for number in 0..3 {
        let id = format!("evt_{number}");
        gateway.stripe(&payment(&id, "pi_1", "payment_failed")).await.accepted();
    }
    gateway.settle().await;
    let data = gateway.folder().join("data");

    let beside = check(&data, &[]).await;
    assert_eq!(beside.code, Some(2), "{}", beside.err);
    assert!(beside.err.contains("hookgate: failed to check the store: "), "{}", beside.err);
    assert!(beside.err.contains("is in use by another gateway"), "{}", beside.err);

    let stopped = gateway.stop().await;
    let config = stopped.folder().join("hookgate.toml");
    for place in [&data, &config] {
        let sound = check(place, &[]).await;
        assert_eq!(sound.succeeded().lines().last(), Some("the store is sound"), "{}", sound.out);
        assert!(sound.line("checked the store in").contains("volumes 1, "), "{}", sound.out);
    }

    // The first frame lies behind a head of 48 bytes.
    let volume = data.join("volume-00000001.hgv");
    let mut bytes = std::fs::read(&volume).expect("there is a volume");
    bytes[48 + 41] ^= 1;
    std::fs::write(&volume, &bytes).expect("it can be written");
    let damaged = check(&data, &[]).await;
    damaged.failed_with("hookgate: faults found: 1");
    damaged.line("FAULT volume-00000001.hgv, offset 48, position 1: the frame is damaged");

    let document = check(&data, &["--json"]).await;
    assert_eq!(document.code, Some(1), "{}", document.err);
    let document: Value = serde_json::from_str(&document.out).expect("it is JSON");
    assert_eq!(document["sound"], false);
    assert_eq!(document["found"], 1);
    assert_eq!(document["faults"][0]["file"], "volume-00000001.hgv");
    assert_eq!(document["faults"][0]["offset"], 48);
    assert_eq!(std::fs::read(&volume).expect("it is there"), bytes, "a check changes nothing");
}

#[tokio::test]
async fn what_is_not_a_store_can_not_be_checked() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for place in [folder.path(), &folder.path().join("none.toml")] {
        let checked = check(place, &[]).await;
        assert_eq!(checked.code, Some(2), "{}{}", checked.out, checked.err);
        assert!(checked.err.starts_with("hookgate: failed to check the store: "));
    }
}

#[tokio::test]
async fn an_export_has_all_that_is_stored_and_no_secret() {
    const PLANTED: &str = "Tr0ub4dor-and-3";
    let gateway = Setup::stripe().start().await;
    gateway.stripe(&payment("evt_0", "pi_1", "payment_failed")).await.accepted();
    // A secret of the configuration in the body, and somebody's token in a header.
    let body = payment("evt_1", STRIPE_SECRET, "payment_failed");
    let signature = stripe_signature(STRIPE_SECRET, gateway.clock().now().seconds(), &body);
    let headers = [("stripe-signature", signature.as_str()), ("x-api-token", PLANTED)];
    gateway.post("stripe", &headers, body).await.accepted();
    gateway.settle().await;
    let stopped = gateway.stop().await;
    let config = stopped.folder().join("hookgate.toml");
    let args = ["store", "export", "--config"].map(OsStr::new);

    let exported = hookgate(args.into_iter().chain([config.as_os_str()])).await;

    let out = exported.succeeded();
    assert!(!out.contains(PLANTED) && !out.contains(STRIPE_SECRET), "{out}");
    let lines: Vec<Value> =
        out.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect();
    let ids: Vec<String> = lines
        .iter()
        .filter(|line| line["event"].is_object())
        .map(|line| text(&line["event"]["event"]["id"]))
        .collect();
    assert_eq!(ids, ["evt_0", "evt_1"]);
    let receipts = lines.iter().filter(|line| line["receipt"]["source"] == "stripe");
    assert_eq!(receipts.count(), 2);
    assert!(out.contains("(hidden)"), "{out}");
    assert!(check(&config, &[]).await.succeeded().contains("the store is sound"));
}

#[tokio::test]
async fn an_export_makes_no_store() {
    let gateway = Setup::stripe().start().await;
    let stopped = gateway.stop().await;
    let (data, config) = (stopped.folder().join("data"), stopped.folder().join("hookgate.toml"));
    std::fs::remove_dir_all(&data).expect("the gateway has stopped");
    let args = ["store", "export", "--config"].map(OsStr::new);
    let refused = hookgate(args.into_iter().chain([config.as_os_str()])).await;
    refused.failed_with("has no store");
    assert!(!data.exists());
}

#[tokio::test]
async fn a_store_is_repaired_that_no_gateway_can_open_any_more() {
    let gateway = Setup::stripe().start().await;
    gateway.stripe(&payment("evt_0", "pi_1", "payment_failed")).await.accepted();
    gateway.settle().await;
    let data = gateway.folder().join("data");
    let repair = async |place: &Path, more: &[&str]| {
        let args = [OsStr::new("store"), OsStr::new("repair"), place.as_os_str()];
        hookgate(args.into_iter().chain(more.iter().map(|arg| OsStr::new(*arg)))).await
    };
    repair(&data, &[]).await.failed_with("is in use by another gateway");

    let stopped = gateway.stop().await;
    let config = stopped.folder().join("hookgate.toml");
    let rows = data.join("hookgate.redb");
    let mut content = std::fs::read(&rows).expect("there are rows");
    content[9..].fill(0);
    std::fs::write(&rows, &content).expect("it can be written");
    let args = ["store", "export", "--config"].map(OsStr::new);
    let export = async || hookgate(args.into_iter().chain([config.as_os_str()])).await;
    export().await.failed_with("`hookgate store repair` makes a new file");

    let wrong = stopped.folder().join("wrong.toml");
    std::fs::write(&wrong, "data = \"data\"\nnonsense = 1\n").expect("it can be written");
    repair(&wrong, &[]).await.failed_with("mend it, or name the data folder instead");
    assert_eq!(std::fs::read(&rows).expect("it is there"), content, "nothing is repaired yet");
    let repaired = repair(&config, &[]).await;
    repaired.succeeded();
    repaired.line("repaired the store in");
    repaired.line("the old file is now");
    assert!(check(&data, &[]).await.succeeded().contains("the store is sound"));
    let exported = export().await;
    assert!(exported.succeeded().contains("evt_0"), "{}", exported.out);

    repair(&data, &[]).await.failed_with("so it needs no repair: start the gateway");
    let document = repair(&data, &["--anyway", "--json", "--undecided", "done"]).await;
    let document: Value = serde_json::from_str(document.succeeded()).expect("it is JSON");
    assert_eq!(document["damaged"], 0);
    assert_eq!(document["undecided"], 0);
    let before = std::fs::read(data.join("hookgate.redb.before-repair")).expect("it is kept");
    assert!(before == content, "it is as it was");
}
