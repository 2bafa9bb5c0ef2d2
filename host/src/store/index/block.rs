//! A block of the index: all receipts and events of a stretch of the log, by each of its parts.
//!
//! Written once and never changed; larger ones take the place of small ones. Never knows who asks.

use super::key::{self, BlockId, Part};
use super::row::{RowWriter, sealed, unsealed};
use crate::store::error::Failure;
use crate::store::file::index_rows::IndexRows;

/// A stretch of the log that has a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Block {
    pub(super) first: u64,
    pub(super) level: u8,
    /// The first position behind it.
    pub(super) end: u64,
    /// Whether it has the part by endpoint: an older Hookgate wrote none.
    pub(super) has_endpoints: bool,
}

/// In the last byte of the row of a block: it has the part by endpoint.
const HAS_ENDPOINTS: u8 = 1;

/// A change of the rows of the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) enum IndexChange {
    /// A row is this.
    Put { key: Vec<u8>, row: Vec<u8> },
    /// The rows with these keys go, at most so many of them.
    Remove { from: Vec<u8>, until: Vec<u8>, most: usize },
}

/// What the removal of a row costs is about that of writing so much.
const REMOVED_BYTES: usize = 1024;
/// Nobody removes more rows than this at once, but for a sender who makes up very many types.
const REMOVED_MAX: usize = 256;

impl IndexChange {
    /// About as much as it writes.
    pub(in crate::store) fn bytes(&self) -> usize {
        match self {
            Self::Put { key, row } => key.len() + row.len(),
            Self::Remove { most, .. } => REMOVED_BYTES * *most.min(&REMOVED_MAX),
        }
    }

    /// One row goes.
    pub(super) fn remove(key: Vec<u8>) -> Self {
        Self::Remove { until: key.clone(), from: key, most: 1 }
    }
}

impl Block {
    pub(super) fn id(&self) -> BlockId {
        BlockId { first: self.first, level: self.level }
    }

    /// The row that says that it is whole.
    pub(super) fn row(&self) -> IndexChange {
        let mut row = vec![self.level];
        row.extend(self.end.to_be_bytes());
        // With this an older Hookgate takes it for none, and makes blocks of its own: it could not
        // merge what it does not know.
        row.extend(self.has_endpoints.then_some(HAS_ENDPOINTS));
        IndexChange::Put { key: key::block(self.first), row: sealed(row) }
    }

    fn read(key: &[u8], row: &[u8]) -> Option<Self> {
        let (level, rest) = unsealed(row)?.split_first()?;
        let (end, parts) = rest.split_first_chunk::<8>()?;
        let has_endpoints = match parts {
            [] => false,
            [parts] => parts & HAS_ENDPOINTS != 0,
            _ => return None,
        };
        let (first, end) = (key::first(key)?, u64::from_be_bytes(*end));
        (first < end).then_some(Self { first, level: *level, end, has_endpoints })
    }

    /// Where the last of these ends; zero if there is none.
    pub(super) fn end_of(blocks: &[Self]) -> u64 {
        blocks.last().map_or(0, |last| last.end)
    }

    /// All blocks, in the order of their positions. One whose row is damaged is none, nor is one
    /// that another reaches into: what they would have is read in the log.
    pub(in crate::store) fn all(rows: &impl IndexRows) -> Result<Vec<Self>, Failure> {
        let (from, until) = key::all_blocks();
        let mut blocks: Vec<Self> = Vec::new();
        let mut next = rows.first_from(&from, &until)?;
        while let Some((key, row)) = next {
            let behind = Self::end_of(&blocks);
            blocks.extend(Self::read(&key, &row).filter(|block| block.first >= behind));
            let mut from = key;
            from.push(0);
            next = rows.first_from(&from, &until)?;
        }
        Ok(blocks)
    }
}

/// The rows of a block in the making.
#[derive(Debug)]
pub(in crate::store) struct BlockWriter {
    block: BlockId,
    part: Part,
    row: RowWriter,
    rows: Vec<IndexChange>,
    /// Of the rows.
    bytes: usize,
}

impl BlockWriter {
    pub(super) fn new(block: BlockId) -> Self {
        let row = RowWriter::new(block.first);
        Self { block, part: Part::EventSource, row, rows: Vec::new(), bytes: 0 }
    }

    /// Adds what is behind all that was added: by part, then by term, then by position.
    pub(super) fn push(&mut self, part: Part, term: &[u8], position: u64) {
        if part != self.part || self.row.is_full() {
            self.cut();
        }
        self.part = part;
        self.row.push(term, position);
    }

    fn cut(&mut self) {
        let Some(row) = self.row.finish() else { return };
        let key = key::row(self.block, self.part, &row.term, row.position);
        let put = IndexChange::Put { key, row: row.bytes };
        self.bytes += put.bytes();
        self.rows.push(put);
    }

    /// The rows that are whole, once they are so large.
    pub(super) fn take_if(&mut self, bytes: usize) -> Option<Vec<IndexChange>> {
        if self.bytes < bytes {
            return None;
        }
        self.bytes = 0;
        Some(std::mem::take(&mut self.rows))
    }

    /// All rows that were not taken.
    pub(super) fn finish(mut self) -> Vec<IndexChange> {
        self.cut();
        self.rows
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use super::*;

    pub(in crate::store::index) type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

    impl IndexRows for Rows {
        fn last_up_to(
            &self,
            from: &[u8],
            until: &[u8],
        ) -> Result<Option<(Vec<u8>, Vec<u8>)>, Failure> {
            let found = self.range(from.to_vec()..=until.to_vec()).next_back();
            Ok(found.map(|(key, row)| (key.clone(), row.clone())))
        }

        fn first_from(
            &self,
            from: &[u8],
            until: &[u8],
        ) -> Result<Option<(Vec<u8>, Vec<u8>)>, Failure> {
            if from > until {
                return Ok(None);
            }
            let found = self.range(from.to_vec()..=until.to_vec()).next();
            Ok(found.map(|(key, row)| (key.clone(), row.clone())))
        }
    }

    pub(in crate::store::index) fn make(rows: &mut Rows, changes: Vec<IndexChange>) {
        for change in changes {
            match change {
                IndexChange::Put { key, row } => {
                    rows.insert(key, row);
                }
                IndexChange::Remove { from, until, most } => {
                    let gone: Vec<_> =
                        rows.range(from..=until).take(most).map(|(key, _)| key.clone()).collect();
                    gone.iter().for_each(|key| drop(rows.remove(key)));
                }
            }
        }
    }

    #[test]
    fn blocks_are_listed_in_their_order_and_a_damaged_one_is_none() {
        let mut rows = Rows::new();
        let blocks = [(1, 0, 40, true), (40, 1, 300, true), (300, 0, 301, false)];
        let blocks = blocks.map(|(first, level, end, has_endpoints)| Block {
            first,
            level,
            end,
            has_endpoints,
        });
        make(&mut rows, blocks.iter().map(Block::row).collect());
        assert_eq!(Block::all(&rows).unwrap(), blocks);
        rows.get_mut(&key::block(40)).unwrap()[0] ^= 1;
        assert_eq!(Block::all(&rows).unwrap(), [blocks[0], blocks[2]]);
    }

    /// An older Hookgate reads a level and an end, and nothing else.
    #[test]
    fn a_block_with_endpoints_is_none_to_an_older_hookgate_and_one_without_is_as_it_wrote_it() {
        let block = |has_endpoints| Block { first: 7, level: 1, end: 300, has_endpoints };
        let bytes = |has_endpoints| match block(has_endpoints).row() {
            IndexChange::Put { row, .. } => unsealed(&row).unwrap().to_vec(),
            change @ IndexChange::Remove { .. } => panic!("{change:?}"),
        };
        let plain = [&[1][..], &300_u64.to_be_bytes()].concat();
        assert_eq!(bytes(false), plain);
        assert_eq!(bytes(true), [&plain[..], &[1]].concat());
        for parts in [&b""[..], b"\0", b"\x01", b"\x03", b"\x01\x01"] {
            let row = sealed([&plain[..], parts].concat());
            let expected = match parts {
                [] | [0] => Some(block(false)),
                [_] => Some(block(true)),
                _ => None,
            };
            assert_eq!(Block::read(&key::block(7), &row), expected, "{parts:?}");
        }
    }

    #[test]
    fn the_rows_of_a_block_are_full_and_begin_with_what_their_key_says() {
        let mut writer = BlockWriter::new(BlockId { first: 1, level: 0 });
        (1..9000).for_each(|position| writer.push(Part::EventSource, b"stripe", position));
        (1..900).for_each(|position| writer.push(Part::EventType, b"a", position));
        assert!(writer.take_if(usize::MAX).is_none());
        let rows = writer.finish();
        assert_eq!(rows.len(), 4, "9000 bytes and 900");
        for change in &rows {
            let IndexChange::Put { key, row } = change else { panic!("{change:?}") };
            assert!(row.len() < 3900);
            assert_eq!(key::block_of(key), Some(BlockId { first: 1, level: 0 }));
        }
    }
}
