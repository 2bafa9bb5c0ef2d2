//! The writer: the one thread that changes the store, all that waits in one transaction.
//!
//! Takes what is queued, drafts it, commits it with one sync, then changes memory, then answers
//! everybody. A transaction that fails has changed nothing in memory; if it is the world's doing,
//! [`super::outage`] sees it through, and if the file is damaged, it writes no more.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use redb::WriteTransaction;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};

use super::draft::{Changes, Draft};
use super::outage::Outage;
use super::replay::{Replayed, Target};
use crate::event::Timestamp;
use crate::ids::Id;
use crate::store::error::{Error, Failure};
use crate::store::facts::{Appended, NewEvent, NewReceipt};
use crate::store::file;
use crate::store::ids::{IdIndex, IdKey};
use crate::store::keep::sweep::Sweep;
use crate::store::kind::WorkKind;
use crate::store::log::low_water::{LowWater, Move};
use crate::store::log::segment::{RecordKind, SegmentWriter};
use crate::store::owed::backlog::InFlight;
use crate::store::owed::lease::{DeliveryWork, ParseWork, RunWork};
use crate::store::owed::standing::Progress;
use crate::store::report::{Attempt, Committed, Try};
use crate::store::shared::Shared;

/// Most operations in one transaction.
const BATCH_COUNT_MAX: usize = 4096;
/// No operation joins a transaction that has this much already.
const BATCH_BYTES_MAX: usize = 1 << 20;
/// About as much as what is opened again adds for each thing that was asked for.
const TARGET_BYTES: usize = 1 << 10;
/// Groups of ids that are written with a transaction which is asked to tidy.
const TIDY_GROUPS: usize = 16;

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

    /// Tells the answer that is known to hold.
    fn tell(&mut self) {
        if let (Some(sender), Some(answer)) = (self.sender.take(), self.answer.take()) {
            // Whoever asked may have gone.
            drop(sender.send(answer));
        }
    }

    fn refuse(&mut self, error: &Error) {
        self.answer = Some(Err(error.clone()));
        self.tell();
    }
}

/// What the writer is asked to do.
#[derive(Debug)]
pub(in crate::store) enum Op {
    Append {
        receipt: NewReceipt,
        keys: Vec<IdKey>,
        reply: Reply<Appended>,
    },
    Parse {
        work: ParseWork,
        tried: Try,
        events: Vec<NewEvent>,
        reply: Reply<Vec<Id>>,
    },
    Run {
        work: RunWork,
        tried: Try,
        effects: Committed,
        reply: Reply<()>,
    },
    Attempt {
        work: DeliveryWork,
        attempt: Attempt,
        reply: Reply<()>,
    },
    Replay {
        targets: Vec<Target>,
        reply: Reply<Replayed>,
    },
    Sweep {
        sweep: Box<Sweep>,
        reply: Reply<bool>,
    },
    /// Write the ids that are in memory only to runs.
    Tidy {
        reply: Reply<()>,
    },
    /// Somebody could not read the file.
    Check,
    Close {
        reply: Reply<()>,
    },
}

impl Op {
    /// About as much as it adds to a transaction.
    fn bytes(&self) -> usize {
        let data = |new: &NewEvent| new.event.data.as_str().len();
        let events = |events: &[NewEvent]| events.iter().map(data).sum();
        match self {
            Self::Append { receipt, .. } => receipt.bytes(),
            Self::Parse { events: new, .. } => events(new),
            Self::Run { effects, .. } => {
                let parcels = effects.parcels.iter().map(|parcel| parcel.body.len());
                let values = effects.state.iter().flat_map(|(_, value)| value).map(|it| it.len());
                parcels.chain(values).sum::<usize>() + events(&effects.events)
            }
            Self::Attempt { attempt, .. } => attempt.answer.len(),
            Self::Sweep { sweep, .. } => sweep.bytes(),
            Self::Replay { targets, .. } => targets.len() * TARGET_BYTES,
            Self::Tidy { .. } | Self::Check | Self::Close { .. } => 0,
        }
    }

    /// Ends the lease of the work that was tried.
    fn end_lease(&mut self) -> Option<InFlight> {
        match self {
            Self::Parse { work, .. } => Some(work.lease.end()),
            Self::Run { work, .. } => Some(work.lease.end()),
            Self::Attempt { work, .. } => Some(work.lease.end()),
            Self::Append { .. }
            | Self::Replay { .. }
            | Self::Sweep { .. }
            | Self::Tidy { .. }
            | Self::Check
            | Self::Close { .. } => None,
        }
    }

    fn tell(&mut self) {
        match self {
            Self::Append { reply, .. } => reply.tell(),
            Self::Parse { reply, .. } => reply.tell(),
            Self::Run { reply, .. }
            | Self::Attempt { reply, .. }
            | Self::Tidy { reply }
            | Self::Close { reply } => reply.tell(),
            Self::Replay { reply, .. } => reply.tell(),
            Self::Sweep { reply, .. } => reply.tell(),
            Self::Check => (),
        }
    }

    /// Whether it brings the outcome of a work that was done, which must not be lost. All else can
    /// be asked for again.
    pub(in crate::store) fn is_outcome(&self) -> bool {
        matches!(self, Self::Parse { .. } | Self::Run { .. } | Self::Attempt { .. })
    }

    /// Tells that it was not done.
    pub(in crate::store) fn refuse(&mut self, error: &Error) {
        match self {
            Self::Append { reply, .. } => reply.refuse(error),
            Self::Parse { reply, .. } => reply.refuse(error),
            Self::Run { reply, .. }
            | Self::Attempt { reply, .. }
            | Self::Tidy { reply }
            | Self::Close { reply } => reply.refuse(error),
            Self::Replay { reply, .. } => reply.refuse(error),
            Self::Sweep { reply, .. } => reply.refuse(error),
            Self::Check => (),
        }
    }
}

/// An operation on its way, counted until it is answered.
#[derive(Debug)]
pub(in crate::store) struct Queued {
    pub(in crate::store) op: Op,
    _ticket: Ticket,
}

/// Counts as one queued operation while it lives.
#[derive(Debug)]
struct Ticket(Arc<Shared>);

impl Queued {
    pub(in crate::store) fn new(op: Op, shared: &Arc<Shared>) -> Self {
        shared.enqueued();
        Self { op, _ticket: Ticket(Arc::clone(shared)) }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.dequeued();
    }
}

/// The state of the writer's thread.
#[derive(Debug)]
pub(in crate::store) struct Writer {
    pub(in crate::store) shared: Arc<Shared>,
    low_water: LowWater,
    ids: IdIndex,
    /// Where the log ends.
    end: u64,
    segment: SegmentWriter,
    /// Who waits for the end.
    pub(in crate::store) closing: Vec<Queued>,
}

/// What a transaction changes in memory once it holds.
#[derive(Debug)]
pub(in crate::store) struct Drafted {
    changes: Changes,
    moved: Option<Move>,
    /// Where the log ends then.
    end: u64,
}

/// What became of a transaction.
#[derive(Debug)]
pub(in crate::store) enum Written {
    /// There was nothing to commit.
    Nothing,
    /// It holds.
    Committed(Drafted),
    /// It failed and changed nothing.
    Failed(Error),
    /// Its commit failed: it may be in the file nevertheless.
    Unsure(Drafted, Error),
}

impl Writer {
    /// A writer that goes on at `end`.
    pub(in crate::store) fn new(
        shared: Arc<Shared>,
        low_water: LowWater,
        ids: IdIndex,
        end: u64,
    ) -> Self {
        let segment = SegmentWriter::new(end);
        Self { shared, low_water, ids, end, segment, closing: Vec::new() }
    }

    /// Writes until nobody is left who could ask, or somebody closes the store; then finishes what
    /// is queued, moves the marks to the end and lets the file go.
    pub(in crate::store) fn run(mut self, mut queue: mpsc::Receiver<Queued>, pauses: &Runtime) {
        while let Some(first) = queue.blocking_recv() {
            let batch = gather(first, &mut queue);
            let (closing, batch): (Vec<_>, Vec<_>) =
                batch.into_iter().partition(|queued| matches!(queued.op, Op::Close { .. }));
            self.closing.extend(closing);
            if !batch.is_empty() && self.shared.check().is_ok() {
                self.commit(batch, &mut queue, pauses);
            }
            if !self.closing.is_empty() {
                queue.close();
            }
        }
        let ended = self.rest();
        self.shared.file.close();
        for mut queued in self.closing {
            if let Op::Close { reply } = &mut queued.op {
                reply.answer = Some(ended.clone());
                reply.tell();
            }
        }
    }

    fn commit(
        &mut self,
        mut batch: Vec<Queued>,
        queue: &mut mpsc::Receiver<Queued>,
        pauses: &Runtime,
    ) {
        match self.write(&mut batch) {
            Written::Nothing => {
                batch.iter_mut().for_each(|queued| queued.op.tell());
                self.shared.come_back();
            }
            Written::Committed(drafted) => {
                self.apply(batch, drafted);
                self.shared.come_back();
            }
            Written::Failed(error @ Error::Unavailable(_)) => {
                Outage::new(self, batch, None, error).endure(queue, pauses);
            }
            Written::Unsure(drafted, error @ Error::Unavailable(_)) => {
                Outage::new(self, batch, Some(drafted), error).endure(queue, pauses);
            }
            Written::Failed(error) | Written::Unsure(_, error) => self.shared.fail(error),
        }
    }

    /// Performs the operations in one transaction. May be called again with the same.
    pub(in crate::store) fn write(&mut self, batch: &mut [Queued]) -> Written {
        self.ids.freeze_if_due(self.end, self.shared.clock.now());
        if batch.iter().any(|queued| matches!(queued.op, Op::Tidy { .. })) {
            self.ids.freeze(self.end);
        }
        if let Err(error) = self.shared.file.check_place() {
            return Written::Failed(error);
        }
        let moved = self.low_water.due_move();
        let mut changes = Changes::default();
        let mut draft = || -> Result<_, Error> {
            let transaction = self.shared.file.write()?;
            let mut draft = self.draft(&transaction, &mut changes)?;
            if let Some(moved) = &moved {
                draft.advance(moved)?;
            }
            for queued in batch.iter_mut() {
                draft.perform(&mut queued.op)?;
            }
            let end = draft.finish()?;
            Ok(end.map(|end| (transaction, end)))
        };
        let (transaction, end) = match draft() {
            Ok(None) => return Written::Nothing,
            Ok(Some(drafted)) => drafted,
            Err(error) => return Written::Failed(error),
        };
        let file = &self.shared.file;
        // Before anybody is answered: what is in a file that was removed is not durable.
        let committed = file.commit(transaction).and_then(|()| file.check_place());
        let drafted = Drafted { changes, moved, end };
        match committed {
            Ok(()) => Written::Committed(drafted),
            Err(error) => Written::Unsure(drafted, error),
        }
    }

    /// Whether the transaction that would end the log anew is in the file.
    pub(in crate::store) fn is_in_file(&self) -> Result<bool, Error> {
        let transaction = self.shared.file.read()?;
        let find = || -> Result<bool, Failure> {
            Ok(transaction.open_table(file::LOG)?.get(self.end)?.is_some())
        };
        Ok(find()?)
    }

    /// An empty draft, in a segment that begins where the log ends.
    fn draft<'t>(
        &'t mut self,
        transaction: &'t WriteTransaction,
        changes: &'t mut Changes,
    ) -> Result<Draft<'t>, Failure> {
        let Self { shared, low_water, ids, end, segment, .. } = self;
        segment.begin(*end);
        Draft::new(shared, transaction, ids, low_water.mark(), segment, changes)
    }

    /// Changes memory to what is on disk now, then answers everybody. The tickets live to the end,
    /// so that whoever waits for idleness sees what this changed.
    pub(in crate::store) fn apply(&mut self, mut batch: Vec<Queued>, drafted: Drafted) {
        let Drafted { changes, moved, end } = drafted;
        let Changes { opened, tried, hastened, stored, dead, ids, log_bytes, swept } = changes;
        if swept {
            self.shared.log.clear();
        }
        self.end = end;
        self.ids.apply(ids);
        self.shared.id_mark.store(self.ids.mark(), Ordering::Relaxed);
        self.low_water.committed(moved.as_ref(), end);
        for (_, position, standing) in &tried {
            if !standing.is_open() {
                self.low_water.finished(*position);
            }
        }
        // After those: a work may be finished and opened again in one commit, never the other way.
        opened.iter().for_each(|work| self.low_water.opened(work.entry.position));

        let mut touched: Vec<WorkKind> = opened.iter().map(|work| work.kind).collect();
        touched.extend(tried.iter().map(|(kind, ..)| *kind));
        touched.extend(hastened.iter().map(|(work, _)| work.kind));
        touched.sort_unstable();
        touched.dedup();

        stored.into_iter().for_each(|stored| self.shared.recent().keep(stored));
        {
            let mut backlog = self.shared.backlog();
            let ended = batch.iter_mut().filter_map(|queued| queued.op.end_lease());
            for (work, (_, _, standing)) in ended.zip(tried) {
                match standing.progress {
                    Progress::RetryAt(due) => backlog.retry(&work, due),
                    // Hastened in the commit that tried it.
                    Progress::Ready => backlog.retry(&work, Timestamp(0)),
                    Progress::Done | Progress::Dead => backlog.finish(&work),
                }
            }
            opened.into_iter().for_each(|work| backlog.push(work));
            hastened.into_iter().for_each(|(work, due)| backlog.hasten(&work, due));
            backlog.count_dead(dead);
        }
        self.shared.committed(end, log_bytes);
        batch.iter_mut().for_each(|queued| queued.op.tell());
        touched.into_iter().for_each(|kind| self.shared.wake(kind));
    }

    /// Moves the marks to the end, so that the next start has nothing to read.
    fn rest(&mut self) -> Result<(), Error> {
        self.shared.check()?;
        let rested = self.write_at_rest();
        rested.inspect_err(|error| self.shared.fail(error.clone()))
    }

    fn write_at_rest(&mut self) -> Result<(), Error> {
        self.shared.file.check_place()?;
        let moved = self.low_water.move_to(self.end);
        loop {
            // Twice if some are on their way already.
            self.ids.freeze(self.end);
            let mut changes = Changes::default();
            let transaction = self.shared.file.write()?;
            let mut draft = self.draft(&transaction, &mut changes)?;
            draft.advance(&moved)?;
            draft.finish_at_rest()?;
            self.shared.file.commit(transaction)?;
            self.ids.apply(changes.ids);
            if self.ids.mark() == self.end {
                return Ok(());
            }
        }
    }
}

impl Draft<'_> {
    /// Does one operation. An error is the store's: nothing of this draft may be committed.
    fn perform(&mut self, op: &mut Op) -> Result<(), Error> {
        match op {
            Op::Append { receipt, keys, reply } => {
                reply.answer = Some(Ok(self.append(receipt, keys)?));
            }
            Op::Parse { work, tried, events, reply } => {
                reply.answer = Some(Ok(self.parse(work, tried, events)?));
            }
            Op::Run { work, tried, effects, reply } => {
                reply.answer = Some(Ok(self.run(work, tried, effects)?));
            }
            Op::Attempt { work, attempt, reply } => {
                reply.answer = Some(Ok(self.attempt(work, attempt)?));
            }
            Op::Replay { targets, reply } => {
                reply.answer = Some(match self.replay(targets) {
                    Err(unknown @ Error::Unknown(_)) => Err(unknown),
                    replayed => Ok(replayed?),
                });
            }
            Op::Sweep { sweep, reply } => reply.answer = Some(Ok(self.sweep(sweep)?)),
            Op::Tidy { reply } => {
                self.ids.hurry(TIDY_GROUPS);
                // A transaction without a segment is none.
                self.record(RecordKind::Gap, &());
                reply.answer = Some(Ok(()));
            }
            Op::Check | Op::Close { .. } => (),
        }
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
