//! What the gateway raises itself is stored once, through restarts and power cuts.

use super::disk::Disk;
use super::*;
use crate::event::{Event, OWN_SOURCE};

/// An event of the gateway's own.
fn own(id: &str) -> NewEvent {
    let new = event(id, "").to(&[], &["crm"]);
    let source = name(OWN_SOURCE);
    NewEvent { event: Arc::new(Event { source, ..Event::clone(&new.event) }), ..new }
}

async fn raise(bench: &Bench, ids: &[&str]) -> Vec<Id> {
    bench.store.raise(ids.iter().map(|id| own(id)).collect()).await.unwrap()
}

/// Guards that whoever does not know whether an event was stored may raise it again.
#[tokio::test]
async fn what_is_raised_again_is_the_event_from_before_also_after_a_start() {
    let bench = Bench::new();
    let first = raise(&bench, &["disk.low/1", "disk.low/2", "disk.low/1"]).await;
    assert!(first[0] == first[2] && first[0] != first[1]);
    assert_eq!(raise(&bench, &["disk.low/2"]).await, [first[1]]);

    let bench = bench.restart().await;
    assert_eq!(raise(&bench, &["disk.low/1", "disk.low/2"]).await, first[..2]);
    assert_eq!(bench.deliveries().await.len(), 2);
    assert_ne!(raise(&bench, &["disk.low/3"]).await[0], first[0]);
}

#[tokio::test]
async fn what_was_raised_is_known_after_a_power_cut() {
    let disk = Disk::default();
    let bench = Bench::on(disk.clone(), Clock::manual(NOW));
    let first = raise(&bench, &["disk.low/1"]).await;

    let bench = Bench::on(Disk::holding(disk.synced()), Clock::manual(NOW));
    assert_eq!(raise(&bench, &["disk.low/1"]).await, first);
    assert_eq!(bench.deliveries().await.len(), 1);
}

/// A source has its own ids, whatever the gateway calls its events.
#[tokio::test]
async fn an_event_of_a_source_is_never_that_which_the_gateway_raised() {
    let bench = Bench::new();
    raise(&bench, &["evt_1"]).await;
    bench.bring(vec![event("evt_1", "").to(&[], &["crm"])]).await;
    assert_eq!(bench.deliveries().await.len(), 2);
}
