//! What an erasure writes: its row, segments whose records are blanked or that change places, rows
//! of state that go, and zeros.
//!
//! Each step is bounded, and all of it or nothing. Never decides what is erased.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::OwnedMutexGuard;

use super::batch::Replacement;
use super::draft::Draft;
use super::op::{Answer, Operation, Reply};
use crate::store::Store;
use crate::store::access::Rows;
use crate::store::erasures::{self, Erasure, SALT_BYTES};
use crate::store::error::{Error, Failure};
use crate::store::file::blank_rows::Blank;
use crate::store::file::kept_rows::Kept;
use crate::store::log::segment::RecordKind;
use crate::tenant::Tenant;

/// About what a row of an erasure adds to a transaction, in bytes.
const ROW_BYTES: usize = 1024;

/// The right to put segments in the place of others: while it lives, no sweep does.
pub(in crate::store) type Turn = Arc<OwnedMutexGuard<()>>;

/// An erasure to begin.
#[derive(Debug)]
pub(in crate::store) struct BeginErasure {
    pub(in crate::store) subject: String,
    pub(in crate::store) tenant: Option<Tenant>,
    /// For a store that has none yet.
    pub(in crate::store) salt: [u8; SALT_BYTES],
    pub(in crate::store) reply: Reply<Erasure>,
}

impl Operation for BeginErasure {
    fn bytes(&self) -> usize {
        ROW_BYTES
    }

    fn perform(&mut self, draft: &mut Draft<'_>) -> Result<(), Failure> {
        let (now, end) = (draft.now, draft.log_end());
        let of = (self.subject.as_str(), self.tenant.as_ref());
        let begun = erasures::begin(draft, of, &self.salt, (now, end))?;
        if begun.is_ok() {
            draft.leave_segment();
        }
        self.reply.keep(begun);
        Ok(())
    }

    fn reply(&mut self) -> Option<&mut dyn Answer> {
        Some(&mut self.reply)
    }
}

/// How far an erasure is. The answer is whether that counts: it does not if somebody asked for it
/// again.
#[derive(Debug)]
pub(in crate::store) struct NoteErasure {
    pub(in crate::store) erasure: Erasure,
    pub(in crate::store) reply: Reply<bool>,
}

impl Operation for NoteErasure {
    fn bytes(&self) -> usize {
        ROW_BYTES
    }

    fn perform(&mut self, draft: &mut Draft<'_>) -> Result<(), Failure> {
        let is_noted = erasures::note(draft, &self.erasure)?;
        draft.leave_segment();
        self.reply.keep(Ok(is_noted));
        Ok(())
    }

    fn reply(&mut self) -> Option<&mut dyn Answer> {
        Some(&mut self.reply)
    }
}

/// Leaves all volumes that are there. The answer is the position of a record that lies behind them.
#[derive(Debug)]
pub(in crate::store) struct LeaveVolumes {
    pub(in crate::store) reply: Reply<u64>,
}

impl Operation for LeaveVolumes {
    fn bytes(&self) -> usize {
        0
    }

    fn perform(&mut self, draft: &mut Draft<'_>) -> Result<(), Failure> {
        draft.leave_volumes();
        let position = draft.record(RecordKind::Gap, &());
        self.reply.keep(Ok(position));
        Ok(())
    }

    fn reply(&mut self) -> Option<&mut dyn Answer> {
        Some(&mut self.reply)
    }
}

/// Segments in the place of others. The answer is whether they are: they are not if one of the
/// works is open.
#[derive(Debug)]
pub(in crate::store) struct Rewrite {
    pub(in crate::store) replacement: Replacement,
    /// Where records stand that are blanked by it.
    pub(in crate::store) blanked: Vec<u64>,
    /// Works that must have ended.
    pub(in crate::store) ended: Arc<[u64]>,
    pub(in crate::store) _turn: Turn,
    pub(in crate::store) reply: Reply<bool>,
}

impl Operation for Rewrite {
    fn bytes(&self) -> usize {
        self.replacement.packed.iter().map(|packed| packed.bytes.len()).sum()
    }

    fn perform(&mut self, draft: &mut Draft<'_>) -> Result<(), Failure> {
        for work in &*self.ended {
            let standing = draft.basis.damages.pass(draft.outcome(*work))?.flatten();
            if standing.is_some_and(|standing| standing.is_open()) {
                self.reply.keep(Ok(false));
                return Ok(());
            }
        }
        draft.replace_segments(self.replacement.clone());
        draft.note_blanked(&self.blanked);
        draft.tell_time();
        draft.leave_segment();
        self.reply.keep(Ok(true));
        Ok(())
    }

    fn removes(&self) -> bool {
        true
    }

    fn reply(&mut self) -> Option<&mut dyn Answer> {
        Some(&mut self.reply)
    }
}

/// Rows that name a subject and go.
#[derive(Debug)]
pub(in crate::store) struct EraseRows {
    /// Of what handlers remember.
    pub(in crate::store) states: Vec<Vec<u8>>,
    /// Of replays by filter, by their numbers: none of them goes on.
    pub(in crate::store) replays: Vec<u64>,
    /// Of writes that are done once: what stays of each.
    pub(in crate::store) answers: Vec<(Vec<u8>, Bytes)>,
    pub(in crate::store) reply: Reply<()>,
}

impl Operation for EraseRows {
    fn bytes(&self) -> usize {
        let answers = self.answers.iter().map(|(key, row)| key.len() + row.len());
        self.states.iter().map(Vec::len).chain(answers).sum()
    }

    fn perform(&mut self, draft: &mut Draft<'_>) -> Result<(), Failure> {
        self.states.iter().try_for_each(|key| draft.erase_state(key))?;
        self.replays.iter().for_each(|number| draft.put_replay_row(*number, None));
        for (key, row) in &self.answers {
            draft.put(Kept::Answers, key.clone(), Some(row.clone()));
        }
        draft.leave_segment();
        self.reply.keep(Ok(()));
        Ok(())
    }

    fn reply(&mut self) -> Option<&mut dyn Answer> {
        Some(&mut self.reply)
    }
}

/// Rows to write as they are: redb leaves the bytes of a row that it removes in a page that it
/// has written since the last durable commit, and makes any other page anew.
#[derive(Debug)]
pub(in crate::store) struct WriteAgain {
    /// Of what handlers remember.
    pub(in crate::store) states: Vec<Vec<u8>>,
    /// Of writes that are done once.
    pub(in crate::store) answers: Vec<Vec<u8>>,
    pub(in crate::store) reply: Reply<()>,
}

impl Operation for WriteAgain {
    fn bytes(&self) -> usize {
        (self.states.len() + self.answers.len()) * ROW_BYTES
    }

    fn perform(&mut self, draft: &mut Draft<'_>) -> Result<(), Failure> {
        for key in &self.states {
            if let Some(row) = draft.state_row(key)? {
                draft.put_state_row(key.clone(), Some(row));
            }
        }
        for (number, row) in draft.replay_rows()? {
            draft.put_replay_row(number, Some(row));
        }
        for key in &self.answers {
            if let Some(row) = draft.row(Kept::Answers, key)? {
                draft.put(Kept::Answers, key.clone(), Some(row));
            }
        }
        draft.leave_segment();
        self.reply.keep(Ok(()));
        Ok(())
    }

    fn reply(&mut self) -> Option<&mut dyn Answer> {
        Some(&mut self.reply)
    }
}

/// A change of the rows of zeros.
#[derive(Debug)]
pub(in crate::store) struct PutBlank {
    pub(in crate::store) blank: Blank,
    pub(in crate::store) reply: Reply<()>,
}

impl Operation for PutBlank {
    fn bytes(&self) -> usize {
        match self.blank {
            Blank::Fill { rows, .. } => usize::try_from(rows).unwrap_or(usize::MAX) * 4096,
            Blank::Drain { .. } | Blank::Clear => 0,
        }
    }

    fn perform(&mut self, draft: &mut Draft<'_>) -> Result<(), Failure> {
        draft.put_blank(self.blank);
        draft.leave_segment();
        self.reply.keep(Ok(()));
        Ok(())
    }

    fn reply(&mut self) -> Option<&mut dyn Answer> {
        Some(&mut self.reply)
    }
}

impl Store {
    /// Begins to erase all that is known of a subject up to now: of this tenant's events, or of
    /// all. Durable when it is answered; [`Store::erase_next`] does it. One that is asked for again
    /// begins anew, and covers what has come since. Beyond 1,000 that are not finished, or 100 of
    /// the tenant, it is [`Error::TooManyErasures`].
    pub async fn begin_erasure(
        &self,
        subject: String,
        tenant: Option<Tenant>,
    ) -> Result<Erasure, Error> {
        let salt = erasures::new_salt()?;
        let begun = self.ask(|reply| BeginErasure { subject, tenant, salt, reply }).await?;
        self.handle.shared.erasures_begun.ring();
        Ok(begun)
    }

    /// All erasures that go on, and the last thousand that are done, the oldest request first.
    pub async fn erasures(&self) -> Result<Vec<Erasure>, Error> {
        self.aside(|shared| Ok(erasures::all(&shared.file.read()?.kept(Kept::Erasures)?)?)).await
    }

    /// The erasure with this id, if it is kept.
    pub async fn erasure(&self, id: &str) -> Result<Option<Erasure>, Error> {
        let id = id.to_owned();
        self.aside(move |shared| {
            Ok(erasures::find(&shared.file.read()?.kept(Kept::Erasures)?, &id)?)
        })
        .await
    }

    /// Resolves when an erasure begins after this call. Counts from the call, not from the first
    /// poll.
    pub fn erasure_begun(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut begun = self.handle.shared.erasures_begun.listen();
        async move {
            // The sender lives as long as the store.
            drop(begun.changed().await);
        }
    }
}
