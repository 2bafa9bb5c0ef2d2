//! What became of canaries, noted and read.
//!
//! A note is durable when it is answered. Never judges a canary.

use super::draft::Draft;
use super::op::{Answer, Operation, Reply};
use crate::store::Store;
use crate::store::canaries::{self, CanaryRow};
use crate::store::error::{Error, Failure};
use crate::store::file::kept_rows::Kept;

/// About what a note adds to a transaction, in bytes.
const NOTE_BYTES: usize = 512;

impl Store {
    /// Notes how a canary stands or what became of it, in the place of what was noted of this
    /// version before.
    pub async fn note_canary(&self, row: CanaryRow) -> Result<(), Error> {
        self.ask(|reply| NoteCanary { row, reply }).await
    }

    /// All versions of handlers that are or were canaries, as they were last noted. What can't be
    /// read is left out.
    pub async fn canaries(&self) -> Result<Vec<CanaryRow>, Error> {
        self.aside(|shared| {
            let rows = shared.file.read()?.kept(Kept::Canaries)?;
            Ok(canaries::all(&rows, &shared.damages)?)
        })
        .await
    }
}

/// What there is to note of a canary.
#[derive(Debug)]
struct NoteCanary {
    row: CanaryRow,
    reply: Reply<()>,
}

impl Operation for NoteCanary {
    fn bytes(&self) -> usize {
        NOTE_BYTES
    }

    fn perform(&mut self, draft: &mut Draft<'_>) -> Result<(), Failure> {
        canaries::note(draft, &self.row)?;
        draft.leave_segment();
        self.reply.keep(Ok(()));
        Ok(())
    }

    fn reply(&mut self) -> Option<&mut dyn Answer> {
        Some(&mut self.reply)
    }
}
