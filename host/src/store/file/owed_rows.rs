//! How the rows of open works are spelled: one by position, and one by lane.
//!
//! Pure. A lane and a note are bytes to it: `store::owed` knows what they name. Never knows a
//! table.

use super::redo::{OwedRow, Raw};

/// Behind a lane, of which no byte is this.
pub(super) const END_OF_LANE: u8 = 0;

/// Since when, and a position.
const KEY_BYTES: usize = 16;

/// Where an open work waits, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct OwedWork {
    pub(in crate::store) lane: Vec<u8>,
    /// Since when it may be tried, by the store's count of time.
    pub(in crate::store) since: u64,
    pub(in crate::store) note: Vec<u8>,
}

impl OwedWork {
    /// What its row by position says; `None` if that can't be decoded.
    pub(super) fn read(value: &[u8]) -> Option<Self> {
        read(value).map(|OwedRow { lane: Raw(lane), since, note: Raw(note) }| Self {
            lane: lane.to_vec(),
            since,
            note: note.to_vec(),
        })
    }

    /// The row of it.
    pub(in crate::store) fn row(&self) -> OwedRow<'_> {
        OwedRow { lane: Raw(&self.lane), since: self.since, note: Raw(&self.note) }
    }
}

/// The row by position: since when, the length of the lane, the lane, the note.
pub(super) fn spelled(row: &OwedRow<'_>) -> Vec<u8> {
    let OwedRow { lane: Raw(lane), since, note: Raw(note) } = *row;
    let length = u8::try_from(lane.len()).expect("a lane is a kind and a name");
    [&since.to_be_bytes()[..], &[length], lane, note].concat()
}

/// What a row by position says; `None` if it can't be decoded.
pub(super) fn read(value: &[u8]) -> Option<OwedRow<'_>> {
    let (since, rest) = value.split_first_chunk::<8>()?;
    let (length, rest) = rest.split_first()?;
    let (lane, note) = rest.split_at_checked(usize::from(*length))?;
    let is_lane = !lane.is_empty() && !lane.contains(&END_OF_LANE);
    let since = u64::from_be_bytes(*since);
    is_lane.then_some(OwedRow { lane: Raw(lane), since, note: Raw(note) })
}

/// The key of the row by lane.
pub(super) fn due_key(lane: &[u8], (since, position): (u64, u64)) -> Vec<u8> {
    let (since, position) = (since.to_be_bytes(), position.to_be_bytes());
    [lane, &[END_OF_LANE], &since, &position].concat()
}

/// What the key of a row by lane says: the lane, since when, and the position; `None` if it can't
/// be decoded.
pub(in crate::store) fn read_due_key(key: &[u8]) -> Option<(&[u8], u64, u64)> {
    let (rest, position) = key.split_last_chunk::<8>()?;
    let (rest, since) = rest.split_last_chunk::<8>()?;
    let (end, lane) = rest.split_last()?;
    let is_key = *end == END_OF_LANE && key.len() > KEY_BYTES + 1;
    is_key.then_some((lane, u64::from_be_bytes(*since), u64::from_be_bytes(*position)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: OwedRow<'_> = OwedRow { lane: Raw(b"\x03crm"), since: 258, note: Raw(b"\x01acme") };

    #[test]
    fn a_row_is_spelled_as_the_design_says_and_read_as_it_was_made() {
        let value = spelled(&ROW);
        assert_eq!(value, b"\0\0\0\0\0\0\x01\x02\x04\x03crm\x01acme");
        assert_eq!(read(&value), Some(ROW));
        assert_eq!(OwedWork::read(&value).unwrap().row(), ROW);
    }

    #[test]
    fn what_is_cut_or_has_no_lane_is_no_row() {
        let value = spelled(&ROW);
        for length in 0..13 {
            assert_eq!(read(&value[..length]), None, "{length} bytes");
        }
        assert_eq!(read(&[0; 20]), None);
    }

    #[test]
    fn keys_stand_in_the_order_of_the_lane_then_the_time_then_the_position() {
        let keys = [
            due_key(b"\x01z", (9, 9)),
            due_key(b"\x02a", (1, u64::MAX)),
            due_key(b"\x02a", (2, 0)),
            due_key(b"\x02a", (256, 1)),
            due_key(b"\x02a", (u64::MAX, 1)),
            due_key(b"\x02a-b", (0, 0)),
        ];
        assert!(keys.is_sorted());
        assert_eq!(read_due_key(&keys[3]), Some((&b"\x02a"[..], 256, 1)));
        for key in [&keys[3][..18], &[0; 17]] {
            assert_eq!(read_due_key(key), None);
        }
    }
}
