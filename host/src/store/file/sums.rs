//! The sums of the file of rows: what each block of it must come to, in a file beside it.
//!
//! All are in memory, and those that change are written before the sync that makes their blocks
//! durable. So a crash may leave wrong sums of blocks that no durable page is in, and of no others.
//! They name the commits of redb that they are of: sums of another file, or of another time, do not
//! count. A block without a sum is taken as it is. Never writes to the file of rows.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex};

use redb::StorageBackend;
use twox_hash::XxHash3_64;

use super::backend::{Backend, Medium};
use crate::lock::lock;

/// The file of the sums.
const NAME: &str = "hookgate.redb.sums";
/// A page of redb is one of these, or several.
pub(super) const BLOCK_BYTES: usize = 4096;
const ENTRY_BYTES: usize = size_of::<u64>();
/// Entries that are written together.
const GROUP: usize = BLOCK_BYTES / ENTRY_BYTES;

/// How the file begins: this, the commits, and a sum over both. The entries come behind the block.
const MAGIC: [u8; 8] = *b"HGSUMS\0\x01";
const HEAD_BYTES: usize = 32;

/// As much of the file of rows says which commits it has.
const BEGIN_BYTES: usize = 320;
/// In there: bit 0 of this byte is the slot of the commit that counts.
const FLAGS: usize = 9;
/// In there: where the number of the commit stands in each slot.
const SLOTS: [usize; 2] = [64 + 104, 192 + 104];

/// The sums of the blocks of a file.
#[derive(Debug)]
pub(super) struct Sums {
    medium: Arc<dyn Medium>,
    known: Mutex<Known>,
    /// The file of the sums, once something is written to it: before, the store may be another
    /// gateway's.
    file: Mutex<Option<Box<dyn Backend>>>,
}

#[derive(Debug)]
struct Known {
    /// By the number of the block; zero where there is none.
    entries: Vec<u64>,
    /// Groups that are not written yet as they are.
    changed: BTreeSet<usize>,
    /// The commits that the file of rows has.
    commits: Commits,
    /// Those that the file of the sums names.
    named: Option<Commits>,
    /// Whether anybody is told a sum.
    count: bool,
}

/// The numbers of the last two commits, in order.
type Commits = [u64; 2];

/// What is written down.
#[derive(Debug, Default)]
struct Written {
    commits: Option<Commits>,
    entries: Vec<u64>,
}

/// What is to be written down: the commits, and groups by their numbers.
type Groups = (Commits, Vec<(usize, Vec<u8>)>);

/// What a block must come to, in 48 bits. One that stands in another's place does not.
pub(super) fn sum(number: usize, block: &[u8]) -> u64 {
    XxHash3_64::oneshot_with_seed(number as u64, block) >> 16
}

/// A sum with a sum of its own: a flipped bit in it must not make its block wrong.
fn entry(number: usize, sum: u64) -> u64 {
    let check = XxHash3_64::oneshot_with_seed(number as u64, &sum.to_le_bytes());
    // Never zero, which is none.
    (sum << 16) | (check & 0xffff) | 1
}

/// The sum in an entry, if it is whole.
fn said(number: usize, found: u64) -> Option<u64> {
    let sum = found >> 16;
    (found == entry(number, sum)).then_some(sum)
}

/// Of the file of rows that begins so: the commit that counts, and both.
fn commits(begin: &[u8]) -> Option<(u64, Commits)> {
    let begin = begin.first_chunk::<BEGIN_BYTES>()?;
    let [first, second] = SLOTS.map(|at| begin[at..].first_chunk::<8>().copied());
    let slots = [u64::from_le_bytes(first?), u64::from_le_bytes(second?)];
    let counts = slots[usize::from(begin[FLAGS] & 1)];
    Some((counts, [slots[0].min(slots[1]), slots[0].max(slots[1])]))
}

/// Removes all sums, if there are some: the file of rows becomes another one.
pub(super) fn remove(medium: &dyn Medium) -> io::Result<()> {
    match medium.remove(NAME) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

impl Sums {
    /// Those of this file of rows, as they are written down. `count` says whether they do.
    pub(super) fn load(
        medium: &Arc<dyn Medium>,
        rows: &dyn StorageBackend,
        count: bool,
    ) -> io::Result<Self> {
        let length = rows.len()?;
        let mut begin = vec![0; BEGIN_BYTES];
        if length >= BEGIN_BYTES as u64 {
            rows.read(0, &mut begin)?;
        }
        let (counts, commits) = commits(&begin).unwrap_or_default();
        let Written { commits: named, mut entries } =
            written(&**medium).map_err(|error| told(&error))?;
        let named = named.filter(|named| named.contains(&counts));
        let mut changed = BTreeSet::new();
        if named.is_none() && !entries.is_empty() {
            tracing::info!("{NAME} is not of this hookgate.redb: the gateway makes it anew");
            changed.extend(0..entries.len().div_ceil(GROUP));
            entries.clear();
        }
        entries.truncate(blocks(length));
        let known = Known { entries, changed, commits, named, count };
        let (medium, file) = (Arc::clone(medium), Mutex::default());
        Ok(Self { medium, known: Mutex::new(known), file })
    }

    /// What this block must come to, if that is known.
    pub(super) fn of(&self, number: usize) -> Option<u64> {
        let known = lock(&self.known);
        let found = known.entries.get(number).filter(|_| known.count)?;
        said(number, *found)
    }

    /// This was written from an offset on. The first block, which is written in parts, gets no sum:
    /// redb has sums of its own for what stands there.
    pub(super) fn note(&self, offset: u64, data: &[u8]) {
        let (begin, end) = (offset as usize / BLOCK_BYTES, blocks(offset + data.len() as u64));
        let first = begin.max(1);
        let is_whole = are_blocks(offset, data);
        let made = |number: usize| {
            let block = data.get((number - begin) * BLOCK_BYTES..)?.first_chunk::<BLOCK_BYTES>()?;
            is_whole.then(|| entry(number, sum(number, block)))
        };
        let made: Vec<u64> = (first..end).map(|number| made(number).unwrap_or(0)).collect();
        let mut known = lock(&self.known);
        if !made.is_empty() {
            let length = known.entries.len().max(end);
            known.entries.resize(length, 0);
            known.entries[first..end].copy_from_slice(&made);
            known.changed.extend((first..end).map(|number| number / GROUP));
        }
        if let Some((_, commits)) = commits(data).filter(|_| offset == 0) {
            known.commits = commits;
        }
    }

    /// The file has so many bytes now.
    pub(super) fn cut(&self, length: u64) {
        let mut known = lock(&self.known);
        let (before, now) = (known.entries.len(), blocks(length));
        if now < before {
            known.changed.extend(now / GROUP..before.div_ceil(GROUP));
            known.entries.truncate(now);
        }
    }

    /// None of them is right: they come anew as their blocks are written, and count from now on.
    pub(super) fn begin_anew(&self) {
        let mut known = lock(&self.known);
        let groups = known.entries.len().div_ceil(GROUP);
        known.entries.fill(0);
        known.changed.extend(0..groups);
        known.count = true;
    }

    /// Makes durable what has changed. Whoever reads does not wait for that.
    pub(super) fn flush(&self) -> io::Result<()> {
        let mut file = lock(&self.file);
        let Some(groups) = lock(&self.known).take() else { return Ok(()) };
        self.write(&mut file, &groups).map_err(|error| {
            let mut known = lock(&self.known);
            known.changed.extend(groups.1.iter().map(|(group, _)| *group));
            known.named = None;
            told(&error)
        })
    }

    fn write(
        &self,
        place: &mut Option<Box<dyn Backend>>,
        (commits, groups): &Groups,
    ) -> io::Result<()> {
        let file = match place {
            Some(file) => file,
            None => place.insert(self.medium.open(NAME)?),
        };
        let is_new = file.size()? == 0;
        for (group, bytes) in groups {
            file.write(((group + 1) * BLOCK_BYTES) as u64, bytes)?;
        }
        file.write(0, &head(*commits))?;
        file.sync()?;
        if is_new { self.medium.sync_names() } else { Ok(()) }
    }
}

impl Known {
    /// What is not written down as it is, which counts as written from now on.
    fn take(&mut self) -> Option<Groups> {
        let changed = std::mem::take(&mut self.changed);
        if changed.is_empty() && self.named == Some(self.commits) {
            return None;
        }
        self.named = Some(self.commits);
        let groups = changed.into_iter().map(|group| (group, self.group(group)));
        Some((self.commits, groups.collect()))
    }

    fn group(&self, group: usize) -> Vec<u8> {
        let entry = |number: usize| self.entries.get(number).copied().unwrap_or(0);
        let numbers = group * GROUP..(group + 1) * GROUP;
        numbers.flat_map(|number| entry(number).to_le_bytes()).collect()
    }
}

fn head([first, second]: Commits) -> Vec<u8> {
    let head = [MAGIC, first.to_le_bytes(), second.to_le_bytes()].concat();
    let sum = XxHash3_64::oneshot(&head).to_le_bytes();
    [&head[..], &sum].concat()
}

/// The commits in the head of the file of the sums, if it is whole.
fn read_head(bytes: &[u8]) -> Option<Commits> {
    let bytes = bytes.get(..HEAD_BYTES)?;
    let commit = |at: usize| Some(u64::from_le_bytes(*bytes[at..].first_chunk::<8>()?));
    let commits = [commit(MAGIC.len())?, commit(2 * MAGIC.len())?];
    (head(commits) == bytes).then_some(commits)
}

/// So many blocks begin in a file of this length.
fn blocks(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX).div_ceil(BLOCK_BYTES)
}

/// Whether these are nothing but whole blocks.
pub(super) fn are_blocks(offset: u64, data: &[u8]) -> bool {
    offset.is_multiple_of(BLOCK_BYTES as u64) && data.len().is_multiple_of(BLOCK_BYTES)
}

/// What is written down. What the system has in memory of it may be no more than what a failed
/// write has left there.
fn written(medium: &dyn Medium) -> io::Result<Written> {
    if !medium.names()?.iter().any(|name| name == NAME) {
        return Ok(Written::default());
    }
    let file = medium.open(NAME)?;
    file.forget()?;
    let mut bytes = vec![0; usize::try_from(file.size()?).unwrap_or(0)];
    file.read(0, &mut bytes)?;
    let (entries, _) = bytes.get(BLOCK_BYTES..).unwrap_or_default().as_chunks::<ENTRY_BYTES>();
    let entries = entries.iter().map(|entry| u64::from_le_bytes(*entry)).collect();
    Ok(Written { commits: read_head(&bytes), entries })
}

/// The same error, with the file that it is about.
fn told(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{NAME}: {error}"))
}

#[cfg(test)]
mod tests;
