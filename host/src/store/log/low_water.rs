//! The low-water mark: before it, a start need not look.
//!
//! Pure. Every work before the mark is finished or has a row of its own; every other is found by
//! reading the log from there. The mark follows the log at a distance, so that most works are
//! finished when it passes and few rows are ever written. Works that are open behind it have to be
//! in memory, so it comes nearer when those are too many. Never lies within what one commit has
//! added.

use std::collections::{BTreeMap, VecDeque};

use crate::event::Timestamp;
use crate::ids::Name;
use crate::store::kind::WorkKind;

/// Commits between two moves of the mark; a start reads at most twice as many segments.
const COMMITS_PER_MOVE: u32 = 256;
/// With this many open works behind it, the mark moves with each commit.
const OPEN_MAX: usize = 65_536;
/// Open works that the mark passes in one commit, for each is a row; more if one commit has opened
/// more.
const PASSED_MAX: usize = 4096;

/// Where an open work waits, as its row says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Waiting {
    pub(in crate::store) kind: WorkKind,
    /// Its source, handler or endpoint.
    pub(in crate::store) group: Name,
    /// Since when it may be tried, by the store's count of time.
    pub(in crate::store) since: Timestamp,
    /// Whether it waits for a retry.
    pub(in crate::store) waits: bool,
    /// Whether it is the delivery of a parcel, and of no event.
    pub(in crate::store) is_parcel: bool,
    /// The source whose receipt it goes back to, if that is known.
    pub(in crate::store) root: Option<Name>,
}

/// Where the mark is, and what is open from there on.
#[derive(Debug)]
pub(in crate::store) struct LowWater {
    mark: u64,
    /// Where the mark will go next.
    next_mark: u64,
    /// Since it came there.
    commits: u32,
    /// The open works at the mark or later.
    open: BTreeMap<u64, Waiting>,
    /// Where commits ended behind the mark, as far as that is known.
    ends: VecDeque<u64>,
}

/// A move of the mark.
#[derive(Debug)]
pub(in crate::store) struct Move {
    pub(in crate::store) mark: u64,
    /// The open works that it passes, which need a row each.
    pub(in crate::store) passed: Vec<(u64, Waiting)>,
}

impl LowWater {
    /// As a start found it: the mark, where commits began behind it, the end of the log, and the
    /// open works between them.
    pub(in crate::store) fn new(
        mark: u64,
        begins: Vec<u64>,
        end: u64,
        open: BTreeMap<u64, Waiting>,
    ) -> Self {
        // Where one begins, another has ended.
        let ends = begins.into_iter().filter(|begin| mark < *begin && *begin < end);
        let ends = ends.chain((mark < end).then_some(end)).collect();
        Self { mark, next_mark: end, commits: 0, open, ends }
    }

    pub(in crate::store) fn mark(&self) -> u64 {
        self.mark
    }

    /// The move that is due, if one is.
    pub(in crate::store) fn due_move(&self) -> Option<Move> {
        let is_due = self.commits >= COMMITS_PER_MOVE || self.open.len() >= OPEN_MAX;
        if !is_due || self.mark >= self.next_mark {
            return None;
        }
        let Some((too_many, _)) = self.open.range(..self.next_mark).nth(PASSED_MAX) else {
            return Some(self.move_to(self.next_mark));
        };
        let before = self.ends.partition_point(|end| end <= too_many);
        self.ends.get(before.saturating_sub(1)).map(|end| self.move_to(*end))
    }

    /// The move to this position.
    pub(in crate::store) fn move_to(&self, mark: u64) -> Move {
        let passed = self.open.range(..mark).map(|(work, waiting)| (*work, waiting.clone()));
        Move { mark, passed: passed.collect() }
    }

    /// A commit has succeeded that ended the log at `end` and made this move.
    pub(in crate::store) fn committed(&mut self, moved: Option<&Move>, end: u64) {
        self.commits += 1;
        self.ends.push_back(end);
        if let Some(moved) = moved {
            self.open = self.open.split_off(&moved.mark);
            self.mark = moved.mark;
            self.ends.drain(..self.ends.partition_point(|end| *end <= moved.mark));
        }
        if self.mark >= self.next_mark {
            self.next_mark = end;
            self.commits = 0;
        }
    }

    /// A work was opened.
    pub(in crate::store) fn opened(&mut self, position: u64, waiting: Waiting) {
        if position >= self.mark {
            self.open.insert(position, waiting);
        }
    }

    /// Since when an open work may be tried that has no row.
    pub(in crate::store) fn since(&self, position: u64) -> Option<Timestamp> {
        self.open.get(&position).map(|waiting| waiting.since)
    }

    /// An open work may be tried since another time.
    pub(in crate::store) fn put_off(&mut self, position: u64, since: Timestamp, waits: bool) {
        if let Some(waiting) = self.open.get_mut(&position) {
            (waiting.since, waiting.waits) = (since, waits);
        }
    }

    /// A work was finished.
    pub(in crate::store) fn finished(&mut self, position: u64) {
        self.open.remove(&position);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting() -> Waiting {
        let group = "crm".parse().unwrap();
        let (kind, since) = (WorkKind::Delivery, Timestamp(5));
        Waiting { kind, group, since, waits: false, is_parcel: false, root: None }
    }

    /// One commit that opens these works, and moves the mark if that is due.
    fn commit(low_water: &mut LowWater, end: u64, opened: std::ops::Range<u64>) -> Option<Move> {
        let moved = low_water.due_move();
        low_water.committed(moved.as_ref(), end);
        opened.for_each(|position| low_water.opened(position, waiting()));
        moved
    }

    #[test]
    fn the_mark_follows_a_move_behind_and_names_the_stragglers() {
        let mut low_water = LowWater::new(1, Vec::new(), 1, BTreeMap::new());
        let mut moves = Vec::new();
        for end in 2..602 {
            moves.extend(commit(&mut low_water, end, end - 1..end));
            if end != 4 {
                low_water.finished(end - 1);
            } else {
                low_water.put_off(3, Timestamp(9), true);
            }
        }

        let marks: Vec<u64> = moves.iter().map(|moved| moved.mark).collect();
        assert_eq!(marks, [2, 259]);
        let put_off = Waiting { since: Timestamp(9), waits: true, ..waiting() };
        assert_eq!(moves[1].passed, [(3, put_off)]);
        assert!(low_water.open.is_empty());
    }

    #[test]
    fn the_mark_comes_on_by_itself_when_too_much_is_open() {
        let mut low_water = LowWater::new(1, Vec::new(), 1, BTreeMap::new());
        let each = PASSED_MAX as u64 / 2 + 1;
        let mut moves = Vec::new();
        for number in 0..40 {
            let first = 1 + number * each;
            moves.extend(commit(&mut low_water, first + each, first..first + each));
            assert!(low_water.open.len() < OPEN_MAX + 2 * PASSED_MAX, "after {number}");
        }

        // Two commits together have opened more than it may pass at a time.
        assert!(moves.iter().all(|moved| moved.passed.len() as u64 == each));
        assert!(moves.iter().all(|moved| moved.mark % each == 1), "commits end there");
        assert_eq!(moves[0].mark, 1 + each);
        assert_eq!(low_water.since(moves.last().unwrap().mark - 1), None);
        assert_eq!(low_water.since(moves.last().unwrap().mark), Some(Timestamp(5)));
    }

    #[test]
    fn no_commit_behind_a_start_passes_more_than_another() {
        const EACH: u64 = 1000;
        let end = 1 + 70 * EACH;
        let begins = (0..70).map(|number| 1 + number * EACH).collect();
        let open = (1..end).map(|position| (position, waiting())).collect();
        let mut low_water = LowWater::new(1, begins, end, open);
        let mut marks = Vec::new();
        for end in end + 1..end + 20 {
            let moved = commit(&mut low_water, end, end - 1..end);
            marks.extend(moved.iter().map(|moved| moved.mark));
            assert!(moved.is_none_or(|moved| moved.passed.len() <= PASSED_MAX));
        }
        assert_eq!(marks, [4001, 8001], "until fewer are open");
    }

    #[test]
    fn the_mark_does_not_fall_behind_commits_that_open_much() {
        let mut low_water = LowWater::new(1, Vec::new(), 1, BTreeMap::new());
        let each = 3 * PASSED_MAX as u64;
        for number in 0..40 {
            let first = 1 + number * each;
            commit(&mut low_water, first + each, first..first + each);
            assert!(low_water.open.len() < OPEN_MAX + 8 * PASSED_MAX, "after {number}");
        }
    }
}
