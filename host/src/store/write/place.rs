//! Where a batch is committed to.
//!
//! What to write is decided before, in a draft: a place writes it, all or nothing, and says whether
//! it holds. Never decides anything about a work.

use std::fmt;

use super::batch::Batch;
use super::look::Look;
use crate::store::error::Error;
use crate::store::time::Times;

/// Somewhere that takes batches, one after the other, and keeps them.
pub(in crate::store) trait Place: fmt::Debug + Send + 'static {
    /// The time that is written down, and how far the store has counted.
    fn clock(&self) -> Times;

    /// What is committed, for a draft to ask.
    fn look(&self) -> Result<impl Look, Error>;

    /// Commits a batch with at least one record. Returns when it is durable.
    fn commit(&mut self, batch: &mut Batch) -> Written;

    /// Does what may be done between commits. What was committed holds even if this fails.
    fn tend(&mut self) -> Result<(), Error>;

    /// Whether [`Place::settle`] has something to do.
    fn is_behind(&self) -> bool;

    /// Does all that commits have left to do, so that the next start need not: nobody asks for
    /// anything else now. What was committed holds even if this fails.
    fn settle(&mut self) -> Result<(), Error>;

    /// Whether nobody else has written to it. With [`Place::look`] before it: whether what is
    /// committed is still there. Cheap, and no promise that a commit could begin.
    fn check_ours(&self) -> Result<(), Error>;

    /// Whether a commit could begin. Writes nothing.
    fn check(&self) -> Result<(), Error>;

    /// Whether the last batch holds, of whose commit that was not known.
    fn holds(&mut self, batch: &Batch) -> Result<Option<Held>, Error>;

    /// Begins anew after a failure, with what is committed.
    fn recover(&mut self) -> Result<(), Error>;

    /// Writes a little, to see whether that can be done.
    fn probe(&mut self) -> Result<(), Error>;

    /// Writes what a batch without records says, and all that the next start would have to find in
    /// the log.
    fn rest(&mut self, batch: &Batch) -> Result<(), Error>;

    /// Lets everything go. Nothing is asked for after that.
    fn close(&mut self);
}

/// What became of a batch.
#[derive(Debug)]
pub(in crate::store) enum Written {
    /// It holds.
    Held(Held),
    /// It failed and changed nothing.
    Failed(Error),
    /// Its commit failed: it may hold nevertheless.
    Unsure(Error),
}

/// What is known of a batch that holds.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Held {
    /// Bytes that the log has grown by.
    pub(in crate::store) log_bytes: usize,
}
