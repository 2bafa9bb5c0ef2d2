//! All or nothing, in order, and woken for it.

use std::pin::pin;

use bytes::Bytes;

use super::*;
use crate::effect::{Alert, Parcel, Severity};

fn effects() -> Committed {
    let parcel = Parcel {
        endpoint: name("crm"),
        content_type: "text/plain".into(),
        body: Bytes::from_static(b"hello"),
    };
    let mut emitted = event("n1", "cus_1").to(&[], &["crm"]);
    Arc::make_mut(&mut emitted.event).source = name("ledger");
    Committed {
        events: vec![emitted],
        parcels: vec![parcel],
        alerts: vec![Alert { severity: Severity::Warning, message: "look".into() }],
        state: vec![("count".into(), Some(Bytes::from_static(b"1"))), ("gone".into(), None)],
        scope: "pi_1".into(),
    }
}

async fn count(bench: &Bench) -> Option<Bytes> {
    bench.store.state(&name("ledger"), "pi_1", "count").unwrap()
}

#[tokio::test]
async fn the_effects_of_a_run_take_place_with_it() {
    let bench = Bench::new();
    let ids = bench.bring(vec![event("evt_1", "pi_1").to(&["ledger"], &[])]).await;
    let run = bench.runs().pop().unwrap();
    let run_id = run.id;

    bench.store.commit_run(run, tried(Verdict::Done), effects()).await.unwrap();

    assert_eq!(count(&bench).await.as_deref(), Some(&b"1"[..]));
    let view = bench.store.event(ids[0]).unwrap().unwrap();
    assert_eq!(view.runs[0].tries[0].alerts.len(), 1);
    let emitted = view.runs[0].tries[0].events[0];
    let emitted = bench.store.event(emitted).unwrap().unwrap();
    assert_eq!((emitted.cause, emitted.depth, emitted.receipt), (Some(run_id), 1, view.receipt));
    let deliveries = bench.deliveries();
    assert_eq!(deliveries.len(), 2);
    assert!(deliveries.iter().any(|work| matches!(work.payload, Payload::Parcel(_))));
}

#[tokio::test]
async fn a_run_that_is_not_done_changes_nothing_but_its_history() {
    for verdict in [Verdict::RetryAt(in_minutes(1)), Verdict::Dead] {
        let bench = Bench::new();
        let ids = bench.bring(vec![event("evt_1", "pi_1").to(&["ledger"], &[])]).await;
        let run = bench.runs().pop().unwrap();

        bench.store.commit_run(run, tried(verdict), effects()).await.unwrap();

        assert_eq!(count(&bench).await, None);
        assert!(bench.deliveries().is_empty());
        let view = bench.store.event(ids[0]).unwrap().unwrap();
        assert!(view.runs[0].tries[0].alerts.is_empty() && view.runs[0].tries[0].events.is_empty());
    }
}

#[tokio::test]
async fn state_is_overwritten_and_deleted() {
    let bench = Bench::new();
    let events = ["evt_1", "evt_2"].map(|id| event(id, "pi_1").to(&["ledger"], &[]));
    bench.bring(events.to_vec()).await;
    let run = bench.runs().pop().unwrap();
    bench.store.commit_run(run, tried(Verdict::Done), effects()).await.unwrap();

    let run = bench.runs().pop().unwrap();
    let state = vec![("count".into(), None), ("other".into(), Some(Bytes::new()))];
    let effects = Committed { state, scope: "pi_1".into(), ..Committed::default() };
    bench.store.commit_run(run, tried(Verdict::Done), effects).await.unwrap();

    assert_eq!(count(&bench).await, None);
    let other = bench.store.state(&name("ledger"), "pi_1", "other").unwrap();
    assert_eq!(other, Some(Bytes::new()));
}

#[tokio::test]
async fn a_parse_brings_each_event_once() {
    let bench = Bench::new();
    bench.append(&[]).await;
    let events = ["evt_1", "evt_1", "evt_2"].map(|id| event(id, "pi_1")).to_vec();
    let first = bench.parse();
    bench.append(&[]).await;
    let second = bench.parse();

    let done = tried(Verdict::Done);
    let added = bench.store.commit_parse(first, done.clone(), events.clone()).await.unwrap();
    let added_again = bench.store.commit_parse(second, done, events).await.unwrap();

    assert_eq!((added.len(), added_again.len()), (2, 0));
    let duplicate = bench.store.append(receipt(&["evt_2"])).await.unwrap();
    assert!(matches!(duplicate, Appended::Duplicate(_)));
}

#[tokio::test]
async fn a_dropped_lease_returns_the_work() {
    let bench = Bench::new();
    let id = bench.append(&["evt_1"]).await;

    drop(bench.parse());
    assert!(bench.store.stats().works[&WorkKind::Parse].ready == 1);
    let again = bench.parse();

    assert_eq!((again.id, again.tries_made), (id, 0));
    assert!(bench.store.take_parses(9, usize::MAX).unwrap().is_empty());
}

#[tokio::test]
async fn runs_of_one_subject_are_taken_in_order_one_at_a_time() {
    let bench = Bench::new();
    let events = [("evt_1", "pi_1"), ("evt_2", "pi_1"), ("evt_3", "pi_2"), ("evt_4", "")];
    let events = events.map(|(id, subject)| event(id, subject).to(&["ledger"], &[]));
    bench.bring(events.to_vec()).await;
    let event_ids = |works: &[RunWork]| -> Vec<String> {
        works.iter().map(|work| work.event.event.id.clone()).collect()
    };

    let mut works = bench.runs();
    assert_eq!(event_ids(&works), ["evt_1", "evt_3", "evt_4"]);
    bench.end_run(works.remove(0), Verdict::RetryAt(in_minutes(1))).await;
    assert!(bench.runs().is_empty());

    bench.clock.set(in_minutes(1));
    let mut works = bench.runs();
    assert_eq!((event_ids(&works), works[0].tries_made), (vec!["evt_1".to_owned()], 1));
    bench.end_run(works.remove(0), Verdict::Dead).await;
    assert_eq!(event_ids(&bench.runs()), ["evt_2"]);
}

#[tokio::test]
async fn ready_misses_nothing_that_happens_after_the_call() {
    let bench = Bench::new();
    let ready = bench.store.ready(WorkKind::Parse);
    bench.append(&[]).await;
    ready.await;

    let work = bench.parse();
    let mut ready = pin!(bench.store.ready(WorkKind::Parse));
    tokio::select! {
        biased;
        () = &mut ready => panic!("nothing is ready"),
        () = std::future::ready(()) => (),
    }
    let retry = tried(Verdict::RetryAt(in_minutes(1)));
    bench.store.commit_parse(work, retry, Vec::new()).await.unwrap();
    ready.await;

    let later = bench.store.ready(WorkKind::Parse);
    bench.clock.set(in_minutes(1));
    later.await;
    assert_eq!(bench.parse().tries_made, 1);
}

#[tokio::test]
async fn it_is_idle_when_only_the_future_is_left() {
    let bench = Bench::new();
    bench.store.idle().await;
    bench.bring(vec![event("evt_1", "pi_1").to(&["ledger"], &["crm"])]).await;
    let run = bench.runs().pop().unwrap();
    let delivery = bench.deliveries().pop().unwrap();

    let idle = bench.store.idle();
    let work = async {
        bench.end_run(run, Verdict::Done).await;
        bench.end_delivery(delivery, Verdict::RetryAt(in_minutes(5))).await;
    };
    tokio::join!(idle, work);

    let stats = bench.store.stats();
    assert_eq!(stats.works[&WorkKind::Delivery].retrying, 1);
    assert_eq!(stats.works[&WorkKind::Run].pending(), 0);
}

#[tokio::test]
async fn a_retry_that_was_put_off_by_a_clock_that_was_ahead_is_pulled_forward() {
    let bench = Bench::new();
    let events = ["evt_1", "evt_2"].map(|id| event(id, "").to(&[], &["crm"]));
    let ids = bench.bring(events.to_vec()).await;
    for delivery in bench.deliveries() {
        bench.end_delivery(delivery, Verdict::RetryAt(in_minutes(1_000_000))).await;
    }
    let bench = bench.restart().await;
    bench.store.bound_delays(Duration::from_secs(60 * 60));
    assert!(bench.deliveries().is_empty());

    // It is found where it is now.
    assert_eq!(bench.store.replay(vec![ids[1]]).await.unwrap().hastened, 1);
    let hastened = bench.deliveries().pop().unwrap();
    bench.end_delivery(hastened, Verdict::Done).await;
    assert!(bench.deliveries().is_empty());
    bench.clock.set(in_minutes(60));
    assert_eq!(bench.deliveries().pop().unwrap().tries_made, 1);
}
