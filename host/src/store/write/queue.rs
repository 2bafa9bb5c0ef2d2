//! What waits for the writer, counted until it is answered.
//!
//! Never looks into an operation.

use std::sync::Arc;

use super::op::{Answer, Operation, Reply};
use crate::store::error::Error;
use crate::store::shared::Shared;

/// What is sent to the writer.
#[derive(Debug)]
pub(in crate::store) enum Message {
    Perform(Queued),
    Close(Closing),
}

impl Message {
    /// An operation on its way.
    pub(in crate::store) fn perform(op: impl Operation + 'static, shared: &Arc<Shared>) -> Self {
        Self::Perform(Queued { op: Box::new(op), ticket: Ticket::new(shared) })
    }

    /// Somebody wants the store closed.
    pub(in crate::store) fn close(reply: Reply<()>, shared: &Arc<Shared>) -> Self {
        Self::Close(Closing { reply, _ticket: Ticket::new(shared) })
    }
}

/// An operation on its way, counted until it is answered.
#[derive(Debug)]
pub(in crate::store) struct Queued {
    pub(super) op: Box<dyn Operation>,
    ticket: Ticket,
}

impl Drop for Queued {
    fn drop(&mut self) {
        // Before the operation gives anything back.
        self.ticket.0.fail_in_panic();
    }
}

/// Who waits for the end.
#[derive(Debug)]
pub(in crate::store) struct Closing {
    reply: Reply<()>,
    _ticket: Ticket,
}

impl Closing {
    /// Tells how the store ended.
    pub(super) fn tell(mut self, ended: Result<(), Error>) {
        self.reply.keep(ended);
        self.reply.tell();
    }
}

/// Counts as one queued operation while it lives.
#[derive(Debug)]
struct Ticket(Arc<Shared>);

impl Ticket {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.enqueued();
        Self(Arc::clone(shared))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.dequeued();
    }
}
