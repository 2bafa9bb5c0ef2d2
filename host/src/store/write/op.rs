//! What the writer does with an operation, whichever it is, and where its answer goes.
//!
//! An operation is a type beside the code that drafts it: nothing in here knows one of them.

use std::fmt;

use tokio::sync::oneshot;

use super::draft::Draft;
use crate::store::error::{Error, Failure};
use crate::store::owed::Life;
use crate::store::owed::backlog::InFlight;

/// Something that the writer is asked to do.
pub(in crate::store) trait Operation: fmt::Debug + Send {
    /// About as much as it adds to a transaction, in bytes.
    fn bytes(&self) -> usize;

    /// Adds it to a draft, and keeps its answer. May be called again with another draft. An error
    /// is the store's: nothing of that draft may be committed.
    fn perform(&mut self, draft: &mut Draft<'_>) -> Result<(), Failure>;

    /// The work was tried: whether it frees its slots, before this is committed.
    fn end_try(&mut self) -> bool {
        false
    }

    /// Whether this may wait a moment for others to be committed with: nobody waits for it, or who
    /// does has time.
    fn is_patient(&self) -> bool {
        false
    }

    /// Ends the lease of the work that was tried, if this life gave it out.
    fn end_lease(&mut self, _life: Life) -> Option<InFlight> {
        None
    }

    /// Whether it brings the outcome of a work that was done, which must not be lost. All else can
    /// be asked for again.
    fn is_outcome(&self) -> bool {
        false
    }

    /// Whether it removes records: then it comes behind all else of its group.
    fn removes(&self) -> bool {
        false
    }

    /// Where its answer goes, if anybody waits for one.
    fn reply(&mut self) -> Option<&mut dyn Answer>;

    /// Tells the answer, which is known to hold.
    fn tell(&mut self) {
        if let Some(reply) = self.reply() {
            reply.tell();
        }
    }

    /// Tells that it was not done.
    fn refuse(&mut self, error: &Error) {
        if let Some(reply) = self.reply() {
            reply.refuse(error);
        }
    }
}

/// A [`Reply`], whatever it is an answer to.
pub(in crate::store) trait Answer {
    /// Tells the answer that is known to hold.
    fn tell(&mut self);

    /// Tells that it was not done.
    fn refuse(&mut self, error: &Error);
}

/// Where an answer goes, and the answer once it is known.
#[derive(Debug)]
pub(in crate::store) struct Reply<T> {
    sender: Option<oneshot::Sender<Result<T, Error>>>,
    answer: Option<Result<T, Error>>,
}

impl<T> Reply<T> {
    pub(in crate::store) fn new() -> (Self, oneshot::Receiver<Result<T, Error>>) {
        let (sender, receiver) = oneshot::channel();
        (Self { sender: Some(sender), answer: None }, receiver)
    }

    /// Keeps the answer until it is known to hold.
    pub(in crate::store) fn keep(&mut self, answer: Result<T, Error>) {
        self.answer = Some(answer);
    }
}

impl<T> Answer for Reply<T> {
    fn tell(&mut self) {
        if let (Some(sender), Some(answer)) = (self.sender.take(), self.answer.take()) {
            // Whoever asked may have gone.
            drop(sender.send(answer));
        }
    }

    fn refuse(&mut self, error: &Error) {
        self.keep(Err(error.clone()));
        self.tell();
    }
}

/// Somebody could not read the file: the writer finds out whether it is there.
#[derive(Debug)]
pub(in crate::store) struct Check;

impl Operation for Check {
    fn bytes(&self) -> usize {
        0
    }

    fn perform(&mut self, _draft: &mut Draft<'_>) -> Result<(), Failure> {
        Ok(())
    }

    fn reply(&mut self) -> Option<&mut dyn Answer> {
        None
    }
}
