//! Which sums are known, and which of those that a crash, a copy or a flipped bit leaves.

use redb::backends::InMemoryBackend;
use tempfile::TempDir;

use super::*;
use crate::store::file::folder::Folder;

/// A file of rows in which these commits are, the first of which counts, and the folder in
/// which the sums are.
struct Rows {
    folder: TempDir,
    medium: Arc<dyn Medium>,
    file: Box<dyn StorageBackend>,
}

fn begin([counts, other]: [u64; 2]) -> Vec<u8> {
    let mut begin = vec![0; BEGIN_BYTES];
    begin[SLOTS[0]..SLOTS[0] + 8].copy_from_slice(&other.to_le_bytes());
    begin[SLOTS[1]..SLOTS[1] + 8].copy_from_slice(&counts.to_le_bytes());
    begin[FLAGS] = 1;
    begin
}

impl Rows {
    fn new() -> Self {
        let folder = TempDir::new().expect("there is a place for temporary files");
        let medium = Arc::new(Folder::new(folder.path()));
        let file = Box::new(InMemoryBackend::new());
        let rows = Self { folder, medium, file };
        rows.file.set_len(2000 * BLOCK_BYTES as u64).unwrap();
        rows.commit([7, 6]);
        rows
    }

    fn commit(&self, commits: [u64; 2]) {
        self.file.write(0, &begin(commits)).unwrap();
    }

    /// As a start finds them.
    fn sums(&self) -> Sums {
        Sums::load(&self.medium, &*self.file, true).unwrap()
    }
}

fn block(byte: u8) -> [u8; BLOCK_BYTES] {
    [byte; BLOCK_BYTES]
}

fn known(sums: &Sums) -> Vec<usize> {
    (0..2000).filter(|number| sums.of(*number).is_some()).collect()
}

#[test]
fn a_sum_is_known_from_the_write_on_and_durable_with_the_next_flush() {
    let rows = Rows::new();
    let sums = rows.sums();
    sums.note(4096 * 2, &[block(1), block(2)].concat());
    assert_eq!(sums.of(2), Some(sum(2, &block(1))));
    assert!(known(&rows.sums()).is_empty());
    sums.flush().unwrap();
    let again = rows.sums();
    assert_eq!(known(&again), [2, 3]);
    assert_eq!(again.of(3), Some(sum(3, &block(2))));
    assert_ne!(sum(2, &block(1)), sum(3, &block(1)), "a block in another's place is wrong");
}

#[test]
fn what_is_written_in_parts_or_is_the_first_block_has_no_sum() {
    let sums = Rows::new().sums();
    sums.note(0, &[block(1), block(2), block(3)].concat());
    sums.note(4096, &[9; 10]);
    assert_eq!(known(&sums), [2]);
}

#[test]
fn what_was_cut_off_has_no_sum_when_it_comes_again() {
    let rows = Rows::new();
    let sums = rows.sums();
    for number in [1, 600, 1200] {
        sums.note(number * 4096, &block(7));
    }
    sums.flush().unwrap();
    sums.cut(4096 * 601);
    sums.note(4096 * 1300, &block(7));
    sums.flush().unwrap();
    assert_eq!(known(&sums), [1, 600, 1300]);
    assert_eq!(known(&rows.sums()), [1, 600, 1300]);
}

/// The commit that counts before a sync, and the one that counts behind it.
#[test]
fn sums_are_of_the_commit_before_a_sync_and_of_the_one_behind_it() {
    let rows = Rows::new();
    let sums = rows.sums();
    sums.note(4096, &block(7));
    sums.note(0, &begin([7, 9]));
    sums.flush().unwrap();
    for (commits, counts) in
        [([7, 6], true), ([7, 9], true), ([9, 7], true), ([11, 9], false), ([6, 7], false)]
    {
        rows.commit(commits);
        assert_eq!(!known(&rows.sums()).is_empty(), counts, "{commits:?}");
    }
}

#[test]
fn sums_of_another_file_are_forgotten_for_good() {
    let rows = Rows::new();
    let sums = rows.sums();
    sums.note(4096, &[block(7), block(8)].concat());
    sums.flush().unwrap();
    rows.commit([20, 19]);
    let sums = rows.sums();
    sums.note(4096 * 2, &block(9));
    sums.flush().unwrap();
    assert_eq!((known(&sums), known(&rows.sums())), (vec![2], vec![2]));
}

#[test]
fn sums_that_are_made_anew_are_forgotten_for_good() {
    let rows = Rows::new();
    let sums = rows.sums();
    sums.note(4096, &[block(7), block(8)].concat());
    sums.flush().unwrap();
    let sums = Sums::load(&rows.medium, &*rows.file, false).unwrap();
    assert!(known(&sums).is_empty(), "they do not count");
    sums.begin_anew();
    sums.note(4096 * 2, &block(9));
    sums.flush().unwrap();
    assert_eq!((known(&sums), known(&rows.sums())), (vec![2], vec![2]));
    remove(&*rows.medium).unwrap();
    remove(&*rows.medium).unwrap();
    assert!(known(&rows.sums()).is_empty());
}

#[test]
fn a_flipped_bit_in_the_sums_makes_no_block_wrong() {
    let rows = Rows::new();
    let sums = rows.sums();
    sums.note(4096, &block(7));
    sums.flush().unwrap();
    let path = rows.folder.path().join(NAME);
    let whole = std::fs::read(&path).unwrap();
    let entry = (BLOCK_BYTES + ENTRY_BYTES) * 8;
    for bit in (0..HEAD_BYTES * 8).chain(entry - 64..entry + 128) {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(&path, flipped).unwrap();
        let is_hit = bit < HEAD_BYTES * 8 || (entry..entry + 64).contains(&bit);
        let expected: &[usize] = if is_hit { &[] } else { &[1] };
        assert_eq!(known(&rows.sums()), expected, "bit {bit}");
    }
}
