//! What is counted, as it is read.

use std::time::Duration;

use super::*;
use crate::plugin::{CallUsage, Most, TIMES, Usage};

const TIME: Duration = Duration::from_millis(3);

fn name() -> Name {
    "stripe".parse().unwrap()
}

#[track_caller]
fn check(metrics: &Metrics, line: &str) {
    let text = metrics.render();
    assert!(text.lines().any(|found| found == line), "no `{line}` in\n{text}");
}

#[test]
fn everything_is_counted_under_its_name_and_outcome() {
    let metrics = Metrics::new();
    metrics.request(&name(), Answered::Accepted, TIME);
    metrics.clone().request(&name(), Answered::Accepted, TIME);
    metrics.refusal(&name(), "mismatch");
    metrics.parse(&name(), &Outcome::permanent("not JSON"), Some(Cause::Failure));
    metrics.deferred_parse(&name(), "behind");
    metrics.run(&name(), &Outcome::transient("timeout"), Some(Cause::Deadline), TIME);
    metrics.set_paused(Kind::Run, &name(), true);
    metrics.endpoint_concurrency(&name(), 1);
    metrics.attempt(&name(), &Outcome::Success, TIME);
    metrics.alert(&name(), Severity::Critical);
    metrics.reload(&name(), Reloaded::Kept);
    metrics.canary_run(&name(), "next", true);
    metrics.canary_verdict(&name(), "promoted");

    let accepted = r#"hookgate_requests_total{source="stripe",outcome="accepted"} 2"#;
    check(&metrics, accepted);
    check(&metrics, r#"hookgate_refusals_total{source="stripe",reason="mismatch"} 1"#);
    let parsed = r#"hookgate_parses_total{source="stripe",outcome="permanent",cause="failure"} 1"#;
    check(&metrics, parsed);
    check(&metrics, r#"hookgate_deferred_parses_total{source="stripe",reason="behind"} 1"#);
    let run = r#"hookgate_runs_total{handler="stripe",outcome="transient",cause="deadline"} 1"#;
    check(&metrics, run);
    check(&metrics, r#"hookgate_paused{kind="run",name="stripe"} 1"#);
    check(&metrics, r#"hookgate_attempts_total{endpoint="stripe",outcome="success"} 1"#);
    check(&metrics, r#"hookgate_alerts_total{handler="stripe",severity="critical"} 1"#);
    check(&metrics, r#"hookgate_reloads_total{plugin="stripe",outcome="kept"} 1"#);
    let canary =
        r#"hookgate_canary_runs_total{handler="stripe",version="next",outcome="failure"} 1"#;
    check(&metrics, canary);
    let verdict = r#"hookgate_canary_verdicts_total{handler="stripe",verdict="promoted"} 1"#;
    check(&metrics, verdict);
}

#[test]
fn times_fall_into_buckets() {
    let metrics = Metrics::new();
    metrics.run(&name(), &Outcome::Success, None, TIME);
    check(&metrics, "hookgate_run_seconds_count 1");
    check(&metrics, r#"hookgate_run_seconds_bucket{le="0.002"} 0"#);
    check(&metrics, r#"hookgate_run_seconds_bucket{le="0.004"} 1"#);
    check(&metrics, "hookgate_ingest_seconds_count 0");
}

/// Without the series that are known what no longer waits is shown for ever.
#[test]
fn what_waits_for_a_plugin_is_what_was_set_last() {
    let metrics = Metrics::new();
    let dunning: Name = "dunning".parse().unwrap();
    metrics.set_waiting([(Kind::Receipt, name(), 2), (Kind::Run, dunning.clone(), 3)]);
    check(&metrics, r#"hookgate_waiting_for_plugin{kind="receipt",name="stripe"} 2"#);
    metrics.set_waiting([(Kind::Run, dunning, 1)]);
    check(&metrics, r#"hookgate_waiting_for_plugin{kind="receipt",name="stripe"} 0"#);
    check(&metrics, r#"hookgate_waiting_for_plugin{kind="run",name="dunning"} 1"#);
}

#[test]
fn a_backlog_is_what_was_set_last() {
    let metrics = Metrics::new();
    metrics.set_backlog(Kind::Run, Backlog { pending: 9, retrying: 2, dead: 1 });
    metrics.set_backlog(Kind::Run, Backlog { pending: 3, retrying: 2, dead: u64::MAX });
    check(&metrics, r#"hookgate_pending{kind="run"} 3"#);
    check(&metrics, r#"hookgate_retrying{kind="run"} 2"#);
    check(&metrics, &format!(r#"hookgate_dead{{kind="run"}} {}"#, i64::MAX));
}

#[test]
fn commits_deliveries_and_the_oldest_work_are_timed() {
    let metrics = Metrics::new();
    metrics.synced(TIME);
    metrics.delivered(Duration::from_secs(90_000));
    metrics.set_oldest(Kind::Run, Duration::from_millis(61_900));
    metrics.set_oldest(Kind::Run, Duration::from_millis(2_900));
    metrics.breaker(true);
    metrics.breaker(true);
    metrics.breaker(false);
    check(&metrics, r#"hookgate_sync_seconds_bucket{le="0.004"} 1"#);
    check(&metrics, r#"hookgate_delivery_seconds_bucket{le="65.536"} 0"#);
    check(&metrics, r#"hookgate_delivery_seconds_bucket{le="134217.728"} 1"#);
    check(&metrics, r#"hookgate_oldest_open_seconds{kind="run"} 2"#);
    check(&metrics, "hookgate_breaker_open 1");
    let build = format!(r#"hookgate_build_info{{version="{}"}} 1"#, env!("CARGO_PKG_VERSION"));
    check(&metrics, &build);
}

#[test]
fn marks_are_shown_with_what_is_held_against_them() {
    let metrics = Metrics::new();
    metrics.set_backlog_marks(20, usize::MAX);
    metrics.set_open(&name(), 21, true);
    metrics.set_open_of_unknown(2);
    metrics.set_over_gateway(false);
    metrics.set_disk(7, 8, true);
    metrics.put_off(&name(), Mark::Source);

    check(&metrics, r#"hookgate_backlog{source="stripe"} 21"#);
    check(&metrics, r#"hookgate_backlog{source=""} 2"#);
    check(&metrics, r#"hookgate_backlog_mark{of="source"} 20"#);
    check(&metrics, &format!(r#"hookgate_backlog_mark{{of="gateway"}} {}"#, i64::MAX));
    check(&metrics, r#"hookgate_over_mark{mark="source",source="stripe"} 1"#);
    check(&metrics, r#"hookgate_over_mark{mark="gateway",source=""} 0"#);
    check(&metrics, r#"hookgate_over_mark{mark="disk",source=""} 1"#);
    check(&metrics, "hookgate_disk_free_bytes 7");
    check(&metrics, "hookgate_disk_free_mark_bytes 8");
    check(&metrics, r#"hookgate_put_off_total{source="stripe",mark="source"} 1"#);
}

#[test]
fn sweeps_and_damage_are_seen() {
    let metrics = Metrics::new();
    check(&metrics, "hookgate_last_sweep_timestamp_seconds 0");
    metrics.swept(Timestamp(1_700_000_000_999));
    metrics.sweep_failed();
    metrics.set_damaged(3);
    check(&metrics, "hookgate_last_sweep_timestamp_seconds 1700000000");
    check(&metrics, "hookgate_sweep_failures_total 1");
    check(&metrics, "hookgate_damaged_records 3");
}

#[test]
fn unknown_sources_are_one_line_however_many_there_are() {
    let metrics = Metrics::new();
    metrics.unknown_source();
    metrics.unknown_source();
    check(&metrics, r#"hookgate_requests_total{source="",outcome="unknown_source"} 2"#);
}

#[test]
fn two_gateways_count_apart() {
    let one = Metrics::new();
    let other = Metrics::new();
    one.unknown_source();
    assert!(!other.render().contains("unknown_source"));
}

#[test]
fn an_endpoint_that_is_gone_is_no_longer_shown() {
    let metrics = Metrics::new();
    metrics.endpoint_concurrency(&name(), 16);
    metrics.endpoint_concurrency(&name(), 8);
    check(&metrics, r#"hookgate_endpoint_concurrency{endpoint="stripe"} 8"#);
    metrics.endpoint_removed(&name());
    metrics.attempt(&name(), &Outcome::Success, TIME);
    check(&metrics, r#"hookgate_attempts_total{endpoint="(other)",outcome="success"} 1"#);
    assert!(!metrics.render().contains("endpoint=\"stripe\""));
}

/// Take `hide` out of `Endpoints::follow`, and the series of who fell out stay.
#[test]
fn only_so_many_endpoints_have_series_of_their_own() {
    let metrics = Metrics::new();
    let key = |position| {
        let id = crate::ids::Id { kind: crate::ids::IdKind::Endpoint, position, tag: 1 };
        id.key()
    };
    for position in 0..300 {
        metrics.endpoint_concurrency(&key(position), 1);
        metrics.attempt(&key(position), &Outcome::Success, Duration::ZERO);
    }
    check(&metrics, r#"hookgate_attempts_total{endpoint="(other)",outcome="success"} 100"#);
    let series = |metrics: &Metrics, of: &str| metrics.render().matches(of).count();
    assert_eq!(series(&metrics, "hookgate_endpoint_concurrency{"), 200);

    // One of the configuration is no exception; whoever is busy is soon seen.
    metrics.endpoint_concurrency(&name(), 7);
    for _ in 0..20_000 {
        metrics.attempt(&name(), &Outcome::Success, Duration::ZERO);
    }
    check(&metrics, r#"hookgate_endpoint_concurrency{endpoint="stripe"} 7"#);
    assert_eq!(series(&metrics, "hookgate_endpoint_concurrency{"), 200);
    assert_eq!(series(&metrics, "hookgate_attempts_total{"), 201);

    metrics.show_endpoints(0);
    assert_eq!(series(&metrics, "hookgate_endpoint_concurrency{"), 0);
    assert_eq!(series(&metrics, "hookgate_attempts_total{"), 1);
    assert!(metrics.render().contains(r#"{endpoint="(other)",outcome="success"}"#));
}

/// Take out `register_collector` in `Plugins::new`, and nothing of it is shown.
#[test]
fn what_a_plugin_uses_is_shown_with_its_limits_until_it_is_gone() {
    let metrics = Metrics::new();
    let calls = |fresh, reused, milliseconds| CallUsage {
        fresh,
        reused,
        failed: 0,
        time: Duration::from_millis(500),
        longest: Duration::from_millis(milliseconds),
        deadline: Duration::from_secs(1),
        times: [0; TIMES],
    };
    let usage = Usage {
        claims: None,
        parses: None,
        runs: Some(calls(3, 2, 250)),
        memory: Most { used: 1 << 20, limit: 4 << 20 },
        log_lines: Most { used: 0, limit: 0 },
        dropped_log_lines: 7,
        effects: Some(Most { used: 48, limit: 64 }),
    };
    let state = Some(Most { used: 1, limit: 8 });
    metrics.set_plugins(vec![PluginUse { plugin: "dunning@next".to_owned(), usage, state }]);

    let calls = r#"hookgate_plugin_calls_total{plugin="dunning@next",call="handle",instance="#;
    check(&metrics, &format!("{calls}\"fresh\"}} 3"));
    check(&metrics, &format!("{calls}\"reused\"}} 2"));
    check(&metrics, r#"hookgate_plugin_seconds_total{plugin="dunning@next",call="handle"} 0.5"#);
    check(&metrics, r#"hookgate_plugin_memory_bytes{plugin="dunning@next"} 1048576"#);
    check(&metrics, r#"hookgate_plugin_dropped_log_lines_total{plugin="dunning@next"} 7"#);
    let parts = [
        ("memory", "0.25"),
        ("handle", "0.25"),
        ("log_lines", "0.0"),
        ("effects", "0.75"),
        ("state_bytes", "0.125"),
    ];
    for (limit, part) in parts {
        let of = r#"hookgate_plugin_limit_used_ratio{plugin="dunning@next",limit="#;
        check(&metrics, &format!("{of}\"{limit}\"}} {part}"));
    }
    assert!(!metrics.render().contains("call=\"claim\""), "it is not a provider");

    metrics.set_plugins(Vec::new());
    assert!(!metrics.render().contains("dunning@next"));
}
