//! What becomes of the work of a plugin that broke: its next tries, its next calls, its pauses.
//!
//! What plugins can do wrong at all is `hostile`. Nothing here is about one limit.

use std::time::Duration;

use serde_json::json;

use crate::harness::{
    FOURTH_TRY, Harness, Receiver, SECOND_TRY, Setup, THIRD_TRY, check_reason, log_of, plugin_file,
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

/// Guards I8.
#[tokio::test]
async fn a_crash_is_tried_again_on_its_schedule_then_dead_and_can_be_replayed() {
    let gateway = guest().await;

    let first = gateway.handled(json!({ "id": "1", "do": "trap" })).await;
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

    let first = gateway.parsed(json!({ "do": "trap", "at": "parse" })).await;
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
pub(crate) async fn every_call_but_an_early_parse_starts_in_a_fresh_instance() {
    let late = "[limits]\nearly_parse = \"0s\"";
    let gateway = Setup::guest().table(late).start().await;

    for id in ["1", "2", "3"] {
        let run = gateway.handled(json!({ "id": id, "do": "count" })).await;
        assert_eq!(log_of(&run), ["1"]);
    }
    for _ in 0..3 {
        let receipt = gateway.parsed(json!({ "do": "count", "at": "parse" })).await;
        assert_eq!(log_of(&receipt), ["1"]);
    }
}

#[tokio::test]
async fn after_every_crash_the_next_call_finds_nothing_of_it() {
    let limit = "[limits]\nhandle_deadline = \"1s\"";
    let gateway = Setup::guest().table(limit).start().await;

    for (number, crash) in ["spin", "trap", "hoard", "violate"].into_iter().enumerate() {
        gateway.handled(json!({ "id": format!("{number}-bad"), "do": crash })).await;
        let run = gateway.handled(json!({ "id": format!("{number}-good"), "do": "count" })).await;
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
    let waiting = gateway.handled(json!({ "id": "4" })).await;
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
pub(crate) async fn what_broke_is_counted_by_its_cause() {
    let gateway = Setup::guest().table("[limits]\nhandle_deadline = \"2s\"").start().await;

    let broken = [
        ("spin", "the plugin did not return within 2000 ms"),
        ("trap", "the plugin trapped: "),
        ("hoard", "the plugin needed more than its limit"),
        ("violate", "the plugin broke the contract: "),
        ("retry", "told to"),
    ];
    for (command, reason) in broken {
        let run = gateway.handled(json!({ "id": command, "do": command })).await;
        check_reason(&run, reason);
    }
    gateway.parsed(json!({ "do": "trap", "at": "parse" })).await;

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

/// Without: plugin/call.rs: `sandbox.count`.
#[tokio::test]
async fn what_a_plugin_used_of_its_limits_is_a_metric_as_long_as_it_is_there() {
    let gateway = guest().await;

    gateway.handled(json!({ "id": "1", "do": "log", "lines": 60 })).await;
    gateway.handled(json!({ "id": "2", "do": "state" })).await;
    let metrics = gateway.ask("/metrics").await.body;
    std::fs::remove_file(gateway.folder().join("plugins/guest.wasm")).unwrap();
    gateway.reload().await;
    let without = gateway.ask("/metrics").await.body;

    let expected = [
        r#"plugin_calls_total{plugin="guest",call="claim",instance="fresh"} 2"#,
        r#"plugin_calls_total{plugin="guest",call="handle",instance="fresh"} 2"#,
        r#"plugin_calls_total{plugin="guest",call="handle",instance="reused"} 0"#,
        r#"plugin_dropped_log_lines_total{plugin="guest"} 10"#,
        r#"plugin_limit_used_ratio{plugin="guest",limit="log_lines"} 1.0"#,
        // One of 64.
        r#"plugin_limit_used_ratio{plugin="guest",limit="effects"} 0.015625"#,
        r#"plugin_limit_used_ratio{plugin="guest",limit="state_bytes"} "#,
        r#"plugin_memory_bytes{plugin="guest"} "#,
        r#"plugin_seconds_total{plugin="guest",call="parse"} "#,
    ];
    for line in expected {
        assert!(metrics.contains(line), "no {line} in\n{metrics}");
    }
    assert!(!without.contains("hookgate_plugin_calls_total"), "{without}");
}
