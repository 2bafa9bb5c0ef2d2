//! Lists are whole, newest first, and paged; views tell what happened.

use std::collections::BTreeSet;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::*;
use crate::ids::IdKind;
use crate::store::read::snapshot::{Bounds, FoundWork, Snapshot};

fn page(cursor: Option<Cursor>, limit: usize) -> Page {
    Page { cursor, limit }
}

/// All event ids that match, and how many pages it took.
async fn walk(bench: &Bench, filter: &EventFilter, limit: usize) -> (Vec<String>, usize) {
    let (mut seen, mut cursor, mut pages) = (Vec::new(), None, 0);
    loop {
        let listing = bench.store.events(filter, page(cursor, limit)).await.unwrap();
        seen.extend(listing.items.into_iter().map(|event| event.event_id));
        pages += 1;
        cursor = listing.next;
        if cursor.is_none() {
            return (seen, pages);
        }
    }
}

#[tokio::test]
async fn events_are_listed_newest_first_page_by_page() {
    let bench = Bench::new();
    bench.bring((0..5).map(|number| event(&format!("a{number}"), "pi_1")).collect()).await;
    bench.bring((0..5).map(|number| event(&format!("b{number}"), "pi_2")).collect()).await;

    let (seen, pages) = walk(&bench, &EventFilter::default(), 3).await;

    assert_eq!(seen, ["b4", "b3", "b2", "b1", "b0", "a4", "a3", "a2", "a1", "a0"]);
    assert_eq!(pages, 4);
}

#[tokio::test]
async fn all_that_is_stored_is_given_in_parts_oldest_first() {
    let bench = Bench::new();
    let mut expected = Vec::new();
    for number in 1..9 {
        let brought = [event(&format!("a{number}"), "pi_1"), event(&format!("b{number}"), "pi_1")];
        let events = bench.bring(brought.to_vec()).await;
        let view = bench.store.event(events[0]).await.unwrap().unwrap();
        expected.extend(view.receipt.into_iter().chain(events));
    }
    // One without events is there too.
    expected.push(bench.append(&["evt_0"]).await);

    let (mut seen, mut next, mut parts) = (Vec::new(), Some(0), 0);
    while let Some(position) = next {
        let part = bench.store.stored_from(position, 5).await.unwrap();
        assert!(part.damaged.is_empty());
        seen.extend(part.ids);
        (next, parts) = (part.next, parts + 1);
    }

    assert_eq!(seen, expected);
    assert!(parts > 3, "{parts}");
}

#[tokio::test]
async fn a_request_that_is_in_memory_waits_for_no_file() {
    let bench = Bench::new();
    let id = bench.append(&["evt_1"]).await;

    let mut read = pin!(bench.store.read_receipt(id));
    let read = read.as_mut().poll(&mut Context::from_waker(Waker::noop()));

    let Poll::Ready(Ok(Some(receipt))) = &read else { panic!("{read:?}") };
    assert_eq!(receipt.event_ids, ["evt_1"]);
    let elsewhere = Id { tag: id.tag ^ 1, ..id };
    assert!(bench.store.read_receipt(elsewhere).await.unwrap().is_none());
}

#[tokio::test]
async fn a_page_is_filled_however_far_its_items_lie_apart() {
    let bench = Bench::new();
    bench.bring(vec![event("evt_old", "pi_1")]).await;
    for _ in 0..300 {
        bench.bring(Vec::new()).await;
    }
    bench.bring(vec![event("evt_new", "pi_1")]).await;

    let listing = bench.store.events(&EventFilter::default(), page(None, 9)).await.unwrap();

    let ids: Vec<&str> = listing.items.iter().map(|event| event.event_id.as_str()).collect();
    assert_eq!((ids, listing.next), (vec!["evt_new", "evt_old"], None));
}

#[tokio::test]
async fn a_page_that_takes_too_long_says_where_to_go_on() {
    let bench = Bench::new();
    bench.bring(vec![event("evt_old", "pi_1")]).await;
    for _ in 0..300 {
        bench.append(&[]).await;
    }
    let snapshot = bench.without_index();
    let ask =
        |cursor| snapshot.events(&EventFilter::default(), page(cursor, 9), Duration::ZERO).unwrap();

    let first = ask(None);
    assert!(first.items.is_empty() && first.next.is_some());
    let (mut listing, mut pages) = (first, 1);
    while listing.items.is_empty() {
        listing = ask(Some(listing.next.unwrap()));
        pages += 1;
    }
    assert_eq!((listing.items[0].event_id.as_str(), pages), ("evt_old", 19));
}

impl Bench {
    /// A view in which the index knows nothing, as of what an older Hookgate stored.
    fn without_index(&self) -> Snapshot<'_> {
        let shared = &self.store.handle.shared;
        shared.index.forget(u64::MAX);
        shared.snapshot().unwrap()
    }

    /// A day passes, and then so many events come, each with a number behind the day's.
    async fn live_on(&self, day: usize, events: usize) {
        self.clock.advance(days(1));
        for number in 0..events {
            let mut new = receipt(&[]);
            Arc::make_mut(&mut new.request).received_at = self.clock.now();
            self.store.append(new).await.unwrap();
            let new = event(&format!("evt_{day}_{number}"), "pi_1").to(&["ledger"], &[]);
            self.store
                .commit_parse(self.parse().await, tried(Verdict::Done), vec![new])
                .await
                .unwrap()
                .unwrap();
        }
    }

    /// The provider's ids of the events in the log that are not older than this, oldest first, as a
    /// replay finds them, and where to go on.
    async fn since(&self, after: Option<Timestamp>, time: Duration) -> (Vec<String>, Option<u64>) {
        let filter = EventFilter { after, ..EventFilter::default() };
        let snapshot = self.store.handle.shared.snapshot().unwrap();
        let found = snapshot.works_for(&filter.into(), 0..u64::MAX, Bounds { most: 99, time });
        let found = found.unwrap();
        (self.provider_ids(&found.works).await, found.next)
    }

    /// Of the events that these runs are on.
    async fn provider_ids(&self, runs: &[FoundWork]) -> Vec<String> {
        let tag = self.store.handle.shared.file.tag;
        let mut ids = Vec::new();
        for run in runs {
            let id = Id { kind: IdKind::Run, position: run.position, tag };
            ids.push(self.store.event(id).await.unwrap().unwrap().event.id);
        }
        ids
    }
}

fn day(days: u64) -> Option<Timestamp> {
    Some(NOW.after(super::days(days)))
}

#[tokio::test]
async fn a_search_from_a_time_that_is_not_reached_yet_reads_no_more_than_the_end() {
    let bench = Bench::new();
    for number in 0..5 {
        bench.live_on(number, 20).await;
    }

    // With no time at all, a search that begins at the beginning does not come to the end.
    assert_eq!(bench.since(day(9), Duration::ZERO).await, (Vec::new(), None));
    assert!(bench.since(day(0), Duration::ZERO).await.1.is_some());
}

#[tokio::test]
async fn a_search_from_the_middle_of_a_packed_segment_finds_the_rest_of_it() {
    let bench = Bench::new();
    for number in 0..10 {
        bench.live_on(number, 1).await;
    }
    let bench = bench.restart().await;
    bench.store.sweep(&Retention::default()).await.unwrap();
    bench.live_on(10, 1).await;

    let expected: Vec<String> = (6..=10).map(|number| format!("evt_{number}_0")).collect();
    assert_eq!(bench.since(day(7), Duration::from_secs(60)).await, (expected, None));
}

#[tokio::test]
async fn a_list_between_two_times_reads_no_more_than_lies_there() {
    let bench = Bench::new();
    for number in 0..60 {
        bench.live_on(number, 30).await;
    }
    let filter = EventFilter { after: day(31), before: day(32), ..EventFilter::default() };
    let expected: Vec<String> = (0..30).map(|number| format!("evt_30_{number}")).collect();
    let snapshot = bench.without_index();

    // With no time at all, pages reach over few segments: the list must not need many.
    let (mut seen, mut cursor, mut pages) = (Vec::new(), None, 0);
    loop {
        let listing = snapshot.events(&filter, page(cursor, 99), Duration::ZERO).unwrap();
        seen.extend(listing.items.into_iter().map(|event| event.event_id));
        (cursor, pages) = (listing.next, pages + 1);
        if cursor.is_none() {
            break;
        }
    }
    seen.reverse();
    assert_eq!(seen, expected);
    assert!(pages < 25, "{pages} pages of 16 segments out of 3600");

    let bounds = Bounds { most: 99, time: Duration::from_secs(60) };
    let found = snapshot.works_for(&filter.into(), 0..u64::MAX, bounds).unwrap();
    assert_eq!((bench.provider_ids(&found.works).await, found.next), (expected, None));
}

#[tokio::test]
async fn a_run_and_a_delivery_are_found_with_their_event() {
    let bench = Bench::new();
    let ids = bench.bring(vec![event("evt_1", "pi_1").to(&["ledger"], &["crm"])]).await;
    let parcel = crate::effect::Parcel {
        endpoint: name("erp"),
        content_type: "text/plain".into(),
        body: "hello".into(),
    };
    let effects = Effects { parcels: vec![parcel], ..Effects::default() };
    let run = bench.runs().await.pop().unwrap();
    let run_id = run.id;
    bench.store.commit_run(run, tried(Verdict::Done), effects).await.unwrap().unwrap();

    let run = bench.store.run(run_id).await.unwrap().unwrap();
    assert_eq!((run.event_id, run.work.handler.as_str()), (ids[0], "ledger"));
    assert_eq!((run.event.unwrap().id.as_str(), run.work.tries.len()), ("evt_1", 1));
    for delivery in bench.store.event(ids[0]).await.unwrap().unwrap().deliveries {
        let shown = bench.store.delivery(delivery.id).await.unwrap().unwrap();
        assert_eq!((shown.work.id, shown.event_id), (delivery.id, ids[0]));
        assert_eq!(shown.work.run, delivery.run);
        assert_eq!(shown.event.unwrap().id, "evt_1");
        assert!(shown.receipt_id.is_some());
    }
    assert!(bench.store.run(ids[0]).await.unwrap().is_none());
    let nothing = Id { position: run_id.position + 1, ..run_id };
    assert!(bench.store.run(nothing).await.unwrap().is_none());
}

#[tokio::test]
async fn a_filter_leaves_out_what_does_not_match() {
    let bench = Bench::new();
    let mut other = event("evt_2", "pi_2").to(&[], &["crm"]);
    Arc::make_mut(&mut other.event).event_type = "refund.failed".into();
    bench.bring(vec![event("evt_1", "pi_1").to(&["ledger"], &[]), other]).await;
    bench.clock.set(in_minutes(10));
    bench.bring(vec![event("evt_3", "pi_1")]).await;
    bench.end_delivery(bench.deliveries().await.pop().unwrap(), Verdict::Dead).await;

    let check = async |filter: EventFilter, expected: &[&str]| {
        assert_eq!(walk(&bench, &filter, 9).await.0, expected, "{filter:?}");
    };
    let any = EventFilter::default;
    check(EventFilter { source: Some(name("adyen")), ..any() }, &[]).await;
    check(EventFilter { source: Some(name("stripe")), ..any() }, &["evt_3", "evt_2", "evt_1"])
        .await;
    let refunds = Some("refund.*".parse().unwrap());
    check(EventFilter { event_type: refunds, ..any() }, &["evt_2"]).await;
    check(EventFilter { subject: Some("pi_1".into()), ..any() }, &["evt_3", "evt_1"]).await;
    check(EventFilter { state: Some(State::Pending), ..any() }, &["evt_1"]).await;
    check(EventFilter { state: Some(State::Dead), ..any() }, &["evt_2"]).await;
    check(EventFilter { state: Some(State::Done), ..any() }, &["evt_3"]).await;
    check(EventFilter { after: Some(in_minutes(1)), ..any() }, &["evt_3"]).await;
    check(EventFilter { before: Some(in_minutes(1)), ..any() }, &["evt_2", "evt_1"]).await;
}

/// Have `Snapshot::events` hand over the state as it is asked for: what is done for `erp` is passed
/// over, because a run is pending.
#[tokio::test]
async fn an_event_may_be_listed_by_the_state_of_some_of_its_deliveries() {
    let bench = Bench::new();
    for (number, verdict) in [(1, None), (2, Some(Verdict::Done)), (3, Some(Verdict::Dead))] {
        let new = event(&format!("evt_{number}"), "pi_1").to(&["ledger"], &["crm", "erp"]);
        bench.bring(vec![new]).await;
        let works = bench.deliveries().await.into_iter();
        let to_erp = works.filter(|work| work.endpoint == name("erp"));
        let last = to_erp.max_by_key(|work| work.id.position).unwrap();
        if let Some(verdict) = verdict {
            bench.end_delivery(last, verdict).await;
        }
    }
    let counted = Some(Arc::new(BTreeSet::from([name("erp")])));
    let check = async |state: State, of_all: &[&str], of_erp: &[&str]| {
        let all = EventFilter { state: Some(state), ..EventFilter::default() };
        assert_eq!(walk(&bench, &all, 9).await.0, of_all, "{state:?}");
        let some = EventFilter { counted: counted.clone(), ..all };
        assert_eq!(walk(&bench, &some, 9).await.0, of_erp, "{state:?}, of erp");
    };
    check(State::Pending, &["evt_3", "evt_2", "evt_1"], &["evt_1"]).await;
    check(State::Done, &[], &["evt_2"]).await;
    check(State::Dead, &[], &["evt_3"]).await;
}

#[tokio::test]
async fn a_receipt_tells_its_tries_and_its_events() {
    let bench = Bench::new();
    let id = bench.append(&["evt_1"]).await;
    let retry = tried(Verdict::RetryAt(NOW));
    bench
        .store
        .commit_parse(bench.parse().await, retry, vec![event("evt_1", "pi_1")])
        .await
        .unwrap()
        .unwrap();
    let events = vec![event("evt_1", "pi_1")];
    let added = bench.store.commit_parse(bench.parse().await, tried(Verdict::Done), events).await;

    let view = bench.store.receipt(id).await.unwrap().unwrap();

    assert_eq!(view.events, added.unwrap().unwrap());
    assert_eq!((view.progress.state, view.progress.tries_made), (State::Done, 2));
    let json = serde_json::to_value(&view).unwrap();
    assert_eq!(json["id"], id.to_string());
    assert_eq!(json["body"], r#"["evt_1"]"#);
    assert_eq!(json["state"], "done");
    assert_eq!(json["tries"][0]["outcome"], "transient");
    assert_eq!(json["tries"][0]["reason"], "unparsable");
    assert_eq!(json["tries"][0]["detail"], "busy");
    assert_eq!(json["tries"][0]["verdict"], "retry");
    assert_eq!(json["tries"][0]["retry_at"], NOW.to_string());
    assert_eq!(json["tries"][1]["verdict"], "done");
    assert_eq!(json["tries"][1]["plugin"]["digest"], "d1");
}

#[tokio::test]
async fn a_body_that_is_no_text_is_shown_in_base64() {
    let bench = Bench::new();
    let mut binary = receipt(&[]);
    Arc::make_mut(&mut binary.request).body = vec![0xff, 0xfe].into();
    let Appended::Stored(id) = bench.store.append(binary).await.unwrap() else { panic!() };

    let view = bench.store.receipt(id).await.unwrap().unwrap();

    assert_eq!((view.body, view.body_base64.as_deref()), (None, Some("//4=")));
}

#[tokio::test]
async fn an_event_is_found_by_its_runs_and_deliveries_too() {
    let bench = Bench::new();
    let ids = bench.bring(vec![event("evt_1", "pi_1").to(&["ledger"], &["crm"])]).await;
    let view = bench.store.event(ids[0]).await.unwrap().unwrap();

    for id in [view.runs[0].id, view.deliveries[0].id] {
        assert_eq!(bench.store.event(id).await.unwrap().unwrap().id, ids[0]);
    }
    let nothing = Id { position: view.deliveries[0].id.position + 1, ..view.deliveries[0].id };
    assert!(bench.store.event(nothing).await.unwrap().is_none());
    assert!(bench.store.event(Id { position: 1 << 50, ..ids[0] }).await.unwrap().is_none());
    assert!(bench.store.receipt(ids[0]).await.unwrap().is_none());
}

#[tokio::test]
async fn dead_letters_are_listed_newest_first_with_their_reason() {
    let bench = Bench::new();
    let receipt_id = bench.append(&["evt_0"]).await;
    bench
        .store
        .commit_parse(bench.parse().await, tried(Verdict::Dead), Vec::new())
        .await
        .unwrap()
        .unwrap();
    let ids = bench.bring(vec![event("evt_1", "pi_1").to(&["ledger"], &["crm"])]).await;
    bench.end_run(bench.runs().await.pop().unwrap(), Verdict::Dead).await;
    bench.end_delivery(bench.deliveries().await.pop().unwrap(), Verdict::Dead).await;

    let first = bench.store.dead(page(None, 2)).await.unwrap();
    let second = bench.store.dead(page(first.next, 2)).await.unwrap();

    let letters: Vec<&DeadLetter> = first.items.iter().chain(&second.items).collect();
    let kinds: Vec<WorkKind> = letters.iter().map(|letter| letter.kind).collect();
    assert_eq!(kinds, [WorkKind::Delivery, WorkKind::Run, WorkKind::Parse]);
    let names: Vec<&str> = letters.iter().map(|letter| letter.name.as_str()).collect();
    assert_eq!(names, ["crm", "ledger", "stripe"]);
    assert!(letters.iter().all(|letter| letter.detail == "it makes no sense"));
    assert_eq!((letters[2].id, letters[2].receipt), (receipt_id, Some(receipt_id)));
    assert_eq!(letters[0].event, Some(ids[0]));
    assert_eq!(letters[0].died_at, NOW.after(Duration::from_millis(9)));
    assert!(second.next.is_none());
}
