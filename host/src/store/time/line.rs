//! The line of time: at which places of the log the store had counted how far, and what the clock
//! said there.
//!
//! What a record says of its time is what the clock said. The line tells how old it is
//! nevertheless: it is no older than what stands before it in the log, and no younger than what
//! stands behind it. A point comes once a day, and whenever the clock has leapt. All lie beside the
//! event ids, and the frame of each commit tells its own, so that a kill takes none. Never tells a
//! time to a person.

use super::{DAY, Times, difference, shifted};
use crate::event::Timestamp;
use crate::store::error::Failure;
use crate::store::file::id_rows::{IdRows, IdTable, IdsKey, LINE};
use crate::store::file::view::View;

/// More points make the first go: one a day is enough for 44 years.
const POINTS_MAX: usize = 16_384;

/// The facts that tell the last point.
const POSITION: &str = "line_position";
const COUNTED: &str = "line_counted";
const SAID: &str = "line_said";

/// A place in the log, and both times at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Point {
    /// What stands here or behind it was stored then or later; what stands before it, then or
    /// before.
    position: u64,
    counted: Timestamp,
    /// What the clock said.
    said: Timestamp,
}

impl Point {
    fn read((_, _, position): IdsKey, bytes: &[u8]) -> Option<Self> {
        let (counted, said) = bytes.split_first_chunk::<8>()?;
        let time = |bytes: [u8; 8]| Timestamp(u64::from_be_bytes(bytes));
        Some(Self {
            position: position.try_into().ok()?,
            counted: time(*counted),
            said: time(said.try_into().ok()?),
        })
    }

    /// Where it stands, and what its row beside the event ids says.
    pub(in crate::store) fn row(self) -> (u64, [u8; 16]) {
        let mut row = [0; 16];
        row[..8].copy_from_slice(&self.counted.0.to_be_bytes());
        row[8..].copy_from_slice(&self.said.0.to_be_bytes());
        (self.position, row)
    }

    /// As facts of the store.
    pub(in crate::store) fn facts(self) -> [(&'static str, u64); 3] {
        [(POSITION, self.position), (COUNTED, self.counted.0), (SAID, self.said.0)]
    }

    fn of_facts(view: &View) -> Result<Option<Self>, Failure> {
        let facts = (view.fact(POSITION)?, view.fact(COUNTED)?, view.fact(SAID)?);
        let (Some(position), Some(counted), Some(said)) = facts else { return Ok(None) };
        Ok(Some(Self { position, counted: Timestamp(counted), said: Timestamp(said) }))
    }

    fn shift(self) -> i64 {
        difference(self.counted, self.said)
    }
}

/// Removes the oldest points where there are too many.
pub(in crate::store) fn trim(table: &mut IdTable<'_>) -> Result<(), Failure> {
    let points = table.within((0, LINE, 0)..=(0, LINE, u128::MAX))?.count();
    if points > POINTS_MAX {
        table.remove_within((0, LINE, 0)..=(0, LINE, u128::MAX), points - POINTS_MAX)?;
    }
    Ok(())
}

/// The line, up to now.
#[derive(Debug)]
pub(in crate::store) struct Line {
    points: Vec<Point>,
    now: Timestamp,
    /// Whether the last point is among the facts and has no row.
    is_torn: bool,
}

impl Line {
    /// The line; the store has counted to `now`.
    pub(in crate::store) fn read(view: &View, now: Timestamp) -> Result<Self, Failure> {
        let mut points = Vec::new();
        for row in view.ids()?.within((0, LINE, 0)..=(0, LINE, u128::MAX))? {
            let row = row?;
            // A row that is not a point says nothing.
            points.extend(Point::read(row.key(), row.bytes()));
        }
        let end = points.last().map_or(0, |last| last.position);
        let torn = Point::of_facts(view)?.filter(|point| point.position > end);
        points.extend(torn);
        Ok(Self { points, now, is_torn: torn.is_some() })
    }

    /// How far the store had counted at its last point, and what that was ahead of the clock.
    pub(in crate::store) fn told(&self) -> Option<(Timestamp, i64)> {
        self.points.last().map(|point| (point.counted, point.shift()))
    }

    /// Where the next point goes.
    pub(in crate::store) fn end(&self) -> LineEnd {
        LineEnd { last: self.points.last().copied(), is_torn: self.is_torn }
    }

    /// Whether the store has not said for a day how far it has counted.
    pub(in crate::store) fn is_behind(&self) -> bool {
        self.told().is_none_or(|(counted, _)| self.now.since(counted) >= DAY)
    }

    /// How far the store had counted when it stored what stands here and says that it is of `said`.
    pub(in crate::store) fn counted(&self, position: u64, said: Timestamp) -> Timestamp {
        let (before, behind) = self.around(position);
        let latest = behind.map_or(self.now, |point| point.counted);
        let Some(before) = before else { return said.min(latest) };
        shifted(said, before.shift()).min(latest).max(before.counted)
    }

    /// What the clock called `said` when the store stored what stands here, as the store counts.
    pub(in crate::store) fn in_count(&self, position: u64, said: Timestamp) -> Timestamp {
        shifted(said, self.shift(position))
    }

    /// What the count was ahead of the clock when the store stored what stands here.
    pub(in crate::store) fn shift(&self, position: u64) -> i64 {
        self.around(position).0.map_or(0, Point::shift)
    }

    /// The last point before what stands here, and the first behind it.
    fn around(&self, position: u64) -> (Option<Point>, Option<Point>) {
        let behind = self.points.partition_point(|point| point.position <= position);
        let before = behind.checked_sub(1).map(|before| self.points[before]);
        (before, self.points.get(behind).copied())
    }
}

/// The end of the line, as the writer knows it.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct LineEnd {
    last: Option<Point>,
    /// Whether the last point has to be written again.
    is_torn: bool,
}

impl LineEnd {
    /// The point to remember with a commit whose first record stands here.
    pub(in crate::store) fn due(self, position: u64, now: Times) -> Option<Point> {
        if self.is_torn {
            return self.last;
        }
        let next = Point { position, counted: now.counted, said: now.now };
        let is_due =
            |last: Point| next.counted.since(last.counted) >= DAY || next.shift() != last.shift();
        self.last.is_none_or(is_due).then_some(next)
    }

    /// A commit holds, and this point with it.
    pub(in crate::store) fn committed(&mut self, point: Option<Point>) {
        if point.is_some() {
            *self = Self { last: point, is_torn: false };
        }
    }

    /// The rows were read anew, and the last points may be gone.
    pub(in crate::store) fn doubt(&mut self) {
        self.is_torn = self.last.is_some();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THEN: Timestamp = Timestamp(1_700_000_000_000);
    const YEARS: u64 = 3 * 365 * 86_400_000;

    fn line(points: &[(u64, u64, i64)]) -> Line {
        let point = |&(position, days, ahead): &(u64, u64, i64)| {
            let counted = Timestamp(THEN.0 + 86_400_000 * days);
            Point { position, counted, said: shifted(counted, -ahead) }
        };
        let points = points.iter().map(point).collect();
        Line { points, now: THEN.after(DAY * 100), is_torn: false }
    }

    #[test]
    fn what_a_record_says_counts_unless_it_can_not_be() {
        let line = line(&[(10, 0, 0), (20, 1, 0)]);
        let noon = THEN.after(DAY / 2);
        assert_eq!(line.counted(15, noon), noon);
        assert_eq!(line.counted(25, THEN.after(DAY * 3)), THEN.after(DAY * 3));
        // The clock was behind by years, or ahead.
        assert_eq!(line.counted(15, Timestamp(5)), THEN);
        assert_eq!(line.counted(15, Timestamp(THEN.0 + YEARS)), THEN.after(DAY));
        assert_eq!(line.counted(25, Timestamp(THEN.0 + YEARS)), THEN.after(DAY * 100));
        // Before the first point nothing but the record is known.
        assert_eq!(line.counted(5, Timestamp(5)), Timestamp(5));
        assert_eq!(line.counted(5, noon), THEN);
    }

    #[test]
    fn where_the_clock_was_off_what_it_said_is_put_right() {
        let ahead = YEARS.cast_signed();
        // Right, then years ahead for two days, then right again.
        let line = line(&[(10, 0, 0), (20, 0, -ahead), (30, 1, -ahead), (40, 2, 0)]);
        let noon = |day: u32| THEN.after(DAY * day + DAY / 2);
        let wrong = |time: Timestamp| shifted(time, ahead);
        assert_eq!(line.counted(25, wrong(noon(0))), noon(0));
        assert_eq!(line.counted(35, wrong(noon(1))), noon(1));
        assert_eq!(line.counted(45, noon(2)), noon(2));
        assert_eq!((line.shift(15), line.shift(25), line.shift(5)), (0, -ahead, 0));
        assert_eq!(line.in_count(25, wrong(noon(3))), noon(3));
    }

    #[test]
    fn a_point_is_due_once_a_day_and_when_the_clock_has_leapt() {
        let at = |counted: Timestamp, now: Timestamp| Times { now, counted, point: None };
        let mut end = line(&[]).end();
        let first = end.due(7, at(THEN, THEN));
        assert!(first.is_some(), "there is none yet");
        end.committed(first);
        let later = THEN.after(DAY / 2);
        assert_eq!(end.due(9, at(later, later)), None);
        assert!(end.due(9, at(THEN.after(DAY), THEN.after(DAY))).is_some());
        assert!(end.due(9, at(later, Timestamp(later.0 + YEARS))).is_some());

        end.doubt();
        assert_eq!(end.due(9, at(later, later)), first, "a kill may have taken it");
        end.committed(first);
        assert_eq!(end.due(9, at(later, later)), None);
    }
}
