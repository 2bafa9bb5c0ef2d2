//! Dead letters that nothing finds by name or reason, since an older Hookgate wrote them, are made
//! to be found.
//!
//! Reads them aside, some at a time, and has the writer write their rows. It looks once in the life
//! of a process, for an older Hookgate may have had the store in between, and what it writes for a
//! reason is words. Never looks at a letter twice.

use std::sync::atomic::Ordering;

use crate::store::Store;
use crate::store::error::Error;
use crate::store::read::snapshot::Unfiled;
use crate::store::shared::Shared;
use crate::store::write::letters::FileLetters;

/// Letters that one step looks at.
const STEP_LETTERS: usize = 1024;

impl Store {
    /// Gives every letter the rows that it is found by, unless all have them.
    pub(super) async fn file_letters(&self) -> Result<(), Error> {
        let shared = &self.handle.shared;
        if shared.have_letters_reasons.load(Ordering::Relaxed) {
            return Ok(());
        }
        let are_filed =
            self.in_background(|shared| Ok(shared.snapshot()?.are_letters_filed()?)).await?;
        let mut next = Some(0);
        while let Some(from) = next {
            let look = move |shared: &Shared| -> Result<Unfiled, Error> {
                Ok(shared.snapshot()?.unfiled(from, STEP_LETTERS)?)
            };
            let Unfiled { letters, next: later } = self.in_background(look).await?;
            next = later;
            let is_end = next.is_none();
            if is_end && !are_filed || !letters.is_empty() {
                self.ask(|reply| FileLetters { letters, is_end, reply }).await?;
            }
        }
        shared.have_letters_reasons.store(true, Ordering::Relaxed);
        Ok(())
    }
}
