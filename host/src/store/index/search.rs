//! A search: from newer to older, the positions that may be wanted, and the stretches of the log of
//! which the index knows nothing.
//!
//! First the tail in memory, then the blocks. A damaged block is none: its stretch is read in the
//! log. Never reads a record, so what it names may be gone or another.

use super::block::Block;
use super::key;
use super::postings::Matches;
use super::spans::{self, Within};
use super::wanted::Wanted;
use crate::store::error::Failure;
use crate::store::file::index_rows::IndexRows;

/// What the tail has of what is wanted.
#[derive(Debug)]
pub(in crate::store) struct InTail {
    /// It has all from here on.
    pub(super) first: u64,
    /// In ascending order.
    pub(super) positions: Vec<u64>,
}

/// A search for what is wanted.
#[derive(Debug)]
pub(in crate::store) struct Search<R> {
    rows: R,
    wanted: Wanted,
    tail: InTail,
    /// In the order of their positions.
    blocks: Vec<Block>,
    /// Where the times fit.
    within: Within,
    /// What is wanted in the block that was asked last.
    open: Option<(Block, Matches)>,
    /// Where the blocks begin that are damaged.
    damaged: Vec<u64>,
}

/// What to look at next.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::store) enum Next {
    /// What stands at this position may be wanted, and nothing behind it.
    Position(u64),
    /// All of this stretch may be wanted: the index does not know it.
    Unindexed { first: u64, end: u64 },
    /// There is nothing more.
    End,
}

impl<R: IndexRows> Search<R> {
    /// A search in rows that are not newer than the tail.
    pub(in crate::store) fn new(rows: R, wanted: Wanted, tail: InTail) -> Result<Self, Failure> {
        let blocks = Block::all(&rows)?;
        let indexed_to = Block::end_of(&blocks);
        // A block may have come since the view was opened: its stretch is in no row of the view
        // then, and not in the tail any more.
        let tail = InTail { first: tail.first.max(indexed_to), ..tail };
        let is_timed = wanted.after.is_some() || wanted.before.is_some();
        let within = if is_timed { within(&rows, &blocks, &wanted)? } else { Within::All };
        Ok(Self { rows, wanted, tail, blocks, within, open: None, damaged: Vec::new() })
    }

    /// Where the blocks begin that it found damaged.
    pub(in crate::store) fn damaged(&self) -> &[u64] {
        &self.damaged
    }

    /// What to look at before this position.
    pub(in crate::store) fn before(&mut self, before: u64) -> Result<Next, Failure> {
        let Some(mut last) = before.checked_sub(1) else { return Ok(Next::End) };
        if last >= self.tail.first {
            let behind = self.tail.positions.partition_point(|position| *position <= last);
            let found = behind.checked_sub(1).map(|at| self.tail.positions[at]);
            if let Some(found) = found.filter(|found| *found >= self.tail.first) {
                return Ok(Next::Position(found));
            }
            let Some(below) = self.tail.first.checked_sub(1) else { return Ok(Next::End) };
            last = below;
        }
        loop {
            let behind = self.blocks.partition_point(|block| block.first <= last);
            let block = behind.checked_sub(1).map(|at| self.blocks[at]);
            let Some(block) = block.filter(|block| last < block.end) else {
                let first = block.map_or(0, |block| block.end);
                return Ok(Next::Unindexed { first, end: last + 1 });
            };
            if self.wanted.endpoints.is_some() && !block.has_endpoints {
                return Ok(Next::Unindexed { first: block.first, end: last + 1 });
            }
            match self.in_block(block, last) {
                Ok(Some(found)) => return Ok(Next::Position(found)),
                Ok(None) => {
                    let Some(below) = block.first.checked_sub(1) else { return Ok(Next::End) };
                    last = below;
                }
                Err(Failure::Damaged(_)) => {
                    self.damaged.push(block.first);
                    self.blocks.retain(|other| *other != block);
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    fn in_block(&mut self, block: Block, mut last: u64) -> Result<Option<u64>, Failure> {
        if self.open.as_ref().is_none_or(|(open, _)| *open != block) {
            let matches = Matches::of(&self.rows, block, &self.wanted)?;
            self.open = Some((block, matches));
        }
        let Some((_, matches)) = &mut self.open else { return Ok(None) };
        // What is wanted, and where the times fit, in turns.
        while let Some(within) = self.within.at_most(last).filter(|at| *at >= block.first) {
            let Some(found) = matches.at_most(&self.rows, within)? else { return Ok(None) };
            if self.within.at_most(found) == Some(found) {
                return Ok(Some(found));
            }
            last = found;
        }
        Ok(None)
    }
}

/// Where the times fit, as the rows of spans say. Where one is damaged or missing, they may fit.
fn within(rows: &impl IndexRows, blocks: &[Block], wanted: &Wanted) -> Result<Within, Failure> {
    let (from, until) = key::all_spans();
    let mut spans = Vec::new();
    let mut next = rows.first_from(&from, &until)?;
    while let Some((key, row)) = next {
        let first = key::first(&key).unwrap_or_default();
        spans.extend(spans::read(first, &row).unwrap_or_default());
        let mut from = key;
        from.push(0);
        next = rows.first_from(&from, &until)?;
    }
    let spans = spans::without_gaps(spans, Block::end_of(blocks));
    Ok(Within::of(spans.into_iter(), (wanted.after, wanted.before)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Timestamp;
    use crate::ids::Name;
    use crate::store::index::block::tests::{Rows, make};
    use crate::store::index::key::BlockId;
    use crate::store::index::tail::Tail;
    use crate::store::index::wanted::{Kind, NewItem};

    fn event(position: u64, endpoints: &[Name]) -> NewItem<'_> {
        let event = Some(("payment.failed", position.is_multiple_of(3).then_some("pi_1")));
        let at = Timestamp(position);
        NewItem { position, at, source: "stripe", event, endpoints, is_parcel: false }
    }

    fn parcel(position: u64, endpoints: &[Name]) -> NewItem<'_> {
        let at = Timestamp(position);
        NewItem { position, at, source: "", event: None, endpoints, is_parcel: true }
    }

    /// Blocks of 100 positions with an event at each tenth, and a tail with the rest. The events go
    /// to `crm`; behind each fourth is a parcel to `erp`.
    fn filled() -> (Rows, Tail) {
        let [crm, erp] = ["crm", "erp"].map(|name| [name.parse::<Name>().unwrap()]);
        let (mut rows, mut tail) = (Rows::new(), Tail::new(0));
        for position in (10..550).step_by(10) {
            if position % 100 == 0 {
                let (block, writer, spans) = tail.block(position);
                make(&mut rows, writer.finish());
                rows.insert(key::spans(block.first), spans::write(&spans));
                make(&mut rows, vec![block.row()]);
                tail.written(position);
            }
            tail.push(event(position, &crm));
            if position % 40 == 0 {
                tail.push(parcel(position + 5, &erp));
            }
        }
        (rows, tail)
    }

    fn search(rows: &Rows, tail: &Tail, change: impl FnOnce(&mut Wanted)) -> Search<Rows> {
        let mut wanted = Wanted::all(Kind::Event);
        change(&mut wanted);
        let tail = InTail { first: tail.first(), positions: tail.find(&wanted) };
        Search::new(rows.clone(), wanted, tail).unwrap()
    }

    /// What a search names, newest first; a stretch without an index by its two ends.
    fn all(mut search: Search<Rows>) -> Vec<(u64, u64)> {
        let (mut found, mut before) = (Vec::new(), u64::MAX);
        loop {
            match search.before(before).unwrap() {
                Next::Position(position) => {
                    found.push((position, position));
                    before = position;
                }
                Next::Unindexed { first, end } => {
                    found.push((first, end));
                    before = first;
                }
                Next::End => return found,
            }
        }
    }

    fn tenths(range: std::ops::Range<u64>, step: usize) -> Vec<(u64, u64)> {
        let mut found: Vec<(u64, u64)> = range.step_by(step).map(|at| (at, at)).collect();
        found.reverse();
        found
    }

    #[test]
    fn a_search_goes_from_the_tail_through_all_blocks() {
        let (rows, tail) = filled();
        assert_eq!(all(search(&rows, &tail, |_| ())), tenths(10..550, 10), "nothing before it");
        let about = search(&rows, &tail, |it| it.subject = Some("pi_1".into()));
        assert_eq!(all(about), tenths(30..550, 30));
    }

    #[test]
    fn what_goes_to_an_endpoint_is_found_by_it_events_and_parcels() {
        let (rows, tail) = filled();
        let to = |names: &[&str]| {
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            all(search(&rows, &tail, |it| *it = Wanted::going_to(names)))
        };
        assert_eq!(to(&["crm"]), tenths(10..550, 10));
        assert_eq!(to(&["erp"]), tenths(45..550, 40));
        let mut both = [tenths(10..550, 10), tenths(45..550, 40)].concat();
        both.sort_unstable();
        both.reverse();
        assert_eq!(to(&["crm", "erp"]), both);
        assert!(to(&["shop"]).is_empty());
    }

    /// A block of an older Hookgate has them not: it is read in the log.
    #[test]
    fn the_stretch_of_a_block_without_endpoints_is_named() {
        let (mut rows, tail) = filled();
        let old = Block { first: 200, level: 0, end: 300, has_endpoints: false };
        make(&mut rows, vec![old.row()]);
        let to_erp = search(&rows, &tail, |it| *it = Wanted::going_to(vec!["erp".to_owned()]));
        let expected = [tenths(325..550, 40), vec![(200, 300)], tenths(45..200, 40)].concat();
        assert_eq!(all(to_erp), expected);
        assert_eq!(all(search(&rows, &tail, |_| ())), tenths(10..550, 10), "all else is there");
    }

    #[test]
    fn a_search_between_two_times_asks_no_block_outside_of_them() {
        let (rows, tail) = filled();
        let found = all(search(&rows, &tail, |it| {
            (it.after, it.before) = (Some(Timestamp(210)), Some(Timestamp(250)));
        }));
        assert_eq!(found, tenths(200..300, 10), "as near as its spans say");
    }

    #[test]
    fn what_is_in_no_block_and_not_in_the_tail_is_named_as_a_stretch() {
        let (rows, mut tail) = filled();
        tail.written(530);
        let found = all(search(&rows, &tail, |_| ()));
        assert_eq!(found[..3], [(540, 540), (530, 530), (500, 530)]);
        assert_eq!(found[3..], tenths(10..500, 10));
        let (empty, tail) = (Rows::new(), Tail::new(70));
        assert_eq!(all(search(&empty, &tail, |_| ())), [(0, 70)]);
    }

    #[test]
    fn the_stretch_of_a_damaged_block_is_named_and_all_else_found() {
        let (mut rows, tail) = filled();
        let (from, until) = key::rows_of(BlockId { first: 200, level: 0 });
        rows.range_mut(from..until).for_each(|(_, row)| row[0] ^= 1);
        let found = all(search(&rows, &tail, |_| ()));
        let expected = [tenths(300..550, 10), vec![(200, 300)], tenths(10..200, 10)].concat();
        assert_eq!(found, expected);
    }
}
