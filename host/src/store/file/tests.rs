//! The files of a store, without all that is above them: what a kill leaves of commits.

mod breaking;
mod holding;
mod owing;
mod rolling;

use bytes::Bytes;
use redb::{AccessGuard, Key, ReadTransaction, ReadableTable, TableDefinition, TableHandle, Value};
use tempfile::TempDir;

use super::change::ChangedRows;
use super::schema::{DEAD, DUE, META, OUTCOMES, OWED, SEGMENTS, STATE, SWEPT, TOTALS, VOLUMES};
use super::volumes::Extent;
use super::*;
use crate::event::Timestamp;
use crate::store::rows::Rows;
use crate::store::volume_keys::VolumeKeys;

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
    Ok((File::open(folder, (SIZES, &VolumeKeys::default()), Arc::clone(&damages))?, damages))
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

/// Says that this work is open.
fn opening(work: u64) -> impl Fn(&mut ChangedRows<'_>) {
    move |rows| rows.put_owed(work, Some(owing::ANY)).expect("a row can be made")
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

#[test]
fn a_log_without_its_rows_is_no_place_for_a_new_store() {
    let bench = Bench::new();
    let copy = bench.copy();
    std::fs::remove_file(copy.path().join(FILE_NAME)).unwrap();

    let Err(error) = open(copy.path()) else { panic!("it opened") };

    assert!(matches!(error, OpenError::Headless { .. }), "{error}");
}
