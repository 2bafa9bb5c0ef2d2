//! Handlers: their runs, and the state that they had.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use super::*;
use crate::json_text::JsonText;
use crate::plugin::Deadlines;
use crate::store::Retention;

fn count(subject: &str) -> (String, Value) {
    (subject.to_owned(), json!({ "do": "state" }))
}

/// A run that emits what the operator counts.
fn emits(subject: usize) -> (String, Value) {
    let data = json!({ "failures": 3, "lines": [{ "price": 1 }, { "price": 1 }] });
    (format!("pi_{subject}"), json!({ "do": "emit", "data": data }))
}

/// Records of the first event of a run that it has this data.
fn emitted(effects: &mut Effects, data: &Value) {
    let new = &mut effects.events[0];
    let event = Event::clone(&new.event);
    new.event = Arc::new(Event { data: JsonText::from(data.clone()), ..event });
}

#[tokio::test]
async fn state_is_rebuilt_as_it_was_at_each_try() {
    let bench = Bench::new();
    for _ in 0..3 {
        bench.bring(&[count("pi_1"), count("pi_2")]).await;
        bench.run_all(|_, _| ()).await;
        bench.clock.advance(days(1));
    }
    let report = bench.report(Role::Handler).await;
    assert_eq!((report.compared, report.equal), (6, 6), "{report:?}");
    assert!(report.not_compared.is_empty() && report.memory_bytes > 0, "{report:?}");

    // The recorded one counted in another way; those behind it went on from there.
    bench.bring(&[count("pi_1")]).await;
    bench.run_all(|_, effects| effects.state[0].1 = Some(Bytes::from_static(&[40]))).await;
    bench.bring(&[count("pi_1")]).await;
    bench.run_all(|_, _| ()).await;

    let report = bench.report(Role::Handler).await;
    assert_eq!((report.compared, report.equal), (8, 7), "{report:?}");
    assert_eq!(groups(&report), [("state_key", "count", 1)]);
    let sample = &report.groups[0].samples[0];
    let shown = (sample.recorded.as_str(), sample.now.as_str());
    assert_eq!(shown, ("set", "set to another value"), "no value is shown");
}

#[tokio::test]
async fn what_retention_has_cut_is_unknown_state_unless_the_hash_of_the_reads_confirms_it() {
    let bench = Bench::new();
    bench.bring(&[count("pi_1")]).await;
    bench.run_all(|_, _| ()).await;
    let bench = bench.restart().await;
    bench.clock.advance(days(100));
    bench.store.sweep(&Retention::default()).await.unwrap();
    // It read a value that no record tells of; it read none; and it read the value of today.
    bench.bring(&[count("pi_1"), count("pi_2")]).await;
    bench.run_all(|_, _| ()).await;
    bench.clock.advance(days(1));
    bench.bring(&[count("pi_1")]).await;
    bench.run_all(|_, _| ()).await;

    let report = bench.report(Role::Handler).await;

    assert_eq!((report.compared, report.equal), (2, 2), "{report:?}");
    assert_eq!(report.not_compared["unknown_state"], 1, "{report:?}");
    assert!(report.groups.is_empty(), "{report:?}");
}

#[tokio::test]
async fn a_value_that_nobody_has_set_since_is_that_of_today() {
    let bench = Bench::new();
    bench.bring(&[count("pi_1")]).await;
    bench.run_all(|_, _| ()).await;
    let bench = bench.restart().await;
    bench.clock.advance(days(100));
    bench.store.sweep(&Retention::default()).await.unwrap();
    // It reads what was set a hundred days ago, and sets nothing.
    bench.bring(&[count("pi_1")]).await;
    bench.run_all(|_, effects| effects.state.clear()).await;

    let report = bench.report(Role::Handler).await;

    assert!(report.not_compared.is_empty(), "{report:?}");
    assert_eq!(groups(&report), [("state_key", "count", 1)], "{report:?}");
}

#[tokio::test]
async fn a_difference_in_one_of_a_thousand_is_found_and_named_by_its_field() {
    let bench = Bench::new();
    let commands: Vec<_> = (0..1_000).map(emits).collect();
    bench.bring(&commands).await;
    let seeded = json!({ "failures": 4, "lines": [{ "price": 2 }, { "price": 2 }] });
    bench
        .run_all(|number, effects| {
            if number == 500 {
                emitted(effects, &seeded);
            }
        })
        .await;

    let first = bench.report(Role::Handler).await;
    let second = bench.report(Role::Handler).await;

    assert_eq!((first.compared, first.equal, first.differing), (1_000, 999, 1), "{first:?}");
    let expected = [
        ("effect_field", "guest.emitted data.failures", 1),
        ("effect_field", "guest.emitted data.lines[].price", 1),
    ];
    assert_eq!(groups(&first), expected);
    let sample = &first.groups[0].samples[0];
    assert_eq!((sample.recorded.as_str(), sample.now.as_str()), ("4", "3"));
    assert!(sample.event.is_some());
    assert_eq!(first, second, "two rehearsals say the same");
}

#[tokio::test]
async fn a_folder_says_the_same_as_the_gateway_at_work_and_neither_changes() {
    let bench = Bench::new();
    let commands: Vec<_> = (0..50).map(emits).chain((0..9).map(|_| count("pi_1"))).collect();
    bench.bring(&commands).await;
    bench
        .run_all(|number, effects| {
            if number % 10 == 0 {
                effects.events.clear();
            }
        })
        .await;
    let before = bench.store.stats();
    let running = bench.report(Role::Handler).await;
    let after = bench.store.stats();
    assert_eq!((before.commits, before.end), (after.commits, after.end));
    let (stage, ask) = (bench.stage(), bench.ask(Role::Handler));
    let Bench { folder, store, .. } = bench;
    store.close().await.unwrap();
    let files = || {
        let entries = fs::read_dir(folder.path()).unwrap().map(Result::unwrap);
        let mut all: Vec<_> =
            entries.map(|it| (it.file_name(), fs::read(it.path()).unwrap())).collect();
        all.sort();
        all
    };
    let as_it_was = files();

    let past = Past::of_folder(folder.path()).unwrap();
    let stopped = timeless(rehearse(past, &stage, &ask, &Progress::default()).unwrap());

    assert_eq!(stopped, running);
    assert!(stopped.differing > 0, "{stopped:?}");
    assert!(files() == as_it_was, "nothing is written");
}

#[tokio::test]
async fn how_a_run_ends_is_compared_and_what_it_says() {
    let bench = Bench::new();
    let told = |command: Value| ("pi_1".to_owned(), command);
    let commands = [
        told(json!({ "do": "fail", "reason": "no stock" })),
        told(json!({ "do": "trap" })),
        told(json!({ "do": "log", "text": "told to" })),
        told(json!({ "do": "alert", "text": "look" })),
        told(json!({ "do": "send", "endpoint": "crm", "text": "hello" })),
    ];
    bench.bring(&commands).await;
    bench.run_all(|_, _| ()).await;
    let report = bench.report(Role::Handler).await;
    assert_eq!((report.compared, report.equal), (5, 5), "{report:?}");

    // What is recorded of the same has nothing of it.
    bench.bring(&commands[3..]).await;
    bench.run_all(|_, effects| *effects = Effects::default()).await;
    bench.bring(&commands[..2]).await;
    for _ in 0..2 {
        let run = bench.store.take_runs(1, 1).await.unwrap().pop().unwrap();
        let done = bench.tried(Outcome::Success, Vec::new());
        bench.store.commit_run(run, done, Effects::default()).await.unwrap().unwrap();
    }

    let report = bench.report(Role::Handler).await;
    let expected = [
        ("alert", "warning", 1),
        ("effect_added", "send crm", 1),
        ("outcome", "success -> permanent", 1),
        ("outcome", "success -> trap", 1),
    ];
    assert_eq!(groups(&report), expected, "{report:?}");
    assert_eq!(report.groups[2].samples[0].now, "no stock");
}

#[tokio::test]
async fn only_what_is_asked_for_is_compared() {
    let bench = Bench::new();
    bench.bring(&[emits(1)]).await;
    bench.run_all(|_, _| ()).await;
    bench.clock.advance(days(1));
    bench.bring(&[emits(2), emits(3)]).await;
    bench.run_all(|_, _| ()).await;
    bench.bring(&[emits(4)]).await;
    let ask = || bench.ask(Role::Handler);
    let compared = async |ask: Ask| {
        let report = bench.report_of(&ask).await;
        (report.compared, report.not_compared.get("not_tried_yet").copied())
    };

    assert_eq!(compared(ask()).await, (3, Some(1)));
    assert_eq!(compared(Ask { since: Some(NOW.after(days(1))), ..ask() }).await, (2, Some(1)));
    assert_eq!(compared(Ask { until: Some(NOW.after(days(1))), ..ask() }).await, (1, None));
    assert_eq!(compared(Ask { limit: 2, ..ask() }).await, (2, None));
    assert_eq!(compared(Ask { source: Some(name("other")), ..ask() }).await, (0, None));
    let other = Some("payment.*".parse().unwrap());
    assert_eq!(compared(Ask { event_type: other, ..ask() }).await, (0, None));
}

/// Without the redaction in `perform` the beginning of a secret stands before the cut.
#[tokio::test]
async fn a_secret_that_a_handler_says_is_hidden_before_its_value_is_cut() {
    let bench = Bench::new();
    let text = |end: &str| format!("{}sesame{end}", "x".repeat(195));
    let emit = |end: &str| json!({ "do": "emit", "data": { "token": text(end) } });
    bench.bring(&[("pi_1".to_owned(), emit("1"))]).await;
    bench.run_all(|_, effects| emitted(effects, &json!({ "token": text("2") }))).await;

    let report = bench.report(Role::Handler).await;

    assert_eq!(report.compared, 1, "{report:?}");
    let sample = &report.groups[0].samples[0];
    for shown in [&sample.recorded, &sample.now] {
        assert!(shown.ends_with('…') && !shown.contains("se"), "{shown}");
    }
}

#[tokio::test]
async fn a_damaged_record_is_counted_and_the_rest_compared() {
    let bench = Bench::new();
    for subject in ["pi_first", "pi_damaged_one", "pi_last"] {
        bench.bring(&[(subject.to_owned(), json!({ "do": "emit" }))]).await;
        bench.run_all(|_, _| ()).await;
    }
    let (stage, ask) = (bench.stage(), bench.ask(Role::Handler));
    let Bench { folder, store, .. } = bench;
    store.close().await.unwrap();
    let volume = folder.path().join("volume-00000001.hgv");
    let mut bytes = fs::read(&volume).unwrap();
    let marker = b"pi_damaged_one";
    let place = bytes.windows(marker.len()).position(|it| it == marker).unwrap();
    bytes[place..place + marker.len()].fill(0xff);
    fs::write(&volume, bytes).unwrap();

    let past = Past::of_folder(folder.path()).unwrap();
    let report = rehearse(past, &stage, &ask, &Progress::default()).unwrap();

    assert_eq!((report.compared, report.equal), (2, 2), "{report:?}");
    assert!(report.not_compared["damaged"] >= 1, "{report:?}");
}

#[tokio::test]
async fn a_rehearsal_that_is_cancelled_ends_with_the_calls_that_are_under_way() {
    let bench = Bench::new();
    let send = |subject| {
        let command = json!({ "do": "send", "endpoint": "crm", "text": "hello" });
        (format!("pi_{subject}"), command)
    };
    bench.bring(&(0..500).map(send).collect::<Vec<_>>()).await;
    bench.run_all(|_, _| ()).await;
    let progress = Arc::new(Progress::default());
    // Cancelled by the first call, which asks for an endpoint.
    let calls = Arc::new(AtomicUsize::new(0));
    let endpoints = {
        let (progress, calls) = (Arc::clone(&progress), Arc::clone(&calls));
        move |_: Option<&Tenant>, name: &Name| {
            calls.fetch_add(1, Ordering::Relaxed);
            progress.cancel();
            Some(name.clone())
        }
    };
    let stage = Stage { endpoints: Arc::new(endpoints), ..bench.stage() };
    let past = bench.store.past().await.unwrap();

    let ended = rehearse(past, &stage, &bench.ask(Role::Handler), &progress);

    assert!(matches!(ended, Err(Error::Cancelled)), "{ended:?}");
    assert!(calls.load(Ordering::Relaxed) < 400);
}

#[tokio::test]
async fn a_plugin_that_spins_ends_the_rehearsal() {
    let bench = Bench::new();
    let spin = |subject| (format!("pi_{subject}"), json!({ "do": "spin" }));
    bench.bring(&(0..LATE_MAX + 70).map(spin).collect::<Vec<_>>()).await;
    for run in bench.store.take_runs(usize::MAX, usize::MAX).await.unwrap() {
        let done = bench.tried(Outcome::Success, Vec::new());
        bench.store.commit_run(run, done, Effects::default()).await.unwrap().unwrap();
    }
    let handle = Duration::from_millis(20);
    bench.host.set_deadlines(Deadlines { handle, ..Deadlines::default() });
    let past = bench.store.past().await.unwrap();

    let ask = bench.ask(Role::Handler);
    let ended = rehearse(past, &bench.stage(), &ask, &Progress::default());

    assert!(matches!(ended, Err(Error::Stuck)), "{ended:?}");
}
