//! What a run asks for, what it reads, and what is the same when it is made again.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;

use super::calls::{Guest, doors, event, lines, settings, told};
use super::*;
use crate::effect::Effect;

/// A handler for WASI preview 1 that prints 8 letters at random, and traps at any time but `NOW`.
const RANDOM_LETTERS: &str = r#"
    (if (call $clock (i32.const 0) (i64.const 1) (i32.const 512)) (then (unreachable)))
    (if (i64.ne (i64.load (i32.const 512)) (i64.const 1700000000000000000)) (then (unreachable)))
    (if (call $random (i32.const 512) (i32.const 8)) (then (unreachable)))
    (i64.store (i32.const 512) (i64.or (i64.const 0x6060606060606060)
        (i64.and (i64.load (i32.const 512)) (i64.const 0x0f0f0f0f0f0f0f0f))))
    (i32.store (i32.const 528) (i32.const 512))
    (i32.store (i32.const 532) (i32.const 8))
    (drop (call $write (i32.const 1) (i32.const 528) (i32.const 1) (i32.const 700)))
    (i32.store8 (i32.const 800) (i32.const 0))
    (i32.const 800)"#;

#[tokio::test]
async fn a_run_that_is_made_again_has_the_same_time_and_randomness() {
    let imports = r#"
        (import "wasi_snapshot_preview1" "clock_time_get"
            (func $clock (param i32 i64 i32) (result i32)))
        (import "wasi_snapshot_preview1" "random_get"
            (func $random (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_write"
            (func $write (param i32 i32 i32 i32) (result i32)))"#;
    let wat = handler_by_hand(imports, "(i32.const 8)");
    let (before, handle) = wat.rsplit_once("(unreachable)").unwrap();
    let module = module_for("handler-plugin", &format!("{before}{RANDOM_LETTERS}{handle}"));
    let host = host();
    let plugin = host.load(name("test"), &module).unwrap();
    let letters = async |run_id: &str, attempt| {
        let told = HandleContext { attempt, ..told(run_id) };
        let event = event(&json!({}));
        let grant = Arc::default();
        let state: StateReader = Arc::new(|_: &str| Ok(None));
        let handled = host.handle(&plugin, &settings(), &event, told, &grant, doors(state)).await;
        let lines = lines(handled);
        assert_eq!((lines.len(), lines[0].len()), (1, 8), "{lines:?}");
        lines
    };
    let first = letters("run_1", 1).await;
    assert_eq!(first, letters("run_1", 1).await);
    assert_eq!(first, letters("run_1", 2).await);
    assert_ne!(first, letters("run_2", 1).await);
}

#[tokio::test]
async fn what_a_run_asks_for_comes_back_in_order() {
    let guest = Guest::new();
    let sent = guest.handle(json!({ "do": "send", "endpoint": "crm", "text": "hello" })).await;
    let effects = sent.ended.unwrap().unwrap();
    assert!(matches!(&effects[..], [Effect::Send(parcel)] if parcel.body == "hello"));

    let emitted = guest.handle(json!({ "do": "emit", "emits": "a.b", "data": [1] })).await;
    let effects = emitted.ended.unwrap().unwrap();
    let [Effect::Emit(emission)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((emission.event_type.as_str(), emission.data.as_str()), ("a.b", "[1]"));
    assert_eq!(emission.subject.as_deref(), Some("order_1"));
}

#[tokio::test]
async fn what_is_not_granted_is_refused_to_the_guest() {
    let sent = Guest::new().handle(json!({ "do": "send", "endpoint": "bank" })).await;
    let failure = sent.ended.unwrap().unwrap_err();
    let reason = failure.reason().unwrap();
    assert!(sent.denied && reason.contains("has not granted the endpoint `bank`"), "{reason}");
}

#[tokio::test]
async fn a_run_has_a_limit_of_effects() {
    let guest = Guest::new();
    let send = |times| json!({ "do": "send", "endpoint": "crm", "times": times });
    assert_eq!(guest.handle(send(64)).await.ended.unwrap().unwrap().len(), EFFECTS_MAX);
    let failure = guest.handle(send(65)).await.ended.unwrap().unwrap_err();
    let reason = failure.reason().unwrap();
    assert!(reason.contains("at most 64 effects"), "{reason}");
}

#[tokio::test]
async fn a_run_reads_the_store_and_then_its_own_writes() {
    let stored: StateReader = Arc::new(|key: &str| {
        assert_eq!(key, "count");
        Ok(Some(Bytes::from_static(&[6])))
    });
    let handled = Guest::new().handle_with(json!({ "do": "state" }), stored).await;
    let set = Effect::SetState { key: "count".to_owned(), value: Some(Bytes::from_static(&[7])) };
    assert_eq!(handled.ended.unwrap().unwrap(), [set]);
}

#[tokio::test]
async fn a_run_tells_by_a_hash_what_it_read_of_the_store() {
    let guest = Guest::new();
    let read = async |command, stored: u8| {
        let stored: StateReader = Arc::new(move |_: &str| Ok(Some(Bytes::from(vec![stored]))));
        guest.asked_with(command, stored).await.ended.unwrap().unwrap().state_read
    };

    let six = read(json!({ "do": "state" }), 6).await;

    assert!(six.is_some());
    assert_eq!(read(json!({ "do": "state" }), 6).await, six);
    assert_ne!(read(json!({ "do": "state" }), 5).await, six);
    assert_ne!(read(json!({ "do": "state", "key": "other" }), 6).await, six);
    assert_eq!(read(json!({ "do": "emit" }), 6).await, None);
}

#[tokio::test]
async fn a_store_that_cannot_be_read_is_the_hosts_failure() {
    let broken: StateReader = Arc::new(|_: &str| Err("the disk is gone".to_owned()));
    let handled = Guest::new().handle_with(json!({ "do": "state" }), broken).await;
    let Err(CallError::Host(reason)) = &handled.ended else { panic!("{handled:?}") };
    assert!(reason.contains("the disk is gone"), "{reason}");
}

#[tokio::test]
async fn a_host_that_panics_over_a_guest_goes_on() {
    let guest = Guest::new();
    let panics: StateReader = Arc::new(|_: &str| panic!("the reader is broken"));
    for _ in 0..8 {
        let command = json!({ "do": "state" });
        let handled = guest.handle_with(command, Arc::clone(&panics)).await;
        let words = "the gateway panicked while it called the plugin: the reader is broken";
        assert_eq!(handled.ended.unwrap_err().to_string(), words);
    }
    assert!(guest.handle(json!({})).await.ended.is_ok());
}
