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
/// With so many counts of a block, other types are counted together.
pub(super) const ROW_COUNTS_MAX: usize = 1024;
/// The same of all that is read at once.
const READ_COUNTS_MAX: usize = 1 << 16;
/// Stands for all types that are counted together: it is no type.
pub(super) const OTHER_TYPES: &str = "*";

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

/// Adds to a count. With `most` counts, types that are not among them are counted together, so that
/// a sender who makes up types takes no more room than others.
pub(super) fn count((hour, count): (u64, Count), number: u64, counts: &mut Counts, most: usize) {
    let mut what = (hour, count);
    let is_new = counts.len() >= most && !counts.contains_key(&what);
    if let (true, (_, Count::Events { event_type, .. })) = (is_new, &mut what) {
        OTHER_TYPES.clone_into(event_type);
    }
    *counts.entry(what).or_default() += number;
}

/// Adds all of these.
pub(in crate::store) fn add_all(more: Counts, counts: &mut Counts) {
    for (what, number) in more {
        count(what, number, counts, READ_COUNTS_MAX);
    }
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

/// Adds what a row counts of the hours that are wanted; `None` if it is damaged.
pub(super) fn add(row: &[u8], is_wanted: impl Fn(u64) -> bool, counts: &mut Counts) -> Option<()> {
    let mut rest = unsealed(row)?;
    while !rest.is_empty() {
        let ((hour, what, number), behind) =
            postcard::take_from_bytes::<(u64, Count, u64)>(rest).ok()?;
        if is_wanted(hour) {
            count((hour, what), number, counts, READ_COUNTS_MAX);
        }
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
        rows.iter().chain(&rows).for_each(|row| add(row, |_| true, &mut read).unwrap());

        assert!(counts.iter().all(|(count, number)| read[count] == 2 * number));
        let mut flipped = rows[0].clone();
        flipped[40] ^= 1;
        assert_eq!(add(&flipped, |_| true, &mut read), None);
        let mut of_one = Counts::new();
        rows.iter().for_each(|row| add(row, |hour| hour == 8, &mut of_one).unwrap());
        assert_eq!(of_one.len(), 1, "the try");
        assert_eq!((hour(begin(7)), hour(Timestamp(begin(8).0 - 1))), (7, 7));
    }
}
