//! What `hookgate store` says of a store, and that it keeps its hands off one that is in use.

use std::ffi::OsStr;
use std::path::Path;

use serde_json::Value;

use super::{Ran, hookgate};
use crate::harness::{Setup, payment};

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
    assert_eq!((&document["sound"], &document["found"]), (&false.into(), &1.into()));
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
