//! What dead letters are found by, in an unchanging view.
//!
//! Of works, from newer to older and from older to newer. Never reads a letter.

use redb::TableError;

use super::{ByteTable, View};
use crate::store::error::Failure;
use crate::store::file::death_rows::{self, By, DeathRow};
use crate::store::file::schema::DEATHS;

impl View {
    /// The last work up to this position whose dead letter is found by this.
    pub(in crate::store) fn died_up_to(
        &self,
        by: By,
        position: u64,
    ) -> Result<Option<u64>, Failure> {
        let Some(deaths) = self.deaths()? else { return Ok(None) };
        let (from, until) = (by.key(0), by.key(position));
        let last = deaths.range(from.as_slice()..=until.as_slice())?.next_back().transpose()?;
        Ok(last.and_then(|(key, _)| death_rows::work_of(key.value())))
    }

    /// The works from a position on whose dead letters are found by this, the oldest first.
    pub(in crate::store) fn died_from(
        &self,
        by: By,
        position: u64,
    ) -> Result<impl Iterator<Item = Result<u64, Failure>> + use<>, Failure> {
        let (from, until) = (by.key(position), by.key(u64::MAX));
        let rows = match self.deaths()? {
            Some(deaths) => Some(deaths.range(from.as_slice()..=until.as_slice())?),
            None => None,
        };
        Ok(rows.into_iter().flatten().filter_map(|row| -> Option<Result<u64, Failure>> {
            match row {
                // A key that can't be decoded is of no work.
                Ok((key, _)) => death_rows::work_of(key.value()).map(Ok),
                Err(error) => Some(Err(error.into())),
            }
        }))
    }

    /// What the dead letter of a work is found by; `None` also if that can't be decoded.
    pub(in crate::store) fn death(&self, work: u64) -> Result<Option<DeathRow>, Failure> {
        let Some(deaths) = self.deaths()? else { return Ok(None) };
        let row = deaths.get(death_rows::letter(work).as_slice())?;
        Ok(row.and_then(|row| DeathRow::read(row.value())))
    }

    /// Whether it is said what the dead letter of a work is found by, and the reason is one of the
    /// closed list.
    pub(in crate::store) fn has_death(&self, work: u64) -> Result<bool, Failure> {
        let Some(deaths) = self.deaths()? else { return Ok(false) };
        let row = deaths.get(death_rows::letter(work).as_slice())?;
        Ok(row.is_some_and(|row| death_rows::has_reason(row.value())))
    }

    fn deaths(&self) -> Result<Option<ByteTable>, Failure> {
        match self.transaction.open_table(DEATHS) {
            Ok(rows) => Ok(Some(rows)),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
