//! What an erasure has a commit do beside its records and rows.
//!
//! Never decides what is erased.

use super::Draft;
use crate::store::error::Failure;
use crate::store::file::blank_rows::Blank;
use crate::store::state::{self, Used};

impl Draft<'_> {
    /// No record that is committed stands at this position or behind it.
    pub(in crate::store) fn log_end(&self) -> u64 {
        self.batch.next()
    }

    /// This commit, and what is packed from it on, goes to new volumes.
    pub(in crate::store) fn leave_volumes(&mut self) {
        self.batch.leaves_volumes = true;
    }

    /// Changes the rows of zeros.
    pub(in crate::store) fn put_blank(&mut self, blank: Blank) {
        self.batch.blank = Some(blank);
    }

    /// What stands at these positions is not what it was any more.
    pub(in crate::store) fn note_blanked(&mut self, positions: &[u64]) {
        self.changes.blanked.extend(positions);
    }

    /// Whether this commit blanks what stands at a position: whoever reads there sees all of it
    /// still.
    pub(in crate::store) fn is_blanked(&self, position: u64) -> bool {
        self.changes.blanked.contains(&position)
    }

    /// Removes a row of state, whatever it says.
    pub(in crate::store) fn erase_state(&mut self, key: &[u8]) -> Result<(), Failure> {
        let Some(handler) = state::handler_of(key) else { return Ok(()) };
        let Some(row) = self.state_row(key)? else { return Ok(()) };
        let used = self.used(&handler).without(Used::of(key, &row));
        self.put_state_row(key.to_vec(), None);
        self.put_used(&handler, used);
        Ok(())
    }
}
