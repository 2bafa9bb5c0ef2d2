//! Dead letters that died under an older Hookgate get the rows that they are found by.
//!
//! Whoever found such letters says what the rows say. Never gives rows to a work that was opened
//! again meanwhile.

use super::draft::Draft;
use super::op::{Answer, Operation, Reply};
use crate::store::error::Failure;
use crate::store::file::death_rows::{DEATHS_KNOWN, DeathRow};

/// Letters to be found: their works, the record that each died of, and what they are found by.
#[derive(Debug)]
pub(in crate::store) struct FileLetters {
    pub(in crate::store) letters: Vec<(u64, Option<u64>, DeathRow)>,
    /// Whether these are the last.
    pub(in crate::store) is_end: bool,
    pub(in crate::store) reply: Reply<()>,
}

impl Operation for FileLetters {
    fn bytes(&self) -> usize {
        self.letters.len() * size_of::<DeathRow>()
    }

    fn perform(&mut self, draft: &mut Draft<'_>) -> Result<(), Failure> {
        for (work, died_of, row) in &self.letters {
            let standing = draft.basis.damages.pass(draft.standing(*work))?;
            let has_died_anew = standing.is_none_or(|standing| standing.last != *died_of);
            if !has_died_anew && draft.letter(*work)?.is_some() {
                draft.file_letter(*work, *row);
            }
        }
        if self.is_end {
            draft.remember(DEATHS_KNOWN, 1);
        }
        draft.leave_segment();
        self.reply.keep(Ok(()));
        Ok(())
    }

    fn reply(&mut self) -> Option<&mut dyn Answer> {
        Some(&mut self.reply)
    }
}
