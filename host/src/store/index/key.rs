//! The keys of the index's rows.
//!
//! Pure. A block is known by its first position and its level. Keys sort so that all rows of a
//! block lie together, by part, then by term and position. Never knows what a row says.

/// The first byte of each key: which rows these are.
const SPANS: u8 = 1;
const BLOCKS: u8 = 2;
const ROWS: u8 = 3;
const HOURS: u8 = 4;
/// Behind the kind, the first position and the level.
const PART_AT: usize = 10;

/// A part of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Part {
    /// Events by the text of their source.
    EventSource = 1,
    /// Events by the text of their type.
    EventType = 2,
    /// Events by the hash of their subject.
    Subject = 3,
    /// Receipts by the text of their source.
    ReceiptSource = 4,
    /// What could not be read: it may be anything.
    Unread = 5,
    /// Events and parcels by the text of each endpoint that they go to.
    Endpoint = 6,
}

impl Part {
    /// In the order of their numbers: so a block has them.
    pub(super) const ALL: [Self; 6] = [
        Self::EventSource,
        Self::EventType,
        Self::Subject,
        Self::ReceiptSource,
        Self::Unread,
        Self::Endpoint,
    ];
}

/// Which block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BlockId {
    pub(super) first: u64,
    pub(super) level: u8,
}

fn at(kind: u8, first: u64) -> Vec<u8> {
    let mut key = vec![kind];
    key.extend(first.to_be_bytes());
    key
}

/// The row that says when the items of a block were stored.
pub(super) fn spans(first: u64) -> Vec<u8> {
    at(SPANS, first)
}

/// The row that says that there is a block.
pub(super) fn block(first: u64) -> Vec<u8> {
    at(BLOCKS, first)
}

/// A row of what is counted of a block: the first is number zero.
pub(super) fn hours(first: u64, number: u16) -> Vec<u8> {
    let mut key = at(HOURS, first);
    key.extend(number.to_be_bytes());
    key
}

/// The keys of all such rows of blocks that begin in this stretch.
pub(super) fn hours_of(first: u64, end: u64) -> (Vec<u8>, Vec<u8>) {
    (hours(first, 0), hours(end.saturating_sub(1), u16::MAX))
}

/// The keys of all such rows.
pub(super) fn all_spans() -> (Vec<u8>, Vec<u8>) {
    (spans(0), spans(u64::MAX))
}

pub(super) fn all_blocks() -> (Vec<u8>, Vec<u8>) {
    (block(0), block(u64::MAX))
}

/// The first position in the key of a row of [`spans`] or [`block`].
pub(super) fn first(key: &[u8]) -> Option<u64> {
    let (_, first) = key.split_first()?;
    Some(u64::from_be_bytes(first.try_into().ok()?))
}

fn rows(BlockId { first, level }: BlockId) -> Vec<u8> {
    let mut key = at(ROWS, first);
    key.push(level);
    key
}

/// The row of a part that begins with this term and position.
pub(super) fn row(block: BlockId, part: Part, term: &[u8], position: u64) -> Vec<u8> {
    let mut key = part_begin(block, part);
    key.extend(term);
    // No text has a zero, and all hashes are as long as each other: so terms keep their order.
    key.push(0);
    key.extend(position.to_be_bytes());
    key
}

/// Before all rows of a part, and where those begin that have this term or a later one.
pub(super) fn part_begin(block: BlockId, part: Part) -> Vec<u8> {
    let mut key = rows(block);
    key.push(part as u8);
    key
}

pub(super) fn term_begin(block: BlockId, part: Part, term: &[u8]) -> Vec<u8> {
    let mut key = part_begin(block, part);
    key.extend(term);
    key
}

/// Behind all rows of a part.
pub(super) fn part_end(block: BlockId, part: Part) -> Vec<u8> {
    let mut key = rows(block);
    key.push(part as u8 + 1);
    key
}

/// The keys of all rows of a block.
pub(super) fn rows_of(block: BlockId) -> (Vec<u8>, Vec<u8>) {
    let mut end = rows(block);
    end.push(u8::MAX);
    (rows(block), end)
}

/// The keys of all rows of blocks behind this one, or of all blocks.
pub(super) fn rows_behind(block: Option<BlockId>) -> (Vec<u8>, Vec<u8>) {
    let begin = block.map_or_else(|| vec![ROWS], |block| rows_of(block).1);
    (begin, vec![ROWS + 1])
}

/// The part that the key of a row names.
pub(super) fn part_of(key: &[u8]) -> Option<Part> {
    let number = *key.get(PART_AT)?;
    Part::ALL.into_iter().find(|part| *part as u8 == number)
}

/// The block that the key of a row names.
pub(super) fn block_of(key: &[u8]) -> Option<BlockId> {
    let (_, rest) = key.split_first()?;
    let (first, rest) = rest.split_first_chunk::<8>()?;
    Some(BlockId { first: u64::from_be_bytes(*first), level: *rest.first()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_by_block_then_part_then_term_then_position() {
        let block = BlockId { first: 256, level: 1 };
        let later = BlockId { first: 256, level: 2 };
        let sorted = [
            spans(7),
            self::block(3),
            rows_of(BlockId { first: 255, level: 9 }).1,
            rows_of(block).0,
            part_begin(block, Part::EventSource),
            row(block, Part::EventSource, b"pay", 9),
            row(block, Part::EventSource, b"pay-x", 1),
            row(block, Part::EventSource, b"pay-x", 256),
            part_end(block, Part::EventSource),
            row(block, Part::EventType, b"a", 1),
            row(block, Part::Unread, b"", 1),
            row(block, Part::Endpoint, b"crm", 1),
            rows_of(block).1,
            rows_of(later).0,
        ];
        assert!(sorted.windows(2).all(|pair| pair[0] <= pair[1]), "{sorted:?}");
        assert_eq!(block_of(&sorted[5]), Some(block));
        assert_eq!(first(&self::block(3)), Some(3));
        assert!(row(block, Part::Unread, b"", 1) < part_end(block, Part::Unread));
    }
}
