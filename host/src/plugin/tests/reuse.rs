//! Instances that are used again: for which calls, for how many, and what a call finds in one.

use std::num::NonZeroU32;
use std::sync::Arc;

use serde_json::json;

use super::calls::{Guest, doors, event, lines, request, settings, told};
use super::*;
use crate::event::Timestamp;

fn rules(calls: u32) -> PluginRules {
    PluginRules { reuse: NonZeroU32::new(calls), ..PluginRules::default() }
}

/// The guest, each of whose instances is used for so many calls.
fn reused(calls: u32) -> Guest {
    let guest = Guest::new();
    guest.host.set_rules(&Arc::new([(name("guest"), rules(calls))].into()));
    guest
}

/// What a run of the operator is told.
fn run(run_id: &str, now: u64) -> HandleContext {
    HandleContext { now: Timestamp(now), ..told(run_id) }
}

/// How many calls the instance of a run has seen, by its own count.
async fn count(guest: &Guest) -> String {
    lines(guest.handle(json!({ "do": "count" })).await).join(" ")
}

/// The same of the instance of a parse.
async fn parsed(guest: &Guest, source: &str, settings: &str) -> String {
    let (source, settings) = (name(source), Arc::from(settings));
    let request = request(&json!({ "do": "count", "at": "parse" }));
    lines(guest.host.parse(&guest.plugin, &settings, &source, &request).await).join(" ")
}

/// Without the count in `Sandbox::leave` it is used for ever.
#[tokio::test]
async fn an_instance_is_used_for_as_many_calls_as_the_operator_wrote_and_then_thrown_away() {
    let guest = reused(3);
    for expected in ["1", "2", "3", "1", "2", "3", "1"] {
        assert_eq!(count(&guest).await, expected);
    }
}

/// Without `is_well` in `Sandbox::leave` the next call finds what a call left that was cut off, or
/// that gave up halfway.
#[tokio::test]
async fn a_call_that_fails_ends_its_instance_and_so_does_an_answer_that_is_a_failure() {
    let guest = reused(100);
    for command in ["trap", "spin", "violate", "hoard"] {
        assert_eq!([count(&guest).await, count(&guest).await], ["1", "2"], "before `{command}`");
        assert!(guest.handle(json!({ "do": command })).await.ended.is_err(), "`{command}`");
    }
    assert_eq!(count(&guest).await, "1");
    assert!(guest.handle(json!({ "do": "fail" })).await.ended.unwrap().is_err());
    assert_eq!(count(&guest).await, "1");
    assert_eq!(parsed(&guest, "shop", "{}").await, "1");
    let failure = guest.parse(json!({ "do": "fail", "at": "parse" })).await;
    assert!(failure.ended.unwrap().is_err());

    // The guest returned, and what it returned is no event.
    assert_eq!(parsed(&guest, "shop", "{}").await, "1");
    let violation = json!({ "do": "violate", "at": "parse", "about": "type" });
    assert!(guest.parse(violation).await.ended.is_err());
    assert_eq!(parsed(&guest, "shop", "{}").await, "1");
}

/// Without any of the members of `Key` one of these calls finds another's instance.
#[tokio::test]
async fn kinds_of_calls_sources_tenants_and_settings_never_share_an_instance() {
    let guest = reused(100);
    let other = r#"{"mode":1}"#;
    for (source, settings) in [("shop", "{}"), ("till", "{}"), ("shop", other)] {
        assert_eq!(parsed(&guest, source, settings).await, "1", "{source} with {settings}");
    }
    assert!(guest.claims(json!({})).await.is_ok());
    for (source, settings) in [("shop", other), ("till", "{}"), ("shop", "{}")] {
        assert_eq!(parsed(&guest, source, settings).await, "2", "{source} with {settings}");
    }
    assert_eq!(count(&guest).await, "1");
    for (tenant, expected) in [("acme", "1"), ("globex", "1"), ("acme", "2")] {
        let (event, grant) = (event(&json!({ "do": "count" })), Arc::default());
        let run = HandleContext { tenant: Some(tenant.parse().unwrap()), ..run("run_1", 5) };
        let doors = doors(Arc::new(|_: &str| Ok(None)));
        let Guest { host, plugin } = &guest;
        let called = host.handle(plugin, &settings(), &event, run, &grant, doors).await;
        assert_eq!(lines(called), [expected], "{tenant}");
    }
    assert_eq!(count(&guest).await, "2");
}

/// Without `is_short` the second of the claims has no memory left, and without `sandbox.leave`
/// behind the claims the last but one has all of it.
#[tokio::test]
async fn claims_follow_claims_and_an_early_parse_follows_parses() {
    let guest = reused(100);
    let (claims, early) = (Duration::from_secs(10), Duration::from_secs(1));
    guest.host.set_deadlines(Deadlines { claims, early, ..Deadlines::default() });
    // With less than a quarter of its memory left it is gone in time, and no call fails for it.
    for _ in 0..2 {
        assert!(guest.claims(json!({ "leak": 26 })).await.is_ok());
    }
    let leak = json!({ "leak": 20 });
    assert!(guest.claims(leak.clone()).await.is_ok());
    assert!(matches!(guest.claims(leak.clone()).await, Err(CallError::Memory { .. })));
    assert!(guest.claims(leak).await.is_ok());

    assert_eq!(parsed(&guest, "shop", "{}").await, "1");
    let request = request(&json!({ "do": "count", "at": "parse" }));
    let (settings, source) = (settings(), name("shop"));
    let called = guest.host.parse_unproven(&guest.plugin, &settings, &source, &request).await;
    let early = called.unwrap().unwrap().expect("it may take time");
    assert_eq!(lines(early), ["2"]);
    assert_eq!(parsed(&guest, "shop", "{}").await, "3");
}

/// Without `Context::begin_again` a call has the lines and the outbox of the one before it.
#[tokio::test]
async fn each_call_in_an_instance_has_its_own_log_outbox_and_settings() {
    let guest = reused(100);
    assert_eq!(lines(guest.handle(json!({ "do": "log", "lines": 60 })).await).len(), 51);
    assert_eq!(count(&guest).await, "2");

    let send = |endpoint: &str| json!({ "do": "send", "endpoint": endpoint });
    assert_eq!(guest.handle(send("crm")).await.ended.unwrap().unwrap().len(), 1);
    assert!(guest.handle(send("bank")).await.denied);
    assert_eq!(guest.handle(json!({ "do": "state" })).await.ended.unwrap().unwrap().len(), 1);
    let last = guest.handle(json!({ "do": "count" })).await;
    assert!(!last.denied && last.ended.as_ref().unwrap().as_ref().unwrap().is_empty());
    // The one that gave up over its refusal was the last in its instance.
    assert_eq!(lines(last), ["2"]);
}

/// Without `reuse` in `Host::alone` what is run again is told by what ran before, and tells what
/// runs next.
#[tokio::test]
async fn a_call_that_is_made_alone_finds_nothing_and_leaves_nothing() {
    let guest = reused(100);
    assert_eq!((count(&guest).await, parsed(&guest, "shop", "{}").await), ("1".into(), "1".into()));
    let Guest { host, plugin } = &guest;
    let (host, plugin) = (host.clone(), Arc::clone(plugin));
    let alone = move || {
        let run = run("run_1", 5);
        let (event, grant) = (event(&json!({ "do": "count" })), Arc::default());
        let request = request(&json!({ "do": "count", "at": "parse" }));
        for _ in 0..2 {
            let doors = doors(Arc::new(|_: &str| Ok(None)));
            let handled = host.alone(&plugin).handle(&settings(), &event, &run, &grant, doors);
            let parsed = host.alone(&plugin).parse(&settings(), &name("shop"), &request);
            assert_eq!((lines(handled.0), lines(parsed.0)), (vec!["1".into()], vec!["1".into()]));
        }
    };
    guest_thread("alone").spawn(alone).unwrap().join().unwrap();
    assert_eq!((count(&guest).await, parsed(&guest, "shop", "{}").await), ("2".into(), "2".into()));
}

/// A handler for WASI preview 1 that prints 8 letters at random, how many calls its instance has
/// seen, and how many milliseconds passed since 1970: 10 characters as long as both are below 10.
const LETTERS_AND_NUMBERS: &str = r#"
    (i32.store (i32.const 540) (i32.add (i32.load (i32.const 540)) (i32.const 1)))
    (if (call $random (i32.const 512) (i32.const 8)) (then (unreachable)))
    (i64.store (i32.const 512) (i64.or (i64.const 0x6060606060606060)
        (i64.and (i64.load (i32.const 512)) (i64.const 0x0f0f0f0f0f0f0f0f))))
    (i32.store8 (i32.const 520) (i32.add (i32.const 48) (i32.load (i32.const 540))))
    (if (call $clock (i32.const 0) (i64.const 1) (i32.const 560)) (then (unreachable)))
    (i32.store8 (i32.const 521) (i32.add (i32.const 48)
        (i32.wrap_i64 (i64.div_u (i64.load (i32.const 560)) (i64.const 1000000)))))
    (i32.store (i32.const 528) (i32.const 512))
    (i32.store (i32.const 532) (i32.const 10))
    (drop (call $write (i32.const 1) (i32.const 528) (i32.const 1) (i32.const 700)))
    (i32.store8 (i32.const 800) (i32.const 0))
    (i32.const 800)"#;

/// That handler, whose allocator never gives the same memory twice.
fn handler_with_wasi() -> Vec<u8> {
    let imports = r#"
        (import "wasi_snapshot_preview1" "clock_time_get"
            (func $clock (param i32 i64 i32) (result i32)))
        (import "wasi_snapshot_preview1" "random_get"
            (func $random (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_write"
            (func $write (param i32 i32 i32 i32) (result i32)))
        (global $next (mut i32) (i32.const 0x10000))"#;
    let allocate = r"(global.get $next)
        (global.set $next (i32.and (i32.const -8)
            (i32.add (i32.const 7) (i32.add (global.get $next) (local.get 3)))))";
    let wat = handler_by_hand(imports, "(i32.const 8)").replace("(i32.const 65536)", allocate);
    let (before, behind) = wat.rsplit_once("(unreachable)").unwrap();
    module_for("handler-plugin", &format!("{before}{LETTERS_AND_NUMBERS}{behind}"))
}

/// Without `Wasi::begin_again` a call goes on with the randomness and the time of the first.
#[tokio::test]
async fn each_call_in_an_instance_has_the_time_and_randomness_that_it_has_in_a_fresh_one() {
    let host = host();
    host.set_rules(&Arc::new([(name("reused"), rules(9))].into()));
    let module = handler_with_wasi();
    let [reused, fresh] = ["reused", "fresh"].map(|it| host.load(name(it), &module).unwrap());
    let said = async |plugin: &Arc<Plugin>, run_id: &str, now: u64| {
        let told = run(run_id, now);
        let (event, grant) = (event(&json!({})), Arc::default());
        let doors = doors(Arc::new(|_: &str| Ok(None)));
        let called = host.handle(plugin, &settings(), &event, told, &grant, doors).await;
        let line = lines(called).join(" ");
        let (letters, numbers) = line.split_at(8);
        (letters.to_owned(), numbers.to_owned())
    };
    for (calls, now) in [("1", 5), ("2", 7), ("3", 6)] {
        for run_id in ["run_1", "run_2"] {
            let (letters, numbers) = said(&fresh, run_id, now).await;
            assert_eq!(numbers, format!("1{now}"));
            if run_id == "run_1" {
                let found = said(&reused, run_id, now).await;
                assert_eq!(found, (letters, format!("{calls}{now}")));
            } else {
                assert_ne!(letters, said(&fresh, "run_1", now).await.0);
            }
        }
    }
}

/// Without `PLUGIN_MAX` the first of five rests on.
#[tokio::test]
async fn a_plugin_has_four_that_rest_and_the_one_that_rested_longest_is_gone() {
    let guest = reused(100);
    for source in ["a", "b", "c", "d", "e"] {
        assert_eq!(parsed(&guest, source, "{}").await, "1");
    }
    assert_eq!(guest.host.0.resting.count(), 4);
    assert_eq!(parsed(&guest, "b", "{}").await, "2");
    assert_eq!(parsed(&guest, "a", "{}").await, "1");
}

/// Without `WARM_MAX` all twenty rest, and the engine has no room for the threads' own.
#[tokio::test]
async fn all_plugins_have_sixteen_that_rest() {
    let Guest { host, plugin } = Guest::new();
    let names = ["one", "two", "three", "four", "five"].map(name);
    host.set_rules(&Arc::new(names.iter().map(|it| (it.clone(), rules(100))).collect()));
    drop(plugin);
    let plugins: Vec<_> = names
        .into_iter()
        .map(|it| Guest { host: host.clone(), plugin: host.load(it, &guest()).unwrap() })
        .collect();
    for plugin in &plugins {
        for source in ["a", "b", "c", "d"] {
            assert_eq!(parsed(plugin, source, "{}").await, "1");
        }
    }
    assert_eq!(host.0.resting.count(), 16);
    assert_eq!(parsed(&plugins[4], "d", "{}").await, "2");
    assert_eq!(parsed(&plugins[0], "d", "{}").await, "1");
}

/// Without `resting.clear` in `Host::set_rules`, and without `Drop` of `Warm`, they rest for ever.
#[tokio::test]
async fn other_rules_and_the_end_of_a_plugin_throw_its_instances_away() {
    let guest = reused(100);
    assert_eq!([count(&guest).await, count(&guest).await], ["1", "2"]);
    guest.host.set_rules(&Arc::new([(name("guest"), rules(50))].into()));
    assert_eq!(count(&guest).await, "1");

    // What another load of the same file has is its own.
    let plugin = guest.host.load(name("guest"), &super::guest()).unwrap();
    let other = Guest { host: guest.host.clone(), plugin };
    assert_eq!(count(&other).await, "1");
    assert_eq!(guest.host.0.resting.count(), 2);
    drop(other);
    assert_eq!(guest.host.0.resting.count(), 1);
    assert_eq!(count(&guest).await, "2");
}

/// Without `leaving` the engine has no room for the threads' own while a reload throws many away.
#[tokio::test]
async fn an_instance_that_is_being_thrown_away_has_its_room_until_it_is_gone() {
    let guest = reused(100);
    let resting = &guest.host.0.resting;
    resting.set_leaving(16);
    assert_eq!([count(&guest).await, count(&guest).await], ["1", "1"]);
    assert_eq!(resting.count(), 0);

    // One has room, and again when the first has left.
    resting.set_leaving(15);
    for calls in [50, 100] {
        assert_eq!([count(&guest).await, count(&guest).await], ["1", "2"]);
        guest.host.set_rules(&Arc::new([(name("guest"), rules(calls))].into()));
    }
}
