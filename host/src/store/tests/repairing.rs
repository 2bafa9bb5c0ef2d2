//! A store whose file of rows is damaged, foreign or gone gets a new one from its volumes: what it
//! had it has, what was open it owes, and what was done it does not do again [I8, I12].

use std::sync::Arc;

use super::*;
use crate::failure::Reason;
use crate::store::file::UNREAD_WIDTH;
use crate::store::file::folder::Folder;
use crate::store::file::volumes::{Point, VolumeWriter, Volumes};
use crate::store::log::segment::{RecordKind, SegmentWriter};
use crate::store::owed::standing::Standing;

const ALL: Page = Page { cursor: None, limit: PAGE_ITEMS_MAX };
const ROWS: &str = "hookgate.redb";

/// What becomes of the file of rows.
#[derive(Debug, Clone, Copy)]
enum Ruin {
    /// Nothing in it is as it was but its first bytes.
    Damaged,
    /// It does not even begin as a file of redb.
    Foreign,
    Gone,
}

impl Ruin {
    fn of(self, folder: &TempDir) {
        let path = folder.path().join(ROWS);
        let mut content = std::fs::read(&path).unwrap();
        match self {
            Self::Damaged => content[9..].fill(0),
            Self::Foreign => content[0] ^= 1,
            Self::Gone => return std::fs::remove_file(&path).unwrap(),
        }
        std::fs::write(&path, content).unwrap();
    }
}

fn copy(folder: &TempDir) -> TempDir {
    let copy = in_memory();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}

/// All that can be seen of a store and of these receipts and events.
async fn seen(bench: &Bench, ids: &[(Id, Id)]) -> Vec<String> {
    let store = &bench.store;
    let mut seen = Vec::new();
    for (receipt, event) in ids {
        seen.push(serde_json::to_string(&store.receipt(*receipt).await.unwrap()).unwrap());
        seen.push(serde_json::to_string(&store.event(*event).await.unwrap()).unwrap());
    }
    let events = store.events(&EventFilter::default(), ALL).await.unwrap();
    assert!(events.damaged.is_empty(), "{:?}", events.damaged);
    seen.push(serde_json::to_string(&events.items).unwrap());
    seen.push(serde_json::to_string(&store.dead(ALL).await.unwrap().items).unwrap());
    seen.push(format!("{:?}", store.state(&name("ledger"), "pi_1", "count").unwrap()));
    seen.push(format!("{:?}", owed(bench).await));
    seen
}

/// The positions of all works that may be taken, and how often each was tried.
async fn owed(bench: &Bench) -> Vec<(u64, u32)> {
    let parses = bench.store.take_parses(usize::MAX, usize::MAX).await.unwrap();
    let parses = parses.iter().map(|work| (work.id.position, work.tries_made));
    let mut owed: Vec<_> = parses.collect();
    owed.extend(bench.runs().await.iter().map(|work| (work.id.position, work.tries_made)));
    owed.extend(bench.deliveries().await.iter().map(|work| (work.id.position, work.tries_made)));
    owed.sort_unstable();
    owed
}

/// Ends a run that has the handler remember this.
async fn count(bench: &Bench, text: &'static str) {
    let run = bench.runs().await.pop().unwrap();
    let state = vec![("count".to_owned(), Some(text.into()))];
    let effects = Effects { state, scope: "pi_1".to_owned(), ..Effects::default() };
    bench.store.commit_run(run, tried(Verdict::Done), effects).await.unwrap().unwrap();
}

/// A store in which work has come to every stand there is, half of it packed.
async fn filled() -> (Bench, Vec<(Id, Id)>) {
    let bench = Bench::new();
    let mut ids = Vec::new();
    for number in 0..6 {
        ids.push(bench.finished(&format!("evt_{number}"), Verdict::Done).await);
    }
    ids.push(bench.finished("evt_dead", Verdict::Dead).await);
    let bench = bench.restart().await;
    bench.clock.advance(days(2));
    bench.store.sweep(&Retention::default()).await.unwrap();
    ids.push(bench.finished("evt_later", Verdict::RetryAt(NOW)).await);
    bench.bring(vec![event("evt_open", "pi_1").to(&["ledger"], &["crm"])]).await;
    count(&bench, "7").await;
    bench.append(&["evt_unparsed"]).await;
    (bench, ids)
}

#[tokio::test]
async fn a_store_whose_rows_are_lost_has_and_owes_what_it_had_and_owed() {
    let (bench, ids) = filled().await;
    let whole = seen(&bench, &ids).await;
    let end = bench.store.stats().end;
    let Bench { folder, clock, store } = bench;
    store.close().await.unwrap();

    for ruin in [Ruin::Damaged, Ruin::Foreign, Ruin::Gone] {
        let folder = copy(&folder);
        ruin.of(&folder);
        let refused = Store::open(&Config::at(folder.path()), clock.clone()).unwrap_err();
        assert!(refused.to_string().contains("hookgate store repair"), "{ruin:?}: {refused}");

        let repaired = repair(folder.path(), Undecided::Dead, None).unwrap();

        assert_eq!((repaired.damaged, repaired.undecided), (0, 0), "{ruin:?}: {repaired:?}");
        assert!(repaired.state_lost.is_empty(), "{ruin:?}: {repaired:?}");
        assert_eq!(repaired.kept.is_some(), !matches!(ruin, Ruin::Gone), "{ruin:?}");
        let checked = check(folder.path()).unwrap();
        assert!(checked.faults.is_empty(), "{ruin:?}: {:#?}", checked.faults);
        let bench = Bench::at(folder, clock.clone());
        assert_eq!(seen(&bench, &ids).await, whole, "{ruin:?}");
        for id in ["evt_0", "evt_dead", "evt_open", "evt_unparsed"] {
            let again = bench.store.append(receipt(&[id])).await.unwrap();
            assert!(matches!(again, Appended::Duplicate(_)), "{ruin:?}: {id}");
        }
        // What was committed last may be lost, and somebody may know its ids.
        let new = bench.append(&["evt_new"]).await.position;
        assert!(new >= end + UNREAD_WIDTH, "{ruin:?}: no id comes again");
    }
}

/// Bits of the rows that are flipped.
const FLIPS: usize = 60;

/// What a start says that can't find out what a file is any more.
fn is_of_another_format(error: &OpenError) -> bool {
    matches!(error, OpenError::Unfinished { .. })
}

#[tokio::test]
async fn a_start_that_a_flipped_bit_in_the_rows_keeps_from_opening_them_names_the_repair() {
    let (bench, ids) = filled().await;
    let whole = seen(&bench, &ids).await;
    let Bench { folder, clock, store } = bench;
    store.close().await.unwrap();
    let rows = std::fs::read(folder.path().join(ROWS)).unwrap();
    let mut random = fastrand::Rng::with_seed(7);
    let mut refused = 0;
    for number in 0..FLIPS {
        // One by which the file is none of redb, then half of them where redb says which of its
        // pages are the last.
        let bytes = match number {
            0 => 0..1,
            _ if number % 2 == 0 => 64..320,
            _ => 64..rows.len(),
        };
        let bit = random.usize(bytes.start * 8..bytes.end * 8);
        let folder = copy(&folder);
        let mut flipped = rows.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(folder.path().join(ROWS), flipped).unwrap();
        let Err(error) = Store::open(&Config::at(folder.path()), clock.clone()) else { continue };
        if is_of_another_format(&error) {
            continue;
        }
        let said = crate::causes::chain(&error);
        assert!(said.contains("hookgate store repair"), "bit {bit}: {said}");
        repair(folder.path(), Undecided::Dead, None).unwrap();
        let bench = Bench::at(folder, clock.clone());
        assert!(seen(&bench, &ids).await == whole, "bit {bit}");
        refused += 1;
    }
    assert!(refused > 0, "the first counts");
}

/// The redo of a commit tells how works stand; without it, their histories do.
#[tokio::test]
async fn a_damaged_frame_costs_no_more_than_what_is_in_it() {
    let (bench, ids) = filled().await;
    let Bench { folder, clock, store } = bench;
    store.close().await.unwrap();
    Ruin::Damaged.of(&folder);
    // The first frame is the receipt of the first event, which was packed since.
    let volume = folder.path().join("volume-00000001.hgv");
    let mut content = std::fs::read(&volume).unwrap();
    content[48 + 41] ^= 1;
    std::fs::write(&volume, content).unwrap();

    let repaired = repair(folder.path(), Undecided::Dead, None).unwrap();

    assert_eq!((repaired.damaged, repaired.undecided), (1, 0), "{repaired:?}");
    check_whole(&Bench::at(folder, clock), &ids).await;
}

/// All of these are there, and nothing is damaged.
async fn check_whole(bench: &Bench, ids: &[(Id, Id)]) {
    for (receipt, event) in ids {
        assert!(bench.store.receipt(*receipt).await.unwrap().is_some());
        assert!(bench.store.event(*event).await.unwrap().is_some());
    }
    assert_eq!(bench.store.stats().damaged, 0);
}

#[tokio::test]
async fn a_repair_begins_again_and_keeps_each_file_that_it_replaces() {
    let (bench, ids) = filled().await;
    let refused = repair(bench.folder.path(), Undecided::Dead, None).unwrap_err();
    assert!(matches!(refused, OpenError::InUse { .. }), "{refused:?}");
    let whole = seen(&bench, &ids).await;
    let Bench { folder, clock, store } = bench;
    store.close().await.unwrap();
    let before = std::fs::read(folder.path().join(ROWS)).unwrap();
    let refused = repair(folder.path(), Undecided::Dead, None).unwrap_err();
    assert!(matches!(refused, OpenError::Sound { .. }), "nothing is wrong: {refused:?}");
    // As a kill leaves it.
    std::fs::write(folder.path().join("hookgate.redb.repair"), "half of a file").unwrap();

    let repair = || repair_anyway(folder.path(), Undecided::Dead, None).unwrap().kept.unwrap();
    let kept = [repair(), repair()];

    assert!(kept[0].ends_with("hookgate.redb.before-repair"), "{kept:?}");
    assert!(kept[1].ends_with("hookgate.redb.before-repair.2"), "{kept:?}");
    assert!(std::fs::read(&kept[0]).unwrap() == before, "it is as it was");
    assert!(!folder.path().join("hookgate.redb.repair").exists());
    let bench = Bench::at(folder, clock);
    assert_eq!(seen(&bench, &ids).await, whole);
}

fn open_small(folder: TempDir, clock: Clock) -> Bench {
    let config = Config { volume_bytes: 1024, ..Config::at(folder.path()) };
    let store = Store::open(&config, clock.clone()).unwrap();
    Bench { folder, clock, store }
}

async fn restart_small(bench: Bench) -> Bench {
    let Bench { folder, clock, store } = bench;
    store.close().await.unwrap();
    open_small(folder, clock)
}

/// A store that has removed the attempts of what was done long ago, with an event that is owed to
/// an endpoint since two days and was never tried. Gives both events.
async fn swept() -> (TempDir, Clock, Id, Id) {
    let bench = open_small(in_memory(), Clock::manual(NOW));
    let (_, done) = bench.finished("evt_done", Verdict::Done).await;
    for text in ["1", "2"] {
        let id = format!("evt_count_{text}");
        bench.bring(vec![event(&id, "pi_1").to(&["ledger"], &[])]).await;
        count(&bench, text).await;
    }
    for number in 0..20 {
        bench.finished(&format!("evt_{number}"), Verdict::Done).await;
    }
    bench.clock.advance(days(40));
    let open = bring_now(&bench, "evt_open").await;
    let bench = packed(bench).await;
    let view = bench.store.event(done).await.unwrap().unwrap();
    assert!(view.deliveries[0].attempts.is_empty(), "{view:?}");
    let Bench { folder, clock, store } = bench;
    store.close().await.unwrap();
    (folder, clock, done, open)
}

/// An event for an endpoint, of which each record says when it was written.
async fn bring_now(bench: &Bench, id: &str) -> Id {
    let at = bench.clock.now();
    let mut new = receipt(&[id]);
    Arc::make_mut(&mut new.request).received_at = at;
    bench.store.append(new).await.unwrap();
    let report = Try { at, ..tried(Verdict::Done) };
    let events = vec![event(id, "").to(&[], &["crm"])];
    bench.store.commit_parse(bench.parse().await, report, events).await.unwrap().unwrap()[0]
}

/// Two days later all is packed, and the log that told of it is gone.
async fn packed(bench: Bench) -> Bench {
    let bench = restart_small(bench).await;
    bench.clock.advance(days(2));
    bench.store.sweep(&Retention::default()).await.unwrap();
    for number in 20..40 {
        bring_now(&bench, &format!("evt_{number}")).await;
        let (work, at) = (bench.deliveries().await.pop().unwrap(), bench.clock.now());
        let attempt = Attempt { at, ..attempt(Verdict::Done) };
        bench.store.record_attempt(work, attempt).await.unwrap().unwrap();
    }
    bench.store.handle.shared.file.checkpoint().unwrap();
    assert!(!bench.folder.path().join("volume-00000001.hgv").exists());
    bench
}

#[tokio::test]
async fn of_what_nothing_tells_any_more_the_operator_says_what_becomes_and_nobody_does_it_again() {
    let (folder, clock, done, open) = swept().await;
    Ruin::Damaged.of(&folder);
    let retention = Some(Retention::default().attempts);
    for (undecided, attempts) in [
        (Undecided::Dead, None),
        (Undecided::Dead, retention),
        (Undecided::Done, None),
        (Undecided::Done, retention),
    ] {
        let context = format!("{undecided:?} {attempts:?}");
        let folder = copy(&folder);
        let repaired = repair(folder.path(), undecided, attempts).unwrap();
        assert!(repaired.undecided >= 2, "{context}: {repaired:?}");
        let checked = check(folder.path()).unwrap();
        assert!(checked.faults.is_empty(), "{context}: {:#?}", checked.faults);
        let bench = open_small(folder, clock.clone());

        // What is younger than attempts are kept was never tried.
        let is_owed = attempts.is_some();
        let owed: Vec<u64> = owed(&bench).await.into_iter().map(|(position, _)| position).collect();
        assert_eq!(owed, if is_owed { vec![open.position + 1] } else { vec![] }, "{context}");
        let letters = bench.store.dead(ALL).await.unwrap();
        assert!(letters.damaged.is_empty(), "{context}");
        let of_done = letters.items.iter().filter(|letter| letter.event == Some(done));
        let reasons: Vec<(Reason, &str)> =
            of_done.map(|letter| (letter.reason, letter.detail.as_str())).collect();
        let repaired = (Reason::Unreadable, "repaired");
        let expected = if undecided == Undecided::Dead { vec![repaired; 2] } else { vec![] };
        assert_eq!(reasons, expected, "{context}");
        // The redo that set it is gone; the run says it too.
        let count = bench.store.state(&name("ledger"), "pi_1", "count").unwrap();
        assert_eq!(count, Some("2".into()), "{context}");
        let view = bench.store.event(done).await.unwrap().unwrap();
        let state = if undecided == Undecided::Dead { State::Dead } else { State::Done };
        assert_eq!(view.state, state, "{context}");
        // An operator may do it all the same.
        let replayed = bench.store.replay(vec![done]).await.unwrap();
        assert_eq!(replayed.reopened, 2, "{context}");
    }
}

/// A commit of a repair that was cut short, read by the old file: an operator has put it back.
#[tokio::test]
async fn an_old_file_that_is_put_back_reads_what_a_repair_wrote_and_owes_no_dead_work() {
    let (folder, clock, _, open) = swept().await;
    let repaired = repair_anyway(folder.path(), Undecided::Dead, None).unwrap();
    std::fs::rename(repaired.kept.unwrap(), folder.path().join(ROWS)).unwrap();

    let bench = open_small(folder, clock);

    assert!(owed(&bench).await.is_empty());
    let letters = bench.store.dead(ALL).await.unwrap().items;
    assert!(letters.iter().any(|letter| letter.event == Some(open)));
    let Bench { folder, store, .. } = bench;
    store.close().await.unwrap();
    let checked = check(folder.path()).unwrap();
    assert!(checked.faults.is_empty(), "{:#?}", checked.faults);
}

/// It may be a packed one, in which the history of what is young lay.
#[tokio::test]
async fn beside_a_volume_that_can_not_be_read_nothing_counts_as_never_tried() {
    let (folder, clock, _, open) = swept().await;
    Ruin::Damaged.of(&folder);
    let head = [&b"HGVL"[..], &[7; 100]].concat();
    std::fs::write(folder.path().join("volume-00009999.hgv"), head).unwrap();

    let attempts = Some(Retention::default().attempts);
    let repaired = repair(folder.path(), Undecided::Dead, attempts).unwrap();

    assert_eq!(repaired.damaged, 1, "{repaired:?}");
    let bench = open_small(folder, clock);
    assert!(owed(&bench).await.is_empty());
    let letters = bench.store.dead(ALL).await.unwrap().items;
    assert!(letters.iter().any(|letter| letter.event == Some(open)));
}

/// What a replay emits has the number of the replay in its id.
#[tokio::test]
async fn a_repair_counts_how_often_a_work_was_opened_again() {
    let bench = open_small(in_memory(), Clock::manual(NOW));
    let (_, event) = bench.finished("evt_again", Verdict::Done).await;
    for _ in 0..2 {
        assert_eq!(bench.store.replay(vec![event]).await.unwrap().reopened, 2);
        bench.end_run(bench.runs().await.pop().unwrap(), Verdict::Done).await;
        bench.end_delivery(bench.deliveries().await.pop().unwrap(), Verdict::Done).await;
    }
    for number in 0..20 {
        bench.finished(&format!("evt_{number}"), Verdict::Done).await;
    }
    let Bench { folder, clock, store } = packed(bench).await;
    store.close().await.unwrap();
    Ruin::Damaged.of(&folder);

    repair(folder.path(), Undecided::Dead, None).unwrap();

    let bench = open_small(folder, clock);
    let view = bench.store.handle.shared.file.read().unwrap();
    let outcomes = view.outcomes().unwrap();
    let standings = [1, 2].map(|work| Standing::at(&outcomes, event.position + work).unwrap());
    assert_eq!(standings.map(|standing| standing.reopened), [2, 2]);
}

#[tokio::test]
async fn the_ids_of_a_receipt_that_lost_its_body_are_known_after_a_repair() {
    let bench = Bench::new();
    bench.append(&["evt_ignored"]).await;
    let work = bench.parse().await;
    bench.store.commit_parse(work, tried(Verdict::Done), Vec::new()).await.unwrap().unwrap();
    let bench = bench.restart().await;
    bench.clock.advance(days(32));
    assert_eq!(bench.store.sweep(&Retention::default()).await.unwrap().bodies, 1);
    let Bench { folder, clock, store } = bench;
    store.close().await.unwrap();
    Ruin::Damaged.of(&folder);

    repair(folder.path(), Undecided::Dead, None).unwrap();

    let bench = Bench::at(folder, clock);
    let again = bench.store.append(receipt(&["evt_ignored"])).await.unwrap();
    assert!(matches!(again, Appended::Duplicate(_)), "{again:?}");
}

/// Another writer at the end of the log of a store that is closed.
fn writer(folder: &TempDir, tag: u32) -> VolumeWriter {
    let medium = Arc::new(Folder::new(folder.path()));
    let volumes = Volumes::open(medium, tag, Config::at(folder.path()).volume_bytes).unwrap();
    let mut scan = volumes.frames_from(Point::START);
    scan.by_ref().for_each(|next| drop(next.unwrap()));
    VolumeWriter::at(volumes, scan.end()).unwrap()
}

#[tokio::test]
async fn what_a_sweep_wrote_before_a_kill_takes_the_place_of_nothing() {
    let (bench, ids) = filled().await;
    let whole = seen(&bench, &ids).await;
    let Bench { folder, clock, store } = bench;
    store.close().await.unwrap();
    let mut without = SegmentWriter::new(ids[0].0.position);
    without.push_bytes(RecordKind::Gap, 1, &[]);
    let mut writer = writer(&folder, ids[0].0.tag);
    writer.pack(without.first(), &without.finish_dense().1).unwrap();
    writer.sync_packed().unwrap();
    drop(writer);
    Ruin::Damaged.of(&folder);

    repair(folder.path(), Undecided::Dead, None).unwrap();

    let bench = Bench::at(folder, clock);
    assert_eq!(seen(&bench, &ids).await, whole);
}

#[tokio::test]
async fn what_was_packed_into_a_volume_that_is_missing_is_read_where_it_was_before() {
    let (bench, ids) = filled().await;
    let Bench { folder, clock, store } = bench;
    store.close().await.unwrap();
    std::fs::remove_file(folder.path().join("volume-00000002.hgv")).unwrap();
    Ruin::Damaged.of(&folder);

    let repaired = repair(folder.path(), Undecided::Dead, None).unwrap();

    assert_eq!((repaired.damaged, repaired.undecided), (1, 0), "{repaired:?}");
    check_whole(&Bench::at(folder, clock), &ids).await;
}

#[tokio::test]
async fn a_log_of_a_newer_hookgate_is_not_repaired() {
    let (bench, ids) = filled().await;
    let Bench { folder, store, .. } = bench;
    let end = store.stats().end;
    store.close().await.unwrap();
    let mut segment = SegmentWriter::new(end);
    segment.push_bytes(RecordKind::Gap, 1, &[]);
    let (first, bytes) = segment.finish();
    let length = u32::try_from(bytes.len()).unwrap().to_le_bytes();
    let unknown: &[u8] = &[99];
    writer(&folder, ids[0].0.tag).append(first, &[&length, bytes, unknown]).unwrap();
    Ruin::Damaged.of(&folder);
    let names = || std::fs::read_dir(folder.path()).unwrap().count();
    let before = names();

    let refused = repair(folder.path(), Undecided::Dead, None).unwrap_err();

    let said = crate::causes::chain(&refused);
    assert!(said.contains("a newer Hookgate wrote the commit at position"), "{said}");
    assert_eq!(names(), before, "nothing is left of it");
}

#[test]
fn what_has_no_volume_can_not_be_repaired() {
    let folder = TempDir::new().unwrap();
    let refused = repair(folder.path(), Undecided::Dead, None).unwrap_err();
    assert!(matches!(refused, OpenError::NoLog { .. }), "{refused:?}");
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none(), "nothing was made");
}
