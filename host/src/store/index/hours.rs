//! How much of what came in each hour: receipts, events and tries.
//!
//! Pure. A block has the counts of its stretch of the log, so what is read again is never counted
//! twice. Hours are those of the clock as it was when something was stored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::row::{sealed, unsealed};
use crate::event::Timestamp;

const HOUR_MS: u64 = 60 * 60 * 1000;
/// A row is full when it has this many bytes.
const ROW_BYTES: usize = 3500;

/// What is counted. In postcard.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(in crate::store) enum Count {
    /// Receipts of a source.
    Receipts { source: String },
    /// Events of a source or handler, by type.
    Events { source: String, event_type: String },
    /// Tries of a kind of work by their verdict, each as its number.
    Tries { kind: u8, verdict: u8 },
}

/// How many of each, by the number of the hour since the epoch.
pub(in crate::store) type Counts = BTreeMap<(u64, Count), u64>;

/// The number of the hour of a time.
pub(in crate::store) fn hour(at: Timestamp) -> u64 {
    at.0 / HOUR_MS
}

/// When an hour begins.
pub(in crate::store) fn begin(hour: u64) -> Timestamp {
    Timestamp(hour.saturating_mul(HOUR_MS))
}

/// Counts as rows.
pub(super) fn write(counts: &Counts) -> Vec<Vec<u8>> {
    let (mut rows, mut bytes) = (Vec::new(), Vec::new());
    for ((hour, count), number) in counts {
        let entry = (hour, count, number);
        bytes = postcard::to_extend(&entry, bytes).expect("a count can be written to memory");
        if bytes.len() >= ROW_BYTES {
            rows.push(sealed(std::mem::take(&mut bytes)));
        }
    }
    if !bytes.is_empty() {
        rows.push(sealed(bytes));
    }
    rows
}

/// Adds what a row counts; `None` if it is damaged.
pub(super) fn add(row: &[u8], counts: &mut Counts) -> Option<()> {
    let mut rest = unsealed(row)?;
    while !rest.is_empty() {
        let ((hour, count, number), behind) =
            postcard::take_from_bytes::<(u64, Count, u64)>(rest).ok()?;
        *counts.entry((hour, count)).or_default() += number;
        rest = behind;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_read_back_from_their_rows_and_add_up() {
        let mut counts = Counts::new();
        for number in 0..400 {
            let (source, event_type) = ("stripe".to_owned(), format!("payment.t{number}"));
            counts.insert((7, Count::Events { source, event_type }), number);
        }
        counts.insert((7, Count::Receipts { source: "stripe".to_owned() }), 3);
        counts.insert((8, Count::Tries { kind: 2, verdict: 1 }), 1 << 40);
        let rows = write(&counts);
        assert!(rows.len() > 1 && rows.iter().all(|row| row.len() < 4000));

        let mut read = Counts::new();
        rows.iter().chain(&rows).for_each(|row| add(row, &mut read).unwrap());

        assert!(counts.iter().all(|(count, number)| read[count] == 2 * number));
        let mut flipped = rows[0].clone();
        flipped[40] ^= 1;
        assert_eq!(add(&flipped, &mut read), None);
        assert_eq!((hour(begin(7)), hour(Timestamp(begin(8).0 - 1))), (7, 7));
    }
}
