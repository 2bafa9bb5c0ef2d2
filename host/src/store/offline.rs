//! Tokens and the audit log of a store on which no gateway runs, for commands and no start.
//!
//! Opens the files and nothing else: no work is taken, and no id gets another term. What is changed
//! is durable when it is said to be. Never makes a store that is not there.

use std::path::Path;
use std::sync::Arc;

use super::access::audit::{self, AuditChecked, Deed};
use super::access::{Sheet, tokens};
use super::damage::Damages;
use super::error::{Damaged, Error, Failure};
use super::file::failure::unbroken;
use super::file::inspection::{Inspection, is_of_this_format};
use super::file::kept_rows::Kept;
use super::file::{File, OpenError, file_in};
use super::{Config, Token};
use crate::event::Timestamp;

/// Removes all tokens of the store in this folder, and adds this one, with an entry in the audit
/// log. Without one, the admin port asks for none any more. The folder has a store.
pub fn reset_tokens(
    folder: &Path,
    token: Option<&Token>,
    (deed, now): (&Deed, Timestamp),
) -> Result<(), OpenError> {
    change(folder, |sheet| {
        tokens::reset(sheet, token, now)??;
        audit::append(sheet, deed, now)?;
        Ok(())
    })
}

/// Whether the store in this folder may have tokens: not if it is not there yet, nor if it has an
/// older format, which a start upgrades. Changes nothing.
pub(crate) fn may_have_tokens(folder: &Path) -> bool {
    is_of_this_format(folder)
}

/// Adds what a command did to the audit log of the store in this folder, which has one.
pub fn record(folder: &Path, deed: &Deed, now: Timestamp) -> Result<(), OpenError> {
    change(folder, |sheet| {
        audit::append(sheet, deed, now)?;
        Ok(())
    })
}

/// Looks through the audit log of the store in this folder, and changes nothing. `known` is the
/// hash that an entry is known to have had, by its number.
pub fn check_audit(folder: &Path, known: Option<(u64, &str)>) -> Result<AuditChecked, OpenError> {
    let inspection = Inspection::open(folder)?;
    let checked = unbroken(|| {
        // Where redb can't read the rows, nobody can tell what they said.
        let view = inspection.view()?.ok_or(Failure::Damaged(Damaged { position: 0 }))?;
        Ok(audit::check(&view.kept(Kept::Audit)?, known)?)
    });
    checked.map_err(|source| OpenError::because(&file_in(folder), source))
}

fn change(folder: &Path, make: impl Fn(&mut Sheet) -> Result<(), Error>) -> Result<(), OpenError> {
    let config = Config::at(folder);
    let file = File::open(folder, config.opening(), Arc::<Damages>::default())?;
    let changed = || -> Result<(), Error> {
        let mut sheet = Sheet::of(file.read()?);
        make(&mut sheet)?;
        let change = file.write()?;
        let mut puts = sheet.puts.iter();
        puts.try_for_each(|((kept, key), row)| change.put_kept(*kept, key, row.as_deref()))?;
        // With nothing for the log it is durable by a checkpoint.
        file.commit(change)
    };
    let changed = file.asked(|| unbroken(changed));
    file.close();
    changed.map_err(|source| OpenError::because(&file_in(folder), source))
}
