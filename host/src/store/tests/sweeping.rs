//! What was kept long enough goes, what is needed stays, and a power cut loses neither.

mod emptying;
mod gaps;
mod meanwhile;

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::disk::Disk;
use super::*;
use crate::store::conformance::once::keeping;
use crate::store::log::segment::{RecordKind, Segment};
use crate::store::rows::Rows;

const ALL: Page = Page { cursor: None, limit: PAGE_ITEMS_MAX };

/// So little to a volume, and between two checkpoints, that a sweep goes through many of both.
fn small() -> Config {
    Config { volume_bytes: 4096, checkpoint_bytes: 2048, ..Config::at("nowhere") }
}

impl Bench {
    /// Moves the mark over all, the clock to `age` days after the start, and sweeps.
    async fn sweep_after(self, age: u64, retention: &Retention) -> (Self, Swept) {
        let bench = self.restart().await;
        bench.pass_until(age);
        let swept = bench.store.sweep(retention).await.unwrap();
        (bench, swept)
    }

    /// Lets time pass until so many days after the start.
    fn pass_until(&self, age: u64) {
        self.clock.advance(NOW.after(days(age)).since(self.clock.now()));
    }

    /// The segments that hold more than gaps.
    fn segments(&self) -> usize {
        let log = self.store.handle.shared.file.read().unwrap().log().unwrap();
        let rows = log.within(..).unwrap().map(|row| row.unwrap().1.unwrap());
        let holds = |it: &Segment| it.entries().any(|entry| entry.kind != RecordKind::Gap);
        rows.filter(holds).count()
    }

    /// Whether this event is there.
    async fn shows(&self, id: Id) -> bool {
        self.store.event(id).await.unwrap().is_some()
    }

    /// The events of these receipts, with all that is known of them.
    async fn shown(&self, ids: &[(Id, Id)]) -> Vec<String> {
        let mut shown = Vec::new();
        for (_, id) in ids {
            let view = self.store.event(*id).await.unwrap().unwrap();
            shown.push(serde_json::to_string(&view).unwrap());
        }
        shown
    }

    /// Whether anything is known of how some work stands.
    fn knows_outcomes(&self) -> bool {
        let outcomes = self.store.handle.shared.file.read().unwrap().outcomes().unwrap();
        outcomes.last_row(u64::MAX, |_, _| ()).unwrap().is_some()
    }
}

/// What a future has to say at once.
fn at_once<T>(future: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

#[tokio::test]
async fn a_body_goes_by_its_age_and_the_rest_of_the_receipt_stays() {
    let bench = Bench::new();
    let (receipt_id, event_id) = bench.finished("evt_1", Verdict::Done).await;

    let (bench, early) = bench.sweep_after(29, &Retention::default()).await;
    assert_eq!(early.bodies, 0);
    assert!(bench.store.receipt(receipt_id).await.unwrap().unwrap().body.is_some());
    let (bench, swept) = bench.sweep_after(32, &Retention::default()).await;

    assert_eq!(swept.bodies, 1);
    let view = bench.store.receipt(receipt_id).await.unwrap().unwrap();
    assert!(view.body_expired && view.body.is_none() && view.headers.is_empty());
    assert_eq!(view.events, [event_id]);
    assert!(bench.store.read_receipt(receipt_id).await.unwrap().is_none());
    let duplicate = bench.store.append(receipt(&["evt_1"])).await.unwrap();
    assert_eq!(duplicate, Appended::Duplicate(receipt_id));
}

#[tokio::test]
async fn attempts_go_by_their_age_and_their_event_stays() {
    let bench = Bench::new();
    let (_, event_id) = bench.finished("evt_1", Verdict::Done).await;
    let retention = Retention { attempts: days(5), ..Retention::default() };

    let (bench, early) = bench.sweep_after(4, &retention).await;
    let view = bench.store.event(event_id).await.unwrap().unwrap();
    assert_eq!((early.records, view.deliveries[0].attempts.len()), (0, 1));
    let (bench, _) = bench.sweep_after(7, &retention).await;

    let view = bench.store.event(event_id).await.unwrap().unwrap();
    assert!(view.deliveries[0].attempts.is_empty() && view.runs[0].tries.is_empty());
    assert_eq!((view.state, view.deliveries[0].progress.tries_made), (State::Done, 1));
}

#[tokio::test]
async fn an_event_goes_by_its_age_with_all_that_is_known_of_it() {
    let bench = Bench::new();
    let (receipt_id, event_id) = bench.finished("evt_1", Verdict::Done).await;

    let (bench, _) = bench.sweep_after(89, &Retention::default()).await;
    assert!(bench.store.event(event_id).await.unwrap().is_some());
    let (bench, _) = bench.sweep_after(92, &Retention::default()).await;

    assert!(bench.store.event(event_id).await.unwrap().is_none());
    assert!(bench.store.receipt(receipt_id).await.unwrap().is_none());
    assert!(bench.store.events(&EventFilter::default(), ALL).await.unwrap().items.is_empty());
    let replayed = bench.store.replay(vec![event_id]).await;
    assert!(matches!(replayed, Err(Error::Unknown(_))));
    assert_eq!((bench.segments(), bench.knows_outcomes()), (0, false));
    let duplicate = bench.store.append(receipt(&["evt_1"])).await.unwrap();
    assert!(matches!(duplicate, Appended::Duplicate(_)), "ids outlive what they came with");
    let bench = bench.restart().await;
    bench.finished("evt_2", Verdict::Done).await;
}

#[tokio::test]
async fn a_dead_letter_keeps_what_a_replay_needs_until_it_goes_itself() {
    let bench = Bench::new();
    let (receipt_id, event_id) = bench.finished("evt_1", Verdict::Dead).await;
    let retention = Retention { bodies: days(2), events: days(2), ..Retention::default() };

    let (bench, _) = bench.sweep_after(80, &retention).await;
    assert_eq!(bench.store.dead(ALL).await.unwrap().items[0].detail, "it makes no sense");
    assert!(bench.store.read_receipt(receipt_id).await.unwrap().is_some());
    assert_eq!(bench.store.replay(vec![event_id]).await.unwrap().reopened, 2);
    bench.end_run(bench.runs().await.pop().unwrap(), Verdict::Done).await;
    bench.end_delivery(bench.deliveries().await.pop().unwrap(), Verdict::Dead).await;
    let (bench, early) = bench.sweep_after(165, &retention).await;
    assert_eq!(early.letters, 0, "it is 85 days old, whatever its last attempt says");
    let (bench, swept) = bench.sweep_after(172, &retention).await;

    assert_eq!(swept.letters, 1);
    assert!(bench.store.dead(ALL).await.unwrap().items.is_empty());
    assert_eq!(bench.store.stats().works[&WorkKind::Delivery].dead, 0);
    let bench = bench.restart().await;
    assert_eq!(bench.store.stats().works[&WorkKind::Delivery].dead, 0);
    assert!(bench.store.event(event_id).await.unwrap().is_none());
}

#[tokio::test]
async fn a_letter_that_went_before_its_event_is_counted_once() {
    let bench = Bench::new();
    let (_, event_id) = bench.finished("evt_1", Verdict::Dead).await;
    let retention = Retention { dead: days(5), ..Retention::default() };
    let (bench, swept) = bench.sweep_after(6, &retention).await;
    assert_eq!(swept.letters, 1);

    assert_eq!(bench.store.replay(vec![event_id]).await.unwrap().reopened, 2);
    assert_eq!(bench.store.stats().works[&WorkKind::Delivery].dead, 0);
    bench.end_delivery(bench.deliveries().await.pop().unwrap(), Verdict::Dead).await;
    assert_eq!(bench.store.stats().works[&WorkKind::Delivery].dead, 1);
}

#[tokio::test]
async fn what_is_left_to_do_keeps_what_it_needs_for_ever() {
    let bench = Bench::new();
    let later = Verdict::RetryAt(NOW.after(days(500)));
    let (receipt_id, event_id) = bench.finished("evt_1", later).await;
    let unparsed = bench.append(&["evt_2"]).await;

    let (bench, _) = bench.sweep_after(400, &Retention::default()).await;
    let bench = bench.restart().await;

    assert_eq!(bench.parse().await.id, unparsed);
    assert!(bench.store.read_receipt(receipt_id).await.unwrap().is_some());
    bench.pass_until(500);
    let delivery = bench.deliveries().await.pop().unwrap();
    assert_eq!(delivery.tries_made, 1);
    let Payload::Event(stored) = &delivery.payload else { panic!("an event") };
    assert_eq!(stored.id, event_id);
    bench.end_delivery(delivery, Verdict::Done).await;
    let (bench, _) = bench.sweep_after(502, &Retention::default()).await;
    assert!(bench.store.event(event_id).await.unwrap().is_none());
}

#[tokio::test]
async fn what_a_run_emitted_keeps_the_body_that_it_goes_back_to() {
    let bench = Bench::new();
    let ids = bench.bring(vec![event("evt_1", "pi_1").to(&["ledger"], &[])]).await;
    let emitted = vec![event("n1", "pi_1").to(&[], &["crm"])];
    let effects = Effects { events: emitted, ..Effects::default() };
    let run = bench.runs().await.pop().unwrap();
    bench.store.commit_run(run, tried(Verdict::Done), effects).await.unwrap().unwrap();
    let receipt_id = bench.store.event(ids[0]).await.unwrap().unwrap().receipt.unwrap();

    let (bench, _) = bench.sweep_after(60, &Retention::default()).await;
    assert!(bench.store.read_receipt(receipt_id).await.unwrap().is_some());
    bench.end_delivery(bench.deliveries().await.pop().unwrap(), Verdict::Done).await;
    let (bench, _) = bench.sweep_after(62, &Retention::default()).await;
    assert!(bench.store.read_receipt(receipt_id).await.unwrap().is_none());
}

#[tokio::test]
async fn many_small_segments_become_few_that_read_the_same() {
    let bench = Bench::new();
    let mut ids = Vec::new();
    for number in 0..100 {
        ids.push(bench.finished(&format!("evt_{number}"), Verdict::Done).await);
    }
    let before = bench.shown(&ids).await;

    let segments = bench.segments();
    let (bench, swept) = bench.sweep_after(2, &Retention::default()).await;

    assert_eq!((swept.segments, swept.records), (segments, 0));
    assert!(segments >= 400 && bench.segments() == 1, "{segments} segments");
    assert_eq!(bench.shown(&ids).await, before);
    let again = bench.store.sweep(&Retention::default()).await.unwrap();
    assert_eq!(again, Swept::default());
}

#[tokio::test]
async fn a_log_that_has_grown_is_packed_and_nothing_of_it_removed() {
    let bench = Bench::new();
    let (_, dead) = bench.finished("evt_0", Verdict::Dead).await;
    let mut grown = Box::pin(bench.store.has_grown(8 << 10));
    assert!(at_once(grown.as_mut()).is_none(), "it has not yet");
    for number in 1..40 {
        bench.finished(&format!("evt_{number}"), Verdict::Done).await;
    }
    grown.await;
    let retention = Retention { bodies: days(300), ..Retention::default() };
    bench.store.pack(&retention).await.unwrap();
    let mut grown = Box::pin(bench.store.has_grown(8 << 10));
    assert!(at_once(grown.as_mut()).is_none(), "it is counted anew");
    drop(grown);

    let bench = bench.restart().await;
    bench.pass_until(200);
    let swept = bench.store.pack(&retention).await.unwrap();

    assert!(swept.segments > 100 && swept.letters == 0, "{swept:?}");
    assert_eq!(
        bench.store.dead(ALL).await.unwrap().items.len(),
        1,
        "its letter is a sweep's to remove"
    );
    assert!(bench.store.event(dead).await.unwrap().is_some());
}

/// The mark waits a minute, and the log need not: it takes less of the disk when it is packed.
#[tokio::test]
async fn what_lies_behind_the_mark_is_packed_and_a_start_finds_it_there() {
    let (disk, clock) = (Disk::default(), Clock::manual(NOW));
    let config = Config { lag: days(30), ..Config::at("nowhere") };
    let bench = Bench::with(disk.clone(), clock, &config);
    let mut open = Vec::new();
    for number in 0..200 {
        let (done, left) = (format!("done_{number}"), format!("left_{number}"));
        bench.bring(vec![event(&done, "").to(&[], &["crm"])]).await;
        let work = bench.deliveries().await.pop().unwrap();
        bench.end_delivery(work, Verdict::Done).await;
        open.extend(bench.bring(vec![event(&left, "").to(&[], &["erp"])]).await);
        bench.store.allow(&name("erp"), Allowance::of(0));
    }
    let before = bench.segments();
    bench.clock.advance(days(2));

    bench.store.pack(&Retention::default()).await.unwrap();

    let low_water = bench.store.handle.shared.low_water().mark();
    let swept_to = bench.store.handle.shared.file.read().unwrap().fact(file::SWEPT_TO).unwrap();
    assert!(swept_to.unwrap() > low_water + 500 && bench.segments() + 600 < before);
    let killed = Bench::on(Disk::holding(disk.synced()), bench.clock.clone());
    let works = killed.deliveries().await;
    let events: Vec<u64> = works.iter().map(|work| work.id.position - 1).collect();
    let left: Vec<u64> = open.iter().map(|event| event.position).collect();
    assert_eq!(events, left, "all that is open and nothing else");
}

#[tokio::test]
async fn what_a_start_would_read_is_left_as_it_is() {
    let disk = Disk::default();
    let bench = Bench::on(disk.clone(), Clock::manual(NOW));
    bench.finished("evt_1", Verdict::Done).await;
    bench.append(&["evt_2"]).await;
    bench.pass_until(100);

    let swept = bench.store.sweep(&Retention::default()).await.unwrap();

    assert_eq!((swept.segments, swept.records), (0, 0));
    let crashed = Bench::on(Disk::holding(disk.synced()), Clock::manual(NOW));
    assert_eq!(crashed.store.stats().works[&WorkKind::Parse].ready, 1);
}

#[tokio::test]
async fn too_many_bytes_push_out_the_oldest_that_nobody_needs() {
    let bench = Bench::new();
    let (_, dead) = bench.finished("evt_dead", Verdict::Dead).await;
    let (_, old) = bench.finished("evt_old", Verdict::Done).await;
    let (bench, _) = bench.sweep_after(2, &Retention::default()).await;
    bench.pass_until(3);
    let (_, new) = bench.finished("evt_new", Verdict::Done).await;

    let view = bench.store.handle.shared.file.read().unwrap();
    let swept = view.swept().unwrap().expect("something is packed");
    let sizes = swept.within(..).unwrap().map(|packed| packed.unwrap().bytes);
    let size_bytes = Some(sizes.sum::<u64>() - 1);
    let retention = Retention { size_bytes, ..Retention::default() };
    bench.store.sweep(&retention).await.unwrap();

    for (id, is_there) in [(dead, true), (old, false), (new, true)] {
        assert_eq!(bench.shows(id).await, is_there, "{id}");
    }
}

#[tokio::test]
async fn another_retention_applies_to_what_is_packed_already() {
    let bench = Bench::new();
    let (_, event_id) = bench.finished("evt_1", Verdict::Done).await;
    let (bench, _) = bench.sweep_after(10, &Retention::default()).await;
    let shorter = Retention { events: days(5), ..Retention::default() };
    let (bench, _) = bench.sweep_after(10, &shorter).await;
    assert!(bench.store.event(event_id).await.unwrap().is_none());
}

/// It would be taken for a leap at the next start.
#[tokio::test]
async fn a_store_that_is_quiet_for_long_notes_how_far_it_has_counted() {
    let disk = Disk::default();
    let bench = Bench::on(disk.clone(), Clock::manual(NOW));
    let (_, event_id) = bench.finished("evt_1", Verdict::Done).await;
    bench.store.close().await.unwrap();
    let bench = Bench::on(disk.clone(), bench.clock);
    let retention = keeping(days(40));
    for age in (4..40).step_by(4) {
        bench.pass_until(age);
        assert_eq!(bench.store.sweep(&retention).await.unwrap().records, 0);
    }

    let killed = Bench::on(Disk::holding(disk.synced()), Clock::manual(NOW.after(days(41))));
    killed.store.sweep(&retention).await.unwrap();

    assert!(!killed.shows(event_id).await);
}

#[tokio::test]
async fn a_power_cut_at_any_sync_of_a_sweep_loses_nothing_that_is_needed() {
    let disk = Disk::default();
    let bench = Bench::with(disk.clone(), Clock::manual(NOW), &small());
    let mut ids = Vec::new();
    let verdicts = [Verdict::Done, Verdict::Dead, Verdict::RetryAt(NOW.after(days(40)))];
    for number in 0..30 {
        ids.push(bench.finished(&format!("evt_{number}"), verdicts[number % 3]).await);
    }
    bench.store.close().await.unwrap();
    let bench = Bench::with(disk.clone(), bench.clock, &small());
    bench.pass_until(50);
    disk.record_cuts();
    let retention = Retention { bodies: days(5), events: days(20), ..Retention::default() };
    bench.store.sweep(&retention).await.unwrap();
    bench.pass_until(95);
    bench.store.sweep(&retention).await.unwrap();

    let cuts = disk.cuts();
    assert!(cuts.len() >= 3, "{} syncs", cuts.len());
    let mut random = fastrand::Rng::with_seed(3);
    for (number, cut) in cuts.iter().enumerate() {
        for disk in [cut.disk(|| false), cut.torn(&mut random), cut.torn(&mut random)] {
            let bench = Bench::with(disk, Clock::manual(bench.clock.now()), &small());
            let retrying = ids.iter().skip(2).step_by(3);
            for (receipt_id, event_id) in retrying {
                assert!(
                    bench.store.read_receipt(*receipt_id).await.unwrap().is_some(),
                    "cut {number}"
                );
                assert!(bench.store.event(*event_id).await.unwrap().is_some(), "cut {number}");
            }
            let deliveries = bench.deliveries().await;
            assert_eq!(deliveries.len(), 10, "cut {number}");
            for delivery in deliveries {
                bench.end_delivery(delivery, Verdict::Done).await;
            }
            let letters = bench.store.dead(ALL).await.unwrap().items.len() as u64;
            assert_eq!(bench.store.stats().works[&WorkKind::Delivery].dead, letters);
            bench.store.sweep(&retention).await.unwrap();
        }
    }
}
