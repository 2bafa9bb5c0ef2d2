//! Accepted is durable, and once.

use std::pin::Pin;
use std::task::{Context, Waker};

use tokio::task::JoinSet;

use super::disk::Disk;
use super::*;

async fn append_all(store: &Store, receipts: Vec<NewReceipt>) -> Vec<Result<Appended, Error>> {
    let mut appends = JoinSet::new();
    for receipt in receipts {
        let store = store.clone();
        appends.spawn(async move { store.append(receipt).await });
    }
    appends.join_all().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_on_many_connections_at_once_is_stored_once() {
    let bench = Bench::new();

    let appended = append_all(&bench.store, vec![receipt(&["evt_1"]); 300]).await;

    let appended: Vec<Appended> = appended.into_iter().map(Result::unwrap).collect();
    let stored = appended.iter().find(|it| matches!(it, Appended::Stored(_))).unwrap();
    let Appended::Stored(id) = *stored else { panic!() };
    assert_eq!(appended.iter().filter(|it| **it == Appended::Stored(id)).count(), 1);
    assert_eq!(appended.iter().filter(|it| **it == Appended::Duplicate(id)).count(), 299);
    assert_eq!(bench.store.take_parses(10, usize::MAX).unwrap().len(), 1);
}

/// A store whose writer is in the middle of a commit that lasts until the disk goes on.
fn stalled(config: &Config) -> (Disk, Store, Started) {
    let disk = Disk::default();
    let store = Store::open_on(disk.clone(), config, Clock::manual(NOW)).unwrap();
    disk.stall();
    let first = start(&store, receipt(&["evt_0"]));
    disk.wait_for_stall();
    (disk, store, first)
}

type Started = Pin<Box<dyn Future<Output = Result<Appended, Error>>>>;

/// An append that is in the queue.
fn start(store: &Store, receipt: NewReceipt) -> Started {
    let store = store.clone();
    let mut append: Started = Box::pin(async move { store.append(receipt).await });
    assert!(append.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    append
}

#[tokio::test]
async fn what_waits_together_is_committed_together() {
    let (disk, store, first) = stalled(&Config::at("nowhere"));
    let rest: Vec<Started> = (0..100).map(|_| start(&store, receipt(&[]))).collect();
    assert_eq!(store.stats().queued, 101);

    disk.go_on();

    first.await.unwrap();
    for append in rest {
        assert!(matches!(append.await, Ok(Appended::Stored(_))));
    }
    assert_eq!(store.stats().commits, 2);
}

#[tokio::test]
async fn a_request_without_event_ids_is_never_a_duplicate() {
    let bench = Bench::new();
    let first = bench.append(&[]).await;
    let second = bench.append(&[]).await;
    assert_ne!(first, second);
}

#[tokio::test]
async fn a_request_with_some_known_ids_brings_only_the_others() {
    let bench = Bench::new();
    let first = bench.append(&["evt_1", "evt_2"]).await;
    let second = bench.append(&["evt_2", "evt_3"]).await;
    let again = bench.store.append(receipt(&["evt_3", "evt_1"])).await.unwrap();
    assert_eq!(again, Appended::Duplicate(second));

    let works = bench.store.take_parses(2, usize::MAX).unwrap();
    let taken: Vec<&[String]> = works.iter().map(|work| work.receipt.taken.as_slice()).collect();
    assert_eq!(taken, [&[][..], &["evt_2".to_owned()]]);
    let mut brought = Vec::new();
    for work in works.into_iter().rev() {
        let id = work.id;
        let events = ["evt_1", "evt_2", "evt_3"].map(|id| event(id, "pi_1")).to_vec();
        let added = bench.store.commit_parse(work, tried(Verdict::Done), events).await.unwrap();
        brought.push((id, added.len()));
    }

    assert_eq!(brought, [(second, 1), (first, 2)]);
}

#[tokio::test]
async fn a_full_queue_refuses_and_stores_nothing() {
    let (disk, store, first) = stalled(&Config { queue: 1, ..Config::at("nowhere") });
    let second = start(&store, receipt(&["evt_1"]));

    let refused = store.append(receipt(&["evt_2"])).await;
    disk.go_on();

    assert!(matches!(refused, Err(Error::Full)));
    assert!(first.await.is_ok() && second.await.is_ok());
    assert_eq!(store.take_parses(9, usize::MAX).unwrap().len(), 2);
    assert!(matches!(store.append(receipt(&["evt_2"])).await, Ok(Appended::Stored(_))));
}

#[tokio::test]
async fn a_failed_commit_is_told_to_everybody_and_changes_nothing() {
    let disk = Disk::default();
    let config = Config::at("nowhere");
    let store = Store::open_on(disk.clone(), &config, Clock::manual(NOW)).unwrap();
    let kept = store.append(receipt(&["evt_0"])).await.unwrap();
    disk.fail();

    let appended = append_all(&store, vec![receipt(&["evt_1"]); 5]).await;
    let later = store.append(receipt(&["evt_2"])).await;

    assert!(appended.iter().all(|it| matches!(it, Err(Error::Unavailable(_)))), "{appended:?}");
    assert!(matches!(later, Err(Error::Unavailable(_))));
    assert!(store.take_parses(9, usize::MAX).unwrap().is_empty());
    assert!(matches!(store.close().await, Err(Error::Unavailable(_))));

    let disk = Disk::holding(disk.synced());
    let store = Store::open_on(disk, &config, Clock::manual(NOW)).unwrap();
    let parses = store.take_parses(9, usize::MAX).unwrap();
    assert_eq!(parses.iter().map(|work| Appended::Stored(work.id)).collect::<Vec<_>>(), [kept]);
}
