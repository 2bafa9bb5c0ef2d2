//! The low-water mark: before it, a start need not look.
//!
//! Pure. Every work before the mark is finished or a row of its own; every other is found by
//! reading the log from there. The mark follows the log at a distance, so that most works are
//! finished when it passes and few rows are ever written.

use std::collections::BTreeSet;

/// Commits between two moves of the mark; a start reads at most twice as many segments.
const COMMITS_PER_MOVE: u32 = 256;

/// Where the mark is, and what is open from there on.
#[derive(Debug)]
pub(in crate::store) struct LowWater {
    mark: u64,
    /// Where the mark will go next.
    next_mark: u64,
    commits: u32,
    /// The open works at the mark or later.
    open: BTreeSet<u64>,
}

/// A move of the mark.
#[derive(Debug)]
pub(in crate::store) struct Move {
    pub(in crate::store) mark: u64,
    /// The open works that it passes, which need a row each.
    pub(in crate::store) passed: Vec<u64>,
}

impl LowWater {
    /// As a start found it: the mark, the end of the log, and the open works between them.
    pub(in crate::store) fn new(mark: u64, end: u64, open: BTreeSet<u64>) -> Self {
        Self { mark, next_mark: end, commits: 0, open }
    }

    pub(in crate::store) fn mark(&self) -> u64 {
        self.mark
    }

    /// The move that is due, if one is.
    pub(in crate::store) fn due_move(&self) -> Option<Move> {
        (self.commits >= COMMITS_PER_MOVE).then(|| self.move_to(self.next_mark))
    }

    /// The move to this position.
    pub(in crate::store) fn move_to(&self, mark: u64) -> Move {
        Move { mark, passed: self.open.range(..mark).copied().collect() }
    }

    /// A commit has succeeded that ended the log at `end` and made this move.
    pub(in crate::store) fn committed(&mut self, moved: Option<&Move>, end: u64) {
        self.commits += 1;
        if let Some(moved) = moved {
            self.open = self.open.split_off(&moved.mark);
            self.mark = moved.mark;
            self.next_mark = end;
            self.commits = 0;
        }
    }

    /// A work was opened.
    pub(in crate::store) fn opened(&mut self, position: u64) {
        if position >= self.mark {
            self.open.insert(position);
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

    #[test]
    fn the_mark_follows_a_move_behind_and_names_the_stragglers() {
        let mut low_water = LowWater::new(1, 1, BTreeSet::new());
        let mut end = 1;
        let mut commit = |low_water: &mut LowWater| {
            let moved = low_water.due_move();
            low_water.committed(moved.as_ref(), end + 1);
            low_water.opened(end);
            if end != 3 {
                low_water.finished(end);
            }
            end += 1;
            moved
        };
        let moves: Vec<Move> = (0..600).filter_map(|_| commit(&mut low_water)).collect();

        let marks: Vec<u64> = moves.iter().map(|moved| moved.mark).collect();
        assert_eq!(marks, [1, 258]);
        assert_eq!(moves[1].passed, [3]);
        assert!(low_water.open.is_empty());
    }
}
