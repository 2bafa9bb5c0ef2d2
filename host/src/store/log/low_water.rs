//! The low-water mark: before it, a start need not look.
//!
//! Pure. Every work before the mark is finished or has a row of its own; every other is found by
//! reading the log from there. The mark follows the log at a distance, so that most works are
//! finished when it passes and few rows are ever written; but not at one at which too many works
//! are open, for those have to be in memory. It goes in small steps, so that no commit writes many
//! rows for it. Never lies within what one commit has added.

use std::collections::{BTreeMap, VecDeque};

use crate::event::Timestamp;
use crate::ids::Name;
use crate::store::kind::WorkKind;

/// Commits that the mark stays behind the end of the log; a start reads them.
const COMMITS_BEHIND: usize = 256;
/// It moves when it is this many commits further behind.
const COMMITS_PER_MOVE: usize = 16;
/// With this many open works behind it, the mark moves with each commit.
const OPEN_MAX: usize = 65_536;
/// Open works that the mark passes in one commit, for each is two rows; more if one commit has
/// opened more.
const PASSED_MAX: usize = 256;

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
    /// The open works at the mark or later.
    open: BTreeMap<u64, Waiting>,
    /// Where commits ended behind the mark.
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
    /// As a start found it: the mark, where the commits behind it ended, and the open works there.
    pub(in crate::store) fn new(
        mark: u64,
        ends: VecDeque<u64>,
        open: BTreeMap<u64, Waiting>,
    ) -> Self {
        Self { mark, open, ends }
    }

    pub(in crate::store) fn mark(&self) -> u64 {
        self.mark
    }

    /// The move that is due, if one is.
    pub(in crate::store) fn due_move(&self) -> Option<Move> {
        let commits = self.ends.len();
        let most = if self.open.len() >= OPEN_MAX {
            commits
        } else if commits >= COMMITS_BEHIND + COMMITS_PER_MOVE {
            commits - COMMITS_BEHIND
        } else {
            0
        };
        let last = *self.ends.get(most.checked_sub(1)?)?;
        let Some((too_many, _)) = self.open.range(..last).nth(PASSED_MAX) else {
            return Some(self.move_to(last));
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
        self.ends.push_back(end);
        if let Some(moved) = moved {
            self.open = self.open.split_off(&moved.mark);
            self.mark = moved.mark;
            self.ends.drain(..self.ends.partition_point(|end| *end <= moved.mark));
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

    fn new() -> LowWater {
        LowWater::new(1, VecDeque::new(), BTreeMap::new())
    }

    /// The moves that come of so many commits, each of which opens this many works.
    fn moves(low_water: &mut LowWater, commits: u64, each: usize) -> Vec<Move> {
        let each = each as u64;
        let mut moves = Vec::new();
        for number in 0..commits {
            let first = 1 + number * each;
            moves.extend(commit(low_water, first + each, first..first + each));
            let most = OPEN_MAX as u64 + 2 * each;
            assert!((low_water.open.len() as u64) < most, "after {number}");
        }
        moves
    }

    #[test]
    fn the_mark_follows_in_small_steps_and_names_the_stragglers() {
        let mut low_water = new();
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
        let expected: Vec<u64> = (1..=21).map(|step| 1 + 16 * step).collect();
        assert_eq!(marks, expected);
        let put_off = Waiting { since: Timestamp(9), waits: true, ..waiting() };
        assert_eq!(moves[0].passed, [(3, put_off)]);
        assert!(moves[1..].iter().all(|moved| moved.passed.is_empty()));
        assert!(low_water.open.is_empty());
    }

    #[test]
    fn the_mark_passes_no_more_at_a_time_than_one_commit_has_opened() {
        let each = PASSED_MAX / 2 + 1;
        let moves = moves(&mut new(), 400, each);

        // Two commits together have opened more than it may pass at a time.
        assert!(moves.len() > 100 && moves.iter().all(|moved| moved.passed.len() == each));
        assert!(moves.iter().all(|moved| moved.mark % each as u64 == 1), "commits end there");
    }

    #[test]
    fn the_mark_comes_on_by_itself_when_too_much_is_open() {
        let each = 4 * PASSED_MAX;
        let mut low_water = new();
        let moves = moves(&mut low_water, 100, each);

        assert_eq!(moves[0].mark, 1 + each as u64);
        assert!(moves.len() > 30 && moves.iter().all(|moved| moved.passed.len() == each));
        let mark = low_water.mark();
        assert_eq!(mark, moves.last().unwrap().mark);
        assert_eq!(low_water.since(mark - 1), None);
        assert_eq!(low_water.since(mark), Some(Timestamp(5)));
    }

    #[test]
    fn the_mark_goes_on_in_small_steps_after_a_start() {
        let ends: VecDeque<u64> = (2..=301).collect();
        let open = (1..301).map(|position| (position, waiting())).collect();
        let mut low_water = LowWater::new(1, ends, open);
        let moved = commit(&mut low_water, 302, 301..302).unwrap();
        assert_eq!((moved.mark, moved.passed.len()), (45, 44));
        assert!(commit(&mut low_water, 303, 302..303).is_none());
    }
}
