//! Many small blocks become one large one, so that a look-up asks few.
//!
//! Reads a part of the blocks at a time and says what to write; the last change takes the small
//! ones out of use and the large one into it. What a kill leaves in between is in no use. Never
//! writes by itself.

use std::collections::VecDeque;

use super::block::{Block, BlockWriter, IndexChange};
use super::key::{self, BlockId, Part};
use super::row;
use crate::store::error::{Damaged, Failure};
use crate::store::file::index_rows::IndexRows;

/// So many blocks of a level become one of the next.
pub(super) const WIDTH: usize = 16;
/// Blocks of this level are large enough.
const LEVEL_MAX: u8 = 2;
/// A step writes about so much.
const STEP_BYTES: usize = 256 << 10;
/// Most rows that a step removes.
const STEP_ROWS: usize = 64;

/// A merge on its way.
#[derive(Debug)]
pub(in crate::store) struct Merge {
    into: Block,
    writer: Option<BlockWriter>,
    sources: Vec<Source>,
}

/// A block that is merged, from where it was read.
#[derive(Debug)]
struct Source {
    block: Block,
    from: Vec<u8>,
    until: Vec<u8>,
    groups: VecDeque<Group>,
}

/// Positions of one term.
#[derive(Debug)]
struct Group {
    part: Part,
    term: Vec<u8>,
    positions: Vec<u64>,
}

impl Source {
    fn of(block: Block) -> Self {
        let (from, until) = key::rows_of(block.id());
        Self { block, from, until, groups: VecDeque::new() }
    }

    /// Reads on, if nothing that was read is left.
    fn fill(&mut self, rows: &impl IndexRows) -> Result<(), Failure> {
        while self.groups.is_empty() {
            let Some((mut key, row)) = rows.first_from(&self.from, &self.until)? else { break };
            let damaged = Damaged { position: self.block.first };
            let part = key::part_of(&key).ok_or(damaged)?;
            let groups = &mut self.groups;
            let read = row::each(&row, self.block.first, |term, positions| {
                let (term, positions) = (term.to_vec(), positions.to_vec());
                groups.push_back(Group { part, term, positions });
                true
            });
            read.ok_or(damaged)?;
            key.push(0);
            self.from = key;
        }
        Ok(())
    }
}

impl Merge {
    /// The merge that is due, if one is: of the oldest small blocks that follow each other, since
    /// new ones come behind the newest. Otherwise some would be left between large ones for ever.
    pub(in crate::store) fn due(blocks: &[Block]) -> Option<Self> {
        let is_due = |blocks: &&[Block]| {
            let follow = |pair: &[Block]| pair[0].end == pair[1].first;
            let level = blocks[0].level;
            level < LEVEL_MAX
                && blocks.iter().all(|block| block.level == level)
                && blocks.windows(2).all(follow)
        };
        let merged = blocks.windows(WIDTH).find(is_due)?;
        let (first, last) = (merged.first()?, merged.last()?);
        let into = Block {
            first: first.first,
            level: first.level + 1,
            end: last.end,
            // Of a part that some lack it would have less than all.
            has_endpoints: merged.iter().all(|block| block.has_endpoints),
        };
        let sources = merged.iter().copied().map(Source::of).collect();
        Some(Self { into, writer: Some(BlockWriter::new(into.id())), sources })
    }

    /// What to write next; `None` once all was given.
    pub(in crate::store) fn step(
        &mut self,
        rows: &impl IndexRows,
    ) -> Result<Option<Vec<IndexChange>>, Failure> {
        let Some(mut writer) = self.writer.take() else { return Ok(None) };
        while let Some(Group { part, term, positions }) = self.next(rows)? {
            if part == Part::Endpoint && !self.into.has_endpoints {
                continue;
            }
            positions.iter().for_each(|position| writer.push(part, &term, *position));
            if let Some(full) = writer.take_if(STEP_BYTES) {
                self.writer = Some(writer);
                return Ok(Some(full));
            }
        }
        Ok(Some(writer.finish()))
    }

    /// The next positions, in the order of parts, terms and blocks.
    fn next(&mut self, rows: &impl IndexRows) -> Result<Option<Group>, Failure> {
        for source in &mut self.sources {
            source.fill(rows)?;
        }
        let heads = self.sources.iter().enumerate().filter_map(|(at, source)| {
            let head = source.groups.front()?;
            Some((head.part, &head.term, at))
        });
        let least = heads.min().map(|(.., at)| at);
        Ok(least.and_then(|at| self.sources[at].groups.pop_front()))
    }

    /// The last change: the large block is in use, and no small one.
    pub(in crate::store) fn switch(&self) -> Vec<IndexChange> {
        let small = self.sources.iter().skip(1).map(|source| key::block(source.block.first));
        // The first small one has the same key.
        small.map(IndexChange::remove).chain([self.into.row()]).collect()
    }
}

/// The next rows to remove that belong to no block in use.
pub(in crate::store) fn left_over(
    rows: &impl IndexRows,
    blocks: &[Block],
) -> Result<Option<IndexChange>, Failure> {
    let mut known: Option<BlockId> = None;
    loop {
        let (from, until) = key::rows_behind(known);
        let Some((key, _)) = rows.first_from(&from, &until)? else { return Ok(None) };
        let Some(block) = key::block_of(&key) else { return Ok(Some(IndexChange::remove(key))) };
        if !blocks.iter().any(|used| used.id() == block) {
            let (from, until) = key::rows_of(block);
            return Ok(Some(IndexChange::Remove { from, until, most: STEP_ROWS }));
        }
        known = Some(block);
    }
}

/// Takes the blocks out of use that lie before this position: nothing is there any more.
pub(in crate::store) fn before(position: u64, blocks: &[Block]) -> Vec<IndexChange> {
    let mut changes = without(blocks.iter().filter(|block| block.end <= position));
    changes.truncate(3 * STEP_ROWS);
    changes
}

/// Takes these blocks out of use, with what they count.
pub(super) fn without<'b>(gone: impl Iterator<Item = &'b Block>) -> Vec<IndexChange> {
    let changes = gone.flat_map(|Block { first, end, .. }| {
        let (from, until) = (key::spans(*first), key::spans(end - 1));
        let spans = IndexChange::Remove { from, until, most: usize::MAX };
        let (from, until) = key::hours_of(*first, *end);
        let hours = IndexChange::Remove { from, until, most: usize::MAX };
        // It is known as long as any row of it is left.
        [spans, hours, IndexChange::remove(key::block(*first))]
    });
    changes.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::index::block::tests::{Rows, make};

    /// So many small blocks of 100 positions each.
    fn small(count: u64) -> Rows {
        small_of(count, |_| true)
    }

    /// The same, of which some have no part by endpoint.
    fn small_of(count: u64, has_endpoints: impl Fn(u64) -> bool) -> Rows {
        let mut rows = Rows::new();
        for number in 0..count {
            let has_endpoints = has_endpoints(number);
            let (first, end) = (1 + 100 * number, 101 + 100 * number);
            let block = Block { first, level: 0, end, has_endpoints };
            let mut writer = BlockWriter::new(block.id());
            let positions = || block.first..block.end;
            positions().for_each(|at| writer.push(Part::EventSource, b"stripe", at));
            let even = positions().filter(|at| at % 2 == 0);
            even.for_each(|at| writer.push(Part::EventType, b"a", at));
            let odd = positions().filter(|at| at % 2 == 1);
            odd.for_each(|at| writer.push(Part::EventType, b"b", at));
            if has_endpoints {
                positions().for_each(|at| writer.push(Part::Endpoint, b"crm", at));
            }
            make(&mut rows, writer.finish());
            make(&mut rows, vec![block.row()]);
        }
        rows
    }

    fn entries(rows: &Rows) -> Vec<(Part, Vec<u8>, u64)> {
        let mut found = Vec::new();
        for block in Block::all(rows).unwrap() {
            let mut source = Source::of(block);
            source.fill(rows).unwrap();
            while let Some(Group { part, term, positions }) = source.groups.pop_front() {
                found.extend(positions.into_iter().map(|at| (part, term.clone(), at)));
                source.fill(rows).unwrap();
            }
        }
        found.sort();
        found
    }

    #[test]
    fn sixteen_blocks_become_one_that_has_all_of_them() {
        let mut rows = small(17);
        let all = entries(&rows);
        let blocks = Block::all(&rows).unwrap();
        assert!(Merge::due(&blocks[..15]).is_none());
        let mut merge = Merge::due(&blocks).unwrap();
        while let Some(changes) = merge.step(&rows.clone()).unwrap() {
            make(&mut rows, changes);
            assert_eq!(Block::all(&rows).unwrap(), blocks, "not before the end");
        }
        make(&mut rows, merge.switch());

        let merged = Block::all(&rows).unwrap();
        assert_eq!(merged.iter().map(|block| block.level).collect::<Vec<_>>(), [1, 0]);
        assert_eq!(entries(&rows), all);
        while let Some(change) = left_over(&rows, &merged).unwrap() {
            make(&mut rows, vec![change]);
        }
        assert_eq!(entries(&rows), all);
        assert!(rows.len() < 12, "the small rows are gone: {}", rows.len());
    }

    /// All of a part must be there, or none: a list takes what it finds for all.
    #[test]
    fn a_block_of_which_a_part_lacks_the_endpoints_has_none_of_them() {
        for lacks in [None, Some(3)] {
            let mut rows = small_of(16, |number| Some(number) != lacks);
            let mut merge = Merge::due(&Block::all(&rows).unwrap()).unwrap();
            while let Some(changes) = merge.step(&rows.clone()).unwrap() {
                make(&mut rows, changes);
            }
            make(&mut rows, merge.switch());
            let merged = Block::all(&rows).unwrap();
            assert_eq!(merged.len(), 1);
            assert_eq!(merged[0].has_endpoints, lacks.is_none());
            let of_endpoints = entries(&rows).iter().filter(|it| it.0 == Part::Endpoint).count();
            assert_eq!(of_endpoints, if lacks.is_none() { 1600 } else { 0 });
        }
    }

    #[test]
    fn no_small_block_is_left_between_large_ones_however_many_come_between_two_merges() {
        let (mut blocks, mut next) = (Vec::<Block>::new(), 1);
        for come in [20, 28, 31, 17, 40, 300] {
            for _ in 0..come {
                let (first, end) = (next, next + 10);
                blocks.push(Block { first, level: 0, end, has_endpoints: true });
                next += 10;
            }
            while let Some(Merge { into, .. }) = Merge::due(&blocks) {
                let at = blocks.iter().position(|block| block.first == into.first).unwrap();
                drop(blocks.splice(at..at + WIDTH, [into]));
            }
        }
        let levels: Vec<u8> = blocks.iter().map(|block| block.level).collect();
        assert!(levels.is_sorted_by(|a, b| a >= b), "{levels:?}");
        assert!(blocks.len() < 2 * WIDTH, "{levels:?}");
    }

    #[test]
    fn blocks_with_a_gap_between_them_stay_apart() {
        let rows = small(16);
        let mut blocks = Block::all(&rows).unwrap();
        assert!(Merge::due(&blocks).is_some());
        blocks[3].end -= 1;
        assert!(Merge::due(&blocks).is_none());
    }

    #[test]
    fn blocks_before_the_log_go_with_all_of_their_rows() {
        let mut rows = small(3);
        let changes = before(201, &Block::all(&rows).unwrap());
        make(&mut rows, changes);
        let left = Block::all(&rows).unwrap();
        assert_eq!(left.iter().map(|block| block.first).collect::<Vec<_>>(), [201]);
        while let Some(change) = left_over(&rows, &left).unwrap() {
            make(&mut rows, vec![change]);
        }
        assert!(entries(&rows).iter().all(|(_, _, at)| *at >= 201));
        assert_eq!(rows.keys().filter(|key| key::block_of(key).is_some()).count(), 3);
    }
}
