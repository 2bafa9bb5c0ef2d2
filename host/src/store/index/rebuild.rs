//! The index at a start: the tail is read in the log again, and what has no block yet gets one.
//!
//! Reads what a record says of itself and no more. What can't be read is an item too, so that each
//! list comes to it. Writes nothing.

use super::block::{Block, IndexChange};
use super::tail::Tail;
use super::wanted::{NewItem, Tried};
use super::{DELIVERIES_PER_ITEM, block_changes, merge, positions_of};
use crate::retry::Verdict;
use crate::store::damage::Damages;
use crate::store::error::Failure;
use crate::store::file;
use crate::store::file::index_rows::IndexRows;
use crate::store::file::view::{Keyed, Segments, View};
use crate::store::kind::WorkKind;
use crate::store::log::reader::LogReader;
use crate::store::log::record::Record;
use crate::store::log::segment::{Entry, RecordKind, Segment};

/// A stretch with fewer items than this part of a block is read in the log each time: that costs
/// less than a commit.
const FEW: usize = 64;

/// If the last block ends so far before the low-water mark, an older Hookgate has written since.
const POSITIONS_MAX: u64 = 1 << 22;

/// A start takes no more into memory than so many blocks have.
const BLOCKS_MAX: usize = 4;

/// The tail as the log has it: all behind the last block. Where that is far, because an older
/// Hookgate wrote the store, from the low-water mark on: a start reads from there
/// anyway, and what lies before it gets its blocks later. So does what is more than some blocks of
/// `items`: no start takes much memory for it.
pub(in crate::store) fn tail(
    view: &View,
    items: usize,
    (tag, damages): (u32, &Damages),
) -> Result<Tail, Failure> {
    let (log, rows) = (view.log()?, view.index()?);
    let (end, mark) = (Block::end_of(&Block::all(&rows)?), view.fact(file::LOW_WATER)?);
    let mark = mark.unwrap_or(0);
    // A store that has had no block yet is read from its beginning, if this Hookgate made it.
    let most = if end > 0 { POSITIONS_MAX } else { positions_of(items) };
    let is_near = end.saturating_add(most) >= mark;
    let first = if is_near { end } else { mark };
    let mut tail = Tail::new(first);
    let from = log.key_up_to(first)?.unwrap_or(first);
    let reading = Reading { log: &log, reader: LogReader::new(tag), tag, damages, end: u64::MAX };
    for row in log.within(from..)? {
        reading.add(&mut tail, row?)?;
        let most = items.saturating_mul(BLOCKS_MAX);
        if tail.len() > most || tail.owed() > most.saturating_mul(DELIVERIES_PER_ITEM) {
            tail.forget_seen();
        }
    }
    Ok(tail)
}

/// What is read again.
struct Reading<'r> {
    log: &'r Segments,
    reader: LogReader,
    tag: u32,
    damages: &'r Damages,
    /// Nothing from here on counts.
    end: u64,
}

impl Reading<'_> {
    /// Adds a segment of the log, but for what comes before the tail begins or behind the end.
    fn add(&self, tail: &mut Tail, (first, segment): Keyed) -> Result<(), Failure> {
        let Some(segment) = self.damages.pass(segment)? else {
            tail.push_unread(first.max(tail.first()));
            return Ok(());
        };
        let begin = tail.first();
        let within = |entry: &Entry<'_>| (begin..self.end).contains(&entry.position);
        for entry in segment.entries().filter(within) {
            if matches!(entry.kind, RecordKind::Gap | RecordKind::Reopening) {
                continue;
            }
            match self.damages.pass(Record::skim(&entry, self.tag))? {
                Some(Record::Receipt(receipt)) => tail.push(NewItem::receipt(&receipt)),
                Some(Record::Event(event)) => tail.push(NewItem::event(&event)),
                Some(Record::Parcel(parcel)) => tail.push(NewItem::parcel(&parcel)),
                Some(Record::Try(tried)) => {
                    let kind = self.kind_of(tail, tried.work)?;
                    // It counts for the hour in which it ended: it was committed then.
                    let at = tried.at.after(tried.duration);
                    tail.tried(Tried { at, kind, verdict: number(tried.verdict) });
                }
                Some(Record::Attempt(attempt)) => {
                    let at = attempt.at.after(attempt.duration);
                    let kind = WorkKind::Delivery;
                    tail.tried(Tried { at, kind, verdict: number(attempt.verdict) });
                }
                Some(_) => (),
                // No list but that of deliveries would have it, and nobody knows of which endpoint.
                None if entry.kind == RecordKind::Parcel => (),
                None if matches!(entry.kind, RecordKind::Try | RecordKind::Attempt) => (),
                None => tail.push_unread(entry.position),
            }
        }
        tail.sees(segment.next());
        Ok(())
    }

    /// Whether a try was of a parse or of a run: its record does not say it.
    fn kind_of(&self, tail: &Tail, work: u64) -> Result<WorkKind, Failure> {
        let is_receipt = match tail.is_receipt(work) {
            Some(is_receipt) => is_receipt,
            None => {
                let record = self.damages.pass(self.reader.skim(self.log, work))?.flatten();
                matches!(record, Some(Record::Receipt(_)))
            }
        };
        Ok(if is_receipt { WorkKind::Parse } else { WorkKind::Run })
    }
}

/// The number of a verdict.
fn number(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Done => 0,
        Verdict::RetryAt(_) => 1,
        Verdict::Dead => 2,
    }
}

/// A block for the newest stretch of the log that has none, of about so many items; `None` if all
/// before `end`, where the tail begins, has one, but for stretches with few items.
pub(in crate::store) fn missing(
    view: &View,
    end: u64,
    items: usize,
    (tag, damages): (u32, &Damages),
) -> Result<Option<Vec<IndexChange>>, Failure> {
    let (log, blocks) = (view.log()?, Block::all(&view.index()?)?);
    let mut before = end;
    while let Some((gap, end)) = gap(&log, &blocks, before)? {
        before = gap;
        let (from, count) = begin(&log, (gap, end), items)?;
        if count < items / FEW {
            continue;
        }
        let mut tail = Tail::new(from.max(gap));
        let reading = Reading { log: &log, reader: LogReader::new(tag), tag, damages, end };
        for row in log.within(from..end)? {
            reading.add(&mut tail, row?)?;
        }
        return Ok(Some(block_changes(&tail, end)));
    }
    Ok(None)
}

/// Where the segments begin that have the last items of a stretch, about so many, and how many they
/// have. Only counts: what they hold may be large.
fn begin(log: &Segments, (gap, end): (u64, u64), items: usize) -> Result<(u64, usize), Failure> {
    let (mut from, mut count) = (end, 0);
    for row in log.within(..end)?.rev() {
        let (key, segment) = row?;
        from = key;
        count += segment.as_ref().map_or(1, |segment| items_of(segment, gap));
        if key <= gap || count >= items {
            break;
        }
    }
    Ok((from, count))
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

/// Takes the block out of use that begins here: it is damaged. What it counts goes too: the blocks
/// that come in its place may begin elsewhere.
pub(in crate::store) fn without(view: &View, first: u64) -> Result<Vec<IndexChange>, Failure> {
    let blocks = Block::all(&view.index()?)?;
    Ok(merge::without(blocks.iter().filter(|block| block.first == first)))
}

/// The next rows to remove that belong to no block in use.
pub(in crate::store) fn left_over(rows: &impl IndexRows) -> Result<Option<IndexChange>, Failure> {
    merge::left_over(rows, &Block::all(rows)?)
}
