//! The group commit: all operations of a batch in one transaction, then memory.
//!
//! Drafts the batch, commits it with one sync, then changes memory to what is on disk, then answers
//! everybody. A transaction that fails has changed nothing in memory. Never takes anything off the
//! queue.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::draft::{Changes, Draft};
use super::queue::Queued;
use crate::event::Timestamp;
use crate::store::error::{Error, Failure};
use crate::store::file::change::Change;
use crate::store::ids::IdIndex;
use crate::store::kind::WorkKind;
use crate::store::log::low_water::{LowWater, Move};
use crate::store::log::segment::SegmentWriter;
use crate::store::owed::standing::Progress;
use crate::store::shared::Shared;

/// What is committed to, and where the next commit goes on.
#[derive(Debug)]
pub(super) struct GroupCommit {
    pub(super) shared: Arc<Shared>,
    low_water: LowWater,
    ids: IdIndex,
    /// Where the log ends.
    end: u64,
    segment: SegmentWriter,
}

/// What a transaction changes in memory once it holds.
#[derive(Debug)]
pub(super) struct Drafted {
    changes: Changes,
    moved: Option<Move>,
    /// Where the log ends then.
    end: u64,
}

/// What became of a transaction.
#[derive(Debug)]
pub(super) enum Written {
    /// There was nothing to commit.
    Nothing,
    /// It holds.
    Committed(Drafted),
    /// It failed and changed nothing.
    Failed(Error),
    /// Its commit failed: it may be in the file nevertheless.
    Unsure(Drafted, Error),
}

impl GroupCommit {
    /// Goes on where the log ends.
    pub(super) fn new(shared: Arc<Shared>, low_water: LowWater, ids: IdIndex, end: u64) -> Self {
        let segment = SegmentWriter::new(end);
        Self { shared, low_water, ids, end, segment }
    }

    /// Performs the operations in one transaction. May be called again with the same.
    pub(super) fn write(&mut self, batch: &mut [Queued]) -> Written {
        self.ids.freeze_if_due(self.end, self.shared.clock.now());
        if batch.iter().any(|queued| queued.op.freezes_ids()) {
            self.ids.freeze(self.end);
        }
        if let Err(error) = self.shared.file.check_spot() {
            return Written::Failed(error);
        }
        let moved = self.low_water.due_move();
        let mut changes = Changes::default();
        let mut draft = || -> Result<_, Error> {
            let change = self.shared.file.write()?;
            let mut draft = self.draft(&change, &mut changes)?;
            if let Some(moved) = &moved {
                draft.advance(moved)?;
            }
            for queued in batch.iter_mut() {
                queued.op.perform(&mut draft)?;
            }
            let end = draft.finish()?;
            Ok(end.map(|end| (change, end)))
        };
        let (change, end) = match draft() {
            Ok(None) => return Written::Nothing,
            Ok(Some(drafted)) => drafted,
            Err(error) => return Written::Failed(error),
        };
        let file = &self.shared.file;
        // Before anybody is answered: what is in a file that was removed is not durable.
        let committed = file.commit(change).and_then(|()| file.check_spot());
        let drafted = Drafted { changes, moved, end };
        match committed {
            Ok(()) => Written::Committed(drafted),
            Err(error) => Written::Unsure(drafted, error),
        }
    }

    /// Whether the transaction that would end the log anew is in the file.
    pub(super) fn is_in_file(&self) -> Result<bool, Error> {
        let log = self.shared.file.read()?.log()?;
        Ok(log.key_up_to(self.end)? == Some(self.end))
    }

    /// An empty draft, in a segment that begins where the log ends.
    fn draft<'t>(
        &'t mut self,
        change: &'t Change,
        changes: &'t mut Changes,
    ) -> Result<Draft<'t>, Failure> {
        let Self { shared, low_water, ids, end, segment } = self;
        segment.begin(*end);
        Draft::new(shared, change, ids, low_water.mark(), segment, changes)
    }

    /// Changes memory to what is on disk now, then answers everybody. The tickets live to the end,
    /// so that whoever waits for idleness sees what this changed.
    pub(super) fn apply(&mut self, mut batch: Vec<Queued>, drafted: Drafted) {
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
    pub(super) fn rest(&mut self) -> Result<(), Error> {
        self.shared.check()?;
        let rested = self.write_at_rest();
        rested.inspect_err(|error| self.shared.fail(error.clone()))
    }

    fn write_at_rest(&mut self) -> Result<(), Error> {
        self.shared.file.check_spot()?;
        let moved = self.low_water.move_to(self.end);
        loop {
            // Twice if some are on their way already.
            self.ids.freeze(self.end);
            let mut changes = Changes::default();
            let change = self.shared.file.write()?;
            let mut draft = self.draft(&change, &mut changes)?;
            draft.advance(&moved)?;
            draft.finish_at_rest()?;
            self.shared.file.commit(change)?;
            self.ids.apply(changes.ids);
            if self.ids.mark() == self.end {
                return Ok(());
            }
        }
    }
}
