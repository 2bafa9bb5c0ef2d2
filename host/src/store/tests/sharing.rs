//! What is decoded once serves all who ask for it: an event may be owed to ten thousand endpoints.

use std::collections::BTreeSet;

use super::disk::Disk;
use super::*;

const EVENTS: usize = 3;
const ENDPOINTS: usize = 50;

impl Bench {
    /// Events that are each owed to many endpoints.
    async fn fan_out(&self) {
        let names: Vec<String> = (0..ENDPOINTS).map(|number| format!("crm-{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for number in 0..EVENTS {
            self.bring(vec![event(&format!("evt_{number}"), "").to(&[], &names)]).await;
        }
    }

    /// The same after a restart, with so much memory for what is read.
    async fn reading(self, recent_bytes: usize) -> Self {
        let Self { folder, clock, store } = self;
        store.close().await.expect("nothing is wrong with the disk");
        let config = Config { recent_bytes, ..Config::at(folder.path()) };
        let store = Store::open(&config, clock.clone()).expect("it was closed");
        Self { folder, clock, store }
    }

    /// How many records were decoded since the start.
    fn decoded(&self) -> u64 {
        self.store.handle.shared.log.decoded()
    }
}

/// The id of the event, and where it goes.
fn shown(work: &DeliveryWork) -> (&str, &str) {
    let Payload::Event(stored) = &work.payload else { panic!("no parcel was sent") };
    (stored.event.id.as_str(), work.endpoint.as_str())
}

/// How many different deliveries these are.
fn count(works: &[DeliveryWork]) -> usize {
    works.iter().map(shown).collect::<BTreeSet<_>>().len()
}

#[tokio::test]
async fn nothing_is_decoded_that_was_stored_a_moment_ago() {
    let bench = Bench::new();
    bench.fan_out().await;
    assert_eq!(bench.deliveries().await.len(), EVENTS * ENDPOINTS);
    assert_eq!(bench.decoded(), 0);
}

#[tokio::test]
async fn after_a_restart_an_event_is_decoded_once_for_all_its_deliveries() {
    let bench = Bench::new();
    bench.fan_out().await;
    let bench = bench.restart().await;

    let mut held = Vec::new();
    while held.len() < EVENTS * ENDPOINTS {
        let taken = bench.store.take_deliveries(7, usize::MAX).await.unwrap();
        assert!(!taken.is_empty(), "{} were taken and no more", held.len());
        held.extend(taken);
    }

    assert_eq!(count(&held), EVENTS * ENDPOINTS, "each goes everywhere");
    assert_eq!(bench.decoded(), EVENTS as u64);
}

#[tokio::test]
async fn what_has_no_room_in_memory_is_decoded_once_in_a_take() {
    let bench = Bench::new();
    bench.fan_out().await;
    let bench = bench.reading(0).await;

    for takes in 1..=2 {
        let taken = bench.deliveries().await;
        assert_eq!(count(&taken), EVENTS * ENDPOINTS);
        assert_eq!(bench.decoded(), takes * EVENTS as u64);
    }
}

#[tokio::test]
async fn a_list_of_dead_letters_decodes_their_event_once() {
    let bench = Bench::on(Disk::default(), Clock::manual(NOW));
    bench.fan_out().await;
    for work in bench.deliveries().await {
        bench.end_delivery(work, Verdict::Dead).await;
    }
    let before = bench.decoded();

    let page = Page { cursor: None, limit: ENDPOINTS };
    let letters = bench.store.dead(page).await.unwrap().items;

    assert_eq!(letters.len(), ENDPOINTS);
    // Its event, and the last attempt of each.
    assert_eq!(bench.decoded() - before, 1 + ENDPOINTS as u64);
}

#[tokio::test]
async fn a_receipt_that_goes_to_many_as_it_came_is_decoded_once() {
    let bench = Bench::new();
    let id = bench.append(&["evt_1"]).await;
    let bench = bench.restart().await;

    for _ in 0..ENDPOINTS {
        assert!(bench.store.read_receipt(id).await.unwrap().is_some());
    }
    assert_eq!(bench.decoded(), 1);
}

#[tokio::test]
async fn what_was_decoded_does_not_outlive_what_a_sweep_removes() {
    let bench = Bench::new();
    let (id, _) = bench.finished("evt_1", Verdict::Done).await;
    let bench = bench.restart().await;
    assert!(bench.store.read_receipt(id).await.unwrap().is_some());

    bench.clock.advance(days(32));
    let swept = bench.store.sweep(&Retention::default()).await.unwrap();

    assert_eq!(swept.bodies, 1);
    assert!(bench.store.read_receipt(id).await.unwrap().is_none());
}
