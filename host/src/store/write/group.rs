//! The group commit: all operations of a group in one batch, then memory.
//!
//! Drafts the batch, has it committed by its place, then changes memory to what is committed, then
//! answers everybody. A batch that fails has changed nothing in memory. Meanwhile nobody may begin
//! to read what is owed. Never takes anything off the queue.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::batch::Batch;
use super::draft::{Basis, Changes, Draft, InOrder};
use super::place::{Held, Place, Written};
use super::queue::Queued;
use crate::event::Timestamp;
use crate::store::error::Error;
use crate::store::index::Kind;
use crate::store::kind::WorkKind;
use crate::store::log::low_water::Added;
use crate::store::owed::backlog::{Backlog, OpenWork, When};
use crate::store::owed::standing::{Progress, Standing};
use crate::store::owed::works::Stored;
use crate::store::shared::Shared;
use crate::store::state::AllUsed;
use crate::store::time::Times;
use crate::store::time::line::{LineEnd, Point};

/// What is committed to, and where the next commit goes on.
#[derive(Debug)]
pub(super) struct GroupCommit<P> {
    pub(super) shared: Arc<Shared>,
    pub(super) place: P,
    pub(super) line: LineEnd,
    /// Where the log ends.
    end: u64,
    batch: Batch,
}

/// What a batch changes in memory once it holds.
#[derive(Debug)]
pub(super) struct Drafted {
    changes: Changes,
    /// Where the log ends then.
    end: u64,
}

/// What became of a group.
#[derive(Debug)]
pub(super) enum Turn {
    /// There was nothing to commit.
    Nothing,
    /// It holds.
    Committed(Drafted, Held),
    /// It failed and changed nothing.
    Failed(Error),
    /// Its commit failed: it may hold nevertheless.
    Unsure(Drafted, Error),
}

impl<P: Place> GroupCommit<P> {
    /// Goes on where the log ends.
    pub(super) fn new(shared: Arc<Shared>, place: P, line: LineEnd, end: u64) -> Self {
        Self { shared, place, line, end, batch: Batch::new(end) }
    }

    /// Commits the operations in one batch. May be called again with the same.
    pub(super) fn write(&mut self, group: &mut [Queued]) -> Turn {
        let mut changes = Changes::default();
        if let Err(error) = self.draft(group, &mut changes) {
            return Turn::Failed(error);
        }
        if self.batch.is_empty() {
            return self.check().map_or_else(Turn::Failed, |()| Turn::Nothing);
        }
        let drafted = Drafted { changes, end: self.batch.next() };
        let gate = &self.shared.gate;
        gate.shut();
        let begun = Instant::now();
        match self.place.commit(&mut self.batch) {
            Written::Held(held) => {
                self.shared.syncs.took(begun.elapsed());
                Turn::Committed(drafted, held)
            }
            Written::Failed(error) => {
                gate.open();
                Turn::Failed(error)
            }
            Written::Unsure(error) => {
                gate.doubt();
                Turn::Unsure(drafted, error)
            }
        }
    }

    /// Whether answers may go out for which nothing has to be committed. Most are to duplicates,
    /// which wait for no more than that what is committed is still there. Whether a commit could
    /// begin is dearer to ask, and is asked if somebody could not read.
    fn check(&self) -> Result<(), Error> {
        if self.shared.is_away() { self.place.check() } else { self.place.check_ours() }
    }

    /// The file can be written, if the last group began after somebody could not read it.
    pub(super) fn come_back(&self, was_away: bool) {
        if was_away {
            self.shared.come_back();
        }
    }

    /// The batch does not hold of whose commit that was not known.
    pub(super) fn never_was(&self) {
        self.shared.gate.open();
    }

    /// Whether the batch holds of whose commit that was not known.
    pub(super) fn holds(&mut self) -> Result<Option<Held>, Error> {
        self.place.holds(&self.batch)
    }

    fn draft(&mut self, group: &mut [Queued], changes: &mut Changes) -> Result<(), Error> {
        let Self { shared, place, line, end, batch } = self;
        let clock = place.clock();
        let time = Times { point: line.due(*end, clock), ..clock };
        let (latest, aside) = {
            let backlog = shared.backlog();
            (backlog.latest(), backlog.aside())
        };
        let (mark, moved) = {
            let low_water = shared.low_water();
            (low_water.mark(), low_water.due_move(time.counted, aside))
        };
        batch.begin(*end, mark, time);
        batch.not_before(latest);
        for (name, fact) in time.point.into_iter().flat_map(Point::facts) {
            batch.remember(name, fact);
        }
        if let Some(moved) = moved {
            batch.advance(moved);
        }
        let look = place.look()?;
        let (terms, quotas, used) = (shared.terms.load(), shared.quotas.load(), shared.used.load());
        let basis = Basis {
            tag: shared.file.tag,
            owed: &shared.owed,
            order_keys: &shared.order_keys,
            terms: &terms,
            quotas: &quotas,
            used: &used,
            damages: &shared.damages,
        };
        let mut draft = Draft::new(basis, &look, batch, changes);
        // What removes records comes last: a draft does not see that they are gone.
        for removes in [false, true] {
            for queued in group.iter_mut().filter(|queued| queued.op.removes() == removes) {
                queued.op.perform(&mut draft)?;
            }
        }
        Ok(())
    }

    /// Has everybody see what the handlers remember now.
    fn show_used(&mut self) {
        if !self.batch.used.is_empty() {
            let mut used = AllUsed::clone(&self.shared.used.load());
            used.append(&mut self.batch.used);
            self.shared.used.store(Arc::new(used));
        }
    }

    /// Changes memory to what is committed now, then answers everybody. The tickets live to the
    /// end, so that whoever waits for idleness sees what this changed.
    pub(super) fn apply(&mut self, mut group: Vec<Queued>, drafted: Drafted, held: Held) {
        let Drafted { changes, end } = drafted;
        let Changes {
            opened,
            tried,
            in_order,
            hastened,
            stored,
            read_again,
            finished,
            dead,
            replays,
            blanked,
            swept,
            ..
        } = changes;
        if swept {
            self.shared.forget_read();
        }
        if !blanked.is_empty() {
            self.shared.recent().forget(&blanked);
        }
        self.end = end;
        let works = opened.len() + finished.len();
        let hastened = self.follow((works, &opened), (&tried, &in_order), hastened);
        self.line.committed(self.batch.time.point);
        self.show_used();

        let touched = BTreeSet::from_iter(
            (opened.iter().map(|work| work.kind))
                .chain(tried.iter().map(|(kind, ..)| *kind))
                .chain(hastened.iter().map(|(_, work)| work.kind)),
        );

        let at = self.batch.time.now;
        let tries = tried.iter().chain(&finished);
        let tries = tries.map(|(kind, _, standing)| standing.counted(*kind, at));
        self.shared.index.add(end, stored.iter().map(Stored::indexed), tries);
        self.keep(stored, read_again);
        let ended = {
            let mut backlog = self.shared.backlog();
            backlog.seen(self.batch.since);
            passed(&mut backlog, &self.batch);
            let ended = self.settle(&mut backlog, &mut group, (tried, &in_order));
            opened.into_iter().for_each(|work| backlog.push(work));
            for (waited, work) in hastened {
                backlog.hasten(&work, waited);
            }
            backlog.count_dead(dead);
            backlog.judge();
            ended
        };
        self.shared.gate.open();
        // Behind what they opened: whoever waits for idleness must see one of both.
        if let Some(replays) = replays {
            self.shared.owed.replays.send_replace(replays);
        }
        self.shared.ages().grown(end, self.batch.time.counted);
        self.shared.committed(end, held.log_bytes);
        group.iter_mut().for_each(|queued| queued.op.tell());
        touched.into_iter().for_each(|kind| self.shared.wake(kind));
        // Everybody is told first: to give memory back takes a while.
        self.let_go(&finished, &ended);
    }

    /// Has in memory what is worked on next: what was stored, and what was read to open it again.
    fn keep(&self, stored: Vec<Stored>, read_again: Vec<Stored>) {
        let receipts = stored.iter().filter(|stored| matches!(stored, Stored::Receipt(_))).count();
        self.shared.receipts.fetch_add(receipts as u64, Ordering::Relaxed);
        let mut recent = self.shared.recent();
        stored.into_iter().for_each(|stored| recent.keep(stored));
        read_again.into_iter().for_each(|stored| recent.keep_again(stored));
    }

    /// Has the works that were tried leave the backlog, or wait for another try. Gives where those
    /// stand that have ended.
    fn settle(
        &self,
        backlog: &mut Backlog,
        group: &mut [Queued],
        (tried, in_order): (Vec<(WorkKind, u64, Standing)>, &InOrder),
    ) -> Vec<(Kind, u64)> {
        let life = self.shared.owed.life;
        let mut ended = Vec::new();
        let leased = group.iter_mut().filter_map(|queued| queued.op.end_lease(life));
        for (work, (kind, position, standing)) in leased.zip(tried) {
            let since = self.batch.since(in_order.has(kind, position), standing);
            match standing.progress {
                Progress::RetryAt(due) => {
                    let due = self.shared.clock.due(due);
                    backlog.retry(&work, When { since, due });
                }
                // Hastened in the commit that tried it.
                Progress::Ready => backlog.retry(&work, When::at_once(since)),
                Progress::Done | Progress::Dead => {
                    let of = if kind == WorkKind::Parse { Kind::Receipt } else { Kind::Event };
                    ended.push((of, work.entry.position - u64::from(work.entry.offset)));
                    backlog.finish(&work);
                }
            }
        }
        // Before anybody is told.
        self.shared.undone.ended(ended.iter().copied());
        ended
    }

    /// What nobody works on any more leaves what was stored last: parses that were finished with
    /// their receipts, and works that have ended.
    fn let_go(&self, finished: &[(WorkKind, u64, Standing)], ended: &[(Kind, u64)]) {
        let mut gone = Vec::new();
        let mut recent = self.shared.recent();
        let parsed = finished.iter().map(|(_, position, _)| *position);
        let ended = ended.iter().map(|(_, position)| *position);
        parsed.chain(ended).for_each(|position| recent.ended(position, &mut gone));
        // It is freed behind the lock.
        drop(recent);
    }

    /// Has the low-water mark know where the works wait that it has not passed. Gives with those
    /// that were hastened since when each has waited, if that is known.
    fn follow(
        &self,
        (works, opened): (usize, &[OpenWork]),
        (tried, in_order): (&[(WorkKind, u64, Standing)], &InOrder),
        hastened: Vec<(OpenWork, Option<Timestamp>)>,
    ) -> Vec<(Option<Timestamp>, OpenWork)> {
        let Self { shared, batch, .. } = self;
        let mut low_water = shared.low_water();
        // Before the mark and their places change: of those that have no rows it knows it.
        let hastened: Vec<(Option<Timestamp>, OpenWork)> = hastened
            .into_iter()
            .map(|(work, row)| (low_water.since(work.entry.position).or(row), work))
            .collect();
        let (end, bytes) = (batch.next(), batch.records.raw_bytes());
        let added = Added { end, at: batch.since, bytes, works };
        low_water.committed(batch.low_water, added);
        for (kind, position, standing) in tried {
            if standing.is_open() {
                let is_put_off = matches!(standing.progress, Progress::RetryAt(_));
                let since = batch.since(in_order.has(*kind, *position), *standing);
                low_water.put_off(*position, since, is_put_off);
            } else {
                low_water.finished(*position);
            }
        }
        for (_, work) in &hastened {
            low_water.put_off(work.entry.position, work.since, false);
        }
        // After those: a work may be finished and opened again in one commit, never the other way.
        opened.iter().for_each(|work| low_water.opened(work.entry.position, &work.waiting()));
        hastened
    }

    /// Moves the marks to the end, so that the next start has nothing to read, or little.
    pub(super) fn rest(&mut self) -> Result<(), Error> {
        // Memory does not follow any more.
        self.shared.gate.doubt();
        self.shared.check()?;
        let (mark, moved) = {
            let low_water = self.shared.low_water();
            (low_water.mark(), low_water.last_move())
        };
        self.batch.begin(self.end, mark, self.place.clock());
        self.batch.advance(moved);
        let rested = self.place.rest(&self.batch);
        rested.inspect_err(|error| self.shared.fail(error.clone()))
    }
}

impl<P> Drop for GroupCommit<P> {
    /// Nobody may wait for a writer that is gone.
    fn drop(&mut self) {
        self.shared.gate.doubt();
    }
}

/// Open works have rows from now on.
fn passed(backlog: &mut Backlog, batch: &Batch) {
    backlog.set_mark(batch.low_water);
    for (work, waiting) in &batch.passed {
        backlog.passed(waiting.kind, &waiting.group, (waiting.since, *work));
    }
}
