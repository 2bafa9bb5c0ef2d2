//! Receipts that are not parsed yet, and what is in memory of one that was parsed before.

use std::pin::Pin;

use tokio::sync::oneshot;

use super::*;
use crate::store::conformance::drive::is_pending;

/// Whether it has come already.
async fn has_come(future: Pin<&mut impl Future<Output = ()>>) -> bool {
    tokio::select! {
        biased;
        () = future => true,
        () = std::future::ready(()) => false,
    }
}

#[tokio::test]
async fn whoever_waits_for_the_receipts_of_a_source_goes_on_when_the_last_is_parsed() {
    let bench = Bench::new();
    let (store, stripe) = (&bench.store, name("stripe"));
    assert_eq!(store.unparsed(&stripe), 0);
    store.all_parsed(&stripe).await;
    bench.append(&["evt_1"]).await;
    bench.append(&["evt_2"]).await;
    assert_eq!((store.unparsed(&stripe), store.unparsed(&name("paypal"))), (2, 0));
    let mut all_parsed = Box::pin(store.all_parsed(&stripe));

    let works = store.take_parses(9, 9).await.unwrap();
    let mut left = works.len();
    for (work, verdict) in works.into_iter().zip([Verdict::RetryAt(in_minutes(1)), Verdict::Done]) {
        assert!(!has_come(all_parsed.as_mut()).await, "{left} are left");
        assert_eq!(store.unparsed(&stripe), left);
        store.commit_parse(work, tried(verdict), Vec::new()).await.unwrap().unwrap();
        left -= 1;
    }

    assert!(has_come(all_parsed.as_mut()).await, "one waits for a retry, and holds nobody");
    assert_eq!(store.unparsed(&stripe), 0);
}

#[tokio::test]
async fn a_start_knows_what_is_not_parsed() {
    let bench = Bench::new();
    bench.append(&["evt_1"]).await;
    let bench = bench.restart().await;
    bench.store.set_marks(Marks { all: 99, per_source: 99 });
    assert_eq!(bench.store.unparsed(&name("stripe")), 1);
}

/// An endpoint may want the provider's own bytes.
#[tokio::test]
async fn a_receipt_that_was_parsed_before_is_in_memory_like_any_other() {
    let bench = Bench::new();
    let events = vec![event("evt_1", "").to(&[], &["crm"])];
    let parsed = Parsed { report: tried(Verdict::Done), events };
    let appended = bench.store.append_parsed(receipt(&["evt_1"]), Some(parsed)).await.unwrap();
    let (Appended::Stored(id), true) = appended else { panic!("{appended:?}") };
    let is_kept = || bench.store.handle.shared.recent().get(id.position).is_some();
    assert!(is_kept());

    bench.end_delivery(bench.deliveries().await.pop().unwrap(), Verdict::Done).await;
    bench.store.idle().await;
    assert!(!is_kept(), "nobody asks for it any more");
}

/// Guards that whoever is told of an answer by another never waits for it, nor for ever.
#[tokio::test]
async fn whoever_hears_of_an_answer_finds_it_there_also_if_it_is_a_refusal() {
    let bench = Bench::new();
    let queue = |event_id: &str| {
        let (heard, hears) = oneshot::channel();
        let heard = Heard::new(move || heard.send(()).unwrap());
        let parsed = Parsed { report: tried(Verdict::Done), events: Vec::new() };
        (bench.store.queue_parsed_and(receipt(&[event_id]), parsed, heard), hears)
    };
    let (queued, hears) = queue("evt_1");
    let mut committing = queued.unwrap();
    hears.await.unwrap();
    assert!(!is_pending(&mut committing));

    bench.store.clone().close().await.unwrap();
    let (refused, hears) = queue("evt_2");
    assert!(matches!(refused, Err(Error::Closed)), "{refused:?}");
    hears.await.unwrap();
}

/// Guards that one request never ends the writer. Take out the `catch_unwind` of [`Heard`], and
/// nothing more is stored.
#[tokio::test]
async fn whoever_panics_over_an_answer_does_not_end_the_writer() {
    let bench = Bench::new();
    let parsed = Parsed { report: tried(Verdict::Done), events: Vec::new() };
    let heard = Heard::new(|| panic!("over what it says"));
    let queued = bench.store.queue_parsed_and(receipt(&["evt_1"]), parsed, heard).unwrap();
    let (appended, _) = queued.await.unwrap();
    assert!(matches!(appended, Appended::Stored(_)), "{appended:?}");
    bench.append(&["evt_2"]).await;
}

/// An answer that nobody waits for any more may hold a handle, and so the last.
#[tokio::test]
async fn the_last_handle_may_go_on_the_thread_of_the_writer() {
    let Bench { folder, store, .. } = Bench::new();
    let (go_on, goes_on) = std::sync::mpsc::channel::<()>();
    let (heard, hears) = oneshot::channel();
    let last = store.clone();
    let heard = Heard::new(move || {
        goes_on.recv().unwrap();
        drop(last);
        heard.send(()).unwrap();
    });
    let parsed = Parsed { report: tried(Verdict::Done), events: Vec::new() };
    drop(store.queue_parsed_and(receipt(&["evt_1"]), parsed, heard).unwrap());
    drop(store);
    go_on.send(()).unwrap();
    hears.await.expect("the writer does not wait for itself");
    drop(folder);
}
