//! The end of one work that somebody does not want any more, without a try: a delivery that is
//! discarded, or any work on what is erased.
//!
//! Wherever it waits: the writer takes it, while nothing else changes, so it is tried by nobody
//! meanwhile. One that somebody works on is left. It is a dead letter then, and can be replayed
//! unless what it is on is erased. Never ends one that had ended.

use std::sync::Arc;

use super::draft::Draft;
use super::op::{Answer, Operation, Reply};
use crate::failure::Reason;
use crate::ids::{Id, IdKind, Name};
use crate::store::Store;
use crate::store::error::{Damaged, Error, Failure};
use crate::store::kind::WorkKind;
use crate::store::owed::backlog::InFlight;
use crate::store::owed::lease::Lease;
use crate::store::owed::works::Stored;
use crate::store::owed::{Life, Owed};

/// What its letter says.
const DETAIL: &str = "somebody discarded it";
/// The same of a work on what is erased.
pub(in crate::store) const ERASED: &str = "what it was about is erased";

/// What became of a work that was to end.
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
        let (reason, detail) = (Reason::Discarded, DETAIL);
        self.ask(|reply| Discard { id, reason, detail, owed, taken: None, reply }).await
    }

    /// Ends a parse, a run or a delivery that waits, because what it is on is erased.
    pub(in crate::store) async fn end_erased(&self, id: Id) -> Result<Discarded, Error> {
        let owed = Arc::clone(&self.handle.shared.owed);
        let (reason, detail) = (Reason::Erased, ERASED);
        self.ask(|reply| Discard { id, reason, detail, owed, taken: None, reply }).await
    }
}

/// A work to end.
#[derive(Debug)]
struct Discard {
    id: Id,
    reason: Reason,
    detail: &'static str,
    owed: Arc<Owed>,
    /// Once it is in no other hands, with its source, handler or endpoint.
    taken: Option<(Lease, Name)>,
    reply: Reply<Discarded>,
}

impl Operation for Discard {
    fn bytes(&self) -> usize {
        self.detail.len()
    }

    fn perform(&mut self, draft: &mut Draft<'_>) -> Result<(), Failure> {
        let answer = self.take(draft)?;
        if let Some((lease, group)) = &self.taken {
            let (reason, detail) = (self.reason, self.detail.to_owned());
            match lease.kind() {
                WorkKind::Delivery => draft.end(lease, group, reason, detail)?,
                WorkKind::Parse | WorkKind::Run => {
                    draft.end_uncalled(lease, group, reason, detail)?
                }
            }
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
        let is_of_kind = id.kind == IdKind::Delivery || self.reason == Reason::Erased;
        let is_ours = id.tag == draft.basis.tag && is_of_kind;
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
