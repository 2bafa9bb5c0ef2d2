//! How works stand that are asked for in the order of their positions: one walk over the rows in
//! place of a look-up for each.
//!
//! A start asks for half a million of them. Never changes one.

use std::iter::Peekable;

use super::standing::Standing;
use crate::store::error::{Damaged, Failure};
use crate::store::file::view::Outcomes;

type Row = Result<(u64, Result<Standing, Damaged>), Failure>;

/// How works stand from a position on.
pub(super) struct Standings<'o> {
    outcomes: &'o Outcomes,
    rows: Peekable<Box<dyn Iterator<Item = Row>>>,
    /// The rows before this position are passed.
    passed: u64,
}

impl<'o> Standings<'o> {
    /// Of works from this position on.
    pub(super) fn within(outcomes: &'o Outcomes, from: u64) -> Result<Self, Failure> {
        let rows = outcomes.all_from(from, |work, row| (work, Standing::read(work, row)))?;
        let rows: Box<dyn Iterator<Item = Row>> = Box::new(rows);
        Ok(Self { outcomes, rows: rows.peekable(), passed: from })
    }

    /// How the work at this position stands; without a row it was never tried.
    pub(super) fn at(&mut self, position: u64) -> Result<Standing, Failure> {
        if position < self.passed {
            return Standing::at(self.outcomes, position);
        }
        self.passed = position;
        let is_passed = |row: &Row| !matches!(row, Ok((work, _)) if *work > position);
        while let Some(row) = self.rows.next_if(is_passed) {
            let (work, standing) = row?;
            if work == position {
                self.passed = position + 1;
                return Ok(standing?);
            }
        }
        Ok(Standing::default())
    }
}
