//! A delivery that nobody wants any more ends without a try, wherever it waits.

use super::disk::Disk;
use super::*;
use crate::failure::Reason;
use crate::ids::IdKind;

const ALL: Page = Page { cursor: None, limit: PAGE_ITEMS_MAX };
/// So little that most is on disk only.
const WINDOWS: Windows = Windows { total: 4, least: 1, most: 2, held: 4 };

async fn owe(bench: &Bench, count: usize) -> Vec<Id> {
    let mut owed = Vec::new();
    for number in 0..count {
        let new = event(&format!("evt_{number}"), "").to(&[], &["crm"]);
        let events = bench.bring(vec![new]).await;
        let view = bench.store.event(events[0]).await.unwrap().unwrap();
        owed.push(view.deliveries[0].id);
    }
    owed
}

#[tokio::test]
async fn one_that_waits_ends_as_a_letter_that_says_so_and_one_in_flight_is_left() {
    let bench = Bench::new();
    let owed = owe(&bench, 3).await;
    let mut works = bench.deliveries().await;
    works.sort_by_key(|work| work.id.position);
    bench.end_delivery(works.remove(0), Verdict::RetryAt(in_minutes(60))).await;
    drop(works.pop());

    let discard = async |id| bench.store.discard(id).await.unwrap();
    assert_eq!(discard(owed[0]).await, Discarded::Ended, "it waits for another try");
    assert_eq!(discard(owed[1]).await, Discarded::InFlight);
    assert_eq!(discard(owed[2]).await, Discarded::Ended, "it was never tried");
    assert_eq!(discard(owed[0]).await, Discarded::Finished);
    for nothing in [Id { position: 1 << 40, ..owed[0] }, Id { tag: owed[0].tag ^ 1, ..owed[0] }] {
        let unknown = bench.store.discard(nothing).await.unwrap_err();
        assert!(matches!(unknown, Error::Unknown(ids) if ids == [nothing]));
    }

    drop(works);
    let bench = bench.restart().await;
    let dead = bench.store.dead(ALL).await.unwrap().items;
    let letters: Vec<_> = dead.iter().map(|it| (it.id, it.reason, it.tries_made)).collect();
    let why = Reason::Discarded;
    assert_eq!(letters, [(owed[2], why, 0), (owed[0], why, 1)], "only what was tried counts");
    let left: Vec<Id> = bench.deliveries().await.iter().map(|work| work.id).collect();
    assert_eq!(left, [owed[1]], "nobody tries it again");

    bench.store.replay(vec![owed[2]]).await.unwrap();
    assert_eq!(bench.deliveries().await.pop().map(|work| work.id), Some(owed[2]));
}

#[tokio::test]
async fn one_that_is_on_disk_only_ends_too_and_no_reading_brings_it_back() {
    let disk = Disk::default();
    let config =
        Config { windows: WINDOWS, recent_bytes: 0, lag: Duration::ZERO, ..Config::at("nowhere") };
    let bench = Bench::with(disk.clone(), Clock::manual(NOW), &config);
    let owed = owe(&bench, 20).await;
    bench.store.clone().close().await.unwrap();
    let bench = Bench::with(disk, bench.clock.clone(), &config);

    for id in owed.iter().step_by(2) {
        assert_eq!(bench.store.discard(*id).await.unwrap(), Discarded::Ended, "{id}");
    }

    let mut done = Vec::new();
    while done.len() < owed.len() / 2 {
        let ready = bench.store.ready(WorkKind::Delivery);
        let works = bench.deliveries().await;
        if works.is_empty() {
            // What is on disk is being read.
            ready.await;
        }
        for work in works {
            done.push(work.id);
            bench.end_delivery(work, Verdict::Done).await;
        }
    }
    done.sort();
    let expected: Vec<Id> = owed.iter().skip(1).step_by(2).copied().collect();
    assert_eq!(done, expected);
    assert!(bench.deliveries().await.is_empty());
    let stats = bench.store.stats().works[&WorkKind::Delivery];
    assert_eq!((stats.pending(), stats.dead), (0, 10));
}

/// The first of a subject holds up the second: once it has ended, that one goes.
#[tokio::test]
async fn the_next_of_its_subject_goes_where_deliveries_have_an_order() {
    let bench = Bench::new();
    let order = Order::Subject { skip_after: None };
    bench.store.allow(&name("crm"), Allowance { order, ..Allowance::of(9) });
    let mut owed = Vec::new();
    for id in ["evt_1", "evt_2", "evt_3"] {
        let events = bench.bring(vec![event(id, "pi_1").to(&[], &["crm"])]).await;
        owed.push(Id { kind: IdKind::Delivery, position: events[0].position + 1, ..events[0] });
    }
    let first = bench.deliveries().await.remove(0);
    bench.end_delivery(first, Verdict::RetryAt(in_minutes(60))).await;

    assert_eq!(bench.store.discard(owed[1]).await.unwrap(), Discarded::Ended, "it is behind one");
    assert!(bench.deliveries().await.is_empty(), "the first still waits");
    assert_eq!(bench.store.discard(owed[0]).await.unwrap(), Discarded::Ended);
    let next: Vec<Id> = bench.deliveries().await.iter().map(|work| work.id).collect();
    assert_eq!(next, [owed[2]]);
}
