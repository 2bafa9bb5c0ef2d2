//! Lists by every filter, through blocks of the index, merges, sweeps, restarts, outages and kills;
//! and how much of the log they read.

mod hours;

use super::disk::{Disk, Fault, Part};
use super::*;
use crate::effect::Parcel;
use crate::store::file::index_rows::IndexRows;
use crate::store::index::Block;
use crate::store::write::outage::PAUSE_MAX;

const ALL: Page = Page { cursor: None, limit: PAGE_ITEMS_MAX };
const SOURCES: [&str; 2] = ["stripe", "adyen"];

fn config(index_items: usize) -> Config {
    let (recent_bytes, volume_bytes) = (0, 64 << 10);
    Config { index_items, recent_bytes, volume_bytes, ..Config::at("nowhere") }
}

/// The event of this number: of two sources, seven types and a subject for every three.
fn numbered(number: usize) -> NewEvent {
    let mut new = event(&format!("evt_{number}"), &format!("pi_{}", number / 3));
    let about = Arc::make_mut(&mut new.event);
    about.source = name(SOURCES[number % 2]);
    about.event_type = format!("payment.t{}", number % 7);
    new
}

/// Brings an event a minute, of each ten one that dies, one that waits and one that is new.
async fn bring(bench: &Bench, numbers: std::ops::Range<usize>) {
    for number in numbers {
        bench.clock.advance(Duration::from_secs(60));
        let verdict = match number % 10 {
            3 => Verdict::Dead,
            5 => Verdict::RetryAt(bench.clock.now().after(days(100))),
            _ => Verdict::Done,
        };
        let routed = numbered(number).to(&[], &["crm"]);
        bench.bring(vec![routed]).await;
        if number % 10 != 7 {
            let mut works = bench.deliveries().await;
            let is_it = |work: &DeliveryWork| match &work.payload {
                Payload::Event(stored) => stored.event.id == format!("evt_{number}"),
                Payload::Parcel(_) => false,
            };
            let at = works.iter().position(is_it).expect("it is owed");
            bench.end_delivery(works.swap_remove(at), verdict).await;
        }
    }
}

fn fits(filter: &EventFilter, event: &EventSummary) -> bool {
    filter.source.as_ref().is_none_or(|source| *source == event.source)
        && filter.event_type.as_ref().is_none_or(|types| types.matches(&event.event_type))
        && filter.subject.as_ref().is_none_or(|subject| Some(subject) == event.subject.as_ref())
        && filter.state.is_none_or(|state| state == event.state)
        && filter.after.is_none_or(|after| event.recorded_at >= after)
        && filter.before.is_none_or(|before| event.recorded_at < before)
}

/// Each filter by itself, and some together.
fn filters() -> Vec<EventFilter> {
    let any = EventFilter::default;
    let types = |text: &str| Some(text.parse().unwrap());
    let mut filters: Vec<EventFilter> = [State::Pending, State::Done, State::Dead]
        .map(|state| EventFilter { state: Some(state), ..any() })
        .into();
    filters.extend(SOURCES.map(|it| EventFilter { source: Some(name(it)), ..any() }));
    filters.extend(
        ["payment.t3", "payment.*", "refund.*", "*"]
            .map(|text| EventFilter { event_type: types(text), ..any() }),
    );
    filters.extend(
        ["pi_2", "pi_40", "pi_900"]
            .map(|subject| EventFilter { subject: Some(subject.into()), ..any() }),
    );
    let (early, late) = (Some(in_minutes(30)), Some(in_minutes(90)));
    filters.push(EventFilter { after: late, ..any() });
    filters.push(EventFilter { before: early, ..any() });
    filters.push(EventFilter { after: early, before: late, ..any() });
    let (source, event_type) = (Some(name("stripe")), types("payment.t4"));
    filters.push(EventFilter { source, event_type, state: Some(State::Done), ..any() });
    filters
}

impl Disk {
    /// How large the volumes are.
    fn log_bytes(&self) -> usize {
        let files = self.synced();
        let volumes = files.iter().filter(|(name, _)| frames::is_volume(name));
        volumes.map(|(_, bytes)| bytes.length()).sum()
    }
}

impl Bench {
    /// Holds each list against that of all, page by page; gives how many events there are.
    async fn check_lists(&self) -> usize {
        let all = self.store.events(&EventFilter::default(), ALL).await.unwrap();
        assert!(all.next.is_none() && all.damaged.is_empty(), "{:?}", all.damaged);
        for filter in filters() {
            let expected = all.items.iter().filter(|event| fits(&filter, event));
            let expected: Vec<Id> = expected.map(|event| event.id).collect();
            let (mut seen, mut cursor) = (Vec::new(), None);
            loop {
                let page = Page { cursor, limit: 7 };
                let listing = self.store.events(&filter, page).await.unwrap();
                assert!(!listing.items.is_empty() || listing.next.is_none(), "{filter:?}");
                seen.extend(listing.items.into_iter().map(|event| event.id));
                cursor = listing.next;
                if cursor.is_none() {
                    break;
                }
            }
            assert_eq!(seen, expected, "{filter:?}");
        }
        all.items.len()
    }

    /// How many blocks the index has.
    fn blocks(&self) -> usize {
        let rows = self.store.handle.shared.file.read().unwrap().index().unwrap();
        Block::all(&rows).unwrap().len()
    }
}

#[tokio::test]
async fn each_list_has_what_fits_however_the_index_lies() {
    let disk = Disk::default();
    let bench = Bench::with(disk.clone(), Clock::manual(NOW), &config(8));
    bring(&bench, 0..150).await;
    assert_eq!(bench.check_lists().await, 150);
    assert!(bench.blocks() > 32, "{}", bench.blocks());

    // A sweep merges blocks, and packs what they name.
    let clock = bench.clock.clone();
    bench.store.close().await.unwrap();
    let bench = Bench::with(disk.clone(), clock, &config(8));
    bench.clock.advance(days(2));
    bench.store.sweep(&Retention::default()).await.unwrap();
    assert_eq!(bench.check_lists().await, 150);
    assert!(bench.blocks() < 20, "{}", bench.blocks());

    bring(&bench, 150..170).await;
    assert_eq!(bench.check_lists().await, 170);
    let clock = Clock::manual(bench.clock.now());
    let killed = Bench::with(Disk::holding(disk.synced()), clock, &config(8));
    assert_eq!(killed.check_lists().await, 170);
}

#[tokio::test]
async fn what_is_swept_away_is_in_no_list_and_its_blocks_go() {
    let disk = Disk::default();
    let bench = Bench::with(disk.clone(), Clock::manual(NOW), &config(8));
    for number in 0..40 {
        bench.bring(vec![numbered(number)]).await;
    }
    let clock = bench.clock.clone();
    bench.store.close().await.unwrap();
    let bench = Bench::with(disk, clock, &config(8));
    let before = bench.blocks();
    bench.clock.advance(days(100));
    bench.bring(vec![numbered(40)]).await;
    let clock = bench.clock.clone();
    bench.store.sweep(&Retention::default()).await.unwrap();
    clock.advance(days(1));
    bench.store.sweep(&Retention::default()).await.unwrap();

    assert_eq!(bench.check_lists().await, 1);
    assert!(bench.blocks() < before.min(4), "{} of {before}", bench.blocks());
}

#[tokio::test]
async fn what_an_older_hookgate_stored_is_listed_and_gets_its_blocks_with_a_sweep() {
    let disk = Disk::default();
    let bench = Bench::with(disk.clone(), Clock::manual(NOW), &config(usize::MAX));
    bring(&bench, 0..100).await;
    // After a kill a start reads far back, and takes no more of that into memory than it may.
    let clock = Clock::manual(bench.clock.now());
    let killed = Bench::with(Disk::holding(disk.synced()), clock, &config(2));
    assert_eq!(killed.check_lists().await, 100);
    let clock = bench.clock.clone();
    bench.store.close().await.unwrap();
    let bench = Bench::with(disk, clock, &config(8));
    assert_eq!((bench.blocks(), bench.check_lists().await), (0, 100));

    bench.store.sweep(&Retention::default()).await.unwrap();
    assert!(bench.blocks() > 0);
    assert_eq!(bench.check_lists().await, 100);
    bring(&bench, 100..120).await;
    assert_eq!(bench.check_lists().await, 120);
}

#[tokio::test]
async fn rows_that_an_outage_takes_are_written_again() {
    let disk = Disk::default();
    let bench = Bench::with(disk.clone(), Clock::manual(NOW), &config(8));
    bring(&bench, 0..20).await;
    bench.store.handle.shared.file.checkpoint().unwrap();
    bring(&bench, 20..50).await;

    let mut outage = bench.store.handle.shared.outage.subscribe();
    disk.fail_in(Part::Rows, Fault::Sync, 0);
    assert!(bench.store.handle.shared.file.checkpoint().is_err(), "its sync fails");
    assert!(bench.store.append(receipt(&["evt_x"])).await.is_err());
    outage.wait_for(Option::is_some).await.unwrap();
    disk.mend();
    bench.clock.advance(PAUSE_MAX);
    bench.store.available().await;

    assert_eq!(bench.check_lists().await, 50);
    bring(&bench, 50..60).await;
    assert!(bench.blocks() > 1);
    assert_eq!(bench.check_lists().await, 60);
}

#[tokio::test]
async fn a_damaged_row_of_the_index_costs_no_list_anything() {
    let bench = Bench::with(Disk::default(), Clock::manual(NOW), &config(8));
    bring(&bench, 0..60).await;
    let shared = &bench.store.handle.shared;
    let rows = shared.file.read().unwrap().index().unwrap();
    let mut from = Vec::new();
    let mut seen = 0;
    while let Some((key, mut row)) = rows.first_from(&from, &[u8::MAX]).unwrap() {
        if seen % 3 == 0 {
            row[0] ^= 1;
            let change = shared.file.write().unwrap();
            change.index().unwrap().put(&key, &row).unwrap();
            shared.file.commit(change).unwrap();
        }
        seen += 1;
        from = [key, vec![0]].concat();
    }
    assert!(seen > 30, "{seen} rows");
    assert_eq!(bench.check_lists().await, 60);
    // Whatever can't be read is written again.
    bench.store.sweep(&Retention::default()).await.unwrap();
    assert_eq!(bench.check_lists().await, 60);
}

#[tokio::test]
async fn a_block_that_a_list_found_damaged_is_written_anew() {
    let disk = Disk::default();
    let bench = Bench::with(disk.clone(), Clock::manual(NOW), &config(256));
    bring(&bench, 0..300).await;
    assert!((1..16).contains(&bench.blocks()), "too few for a merge: {}", bench.blocks());
    let shared = &bench.store.handle.shared;
    let rows = shared.file.read().unwrap().index().unwrap();
    // The events of the oldest block by their sources.
    let (key, mut row) = rows.first_from(&[3], &[4]).unwrap().unwrap();
    row[0] ^= 1;
    let change = shared.file.write().unwrap();
    change.index().unwrap().put(&key, &row).unwrap();
    shared.file.commit(change).unwrap();
    let read = async || {
        disk.reads();
        let rare = EventFilter { source: Some(name("unknown")), ..EventFilter::default() };
        assert!(bench.store.events(&rare, ALL).await.unwrap().items.is_empty());
        disk.reads().volumes
    };
    let damaged = read().await;

    bench.store.sweep(&Retention::default()).await.unwrap();

    let whole = read().await;
    assert!(10 * whole < damaged, "{whole} bytes, and {damaged} when it was damaged");
    assert_eq!(bench.check_lists().await, 300);
}

#[tokio::test]
async fn a_list_of_few_reads_little_of_a_large_log() {
    let disk = Disk::default();
    let bench = Bench::with(disk.clone(), Clock::manual(NOW), &config(64));
    for number in 0..1500 {
        let rare = number % 500 == 20;
        let mut new = event(&format!("evt_{number}"), if rare { "pi_rare" } else { "pi_1" });
        if rare {
            Arc::make_mut(&mut new.event).event_type = "refund.made".into();
            new = new.to(&[], &["crm"]);
        }
        bench.bring(vec![new]).await;
        if number == 520 {
            bench.end_delivery(bench.deliveries().await.remove(0), Verdict::Dead).await;
        }
    }
    let clock = bench.clock.clone();
    bench.store.close().await.unwrap();
    let bench = Bench::with(disk.clone(), clock, &config(64));
    let log = disk.log_bytes();

    let any = EventFilter::default;
    let refunds = Some("refund.*".parse().unwrap());
    for (filter, count) in [
        (EventFilter { subject: Some("pi_rare".into()), ..any() }, 3),
        (EventFilter { event_type: refunds, ..any() }, 3),
        (EventFilter { source: Some(name("unknown")), ..any() }, 0),
        (EventFilter { state: Some(State::Dead), ..any() }, 1),
        (EventFilter { state: Some(State::Pending), ..any() }, 2),
    ] {
        disk.reads();
        let listed = bench.store.events(&filter, ALL).await.unwrap();
        assert_eq!((listed.items.len(), listed.next), (count, None), "{filter:?}");
        let read = disk.reads().volumes;
        assert!(20 * read < log, "{read} bytes of {log}: {filter:?}");
    }
}

#[tokio::test]
async fn a_list_of_what_is_done_looks_at_nothing_that_is_pending() {
    let disk = Disk::default();
    let bench = Bench::with(disk.clone(), Clock::manual(NOW), &config(64));
    // Done, though its run asked for a parcel that is still owed.
    bench.bring(vec![event("evt_done", "pi_1").to(&["ledger"], &[])]).await;
    let (endpoint, body) = (name("crm"), "hello".into());
    let parcel = Parcel { endpoint, content_type: "text/plain".into(), body };
    let effects = Effects { parcels: vec![parcel], ..Effects::default() };
    let run = bench.runs().await.pop().unwrap();
    bench.store.commit_run(run, tried(Verdict::Done), effects).await.unwrap().unwrap();
    for number in 0..1500 {
        let new = event(&format!("evt_{number}"), "pi_1").to(&[], &["crm"]);
        bench.bring(vec![new]).await;
    }
    let check = async |bench: &Bench| {
        let log = disk.log_bytes();
        let done = EventFilter { state: Some(State::Done), ..EventFilter::default() };
        disk.reads();
        let listed = bench.store.events(&done, ALL).await.unwrap();
        let read = disk.reads().volumes;

        let ids: Vec<&str> = listed.items.iter().map(|event| event.event_id.as_str()).collect();
        assert_eq!((ids, listed.next), (vec!["evt_done"], None));
        assert!(20 * read < log, "{read} bytes of {log}");
    };
    // Nothing has a row yet, and then all that is open has one.
    check(&bench).await;
    let clock = bench.clock.clone();
    bench.store.close().await.unwrap();
    check(&Bench::with(disk.clone(), clock, &config(64))).await;
}

/// There may be many events behind the mark of which a row would say nothing.
#[tokio::test]
async fn a_list_of_what_is_pending_looks_at_nothing_that_is_done() {
    let disk = Disk::default();
    let bench = Bench::with(disk.clone(), Clock::manual(NOW), &config(64));
    let mut open = Vec::new();
    for number in 0..1500 {
        let new = event(&format!("evt_{number}"), "pi_1");
        let is_open = number % 500 == 20;
        let new = if is_open { new.to(&[], &["crm"]) } else { new };
        let ids = bench.bring(vec![new]).await;
        open.extend(ids.into_iter().filter(|_| is_open));
    }
    open.reverse();
    let log = disk.log_bytes();
    let pending = EventFilter { state: Some(State::Pending), ..EventFilter::default() };

    disk.reads();
    let listed = bench.store.events(&pending, ALL).await.unwrap();
    let read = disk.reads().volumes;

    let ids: Vec<Id> = listed.items.iter().map(|event| event.id).collect();
    assert_eq!((ids, listed.next), (open, None));
    assert!(20 * read < log, "{read} bytes of {log}");
    assert_eq!(bench.store.handle.shared.low_water().mark(), 1, "none has a row");
}

#[tokio::test]
async fn a_list_of_receipts_by_state_looks_at_none_for_its_deliveries() {
    for (verdict, state) in
        [(Verdict::RetryAt(NOW.after(days(9))), State::Pending), (Verdict::Dead, State::Dead)]
    {
        let disk = Disk::default();
        let bench = Bench::with(disk.clone(), Clock::manual(NOW), &config(64));
        let id = bench.append(&["evt_0"]).await;
        let work = bench.parse().await;
        bench.store.commit_parse(work, tried(verdict), Vec::new()).await.unwrap().unwrap();
        for number in 1..600 {
            let new = event(&format!("evt_{number}"), "pi_1").to(&[], &["crm"]);
            bench.bring(vec![new]).await;
        }
        for work in bench.deliveries().await {
            bench.end_delivery(work, verdict).await;
        }
        let clock = bench.clock.clone();
        bench.store.close().await.unwrap();
        let bench = Bench::with(disk.clone(), clock, &config(64));
        let log = disk.log_bytes();

        let filter = ReceiptFilter { state: Some(state), ..ReceiptFilter::default() };
        disk.reads();
        let listed = bench.store.receipts(&filter, ALL).await.unwrap();
        let read = disk.reads().volumes;

        let ids: Vec<Id> = listed.items.iter().map(|receipt| receipt.id).collect();
        assert_eq!((ids, listed.next), (vec![id], None));
        assert!(10 * read < log, "{read} bytes of {log}");
    }
}

#[tokio::test]
async fn receipts_are_listed_by_source_time_and_state() {
    let disk = Disk::default();
    let bench = Bench::with(disk.clone(), Clock::manual(NOW), &config(4));
    let mut expected = Vec::new();
    for number in 0..20_u64 {
        let mut new = receipt(&[]);
        new.source = name(SOURCES[number as usize % 2]);
        Arc::make_mut(&mut new.request).received_at = in_minutes(number);
        let Appended::Stored(id) = bench.store.append(new).await.unwrap() else { panic!() };
        let (verdict, state) = match number % 4 {
            0 => (Verdict::Dead, State::Dead),
            1 => (Verdict::RetryAt(NOW.after(days(9))), State::Pending),
            _ => (Verdict::Done, State::Done),
        };
        let work = bench.parse().await;
        bench.store.commit_parse(work, tried(verdict), Vec::new()).await.unwrap().unwrap();
        expected.push((id, number, state));
    }
    expected.reverse();

    let check = async |bench: &Bench| {
        let any = ReceiptFilter::default;
        let states = [State::Pending, State::Done, State::Dead].map(Some);
        let mut filters = vec![any()];
        filters.extend(states.map(|state| ReceiptFilter { state, ..any() }));
        filters.push(ReceiptFilter { source: Some(name("adyen")), ..any() });
        let (after, before) = (Some(in_minutes(5)), Some(in_minutes(15)));
        filters.push(ReceiptFilter { after, before, ..any() });
        for filter in filters {
            let fits = |(_, number, state): &&(Id, u64, State)| {
                let at = in_minutes(*number);
                let of = SOURCES[*number as usize % 2];
                filter.source.as_ref().is_none_or(|source| source.as_str() == of)
                    && filter.state.is_none_or(|wanted| wanted == *state)
                    && filter.after.is_none_or(|after| at >= after)
                    && filter.before.is_none_or(|before| at < before)
            };
            let ids: Vec<Id> = expected.iter().filter(fits).map(|(id, ..)| *id).collect();
            let listed = bench.store.receipts(&filter, ALL).await.unwrap();
            let shown: Vec<Id> = listed.items.iter().map(|receipt| receipt.id).collect();
            assert_eq!((shown, listed.next), (ids, None), "{filter:?}");
        }
    };
    check(&bench).await;
    let clock = bench.clock.clone();
    bench.store.close().await.unwrap();
    let bench = Bench::with(disk, clock, &config(4));
    check(&bench).await;
    let first = bench.store.receipts(&ReceiptFilter::default(), ALL).await.unwrap().items.remove(0);
    assert_eq!((first.id, first.tries_made, first.body_expired), (expected[0].0, 1, false));
    assert_eq!(serde_json::to_value(&first).unwrap()["state"], "done");
}
