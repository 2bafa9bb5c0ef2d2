//! What is changed in a store on which no gateway runs, and by no start.
//!
//! Opens the files and nothing else: no work is taken, and no id gets another term. What is changed
//! is durable when it is said to be. Never makes a store.

use std::path::Path;
use std::sync::Arc;

use super::access::{Sheet, tokens};
use super::damage::Damages;
use super::error::Error;
use super::file::failure::unbroken;
use super::file::{File, OpenError};
use super::{Config, Token};
use crate::event::Timestamp;

/// Removes all tokens of the store in this folder, and adds this one. Without one, the admin port
/// asks for none any more. The folder has a store.
pub fn reset_tokens(folder: &Path, token: Option<&Token>, now: Timestamp) -> Result<(), OpenError> {
    change(folder, |sheet| Ok(tokens::reset(sheet, token, now)??))
}

fn change(
    folder: &Path,
    make: impl FnOnce(&mut Sheet) -> Result<(), Error>,
) -> Result<(), OpenError> {
    let config = Config::at(folder);
    let file = File::open(folder, config.sizes(), Arc::<Damages>::default())?;
    let changed = unbroken(|| {
        let mut sheet = Sheet::of(file.read()?);
        make(&mut sheet)?;
        let change = file.write()?;
        let mut puts = sheet.puts.iter();
        puts.try_for_each(|((kept, key), row)| change.put_kept(*kept, key, row.as_deref()))?;
        // With nothing for the log it is durable by a checkpoint.
        file.commit(change)
    });
    file.close();
    changed.map_err(|source| OpenError::because(folder, source))
}
