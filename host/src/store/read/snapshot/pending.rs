//! The open works before the low-water mark, from newer to older: which events and receipts are
//! pending, without a look at any of them.
//!
//! Read once, beside a list that goes the same way. Never knows a work behind the mark: that has no
//! row.

use crate::store::error::Failure;
use crate::store::file::view::View;
use crate::store::index::Kind;
use crate::store::owed::lane::{self, Owner};

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
