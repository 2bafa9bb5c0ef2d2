//! How old what is in the log is, as far as a repair can tell.
//!
//! A record says what the clock said, and a clock may have been wrong by years. But no record is
//! younger than what stands behind it. Pure; as it is asked who was certainly written lately, all
//! counts as old rather than as young. Never grows with the log, but with the hours in it.

use crate::event::Timestamp;

const HOUR_MS: u64 = 60 * 60 * 1000;

/// When what is in a log was written, at the latest.
#[derive(Debug, Default)]
pub(super) struct Ages {
    /// What stands at a position or behind it was written in this hour or later, up to the next
    /// entry. Both rise.
    hours: Vec<(u64, Timestamp)>,
    newest: Timestamp,
}

impl Ages {
    /// The next record of the log was written then, by its own account.
    pub(super) fn note(&mut self, position: u64, at: Timestamp) {
        self.newest = self.newest.max(at);
        let hour = Timestamp(at.0 / HOUR_MS * HOUR_MS);
        let mut first = position;
        while let Some((from, _)) = self.hours.pop_if(|(_, least)| *least >= hour) {
            first = from;
        }
        self.hours.push((first, hour));
    }

    /// When the newest record was written, by its own account.
    pub(super) fn newest(&self) -> Timestamp {
        self.newest
    }

    /// When a record was written, unless that was earlier than this by less than an hour: what it
    /// says itself, or what stands behind it.
    pub(super) fn of(&self, position: u64) -> Timestamp {
        let behind = self.hours.partition_point(|(first, _)| *first <= position);
        let entry = behind.checked_sub(1).and_then(|at| self.hours.get(at));
        entry.map_or(Timestamp(0), |(_, hour)| *hour)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(hours: u64) -> Timestamp {
        Timestamp(hours * HOUR_MS)
    }

    #[test]
    fn what_a_wrong_clock_dated_is_no_younger_than_what_stands_behind_it() {
        let mut ages = Ages::default();
        for (position, hour) in [(1, 5), (2, 5), (4, 7), (9, 8_760), (12, 8_761), (20, 8), (30, 9)]
        {
            ages.note(position, Timestamp(hours(hour).0 + 1));
        }
        let of = [1, 3, 4, 9, 12, 15, 20, 29, 30, 99].map(|position| ages.of(position));
        assert_eq!(of, [5, 5, 7, 8, 8, 8, 8, 8, 9, 9].map(hours));
        assert_eq!(ages.newest(), Timestamp(hours(8_761).0 + 1));
        assert_eq!(ages.hours.len(), 4, "no more than there are hours");
        assert_eq!(Ages::default().of(7), Timestamp(0));
    }
}
