//! The low-water mark: before it, a start need not look.
//!
//! Pure. Every work before the mark is finished or has rows of its own; every other is found by
//! reading the log from there. Rows cost a commit more than all else, so the mark stays behind for
//! as long as a start reads what lies there at once and memory holds what is open: most works are
//! finished by then and never get rows. It goes in small steps, so that no commit writes many rows
//! for it. Never lies within what one commit has added.

mod names;
mod stretch;

use std::collections::VecDeque;
use std::time::Duration;

use self::names::Names;
use self::stretch::{Size, Stretch};
use crate::event::Timestamp;
use crate::ids::Name;
use crate::store::kind::WorkKind;

/// Works that end within this time get no rows, unless there is too much behind the mark.
pub(in crate::store) const LAG: Duration = Duration::from_secs(60);
/// The mark stays this many commits behind, however old they are.
const COMMITS_BEHIND: usize = 256;
/// Bytes of records behind the mark, before they are compressed: about half as many on disk, which
/// a start reads from a cold disk in a quarter of a second. The event ids that are in the log only
/// have a start read about as much.
const BYTES_BEHIND: usize = 128 << 20;
/// Works that were opened behind the mark. A start asks of each how it stands, and one that is open
/// takes 24 bytes.
const WORKS_BEHIND: usize = 1 << 19;
/// Works in memory only because they have no rows yet, which take 100 bytes each: so four million
/// bytes, however much is owed.
const ASIDE_MAX: usize = 40_960;
/// With so many open works the mark has passed enough in one commit, for each is two rows. If the
/// last commit has opened more, it may be as many: else no mark would keep up with such commits.
const PASSED_MAX: usize = 256;
/// The same in the last commit. The next start finds others in the log, where it takes less time
/// for each than it takes to give it rows.
const PASSED_AT_STOP: usize = 65_536;

/// Where an open work waits, as its row says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Waiting<N = Name> {
    pub(in crate::store) kind: WorkKind,
    /// Its source, handler or endpoint.
    pub(in crate::store) group: N,
    /// Since when it may be tried, by the store's count of time.
    pub(in crate::store) since: Timestamp,
    /// Whether it waits for a retry.
    pub(in crate::store) waits: bool,
    /// Whether it is the delivery of a parcel, and of no event.
    pub(in crate::store) is_parcel: bool,
    /// The source whose receipt it goes back to, if that is known.
    pub(in crate::store) root: Option<N>,
}

/// Where the mark is, and what is open from there on.
#[derive(Debug)]
pub(in crate::store) struct LowWater {
    mark: u64,
    lag: Duration,
    /// What is behind the mark, in order.
    stretches: VecDeque<Stretch>,
    /// Of all of it.
    size: Size,
    /// How many works the last commit has opened.
    last_opened: usize,
    names: Names,
}

/// What a commit has added.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Added {
    /// Where it ended the log.
    pub(in crate::store) end: u64,
    /// When that was, by the store's count of time.
    pub(in crate::store) at: Timestamp,
    /// Of its records, before they are compressed.
    pub(in crate::store) bytes: usize,
    /// That it has opened, or would have opened if it had not finished them too.
    pub(in crate::store) works: usize,
}

/// A move of the mark.
#[derive(Debug)]
pub(in crate::store) struct Move {
    pub(in crate::store) mark: u64,
    /// The open works that it passes, which need rows.
    pub(in crate::store) passed: Vec<(u64, Waiting)>,
}

impl LowWater {
    /// With nothing behind it. What is there is added in the order of the log.
    pub(in crate::store) fn new(mark: u64, lag: Duration) -> Self {
        let (stretches, size, names) = (VecDeque::new(), Size::default(), Names::default());
        Self { mark, lag, stretches, size, last_opened: 0, names }
    }

    pub(in crate::store) fn mark(&self) -> u64 {
        self.mark
    }

    /// Where the last commit ended the log.
    pub(in crate::store) fn end(&self) -> u64 {
        self.stretches.back().map_or(self.mark, |last| last.end)
    }

    /// Before this position all is so many commits old that it may be packed.
    pub(in crate::store) fn aged(&self) -> u64 {
        let mut commits = 0;
        let is_aged = |stretch: &&Stretch| {
            let is_aged = commits >= COMMITS_BEHIND;
            commits += stretch.size.commits;
            is_aged
        };
        self.stretches.iter().rev().find(is_aged).map_or(self.mark, |stretch| stretch.end)
    }

    /// The move that is due, if one is. So many works are in memory only because they have no rows.
    pub(in crate::store) fn due_move(&self, now: Timestamp, aside: usize) -> Option<Move> {
        let most = PASSED_MAX.max(self.last_opened);
        let (mut left, mut aside, mut passed, mut moved) = (self.size, aside, 0, 0);
        for stretch in &self.stretches {
            let open = stretch.open();
            let is_due = self.is_due(stretch, (left, aside), now);
            if !is_due || passed >= most {
                break;
            }
            moved += 1;
            passed += open;
            left.subtract(stretch.size);
            // Perhaps not all of them are: then it goes on in the next commit.
            aside = aside.saturating_sub(open);
        }
        (moved > 0).then(|| self.move_over(moved))
    }

    /// Whether the mark is to pass what is next, where so much is left behind it.
    fn is_due(&self, next: &Stretch, (left, aside): (Size, usize), now: Timestamp) -> bool {
        let Size { commits, bytes, works } = left;
        let is_too_much = bytes > BYTES_BEHIND || works > WORKS_BEHIND || aside > ASIDE_MAX;
        let is_old = now.since(next.at) >= self.lag;
        is_too_much || (is_old && commits - next.size.commits >= COMMITS_BEHIND)
    }

    /// The move at a stop: to the end, unless too many works are open.
    pub(in crate::store) fn last_move(&self) -> Move {
        let mut passed = 0;
        let moved = self.stretches.iter().take_while(|stretch| {
            passed += stretch.open();
            passed <= PASSED_AT_STOP
        });
        self.move_over(moved.count())
    }

    /// The move over so many stretches.
    fn move_over(&self, stretches: usize) -> Move {
        let passed = self.stretches.range(..stretches);
        let mark = passed.clone().next_back().map_or(self.mark, |last| last.end);
        Move { mark, passed: passed.flat_map(|stretch| stretch.waiting(&self.names)).collect() }
    }

    /// A commit has succeeded, with which the mark is here.
    pub(in crate::store) fn committed(&mut self, mark: u64, added: Added) {
        while self.stretches.front().is_some_and(|first| first.end <= mark) {
            if let Some(passed) = self.stretches.pop_front() {
                self.size.subtract(passed.size);
                passed.let_go(&mut self.names);
            }
        }
        let Added { end, at, bytes, works } = added;
        let size = Size { commits: 1, bytes, works };
        self.size.add(size);
        (self.mark, self.last_opened) = (mark, works);
        match self.stretches.back_mut() {
            Some(last) if !last.is_full() => last.extend(end, at, size),
            last => {
                last.into_iter().for_each(Stretch::close);
                self.stretches.push_back(Stretch::of(end, at, size));
            }
        }
    }

    /// A work was opened.
    pub(in crate::store) fn opened(&mut self, position: u64, waiting: &Waiting<&Name>) {
        if let Some(at) = self.stretch_of(position) {
            self.stretches[at].opened(position, waiting, &mut self.names);
        }
    }

    /// Since when an open work may be tried that has no row.
    pub(in crate::store) fn since(&self, position: u64) -> Option<Timestamp> {
        self.stretches[self.stretch_of(position)?].since(position)
    }

    /// An open work may be tried since another time.
    pub(in crate::store) fn put_off(&mut self, position: u64, since: Timestamp, waits: bool) {
        if let Some(at) = self.stretch_of(position) {
            self.stretches[at].put_off(position, since, waits);
        }
    }

    /// A work was finished.
    pub(in crate::store) fn finished(&mut self, position: u64) {
        if let Some(at) = self.stretch_of(position) {
            self.stretches[at].finished(position, &mut self.names);
        }
    }

    /// The last open work between the mark and this position that is of such a kind, and of a
    /// parcel or not.
    pub(in crate::store) fn last_open(
        &self,
        before: u64,
        is_wanted: impl Fn(WorkKind, bool) -> bool,
    ) -> Option<u64> {
        let whole = self.stretches.partition_point(|stretch| stretch.end < before);
        let stretches = self.stretches.range(..self.stretches.len().min(whole + 1));
        stretches.rev().find_map(|stretch| stretch.last_open(before, &is_wanted))
    }

    /// Which stretch has this position, if it is not before the mark.
    fn stretch_of(&self, position: u64) -> Option<usize> {
        let last = self.stretches.len().checked_sub(1).filter(|_| position >= self.mark)?;
        // Most is of the last.
        let is_before = last > 0 && position < self.stretches[last - 1].end;
        let find = || self.stretches.partition_point(|stretch| stretch.end <= position);
        Some(if is_before { find() } else { last })
    }
}

#[cfg(test)]
mod tests;
