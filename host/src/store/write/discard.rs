//! The end of one delivery that somebody does not want any more, without a try.
//!
//! Wherever it waits: the writer takes it, while nothing else changes, so it is tried by nobody
//! meanwhile. One that somebody works on is left. It is a dead letter then, and can be replayed.
//! Never ends one that had ended.

use std::sync::Arc;

use super::draft::Draft;
use super::op::{Answer, Operation, Reply};
use crate::failure::Reason;
use crate::ids::{Id, IdKind, Name};
use crate::store::Store;
use crate::store::error::{Damaged, Error, Failure};
use crate::store::owed::backlog::InFlight;
use crate::store::owed::lease::Lease;
use crate::store::owed::works::Stored;
use crate::store::owed::{Life, Owed};

/// What its letter says.
const DETAIL: &str = "somebody discarded it";

/// What became of a delivery that was to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discarded {
    /// It has ended, and is dead.
    Ended,
    /// Somebody works on it.
    InFlight,
    /// It had ended before.
    Finished,
}

impl Store {
    /// Ends a delivery that waits, without a try. An id that stands for no delivery is an
    /// [`Error::Unknown`].
    pub async fn discard(&self, id: Id) -> Result<Discarded, Error> {
        let owed = Arc::clone(&self.handle.shared.owed);
        self.ask(|reply| Discard { id, owed, taken: None, reply }).await
    }
}

/// A delivery to end.
#[derive(Debug)]
struct Discard {
    id: Id,
    owed: Arc<Owed>,
    /// Once it is in no other hands, with its endpoint.
    taken: Option<(Lease, Name)>,
    reply: Reply<Discarded>,
}

impl Operation for Discard {
    fn bytes(&self) -> usize {
        DETAIL.len()
    }

    fn perform(&mut self, draft: &mut Draft<'_>) -> Result<(), Failure> {
        let answer = self.take(draft)?;
        if let Some((lease, group)) = &self.taken {
            draft.end(lease, group, Reason::Discarded, DETAIL.to_owned())?;
        }
        self.reply.keep(answer);
        Ok(())
    }

    fn end_lease(&mut self, life: Life) -> Option<InFlight> {
        let (lease, _) = self.taken.as_mut()?;
        lease.end(life)
    }

    fn reply(&mut self) -> Option<&mut dyn Answer> {
        Some(&mut self.reply)
    }
}

impl Discard {
    /// Takes it, if it waits.
    fn take(&mut self, draft: &Draft<'_>) -> Result<Result<Discarded, Error>, Failure> {
        let id = self.id;
        if self.taken.is_some() {
            // For a draft before, that was not committed.
            return Ok(Ok(Discarded::Ended));
        }
        let is_ours = id.tag == draft.basis.tag && id.kind == IdKind::Delivery;
        let damages = draft.basis.damages;
        let stored = match is_ours.then(|| damages.pass(draft.committed(id.position))) {
            None => None,
            Some(read) => match read? {
                Some(record) => record.and_then(Stored::of),
                None => return Ok(Err(damaged(id))),
            },
        };
        let works = stored.and_then(|stored| stored.works_of(id, draft.basis.order_keys));
        let Some(work) = works.and_then(|mut works| works.pop()) else {
            return Ok(Err(Error::Unknown(vec![id])));
        };
        let Some(standing) = damages.pass(draft.standing(id.position))? else {
            return Ok(Err(damaged(id)));
        };
        if !standing.is_open() {
            return Ok(Ok(Discarded::Finished));
        }
        // Memory does not have it yet as this draft has it.
        if draft.changes_work(id.position) {
            return Ok(Ok(Discarded::InFlight));
        }
        let group = work.group.clone();
        let row = draft.row_since(id.position)?;
        let taken = self.owed.backlog().take_out(&work.standing(standing), row);
        let Some(taken) = taken else { return Ok(Ok(Discarded::InFlight)) };
        self.taken = Some((Lease::new(taken, Arc::clone(&self.owed)), group));
        Ok(Ok(Discarded::Ended))
    }
}

fn damaged(id: Id) -> Error {
    Error::Damaged(Damaged { position: id.position })
}
