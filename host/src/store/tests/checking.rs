//! The check: what is sound is sound, and one thing that is wrong is one fault, with its place.

use std::collections::{BTreeMap, BTreeSet};

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use super::disk::pages::Pages;
use super::disk::{Disk, Files};
use super::frames::{COMMIT, Frame, frames, is_volume};
use super::*;
use crate::store::state;

const SEGMENTS: TableDefinition<'_, u64, &[u8; 12]> = TableDefinition::new("segments");
const OUTCOMES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("outcomes");
const DEAD: TableDefinition<'_, u64, u8> = TableDefinition::new("dead");
const OWED: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("owed");
const DUE: TableDefinition<'_, &[u8], ()> = TableDefinition::new("due");
const STATE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("state");
const VOLUMES: TableDefinition<'_, u32, (u64, u64)> = TableDefinition::new("volumes");
const ROWS: &str = "hookgate.redb";

/// A store in which work has come to every stand there is, half of it packed.
async fn filled() -> Bench {
    let bench = Bench::new();
    for number in 0..6 {
        bench.finished(&format!("evt_{number}"), Verdict::Done).await;
    }
    bench.finished("evt_dead", Verdict::Dead).await;
    let bench = bench.restart().await;
    bench.clock.advance(Duration::from_secs(2 * 24 * 60 * 60));
    bench.store.sweep(&Retention::default()).await.expect("it can be written");
    let later = NOW.after(Duration::from_secs(100 * 24 * 60 * 60));
    bench.finished("evt_later", Verdict::RetryAt(later)).await;
    bench.bring(vec![event("evt_open", "pi_2").to(&["ledger"], &["crm"])]).await;
    bench
}

/// The folder of one, closed.
async fn closed() -> TempDir {
    let Bench { folder, store, .. } = filled().await;
    store.close().await.expect("it can be written");
    folder
}

fn files(folder: &TempDir) -> Files {
    let entries = std::fs::read_dir(folder.path()).expect("it can be listed");
    let file = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.expect("it can be listed");
        let pages = Pages::of(&std::fs::read(entry.path()).expect("it can be read"));
        (entry.file_name().into_string().expect("a name is text"), pages)
    };
    entries.map(file).collect()
}

/// Changes some bytes of a file; twice is not at all.
fn flip(folder: &TempDir, file: &str, bytes: &[usize]) {
    let path = folder.path().join(file);
    let mut content = std::fs::read(&path).expect("it can be read");
    bytes.iter().for_each(|byte| content[*byte] ^= 4);
    std::fs::write(&path, content).expect("it can be written");
}

fn edit(folder: &TempDir, change: impl FnOnce(&redb::WriteTransaction)) {
    let database = Database::open(folder.path().join(ROWS)).expect("it opens");
    let transaction = database.begin_write().expect("it can be written");
    change(&transaction);
    transaction.commit().expect("it can be written");
}

/// Where each segment lies, by its row: its file and offset.
fn places(folder: &TempDir) -> BTreeMap<u64, (String, usize)> {
    let database = Database::open(folder.path().join(ROWS)).expect("it opens");
    let transaction = database.begin_read().expect("it can be read");
    let segments = transaction.open_table(SEGMENTS).expect("there is the table");
    let rows = segments.iter().expect("it can be read");
    let place = |row: &[u8; 12]| {
        let part = |at: usize| u32::from_le_bytes(*row[at..].first_chunk().expect("it is there"));
        (format!("volume-{:08}.hgv", part(0)), part(4) as usize)
    };
    rows.map(|row| {
        let (first, row) = row.expect("it can be read");
        (first.value(), place(row.value()))
    })
    .collect()
}

fn checked(folder: &TempDir) -> Checked {
    let checked = check(folder.path()).expect("it can be looked at");
    assert_eq!(checked.found, checked.faults.len() as u64);
    checked
}

/// The one fault there is.
#[track_caller]
fn only_fault(folder: &TempDir) -> Fault {
    let mut faults = checked(folder).faults;
    assert_eq!(faults.len(), 1, "{faults:#?}");
    faults.remove(0)
}

#[tokio::test]
async fn a_sound_store_is_sound_and_stays_as_it_is() {
    let folder = closed().await;
    let before = files(&folder);
    let found = checked(&folder);
    assert!(found.faults.is_empty(), "{found:#?}");
    assert!(found.volumes >= 2 && found.frames > 0 && found.standings >= 9, "{found:?}");
    assert!(found.records > found.segments, "{found:?}");

    let after = files(&folder);
    assert_eq!(after.len(), before.len());
    for (name, bytes) in &before {
        assert!(bytes.to_vec() == after[name].to_vec(), "{name} was changed");
    }
    assert_eq!(found.segments, places(&folder).len() as u64);
}

#[tokio::test]
async fn what_a_power_cut_leaves_is_sound() {
    let disk = Disk::default();
    let bench = Bench::on(disk.clone(), Clock::manual(NOW));
    for number in 0..4 {
        bench.finished(&format!("evt_{number}"), Verdict::Done).await;
    }
    let left = disk.synced();
    let folder = TempDir::new().unwrap();
    for (name, bytes) in &left {
        std::fs::write(folder.path().join(name), bytes.to_vec()).unwrap();
    }
    let found = checked(&folder);
    assert!(found.faults.is_empty(), "{found:#?}");
    // Rows of the latest are not durable yet: they are found in their frames.
    let appended = frames(&left).iter().filter(|frame| frame.kind == COMMIT).count() as u64;
    assert!(found.frames == appended && found.records > 0, "{found:?}");
}

#[tokio::test]
async fn a_flipped_bit_names_exactly_the_frame_that_it_is_in() {
    let folder = closed().await;
    for (position, (file, offset)) in places(&folder) {
        // In the magic, the position, the sum of the head, and the body.
        for byte in [0, 17, 33, 45] {
            flip(&folder, &file, &[offset + byte]);
            let fault = only_fault(&folder);
            let place = (fault.offset.map(|offset| offset as usize), fault.position);
            assert_eq!(fault.file, file);
            assert_eq!(place, (Some(offset), Some(position)), "byte {byte}: {fault}");
            flip(&folder, &file, &[offset + byte]);
        }
    }
    assert_eq!(checked(&folder).found, 0);
}

#[tokio::test]
async fn a_damaged_frame_that_no_row_needs_is_named_too() {
    let folder = closed().await;
    let places: Vec<_> = places(&folder).into_values().collect();
    let is_needed = |frame: &Frame| places.contains(&(frame.file.clone(), frame.offset));
    let all = frames(&files(&folder));
    let packed = all.iter().find(|frame| frame.kind == COMMIT && !is_needed(frame));
    let Frame { file, offset, .. } = packed.expect("what it has was packed");
    flip(&folder, file, &[offset + 41]);
    let fault = only_fault(&folder);
    assert_eq!((&fault.file, fault.offset, fault.position), (file, Some(*offset as u32), None));
}

#[tokio::test]
async fn the_head_of_a_volume_is_a_fault_of_its_own() {
    let folder = closed().await;
    flip(&folder, "volume-00000001.hgv", &[17]);
    let fault = only_fault(&folder);
    assert!(fault.reason.starts_with("one bit of its head"), "{fault}");

    flip(&folder, "volume-00000001.hgv", &[18]);
    let fault = only_fault(&folder);
    let inside = places(&folder).values().filter(|(file, _)| file == "volume-00000001.hgv").count();
    let expected = format!("its head is damaged: the {inside} segments in it can't be read");
    assert_eq!((fault.file.as_str(), fault.reason), ("volume-00000001.hgv", expected));
}

#[tokio::test]
async fn a_volume_that_is_missing_is_one_fault_with_what_was_in_it() {
    let folder = closed().await;
    let places: Vec<String> = places(&folder).into_values().map(|(file, _)| file).collect();
    for file in ["volume-00000001.hgv", "volume-00000002.hgv"] {
        let inside = places.iter().filter(|other| *other == file).count();
        let path = folder.path().join(file);
        let content = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let fault = only_fault(&folder);
        assert_eq!(fault.file, file);
        assert!(fault.reason.starts_with("the file is missing"), "{fault}");
        assert!(fault.reason.contains(&format!(" {inside} segments in it")), "{fault}");
        std::fs::write(&path, content).unwrap();
    }
}

#[tokio::test]
async fn a_row_that_points_nowhere_is_a_fault() {
    let folder = closed().await;
    let (position, (file, offset)) = places(&folder).pop_last().expect("there is a segment");
    edit(&folder, |transaction| {
        let mut segments = transaction.open_table(SEGMENTS).unwrap();
        let mut row = *segments.get(position).unwrap().unwrap().value();
        row[4..8].copy_from_slice(&(offset as u32 + 1).to_le_bytes());
        segments.insert(position, &row).unwrap();
    });
    let fault = only_fault(&folder);
    assert_eq!((fault.file, fault.position), (file, Some(position)));
}

#[tokio::test]
async fn rows_that_contradict_the_log_are_faults() {
    const NOWHERE: u64 = 1 << 40;
    const SHARES: &str = "`volumes` counts 1 segments and 99 bytes in volume-00000007.hgv, but \
                          `segments` has 0 and 0";
    let folder = closed().await;
    edit(&folder, |transaction| {
        let mut outcomes = transaction.open_table(OUTCOMES).unwrap();
        // Done after one try, and no standing at all.
        outcomes.insert(NOWHERE, &[2_u8, 1, 0, 0][..]).unwrap();
        outcomes.insert(NOWHERE + 1, &[9_u8][..]).unwrap();
        transaction.open_table(DEAD).unwrap().insert(NOWHERE, 1_u8).unwrap();
        transaction.open_table(VOLUMES).unwrap().insert(7_u32, (1_u64, 99_u64)).unwrap();
    });
    let faults = checked(&folder).faults;
    assert!(faults.iter().all(|fault| fault.file == ROWS), "{faults:#?}");
    let told: Vec<_> = faults.iter().map(|fault| (fault.position, &*fault.reason)).collect();
    assert_eq!(
        told,
        [
            (None, SHARES),
            (Some(NOWHERE), "`outcomes` has a row of a work that the log does not have"),
            (Some(NOWHERE + 1), "the row in `outcomes` can't be decoded"),
            (Some(NOWHERE), "`dead` has a row of a work that is not dead"),
            (None, "`totals` counts 0 works of kind 1, but `dead` has 1"),
        ]
    );
}

#[tokio::test]
async fn a_remembered_value_that_is_not_as_it_was_written_is_a_fault() {
    let folder = closed().await;
    edit(&folder, |transaction| {
        let key = state::key(&name("ledger"), "pi_1", "paid");
        let mut row = state::row(&key, NOW, b"4200").to_vec();
        row[8] ^= 1;
        transaction.open_table(STATE).unwrap().insert(&key[..], &row[..]).unwrap();
    });
    let fault = only_fault(&folder);
    assert_eq!(fault.file, ROWS);
    assert_eq!(fault.reason, "a row in `state` of the handler ledger is damaged");
}

#[tokio::test]
async fn an_open_work_whose_rows_contradict_each_other_is_damage_and_not_done() {
    let Bench { folder, clock, store } = filled().await;
    store.close().await.unwrap();
    let mut moved = 0;
    edit(&folder, |transaction| {
        let mut rows = transaction.open_table(OWED).unwrap();
        let (work, mut row) = {
            let (work, row) = rows.last().unwrap().expect("one is open");
            (work.value(), row.value().to_vec())
        };
        // Since when it may be tried.
        row[7] ^= 1;
        rows.insert(work, &row[..]).unwrap();
        moved = work;
    });
    let bench = Bench::at(folder, clock);
    let deliveries = bench.deliveries().await;
    assert!(deliveries.iter().all(|work| work.id.position != moved), "{deliveries:?}");
    assert_eq!(bench.store.stats().damaged, 1);
}

/// The row of a work of the endpoint `erp` that may be tried since this, and its key in the lane.
fn owed(since: u64, work: u64) -> (Vec<u8>, Vec<u8>) {
    let (since, work) = (since.to_be_bytes(), work.to_be_bytes());
    let row = [&since[..], b"\x04\x03erp\0"].concat();
    (row, [&b"\x03erp\0"[..], &since, &work].concat())
}

#[tokio::test]
async fn rows_of_open_works_that_contradict_each_other_are_faults() {
    const NOWHERE: u64 = 1 << 40;
    let folder = closed().await;
    let mut dead = 0;
    edit(&folder, |transaction| {
        let letters = transaction.open_table(DEAD).unwrap();
        dead = letters.first().unwrap().expect("one is dead").0.value();
        let mut rows = transaction.open_table(OWED).unwrap();
        let mut lanes = transaction.open_table(DUE).unwrap();
        // Whole, but finished; in the wrong place of the lane; torn; and in the lane alone.
        rows.insert(dead, &owed(5, dead).0[..]).unwrap();
        lanes.insert(&owed(5, dead).1[..], ()).unwrap();
        rows.insert(NOWHERE, &owed(5, NOWHERE).0[..]).unwrap();
        lanes.insert(&owed(6, NOWHERE).1[..], ()).unwrap();
        rows.insert(NOWHERE + 1, &b"torn"[..]).unwrap();
        lanes.insert(&owed(5, NOWHERE + 1).1[..], ()).unwrap();
        lanes.insert(&owed(5, NOWHERE + 2).1[..], ()).unwrap();
        lanes.insert(&b"torn"[..], ()).unwrap();
    });
    let faults = checked(&folder).faults;
    let told: BTreeSet<_> = faults.iter().map(|fault| (fault.position, &*fault.reason)).collect();
    let misplaced = |here: &str, there: &str| {
        format!("`{here}` has a row of a work that `{there}` does not have in its place")
    };
    let (owed, due) = (misplaced("owed", "due"), misplaced("due", "owed"));
    let expected = [
        (None, "`totals` counts 0 works of delivery erp, but `owed` has 2"),
        (None, "a row in `due` can't be decoded"),
        (Some(dead), "`owed` has a row of a work that is finished"),
        (Some(NOWHERE), "`owed` has a row of a work that the log does not have"),
        (Some(NOWHERE), &*owed),
        (Some(NOWHERE), &*due),
        (Some(NOWHERE + 1), "the row in `owed` can't be decoded"),
        (Some(NOWHERE + 2), &*due),
    ];
    assert_eq!((faults.len(), told), (expected.len(), BTreeSet::from(expected)));
}

#[tokio::test]
async fn where_the_rows_are_damaged_the_volumes_are_looked_at_all_the_same() {
    let folder = closed().await;
    let whole = frames(&files(&folder)).len() as u64;
    // Every page in which a fact of the store is, old ones too.
    let content = std::fs::read(folder.path().join(ROWS)).unwrap();
    let fact = b"low_water";
    let found = content.windows(fact.len()).enumerate().filter(|(_, bytes)| bytes == fact);
    let bytes: Vec<usize> = found.map(|(at, _)| at).collect();
    assert!(!bytes.is_empty(), "there is the fact");
    flip(&folder, ROWS, &bytes);

    let found = checked(&folder);
    assert!(found.faults.iter().any(|fault| fault.file == ROWS), "{found:?}");
    assert!(found.faults.iter().all(|fault| !is_volume(&fault.file)), "{found:?}");
    assert!(found.frames > 0 && found.frames <= whole, "{found:?}");
}

#[tokio::test]
async fn a_store_that_a_gateway_has_open_is_left_alone() {
    let bench = filled().await;
    let refused = check(bench.folder.path()).unwrap_err();
    assert!(matches!(refused, OpenError::InUse { .. }), "{refused:?}");
    assert!(bench.store.trouble().is_none());
    bench.append(&["evt_after"]).await;
}

#[test]
fn what_is_not_there_can_not_be_looked_at() {
    let folder = TempDir::new().unwrap();
    assert!(matches!(check(folder.path()).unwrap_err(), OpenError::Failed { .. }));
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none(), "nothing was made");
    std::fs::write(folder.path().join(ROWS), "not a database").unwrap();
    assert!(matches!(check(folder.path()).unwrap_err(), OpenError::Foreign { .. }));
}
