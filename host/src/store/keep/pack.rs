//! Packing: records of many segments into few, all of about one size.
//!
//! Pure. Positions stay: what is gone leaves a gap, and a segment neither begins nor ends with one.
//! A larger segment is packed better, and all of it is read for one of its records. Never leaves a
//! small one behind a large one: it would be written again with what comes next, and a volume keeps
//! what was written into it twice.

use bytes::Bytes;

use crate::event::Timestamp;
use crate::store::log::segment::{RecordKind, SegmentWriter};

/// Most bytes of a packed segment: with its frame's head it is no more than 64 KiB.
pub(in crate::store) const PACKED_BYTES_MAX: usize = (64 << 10) - 128;
/// A segment is full enough above this.
const PACKED_BYTES_GOOD: usize = PACKED_BYTES_MAX / 10 * 9;
/// A segment is too small below this: it goes on with what comes next.
const PACKED_BYTES_SMALL: usize = PACKED_BYTES_MAX / 2;
/// How often a segment's size is tried.
const TRIES_MAX: usize = 6;
/// Raw bytes that are tried first: real webhooks become a fifth or less.
const RAW_BYTES_MAX: usize = 5 * PACKED_BYTES_MAX;
/// A longer gap ends a segment.
const GAP_MAX: u64 = 1 << 20;

/// A record to pack.
#[derive(Debug)]
pub(in crate::store) struct Item {
    pub(in crate::store) position: u64,
    pub(in crate::store) width: u32,
    pub(in crate::store) kind: RecordKind,
    pub(in crate::store) bytes: Vec<u8>,
    /// When to look at it again.
    pub(in crate::store) due: Timestamp,
}

/// A packed segment.
#[derive(Debug)]
pub(in crate::store) struct Packed {
    /// The position that it begins with: its key.
    pub(in crate::store) first: u64,
    pub(in crate::store) bytes: Bytes,
    /// When to look at it again.
    pub(in crate::store) due: Timestamp,
    /// How many records it holds.
    records: usize,
}

/// Packs records, oldest first. The last segment may be small.
pub(in crate::store) fn pack(items: &[Item]) -> Vec<Packed> {
    let mut packed = Vec::new();
    let mut rest = items;
    // What filled a segment will about fill the next.
    let mut raw_bytes = RAW_BYTES_MAX;
    while !rest.is_empty() {
        let next = fill(unbroken(rest), &mut raw_bytes);
        rest = &rest[next.records..];
        packed.push(next);
    }
    even_out(items, &mut packed);
    packed
}

/// Whether a packed segment of so many bytes should be packed again with what comes next.
pub(in crate::store) fn is_small(bytes: usize) -> bool {
    bytes < PACKED_BYTES_SMALL
}

/// If the last segment is small, it and the one before it share their records evenly.
fn even_out(items: &[Item], packed: &mut Vec<Packed>) {
    let [.., before, last] = &packed[..] else { return };
    let count = before.records + last.records;
    let both = &items[items.len() - count..];
    if !is_small(last.bytes.len()) || unbroken(both).len() < count {
        return;
    }
    let raw: usize = both.iter().map(|item| item.bytes.len()).sum();
    let half = count_within(both, raw / 2).clamp(1, count - 1);
    let halves = [write(&both[..half]), write(&both[half..])];
    if halves.iter().all(|half| half.bytes.len() <= PACKED_BYTES_MAX) {
        packed.truncate(packed.len() - 2);
        packed.extend(halves);
    }
}

/// Up to the first gap that is too long to be kept as one.
fn unbroken(items: &[Item]) -> &[Item] {
    let far = |pair: &[Item]| pair[1].position - pair[0].position > GAP_MAX;
    let end = items.windows(2).position(far);
    &items[..end.map_or(items.len(), |before| before + 1)]
}

/// The largest segment of the first of these that a few tries find; at least one record. Begins
/// with so many raw bytes, and leaves there what proved right.
fn fill(items: &[Item], raw_bytes: &mut usize) -> Packed {
    let mut best = write(&items[..1]);
    let mut too_many = items.len() + 1;
    for _ in 0..TRIES_MAX {
        let count = count_within(items, *raw_bytes).min(too_many - 1);
        if count <= best.records {
            break;
        }
        let tried = write(&items[..count]);
        let size = tried.bytes.len();
        let raw: usize = items[..count].iter().map(|item| item.bytes.len()).sum();
        // Aims between full enough and too full.
        *raw_bytes = raw.saturating_mul(PACKED_BYTES_MAX / 100 * 96) / size.max(1);
        if size > PACKED_BYTES_MAX {
            too_many = count;
            continue;
        }
        best = tried;
        if size >= PACKED_BYTES_GOOD {
            break;
        }
    }
    best
}

/// How many of the first items have together no more raw bytes than this.
fn count_within(items: &[Item], raw_bytes: usize) -> usize {
    let mut bytes = 0;
    let within = items.iter().take_while(|item| {
        bytes += item.bytes.len();
        bytes <= raw_bytes
    });
    within.count()
}

fn write(items: &[Item]) -> Packed {
    let mut writer = SegmentWriter::new(items[0].position);
    for item in items {
        if let Ok(gap) = u32::try_from(item.position - writer.next())
            && gap > 0
        {
            writer.push_bytes(RecordKind::Gap, gap, &[]);
        }
        writer.push_bytes(item.kind, item.width, &item.bytes);
    }
    let due = items.iter().map(|item| item.due).min().unwrap_or(Timestamp::MAX);
    let (first, bytes) = writer.finish_dense();
    Packed { first, bytes: bytes.into(), due, records: items.len() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::log::segment::Segment;

    fn items(count: u64, bytes: usize) -> Vec<Item> {
        let mut random = fastrand::Rng::with_seed(5);
        let item = |number: u64| Item {
            // Each second position is gone.
            position: 10 + 2 * number,
            width: 1,
            kind: RecordKind::Try,
            bytes: (0..bytes).map(|_| random.u8(..16)).collect(),
            due: Timestamp(number),
        };
        (0..count).map(item).collect()
    }

    #[test]
    fn all_records_are_there_at_their_positions_in_full_segments() {
        let items = items(1000, 700);
        let packed = pack(&items);

        let sizes: Vec<usize> = packed.iter().map(|one| one.bytes.len()).collect();
        let (full, last) = sizes.split_at(sizes.len() - 2);
        assert!(
            full.len() > 2 && full.iter().all(|bytes| *bytes >= PACKED_BYTES_GOOD),
            "{sizes:?}"
        );
        assert!(sizes.iter().all(|bytes| *bytes <= PACKED_BYTES_MAX), "{sizes:?}");
        assert!(last.iter().all(|bytes| !is_small(*bytes)), "{sizes:?}");
        let mut found = Vec::new();
        for one in &packed {
            let segment = Segment::read(one.first, &one.bytes).unwrap();
            let there = segment.entries().filter(|entry| entry.kind != RecordKind::Gap);
            found.extend(there.map(|entry| (entry.position, entry.bytes.to_vec())));
            assert_eq!(one.due, Timestamp((one.first - 10) / 2));
        }
        let wanted: Vec<_> = items.into_iter().map(|item| (item.position, item.bytes)).collect();
        assert!(found == wanted);
    }

    #[test]
    fn what_is_left_over_is_shared_with_the_segment_before_it() {
        let whole = pack(&items(1000, 700))[0].records;
        let more = whole / 5;
        let packed = pack(&items((whole + more) as u64, 700));

        let records: Vec<usize> = packed.iter().map(|one| one.records).collect();
        assert_eq!(records.iter().sum::<usize>(), whole + more);
        assert!(packed.iter().all(|one| !is_small(one.bytes.len())), "{records:?}");

        assert_eq!(pack(&items(3, 700)).len(), 1, "a few stay together, and wait for more");
    }

    #[test]
    fn a_record_that_fills_no_segment_stands_alone() {
        let sizes: Vec<usize> = pack(&items(3, 200_000)).iter().map(|one| one.records).collect();
        assert_eq!(sizes, [1, 1, 1]);
    }
}
