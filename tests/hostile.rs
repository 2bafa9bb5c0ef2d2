//! What a plugin can do wrong, and that it costs nobody but itself: a test for each limit, which
//! fails when the limit is taken away. Each says where that is.
//!
//! `behaviours` lists what the guest does on command, `files` which plugin files there are that
//! nobody should write. A behaviour without its test does not compile. What becomes of the work of
//! a plugin that broke is `sandbox`.

mod behaviours;
mod crafted;
mod files;
mod matrix;
mod neighbours;
mod wasi;

use serde_json::{Value, json};

use self::behaviours::behaviours;
use crate::harness::{Harness, Receiver, Setup, check_crashed, check_dead, log_of, run_of, stands};

macro_rules! tested {
    ($($behaviour:ident $name:literal $test:path),* $(,)?) => {
        /// The test of each behaviour of the guest.
        const _: &[fn()] = &[$($test),*];

        /// What the guest can be told to do.
        const NAMES: &[&str] = &[$($name),*];
    };
}

behaviours!(tested);

/// Short, so that a plugin that spins does not spin for long.
const DEADLINES: &str = "[limits]\nparse_deadline = \"50ms\"\nhandle_deadline = \"50ms\"";

async fn guest() -> Harness {
    Setup::guest().start().await
}

/// Guards I7.
///
/// Without: plugin/call/sandbox.rs: `set_epoch_deadline`.
#[tokio::test]
async fn a_handler_that_never_returns_is_stopped() {
    let gateway = Setup::guest().table(DEADLINES).start().await;
    let run = gateway.handled(json!({ "id": "1", "do": "spin" })).await;
    check_crashed(&run, "the plugin did not return within 50 ms");
}

/// Guards I7.
///
/// Without: plugin/call/sandbox.rs: `set_epoch_deadline`.
#[tokio::test]
async fn a_provider_that_never_returns_is_stopped() {
    let gateway = Setup::guest().table(DEADLINES).start().await;
    let receipt = gateway.parsed(json!({ "do": "spin", "at": "parse" })).await;
    check_crashed(&receipt, "the plugin did not return within 50 ms");
}

/// Guards I12.
///
/// Without: plugin/call/trap.rs: `judge`.
#[tokio::test]
async fn a_handler_that_traps_is_caught() {
    let run = guest().await.handled(json!({ "id": "1", "do": "trap" })).await;
    check_crashed(&run, "the plugin trapped: ");
}

/// Guards I12.
///
/// Without: plugin/call/trap.rs: `judge`.
#[tokio::test]
async fn a_provider_that_traps_is_caught() {
    let receipt = guest().await.parsed(json!({ "do": "trap", "at": "parse" })).await;
    check_crashed(&receipt, "the plugin trapped: ");
}

/// Guards I12.
///
/// Without: plugin/call/log.rs: `last_words`.
#[tokio::test]
async fn a_handler_that_panics_is_told_with_the_text_and_the_place() {
    let run = guest().await.handled(json!({ "id": "1", "do": "panic" })).await;
    check_crashed(&run, "the plugin panicked at ");
    check_crashed(&run, r"src/misbehave.rs:");
    check_crashed(&run, r": told to, in two lines\nof text");
}

/// Without: what it is built for: `wasm32-unknown-unknown` has no clock to sleep by.
#[tokio::test]
async fn a_handler_that_sleeps_is_caught() {
    let run = guest().await.handled(json!({ "id": "1", "do": "sleep" })).await;
    check_crashed(&run, "the plugin trapped: ");
}

/// Guards I7.
///
/// Without: plugin/call/memory.rs: `memory_growing`.
#[tokio::test]
async fn a_handler_that_hoards_memory_gets_no_more() {
    let run = guest().await.handled(json!({ "id": "1", "do": "hoard" })).await;
    check_crashed(&run, "the plugin needed more than its limit of 33554432 bytes of memory");
}

/// Guards I7.
///
/// Without: plugin/call/memory.rs: `memory_growing`.
#[tokio::test]
async fn a_provider_that_hoards_memory_gets_no_more() {
    let receipt = guest().await.parsed(json!({ "do": "hoard", "at": "parse" })).await;
    check_crashed(&receipt, "the plugin needed more than its limit of 33554432 bytes of memory");
}

/// Guards I7.
///
/// Without: plugin/call/outbox.rs: `effects_max`.
#[tokio::test]
async fn a_handler_that_asks_for_too_much_is_dead_at_once() {
    let run = guest().await.handled(json!({ "id": "1", "do": "violate" })).await;
    check_dead(&run, "the plugin broke the contract: `state.delete` a run has at most 64 effects");
}

/// Without: plugin/call/outbox.rs: `effects_max`.
#[tokio::test]
async fn a_handler_that_is_refused_hears_why() {
    let receiver = Receiver::start().await;
    let gateway = Setup::guest()
        .endpoint("crm", &receiver, &[])
        .table("[handlers.guest]\nendpoints = [\"crm\"]")
        .start()
        .await;

    let command = json!({ "id": "1", "do": "send", "endpoint": "crm", "times": 65 });
    let run = gateway.handled(command).await;

    check_dead(&run, "a run has at most 64 effects");
    assert_eq!(receiver.received().len(), 0);
}

/// Guards I7.
///
/// Without: plugin/call/log.rs: `most`, and for the length of a line `shortened`.
#[tokio::test]
async fn a_flood_of_log_lines_is_cut_and_counted() {
    let gateway = guest().await;

    let long = "x".repeat(2000);
    let flood = json!({ "id": "1", "do": "log", "lines": 500, "text": long });
    let run = gateway.handled(flood).await;
    let escape = json!({ "id": "2", "do": "log", "text": "red \u{1b}[31m\nnext" });
    let escaped = gateway.handled(escape).await;

    assert_eq!(run["state"], "done");
    let lines = log_of(&run);
    assert_eq!((lines.len(), lines[0].len()), (51, 1024));
    assert_eq!(lines[50], "the gateway dropped 450 more lines: a call may write 50");
    assert_eq!(log_of(&escaped), [r"red \u{1b}[31m\nnext"]);
}

/// Without: plugin/contract/convert.rs: `events`, and what it asks of `violation.rs`.
#[tokio::test]
async fn a_provider_that_lies_is_dead_at_once_and_the_lie_is_named() {
    let gateway = guest().await;
    let violate = |about: &str| json!({ "do": "violate", "at": "parse", "about": about });

    let broke = "the plugin broke the contract: ";
    check_dead(
        &gateway.parsed(violate("type")).await,
        &format!("{broke}`event.type` is `not a type`, not an event type such as payment.failed"),
    );
    check_dead(&gateway.parsed(violate("data")).await, &format!("{broke}`event.data` is not JSON"));
    check_dead(&gateway.parsed(violate("size")).await, broke);
    let many = json!({ "events": 1001, "id": "many" });
    check_dead(
        &gateway.parsed(many).await,
        &format!("{broke}`events` has 1001 items; the limit is 1000"),
    );
    assert_eq!(gateway.events("").await, Vec::<Value>::new());
}

/// Without: the very number: plugin/contract/convert.rs: `EVENTS_MAX`.
#[tokio::test]
async fn as_many_events_as_are_allowed_all_arrive() {
    let gateway = guest().await;
    let receipt = gateway.parsed(json!({ "events": 1000, "id": "many" })).await;
    assert_eq!(receipt["events"].as_array().map(Vec::len), Some(1000));
}

/// Guards I5.
///
/// Without: plugin/call/outbox.rs: `endpoint`, or `may_name` of plugin/call/grant.rs.
#[tokio::test]
async fn a_handler_is_refused_every_effect_that_is_not_granted() {
    let receiver = Receiver::start().await;
    let gateway = Setup::guest().endpoint("bank", &receiver, &["guest.emitted"]).start().await;

    let send = json!({ "id": "1", "do": "send", "endpoint": "bank", "text": "pay" });
    check_dead(&gateway.handled(send).await, "has not granted the endpoint `bank`");
    let emit = json!({ "id": "2", "do": "emit", "tenant": "acme" });
    check_dead(&gateway.handled(emit).await, "has not granted the tenant `acme`");

    assert_eq!(receiver.received().len(), 0);
    assert_eq!(gateway.events("type=guest.emitted").await, Vec::<Value>::new());
}

/// Guards I6 and I7. What one plugin may remember is no other's.
///
/// Without: store/write/states.rs: `is_within`, or gateway/opening.rs: the rules of plugins in
/// `quotas`.
#[tokio::test]
async fn a_handler_that_remembers_more_than_its_quota_is_refused() {
    let gateway = Setup::guest()
        .plugin_as("echo", "guest")
        .without("plugins = \"plugins\"")
        .table("[plugins]\nfolder = \"plugins\"\n[plugins.guest]\nstate_bytes = 4096")
        .start()
        .await;

    let fits = json!({ "id": "1", "do": "state", "bytes": 2048 });
    assert_eq!(stands(&gateway.handled(fits).await), ("done", 1));
    let too_much = json!({ "id": "2", "do": "state", "bytes": 8192 });
    check_crashed(&gateway.handled(too_much).await, "and `state_bytes` 4096");

    assert_eq!(stands(&run_of(&gateway.event("2").await, "echo")), ("done", 1));
}

/// As deep as `serde_json` goes, in the stack that a plugin has by default: a limit that is too
/// small would be one too.
///
/// Without: 128 KiB in plugin/stack.rs.
#[tokio::test]
async fn a_handler_reads_json_as_deep_as_its_readers_can_follow() {
    let nested = format!("{}{}", "[".repeat(126), "]".repeat(126));
    let run = guest().await.handled(json!({ "id": "1", "do": "read", "text": nested })).await;
    assert_eq!(stands(&run), ("done", 1), "{run:#}");
}
