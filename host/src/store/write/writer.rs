//! The writer: the one thread that changes the store, all that waits in one transaction.
//!
//! Takes what is queued and has it committed as a group. If a commit fails and that is the world's
//! doing, [`super::outage`] sees it through; if the file is damaged, it writes no more. Never looks
//! into an operation.

use std::sync::Arc;

use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::group::{GroupCommit, Turn};
use super::outage::Outage;
use super::place::Place;
use super::queue::{Closing, Message, Queued};
use crate::store::error::Error;
use crate::store::log::low_water::LowWater;
use crate::store::shared::Shared;
use crate::store::time::line::LineEnd;

/// Most operations in one transaction.
const BATCH_COUNT_MAX: usize = 4096;
/// No operation joins a transaction that has this much already.
const BATCH_BYTES_MAX: usize = 1 << 20;

/// The state of the writer's thread, whatever place it commits to.
#[derive(Debug)]
pub(in crate::store) struct Writer<P> {
    group: GroupCommit<P>,
    /// Who waits for the end.
    closing: Vec<Closing>,
}

impl<P: Place> Writer<P> {
    /// A writer that goes on at `end`.
    pub(in crate::store) fn new(
        shared: Arc<Shared>,
        place: P,
        marks: (LowWater, LineEnd),
        end: u64,
    ) -> Self {
        Self { group: GroupCommit::new(shared, place, marks, end), closing: Vec::new() }
    }

    /// Writes until nobody is left who could ask, or somebody closes the store; then finishes what
    /// is queued, moves the marks to the end and lets the place go.
    pub(in crate::store) fn run(mut self, mut queue: mpsc::Receiver<Message>, pauses: &Runtime) {
        while let Some(first) = queue.blocking_recv() {
            let batch = self.gather(first, &mut queue);
            if !batch.is_empty() && self.group.shared.check().is_ok() {
                self.commit(batch, &mut queue, pauses);
            }
            if !self.closing.is_empty() {
                queue.close();
            }
        }
        let ended = self.group.rest();
        self.group.place.close();
        self.closing.into_iter().for_each(|closing| closing.tell(ended.clone()));
    }

    /// The operations of the next transaction: what waits, as far as there is room.
    fn gather(&mut self, first: Message, queue: &mut mpsc::Receiver<Message>) -> Vec<Queued> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        let mut next = Some(first);
        while let Some(message) = next.take() {
            match message {
                Message::Perform(queued) => {
                    bytes += queued.op.bytes();
                    batch.push(queued);
                }
                Message::Close(closing) => self.closing.push(closing),
            }
            if batch.len() < BATCH_COUNT_MAX && bytes < BATCH_BYTES_MAX {
                next = queue.try_recv().ok();
            }
        }
        batch
    }

    fn commit(
        &mut self,
        mut batch: Vec<Queued>,
        queue: &mut mpsc::Receiver<Message>,
        pauses: &Runtime,
    ) {
        let Self { group, closing } = self;
        let (batch, unsure, error) = match group.write(&mut batch) {
            Turn::Nothing => {
                batch.iter_mut().for_each(|queued| queued.op.tell());
                return group.shared.come_back();
            }
            Turn::Committed(drafted, held) => {
                group.apply(batch, drafted, held);
                group.shared.come_back();
                match group.place.tend() {
                    Ok(()) => return,
                    // Everybody has been answered: nothing waits for the end of that.
                    Err(error) => (Vec::new(), None, error),
                }
            }
            Turn::Failed(error) => (batch, None, error),
            Turn::Unsure(drafted, error) => (batch, Some(drafted), error),
        };
        if matches!(error, Error::Unavailable(_)) {
            Outage::new(group, closing, batch, unsure, error).endure(queue, pauses);
        } else {
            group.shared.fail(error);
        }
    }
}
