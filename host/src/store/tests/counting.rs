//! How many works are open, by the source that they go back to: as a start counts them.

use std::collections::BTreeMap;
use std::sync::Mutex;

use bytes::Bytes;

use super::disk::Disk;
use super::*;
use crate::effect::Parcel;
use crate::ids::Name;

/// Nothing is kept out.
const NO_MARKS: Marks = Marks { all: usize::MAX, per_source: usize::MAX };

/// The open works of each source that has any; under no name those of which that is not known.
fn counted(store: &Store) -> BTreeMap<String, usize> {
    let OpenWorks { all, sources, unknown, .. } = store.open_works();
    let sources = sources.into_iter().map(|(name, open)| (name.to_string(), open.works));
    let counted: BTreeMap<String, usize> =
        sources.chain([(String::new(), unknown)]).filter(|(_, works)| *works > 0).collect();
    assert_eq!(counted.values().sum::<usize>(), all.works, "{counted:?}");
    counted
}

/// The count is that of the works themselves, and that of a start after a kill.
#[track_caller]
fn check_count(bench: &Bench, disk: &Disk, context: &str) {
    let live = counted(&bench.store);
    let pending: usize = bench.store.stats().works.values().map(KindStats::pending).sum();
    assert_eq!(live.values().sum::<usize>(), pending, "{context}: {live:?}");
    let copy = Bench::on(Disk::holding(disk.synced()), bench.clock.clone());
    assert_eq!(counted(&copy.store), live, "{context}");
}

#[tokio::test]
async fn a_lane_is_as_long_as_what_waits_in_it_and_named_by_its_kind_and_group() {
    let bench = Bench::new();
    for number in 0..3 {
        bench.bring(vec![event(&format!("evt_{number}"), "").to(&["ledger"], &["crm"])]).await;
    }
    bench.append(&["evt_9"]).await;
    let first = bench.deliveries().await.remove(0);
    bench.end_delivery(first, Verdict::RetryAt(in_minutes(1))).await;
    let lane = |kind, group: &str, works: usize| (kind, name(group), works);
    let (runs, deliveries) = (lane(WorkKind::Run, "ledger", 3), lane(WorkKind::Delivery, "crm", 3));
    assert_eq!(bench.store.lanes_longer_than(2), [runs.clone(), deliveries.clone()]);
    assert!(bench.store.lanes_longer_than(3).is_empty());
    let parses = lane(WorkKind::Parse, "stripe", 1);
    assert_eq!(bench.store.lanes_longer_than(0), [parses, runs, deliveries]);
    assert_eq!(bench.store.waiting(WorkKind::Run), [(name("ledger"), 3)]);
}

/// Guards the age of what waits: let `Ages::grown` forget where the log ended, and all is new.
#[tokio::test]
async fn what_waits_is_as_old_as_what_it_is_about() {
    const MINUTE: Duration = Duration::from_secs(60);
    let bench = Bench::new();
    let ages = |bench: &Bench| bench.store.waiting_for().map(|(_, age)| age.map(|it| it.as_secs()));
    bench.bring(vec![event("evt_1", "").to(&[], &["crm"])]).await;
    bench.clock.advance(MINUTE);
    bench.append(&["evt_2"]).await;
    bench.clock.advance(MINUTE);
    assert_eq!(ages(&bench), [Some(60), None, Some(120)]);

    let delivery = bench.deliveries().await.remove(0);
    assert_eq!(ages(&bench), [Some(60), None, None], "one in flight does not wait");
    bench.end_delivery(delivery, Verdict::RetryAt(in_minutes(9))).await;
    assert_eq!(ages(&bench), [Some(60), None, Some(120)]);
}

/// Guards what a start finds of ages: without `note_age` in its loop the first half fails, without
/// `far_ages` the second, where the works lie before all that a start reads.
#[tokio::test]
async fn what_waits_is_no_younger_behind_a_start() {
    let config = Config { fresh_ids: 64, lag: Duration::ZERO, ..Config::at("nowhere") };
    let disk = Disk::default();
    let bench = Bench::with(disk.clone(), Clock::manual(NOW), &config);
    let receive = async |id: &str| {
        let mut new = receipt(&[id]);
        Arc::make_mut(&mut new.request).received_at = bench.clock.now();
        bench.store.append(new).await.unwrap();
    };
    let ages = |store: &Store| store.waiting_for().map(|(_, age)| age.map(|it| it.as_secs()));
    let restarted =
        || Bench::with(Disk::holding(disk.synced()), bench.clock.clone(), &config).store.clone();

    bench.bring(vec![event("evt_1", "").to(&[], &["crm"])]).await;
    bench.clock.advance(Duration::from_secs(60));
    receive("evt_2").await;
    bench.clock.advance(Duration::from_secs(60));
    assert_eq!(ages(&bench.store), [Some(60), None, Some(120)]);
    assert_eq!(ages(&restarted()), [Some(60), None, Some(120)]);

    for number in 3..450 {
        bench.clock.advance(Duration::from_secs(1));
        receive(&format!("evt_{number}")).await;
    }
    bench.clock.advance(Duration::from_secs(3));
    let store = restarted();
    assert!(store.handle.shared.low_water().mark() > 100, "the first have rows");
    assert!(store.handle.shared.ids().mark() > 100, "their ids too");
    assert_eq!(ages(&store), [Some(510), None, Some(570)]);
}

/// Guards that each commit is heard, once and by the first who asked.
#[tokio::test]
async fn whoever_asks_first_hears_how_long_each_commit_takes() {
    let (bench, heard) = (Bench::new(), Arc::new(Mutex::new(0)));
    for by in [1_u64, 1_000_000] {
        let heard = Arc::clone(&heard);
        bench.store.hear_syncs(move |_| *crate::lock::lock(&heard) += by);
    }
    let before = bench.store.stats().commits;
    bench.append(&["evt_1"]).await;
    bench.append(&["evt_2"]).await;
    assert_eq!(*crate::lock::lock(&heard), bench.store.stats().commits - before);
}

/// Guards how much is known of endpoints at which several looks are.
#[tokio::test]
async fn what_waits_for_endpoints_is_told_in_their_order_however_many_there_are() {
    let bench = Bench::new();
    for number in 0..3 {
        bench.bring(vec![event(&format!("evt_{number}"), "").to(&["ledger"], &["crm"])]).await;
    }
    let mut endpoints: Vec<Name> = (0..999).map(|number| name(&format!("e{number}"))).collect();
    endpoints.extend([name("crm"), name("ledger")]);
    let waiting = bench.store.deliveries_to(&endpoints);
    assert_eq!((waiting.len(), &waiting[998..]), (1_001, &[0, 3, 0][..]));
}

/// A request to another source than the usual one.
fn receipt_of(source: &str, id: &str) -> NewReceipt {
    NewReceipt { source: name(source), ..receipt(&[id]) }
}

/// An event of a source, or one that a handler emits.
fn event_of(source: &Name, id: &str, handlers: &[&str], endpoints: &[&str]) -> NewEvent {
    let mut new = event(id, "pi_1").to(handlers, endpoints);
    Arc::make_mut(&mut new.event).source = source.clone();
    new.allowance = Some(crate::effect::Allowance { events: 9, bytes: 9 });
    new
}

fn parcel() -> Parcel {
    let body = Bytes::from_static(b"hello");
    Parcel { endpoint: name("crm"), content_type: "text/plain".into(), body }
}

/// What a run asks for: an event that is handled and delivered, and a parcel.
fn effects(handler: &Name, id: &str) -> Effects {
    let events = vec![event_of(handler, id, &["mailer"], &["erp"])];
    Effects { events, parcels: vec![parcel()], scope: "s".into(), ..Effects::default() }
}

/// Something that happens to what is open, by chance.
async fn happen(bench: &Bench, number: usize, random: &mut fastrand::Rng) {
    let store = &bench.store;
    let id = format!("e{number}");
    let verdicts = [Verdict::Done, Verdict::Done, Verdict::Dead, Verdict::RetryAt(in_minutes(1))];
    let verdict = *random.choice(&verdicts).unwrap();
    match random.u8(..8) {
        0 | 1 => {
            let source = if random.bool() { "stripe" } else { "paypal" };
            store.append(receipt_of(source, &id)).await.unwrap();
        }
        2 => {
            let Some(work) = store.take_parses(1, 9).await.unwrap().pop() else { return };
            let source = &work.receipt.source;
            let events = vec![event_of(source, &id, &["ledger"], &["crm", "erp"])];
            store.commit_parse(work, tried(verdict), events).await.unwrap().unwrap();
        }
        3 | 4 => {
            let Some(work) = store.take_runs(1, 9).await.unwrap().pop() else { return };
            let effects = match work.event.depth {
                0..3 => effects(&work.handler, &id),
                _ => Effects::default(),
            };
            store.commit_run(work, tried(verdict), effects).await.unwrap().unwrap();
        }
        5 => {
            let Some(work) = store.take_deliveries(1, 9).await.unwrap().pop() else { return };
            store.record_attempt(work, attempt(verdict)).await.unwrap().unwrap();
        }
        6 => {
            let filter = EventFilter { state: Some(State::Dead), ..EventFilter::default() };
            bench.replay_matching(filter).await;
        }
        _ => {
            // Taken, and given back.
            drop(store.take_deliveries(2, 9).await.unwrap());
            bench.clock.advance(Duration::from_secs(45));
        }
    }
}

#[tokio::test]
async fn whatever_happens_the_count_is_that_of_a_start() {
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let disk = Disk::default();
    let bench = Bench::on(disk.clone(), Clock::manual(NOW));
    for number in 0..300 {
        happen(&bench, number, &mut random).await;
        if number % 7 == 0 {
            check_count(&bench, &disk, &format!("seed {seed}, step {number}"));
        }
    }
    check_count(&bench, &disk, &format!("seed {seed}, the end"));
}

#[tokio::test]
async fn what_runs_ask_for_counts_for_the_source_of_the_receipt_at_the_end_of_the_chain() {
    let disk = Disk::default();
    let bench = Bench::on(disk.clone(), Clock::manual(NOW));
    bench.store.append(receipt_of("paypal", "p1")).await.unwrap();
    assert_eq!(counted(&bench.store), BTreeMap::from([("paypal".to_owned(), 1)]));
    let events = vec![event_of(&name("paypal"), "p1", &["ledger"], &[])];
    let parse = bench.parse().await;
    bench.store.commit_parse(parse, tried(Verdict::Done), events).await.unwrap().unwrap();
    for id in ["n1", "n2"] {
        let run = bench.runs().await.pop().unwrap();
        let effects = effects(&run.handler, id);
        bench.store.commit_run(run, tried(Verdict::Done), effects).await.unwrap().unwrap();
    }

    // Two deliveries of events, two of parcels, and the run of the last event.
    assert_eq!(counted(&bench.store), BTreeMap::from([("paypal".to_owned(), 5)]));
    check_count(&bench, &disk, "after a kill");
}

#[tokio::test]
async fn what_is_dead_is_not_open_and_a_replay_opens_it_again() {
    let bench = Bench::new();
    let (_, id) = bench.finished("evt_1", Verdict::Dead).await;
    assert_eq!(counted(&bench.store), BTreeMap::new());

    bench.store.replay(vec![id]).await.unwrap();

    assert_eq!(counted(&bench.store), BTreeMap::from([("stripe".to_owned(), 2)]));
}

/// Whether it has come already.
async fn has_come(future: impl Future<Output = ()>) -> bool {
    tokio::select! {
        biased;
        () = future => true,
        () = std::future::ready(()) => false,
    }
}

#[tokio::test]
async fn receipts_wait_while_too_much_is_open_and_are_taken_when_it_is_less() {
    let bench = Bench::new();
    let (store, stripe) = (&bench.store, name("stripe"));
    bench.bring(vec![event("evt_1", "").to(&[], &["crm", "erp"])]).await;
    bench.append(&["evt_2"]).await;
    store.set_marks(Marks { per_source: 2, ..NO_MARKS });
    let take = || store.take_parses_by(9, &|source| if store.holds_parses(source) { 0 } else { 9 });
    assert_eq!(store.mark_reached(&stripe), Some(Reached::Source));
    assert_eq!(store.mark_reached(&name("paypal")), None);
    assert!(take().await.unwrap().is_empty());
    let deliveries = bench.deliveries().await;
    assert!(!store.holds_parses(&name("paypal")));
    let woken = store.ready(WorkKind::Parse);

    for work in deliveries {
        bench.end_delivery(work, Verdict::Done).await;
    }

    assert!(has_come(woken).await, "nobody looks for parses again");
    assert!(!has_come(store.idle()).await, "a receipt is still to be parsed");
    assert_eq!(take().await.unwrap().len(), 1);
    assert_eq!(store.mark_reached(&stripe), None);
}
