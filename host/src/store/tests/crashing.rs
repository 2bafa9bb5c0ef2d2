//! A power cut at every sync: what was answered is there, and nothing happens twice.
//!
//! A small history is driven from appends to deliveries on a disk that keeps what each power cut
//! would leave. Every such disk is opened again and driven to the end, the provider sending
//! everything once more; the end must be the one that no cut at all leads to.

use bytes::Bytes;

use super::disk::{Cut, Disk};
use super::*;
use crate::effect::Parcel;

pub(super) const REQUESTS: [&[&str]; 4] = [&["a1", "a2"], &["b1"], &["a2", "c1"], &["d1"]];
/// Unique ids in them.
const EVENTS: usize = 5;

fn open(disk: Disk) -> Store {
    Store::open_on(disk, &Config::at("nowhere"), Clock::manual(NOW)).unwrap()
}

pub(super) fn counter(store: &Store) -> usize {
    let value = store.state(&name("ledger"), "pi_1", "count").unwrap();
    value.map_or(0, |value| std::str::from_utf8(&value).unwrap().parse().unwrap())
}

/// The first try of everything fails, the second succeeds.
pub(super) fn verdict(tries_made: u32) -> Verdict {
    if tries_made == 0 { Verdict::RetryAt(NOW) } else { Verdict::Done }
}

/// Counts the runs in the subject's state, and tells the crm.
pub(super) fn effects(store: &Store) -> Committed {
    let count = (counter(store) + 1).to_string();
    let (endpoint, content_type) = (name("crm"), "text/plain".to_owned());
    Committed {
        parcels: vec![Parcel { endpoint, content_type, body: count.clone().into() }],
        state: vec![("count".into(), Some(Bytes::from(count)))],
        scope: "pi_1".into(),
        ..Committed::default()
    }
}

async fn drive(store: &Store) {
    loop {
        let parses = store.take_parses(9, usize::MAX).unwrap();
        let runs = store.take_runs(9, 9).unwrap();
        let deliveries = store.take_deliveries(9, usize::MAX).unwrap();
        if parses.is_empty() && runs.is_empty() && deliveries.is_empty() {
            break;
        }
        for work in parses {
            let routed = |id: &String| event(id, "pi_1").to(&["ledger"], &["crm"]);
            let events = work.receipt.event_ids.iter().map(routed).collect();
            let tried = tried(verdict(work.tries_made));
            store.commit_parse(work, tried, events).await.unwrap();
        }
        for work in runs {
            let tried = tried(verdict(work.tries_made));
            store.commit_run(work, tried, effects(store)).await.unwrap();
        }
        for work in deliveries {
            let attempt = attempt(verdict(work.tries_made));
            store.record_attempt(work, attempt).await.unwrap();
        }
    }
}

async fn append_all(store: &Store) -> Vec<(usize, Id)> {
    let mut stored = Vec::new();
    for (number, ids) in REQUESTS.iter().enumerate() {
        if let Appended::Stored(id) = store.append(receipt(ids)).await.unwrap() {
            stored.push((number, id));
        }
    }
    stored
}

/// Whether all has happened, once.
pub(super) fn check_end(store: &Store, context: &str) {
    let all = EventFilter { state: Some(State::Done), ..EventFilter::default() };
    let listing = store.events(&all, Page { cursor: None, limit: 99 }).unwrap();
    let mut ids: Vec<&str> = listing.items.iter().map(|event| event.event_id.as_str()).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["a1", "a2", "b1", "c1", "d1"], "events {context}");

    let views = listing.items.iter().map(|event| store.event(event.id).unwrap().unwrap());
    let views: Vec<EventView> = views.collect();
    assert!(views.iter().all(|view| view.state == State::Done), "works {context}");
    assert!(views.iter().all(|view| view.deliveries.len() == 2), "parcels {context}");
    assert_eq!(counter(store), EVENTS, "state {context}");
    let pending = |kind| store.stats().works[&kind].pending();
    assert!(WorkKind::ALL.into_iter().all(|kind| pending(kind) == 0), "backlog {context}");
}

#[tokio::test]
async fn a_power_cut_at_any_sync_loses_nothing_and_doubles_nothing() {
    let disk = Disk::default();
    let store = open(disk.clone());
    disk.record_cuts();
    let mut answered = Vec::new();
    for (number, ids) in REQUESTS.iter().enumerate() {
        let Appended::Stored(id) = store.append(receipt(ids)).await.unwrap() else { panic!() };
        answered.push((disk.cut_count(), number, id));
    }
    drive(&store).await;
    check_end(&store, "without a cut");
    let cuts = disk.take_cuts();
    assert!(cuts.len() > 30, "{} syncs", cuts.len());

    let mut random = fastrand::Rng::with_seed(7);
    for (number, cut) in cuts.iter().enumerate() {
        // What was answered before this sync was asked for.
        let answered = answered.iter().filter(|(syncs, ..)| *syncs <= number);
        let answered: Vec<(usize, Id)> = answered.map(|(_, number, id)| (*number, *id)).collect();
        check_cut(cut.disk(|| false), &answered, &format!("after cut {number}")).await;
        let torn = cut.disk(|| random.bool());
        check_cut(torn, &answered, &format!("after torn cut {number}")).await;
    }
}

async fn check_cut(disk: Disk, answered: &[(usize, Id)], context: &str) {
    let store = open(disk);
    for (number, id) in answered {
        let view = store.receipt(*id).unwrap().unwrap_or_else(|| panic!("{id} {context}"));
        assert_eq!(view.body, Some(format!("{:?}", REQUESTS[*number])), "{context}");
    }
    let stored_again = append_all(&store).await;
    assert!(
        stored_again.iter().all(|(number, _)| answered.iter().all(|(known, _)| known != number)),
        "stored twice {context}"
    );
    drive(&store).await;
    check_end(&store, context);
}

/// The tests above rest on the disk's promise; this is it.
#[test]
fn the_disk_loses_what_was_not_synced() {
    let disk = Disk::default();
    disk.record_cuts();
    let (file, other) = (disk.open("a").unwrap(), disk.open("b").unwrap());
    file.write(0, b"one").unwrap();
    file.sync().unwrap();
    file.write(0, b"two").unwrap();
    other.write(0, b"new").unwrap();
    file.sync().unwrap();

    let cuts: Vec<Cut> = disk.take_cuts();
    assert_eq!(cuts[1].disk(|| false).synced()["a"], b"one");
    assert_eq!(cuts[1].disk(|| true).synced()["a"], b"two");
    assert_eq!(cuts[1].disk(|| true).synced()["b"], b"new");
    assert!(!disk.synced().contains_key("b"), "only one of them was synced");
}
