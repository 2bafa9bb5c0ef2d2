//! The open works, from newer to older: which events and receipts are pending, without a look at
//! any of them.
//!
//! Those before the low-water mark have rows, which are read once, beside a list that goes the same
//! way, and with the stretch that the list passes over by them. Those behind it are in memory, as
//! they are now: a list may pass over what was pending when it began and is not any more. Never
//! passes over what neither knows.

use crate::store::error::Failure;
use crate::store::file::view::View;
use crate::store::index::Kind;
use crate::store::log::low_water::LowWater;
use crate::store::owed::lane::{self, Owner, owner_of};

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
        let owner = owner(kind);
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

/// What owes the works that make something of this kind pending.
fn owner(kind: Kind) -> Owner {
    match kind {
        Kind::Event => Owner::Event,
        Kind::Receipt => Owner::Receipt,
    }
}

/// What memory knows of works that are open and have no rows in a view.
pub(super) enum Unrowed {
    /// This is the last of them.
    Last(u64),
    /// There is none from here on. What is before has no row in the view either, and is not known.
    UnknownBefore(u64),
    /// There is none.
    None,
}

impl Unrowed {
    /// Those before a position, of a view in which works before `rowed` have rows.
    pub(super) fn find(low_water: &LowWater, kind: Kind, (rowed, before): (u64, u64)) -> Self {
        let (mark, end, owner) = (low_water.mark(), low_water.end(), owner(kind));
        if before <= rowed {
            return Self::None;
        }
        // Memory may not know yet what the last commit has added.
        if before > end {
            return Self::UnknownBefore(before);
        }
        match low_water.last_open(before, |kind, is_parcel| owner_of(kind, is_parcel) == owner) {
            Some(work) => Self::Last(work),
            // The mark has passed some since the view was opened.
            None if mark > rowed => Self::UnknownBefore(before.min(mark)),
            None => Self::None,
        }
    }
}
