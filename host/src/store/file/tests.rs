//! The files of a store, without all that is above them: what a kill leaves of commits.

mod holding;
mod owing;

use bytes::Bytes;
use redb::{AccessGuard, Key, ReadTransaction, ReadableTable, TableDefinition, TableHandle, Value};
use tempfile::TempDir;

use super::catch_up::catch_up;
use super::change::ChangedRows;
use super::folder::Folder;
use super::identity::open_database;
use super::schema::{DEAD, DUE, META, OUTCOMES, OWED, SEGMENTS, STATE, SWEPT, TOTALS, VOLUMES};
use super::volumes::{Extent, Point};
use super::*;
use crate::causes::chain;
use crate::event::Timestamp;
use crate::store::rows::Rows;

/// So small that some frames fill one.
const SIZES: Sizes = Sizes { volume_bytes: 4096, checkpoint_bytes: CHECKPOINT_BYTES };

/// A store's files in a folder.
struct Bench {
    folder: TempDir,
    file: File,
    damages: Arc<Damages>,
    /// The position of the next segment.
    next: u64,
}

fn open(folder: &Path) -> Result<(File, Arc<Damages>), OpenError> {
    let damages = Arc::<Damages>::default();
    Ok((File::open(folder, SIZES, Arc::clone(&damages))?, damages))
}

/// What a change does.
type Make<'a> = &'a dyn Fn(&mut ChangedRows<'_>);

impl Bench {
    fn new() -> Self {
        Self::at(TempDir::new().expect("a folder can be made"))
    }

    fn at(folder: TempDir) -> Self {
        let (file, damages) = open(folder.path()).expect("it opens");
        let end = file.read().and_then(|view| view.fact(END)).expect("it can be read");
        let next = end.expect("the log ends somewhere");
        Self { folder, file, damages, next }
    }

    /// What a kill leaves, opened again. This one goes on beside it.
    fn killed(&self) -> Self {
        Self::at(self.copy())
    }

    fn copy(&self) -> TempDir {
        let folder = TempDir::new().expect("a folder can be made");
        for name in self.names() {
            let (from, to) = (self.folder.path().join(&name), folder.path().join(&name));
            std::fs::copy(from, to).expect("a file can be copied");
        }
        folder
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).expect("it can be listed");
        let name = |entry: std::io::Result<std::fs::DirEntry>| {
            entry.expect("it can be listed").file_name().into_string().expect("a name is text")
        };
        let mut names: Vec<String> = entries.map(name).collect();
        names.sort();
        names
    }

    fn has(&self, volume: u32) -> bool {
        self.names().contains(&format!("volume-{volume:08}.hgv"))
    }

    /// A change that adds this segment, and what else it is made to do.
    fn change(&self, segment: &[u8], make: Make<'_>) -> Change {
        let mut change = self.file.write().expect("a change can begin");
        let mut rows = change.tables();
        make(&mut rows);
        rows.remember(END, self.next + 1).expect("a row can be made");
        rows.put_segment(self.next, segment);
        drop(rows);
        change
    }

    /// Commits such a change, and gives the position of its segment.
    fn commit(&mut self, segment: &[u8], make: Make<'_>) -> u64 {
        self.file.commit(self.change(segment, make)).expect("it commits");
        self.next += 1;
        self.next - 1
    }

    fn view(&self) -> View {
        self.file.read().expect("it can be read")
    }

    /// Where the segment with this key lies.
    fn extent(&self, first: u64) -> Extent {
        let transaction = self.transaction();
        let segments = transaction.open_table(SEGMENTS).expect("there is the table");
        let row = segments.get(first).expect("it can be read").expect("it has a row");
        Extent::read(row.value()).expect("it says where")
    }

    fn segment(&self, first: u64) -> Result<Option<Vec<u8>>, Failure> {
        self.view().log()?.row(first, <[u8]>::to_vec)
    }

    fn transaction(&self) -> ReadTransaction {
        self.file.with(|opened| opened.database.begin_read()).expect("it is open")
    }

    /// All rows but those of the ids.
    fn rows(&self) -> Vec<String> {
        let transaction = self.transaction();
        [
            all(&transaction, SEGMENTS),
            all(&transaction, OUTCOMES),
            all(&transaction, OWED),
            all(&transaction, DUE),
            all(&transaction, DEAD),
            all(&transaction, STATE),
            all(&transaction, SWEPT),
            all(&transaction, META),
        ]
        .concat()
    }

    /// What is written down of volumes and of works, behind a checkpoint.
    fn live(&self) -> Vec<String> {
        self.file.checkpoint().expect("it can be written");
        [all(&self.transaction(), VOLUMES), all(&self.transaction(), TOTALS)].concat()
    }
}

fn all<K: Key + 'static, V: Value + 'static>(
    transaction: &ReadTransaction,
    definition: TableDefinition<'_, K, V>,
) -> Vec<String> {
    let table = transaction.open_table(definition).expect("there is the table");
    let row = |(key, value): (AccessGuard<'_, K>, AccessGuard<'_, V>)| {
        format!("{} {:?} {:?}", definition.name(), key.value(), value.value())
    };
    let rows = table.iter().expect("it can be read");
    rows.map(|found| row(found.expect("it can be read"))).collect()
}

/// Any change of rows, of the segments before this position too.
fn any_change(rows: &mut ChangedRows<'_>, random: &mut fastrand::Rng, next: u64) {
    let work = random.u64(..40);
    let bytes = vec![random.u8(..); random.usize(..300)];
    let value = random.bool().then_some(bytes.as_slice());
    let made = match random.u8(..9) {
        0 | 1 => rows.put_outcome(work, &bytes),
        2 => rows.remove_outcome(work),
        3 => owing::any_owed(rows, random, work),
        4 => rows.put_letter(work, random.bool().then_some(2)),
        5 => rows.put_state(&[random.u8(..9)], value),
        6 => rows.remember(LOW_WATER, work),
        7 => rows.remove_segment(random.u64(..next)),
        _ => {
            let first = random.u64(..next);
            rows.put_packed(first, &Bytes::copy_from_slice(&bytes), Timestamp(work));
            rows.remove_segment(first)
        }
    };
    made.expect("a row can be made");
}

/// Commits any changes.
fn commit_any(bench: &mut Bench, random: &mut fastrand::Rng) {
    let seed = random.u64(..);
    let next = bench.next;
    bench.commit(&vec![7; random.usize(..500)], &|rows| {
        let mut random = fastrand::Rng::with_seed(seed);
        (0..random.usize(..8)).for_each(|_| any_change(rows, &mut random, next));
    });
}

#[test]
fn a_kill_behind_any_commit_leaves_the_rows_that_the_commits_made() {
    for seed in 0..6 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut bench = Bench::new();
        for number in 0..80 {
            commit_any(&mut bench, &mut random);
            if random.u8(..20) == 0 {
                bench.file.checkpoint().unwrap();
            }
            if number % 16 == 15 {
                let killed = bench.killed();
                assert_eq!(killed.rows(), bench.rows(), "{seed} {number}");
                assert_eq!(killed.damages.count(), 0);
            }
        }
        assert_eq!(bench.killed().live(), bench.live(), "{seed}");
    }
}

#[test]
fn a_kill_behind_more_than_one_transaction_takes_leaves_all_of_it() {
    let mut bench = Bench::new();
    for work in 0..4 {
        bench.commit(&vec![7; 5 << 20], &opening(work));
    }

    let killed = bench.killed();

    assert_eq!(killed.rows(), bench.rows());
    assert_eq!(killed.live(), bench.live());
}

#[test]
fn files_that_are_opened_anew_say_the_same() {
    let mut random = fastrand::Rng::with_seed(1);
    let mut bench = Bench::new();
    for _ in 0..20 {
        commit_any(&mut bench, &mut random);
    }
    let rows = bench.rows();

    assert_eq!(bench.file.reopen().unwrap(), Reopened::AsLeft);
    assert_eq!(bench.rows(), rows);
    let live = bench.live();
    bench.file.close();
    let again = Bench::at(bench.copy());
    assert_eq!((again.rows(), again.live()), (rows, live));
}

#[test]
fn a_change_that_is_not_committed_changes_neither_rows_nor_what_is_live() {
    let mut bench = Bench::new();
    let first = bench.commit(b"one", &|_| ());
    let (rows, live) = (bench.rows(), bench.live());

    drop(bench.change(b"two", &|rows| {
        rows.remove_segment(first).unwrap();
        rows.put_packed(first, &Bytes::from_static(b"packed"), Timestamp(1));
        rows.put_outcome(1, b"standing").unwrap();
        rows.put_state(b"key", Some(b"value")).unwrap();
    }));

    assert_eq!((bench.rows(), bench.live()), (rows, live.clone()));
    assert_eq!(bench.segment(first).unwrap().unwrap(), b"one");
    assert_eq!(bench.killed().live(), live);
}

#[test]
fn a_change_that_adds_nothing_to_the_log_is_durable() {
    let mut bench = Bench::new();
    bench.commit(b"one", &opening(1));
    let mut change = bench.file.write().unwrap();
    opening(2)(&mut change.tables());
    change.tables().remember(TOLD, 77).unwrap();
    bench.file.commit(change).unwrap();

    let killed = bench.killed();

    assert_eq!(owing::open_works(&killed.view()), [1, 2]);
    assert_eq!(killed.view().fact(TOLD).unwrap(), Some(77));
}

/// Commits segments until the log is in another volume, and gives the positions of those before.
fn fill_a_volume(bench: &mut Bench) -> Vec<u64> {
    let mut filled = Vec::new();
    loop {
        let first = bench.commit(&[7; 500], &|_| ());
        if bench.extent(first).volume > 1 {
            return filled;
        }
        filled.push(first);
    }
}

#[test]
fn a_volume_with_nothing_live_goes_after_a_checkpoint_and_a_view_reads_it_still() {
    let mut bench = Bench::new();
    let filled = fill_a_volume(&mut bench);
    let view = bench.view();
    bench.commit(b"", &|rows| {
        filled.iter().for_each(|first| rows.remove_segment(*first).unwrap());
    });

    assert!(bench.has(1), "a start may find rows that point into it");
    assert_eq!(bench.killed().rows(), bench.rows());
    bench.file.checkpoint().unwrap();
    assert!(!bench.has(1) && bench.has(2));

    let read = view.log().unwrap().row(filled[0], <[u8]>::to_vec).unwrap();
    assert_eq!(read.unwrap(), [7; 500]);
    assert_eq!(bench.killed().rows(), bench.rows());
}

#[test]
fn a_volume_with_one_live_segment_stays() {
    let mut bench = Bench::new();
    let filled = fill_a_volume(&mut bench);
    let (kept, gone) = filled.split_first().unwrap();
    bench.commit(b"", &|rows| {
        gone.iter().for_each(|first| rows.remove_segment(*first).unwrap());
    });

    bench.file.checkpoint().unwrap();
    bench.file.checkpoint().unwrap();

    assert!(bench.has(1));
    assert_eq!(bench.segment(*kept).unwrap().unwrap(), [7; 500]);
}

#[test]
fn a_volume_filled_since_the_last_checkpoint_stays_through_an_outage_and_goes_when_it_is_due() {
    let mut bench = Bench::new();
    let filled = fill_a_volume(&mut bench);

    bench.file.reopen().unwrap();

    assert!(bench.has(1));
    for first in &filled {
        assert_eq!(bench.segment(*first).unwrap().unwrap(), [7; 500]);
    }
    bench.commit(b"", &|rows| {
        filled.iter().for_each(|first| rows.remove_segment(*first).unwrap());
    });
    bench.file.checkpoint().unwrap();
    assert!(!bench.has(1));
}

#[test]
fn a_kill_between_a_checkpoint_and_the_removal_leaves_a_volume_for_the_next_start() {
    let mut bench = Bench::new();
    let filled = fill_a_volume(&mut bench);
    bench.commit(b"", &|rows| {
        filled.iter().for_each(|first| rows.remove_segment(*first).unwrap());
    });
    // A checkpoint that removes nothing.
    bench.file.commit(bench.file.write().unwrap()).unwrap();
    assert!(bench.has(1));

    assert!(!bench.killed().has(1));
}

/// Says that this work is open.
fn opening(work: u64) -> impl Fn(&mut ChangedRows<'_>) {
    move |rows| rows.put_owed(work, Some(owing::ANY)).expect("a row can be made")
}

/// Turns a bit of the file that this extent lies in.
fn flip(folder: &Path, extent: Extent, byte: u32) {
    let path = folder.join(format!("volume-{:08}.hgv", extent.volume));
    let mut bytes = std::fs::read(&path).expect("it can be read");
    bytes[(extent.offset + byte) as usize] ^= 4;
    std::fs::write(path, bytes).expect("it can be written");
}

#[test]
fn a_frame_that_is_damaged_is_noted_and_those_behind_it_are_applied() {
    // In the head, and in the body.
    for byte in [5, 50] {
        let mut bench = Bench::new();
        bench.commit(b"one", &opening(1));
        let broken = bench.commit(b"two two two", &opening(2));
        let whole = bench.commit(b"three", &opening(3));
        let copy = bench.copy();
        flip(copy.path(), bench.extent(broken), byte);

        let killed = Bench::at(copy);

        assert_eq!(killed.damages.count(), 1, "{byte}");
        assert_eq!(owing::open_works(&killed.view()), [1, 3], "{byte}");
        let asked = killed.segment(broken);
        assert!(
            matches!(&asked, Err(Failure::Damaged(damaged)) if damaged.position == broken),
            "{byte}: {asked:?}"
        );
        assert_eq!(killed.segment(whole).unwrap().unwrap(), b"three");
        assert_eq!(killed.next, bench.next, "{byte}");
    }
}

#[test]
fn no_position_comes_again_where_the_log_ends_with_damage() {
    let mut bench = Bench::new();
    bench.commit(b"one", &|_| ());
    let broken = bench.commit(b"two two two", &|_| ());
    // Something whole lies behind it, of which no position is known.
    bench.file.journal.lock().unwrap().as_mut().unwrap().probe().unwrap();
    let copy = bench.copy();
    flip(copy.path(), bench.extent(broken), 50);

    let killed = Bench::at(copy);

    assert_eq!(killed.damages.count(), 1);
    assert!(killed.next >= broken + UNREAD_WIDTH, "{}", killed.next);
    // It is met once.
    let again = killed.killed();
    assert_eq!((again.next, again.damages.count()), (killed.next, 0));
}

#[test]
fn a_frame_of_which_a_kill_left_a_part_never_was() {
    let mut bench = Bench::new();
    bench.commit(b"one", &|_| ());
    let rows = bench.rows();
    let torn = bench.commit(b"two two two", &opening(1));
    let copy = bench.copy();
    flip(copy.path(), bench.extent(torn), 50);

    let mut killed = Bench::at(copy);

    assert_eq!(killed.damages.count(), 0);
    assert_eq!(killed.rows(), rows);
    let again = killed.commit(b"another", &|_| ());
    assert_eq!(again, torn);
    assert_eq!(killed.killed().segment(again).unwrap().unwrap(), b"another");
}

#[test]
fn a_frame_that_held_before_an_outage_and_is_broken_behind_it_is_noted() {
    let mut bench = Bench::new();
    bench.commit(b"one", &|_| ());
    let broken = bench.commit(b"two two two", &|_| ());
    let reached = Point::read(bench.file.reached.load(Ordering::Relaxed));
    let copy = bench.copy();
    flip(copy.path(), bench.extent(broken), 50);

    let database = open_database(&copy.path().join(FILE_NAME)).unwrap();
    let medium = Arc::new(Folder::new(copy.path()));
    let volumes = Volumes::open(medium, bench.file.tag, SIZES.volume_bytes).unwrap();
    let damages = Damages::default();
    catch_up(&database, &volumes, reached, None, &damages).unwrap();

    assert_eq!(damages.count(), 1);
}

#[test]
fn a_log_without_its_newest_volume_is_not_gone_on_with() {
    let mut bench = Bench::new();
    fill_a_volume(&mut bench);
    bench.file.checkpoint().unwrap();
    let copy = bench.copy();
    std::fs::remove_file(copy.path().join("volume-00000002.hgv")).unwrap();

    let Err(error) = open(copy.path()) else { panic!("it opened") };

    let said = chain(&error);
    assert!(said.contains("volume-00000002.hgv is missing"), "{said}");
}

#[test]
fn the_rows_name_the_newest_volume_as_soon_as_the_log_goes_on_there() {
    let mut bench = Bench::new();
    fill_a_volume(&mut bench);

    assert!(bench.file.checkpoint_if_due().unwrap());

    let copy = bench.copy();
    std::fs::remove_file(copy.path().join("volume-00000002.hgv")).unwrap();
    assert!(open(copy.path()).is_err());
}

#[test]
fn a_log_without_its_rows_is_no_place_for_a_new_store() {
    let bench = Bench::new();
    let copy = bench.copy();
    std::fs::remove_file(copy.path().join(FILE_NAME)).unwrap();

    let Err(error) = open(copy.path()) else { panic!("it opened") };

    assert!(matches!(error, OpenError::Headless { .. }), "{error}");
}

#[test]
fn behind_a_failure_nothing_is_committed_before_the_files_are_opened_anew() {
    let mut bench = Bench::new();
    bench.commit(b"one", &|_| ());
    // The log can't roll: the name of its next volume is that of a folder.
    fill_a_volume(&mut bench);
    let rows = bench.rows();
    let place = bench.folder.path().join("volume-00000003.hgv");
    std::fs::create_dir(&place).unwrap();
    let failed = loop {
        match bench.file.commit(bench.change(&[7; 500], &|_| ())) {
            Ok(()) => bench.next += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(failed, Error::Unavailable(_)), "{failed:?}");
    std::fs::remove_dir(&place).unwrap();

    assert!(matches!(bench.file.write(), Err(Failure::Access { may_pass: true, .. })));
    assert!(bench.file.checkpoint().is_err() && bench.file.probe().is_err());
    bench.file.reopen().unwrap();
    let first = bench.commit(b"two", &|_| ());

    assert!(bench.rows().len() > rows.len());
    assert_eq!(bench.killed().segment(first).unwrap().unwrap(), b"two");
}
