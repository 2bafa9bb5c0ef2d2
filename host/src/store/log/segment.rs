//! A segment: all that one commit adds to the log, packed into one value.
//!
//! Pure. A segment is a format byte and a compressed block of records, each behind a small head of
//! its kind, the positions it takes and its length, so that a look-up skips what it does not want.
//! Records never span segments. A segment changes only when it is swept: its records keep their
//! positions.

use std::fmt;

use lz4_flex::block::{self, CompressTable};
use serde::Serialize;

use crate::store::error::Damaged;

/// The first byte of a segment that a commit wrote: LZ4, which costs the writer next to nothing.
const FORMAT: u8 = 1;
/// The first byte of one that a sweep packed: zstd, which finds an event in its receipt.
const FORMAT_DENSE: u8 = 2;
/// How hard zstd tries.
const DENSE_LEVEL: i32 = 3;

/// No segment is larger when unpacked; a greater size in its head is damage.
const UNPACKED_BYTES_MAX: usize = 1 << 30;

/// Where the compressed records begin: behind the format and their size when unpacked (`u32`).
const PACKED_AT: usize = 5;
/// Most memory that a segment leaves to the next.
const KEPT_BYTES_MAX: usize = 4 << 20;

/// Kind, width (`u32`), length (`u32`).
const HEAD_BYTES: usize = 9;

/// What a record is; the number is what stands in the segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum RecordKind {
    Receipt = 1,
    Event = 2,
    Parcel = 3,
    Try = 4,
    Attempt = 5,
    Reopening = 6,
    /// Positions whose records were removed.
    Gap = 7,
    /// A receipt without its body and headers.
    BareReceipt = 8,
}

impl RecordKind {
    pub(in crate::store) fn read(number: u8) -> Option<Self> {
        let stored = [Self::Receipt, Self::Event, Self::Parcel, Self::Try, Self::Attempt];
        let later = [Self::Reopening, Self::Gap, Self::BareReceipt];
        stored.into_iter().chain(later).find(|kind| *kind as u8 == number)
    }
}

/// A segment in the making. Its memory is used again for the next one: the allocator would give
/// pieces as large as these back to the system each time, and the system would clear them.
pub(in crate::store) struct SegmentWriter {
    first: u64,
    next: u64,
    bytes: Vec<u8>,
    /// Room for what is stored, of which only a part may be in use.
    packed: Vec<u8>,
    table: CompressTable,
}

impl fmt::Debug for SegmentWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, next, bytes, .. } = self;
        write!(f, "SegmentWriter({first}..{next}, {} bytes)", bytes.len())
    }
}

impl SegmentWriter {
    /// An empty segment whose first record will stand at `first`.
    pub(in crate::store) fn new(first: u64) -> Self {
        let table = CompressTable::large();
        Self { first, next: first, bytes: Vec::new(), packed: Vec::new(), table }
    }

    /// Begins an empty segment whose first record will stand at `first`.
    pub(in crate::store) fn begin(&mut self, first: u64) {
        (self.first, self.next) = (first, first);
        self.bytes.clear();
        for memory in [&mut self.bytes, &mut self.packed] {
            if memory.capacity() > KEPT_BYTES_MAX {
                *memory = Vec::new();
            }
        }
    }

    /// The position of the first record.
    pub(in crate::store) fn first(&self) -> u64 {
        self.first
    }

    /// The position of the next record.
    pub(in crate::store) fn next(&self) -> u64 {
        self.next
    }

    /// What its records take before they are packed.
    pub(in crate::store) fn raw_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Adds a record that takes `width` positions, and gives the first of them.
    pub(in crate::store) fn push(
        &mut self,
        kind: RecordKind,
        width: u32,
        record: &impl Serialize,
    ) -> u64 {
        let head = self.bytes.len();
        self.bytes.push(kind as u8);
        self.bytes.extend(width.to_le_bytes());
        self.bytes.extend([0; 4]);

        let bytes = std::mem::take(&mut self.bytes);
        self.bytes = postcard::to_extend(record, bytes).expect("records can be written to memory");
        let length = self.bytes.len() - head - HEAD_BYTES;
        let length = u32::try_from(length).expect("a record is smaller than 4 GiB");
        self.bytes[head + 5..head + HEAD_BYTES].copy_from_slice(&length.to_le_bytes());

        let position = self.next;
        self.next += u64::from(width);
        position
    }

    /// Adds a record as another segment spells it, or a gap.
    pub(in crate::store) fn push_bytes(&mut self, kind: RecordKind, width: u32, record: &[u8]) {
        let length = u32::try_from(record.len()).expect("a record is smaller than 4 GiB");
        self.bytes.push(kind as u8);
        self.bytes.extend(width.to_le_bytes());
        self.bytes.extend(length.to_le_bytes());
        self.bytes.extend(record);
        self.next += u64::from(width);
    }

    /// Whether there is nothing in it.
    pub(in crate::store) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The key and the value to store.
    pub(in crate::store) fn finish(&mut self) -> (u64, &[u8]) {
        let size = u32::try_from(self.bytes.len()).expect("a segment is smaller than 4 GiB");
        let most = PACKED_AT + block::get_maximum_output_size(self.bytes.len());
        if self.packed.len() < most {
            self.packed.resize(most, 0);
        }
        self.packed[0] = FORMAT;
        self.packed[1..PACKED_AT].copy_from_slice(&size.to_le_bytes());
        let room = &mut self.packed[PACKED_AT..];
        let length = block::compress_into_with_table(&self.bytes, room, &mut self.table)
            .expect("there is room for what can't be compressed");
        (self.first, &self.packed[..PACKED_AT + length])
    }

    /// The same, denser and slower.
    pub(in crate::store) fn finish_dense(&self) -> (u64, Vec<u8>) {
        let size = u32::try_from(self.bytes.len()).expect("a segment is smaller than 4 GiB");
        let packed = zstd::bulk::compress(&self.bytes, DENSE_LEVEL);
        let mut stored = vec![FORMAT_DENSE];
        stored.extend(size.to_le_bytes());
        stored.extend(packed.expect("a segment can be compressed in memory"));
        (self.first, stored)
    }

    #[cfg(test)]
    pub(in crate::store) fn finish_and_read(&mut self) -> Segment {
        let (first, stored) = self.finish();
        Segment::read(first, stored).unwrap()
    }
}

/// A segment, unpacked and checked.
#[derive(Debug)]
pub(in crate::store) struct Segment {
    first: u64,
    next: u64,
    bytes: Vec<u8>,
    /// The position of each record, and where its head lies.
    heads: Vec<(u64, usize)>,
}

/// One record in a [`Segment`].
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Entry<'a> {
    /// The first position that it takes.
    pub(in crate::store) position: u64,
    /// How many it takes.
    pub(in crate::store) width: u32,
    pub(in crate::store) kind: RecordKind,
    /// The record, as it is spelled.
    pub(in crate::store) bytes: &'a [u8],
}

impl Segment {
    /// Unpacks the value under the key `first`, and checks that its heads hold together.
    pub(in crate::store) fn read(first: u64, stored: &[u8]) -> Result<Self, Damaged> {
        let damaged = || Damaged { position: first };
        let bytes = unpack(stored).ok_or_else(damaged)?;

        let mut next = first;
        let mut heads = Vec::new();
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            heads.push((next, bytes.len() - rest.len()));
            let (entry, behind) = read_entry(next, rest).ok_or(Damaged { position: next })?;
            next += u64::from(entry.width);
            rest = behind;
        }
        Ok(Self { first, next, bytes, heads })
    }

    /// Its first position: the key that it has.
    pub(in crate::store) fn first(&self) -> u64 {
        self.first
    }

    /// What it takes when unpacked.
    pub(in crate::store) fn raw_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The first position behind it.
    pub(in crate::store) fn next(&self) -> u64 {
        self.next
    }

    /// Whether this position lies in it.
    pub(in crate::store) fn covers(&self, position: u64) -> bool {
        (self.first..self.next).contains(&position)
    }

    /// Its records, oldest first.
    pub(in crate::store) fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.heads.iter().filter_map(|head| self.entry(*head))
    }

    /// The record that takes this position.
    pub(in crate::store) fn find(&self, position: u64) -> Option<Entry<'_>> {
        let behind = self.heads.partition_point(|(first, _)| *first <= position);
        let entry = self.entry(*self.heads.get(behind.checked_sub(1)?)?)?;
        (position < entry.position + u64::from(entry.width)).then_some(entry)
    }

    fn entry(&self, (position, at): (u64, usize)) -> Option<Entry<'_>> {
        Some(read_entry(position, &self.bytes[at..])?.0)
    }
}

fn unpack(stored: &[u8]) -> Option<Vec<u8>> {
    let (format, packed) = stored.split_first()?;
    // Both formats begin with the size in the same way.
    let size = u32::from_le_bytes(*packed.first_chunk()?) as usize;
    if size > UNPACKED_BYTES_MAX {
        return None;
    }
    match *format {
        FORMAT => lz4_flex::decompress_size_prepended(packed).ok(),
        FORMAT_DENSE => {
            let bytes = zstd::bulk::decompress(&packed[4..], size).ok()?;
            (bytes.len() == size).then_some(bytes)
        }
        _ => None,
    }
}

fn read_entry(position: u64, bytes: &[u8]) -> Option<(Entry<'_>, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<HEAD_BYTES>()?;
    let [kind, w0, w1, w2, w3, l0, l1, l2, l3] = *head;
    let width = u32::from_le_bytes([w0, w1, w2, w3]);
    let length = u32::from_le_bytes([l0, l1, l2, l3]);
    let (bytes, rest) = rest.split_at_checked(length as usize)?;
    Some((Entry { position, width, kind: RecordKind::read(kind)?, bytes }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment() -> SegmentWriter {
        let mut writer = SegmentWriter::new(10);
        writer.push(RecordKind::Receipt, 1, &"one");
        writer.push(RecordKind::Event, 3, &"three");
        writer.push(RecordKind::Try, 1, &"last");
        writer
    }

    #[test]
    fn a_position_inside_of_a_record_finds_it() {
        let segment = segment().finish_and_read();
        for (position, expected) in [(10, 10), (11, 11), (12, 11), (13, 11), (14, 14)] {
            assert_eq!(segment.find(position).unwrap().position, expected);
        }
        assert_eq!(segment.next(), 15);
        assert!(segment.find(15).is_none() && segment.find(9).is_none());
    }

    #[test]
    fn what_is_cut_or_foreign_is_damage_and_no_panic() {
        let mut sparse = segment();
        let (first, stored) = sparse.finish();
        for (first, stored) in [(first, stored.to_vec()), segment().finish_dense()] {
            assert!(Segment::read(first, &stored).is_ok());
            for length in 0..stored.len() {
                assert!(Segment::read(first, &stored[..length]).is_err(), "{length} bytes");
            }
        }
        let first = 1;
        let huge = [255, 255, 255, 255, 0];
        for foreign in [&[0, 1, 2][..], &[&[FORMAT][..], &huge].concat(), &[FORMAT_DENSE, 9, 0]] {
            assert!(Segment::read(first, foreign).is_err());
        }
    }
}
