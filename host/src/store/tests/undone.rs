//! Lists of what is done remember where nothing is.

use super::disk::Disk;
use super::*;
use crate::store::index::Kind;

/// The events that are done, newest first.
async fn done(bench: &Bench) -> Vec<String> {
    let filter = EventFilter { state: Some(State::Done), ..EventFilter::default() };
    let page = Page { cursor: None, limit: PAGE_ITEMS_MAX };
    let listed = bench.store.events(&filter, page).await.unwrap();
    assert_eq!(listed.next, None);
    listed.items.into_iter().map(|event| event.event_id).collect()
}

#[tokio::test]
async fn a_list_passes_over_what_an_earlier_one_found_pending_until_a_work_of_it_ends() {
    let config = Config { index_items: 64, ..Config::at("nowhere") };
    let bench = Bench::with(Disk::default(), Clock::manual(NOW), &config);
    bench.bring(vec![event("evt_done", "")]).await;
    for number in 0..1500 {
        bench.bring(vec![event(&format!("evt_{number}"), "").to(&[], &["crm"])]).await;
    }
    assert_eq!(done(&bench).await, ["evt_done"]);
    let mut works = bench.deliveries().await;
    let work = works.swap_remove(works.len() / 2);
    let Payload::Event(stored) = &work.payload else { panic!("it is no event's") };
    let (position, event_id) = (stored.id.position, stored.event.id.clone());
    let undone = &bench.store.handle.shared.undone;
    let first_of = |position| undone.look().first_of(Kind::Event, position);
    assert!(first_of(position).is_some_and(|first| first < position), "it is remembered");
    assert_eq!(done(&bench).await, ["evt_done"]);

    bench.end_delivery(work, Verdict::Done).await;

    assert_eq!(first_of(position), None);
    assert_eq!(done(&bench).await, [event_id.as_str(), "evt_done"]);
}
