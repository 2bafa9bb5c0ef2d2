//! What is recorded, as those read it who run it again: in its order, with what each try came to,
//! and whoever has the files open.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::ops::ControlFlow;
use std::path::Path;

use bytes::Bytes;

use super::damaging::{Damage, damage};
use super::disk::Disk;
use super::*;
use crate::ids::IdKind;

/// What a walk from here on visits, each as its position and what it is, in so many steps.
fn visited(past: &Past, from: u64, steps: usize) -> (Vec<(u64, &'static str)>, u64) {
    let mut visited = Vec::new();
    let next = past.walk(from, &mut |item| {
        let what = match &item {
            PastItem::Receipt(_) => "receipt",
            PastItem::Event(_) => "event",
            PastItem::Try(tried) if tried.kind == WorkKind::Parse => "parse",
            PastItem::Try(_) => "run",
            PastItem::Damaged(_) => "damaged",
        };
        visited.push((item.position(), what));
        if visited.len() == steps { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    (visited, next.unwrap())
}

/// The tries of runs, oldest first.
fn runs_tried(past: &Past) -> Vec<PastTry> {
    let mut tries = Vec::new();
    past.walk(0, &mut |item| {
        if let PastItem::Try(tried) = item
            && tried.kind == WorkKind::Run
        {
            tries.push(*tried);
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    tries
}

/// All files of a folder.
fn files(folder: &Path) -> BTreeMap<OsString, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries.map(|entry| (entry.file_name(), std::fs::read(entry.path()).unwrap())).collect()
}

fn set(key: &str, value: &'static str) -> Effects {
    let value = Some(Bytes::from_static(value.as_bytes()));
    let (state, scope) = (vec![(key.to_owned(), value)], "pi_1".to_owned());
    Effects { state, scope, ..Effects::default() }
}

#[tokio::test]
async fn a_walk_visits_what_is_recorded_in_its_order_and_goes_on_where_it_stopped() {
    let bench = Bench::new();
    bench.finished("evt_1", Verdict::Done).await;
    bench.append(&["evt_2"]).await;
    let past = bench.store.past().await.unwrap();

    let (all, end) = visited(&past, 0, usize::MAX);

    let kinds: Vec<_> = all.iter().map(|(_, what)| *what).collect();
    assert_eq!(kinds, ["receipt", "event", "parse", "run", "receipt"]);
    assert!(all.is_sorted() && end == past.end());
    let (mut stepwise, mut from) = (Vec::new(), 0);
    while stepwise.len() < all.len() {
        let (one, next) = visited(&past, from, 1);
        assert!(next > from, "it goes on");
        (stepwise, from) = ([stepwise, one].concat(), next);
    }
    assert_eq!(stepwise, all);
    assert!(visited(&past, end, usize::MAX).0.is_empty());

    bench.append(&["evt_3"]).await;
    assert!(visited(&past, end, usize::MAX).0.is_empty(), "a view stays as it is");
    assert_eq!(visited(&past.renewed().unwrap(), end, usize::MAX).0.len(), 1);
}

#[tokio::test]
async fn a_try_tells_what_it_did_what_it_added_and_which_one_it_was() {
    let bench = Bench::new();
    bench.bring(vec![event("evt_1", "pi_1").to(&["ledger"], &[])]).await;
    let run = bench.runs().await.pop().unwrap();
    let id = run.id;
    bench.end_run(run, Verdict::RetryAt(NOW)).await;
    let run = bench.runs().await.pop().unwrap();
    let parcel = crate::effect::Parcel {
        endpoint: name("crm"),
        content_type: "text/plain".into(),
        body: "hello".into(),
    };
    let emitted = vec![event("evt_1.1", "pi_1")];
    let effects = Effects { events: emitted, parcels: vec![parcel.clone()], ..set("count", "1") };
    bench.store.commit_run(run, tried(Verdict::Done), effects).await.unwrap().unwrap();
    bench.store.replay(vec![id]).await.unwrap();
    bench.end_run(bench.runs().await.pop().unwrap(), Verdict::RetryAt(NOW)).await;
    bench.end_run(bench.runs().await.pop().unwrap(), Verdict::Dead).await;
    let past = bench.store.past().await.unwrap();

    let tries = runs_tried(&past);

    let numbers: Vec<_> = tries.iter().map(|it| past.number_of(it).unwrap()).collect();
    assert_eq!(numbers, [(1, false), (2, false), (1, true), (2, true)]);
    let done = &tries[1];
    assert_eq!((done.work, done.verdict, done.at), (id, Verdict::Done, NOW));
    let one = Some(Bytes::from_static(b"1"));
    assert_eq!((done.scope.as_str(), &done.writes[..]), ("pi_1", &[("count".to_owned(), one)][..]));
    let added = past.recorded(done).unwrap();
    assert_eq!((added.events[0].event.id.as_str(), added.is_whole), ("evt_1.1", true));
    assert_eq!((added.events[0].id, &added.parcels[0].parcel), (done.events[0], &parcel));
    let of = past.event_of(id).unwrap().expect("the run is on an event");
    assert_eq!((of.event.id.as_str(), of.id.kind), ("evt_1", IdKind::Event));
    let PastEnd::Ended(last) = past.end_of(id).unwrap() else { panic!("it is dead") };
    assert_eq!((last.position, last.verdict), (tries[3].position, Verdict::Dead));
    assert!(last.writes.is_empty() && last.scope.is_empty() && last.state_read.is_none());
}

#[tokio::test]
async fn what_a_handler_has_now_says_when_it_was_set() {
    let bench = Bench::new();
    bench.bring(vec![event("evt_1", "pi_1").to(&["ledger"], &[])]).await;
    bench.clock.advance(days(1));
    let run = bench.runs().await.pop().unwrap();
    bench.store.commit_run(run, tried(Verdict::Done), set("count", "7")).await.unwrap().unwrap();
    let past = bench.store.past().await.unwrap();

    let now = |key: &str| past.state_now(&name("ledger"), "pi_1", key).unwrap();

    assert_eq!(now("count"), Some((NOW.after(days(1)), Bytes::from_static(b"7"))));
    assert_eq!(now("other"), None);
    let after = NOW.after(days(3));
    assert!(past.begin_at(after).unwrap() <= past.end() && past.begin_at(NOW).unwrap() <= 1);
}

#[tokio::test]
async fn the_end_of_a_work_is_open_or_expired_or_its_last_try() {
    let bench = Bench::new();
    let (_, event) = bench.finished("evt_1", Verdict::Dead).await;
    let run = Id { kind: IdKind::Run, position: event.position + 1, ..event };
    let waiting = bench.append(&["evt_2"]).await;
    let end = async |bench: &Bench, id: Id| {
        let past = bench.store.past().await.unwrap();
        assert!(!past.is_cut());
        past.end_of(id).unwrap()
    };
    assert!(matches!(end(&bench, waiting).await, PastEnd::Open));
    let parse = bench.parse().await;
    bench.store.commit_parse(parse, tried(Verdict::Done), Vec::new()).await.unwrap().unwrap();
    assert!(matches!(end(&bench, waiting).await, PastEnd::Ended(_)));
    assert!(matches!(end(&bench, run).await, PastEnd::Ended(_)));

    let bench = bench.restart().await;
    bench.clock.advance(days(40));
    bench.store.sweep(&Retention::default()).await.unwrap();

    assert!(matches!(end(&bench, run).await, PastEnd::Expired), "tries are kept for 30 days");
    let past = bench.store.past().await.unwrap();
    assert!(past.event_of(run).unwrap().is_some(), "and events for longer");
}

#[tokio::test]
async fn what_retention_has_cut_is_known_to_be_cut() {
    let bench = Bench::new();
    bench.finished("evt_1", Verdict::Done).await;
    assert!(!bench.store.past().await.unwrap().is_cut());

    let bench = bench.restart().await;
    bench.clock.advance(days(100));
    bench.store.sweep(&Retention::default()).await.unwrap();

    assert!(bench.store.past().await.unwrap().is_cut());
}

#[tokio::test]
async fn a_folder_tells_the_same_as_the_store_at_work_and_stays_as_it_is() {
    let bench = Bench::new();
    bench.finished("evt_1", Verdict::Done).await;
    let run = {
        bench.bring(vec![event("evt_2", "pi_1").to(&["ledger"], &[])]).await;
        bench.runs().await.pop().unwrap()
    };
    bench.store.commit_run(run, tried(Verdict::Done), set("count", "1")).await.unwrap().unwrap();
    let before = bench.store.stats();
    let (running, _) = visited(&bench.store.past().await.unwrap(), 0, usize::MAX);
    let after = bench.store.stats();
    assert_eq!((before.commits, before.end), (after.commits, after.end), "a look commits nothing");
    let opened = Past::of_folder(bench.folder.path());
    assert!(matches!(opened, Err(OpenError::InUse { .. })), "{opened:?}");
    let Bench { folder, store, .. } = bench;
    store.close().await.unwrap();

    let as_it_was = files(folder.path());
    let past = Past::of_folder(folder.path()).unwrap();
    let (stopped, _) = visited(&past, 0, usize::MAX);
    let counted = past.state_now(&name("ledger"), "pi_1", "count").unwrap();
    assert!(counted.is_some() && !past.is_behind());
    assert_eq!(visited(&past.renewed().unwrap(), 0, usize::MAX).0, stopped);
    drop(past);

    assert_eq!(stopped, running);
    assert_eq!(files(folder.path()), as_it_was);
}

#[tokio::test]
async fn a_backup_of_a_gateway_at_work_says_that_its_log_goes_on() {
    let bench = Bench::new();
    bench.finished("evt_1", Verdict::Done).await;
    bench.store.handle.shared.file.checkpoint().unwrap();
    let mut copied = files(bench.folder.path());
    bench.append(&["evt_2"]).await;
    // The log goes on meanwhile.
    let is_volume = |file: &OsString| file.to_string_lossy().ends_with(".hgv");
    copied.extend(files(bench.folder.path()).into_iter().filter(|(file, _)| is_volume(file)));
    let copy = TempDir::new().unwrap();
    for (file, bytes) in copied {
        std::fs::write(copy.path().join(file), bytes).unwrap();
    }

    let past = Past::of_folder(copy.path()).unwrap();

    assert!(past.is_behind());
    assert_eq!(visited(&past, 0, usize::MAX).0.len(), 4, "as the last checkpoint left it");
}

#[tokio::test]
async fn what_is_damaged_is_named_and_all_else_is_visited() {
    let disk = Disk::default();
    let config = Config { recent_bytes: 0, ..Config::at("nowhere") };
    let bench = Bench::with(disk.clone(), Clock::manual(NOW), &config);
    let mut receipts = Vec::new();
    for number in 0..3 {
        receipts.push(bench.append(&[&format!("evt_{number}")]).await);
    }
    damage(&disk, &bench.store, receipts[1].position, Damage::Record);
    let past = bench.store.past().await.unwrap();

    let (all, end) = visited(&past, 0, usize::MAX);

    let kinds: Vec<_> = all.iter().map(|(_, what)| *what).collect();
    assert_eq!(kinds, ["receipt", "damaged", "receipt"]);
    assert_eq!((all[1].0, end), (receipts[1].position, past.end()));
    assert!(matches!(past.event_of(receipts[1]), Err(Error::Damaged(_))));
}
