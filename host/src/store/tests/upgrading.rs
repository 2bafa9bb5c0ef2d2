//! A start gives the open works of a store of format 2 the rows of format 3, however often a kill
//! cuts it off, and forgets none of them [I8].

mod format_2;

use redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition};

use super::disk::{Disk, Files};
use super::*;
use crate::store::check as check_store;
use crate::store::file::owed_rows::OwedWork;

const OPEN: TableDefinition<'_, u64, ()> = TableDefinition::new("open");
const OWED: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("owed");
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

const ROWS: &str = "hookgate.redb";
const VOLUME: &str = "volume-00000001.hgv";

fn started(files: Files) -> Bench {
    Bench::on(Disk::holding(files), Clock::manual(NOW))
}

/// A folder with these files.
fn folder(files: &Files) -> TempDir {
    let folder = TempDir::new().expect("there is room");
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes.to_vec()).expect("there is room");
    }
    folder
}

/// What the rows say: the format, the works that have a row of format 2, and how many have another.
fn rows(files: &Files) -> (u64, Vec<u64>, u64) {
    let folder = folder(files);
    let database = Database::open(folder.path().join(ROWS)).expect("it is there");
    let view = database.begin_read().expect("it can be read");
    let meta = view.open_table(META).expect("there are facts");
    let format = meta.get("format").expect("it can be read").expect("it has a format").value();
    let open = view.open_table(OPEN).expect("there is the table");
    let open = open.iter().expect("it can be read");
    let open = open.map(|row| row.expect("it can be read").0.value()).collect();
    let owed = view.open_table(OWED).map_or(0, |owed| owed.len().expect("it can be read"));
    (format, open, owed)
}

/// Takes works until there are this many.
async fn take_all<W>(
    bench: &Bench,
    kind: WorkKind,
    count: usize,
    take: &impl AsyncFn() -> Vec<W>,
) -> Vec<W> {
    let mut taken = Vec::new();
    while taken.len() < count {
        let ready = bench.store.ready(kind);
        let more = take().await;
        if more.is_empty() {
            ready.await;
        }
        taken.extend(more);
    }
    taken
}

fn pending(bench: &Bench) -> [usize; 3] {
    WorkKind::ALL.map(|kind| bench.store.stats().works[&kind].pending())
}

/// Whether all works are there that were open, and no other.
async fn check(bench: &Bench) {
    let many = format_2::MANY.count();
    assert_eq!(pending(bench), [1, 1, many + 2]);
    let parses = async || bench.store.take_parses(9, usize::MAX).await.expect("it can be read");
    let parses = take_all(bench, WorkKind::Parse, 1, &parses).await;
    assert_eq!(parses[0].id.position, format_2::PARSE);
    let runs = take_all(bench, WorkKind::Run, 1, &async || bench.runs().await).await;
    assert_eq!((runs[0].id.position, runs[0].tries_made), (format_2::RUN, 0));
    let deliveries = async || bench.deliveries().await;
    let taken = take_all(bench, WorkKind::Delivery, many + 1, &deliveries).await;
    let mut positions: Vec<u64> = taken.iter().map(|work| work.id.position).collect();
    positions.sort_unstable();
    let expected: Vec<u64> = [format_2::REOPENED].into_iter().chain(format_2::MANY).collect();
    assert!(positions == expected, "{} deliveries", positions.len());
    assert!(bench.deliveries().await.is_empty());

    bench.clock.set(in_minutes(5));
    let retried = take_all(bench, WorkKind::Delivery, 1, &deliveries).await;
    assert_eq!((retried[0].id.position, retried[0].tries_made), (format_2::RETRIED, 1));
    assert_eq!(bench.store.stats().damaged, 1);
}

#[tokio::test]
async fn what_was_open_in_format_2_is_open_in_format_3_and_says_where_it_waits() {
    let disk = Disk::holding(format_2::files().0);
    let bench = Bench::on(disk.clone(), Clock::manual(NOW));
    let view = bench.store.handle.shared.file.read().unwrap();
    let owed = |work: u64| view.owed(work).unwrap().unwrap();
    let waits = |lane: &[u8], since: u64, note: &[u8]| OwedWork {
        lane: lane.to_vec(),
        since,
        note: note.to_vec(),
    };
    assert_eq!(owed(format_2::PARSE), waits(b"\x01stripe", NOW.0, b"\0stripe"));
    assert_eq!(owed(format_2::RUN), waits(b"\x02mail", 0, b"\0stripe"));
    assert_eq!(owed(format_2::REOPENED), waits(b"\x03crm", NOW.0, b"\0stripe"));
    assert_eq!(owed(format_2::RETRIED), waits(b"\x03erp", in_minutes(5).0, b"\x01stripe"));
    assert_eq!(owed(*format_2::MANY.end()), waits(b"\x03bulk", NOW.0, b"\0stripe"));
    drop(view);
    check(&bench).await;

    let Bench { store, .. } = bench;
    store.close().await.unwrap();
    let files = disk.synced();
    let owed = format_2::MANY.count() as u64 + 4;
    assert_eq!(rows(&files), (3, vec![format_2::DAMAGED], owed));
    check(&started(files)).await;
}

#[tokio::test]
async fn a_start_goes_on_wherever_a_kill_cut_an_upgrade_off() {
    let disk = Disk::holding(format_2::files().0);
    disk.record_cuts();
    drop(Bench::on(disk.clone(), Clock::manual(NOW)));

    let mut random = fastrand::Rng::with_seed(5);
    let mut halves = 0;
    for cut in disk.cuts() {
        let synced = cut.disk(|| false).synced();
        let (format, open, owed) = rows(&synced);
        // No older Hookgate may open one that has rows that it does not know.
        assert!(format == 3 || owed == 0, "{owed} rows in format {format}");
        halves += usize::from(owed > 0 && open.len() > 1);
        check(&started(synced)).await;
        check(&started(cut.torn(&mut random).synced())).await;
    }
    assert!(halves > 0, "a cut comes between two transactions");
}

#[tokio::test]
async fn works_whose_records_can_not_be_read_are_found_when_they_can_be() {
    let (mut files, many) = format_2::files();
    let byte = many.offset as usize + 60;
    files.get_mut(VOLUME).unwrap().flip(8 * byte);
    let disk = Disk::holding(files);

    let Bench { store, .. } = Bench::on(disk.clone(), Clock::manual(NOW));
    let works = store.stats().works;
    assert_eq!(works[&WorkKind::Delivery].pending(), 2);
    assert_eq!(store.stats().damaged, 2, "their segment, and the other one");
    store.close().await.unwrap();
    let mut files = disk.synced();
    assert_eq!(rows(&files).1.len(), format_2::MANY.count() + 1);

    files.get_mut(VOLUME).unwrap().flip(8 * byte);
    check(&started(files)).await;
}

#[tokio::test]
async fn a_check_leaves_the_upgrade_to_a_gateway_and_finds_what_that_made_sound() {
    let (files, _) = format_2::files();
    let folder = folder(&files);

    let refused = check_store(folder.path()).unwrap_err();
    assert!(matches!(refused, OpenError::Older { found: 2, .. }), "{refused:?}");
    let text = refused.to_string();
    assert!(text.contains("has format 2") && text.contains("start the gateway once"), "{text}");

    let store = Store::open(&Config::at(folder.path()), Clock::manual(NOW)).unwrap();
    store.close().await.unwrap();
    let faults = check_store(folder.path()).unwrap().faults;
    let positions: Vec<Option<u64>> = faults.iter().map(|fault| fault.position).collect();
    assert_eq!(positions, [Some(format_2::DAMAGED)], "{faults:#?}");
}

#[tokio::test]
async fn what_is_stored_next_stands_behind_all_that_format_2_had() {
    let bench = started(format_2::files().0);
    assert_eq!(bench.append(&["evt_next"]).await.position, format_2::END);
    let known = bench.store.append(receipt(&["evt_owed"])).await.unwrap();
    assert!(matches!(known, Appended::Duplicate(id) if id.position == 2), "{known:?}");
}

/// A start that is refused for the lack of one must leave the store as it is.
#[tokio::test]
async fn only_a_store_of_this_format_may_have_tokens_and_to_ask_upgrades_none() {
    let (files, _) = format_2::files();
    let older = folder(&files);
    assert!(!may_have_tokens(older.path()));
    let bytes = std::fs::read(older.path().join(ROWS)).expect("it is there");
    assert!(bytes == files[ROWS].to_vec(), "it is as it was");

    let Bench { folder, store, .. } = Bench::new();
    store.close().await.expect("it can be written");
    assert!(may_have_tokens(folder.path()));
    std::fs::remove_file(folder.path().join(ROWS)).expect("it is there");
    assert!(!may_have_tokens(folder.path()));
}
