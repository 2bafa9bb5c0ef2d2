//! What a plugin can do wrong, and that it costs nobody but itself.

use std::sync::Arc;
use std::time::Duration;

use hookgate::store::WorkKind;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{
    FOURTH_TRY, Harness, Receiver, SECOND_TRY, Setup, THIRD_TRY, payment, plugin_file, reasons,
    run_of, stands, text, texts,
};

/// Short, so that a plugin that spins does not spin for long.
const DEADLINES: &str = "[limits]\nparse_deadline = \"50ms\"\nhandle_deadline = \"50ms\"";

/// Past the delays before the tries after a crash.
const CRASH_DELAYS: [Duration; 3] = [SECOND_TRY, THIRD_TRY, FOURTH_TRY];

/// Just short of the shortest delay before the second try.
const TOO_SOON: Duration = Duration::from_millis(790);

/// Past the pause of a breaker, and past the delay before the second try of what spun.
const PAUSE: Duration = Duration::from_secs(6);

async fn guest() -> Harness {
    Setup::guest().start().await
}

/// What became of a command that the guest got as a handler.
async fn handled(gateway: &Harness, command: Value) -> Value {
    gateway.guest(&command).await.accepted();
    gateway.settle().await;
    run_of(&gateway.event(&text(&command["id"])).await, "guest")
}

/// What became of a command that the guest got as a provider.
async fn parsed(gateway: &Harness, command: Value) -> Value {
    let id = gateway.guest(&command).await.accepted();
    gateway.settle().await;
    gateway.receipt(&id).await
}

/// It failed once, for this reason, and is tried again.
#[track_caller]
fn check_crashed(tried: &Value, reason: &str) {
    assert_eq!(stands(tried), ("pending", 1));
    check_reason(tried, reason);
}

/// It broke the contract, so the same again would break it again.
#[track_caller]
fn check_dead(tried: &Value, reason: &str) {
    assert_eq!(stands(tried), ("dead", 1));
    check_reason(tried, reason);
}

#[track_caller]
fn check_reason(tried: &Value, reason: &str) {
    let found = reasons(&tried["tries"]);
    assert!(found.len() == 1 && found[0].contains(reason), "{found:?}");
    assert_eq!(tried["tries"][0]["plugin"]["name"], "guest");
}

fn log_of(tried: &Value) -> Vec<String> {
    texts(&tried["tries"][0]["log"], "message")
}

/// Guards I7.
#[tokio::test]
async fn a_handler_that_never_returns_is_stopped() {
    let gateway = Setup::guest().table(DEADLINES).start().await;
    let run = handled(&gateway, json!({ "id": "1", "do": "spin" })).await;
    check_crashed(&run, "the plugin did not return within 50 ms");
}

/// Guards I12.
#[tokio::test]
async fn a_handler_that_traps_is_caught() {
    let run = handled(&guest().await, json!({ "id": "1", "do": "trap" })).await;
    check_crashed(&run, "the plugin trapped: ");
}

/// Guards I12.
#[tokio::test]
async fn a_handler_that_panics_is_told_with_the_text_and_the_place() {
    let run = handled(&guest().await, json!({ "id": "1", "do": "panic" })).await;
    check_crashed(&run, "the plugin panicked at ");
    check_crashed(&run, r"src/lib.rs:");
    check_crashed(&run, r": told to, in two lines\nof text");
}

#[tokio::test]
async fn a_handler_that_sleeps_is_caught() {
    let run = handled(&guest().await, json!({ "id": "1", "do": "sleep" })).await;
    check_crashed(&run, "the plugin trapped: ");
}

/// Guards I7.
#[tokio::test]
async fn a_handler_that_hoards_memory_gets_no_more() {
    let run = handled(&guest().await, json!({ "id": "1", "do": "hoard" })).await;
    check_crashed(&run, "the plugin needed more than its limit of 33554432 bytes of memory");
}

/// Guards I7.
#[tokio::test]
async fn a_handler_that_asks_for_too_much_is_dead_at_once() {
    let run = handled(&guest().await, json!({ "id": "1", "do": "violate" })).await;
    check_dead(&run, "the plugin broke the contract: `state.delete` a run has at most 64 effects");
}

#[tokio::test]
async fn a_handler_that_is_refused_hears_why() {
    let receiver = Receiver::start().await;
    let gateway = Setup::guest()
        .endpoint("crm", &receiver, &[])
        .table("[handlers.guest]\nendpoints = [\"crm\"]")
        .start()
        .await;

    let command = json!({ "id": "1", "do": "send", "endpoint": "crm", "times": 65 });
    let run = handled(&gateway, command).await;

    check_dead(&run, "a run has at most 64 effects");
    assert_eq!(receiver.received().len(), 0);
}

/// Guards I7.
#[tokio::test]
async fn a_flood_of_log_lines_is_cut_and_counted() {
    let gateway = guest().await;

    let long = "x".repeat(2000);
    let flood = json!({ "id": "1", "do": "log", "lines": 500, "text": long });
    let run = handled(&gateway, flood).await;
    let escape = json!({ "id": "2", "do": "log", "text": "red \u{1b}[31m\nnext" });
    let escaped = handled(&gateway, escape).await;

    assert_eq!(run["state"], "done");
    let lines = log_of(&run);
    assert_eq!((lines.len(), lines[0].len()), (51, 1024));
    assert_eq!(lines[50], "the gateway dropped 450 more lines: a call may write 50");
    assert_eq!(log_of(&escaped), [r"red \u{1b}[31m\nnext"]);
}

/// Guards I7.
#[tokio::test]
async fn a_provider_that_never_returns_is_stopped() {
    let gateway = Setup::guest().table(DEADLINES).start().await;
    let receipt = parsed(&gateway, json!({ "do": "spin", "at": "parse" })).await;
    check_crashed(&receipt, "the plugin did not return within 50 ms");
}

/// Guards I12.
#[tokio::test]
async fn a_provider_that_traps_is_caught() {
    let receipt = parsed(&guest().await, json!({ "do": "trap", "at": "parse" })).await;
    check_crashed(&receipt, "the plugin trapped: ");
}

/// Guards I7.
#[tokio::test]
async fn a_provider_that_hoards_memory_gets_no_more() {
    let receipt = parsed(&guest().await, json!({ "do": "hoard", "at": "parse" })).await;
    check_crashed(&receipt, "the plugin needed more than its limit of 33554432 bytes of memory");
}

#[tokio::test]
async fn a_provider_that_lies_is_dead_at_once_and_the_lie_is_named() {
    let gateway = guest().await;
    let violate = |about: &str| json!({ "do": "violate", "at": "parse", "about": about });

    let broke = "the plugin broke the contract: ";
    check_dead(
        &parsed(&gateway, violate("type")).await,
        &format!("{broke}`event.type` is `not a type`, not an event type such as payment.failed"),
    );
    check_dead(
        &parsed(&gateway, violate("data")).await,
        &format!("{broke}`event.data` is not JSON"),
    );
    check_dead(&parsed(&gateway, violate("size")).await, broke);
    let many = json!({ "events": 1001, "id": "many" });
    check_dead(
        &parsed(&gateway, many).await,
        &format!("{broke}`events` has 1001 items; the limit is 1000"),
    );
    assert_eq!(gateway.events("").await, Vec::<Value>::new());
}

#[tokio::test]
async fn as_many_events_as_are_allowed_all_arrive() {
    let gateway = guest().await;
    let receipt = parsed(&gateway, json!({ "events": 1000, "id": "many" })).await;
    assert_eq!(receipt["events"].as_array().map(Vec::len), Some(1000));
}

/// Guards I8.
#[tokio::test]
async fn a_crash_is_tried_again_on_its_schedule_then_dead_and_can_be_replayed() {
    let gateway = guest().await;

    let first = handled(&gateway, json!({ "id": "1", "do": "trap" })).await;
    gateway.advance(TOO_SOON).await;
    let too_soon = run_of(&gateway.event("1").await, "guest");
    for delay in CRASH_DELAYS {
        gateway.advance(delay).await;
    }
    let dead = run_of(&gateway.event("1").await, "guest");
    let letters = gateway.dead().await;
    gateway.replay(&text(&first["id"])).await;
    let replayed = run_of(&gateway.event("1").await, "guest");

    assert_eq!([stands(&first), stands(&too_soon)], [("pending", 1); 2]);
    assert_eq!(stands(&dead), ("dead", 4));
    assert_eq!(texts(&dead["tries"], "verdict"), ["retry", "retry", "retry", "dead"]);
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0]["id"], first["id"]);
    assert!(text(&letters[0]["detail"]).contains("the plugin trapped"), "{letters:?}");
    assert_eq!(stands(&replayed), ("pending", 1));
    assert_eq!(replayed["tries"].as_array().map(Vec::len), Some(5));
}

/// Guards I8.
#[tokio::test]
async fn a_receipt_that_crashes_its_provider_dies_and_can_be_replayed() {
    let gateway = guest().await;

    let first = parsed(&gateway, json!({ "do": "trap", "at": "parse" })).await;
    let id = text(&first["id"]);
    for delay in CRASH_DELAYS {
        gateway.advance(delay).await;
    }
    let dead = gateway.receipt(&id).await;
    gateway.replay(&id).await;

    assert_eq!(stands(&dead), ("dead", 4));
    assert_eq!(gateway.receipt(&id).await["tries_made"], 1);
}

#[tokio::test]
async fn every_call_but_an_early_parse_starts_in_a_fresh_instance() {
    let late = "[limits]\nearly_parse = \"0s\"";
    let gateway = Setup::guest().table(late).start().await;

    for id in ["1", "2", "3"] {
        let run = handled(&gateway, json!({ "id": id, "do": "count" })).await;
        assert_eq!(log_of(&run), ["1"]);
    }
    for _ in 0..3 {
        let receipt = parsed(&gateway, json!({ "do": "count", "at": "parse" })).await;
        assert_eq!(log_of(&receipt), ["1"]);
    }
}

#[tokio::test]
async fn after_every_crash_the_next_call_finds_nothing_of_it() {
    let limit = "[limits]\nhandle_deadline = \"1s\"";
    let gateway = Setup::guest().table(limit).start().await;

    for (number, crash) in ["spin", "trap", "hoard", "violate"].into_iter().enumerate() {
        handled(&gateway, json!({ "id": format!("{number}-bad"), "do": crash })).await;
        let run = handled(&gateway, json!({ "id": format!("{number}-good"), "do": "count" })).await;
        assert_eq!(run["state"], "done");
        assert_eq!(log_of(&run), ["1"]);
    }
}

/// Whether the runs of the guest are paused, as the metrics say.
async fn is_paused(gateway: &Harness) -> bool {
    let metrics = gateway.ask("/metrics").await.body;
    metrics.contains(r#"hookgate_paused{kind="run",name="guest"} 1"#)
}

/// A gateway whose guest has used up its time three times in a row, with a run behind that waits.
async fn paused() -> Harness {
    let gateway = Setup::guest().table(DEADLINES).start().await;
    for id in ["1", "2", "3"] {
        let spin = json!({ "id": id, "do": "nothing", "then": "spin", "until": 2 });
        gateway.guest(&spin).await.accepted();
        gateway.settle().await;
    }
    let waiting = handled(&gateway, json!({ "id": "4" })).await;
    assert_eq!(stands(&waiting), ("pending", 0));
    assert!(is_paused(&gateway).await);
    gateway
}

#[tokio::test]
async fn a_handler_that_spins_again_and_again_is_paused_and_one_good_run_ends_it() {
    let gateway = paused().await;

    gateway.advance(PAUSE).await;

    for id in ["1", "2", "3", "4"] {
        assert_eq!(run_of(&gateway.event(id).await, "guest")["state"], "done", "{id}");
    }
    assert!(!is_paused(&gateway).await);
}

#[tokio::test]
async fn another_version_of_a_paused_handler_runs_at_once() {
    let receiver = Receiver::start().await;
    let gateway = paused().await;
    gateway
        .reconfigure(|text| {
            let url = receiver.url();
            let grant = "[handlers.guest]\nendpoints = [\"crm\"]";
            let secret = crate::harness::ENDPOINT_SECRET;
            format!(
                "{text}\n{grant}\n[endpoints.crm]\nurl = \"{url}\"\nevents = []\n\
                 secrets = [{{ value = \"{secret}\" }}]"
            )
        })
        .await;
    let send = json!({ "id": "5", "do": "send", "endpoint": "crm", "text": "here" });
    gateway.guest(&send).await.accepted();

    let newer = crate::reload::edition(&std::fs::read(plugin_file("guest")).unwrap(), 7);
    gateway.drop_plugin("guest", &newer);
    gateway.reload().await;
    receiver.arrived(1).await;

    gateway.settle().await;
    assert_eq!(run_of(&gateway.event("4").await, "guest")["state"], "done");
}

#[tokio::test]
async fn what_broke_is_counted_by_its_cause() {
    let gateway = Setup::guest().table("[limits]\nhandle_deadline = \"2s\"").start().await;

    let broken = [
        ("spin", "the plugin did not return within 2000 ms"),
        ("trap", "the plugin trapped: "),
        ("hoard", "the plugin needed more than its limit"),
        ("violate", "the plugin broke the contract: "),
        ("retry", "told to"),
    ];
    for (command, reason) in broken {
        let run = handled(&gateway, json!({ "id": command, "do": command })).await;
        check_reason(&run, reason);
    }
    parsed(&gateway, json!({ "do": "trap", "at": "parse" })).await;

    let metrics = gateway.ask("/metrics").await.body;
    let causes = [
        r#"runs_total{handler="guest",outcome="transient",cause="deadline"} 1"#,
        r#"runs_total{handler="guest",outcome="transient",cause="trap"} 1"#,
        r#"runs_total{handler="guest",outcome="transient",cause="memory"} 1"#,
        r#"runs_total{handler="guest",outcome="permanent",cause="contract"} 1"#,
        r#"runs_total{handler="guest",outcome="transient",cause="failure"} 1"#,
        r#"parses_total{source="guest",outcome="transient",cause="trap"} 1"#,
    ];
    for cause in causes {
        assert!(metrics.contains(cause), "no {cause} in\n{metrics}");
    }
}

/// Guards I11.
#[tokio::test]
async fn a_handler_that_spins_holds_up_no_other() {
    let receiver = Receiver::start().await;
    // Four threads, all of which two handlers that spin would have.
    let gateway = Setup::stripe()
        .plugin("guest")
        .plugin_as("echo", "guest")
        .source("guest", "guest", "verify = \"none\"")
        .endpoint("crm", &receiver, &["customer.*"])
        .handler("dunning", "endpoints = [\"crm\"]")
        .table("[limits]\nhandle_deadline = \"5s\"\nrun_threads = 4")
        .start()
        .await;
    let failed = async |number: usize| {
        let body = payment(&format!("evt_{number}"), "pi_1", "payment_failed");
        gateway.stripe(&body).await.accepted();
    };
    failed(0).await;
    receiver.arrived(1).await;

    for number in 0..20 {
        gateway.guest(&json!({ "id": format!("spin-{number}"), "do": "spin" })).await.accepted();
    }
    for number in 1..6 {
        failed(number).await;
    }
    receiver.arrived(6).await;

    let runs = gateway.stats().works[&WorkKind::Run];
    assert_eq!(runs.retrying, 0, "the others waited for those that spin: {runs:?}");
}

/// Guards I11.
#[tokio::test]
async fn five_sources_whose_parse_spins_hold_up_no_other() {
    let receiver = Receiver::start().await;
    let sources = ["one", "two", "three", "four", "five"];
    let setup = Setup::stripe()
        .plugin("guest")
        .endpoint("crm", &receiver, &["payment.failed"])
        .table("[limits]\nparse_deadline = \"5s\"\nparse_threads = 3");
    let open = |setup: Setup, source: &&str| setup.source(source, "guest", "verify = \"none\"");
    let gateway = sources.iter().fold(setup, open).start().await;
    let failed = async |number: usize| {
        let body = payment(&format!("evt_{number}"), "pi_1", "payment_failed");
        gateway.stripe(&body).await.accepted();
    };
    failed(0).await;
    receiver.arrived(1).await;

    for number in 0..100 {
        let spin = json!({ "do": "spin", "at": "parse" }).to_string();
        gateway.post(sources[number % sources.len()], &[], spin).await.accepted();
    }
    for number in 1..6 {
        failed(number).await;
    }
    receiver.arrived(6).await;

    let parses = gateway.stats().works[&WorkKind::Parse];
    assert_eq!(parses.retrying, 0, "the others waited for those that spin: {parses:?}");
}

/// Guards I11.
#[tokio::test]
async fn sources_whose_claims_spin_hold_up_no_other() {
    let sources = ["one", "two", "three", "four"];
    let setup = Setup::stripe()
        .plugin("guest")
        .table("[limits]\nclaims_deadline = \"5s\"\nclaims_threads = 3");
    let open = |setup: Setup, source: &&str| setup.source(source, "guest", "verify = \"none\"");
    let gateway = sources.iter().fold(setup, open).start().await;
    let gateway = Arc::new(gateway);
    let body = |number| payment(&format!("evt_{number}"), "pi_1", "succeeded");
    gateway.stripe(&body(0)).await.accepted();

    let mut spinning = JoinSet::new();
    for number in 0..64 {
        let (gateway, source) = (gateway.clone(), sources[number % sources.len()]);
        let spin = json!({ "do": "spin", "at": "claim" }).to_string();
        spinning.spawn(async move { gateway.post(source, &[], spin).await });
    }
    for number in 1..21 {
        gateway.stripe(&body(number)).await.accepted();
    }

    assert!(spinning.try_join_next().is_none(), "the neighbour waited for those that spin");
}

/// Guards I11.
#[tokio::test]
async fn a_provider_that_spins_holds_up_no_other_source_and_can_be_replaced() {
    let receiver = Receiver::start().await;
    let gateway = Setup::stripe()
        .plugin("guest")
        .source("guest", "guest", "verify = \"none\"")
        .endpoint("crm", &receiver, &["payment.failed"])
        .table("[limits]\nparse_deadline = \"2s\"")
        .start()
        .await;

    for _ in 0..100 {
        gateway.guest(&json!({ "do": "spin", "at": "parse" })).await.accepted();
    }
    for number in 0..5 {
        let body = payment(&format!("evt_{number}"), "pi_1", "payment_failed");
        gateway.stripe(&body).await.accepted();
    }
    receiver.arrived(5).await;
    gateway.drop_plugin("guest", &std::fs::read(plugin_file("stripe")).unwrap());
    gateway.reload().await;

    assert_eq!(gateway.plugin("guest").await["handler"], Value::Null, "the new one runs");
    let parses = gateway.stats().works[&WorkKind::Parse];
    assert!(parses.retrying < 20, "the others waited for those that spin: {parses:?}");
}
