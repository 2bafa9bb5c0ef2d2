//! What ingest asks the store for: a place for a request, and before that whether its events are
//! known and whether it is worth a parse.
//!
//! That something is known is told for good, because an id is known once its commit holds; that it
//! is new, only an append decides. What is told before one costs no commit and no trip to the
//! writer. Never says what stands in a request.

use tokio::sync::mpsc::error::TrySendError;

use super::Store;
use super::committing::{Committing, Heard};
use super::error::{Error, Failure};
use super::facts::{Appended, NewReceipt};
use super::ids::{self, IdKey};
use super::kind::WorkKind;
use super::report::Parsed;
use super::shared::Shared;
use super::write::append::Append;
use super::write::op::Reply;
use super::write::queue::Message;
use crate::ids::{Id, IdKind, Name};
use crate::retry::Verdict;

/// What can be told of the event ids of a request before it is appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recalled {
    /// All are known, and whatever was stored of them is durable: by the receipt that first brought
    /// the first of them.
    Known(Id),
    /// There is none, or one of them belongs to no receipt whose commit holds.
    New,
    /// Only an append finds out.
    Untold,
}

impl Store {
    /// Stores a receipt, unless all its event ids are known; returns when it is on disk.
    ///
    /// Does not wait for room in the queue, then it is [`Error::Full`], nor for the end of an
    /// outage, then it is [`Error::Unavailable`].
    pub async fn append(&self, receipt: NewReceipt) -> Result<Appended, Error> {
        let (appended, _) = self.append_parsed(receipt, None).await?;
        Ok(appended)
    }

    /// The same of a request that was parsed before. Then the receipt, its parse and its events
    /// hold together or not at all, and nothing is left to parse; unless an older receipt of its
    /// source still waits for that: then what was parsed is dropped, and its turn comes behind
    /// that one. Tells whether the parse holds.
    pub async fn append_parsed(
        &self,
        receipt: NewReceipt,
        parsed: Option<Parsed>,
    ) -> Result<(Appended, bool), Error> {
        self.queue_parsed(receipt, parsed)?.await
    }

    /// The same in two steps: gives what resolves when it is on disk. Once it is queued, it is
    /// stored also if nobody waits for that.
    pub fn queue_parsed(
        &self,
        receipt: NewReceipt,
        parsed: Option<Parsed>,
    ) -> Result<Committing<(Appended, bool)>, Error> {
        self.queue_append(receipt, parsed, None)
    }

    /// The same of a request that was parsed, for somebody who is told by another that there is an
    /// answer.
    pub fn queue_parsed_and(
        &self,
        receipt: NewReceipt,
        parsed: Parsed,
        heard: Heard,
    ) -> Result<Committing<(Appended, bool)>, Error> {
        self.queue_append(receipt, Some(parsed), Some(heard))
    }

    fn queue_append(
        &self,
        receipt: NewReceipt,
        parsed: Option<Parsed>,
        heard: Option<Heard>,
    ) -> Result<Committing<(Appended, bool)>, Error> {
        if let Some(error) = self.outage() {
            return Err(error);
        }
        let parsed = parsed.filter(|parsed| parsed.report.verdict == Verdict::Done);
        let (reply, answer) = Reply::new();
        let append = Append::new(receipt, parsed, (reply, heard));
        let append = Message::perform(append, &self.handle.shared);
        self.queue().try_send(append).map_err(|refused| match refused {
            TrySendError::Full(_) => Error::Full,
            TrySendError::Closed(_) => Error::Closed,
        })?;
        Ok(Committing::new(answer, &self.handle.shared, false))
    }

    /// Whether these event ids are known. Who sends known events again waits for no commit, and so
    /// need not wait for the writer either: ids are known from the moment when they are synced,
    /// and one that is on its way there is still new here. May read the file.
    pub fn recall(&self, source: &Name, event_ids: &[String]) -> Recalled {
        let shared = &self.handle.shared;
        match shared.first_owner(source, event_ids) {
            Ok(None) => Recalled::New,
            Ok(Some(position)) if self.is_well() => {
                let (kind, tag) = (IdKind::Receipt, shared.file.tag);
                Recalled::Known(Id { kind, position, tag })
            }
            _ => Recalled::Untold,
        }
    }

    /// Whether what is known is still there: nothing has failed that the store knows of, and its
    /// files were seen in their places a moment ago.
    fn is_well(&self) -> bool {
        let shared = &self.handle.shared;
        let is_open = shared.check().is_ok() && !self.queue().is_closed();
        is_open && !shared.is_away() && shared.file.glance_for_many().is_ok()
    }

    /// Whether a request of this source that brings something new could be appended now with its
    /// parse, as far as can be told at once: no older receipt waits for its first parse.
    pub fn takes_parsed(&self, source: &Name) -> bool {
        let shared = &self.handle.shared;
        // Whoever holds it is not waited for: the append will tell.
        let waits = shared.owed.try_backlog().is_some_and(|it| it.due(WorkKind::Parse, source) > 0);
        !waits && !shared.is_away()
    }
}

impl Shared {
    /// The receipt that the first of these event ids belongs to; `None` if there is none, or if one
    /// of them belongs to no receipt.
    fn first_owner(&self, source: &Name, event_ids: &[String]) -> Result<Option<u64>, Failure> {
        let (mut first, mut opened) = (None, None);
        for event_id in event_ids {
            let key = IdKey::new(source, event_id);
            let told = self.ids().owner_or_runs(key);
            let owner = match told {
                Ok(owner) => Some(owner),
                Err(runs) if runs.is_empty() => None,
                Err(runs) => {
                    // A commit may change the runs meanwhile: then the append will tell.
                    let rows = match opened {
                        Some(ref rows) => rows,
                        None => &*opened.insert(self.file.read()?.ids()?),
                    };
                    ids::find_in(rows, &runs, key)?
                }
            };
            if owner.is_none() {
                return Ok(None);
            }
            first = first.or(owner);
        }
        Ok(first)
    }
}
