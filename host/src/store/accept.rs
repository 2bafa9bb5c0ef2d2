//! What ingest asks the store for: a place for a request, and before that whether it is worth a
//! parse.
//!
//! Only an append decides anything. What is told before one is as things are at that moment, and
//! costs no commit. Never says what stands in a request.

use tokio::sync::mpsc::error::TrySendError;

use super::Store;
use super::error::{Error, Failure};
use super::facts::{Appended, NewReceipt};
use super::ids::{self, IdKey};
use super::kind::WorkKind;
use super::report::Parsed;
use super::shared::Shared;
use super::tries::Committing;
use super::write::append::Append;
use super::write::op::Reply;
use super::write::queue::Message;
use crate::ids::Name;
use crate::retry::Verdict;

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
        if let Some(error) = self.outage() {
            return Err(error);
        }
        let parsed = parsed.filter(|parsed| parsed.report.verdict == Verdict::Done);
        let (reply, answer) = Reply::new();
        let append = Append::new(receipt, parsed, reply);
        let append = Message::perform(append, &self.handle.shared);
        self.queue().try_send(append).map_err(|refused| match refused {
            TrySendError::Full(_) => Error::Full,
            TrySendError::Closed(_) => Error::Closed,
        })?;
        Ok(Committing::new(answer, &self.handle.shared, false))
    }

    /// Whether a request of this source with these event ids could be appended now with its parse,
    /// as far as can be told at once: something in it is new, and no older receipt waits for its
    /// first parse. May read the file.
    pub fn takes_parsed(&self, source: &Name, event_ids: &[String]) -> bool {
        let shared = &self.handle.shared;
        // Whoever holds it is not waited for: the append will tell.
        let waits = shared.owed.try_backlog().is_some_and(|it| it.due(WorkKind::Parse, source) > 0);
        if waits || shared.is_away() {
            return false;
        }
        event_ids.is_empty() || shared.has_new(source, event_ids).unwrap_or(false)
    }
}

impl Shared {
    /// Whether one of these event ids belongs to no receipt.
    fn has_new(&self, source: &Name, event_ids: &[String]) -> Result<bool, Failure> {
        let mut opened = None;
        for event_id in event_ids {
            let key = IdKey::new(source, event_id);
            let Some(runs) = self.ids().runs_to_ask(key) else { continue };
            if runs.is_empty() {
                return Ok(true);
            }
            // A commit may change the runs meanwhile: then the append will tell.
            let rows = match opened {
                Some(ref rows) => rows,
                None => &*opened.insert(self.file.read()?.ids()?),
            };
            if !ids::is_in_any(rows, &runs, key)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
