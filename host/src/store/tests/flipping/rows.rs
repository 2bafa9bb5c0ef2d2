//! One bit of the file of rows, or of its sums: the store is as it was, or the start refuses it and
//! names the command that makes a new file, and then all is there again that the volumes tell
//! [I12].
//!
//! Every block that holds something may have the bit. Half of the copies are of a store that was
//! closed, half of one that was killed.

use super::*;
use crate::causes::chain;

const ROWS: &str = "hookgate.redb";
const SUMS: &str = "hookgate.redb.sums";
const BLOCK_BYTES: usize = 4096;
/// So many bytes of the first block say where all others are. A file without the first nine is not
/// one of redb's.
const HEAD_BYTES: usize = 320;
const MAGIC_BYTES: usize = 9;

/// A copy of a store, and all that can be seen of it.
struct Copied {
    files: Files,
    whole: Seen,
}

/// A store, and copies of it.
struct Copies {
    filled: Filled,
    /// Of one that was closed, and of one that was killed.
    copies: Vec<Copied>,
}

impl Copies {
    async fn new() -> Self {
        let filled = Filled::new().await;
        filled.bench.store.handle.shared.file.checkpoint().unwrap();
        // Behind the last checkpoint there is something too.
        filled.bench.append(&["the last"]).await;
        let killed = filled.disk.synced();
        filled.bench.store.clone().close().await.unwrap();
        let closed = filled.disk.synced();
        let mut copies = Vec::new();
        for files in [closed, killed] {
            let (whole, damaged) = filled.look(files.clone()).await;
            assert_eq!(damaged, 0);
            copies.push(Copied { files, whole });
        }
        Self { filled, copies }
    }

    /// Whether the start takes these files, of which one bit is wrong. Fails if anything else than
    /// in the whole can be seen then, or else if the way to go on is not named, or does not help.
    async fn is_taken(&self, files: Files, whole: &Seen, context: &str) -> bool {
        let (config, clock) = (config(), self.filled.bench.clock.clone());
        match Store::open_on(Disk::holding(files.clone()), &config, clock.clone()) {
            Ok(store) => {
                let bench = Bench { folder: in_memory(), clock, store };
                let (seen, damaged) = self.filled.look_at(&bench).await;
                for (key, value) in &whole.0 {
                    assert_eq!(seen.0.get(key), Some(value), "{context}: {key:?}");
                }
                assert_eq!(seen.0.len(), whole.0.len(), "{context}: something never was");
                assert_eq!(damaged, 0, "{context}");
                true
            }
            Err(refused) => {
                check_named(&refused, context);
                self.check_repaired(&files, whole, context).await;
                false
            }
        }
    }

    /// What the volumes tell is there behind a repair, and is no other than it was.
    async fn check_repaired(&self, files: &Files, whole: &Seen, context: &str) {
        let folder = in_memory();
        for (name, bytes) in files {
            std::fs::write(folder.path().join(name), bytes.to_vec()).unwrap();
        }
        let repaired = repair(folder.path(), Undecided::Dead, None);
        let repaired = repaired.unwrap_or_else(|error| panic!("{context}: {}", chain(&error)));
        assert_eq!(repaired.damaged, 0, "{context}: {repaired:?}");
        let config = Config { path: folder.path().to_owned(), ..config() };
        let clock = self.filled.bench.clock.clone();
        let store = Store::open(&config, clock.clone());
        let store = store.unwrap_or_else(|error| panic!("{context}: {}", chain(&error)));
        let (seen, damaged) = self.filled.look_at(&Bench { folder, clock, store }).await;
        assert_eq!(damaged, 0, "{context}");
        for (key, value) in &whole.0 {
            let now = seen.0.get(key);
            if key.1.ends_with(" again") {
                assert_eq!(now, Some(value), "{context}: {key:?}");
            } else if key.1.ends_with(' ') || key.1.ends_with(" listed") {
                assert_eq!(now.map(content), Some(content(value)), "{context}: {key:?}");
            }
        }
    }
}

#[track_caller]
fn check_named(refused: &OpenError, context: &str) {
    let said = chain(refused);
    assert!(said.contains("hookgate store repair"), "{context}: {said}");
}

/// The blocks of these files that hold something.
fn blocks(files: &Files, names: &[&'static str]) -> Vec<(&'static str, usize)> {
    let mut found = Vec::new();
    for name in names {
        let bytes = files[*name].to_vec();
        let blocks = bytes.chunks(BLOCK_BYTES).enumerate();
        let held = blocks.filter(|(_, block)| block.iter().any(|byte| *byte != 0));
        found.extend(held.map(|(number, _)| (*name, number)));
    }
    found
}

#[tokio::test]
async fn a_flipped_bit_in_the_rows_alters_nothing() {
    let copies = Copies::new().await;
    let flips = Flips::new();
    let mut taken = 0;
    for (number, mut random) in flips.each() {
        let Copied { files, whole } = &copies.copies[random.usize(..2)];
        let blocks = blocks(files, &[ROWS, SUMS]);
        let (file, block) = blocks[random.usize(..blocks.len())];
        let end = files[file].length().min((block + 1) * BLOCK_BYTES);
        let begin = (block * BLOCK_BYTES).max(MAGIC_BYTES);
        let bit = random.usize(begin * 8..end * 8);
        let context = format!("flip {number}, bit {bit} of {file}");
        let is_taken = copies.is_taken(flipped(files, file, bit), whole, &context).await;
        taken += u64::from(is_taken);
        // redb has sums of its own for what stands there.
        let is_head = file == ROWS && bit < HEAD_BYTES * 8;
        assert!(is_taken || is_head, "{context}: one bit of a page is mended");
    }
    assert!(taken > 0 || !flips.are_many());
}

#[tokio::test]
async fn a_flipped_bit_where_the_rows_begin_alters_nothing() {
    let copies = Copies::new().await;
    let mut refused = 0;
    for Copied { files, whole } in &copies.copies {
        for bit in (MAGIC_BYTES * 8..HEAD_BYTES * 8).step_by(61) {
            let context = format!("bit {bit}");
            let is_taken = copies.is_taken(flipped(files, ROWS, bit), whole, &context).await;
            refused += u64::from(!is_taken);
        }
    }
    assert!(refused > 0, "nothing of that counts");
}

/// Two bits: then nobody can tell what was there.
fn spoilt(files: &Files, block: usize) -> Files {
    let begin = block * BLOCK_BYTES * 8;
    flipped(&flipped(files, ROWS, begin + 9), ROWS, begin + 77)
}

#[tokio::test]
async fn rows_that_nobody_can_mend_are_refused_and_made_anew() {
    let copies = Copies::new().await;
    let Copied { files, whole } = &copies.copies[0];
    let clock = &copies.filled.bench.clock;
    let mut refused = 0;
    for (_, block) in blocks(files, &[ROWS]).into_iter().skip(1) {
        let (files, context) = (spoilt(files, block), format!("block {block}"));
        // Some are free, and some are read later.
        let opened = Store::open_on(Disk::holding(files.clone()), &config(), clock.clone());
        let Err(error) = opened else { continue };
        check_named(&error, &context);
        refused += 1;
        if refused == 1 {
            copies.check_repaired(&files, whole, &context).await;
        }
    }
    assert!(refused > 3, "{refused}");
}

#[tokio::test]
async fn rows_that_nobody_can_mend_end_a_store_that_runs() {
    let filled = Filled::new().await;
    let Filled { disk, bench, .. } = &filled;
    let file = &bench.store.handle.shared.file;
    file.checkpoint().unwrap();
    let files = disk.synced();
    for (_, block) in blocks(&files, &[ROWS]).into_iter().skip(1) {
        let spoilt = spoilt(&files, block)[ROWS].to_vec();
        let begin = block * BLOCK_BYTES;
        disk.rot(ROWS, begin, &spoilt[begin..begin + BLOCK_BYTES]);
    }
    let reopened = file.reopen();
    assert!(matches!(reopened, Err(Error::Failed(_))), "{reopened:?}");
}

#[tokio::test]
async fn a_start_needs_no_sums_and_believes_none_of_another_time() {
    let filled = Filled::new().await;
    let older = filled.disk.synced()[SUMS].clone();
    // Each moves pages to where others were.
    for number in 2 * ITEMS..3 * ITEMS {
        filled.bench.append(&[&format!("later_{number}")]).await;
        filled.bench.store.handle.shared.file.checkpoint().unwrap();
    }
    filled.bench.store.clone().close().await.unwrap();
    let mut files = filled.disk.synced();
    let (whole, _) = filled.look(files.clone()).await;
    assert!(older.to_vec() != files[SUMS].to_vec());
    files.insert(SUMS.to_owned(), older);
    assert_eq!(filled.look(files.clone()).await, (whole, 0));

    files.remove(SUMS);
    let disk = Disk::holding(files);
    open(&disk, &filled.bench.clock).store.close().await.unwrap();
    assert!(disk.synced().contains_key(SUMS));
}
