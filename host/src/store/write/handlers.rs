//! What handlers run on, noted and read.
//!
//! A note is durable when it is answered. Never asks a plugin.

use super::draft::Draft;
use super::op::{Answer, Operation, Reply};
use crate::store::Store;
use crate::store::error::{Error, Failure};
use crate::store::file::kept_rows::Kept;
use crate::store::handlers::{self, HandlerRow};

/// About what a note adds to a transaction beside its rows, in bytes.
const NOTE_BYTES: usize = 128;

impl Store {
    /// Notes what the handlers of the configuration run on, in the place of all that was noted
    /// before. Of more than [`HANDLERS_MAX`](crate::store::HANDLERS_MAX) it keeps the first.
    pub async fn note_handlers(&self, rows: Vec<HandlerRow>) -> Result<(), Error> {
        self.ask(|reply| NoteHandlers { rows, reply }).await
    }

    /// What handlers run on, as it was last noted, by their names. What can't be read is left out.
    pub async fn handlers(&self) -> Result<Vec<HandlerRow>, Error> {
        self.aside(|shared| {
            let rows = shared.file.read()?.kept(Kept::Handlers)?;
            Ok(handlers::all(&rows, &shared.damages)?)
        })
        .await
    }
}

/// What there is to note of handlers.
#[derive(Debug)]
struct NoteHandlers {
    rows: Vec<HandlerRow>,
    reply: Reply<()>,
}

impl Operation for NoteHandlers {
    fn bytes(&self) -> usize {
        NOTE_BYTES + self.rows.iter().map(HandlerRow::bytes).sum::<usize>()
    }

    fn perform(&mut self, draft: &mut Draft<'_>) -> Result<(), Failure> {
        handlers::note(draft, &self.rows)?;
        draft.leave_segment();
        self.reply.keep(Ok(()));
        Ok(())
    }

    fn reply(&mut self) -> Option<&mut dyn Answer> {
        Some(&mut self.reply)
    }
}
