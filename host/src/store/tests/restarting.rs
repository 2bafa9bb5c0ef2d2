//! A start redoes nothing that was committed and forgets nothing that was not.

use super::*;

#[tokio::test]
async fn a_receipt_is_parsed_after_a_restart() {
    let bench = Bench::new();
    let id = bench.append(&["evt_1"]).await;
    let taken = bench.parse();

    let bench = bench.restart().await;
    drop(taken);

    let work = bench.parse();
    assert_eq!((work.id, work.receipt.request.body.as_ref()), (id, &br#"["evt_1"]"#[..]));
    let again = bench.store.append(receipt(&["evt_1"])).await.unwrap();
    assert_eq!(again, Appended::Duplicate(id));
}

#[tokio::test]
async fn what_was_parsed_is_owed_once_after_a_restart() {
    let bench = Bench::new();
    let routed = event("evt_1", "pi_1").to(&["ledger", "mailer"], &["crm", "erp"]);
    bench.bring(vec![routed]).await;

    let bench = bench.restart().await.restart().await;

    assert!(bench.store.take_parses(9, usize::MAX).unwrap().is_empty());
    let runs = bench.runs();
    let handlers: Vec<&str> = runs.iter().map(|work| work.handler.as_str()).collect();
    assert_eq!(handlers, ["ledger", "mailer"]);
    let deliveries = bench.deliveries();
    let endpoints: Vec<&str> = deliveries.iter().map(|work| work.endpoint.as_str()).collect();
    assert_eq!(endpoints, ["crm", "erp"]);
    assert_eq!(runs[0].event.event, event("evt_1", "pi_1").event);
}

#[tokio::test]
async fn what_was_done_is_not_redone_and_its_effects_are_owed() {
    let bench = Bench::new();
    bench.bring(vec![event("evt_1", "pi_1").to(&["ledger"], &[])]).await;
    let run = bench.runs().pop().unwrap();
    let run_id = run.id;
    let emitted = event("n1", "cus_1").to(&[], &["crm"]);
    let effects = Committed { events: vec![emitted], ..Committed::default() };
    bench.store.commit_run(run, tried(Verdict::Done), effects).await.unwrap();

    let bench = bench.restart().await;

    assert!(bench.runs().is_empty());
    let delivery = bench.deliveries().pop().unwrap();
    let Payload::Event(emitted) = &delivery.payload else { panic!("an event") };
    assert_eq!(emitted.cause, Some(run_id));
    bench.end_delivery(delivery, Verdict::Done).await;
    let bench = bench.restart().await;
    assert!(bench.deliveries().is_empty());
}

#[tokio::test]
async fn a_retry_waits_for_its_time_over_a_restart() {
    let bench = Bench::new();
    bench.bring(vec![event("evt_1", "pi_1").to(&[], &["crm"])]).await;
    let delivery = bench.deliveries().pop().unwrap();
    let id = delivery.id;
    bench.end_delivery(delivery, Verdict::RetryAt(in_minutes(5))).await;

    let bench = bench.restart().await;

    assert!(bench.deliveries().is_empty());
    bench.clock.set(in_minutes(5));
    let delivery = bench.deliveries().pop().unwrap();
    assert_eq!((delivery.id, delivery.tries_made), (id, 1));
}

#[tokio::test]
async fn a_blocked_subject_keeps_its_order_over_a_restart() {
    let bench = Bench::new();
    let events = ["evt_1", "evt_2", "evt_3"].map(|id| event(id, "pi_1").to(&["ledger"], &[]));
    bench.bring(events.to_vec()).await;
    let first = bench.runs().pop().unwrap();
    bench.end_run(first, Verdict::RetryAt(in_minutes(1))).await;

    let bench = bench.restart().await;

    assert!(bench.runs().is_empty());
    bench.clock.set(in_minutes(1));
    let mut seen = Vec::new();
    while let Some(run) = bench.runs().pop() {
        seen.push(run.event.event.id.clone());
        bench.end_run(run, Verdict::Done).await;
    }
    assert_eq!(seen, ["evt_1", "evt_2", "evt_3"]);
}

#[tokio::test]
async fn the_mark_passes_stragglers_and_forgets_none() {
    let disk = super::disk::Disk::default();
    let config = Config::at("nowhere");
    let clock = Clock::manual(NOW);
    let folder = TempDir::new().unwrap();
    let store = Store::open_on(disk.clone(), &config, clock.clone()).unwrap();
    let bench = Bench { folder, clock: clock.clone(), store };
    let routed = ["evt_a", "evt_b"].map(|id| event(id, "pi_1").to(&["ledger"], &["crm"]));
    bench.bring(routed.to_vec()).await;
    let finished = bench.runs().pop().unwrap();
    let mut deliveries = bench.deliveries();
    let late = deliveries.pop().unwrap();
    bench.end_delivery(deliveries.pop().unwrap(), Verdict::RetryAt(in_minutes(9))).await;

    // Far enough for the mark to move over them twice, all else being finished.
    for _ in 0..600 {
        bench.append(&[]).await;
        let parse = bench.parse();
        bench.store.commit_parse(parse, tried(Verdict::Done), Vec::new()).await.unwrap();
    }
    bench.end_run(finished, Verdict::Done).await;
    bench.end_delivery(late, Verdict::Done).await;

    // A power cut, not an orderly end: the mark is where the last move left it.
    let store = Store::open_on(super::disk::Disk::holding(disk.synced()), &config, clock).unwrap();
    let stats = store.stats();
    assert_eq!(stats.works[&WorkKind::Parse].pending(), 0);
    assert_eq!(stats.works[&WorkKind::Run].pending(), 1);
    assert_eq!(stats.works[&WorkKind::Delivery].retrying, 1);
    assert_eq!(stats.works[&WorkKind::Delivery].pending(), 1);
    let run = store.take_runs(9, 9).unwrap().pop().unwrap();
    assert_eq!(run.event.event.id, "evt_b");
}

#[tokio::test]
async fn dead_letters_stay_dead_and_are_counted() {
    let bench = Bench::new();
    bench.append(&["evt_1"]).await;
    let dead = tried(Verdict::Dead);
    bench.store.commit_parse(bench.parse(), dead, Vec::new()).await.unwrap();

    let bench = bench.restart().await;

    assert!(bench.store.take_parses(9, usize::MAX).unwrap().is_empty());
    assert_eq!(bench.store.stats().works[&WorkKind::Parse].dead, 1);
}
