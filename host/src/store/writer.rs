//! The writer: the one thread that changes the store, all that waits in one transaction.
//!
//! Takes what is queued, drafts it, commits it with one sync, then changes memory, then answers
//! everybody. If the commit fails, everybody is told so and nothing has changed: after that it
//! writes no more, and the gateway ends and starts anew. (Opening the file again in place of that
//! would go into [`Writer::commit`].)

use std::sync::Arc;

use redb::WriteTransaction;
use tokio::sync::{mpsc, oneshot};

use super::claim::{DeliveryWork, ParseWork, RunWork};
use super::draft::{Changes, Draft};
use super::frontier::{Frontier, Move};
use super::known_ids::{IdIndex, IdKey};
use super::replay::{Replayed, Target};
use super::standing::{Progress, WorkKind};
use super::stored::{Appended, NewEvent, NewReceipt};
use super::tried::{Attempt, Committed, Try};
use super::{Error, Failure, Shared};
use crate::ids::Id;

/// Most operations in one transaction.
const BATCH_COUNT_MAX: usize = 4096;
/// No operation joins a transaction that has this much already.
const BATCH_BYTES_MAX: usize = 1 << 20;

/// Where an answer goes.
pub(super) type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// What the writer is asked to do.
#[derive(Debug)]
pub(super) enum Op {
    Append { receipt: NewReceipt, keys: Vec<IdKey>, reply: Reply<Appended> },
    Parse { work: ParseWork, tried: Try, events: Vec<NewEvent>, reply: Reply<Vec<Id>> },
    Run { work: RunWork, tried: Try, effects: Committed, reply: Reply<()> },
    Attempt { work: DeliveryWork, attempt: Attempt, reply: Reply<()> },
    Replay { targets: Vec<Target>, reply: Reply<Replayed> },
    Close { reply: Reply<()> },
}

impl Op {
    /// About as much as it adds to a transaction.
    fn bytes(&self) -> usize {
        let events = |events: &[NewEvent]| events.iter().map(|new| new.event.data.len()).sum();
        match self {
            Self::Append { receipt, .. } => receipt.bytes(),
            Self::Parse { events: new, .. } => events(new),
            Self::Run { effects, .. } => {
                let parcels = effects.parcels.iter().map(|parcel| parcel.body.len());
                let values = effects.state.iter().flat_map(|(_, value)| value).map(|it| it.len());
                parcels.chain(values).sum::<usize>() + events(&effects.events)
            }
            Self::Attempt { attempt, .. } => attempt.answer.len(),
            Self::Replay { .. } | Self::Close { .. } => 0,
        }
    }
}

/// An operation on its way, counted until it is answered.
#[derive(Debug)]
pub(super) struct Queued {
    op: Op,
    ticket: Ticket,
}

/// Counts as one queued operation while it lives.
#[derive(Debug)]
struct Ticket(Arc<Shared>);

impl Queued {
    pub(super) fn new(op: Op, shared: &Arc<Shared>) -> Self {
        shared.enqueued();
        Self { op, ticket: Ticket(Arc::clone(shared)) }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.dequeued();
    }
}

/// The state of the writer's thread.
#[derive(Debug)]
pub(super) struct Writer {
    shared: Arc<Shared>,
    frontier: Frontier,
    ids: IdIndex,
    /// Where the log ends.
    end: u64,
    /// Who waits for the end.
    closing: Vec<(Reply<()>, Ticket)>,
}

impl Writer {
    /// A writer that goes on at `end`.
    pub(super) fn new(shared: Arc<Shared>, frontier: Frontier, ids: IdIndex, end: u64) -> Self {
        Self { shared, frontier, ids, end, closing: Vec::new() }
    }

    /// Writes until nobody is left who could ask, or somebody closes the store; then finishes what
    /// is queued, moves the mark to the end and lets the file go.
    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Queued>) {
        while let Some(first) = queue.blocking_recv() {
            let batch = gather(first, &mut queue);
            self.commit(batch);
            if !self.closing.is_empty() {
                queue.close();
            }
        }
        let ended = self.rest();
        self.shared.file.close();
        for (reply, _ticket) in self.closing {
            drop(reply.send(ended.clone()));
        }
    }

    fn commit(&mut self, batch: Vec<Queued>) {
        // Held until the end, so that whoever waits for idleness sees what this changed.
        let (ops, _tickets): (Vec<Op>, Vec<Ticket>) = {
            let take = |queued: Queued| match queued.op {
                Op::Close { reply } => {
                    self.closing.push((reply, queued.ticket));
                    None
                }
                op => Some((op, queued.ticket)),
            };
            batch.into_iter().filter_map(take).unzip()
        };
        if ops.is_empty() || self.shared.check().is_err() {
            return;
        }
        let mut changes = Changes::default();
        let moved = self.frontier.due_move();
        self.ids.freeze_if_due(self.end, self.shared.clock.now());
        match self.write(ops, moved.as_ref(), &mut changes) {
            Ok(Some(end)) => self.apply(changes, moved.as_ref(), end),
            Ok(None) => changes.answers.into_iter().for_each(|answer| answer()),
            Err(error) => self.shared.fail(error),
        }
    }

    /// Commits the operations, and gives where the log ends now; `None` if nothing was to commit.
    fn write(
        &self,
        ops: Vec<Op>,
        moved: Option<&Move>,
        changes: &mut Changes,
    ) -> Result<Option<u64>, Error> {
        let transaction = self.shared.file.write()?;
        let mut draft = self.draft(&transaction, changes)?;
        if let Some(moved) = moved {
            draft.advance(moved)?;
        }
        for op in ops {
            draft.perform(op)?;
        }
        let end = draft.finish()?;
        if end.is_some() {
            transaction.commit().map_err(Failure::from)?;
        }
        Ok(end)
    }

    fn draft<'t>(
        &'t self,
        transaction: &'t WriteTransaction,
        changes: &'t mut Changes,
    ) -> Result<Draft<'t>, Failure> {
        let place = (self.frontier.low_water(), self.end);
        Draft::new(&self.shared, transaction, &self.ids, place, changes)
    }

    /// Changes memory to what is on disk now, then answers everybody.
    fn apply(&mut self, changes: Changes, moved: Option<&Move>, end: u64) {
        let Changes { opened, tried, stored, dead, ids, answers } = changes;
        self.end = end;
        self.ids.apply(ids);
        self.frontier.committed(moved, end);
        opened.iter().for_each(|work| self.frontier.opened(work.entry.position));
        for (lease, standing) in &tried {
            if !standing.is_open() {
                self.frontier.finished(lease.position());
            }
        }

        let mut touched: Vec<WorkKind> = opened.iter().map(|work| work.kind).collect();
        touched.extend(tried.iter().map(|(lease, _)| lease.kind()));
        touched.sort_unstable();
        touched.dedup();

        stored.into_iter().for_each(|stored| self.shared.recent().keep(stored));
        {
            let mut backlog = self.shared.backlog();
            for (lease, standing) in tried {
                let claimed = lease.end();
                match standing.progress {
                    Progress::RetryAt(due) => backlog.retry(&claimed, due),
                    Progress::Ready | Progress::Done | Progress::Dead => backlog.finish(&claimed),
                }
            }
            opened.into_iter().for_each(|work| backlog.push(work));
            backlog.count_dead(dead);
        }
        self.shared.committed(end);
        answers.into_iter().for_each(|answer| answer());
        touched.into_iter().for_each(|kind| self.shared.wake(kind));
    }

    /// Moves the marks to the end, so that the next start has nothing to read.
    fn rest(&mut self) -> Result<(), Error> {
        self.shared.check()?;
        let rested = self.write_at_rest();
        rested.inspect_err(|error| self.shared.fail(error.clone()))
    }

    fn write_at_rest(&mut self) -> Result<(), Error> {
        let moved = self.frontier.move_to(self.end);
        loop {
            // Twice if some are on their way already.
            self.ids.freeze(self.end);
            let mut changes = Changes::default();
            let transaction = self.shared.file.write()?;
            let mut draft = self.draft(&transaction, &mut changes)?;
            draft.advance(&moved)?;
            draft.finish_at_rest()?;
            transaction.commit().map_err(Failure::from)?;
            self.ids.apply(changes.ids);
            if self.ids.mark() == self.end {
                return Ok(());
            }
        }
    }
}

impl Draft<'_> {
    /// Does one operation. An error is the store's: nothing of this draft may be committed.
    fn perform(&mut self, op: Op) -> Result<(), Error> {
        match op {
            Op::Append { receipt, keys, reply } => {
                let appended = self.append(receipt, &keys);
                self.reply(reply, appended.map_err(Error::from))
            }
            Op::Parse { work, tried, events, reply } => {
                let added = self.parse(work, tried, events);
                self.reply(reply, added.map_err(Error::from))
            }
            Op::Run { work, tried, effects, reply } => {
                let done = self.run(work, tried, effects);
                self.reply(reply, done.map_err(Error::from))
            }
            Op::Attempt { work, attempt, reply } => {
                let done = self.attempt(work, attempt);
                self.reply(reply, done.map_err(Error::from))
            }
            Op::Replay { targets, reply } => {
                let replayed = self.replay(&targets);
                self.reply(reply, replayed)
            }
            Op::Close { .. } => Ok(()),
        }
    }

    /// Answers once the transaction has committed; at once if the store has failed.
    fn reply<T: Send + 'static>(
        &mut self,
        reply: Reply<T>,
        result: Result<T, Error>,
    ) -> Result<(), Error> {
        if let Err(error @ Error::Failed(_)) = result {
            self.shared.fail(error.clone());
            return Err(error);
        }
        self.answer(move || drop(reply.send(result)));
        Ok(())
    }
}

fn gather(first: Queued, queue: &mut mpsc::Receiver<Queued>) -> Vec<Queued> {
    let mut bytes = first.op.bytes();
    let mut batch = vec![first];
    while batch.len() < BATCH_COUNT_MAX
        && bytes < BATCH_BYTES_MAX
        && let Ok(next) = queue.try_recv()
    {
        bytes += next.op.bytes();
        batch.push(next);
    }
    batch
}
