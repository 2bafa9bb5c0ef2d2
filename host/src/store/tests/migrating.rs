//! A start converts a store of format 1, however often a kill cuts it off, and loses nothing of it
//! [I3, I8].

mod format_1;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{Database, ReadableDatabase, TableDefinition};
use tempfile::NamedTempFile;

use self::format_1::id;
use super::disk::{Disk, Fault};
use super::*;
use crate::ids::IdKind;
use crate::store::file::migrate::Conversion;

const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const ALL: Page = Page { cursor: None, limit: PAGE_ITEMS_MAX };

const STORE: &str = "hookgate.redb";
const DRAFT: &str = "hookgate.redb.draft";
const KEPT: &str = "hookgate.format-1.redb";

/// A folder with a store of format 1.
fn folder() -> TempDir {
    let folder = TempDir::new().expect("there is room");
    format_1::write(folder.path());
    folder
}

fn open(folder: &TempDir) -> Result<Store, OpenError> {
    Store::open(&Config::at(folder.path()), Clock::manual(NOW))
}

fn started(folder: TempDir) -> Bench {
    Bench::at(folder, Clock::manual(NOW))
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).expect("it is a folder");
    let name = |entry: io::Result<std::fs::DirEntry>| entry.expect("it has a name").file_name();
    entries.map(|entry| name(entry).into_string().expect("a name is text")).collect()
}

fn rename(folder: &TempDir, from: &str, to: &str) {
    let place = |name: &str| folder.path().join(name);
    std::fs::rename(place(from), place(to)).expect("it can be renamed");
}

/// Whether all is there that [`format_1::write`] wrote.
async fn check(bench: &Bench) {
    check_owed(bench).await;
    check_ids(bench).await;
    check_views(bench).await;
    check_history(bench).await;
}

async fn check_owed(bench: &Bench) {
    bench.clock.set(in_minutes(5));
    let parses = bench.store.take_parses(9, usize::MAX).await.expect("it can be read");
    assert_eq!(parses.iter().map(|work| work.id.position).collect::<Vec<_>>(), [16]);
    let runs = bench.runs().await;
    assert_eq!(runs.iter().map(|work| work.id.position).collect::<Vec<_>>(), [19]);
    let mut deliveries = bench.deliveries().await;
    deliveries.sort_by_key(|work| work.id);
    let tries = deliveries.iter().map(|work| (work.id.position, work.tries_made));
    assert_eq!(tries.collect::<Vec<_>>(), [(11, 1), (20, 0), (22, 0)]);
}

async fn check_ids(bench: &Bench) {
    for (event_id, position) in [("evt_old", 1), ("evt_dead", 8), ("evt_open", 16), ("evt_new", 17)]
    {
        let appended = bench.store.append(receipt(&[event_id])).await.expect("it is answered");
        assert_eq!(appended, Appended::Duplicate(id(IdKind::Receipt, position)), "{event_id}");
    }
}

async fn check_views(bench: &Bench) {
    let events = bench.store.events(&EventFilter::default(), ALL).await.expect("it can be read");
    let states = events.items.iter().map(|event| (event.id.position, event.state));
    let expected = [(18, State::Pending), (9, State::Pending), (2, State::Done)];
    assert_eq!(states.collect::<Vec<_>>(), expected);
    assert_eq!(events.damaged.len(), 1);
    let dead = bench.store.dead(ALL).await.expect("it can be read").items;
    assert_eq!(dead.iter().map(|dead| dead.id).collect::<Vec<_>>(), [id(IdKind::Run, 10)]);
    let damaged = bench.store.receipt(id(IdKind::Receipt, format_1::DAMAGED)).await;
    assert!(matches!(damaged, Err(Error::Damaged(_))), "{damaged:?}");
    let remembered = bench.store.state(&name("ledger"), "pi_1", "balance").expect("it is read");
    assert_eq!(remembered.as_deref(), Some(format_1::REMEMBERED));
}

/// Of what a sweep had packed.
async fn check_history(bench: &Bench) {
    let receipt = bench.store.receipt(id(IdKind::Receipt, 1)).await.expect("it can be read");
    let receipt = receipt.expect("it is there");
    assert_eq!(receipt.body.as_deref(), Some(r#"["evt_old"]"#));
    assert_eq!((receipt.tries.len(), receipt.events), (1, vec![id(IdKind::Event, 2)]));
    let event = bench.store.event(id(IdKind::Event, 2)).await.expect("it can be read");
    let event = event.expect("it is there");
    assert_eq!(event.receipt, Some(id(IdKind::Receipt, 1)));
    assert_eq!((event.runs[0].tries.len(), event.deliveries[0].attempts.len()), (1, 1));
}

#[tokio::test]
async fn all_of_a_store_of_format_1_is_there_after_a_start_and_the_old_file_too() {
    let folder = folder();
    let before = format_1::read(&folder.path().join(STORE));

    let bench = started(folder);
    assert_eq!(bench.deliveries().await.len(), 2, "one waits for its time");
    check(&bench).await;
    let new = bench.append(&["evt_next"]).await;
    assert_eq!(new, id(IdKind::Receipt, format_1::END));
    let bench = bench.restart().await;

    let known = bench.store.append(receipt(&["evt_next"])).await.unwrap();
    assert_eq!(known, Appended::Duplicate(new));
    assert_eq!(bench.store.take_parses(9, usize::MAX).await.unwrap().len(), 2);
    assert_eq!(format_1::read(&bench.folder.path().join(KEPT)), before);
    assert!(!names(bench.folder.path()).contains(DRAFT));
}

#[tokio::test]
async fn a_log_and_a_table_that_are_larger_than_one_change_are_copied_whole() {
    const COUNT: u64 = 18;
    let folder = TempDir::new().unwrap();
    format_1::write_large(folder.path(), COUNT);

    let bench = started(folder);

    for number in 0..COUNT {
        let appended = bench.store.append(receipt(&[&format_1::large_event_id(number)])).await;
        let Ok(Appended::Duplicate(known)) = appended else { panic!("{number}: {appended:?}") };
        let receipt = bench.store.read_receipt(known).await.unwrap().unwrap();
        let state = bench.store.state(&name("ledger"), "large", &number.to_string()).unwrap();
        assert_eq!(state.unwrap(), receipt.request.body, "{number}");
    }
}

/// Builds the volumes and the draft on a disk, from the store in a folder.
fn build(folder: &TempDir, disk: &Disk) -> Result<(), OpenError> {
    let old = Database::open(folder.path().join(STORE)).expect("it is there");
    conversion(folder, disk, |_| Ok(u64::MAX)).build(&old, format_1::TAG)
}

/// One to a disk, in volumes that are full at once.
fn conversion<'a>(
    folder: &'a TempDir,
    disk: &Disk,
    free: fn(&Path) -> io::Result<u64>,
) -> Conversion<'a> {
    let medium = Arc::new(disk.clone());
    Conversion { folder: folder.path(), medium, volume_bytes: 1, free }
}

/// What a power cut leaves of what was built on a disk, with the draft in its place.
fn placed(disk: &Disk) -> Disk {
    let mut files = disk.synced();
    let draft = files.remove(DRAFT).expect("the draft is durable");
    files.insert(STORE.to_owned(), draft);
    Disk::holding(files)
}

/// Cuts a conversion on a disk off at every sync, and begins again on what that leaves.
async fn check_cuts(folder: &TempDir, disk: &Disk) {
    disk.record_cuts();
    build(folder, disk).expect("it can be built");
    let cuts = disk.cuts();
    assert!(cuts.len() >= 10, "{} syncs", cuts.len());
    let mut random = fastrand::Rng::with_seed(17);
    for (number, cut) in cuts.iter().enumerate() {
        for left in [cut.disk(|| false), cut.disk(|| true), cut.torn(&mut random)] {
            build(folder, &left).unwrap_or_else(|error| panic!("cut {number}: {error:?}"));
            check(&Bench::on(placed(&left), Clock::manual(NOW))).await;
        }
    }
}

#[tokio::test]
async fn a_power_cut_at_any_sync_of_a_conversion_ends_in_the_same() {
    let folder = folder();
    check_cuts(&folder, &Disk::default()).await;

    // The same where there is an unfinished one to remove first.
    let unfinished = Disk::default();
    build(&folder, &unfinished).unwrap();
    check_cuts(&folder, &Disk::holding(unfinished.synced())).await;
}

#[tokio::test]
async fn a_disk_that_fails_or_is_full_leaves_the_store_as_it_was() {
    let folder = folder();
    let before = format_1::read(&folder.path().join(STORE));
    for fault in [Fault::Write, Fault::Sync] {
        let disk = Disk::default();
        let mut failures = 0;
        for accesses in (0..).step_by(3) {
            disk.fail_after(fault, accesses);
            let built = build(&folder, &disk);
            disk.mend();
            let Err(error) = built else { break };
            failures += 1;
            let OpenError::Unconverted { path, .. } = &error else { panic!("{error:?}") };
            assert_eq!(*path, folder.path().join(STORE));
            assert_eq!(format_1::read(path), before);
        }
        assert!(failures >= 3, "{failures} failures");
        check(&Bench::on(placed(&disk), Clock::manual(NOW))).await;
    }
}

/// What a kill leaves in the folder.
#[derive(Debug, Clone, Copy)]
enum Left {
    /// A draft and a volume that are not whole.
    Begun,
    /// All that is new, and the old file in its place.
    Built,
    /// The old file has made room.
    Kept,
}

/// A folder that was left so.
async fn cut_off(left: Left) -> TempDir {
    let folder = folder();
    if let Left::Begun = left {
        std::fs::write(folder.path().join(DRAFT), "redb").expect("there is room");
        std::fs::write(folder.path().join("volume-00000007.hgv"), "HG").expect("there is room");
        return folder;
    }
    let Bench { folder, store, .. } = started(folder);
    store.close().await.expect("it can be closed");
    rename(&folder, STORE, DRAFT);
    if let Left::Built = left {
        rename(&folder, KEPT, STORE);
    }
    folder
}

#[tokio::test]
async fn a_start_goes_on_wherever_a_kill_cut_a_conversion_off() {
    let whole = started(folder());
    let expected = names(whole.folder.path());
    for left in [Left::Begun, Left::Built, Left::Kept] {
        let folder = cut_off(left).await;

        let bench = started(folder);

        check(&bench).await;
        assert_eq!(names(bench.folder.path()), expected, "{left:?}");
    }
}

#[tokio::test]
async fn a_second_gateway_is_refused_during_a_conversion() {
    for (left, held) in [(Left::Begun, STORE), (Left::Built, STORE), (Left::Kept, KEPT)] {
        let folder = cut_off(left).await;
        let before = names(folder.path());
        let first = Database::open(folder.path().join(held)).unwrap();

        let second = open(&folder);

        assert!(matches!(second, Err(OpenError::InUse { .. })), "{left:?}: {second:?}");
        assert_eq!(names(folder.path()), before, "{left:?}");
        drop(first);
        check(&started(folder)).await;
    }
}

/// A conversion that would remove or replace this file must be refused, and name it.
async fn check_refused(file: &str) {
    let folder = folder();
    let path: PathBuf = folder.path().join(file);
    std::fs::write(&path, "mine").expect("there is room");

    let refused = open(&folder).expect_err("it is in the way");

    let is_expected = matches!(refused, OpenError::KeptBefore { .. } | OpenError::Mixed { .. });
    assert!(is_expected, "{refused:?}");
    let text = refused.to_string();
    assert!(text.contains(path.to_str().expect("it is text")) && text.contains("move"), "{text}");
    assert_eq!(std::fs::read(&path).expect("it is there"), b"mine");
    std::fs::remove_file(path).expect("it can be moved");
    check(&started(folder)).await;
}

#[tokio::test]
async fn a_file_in_the_place_of_the_old_one_is_never_overwritten() {
    check_refused(KEPT).await;
}

#[tokio::test]
async fn volumes_that_no_conversion_has_left_are_never_removed() {
    check_refused("volume-00000001.hgv").await;
}

#[test]
fn a_draft_that_is_not_whole_takes_no_place() {
    let folder = folder();
    rename(&folder, STORE, KEPT);
    drop(Database::create(folder.path().join(DRAFT)).unwrap());
    let before = names(folder.path());

    let refused = open(&folder);

    assert!(matches!(&refused, Err(OpenError::Foreign { path }) if path.ends_with(DRAFT)));
    assert_eq!(names(folder.path()), before);
}

#[tokio::test]
async fn a_disk_without_the_room_for_it_is_named_before_anything_is_written() {
    let folder = folder();
    let disk = Disk::default();
    let old = Database::open(folder.path().join(STORE)).unwrap();
    let conversion = conversion(&folder, &disk, |_| Ok(1 << 20));

    let refused = conversion.build(&old, format_1::TAG).unwrap_err();

    assert!(matches!(refused, OpenError::NoRoom { .. }), "{refused:?}");
    let text = refused.to_string();
    assert!(text.contains("needs 33 MiB on the disk, which has 1 MiB left"), "{text}");
    assert!(disk.names().unwrap().is_empty());
    drop(old);
    check(&started(folder)).await;
}

#[test]
fn an_older_hookgate_finds_the_format_where_it_looks_for_it() {
    let folder = folder();
    drop(open(&folder).unwrap());

    let database = Database::open(folder.path().join(STORE)).unwrap();
    let meta = database.begin_read().unwrap().open_table(META).unwrap();
    let fact = |name: &str| meta.get(name).unwrap().unwrap().value();
    assert_eq!((fact("format"), fact("tag")), (3, u64::from(format_1::TAG)));
    assert_eq!(fact("end"), format_1::END);
}

#[tokio::test]
async fn the_log_names_the_old_file_and_its_size() {
    let log = NamedTempFile::new().unwrap();
    let writer = Arc::new(log.reopen().unwrap());
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(writer).finish();
    // While there are two, a line that another thread meets first is held against both of them, and
    // not against what that thread listens with.
    let _another = tracing::Dispatch::new(tracing_subscriber::registry());
    let _logging = tracing::subscriber::set_default(subscriber);
    // Another test may have met a line first, when nobody listened.
    tracing::callsite::rebuild_interest_cache();

    for left in [Left::Begun, Left::Kept] {
        let folder = cut_off(left).await;
        let before = std::fs::read_to_string(&log).unwrap().len();
        drop(open(&folder).unwrap());

        let text = std::fs::read_to_string(&log).unwrap().split_off(before);
        let kept = folder.path().join(KEPT);
        let size = std::fs::metadata(&kept).unwrap().len().div_ceil(1 << 20);
        let named = format!("as {} ({size} MiB)", kept.display());
        assert!(text.contains(&named) && text.contains("delete it"), "{left:?}: {text}");
    }
}
