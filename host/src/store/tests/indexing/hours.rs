//! What came in each hour is counted once, through blocks, sweeps, restarts and kills.

use super::*;
use crate::store::index::{NewItem, Tail};

/// What was counted of all hours: receipts, events, and tries by kind and verdict.
async fn counted(bench: &Bench) -> (u64, u64, Vec<(WorkKind, &'static str, u64)>) {
    let hours = bench.store.hours(None, None).await.unwrap();
    let receipts = hours.iter().flat_map(|hour| hour.receipts.values()).sum();
    let events = hours.iter().flat_map(|hour| &hour.events).map(|it| it.count).sum();
    let mut tries: Vec<(WorkKind, &'static str, u64)> = Vec::new();
    for kind in WorkKind::ALL {
        for verdict in ["done", "retry", "dead"] {
            let of = hours.iter().flat_map(|hour| &hour.tries);
            let of = of.filter(|it| it.kind == kind && it.verdict == verdict);
            tries.push((kind, verdict, of.map(|it| it.count).sum()));
        }
    }
    tries.retain(|(.., count)| *count > 0);
    (receipts, events, tries)
}

#[tokio::test]
async fn what_comes_is_counted_once_through_blocks_sweeps_and_kills() {
    let disk = Disk::default();
    let bench = Bench::with(disk.clone(), Clock::manual(NOW), &config(8));
    bring(&bench, 0..90).await;
    bench.store.handle.shared.file.checkpoint().unwrap();
    // No more than a start takes into memory again.
    bring(&bench, 90..100).await;
    let (parse, delivery) = (WorkKind::Parse, WorkKind::Delivery);
    let tries = vec![
        (parse, "done", 100),
        (delivery, "done", 70),
        (delivery, "retry", 10),
        (delivery, "dead", 10),
    ];
    let expected = (100, 100, tries);
    assert_eq!(counted(&bench).await, expected);
    assert!(bench.store.hours(None, None).await.unwrap().len() > 1, "an event a minute");
    let late = bench.store.hours(Some(NOW.after(days(1))), None).await.unwrap();
    assert!(late.is_empty(), "{late:?}");

    let clock = Clock::manual(bench.clock.now());
    let killed = Bench::with(Disk::holding(disk.synced()), clock, &config(8));
    assert_eq!(counted(&killed).await, expected);
    let clock = bench.clock.clone();
    bench.store.close().await.unwrap();
    let bench = Bench::with(disk, clock, &config(8));
    assert_eq!(counted(&bench).await, expected);
    bench.store.sweep(&Retention::default()).await.unwrap();
    assert_eq!(counted(&bench).await, expected);
}

#[tokio::test]
async fn a_block_that_is_in_the_file_already_and_still_in_memory_is_counted_once() {
    let bench = Bench::with(Disk::default(), Clock::manual(NOW), &config(4));
    let mut tail = Tail::new(0);
    for number in 0..4 {
        let id = bench.append(&[&format!("evt_{number}")]).await;
        let receipt = bench.store.read_receipt(id).await.unwrap().unwrap();
        tail.push(NewItem::receipt(&receipt));
    }
    bench.append(&["evt_4"]).await;
    assert_eq!((bench.blocks(), counted(&bench).await.0), (1, 5));

    // As it is between the commit of a block and the moment when memory lets go.
    bench.store.handle.shared.index.renew(tail);

    assert_eq!(counted(&bench).await.0, 4, "the block has them");
}

#[tokio::test]
async fn a_try_counts_for_the_hour_in_which_it_ended_also_after_a_start() {
    let disk = Disk::default();
    let bench = Bench::on(disk.clone(), Clock::manual(NOW));
    bench.bring(vec![event("evt_1", "pi_1").to(&[], &["crm"])]).await;
    let work = bench.deliveries().await.pop().unwrap();
    let duration = Duration::from_secs(3 * 60 * 60);
    let attempt = Attempt { at: bench.clock.now(), duration, ..attempt(Verdict::Done) };
    bench.clock.advance(duration);
    bench.store.record_attempt(work, attempt).await.unwrap().unwrap();
    let hours = async |bench: &Bench| {
        serde_json::to_value(bench.store.hours(None, None).await.unwrap()).unwrap()
    };
    let expected = hours(&bench).await;
    assert_eq!(expected.as_array().map(Vec::len), Some(2), "{expected}");
    let clock = bench.clock.clone();
    bench.store.close().await.unwrap();
    let bench = Bench::on(disk, clock);
    assert_eq!(hours(&bench).await, expected);
}

#[tokio::test]
async fn a_log_of_tries_alone_gets_blocks_too() {
    let disk = Disk::default();
    let bench = Bench::with(disk.clone(), Clock::manual(NOW), &config(4));
    bench.bring(vec![event("evt_1", "pi_1").to(&[], &["crm"])]).await;
    for _ in 0..150 {
        let work = bench.deliveries().await.pop().unwrap();
        let due = bench.clock.now().after(Duration::from_secs(1));
        bench.end_delivery(work, Verdict::RetryAt(due)).await;
        bench.clock.advance(Duration::from_secs(60));
    }
    assert!(bench.blocks() > 1, "a start reads no more than what is in no block");
    let expected = counted(&bench).await;
    assert!(expected.2.contains(&(WorkKind::Delivery, "retry", 150)), "{expected:?}");
    let clock = bench.clock.clone();
    bench.store.close().await.unwrap();
    let bench = Bench::with(disk, clock, &config(4));
    assert_eq!(counted(&bench).await, expected);
}
