//! The instance in which a request was claimed: what its early parse finds there, and that nobody
//! else finds anything.

use std::sync::Arc;

use serde_json::json;

use super::calls::{Guest, lines, request, settings};
use super::*;
use crate::event::{Event, Request};
use crate::provider::Claims;
use crate::retry::Outcome;

impl Guest {
    /// One whose early parses end because they return, on a machine that has other things to do.
    fn patient(self) -> Self {
        let (claims, early) = (Duration::from_secs(10), Duration::from_secs(1));
        self.host.set_deadlines(Deadlines { claims, early, ..Deadlines::default() });
        self
    }

    /// The early parse of a request, with these settings, behind the claims of `claimed`.
    async fn parsed_behind(
        &self,
        claimed: &Arc<Request>,
        parsed: &Arc<Request>,
        with: &Arc<str>,
    ) -> Called<Result<Vec<Event>, Outcome>> {
        let parse = {
            let (host, plugin) = (self.host.clone(), Arc::clone(&self.plugin));
            let (request, with) = (Arc::clone(parsed), Arc::clone(with));
            move |_: Claims, kept: Option<Kept<'_>>| {
                host.parse_early(&plugin, &with, &name("shop"), &request, kept)
            }
        };
        let (settings, source) = (settings(), name("shop"));
        let called = self.host.claims_and(&self.plugin, &settings, &source, claimed, parse).await;
        called.unwrap().unwrap().expect("it may take time").0
    }
}

#[tokio::test]
async fn an_early_parse_finds_what_its_own_claims_left_and_no_other_call_does() {
    let guest = Guest::new().patient();
    let command = json!({ "do": "count", "at": "parse" });
    let (one, other) = (request(&command), request(&command));
    for _ in 0..3 {
        assert_eq!(lines(guest.parsed_behind(&one, &one, &settings()).await), ["2"]);
        assert_eq!(lines(guest.parse(command.clone()).await), ["1"], "made later");
    }
    let another = guest.parsed_behind(&one, &other, &settings()).await;
    assert_eq!(lines(another), ["1"], "of another request");
    let changed = guest.parsed_behind(&one, &one, &r#"{"mode":1}"#.into()).await;
    assert_eq!(lines(changed), ["1"], "with other settings");
}

#[tokio::test]
async fn a_trap_behind_claims_is_the_failure_of_that_parse_alone() {
    let guest = Guest::new().patient();
    for command in [json!({ "do": "trap", "at": "parse" }), json!({ "do": "count", "at": "parse" })]
    {
        let request = request(&command);
        let called = guest.parsed_behind(&request, &request, &settings()).await;
        if command["do"] == "trap" {
            assert!(matches!(called.ended, Err(CallError::Trap { .. })), "{called:?}");
        } else {
            assert_eq!(lines(called), ["2"]);
        }
    }
}

#[tokio::test]
async fn what_a_guest_writes_in_its_claims_is_not_in_the_log_of_its_parse() {
    let guest = Guest::new().patient();
    let flood = request(&json!({ "do": "log", "at": "claim", "lines": 60 }));
    let called = guest.parsed_behind(&flood, &flood, &settings()).await;
    assert_eq!(lines(called), Vec::<String>::new());
}

#[tokio::test]
async fn what_claims_hold_of_the_memory_is_missing_in_their_instance_only() {
    let guest = Guest::new().patient();
    let command = json!({ "leak": 20 });
    let request = request(&command);

    let early = guest.parsed_behind(&request, &request, &settings()).await.ended;
    assert!(matches!(early, Err(CallError::Memory { limit: 0x200_0000 })), "{early:?}");
    let later = guest.parse(command).await.ended.unwrap().unwrap();
    assert_eq!(later.len(), 1);
}

/// A provider by hand, for which every request is genuine and without events. Its `parse` traps in
/// an instance in which its `claim` was called. At 1024 lies the description of a provider `p`,
/// version `1`, and at 8192 nothing, which is what both return.
fn provider_by_hand(imports: &str) -> Vec<u8> {
    let wat = format!(
        r#"(module
            {imports}
            (memory (export "memory") 4)
            (data (i32.const 1024)
                "\00\10\00\00\01\00\00\00\01\10\00\00\01\00\00\00"
                "\00\10\00\00\01\00\00\00")
            (data (i32.const 1120) "\91\01")
            (data (i32.const 4096) "p1")
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65536))
            (func (export "hookgate:plugin/provider@0.2.0#describe") (result i32) (i32.const 1024))
            (func (export "hookgate:plugin/provider@0.2.0#check") (result i32) (unreachable))
            (func (export "hookgate:plugin/provider@0.2.0#claim")
                (param i32 i32 i32 i32 i32 i32 i32 i32 i64) (result i32)
                (i32.store (i32.const 512) (i32.const 1))
                (i32.const 8192))
            (func (export "hookgate:plugin/provider@0.2.0#parse")
                (param i32 i32 i32 i32 i32 i32 i32 i32 i64) (result i32)
                (if (i32.load (i32.const 512)) (then (unreachable)))
                (i32.const 8192))
            (func (export "hookgate:plugin/provider@0.2.0#sign")
                (param i32 i32 i32 i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)
                (unreachable))
        )"#
    );
    module_for("provider-plugin", &wat)
}

/// Its randomness starts anew with every call, and it may have drawn some for good.
#[tokio::test]
async fn a_guest_with_wasi_parses_in_a_fresh_instance() {
    let random =
        r#"(import "wasi_snapshot_preview1" "random_get" (func (param i32 i32) (result i32)))"#;
    for (imports, has_wasi) in [("", false), (random, true)] {
        let host = host();
        let plugin = host.load(name("test"), &provider_by_hand(imports)).unwrap();
        let guest = Guest { host, plugin }.patient();
        let request = request(&json!({}));
        let ended = guest.parsed_behind(&request, &request, &settings()).await.ended;
        match ended {
            Ok(Ok(events)) => assert!(has_wasi && events.is_empty()),
            Err(CallError::Trap { .. }) => assert!(!has_wasi),
            other => panic!("{other:?}"),
        }
    }
}
