//! A record that can't be read: its own work stops, everything else goes on.

use super::disk::Disk;
use super::disk::pages::Pages;
use super::frames::{self, frame_of};
use super::*;
use crate::failure::Reason;
use crate::store::keep::sweep::survey::Pass;
use crate::store::log::segment::Segment;
use crate::store::rows::Rows;

const ALL: Page = Page { cursor: None, limit: PAGE_ITEMS_MAX };

/// What is wrong with a segment.
#[derive(Debug, Clone, Copy)]
pub(super) enum Damage {
    /// The bytes of its frame are not what was written. No start comes to it for the changes of its
    /// commit: that is [`super::flipping`].
    Segment,
    /// One of its records says nonsense; the others are whole, and so is the frame, as if somebody
    /// had written it so.
    Record,
    /// The same, but only the data of an event in it is not JSON.
    Data,
    /// One bit of its frame is another, in the first event id that stands there.
    Bit,
}

/// Those by which nothing of a record can be read.
const KINDS: [Damage; 2] = [Damage::Segment, Damage::Record];

/// Damages what takes this position, as a disk would: nobody is told.
pub(super) fn damage(disk: &Disk, store: &Store, position: u64, kind: Damage) {
    let shared = &store.handle.shared;
    let log = shared.file.read().unwrap().log().unwrap();
    let row = log.last_row(position, |first, stored| (first, stored.to_vec())).unwrap();
    let (first, stored) = row.expect("something takes this position");
    let segment = || Segment::read(first, &stored).unwrap();
    match kind {
        Damage::Segment => {
            shared.file.checkpoint().unwrap();
            let frame = frame_of(&disk.synced(), first);
            let body = vec![7; frame.length - frames::HEAD_BYTES];
            disk.rot(&frame.file, frame.offset + frames::HEAD_BYTES, &body);
        }
        Damage::Bit => {
            shared.file.checkpoint().unwrap();
            let files = disk.synced();
            let frame = frame_of(&files, first);
            let bytes = files[&frame.file].to_vec();
            let bytes = &bytes[frame.offset..frame.offset + frame.length];
            let id = bytes.windows(4).position(|part| part == b"evt_").expect("it has an id");
            disk.rot(&frame.file, frame.offset + id + 4, &[bytes[id + 4] ^ 1]);
        }
        Damage::Record => put(store, first, &rewrite(&segment(), position, |_| vec![0xff; 3])),
        Damage::Data => put(store, first, &rewrite(&segment(), position, without_json)),
    }
    shared.forget_read();
}

/// Puts a segment in the place of another.
fn put(store: &Store, first: u64, bytes: &[u8]) {
    let file = &store.handle.shared.file;
    let mut change = file.write().unwrap();
    change.tables().put_segment(first, bytes);
    file.commit(change).unwrap();
}

fn rewrite(segment: &Segment, position: u64, spoil: fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let mut writer = crate::store::log::segment::SegmentWriter::new(segment.first());
    for entry in segment.entries() {
        let is_it = (entry.position..entry.position + u64::from(entry.width)).contains(&position);
        let bytes = if is_it { spoil(entry.bytes) } else { entry.bytes.to_vec() };
        writer.push_bytes(entry.kind, entry.width, &bytes);
    }
    writer.finish_dense().1
}

/// The record of an event whose data does not begin with a bracket any more.
fn without_json(record: &[u8]) -> Vec<u8> {
    let data = br#"{"amount":1099}"#;
    let at = record.windows(data.len()).position(|bytes| bytes == data).expect("it has data");
    let mut record = record.to_vec();
    record[at] = b'}';
    record
}

/// A store that keeps nothing in memory, so that every lease reads the log.
fn forgetful(disk: &Disk, clock: &Clock) -> Bench {
    let config = Config { recent_bytes: 0, ..Config::at("nowhere") };
    Bench::with(disk.clone(), clock.clone(), &config)
}

fn bench() -> (Disk, Bench) {
    let disk = Disk::default();
    let bench = forgetful(&disk, &Clock::manual(NOW));
    (disk, bench)
}

/// Three events, each in a commit of its own, of one subject.
async fn three(bench: &Bench) -> Vec<Id> {
    let mut ids = Vec::new();
    for number in 0..3 {
        let new = event(&format!("evt_{number}"), "pi_1").to(&["ledger"], &["crm"]);
        ids.extend(bench.bring(vec![new]).await);
    }
    ids
}

/// Ends the runs and the deliveries of three events, all well.
async fn finish(bench: &Bench) {
    for run in 0..3 {
        let work = bench.runs().await.pop().unwrap_or_else(|| panic!("run {run}"));
        bench.end_run(work, Verdict::Done).await;
    }
    for delivery in bench.deliveries().await {
        bench.end_delivery(delivery, Verdict::Done).await;
    }
}

#[tokio::test]
async fn a_take_passes_over_what_is_damaged_and_it_is_out_of_the_way() {
    for kind in [Damage::Segment, Damage::Record, Damage::Data] {
        let (disk, bench) = bench();
        let ids = three(&bench).await;
        damage(&disk, &bench.store, ids[0].position, kind);

        let ready = bench.store.ready(WorkKind::Delivery);
        let deliveries = bench.store.take_deliveries(1, usize::MAX).await.unwrap();
        assert!(deliveries.is_empty(), "{kind:?}: the first is damaged");
        ready.await;
        let others = bench.deliveries().await;
        assert_eq!(others.len(), 2, "{kind:?}: the others come");
        for delivery in others {
            bench.end_delivery(delivery, Verdict::Done).await;
        }
        // Its subject's next go on: it is dead.
        let mut ran = Vec::new();
        while ran.len() < 2 {
            let ready = bench.store.ready(WorkKind::Run);
            let runs = bench.runs().await;
            if runs.is_empty() {
                ready.await;
            }
            for run in runs {
                ran.push(run.event.event.id.clone());
                bench.end_run(run, Verdict::Done).await;
            }
        }
        assert_eq!(ran, ["evt_1", "evt_2"], "{kind:?}");

        let works = bench.store.stats().works;
        assert_eq!(works[&WorkKind::Delivery].dead, 1, "{kind:?}");
        assert_eq!(works[&WorkKind::Run].pending(), 0, "{kind:?}");
        assert!(bench.store.stats().damaged >= 1, "{kind:?}");
        assert!(bench.store.trouble().is_none(), "{kind:?}");
        bench.store.idle().await;
    }
}

#[tokio::test]
async fn what_can_not_be_read_is_dead_as_unreadable_and_no_start_tries_it_again() {
    for kind in KINDS {
        let (disk, bench) = bench();
        let ids = three(&bench).await;
        damage(&disk, &bench.store, ids[1].position, kind);
        assert_eq!(bench.deliveries().await.len(), 2, "{kind:?}");
        // Behind what the take has queued.
        bench.append(&["evt_9"]).await;

        let check = async |store: &Store| {
            let dead = store.dead(ALL).await.unwrap();
            assert!(dead.damaged.is_empty(), "{kind:?}: {:?}", dead.damaged);
            let [letter] = &dead.items[..] else { panic!("{kind:?}: {:?}", dead.items) };
            let named = (letter.kind, letter.name.as_str(), letter.reason);
            assert_eq!(named, (WorkKind::Delivery, "crm", Reason::Unreadable), "{kind:?}");
            assert_eq!(store.stats().works[&WorkKind::Delivery].dead, 1, "{kind:?}");
        };
        check(&bench.store).await;
        bench.store.close().await.unwrap();
        let bench = forgetful(&disk, &bench.clock);
        check(&bench.store).await;
        assert_eq!(bench.deliveries().await.len(), 2, "{kind:?}");
    }
}

#[tokio::test]
async fn a_receipt_that_is_damaged_is_not_parsed_and_the_others_are() {
    for kind in KINDS {
        let (disk, bench) = bench();
        let first = bench.append(&["evt_0"]).await;
        let second = bench.append(&["evt_1"]).await;
        damage(&disk, &bench.store, first.position, kind);

        let taken = bench.store.take_parses(9, usize::MAX).await.unwrap();
        assert_eq!(taken.iter().map(|work| work.id).collect::<Vec<_>>(), [second], "{kind:?}");
        drop(taken);
        // Also after a crash and after an orderly end, behind which the mark has passed it.
        let bench = forgetful(&Disk::holding(disk.synced()), &bench.clock);
        assert_eq!(bench.store.take_parses(9, usize::MAX).await.unwrap().len(), 1, "{kind:?}");
        bench.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_start_goes_on_whatever_is_damaged() {
    for kind in KINDS {
        for broken in 0..3 {
            let (disk, bench) = bench();
            let ids = three(&bench).await;
            damage(&disk, &bench.store, ids[broken].position, kind);
            let end = bench.store.stats().end;

            let crashed = forgetful(&Disk::holding(disk.synced()), &bench.clock);
            assert_eq!(crashed.deliveries().await.len(), 2, "{kind:?} {broken}");
            assert!(crashed.store.stats().end >= end, "{kind:?} {broken}: no position comes again");
            assert_eq!(crashed.store.stats().damaged, 1, "{kind:?} {broken}");
            let new = crashed.append(&["evt_9"]).await;
            assert!(crashed.store.receipt(new).await.unwrap().is_some());

            // The mark has passed it: now it is a row.
            bench.store.close().await.unwrap();
            let rested = forgetful(&disk, &bench.clock);
            assert_eq!(rested.deliveries().await.len(), 2, "{kind:?} {broken}");
            rested.store.close().await.unwrap();
        }
    }
}

#[tokio::test]
async fn the_last_segment_may_be_damaged_too() {
    let (disk, bench) = bench();
    let first = bench.append(&["evt_0"]).await;
    damage(&disk, &bench.store, first.position, Damage::Segment);

    let crashed = Disk::holding(disk.synced());
    let bench = forgetful(&crashed, &bench.clock);
    let second = bench.append(&["evt_1"]).await;
    assert!(second.position > first.position);

    let bench = forgetful(&Disk::holding(crashed.synced()), &bench.clock);
    let works = bench.store.take_parses(9, usize::MAX).await.unwrap();
    assert_eq!(works.iter().map(|work| work.id).collect::<Vec<_>>(), [second]);
    assert!(matches!(bench.store.receipt(first).await, Err(Error::Damaged(_))));
}

#[tokio::test]
async fn lists_and_views_name_what_is_damaged_and_show_the_rest() {
    for kind in KINDS {
        let (disk, bench) = bench();
        let ids = three(&bench).await;
        for delivery in bench.deliveries().await {
            bench.end_delivery(delivery, Verdict::Dead).await;
        }
        damage(&disk, &bench.store, ids[1].position, kind);

        let listing = bench.store.events(&EventFilter::default(), ALL).await.unwrap();
        let shown: Vec<Id> = listing.items.iter().map(|event| event.id).collect();
        assert_eq!(shown, [ids[2], ids[0]], "{kind:?}");
        assert_eq!(listing.damaged.len(), 1, "{kind:?}");
        let dead = bench.store.dead(ALL).await.unwrap();
        assert_eq!((dead.items.len(), dead.damaged.len()), (2, 1), "{kind:?}");
        assert!(dead.damaged[0].id.is_some(), "{kind:?}");
        let view = bench.store.event(ids[1]).await;
        assert!(matches!(view, Err(Error::Damaged(_))), "{kind:?}: {view:?}");
        assert!(bench.store.event(ids[0]).await.unwrap().is_some(), "{kind:?}");
        let run = Id { kind: crate::ids::IdKind::Run, position: ids[1].position + 1, ..ids[1] };
        assert!(matches!(bench.store.run(run).await, Err(Error::Damaged(_))), "{kind:?}");
    }
}

#[tokio::test]
async fn a_history_is_shown_as_far_as_it_can_be_read() {
    let (disk, bench) = bench();
    let ids = three(&bench).await;
    bench.end_delivery(bench.deliveries().await.remove(0), Verdict::RetryAt(NOW)).await;
    let attempt = bench.store.stats().end - 1;
    bench.end_delivery(bench.deliveries().await.pop().unwrap(), Verdict::Dead).await;
    let retried = bench.store.dead(ALL).await.unwrap().items[0].event.unwrap();
    assert!(ids.contains(&retried));
    damage(&disk, &bench.store, attempt, Damage::Segment);

    let view = bench.store.event(retried).await.unwrap().unwrap();
    let delivery = &view.deliveries[0];
    assert_eq!((delivery.attempts.len(), delivery.progress.damaged_at), (1, Some(attempt)));
}

#[tokio::test]
async fn a_replay_passes_over_what_is_damaged_and_says_so() {
    for kind in KINDS {
        let (disk, bench) = bench();
        let ids = three(&bench).await;
        for delivery in bench.deliveries().await {
            bench.end_delivery(delivery, Verdict::Dead).await;
        }
        let unparsed = bench.append(&["evt_9"]).await;
        bench
            .store
            .commit_parse(bench.parse().await, tried(Verdict::Dead), Vec::new())
            .await
            .unwrap()
            .unwrap();
        damage(&disk, &bench.store, ids[1].position, kind);
        damage(&disk, &bench.store, unparsed.position, kind);

        let dead = EventFilter { state: Some(State::Dead), ..EventFilter::default() };
        let replayed = bench.replay_matching(dead).await;
        assert_eq!(replayed.reopened, 2, "{kind:?}");
        assert!(replayed.damaged >= 1, "{kind:?}");
        let named = bench.store.replay(ids.clone()).await.unwrap();
        assert_eq!(named.damaged, 1, "{kind:?}");
        let parses = bench.store.reopen_parses(&[name("stripe")], "other").await.unwrap();
        assert_eq!((parses.reopened, parses.damaged), (0, 1), "{kind:?}");
    }
}

#[tokio::test]
async fn a_sweep_leaves_what_is_damaged_and_does_all_the_rest() {
    for kind in KINDS {
        for broken in 0..3 {
            let (disk, bench) = bench();
            let ids = three(&bench).await;
            finish(&bench).await;
            bench.store.close().await.unwrap();
            let bench = forgetful(&disk, &bench.clock);
            damage(&disk, &bench.store, ids[broken].position, kind);
            bench.clock.advance(days(100));

            // Twice: the second must not undo or stumble over what the first left.
            bench.store.sweep(&Retention::default()).await.unwrap();
            bench.store.sweep(&Retention::default()).await.unwrap();

            for (number, id) in ids.iter().enumerate() {
                match bench.store.event(*id).await {
                    // How far a segment reaches can't be told: what was behind it may be in it.
                    Err(Error::Damaged(_)) => assert!(number >= broken, "{kind:?}"),
                    gone => assert!(gone.unwrap().is_none() && number != broken, "{kind:?}"),
                }
            }
            let shared = &bench.store.handle.shared;
            let step = shared.survey(&Retention::default(), Pass::default()).unwrap();
            assert!(step.sweep.is_none(), "{kind:?} {broken}");
            let bench = forgetful(&Disk::holding(disk.synced()), &bench.clock);
            assert!(
                matches!(bench.store.event(ids[broken]).await, Err(Error::Damaged(_))),
                "{kind:?}"
            );
        }
    }
}

#[tokio::test]
async fn an_event_whose_data_is_damaged_is_listed_and_goes_by_its_age() {
    let (disk, bench) = bench();
    let ids = three(&bench).await;
    finish(&bench).await;
    bench.store.close().await.unwrap();
    let bench = forgetful(&disk, &bench.clock);
    damage(&disk, &bench.store, ids[0].position, Damage::Data);

    let listing = bench.store.events(&EventFilter::default(), ALL).await.unwrap();
    assert_eq!((listing.items.len(), listing.damaged.len()), (3, 0), "a list shows no data");
    assert!(matches!(bench.store.event(ids[0]).await, Err(Error::Damaged(_))));
    bench.clock.advance(days(100));
    bench.store.sweep(&Retention::default()).await.unwrap();

    assert!(bench.store.event(ids[0]).await.unwrap().is_none());
}

/// The newest volume is another matter: without it no start goes on.
#[tokio::test]
async fn a_volume_that_is_missing_or_written_over_costs_what_was_in_it() {
    const VOLUME: &str = "volume-00000001.hgv";
    let config = Config { volume_bytes: 1024, recent_bytes: 0, ..Config::at("nowhere") };
    for is_missing in [true, false] {
        let disk = Disk::default();
        let bench = Bench::with(disk.clone(), Clock::manual(NOW), &config);
        let mut ids = Vec::new();
        for number in 0..20 {
            ids.push(bench.finished(&format!("evt_{number}"), Verdict::Done).await.1);
        }
        bench.store.close().await.unwrap();
        let mut files = disk.synced();
        let bytes = files.remove(VOLUME).expect("it is the first").length();
        if !is_missing {
            files.insert(VOLUME.to_owned(), Pages::of(&vec![7; bytes]));
        }

        let bench = Bench::with(Disk::holding(files), bench.clock, &config);

        let first = bench.store.event(ids[0]).await;
        assert!(matches!(first, Err(Error::Damaged(_))), "{is_missing}: {first:?}");
        assert!(bench.store.event(ids[19]).await.unwrap().is_some(), "{is_missing}");
        let listing = bench.store.events(&EventFilter::default(), ALL).await.unwrap();
        assert!(listing.items.len() > 10 && !listing.damaged.is_empty(), "{listing:?}");
        bench.finished("evt_new", Verdict::Done).await;
        assert!(bench.store.trouble().is_none(), "{is_missing}");
    }
}

#[tokio::test]
async fn a_remembered_value_that_is_damaged_is_an_error_and_no_other_value() {
    let (_disk, bench) = bench();
    bench.bring(vec![event("evt_1", "pi_1").to(&["ledger"], &[])]).await;
    let state = vec![("paid".to_owned(), Some("4200".into()))];
    let effects = Effects { state, scope: "pi_1".to_owned(), ..Effects::default() };
    let run = bench.runs().await.pop().unwrap();
    bench.store.commit_run(run, tried(Verdict::Done), effects).await.unwrap().unwrap();
    let key = crate::store::state::key(&name("ledger"), "pi_1", "paid");
    let file = &bench.store.handle.shared.file;
    let mut row = file.read().unwrap().state(&key).unwrap().unwrap().to_vec();
    *row.last_mut().unwrap() ^= 1;
    let mut change = file.write().unwrap();
    change.tables().put_state(&key, Some(row.as_slice())).unwrap();
    file.commit(change).unwrap();

    let read = bench.store.state(&name("ledger"), "pi_1", "paid");

    assert!(matches!(read, Err(Error::Damaged(_))), "{read:?}");
}

#[tokio::test]
async fn a_standing_that_is_damaged_is_mended_by_the_next_try() {
    let (_disk, bench) = bench();
    let ids = bench.bring(vec![event("evt_1", "").to(&[], &["crm"])]).await;
    bench.end_delivery(bench.deliveries().await.pop().unwrap(), Verdict::RetryAt(NOW)).await;
    let delivery = bench.deliveries().await.pop().unwrap();
    let shared = &bench.store.handle.shared;
    let mut change = shared.file.write().unwrap();
    change.tables().put_outcome(ids[0].position + 1, &[9, 9]).unwrap();
    shared.file.commit(change).unwrap();
    assert_eq!(bench.store.events(&EventFilter::default(), ALL).await.unwrap().damaged.len(), 1);

    bench.end_delivery(delivery, Verdict::Dead).await;

    let view = bench.store.event(ids[0]).await.unwrap().unwrap();
    assert_eq!((view.state, view.deliveries[0].progress.tries_made), (State::Dead, 2));
    assert!(bench.store.trouble().is_none());
}
