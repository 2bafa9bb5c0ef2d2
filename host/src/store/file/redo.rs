//! The redo: every change of rows that a commit makes, spelled behind the segment in its frame.
//!
//! Pure. A start makes the changes again whose rows are not durable yet. Knows how a change is
//! spelled, and never a table, nor why a row changes.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::death_rows::DeathRow;
use super::volumes::EXTENT_BYTES;

/// A change of one row, or of the few that always change together. In postcard: to change what a
/// variant means is to make another format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum RowChange<'r> {
    /// How a work stands; without a standing it has no row any more.
    Outcome {
        work: u64,
        #[serde(borrow)]
        standing: Option<Raw<'r>>,
    },
    /// In format 2: whether a work before the low-water mark is open.
    Open { work: u64, is_open: bool },
    /// The letter of a dead work, with the number of its kind; without one it has no letter.
    Letter { work: u64, kind: Option<u8> },
    /// What a handler remembers under a key, or nothing any more.
    State {
        #[serde(borrow)]
        key: Raw<'r>,
        #[serde(borrow)]
        value: Option<Raw<'r>>,
    },
    /// A fact of the store itself.
    Fact { name: &'r str, value: u64 },
    /// A segment goes, also from the packed ones.
    Gone { first: u64 },
    /// A packed segment comes: where it lies, when to look at it again, and its bytes.
    Packed { first: u64, extent: [u8; EXTENT_BYTES], due: u64, bytes: u64 },
    /// A point of the line of time, and what its row says.
    Point {
        position: u64,
        #[serde(borrow)]
        row: Raw<'r>,
    },
    /// Where a work before the low-water mark waits; without a row it is not open.
    Owed {
        work: u64,
        #[serde(borrow)]
        row: Option<OwedRow<'r>>,
    },
    /// What the letter of a dead work is found by. It goes with the letter.
    Death { work: u64, row: DeathRow },
    /// A replay by filter; without a row it is no longer kept.
    Replay {
        number: u64,
        #[serde(borrow)]
        row: Option<Raw<'r>>,
    },
}

/// Where an open work waits: its lane, since when it may be tried, and what it is counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store) struct OwedRow<'r> {
    /// No byte of it is zero, and it has one to 255.
    #[serde(borrow)]
    pub(in crate::store) lane: Raw<'r>,
    /// By the store's count of time; zero is before all others.
    pub(in crate::store) since: u64,
    /// The rows of a lane are counted by this.
    #[serde(borrow)]
    pub(in crate::store) note: Raw<'r>,
}

/// Bytes that are spelled as one piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Raw<'r>(pub(in crate::store) &'r [u8]);

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl<'de: 'r, 'r> Deserialize<'de> for Raw<'r> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&[u8]>::deserialize(deserializer).map(Self)
    }
}

/// The changes of a commit in the making, as they are spelled.
#[derive(Debug, Default)]
pub(super) struct Redo(Vec<u8>);

impl Redo {
    /// Adds a change behind all others.
    pub(super) fn push(&mut self, change: &RowChange<'_>) {
        let bytes = std::mem::take(&mut self.0);
        self.0 = postcard::to_extend(change, bytes).expect("a change can be written to memory");
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The changes that are spelled here, in order; `None` if one of them can't be read.
pub(super) fn read(redo: &[u8]) -> Option<Vec<RowChange<'_>>> {
    let mut changes = Vec::new();
    let mut rest = redo;
    while !rest.is_empty() {
        let (change, behind) = postcard::take_from_bytes(rest).ok()?;
        changes.push(change);
        rest = behind;
    }
    Some(changes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWED: OwedRow<'_> = OwedRow { lane: Raw(b"\x03crm"), since: 300, note: Raw(b"\x01") };

    fn changes() -> Vec<RowChange<'static>> {
        vec![
            RowChange::Outcome { work: 7, standing: Some(Raw(&[2, 1, 0, 0])) },
            RowChange::Outcome { work: 8, standing: None },
            RowChange::Open { work: 1 << 40, is_open: true },
            RowChange::Open { work: 9, is_open: false },
            RowChange::Letter { work: 7, kind: Some(2) },
            RowChange::Letter { work: 7, kind: None },
            RowChange::State { key: Raw(b"ledger"), value: Some(Raw(&[0xff; 300])) },
            RowChange::State { key: Raw(b""), value: None },
            RowChange::Fact { name: "low_water", value: u64::MAX },
            RowChange::Gone { first: 3 },
            RowChange::Packed { first: 3, extent: [5; EXTENT_BYTES], due: 11, bytes: 65_000 },
            RowChange::Point { position: 1 << 40, row: Raw(&[7; 16]) },
            RowChange::Owed { work: 1 << 40, row: Some(OWED) },
            RowChange::Owed { work: 8, row: None },
            RowChange::Death { work: 9, row: DeathRow { kind: 2, name: 1 << 60, reason: 3 } },
            RowChange::Replay { number: 300, row: Some(Raw(&[1, 2, 3])) },
            RowChange::Replay { number: 300, row: None },
        ]
    }

    fn spelled(changes: &[RowChange<'_>]) -> Vec<u8> {
        let mut redo = Redo::default();
        changes.iter().for_each(|change| redo.push(change));
        redo.bytes().to_vec()
    }

    #[test]
    fn changes_are_read_as_they_were_made_and_in_their_order() {
        assert_eq!(read(&spelled(&changes())).unwrap(), changes());
        assert!(read(&[]).unwrap().is_empty());
    }

    #[test]
    fn what_is_cut_or_unknown_is_no_redo_and_no_panic() {
        let all = spelled(&changes());
        let mut ends = vec![0];
        for change in changes() {
            ends.push(ends.last().unwrap() + spelled(&[change]).len());
        }
        for length in 0..all.len() {
            let count = read(&all[..length]).map(|changes| changes.len());
            let whole = ends.iter().position(|end| *end == length);
            assert_eq!(count, whole, "{length} bytes");
        }
        assert_eq!(read(&[99]), None);
    }

    /// The bytes as a start of another version reads them: a change here is another format.
    #[test]
    fn a_change_is_spelled_as_it_was_by_the_version_before() {
        let outcome = RowChange::Outcome { work: 300, standing: Some(Raw(&[1, 2])) };
        assert_eq!(spelled(&[outcome]), [0, 0xac, 2, 1, 2, 1, 2]);
        let fact = RowChange::Fact { name: "end", value: 5 };
        assert_eq!(spelled(&[fact]), [4, 3, b'e', b'n', b'd', 5]);
        let gone = RowChange::Gone { first: 1 };
        assert_eq!(spelled(&[gone]), [5, 1]);
        let packed = RowChange::Packed { first: 1, extent: [9; 12], due: 2, bytes: 3 };
        assert_eq!(spelled(&[packed]), [&[6, 1][..], &[9; 12], &[2, 3]].concat());
        let owed = RowChange::Owed { work: 7, row: Some(OWED) };
        let row = [4, 3, b'c', b'r', b'm', 0xac, 2, 1, 1];
        assert_eq!(spelled(&[owed]), [&[8, 7, 1][..], &row].concat());
        assert_eq!(spelled(&[RowChange::Owed { work: 7, row: None }]), [8, 7, 0]);
        let row = DeathRow { kind: 2, name: 300, reason: 4 };
        assert_eq!(spelled(&[RowChange::Death { work: 7, row }]), [9, 7, 2, 0xac, 2, 4]);
        let replay = RowChange::Replay { number: 300, row: Some(Raw(&[5, 6])) };
        assert_eq!(spelled(&[replay]), [10, 0xac, 2, 1, 2, 5, 6]);
    }
}
