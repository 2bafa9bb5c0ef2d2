//! The index at a start: the tail is read in the log again, and what has no block yet gets one.
//!
//! Reads what a record says of itself and no more. What can't be read is an item too, so that each
//! list comes to it. Writes nothing.

use super::block::{Block, IndexChange};
use super::tail::Tail;
use super::wanted::NewItem;
use super::{block_changes, key, merge};
use crate::store::damage::Damages;
use crate::store::error::{Damaged, Failure};
use crate::store::file;
use crate::store::file::index_rows::IndexRows;
use crate::store::file::view::{Segments, View};
use crate::store::log::record::Record;
use crate::store::log::segment::{RecordKind, Segment};

/// A stretch with fewer items than this part of a block is read in the log each time: that costs
/// less than a commit.
const FEW: usize = 64;

/// If the last block ends so far before the low-water mark, an older Hookgate has written since.
const POSITIONS_MAX: u64 = 1 << 22;

/// The tail as the log has it: all behind the last block. Where that is far, or there is no block
/// because an older Hookgate wrote the store, from the low-water mark on: a start reads from there
/// anyway, and what lies before it gets its blocks later.
pub(in crate::store) fn tail(view: &View, tag: u32, damages: &Damages) -> Result<Tail, Failure> {
    let (log, rows) = (view.log()?, view.index()?);
    let (end, mark) = (Block::end_of(&Block::all(&rows)?), view.fact(file::LOW_WATER)?);
    let mark = mark.unwrap_or(0);
    let is_near = end > 0 && end.saturating_add(POSITIONS_MAX) >= mark;
    let first = if is_near { end } else { mark };
    let mut tail = Tail::new(first);
    let from = log.key_up_to(first)?.unwrap_or(first);
    for row in log.within(from..)? {
        add(&mut tail, row?, tag, damages)?;
    }
    Ok(tail)
}

/// Adds a segment of the log, but for what comes before the tail begins.
fn add(
    tail: &mut Tail,
    (first, segment): (u64, Result<Segment, Damaged>),
    tag: u32,
    damages: &Damages,
) -> Result<(), Failure> {
    let Some(segment) = damages.pass(segment)? else {
        tail.push_unread(first.max(tail.first()));
        return Ok(());
    };
    for entry in segment.entries() {
        if !matches!(entry.kind, RecordKind::Receipt | RecordKind::BareReceipt | RecordKind::Event)
        {
            continue;
        }
        match damages.pass(Record::skim(&entry, tag))? {
            Some(Record::Receipt(receipt)) => tail.push(NewItem::receipt(&receipt)),
            Some(Record::Event(event)) => tail.push(NewItem::event(&event)),
            Some(_) => (),
            None => tail.push_unread(entry.position),
        }
    }
    Ok(())
}

/// A block for the newest stretch of the log that has none, of about so many items; `None` if all
/// before `end`, where the tail begins, has one, but for a few.
pub(in crate::store) fn missing(
    view: &View,
    end: u64,
    items: usize,
    (tag, damages): (u32, &Damages),
) -> Result<Option<Vec<IndexChange>>, Failure> {
    let (log, rows) = (view.log()?, view.index()?);
    let Some((gap, end)) = gap(&log, &Block::all(&rows)?, end)? else { return Ok(None) };
    let (mut from, mut count) = (end, 0);
    // Once to count, and once to read: what lies in between may be large.
    for row in log.within(..end)?.rev() {
        let (key, segment) = row?;
        from = key;
        count += segment.as_ref().map_or(1, |segment| items_of(segment, gap));
        if key <= gap || count >= items {
            break;
        }
    }
    if count < items / FEW {
        return Ok(None);
    }
    let mut tail = Tail::new(from.max(gap));
    for row in log.within(from..end)? {
        add(&mut tail, row?, tag, damages)?;
    }
    tail.cut(end);
    Ok(Some(block_changes(&tail, end)))
}

fn items_of(segment: &Segment, from: u64) -> usize {
    let is_item =
        |kind| matches!(kind, RecordKind::Receipt | RecordKind::BareReceipt | RecordKind::Event);
    segment.entries().filter(|entry| entry.position >= from && is_item(entry.kind)).count()
}

/// The newest stretch before `end` in which the log has something and the index has no block.
fn gap(log: &Segments, blocks: &[Block], end: u64) -> Result<Option<(u64, u64)>, Failure> {
    let mut end = end;
    for block in blocks.iter().rev().map(Some).chain([None]) {
        let first = block.map_or(0, |block| block.end);
        if first < end {
            let last = log.within(..end)?.next_back().transpose()?;
            let reaches = last.is_some_and(|(key, segment)| {
                key >= first || segment.is_ok_and(|segment| segment.next() > first)
            });
            if reaches {
                return Ok(Some((first, end)));
            }
        }
        end = block.map_or(0, |block| block.first).min(end);
    }
    Ok(None)
}

/// Takes the blocks out of use that lie before the log.
pub(in crate::store) fn swept_away(view: &View) -> Result<Vec<IndexChange>, Failure> {
    let (log, rows) = (view.log()?, view.index()?);
    let Some(first) = log.first_key()? else { return Ok(Vec::new()) };
    Ok(merge::before(first, &Block::all(&rows)?))
}

/// Takes the block out of use that begins here: it is damaged.
pub(in crate::store) fn without(first: u64) -> Vec<IndexChange> {
    vec![IndexChange::remove(key::block(first))]
}

/// The next rows to remove that belong to no block in use.
pub(in crate::store) fn left_over(rows: &impl IndexRows) -> Result<Option<IndexChange>, Failure> {
    merge::left_over(rows, &Block::all(rows)?)
}
