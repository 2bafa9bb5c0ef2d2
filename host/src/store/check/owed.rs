//! The rows of open works, held against the works, against each other, and against how many there
//! should be.
//!
//! By position and by lane they say the same. Never tells twice of a row that can't be decoded.

use std::collections::{BTreeMap, BTreeSet};

use super::Check;
use super::works::LookUp;
use crate::store::error::{Damaged, Failure};
use crate::store::file::view::{Outcomes, View};
use crate::store::owed::lane::{read_lane, read_note};
use crate::store::owed::standing::Standing;

impl Check<'_> {
    /// The open works before the low-water mark.
    pub(super) fn open_works(&mut self, view: &View, look_up: &mut LookUp) -> Result<(), Failure> {
        let outcomes = view.outcomes()?;
        for work in view.open_in_format_2(..)? {
            self.open_work("open", work?, &outcomes, look_up)?;
        }
        for row in view.owed_within(..)? {
            let (work, owed) = match row {
                Err(Failure::Damaged(Damaged { position })) => {
                    self.tell_row(Some(position), "the row in `owed` can't be decoded");
                    continue;
                }
                row => row?,
            };
            self.open_work("owed", work, &outcomes, look_up)?;
            if read_lane(&owed.lane).is_none() || read_note(&owed.note).is_none() {
                self.tell_row(Some(work), "the lane or the note in `owed` can't be decoded");
            }
            if !view.is_due(&owed.lane, (owed.since, work))? {
                let reason = "`owed` has a row of a work that `due` does not have in its place";
                self.tell_row(Some(work), reason);
            }
        }
        self.due_works(view)
    }

    /// Whether a work is open that has a row in this table.
    fn open_work(
        &mut self,
        table: &str,
        work: u64,
        outcomes: &Outcomes,
        look_up: &mut LookUp,
    ) -> Result<(), Failure> {
        match Standing::find(outcomes, work) {
            Ok(Some(standing)) if !standing.is_open() => {
                let reason = format!("`{table}` has a row of a work that is finished");
                self.tell_row(Some(work), reason);
            }
            Ok(None) if !look_up.has_work(work)? => {
                let reason = format!("`{table}` has a row of a work that the log does not have");
                self.tell_row(Some(work), reason);
            }
            // One that can't be decoded was told.
            Ok(_) | Err(Failure::Damaged(_)) => (),
            Err(failure) => return Err(failure),
        }
        Ok(())
    }

    fn due_works(&mut self, view: &View) -> Result<(), Failure> {
        for key in view.all_due()? {
            let Some((lane, since, work)) = key? else {
                self.tell_row(None, "a row in `due` can't be decoded");
                continue;
            };
            let is_there = match view.owed(work) {
                Ok(owed) => owed.is_some_and(|owed| owed.lane == lane && owed.since == since),
                // That was told.
                Err(Failure::Damaged(_)) => true,
                Err(failure) => return Err(failure),
            };
            if !is_there {
                let reason = "`due` has a row of a work that `owed` does not have in its place";
                self.tell_row(Some(work), reason);
            }
        }
        Ok(())
    }

    /// How many works are open and dead, as it was counted and as it is.
    pub(super) fn totals(&mut self, view: &View) -> Result<(), Failure> {
        let Some(counted) = view.totals()? else { return Ok(()) };
        let rows = view.counted_totals()?;
        for ((lane, _), counted, rows) in differing(&counted.owed, &rows.owed) {
            let lane = text(lane);
            let reason =
                format!("`totals` counts {counted} works of {lane}, but `owed` has {rows}");
            self.tell_row(None, reason);
        }
        for (kind, counted, rows) in differing(&counted.dead, &rows.dead) {
            let reason =
                format!("`totals` counts {counted} works of kind {kind}, but `dead` has {rows}");
            self.tell_row(None, reason);
        }
        Ok(())
    }
}

/// The keys that have one number here and another there, with both.
fn differing<'n, K: Ord>(
    here: &'n BTreeMap<K, u64>,
    there: &'n BTreeMap<K, u64>,
) -> Vec<(&'n K, u64, u64)> {
    let keys: BTreeSet<&K> = here.keys().chain(there.keys()).collect();
    let number = |of: &BTreeMap<K, u64>, key: &K| of.get(key).copied().unwrap_or_default();
    let both = keys.into_iter().map(|key| (key, number(here, key), number(there, key)));
    both.filter(|(_, here, there)| here != there).collect()
}

/// A lane, for people.
fn text(lane: &[u8]) -> String {
    match read_lane(lane) {
        Some((kind, group)) => format!("{kind:?} {group}").to_lowercase(),
        None => format!("{lane:?}"),
    }
}
