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
pub(in crate::store) struct Frontier {
    low_water: u64,
    /// Where the mark will go next.
    next_mark: u64,
    commits: u32,
    /// The open works at the mark or later.
    open: BTreeSet<u64>,
}

/// A move of the mark.
#[derive(Debug)]
pub(in crate::store) struct Move {
    /// To here.
    pub(in crate::store) low_water: u64,
    /// The open works that it passes, which need a row each.
    pub(in crate::store) passed: Vec<u64>,
}

impl Frontier {
    /// As a start found it: the mark, the end of the log, and the open works between them.
    pub(in crate::store) fn new(low_water: u64, end: u64, open: BTreeSet<u64>) -> Self {
        Self { low_water, next_mark: end, commits: 0, open }
    }

    pub(in crate::store) fn low_water(&self) -> u64 {
        self.low_water
    }

    /// The move that is due, if one is.
    pub(in crate::store) fn due_move(&self) -> Option<Move> {
        (self.commits >= COMMITS_PER_MOVE).then(|| self.move_to(self.next_mark))
    }

    /// The move to this position.
    pub(in crate::store) fn move_to(&self, low_water: u64) -> Move {
        Move { low_water, passed: self.open.range(..low_water).copied().collect() }
    }

    /// A commit has succeeded that ended the log at `end` and made this move.
    pub(in crate::store) fn committed(&mut self, moved: Option<&Move>, end: u64) {
        self.commits += 1;
        if let Some(moved) = moved {
            self.open = self.open.split_off(&moved.low_water);
            self.low_water = moved.low_water;
            self.next_mark = end;
            self.commits = 0;
        }
    }

    /// A work was opened.
    pub(in crate::store) fn opened(&mut self, position: u64) {
        if position >= self.low_water {
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
        let mut frontier = Frontier::new(1, 1, BTreeSet::new());
        let mut end = 1;
        let mut commit = |frontier: &mut Frontier| {
            let moved = frontier.due_move();
            frontier.committed(moved.as_ref(), end + 1);
            frontier.opened(end);
            if end != 3 {
                frontier.finished(end);
            }
            end += 1;
            moved
        };
        let moves: Vec<Move> = (0..600).filter_map(|_| commit(&mut frontier)).collect();

        let marks: Vec<u64> = moves.iter().map(|moved| moved.low_water).collect();
        assert_eq!(marks, [1, 258]);
        assert_eq!(moves[1].passed, [3]);
        assert!(frontier.open.is_empty());
    }
}
