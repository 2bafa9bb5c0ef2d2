//! Endpoints are durable when they are answered, and what is owed to one that is gone ends.

use std::task::{Context, Poll, Waker};

use super::disk::Disk;
use super::*;
use crate::endpoint::RawSettings;
use crate::failure::Reason;

const ALL: Page = Page { cursor: None, limit: PAGE_ITEMS_MAX };

async fn made(store: &Store, name: &str) -> Result<StoredEndpoint, Error> {
    let settings = RawSettings { name: name.to_owned(), ..RawSettings::default() };
    let id = store.endpoint_id().await?;
    store.create_endpoint(NewEndpoint { id, settings, secrets: Vec::new() }).await
}

/// The endpoints that a start finds after a power cut.
async fn found(disk: &Disk) -> EndpointRows {
    Bench::after_power_cut(disk).endpoints().await.unwrap()
}

fn gone(keep: u64) -> EndOwed {
    let (endpoint, reason) = (name("crm"), Reason::EndpointGone);
    EndOwed { endpoint, keep, reason, detail: "the endpoint was deleted".to_owned() }
}

#[tokio::test]
async fn a_change_of_endpoints_is_durable_when_it_is_answered() {
    let disk = Disk::default();
    let bench = Bench::on(disk.clone(), Clock::manual(NOW));
    assert!(bench.store.endpoints().await.unwrap().endpoints.is_empty(), "there is no table yet");
    let crm = made(&bench.store, "crm").await.unwrap();
    assert_eq!(found(&disk).await.endpoints, std::slice::from_ref(&crm));

    let erp = made(&bench.store, "erp").await.unwrap();
    assert!(erp.id > crm.id, "ids sort by age");
    let again = made(&bench.store, "crm").await.unwrap_err();
    assert!(matches!(again, Error::EndpointExists(id) if id == crm.id), "{again}");

    let tombstone = bench.store.delete_endpoint(crm.id).await.unwrap();
    let rows = found(&disk).await;
    assert_eq!((rows.endpoints, rows.deleted), (vec![erp], vec![tombstone]));
    assert_eq!(rows.tag, crm.id.tag);
    bench.store.drained(crm.id).await.unwrap();
    assert!(!found(&disk).await.deleted[0].draining);
    bench.store.bury_endpoints(vec![crm.id]).await.unwrap();
    assert!(found(&disk).await.deleted.is_empty());
}

#[tokio::test]
async fn what_is_owed_to_an_endpoint_that_is_gone_ends_for_that_reason_without_a_try() {
    let bench = Bench::new();
    for number in 0..3 {
        let new = event(&format!("evt_{number}"), "").to(&[], &["crm", "erp"]);
        bench.bring(vec![new]).await;
    }
    let mut works = bench.deliveries().await;
    works.retain(|work| work.endpoint == name("crm"));
    let failed = attempt(Verdict::RetryAt(in_minutes(60)));
    bench.store.record_attempt(works.remove(0), failed).await.unwrap().unwrap();
    let in_flight = works.pop().unwrap();
    drop(works);

    let ended = bench.store.end_owed(gone(0)).await.unwrap();
    assert_eq!(ended, Ended { ended: 2, more: false }, "what is in flight is left alone");
    let why = "the endpoint was deleted";
    let ending = bench.store.queue_end(in_flight, Reason::EndpointGone, why).await.unwrap();
    assert!(ending.await.unwrap());
    assert_eq!(bench.store.end_owed(gone(0)).await.unwrap(), Ended { ended: 0, more: false });

    let bench = bench.restart().await;
    let dead = bench.store.dead(ALL).await.unwrap().items;
    let mut tries: Vec<u32> = dead.iter().map(|letter| letter.tries_made).collect();
    tries.sort_unstable();
    assert_eq!(tries, [0, 0, 1], "only what was tried counts");
    let is_so = |letter: &DeadLetter| {
        (&letter.name, letter.reason, &*letter.detail) == (&name("crm"), Reason::EndpointGone, why)
    };
    assert!(dead.iter().all(is_so), "{dead:?}");
    let left = bench.deliveries().await;
    assert!(left.len() == 3 && left.iter().all(|work| work.endpoint == name("erp")));
}

/// Guards that nobody is held up for as long as an attempt takes.
#[tokio::test]
async fn whoever_ends_what_is_owed_waits_for_nothing_that_waits_behind_an_attempt() {
    let bench = Bench::new();
    let order = Order::Subject { skip_after: None };
    bench.store.allow(&name("crm"), Allowance { order, ..Allowance::of(9) });
    for id in ["evt_1", "evt_2"] {
        bench.bring(vec![event(id, "pi_1").to(&[], &["crm"])]).await;
    }
    let first = bench.deliveries().await.remove(0);
    {
        let mut ending = std::pin::pin!(bench.store.end_owed(gone(0)));
        let now = ending.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let ended = Ended { ended: 0, more: true };
        assert!(matches!(&now, Poll::Ready(Ok(it)) if *it == ended), "{now:?}");
    }
    bench.end_delivery(first, Verdict::Done).await;
    let ended = bench.store.end_owed(gone(0)).await.unwrap();
    assert_eq!(ended, Ended { ended: 1, more: false });
}

#[tokio::test]
async fn a_start_knows_of_an_endpoint_of_the_store_that_its_deliveries_go_in_order() {
    let bench = Bench::new();
    let order = Some("subject".to_owned());
    let settings = RawSettings { name: "crm".to_owned(), order, ..RawSettings::default() };
    let id = bench.store.endpoint_id().await.unwrap();
    let new = NewEndpoint { id, settings, secrets: Vec::new() };
    let key = bench.store.create_endpoint(new).await.unwrap().id.key();
    let order = Order::Subject { skip_after: None };
    bench.store.allow(&key, Allowance { order, ..Allowance::of(9) });
    for id in ["evt_1", "evt_2"] {
        bench.bring(vec![event(id, "pi_1").to(&[], &[key.as_str()])]).await;
    }
    let first = bench.deliveries().await.remove(0);
    bench.end_delivery(first, Verdict::RetryAt(in_minutes(1))).await;

    let bench = bench.restart().await;
    assert!(bench.deliveries().await.is_empty(), "the second waits for the first");
    bench.clock.set(in_minutes(1));
    let first = bench.deliveries().await.remove(0);
    bench.end_delivery(first, Verdict::Done).await;
    assert_eq!(bench.deliveries().await.len(), 1);
}
