//! The open works before the low-water mark, from newer to older: which events and receipts are
//! pending, without a look at any of them.
//!
//! Read once, beside a list that goes the same way, and the stretch that the list passes over by
//! them. Never knows a work behind the mark: that has no row.

use crate::store::error::Failure;
use crate::store::file::view::View;
use crate::store::index::Kind;
use crate::store::owed::lane::{self, Owner};

/// It takes longer to remember a stretch with fewer than to look at them again.
const LOOKED_MIN: usize = 1024;

type Rows = Box<dyn Iterator<Item = Result<(u64, Option<Owner>), Failure>>>;

/// Such works, as far as a list has come.
pub(super) struct Pending {
    owner: Owner,
    rows: Rows,
    /// The last that the list has not passed, and whether it is one: what a row that can't be
    /// decoded is of, nobody knows.
    head: Option<(u64, bool)>,
}

impl Pending {
    /// Those of the events or of the receipts that stand before this position.
    pub(super) fn of(view: &View, kind: Kind, before: u64) -> Result<Self, Failure> {
        let owner = match kind {
            Kind::Event => Owner::Event,
            Kind::Receipt => Owner::Receipt,
        };
        let rows = view.owed_back(before, lane::owner)?;
        let rows: Rows = Box::new(rows.map(|row| row.map(|(work, owner)| (work, owner.flatten()))));
        let mut pending = Self { owner, rows, head: None };
        pending.go_on()?;
        Ok(pending)
    }

    /// The last of them that stands before this position, or may be one. Positions that are asked
    /// for descend.
    pub(super) fn last_before(&mut self, before: u64) -> Result<Option<u64>, Failure> {
        while self.head.is_some_and(|(head, _)| head >= before) {
            self.go_on()?;
        }
        Ok(self.head.map(|(head, _)| head))
    }

    /// Whether the event or receipt at this position is pending, where no other event stands
    /// behind it and before `before`. A receipt is itself a work; those of an event stand behind
    /// it.
    pub(super) fn has(&mut self, position: u64, before: u64) -> Result<bool, Failure> {
        while let Some((work, is_one)) = self.head.filter(|(work, _)| *work >= position) {
            let is_its = match self.owner {
                Owner::Receipt => work == position,
                Owner::Event | Owner::Parcel => work > position && work < before,
            };
            if is_one && is_its {
                return Ok(true);
            }
            self.go_on()?;
        }
        Ok(false)
    }

    fn go_on(&mut self) -> Result<(), Failure> {
        self.head = None;
        for row in &mut self.rows {
            let (work, owner) = row?;
            if owner.is_none_or(|owner| owner == self.owner) {
                self.head = Some((work, owner.is_some()));
                break;
            }
        }
        Ok(())
    }
}

/// A stretch that a list passes over, as far as it has come.
#[derive(Debug, Default)]
pub(super) struct Passed {
    /// All that begins in it is pending.
    stretch: Option<(u64, u64)>,
    /// How many were looked at by their rows.
    looked_at: usize,
}

impl Passed {
    /// The list passes over what begins between these two, and before what it has passed over.
    pub(super) fn add(&mut self, (first, end): (u64, u64), looked_at: usize) {
        let end = self.stretch.map_or(end, |(_, end)| end);
        self.stretch = Some((first, end));
        self.looked_at += looked_at;
    }

    /// What comes next is not passed over: the stretch, if it is worth to be remembered.
    pub(super) fn over(&mut self) -> Option<(u64, u64)> {
        let Self { stretch, looked_at } = std::mem::take(self);
        stretch.filter(|_| looked_at >= LOOKED_MIN)
    }
}
