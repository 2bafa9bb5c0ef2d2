//! Replay: what is done or dead is opened again, what waits for another try is tried now.
//!
//! A reopened work starts with its tries anew and keeps its id and its history, so that a receiver
//! still recognizes a delivery; a hastened one keeps its tries. Oldest first, so that a subject's
//! events stay in order. What is ready or in flight is left alone. Who asks by ids waits until it
//! is done; what a filter matches is opened in slices, in [`by_filter`], and what died of another
//! version of a plugin in [`outdated`].

pub(in crate::store) mod by_filter;
mod outdated;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use super::draft::Draft;
use super::op::{Answer, Operation, Reply};
use crate::ids::{Id, Name};
use crate::store::Store;
use crate::store::error::{Error, Failure};
use crate::store::kind::WorkKind;
use crate::store::log::record::ReopeningRecord;
use crate::store::log::segment::RecordKind;
use crate::store::owed::backlog::OpenWork;
use crate::store::owed::standing::Progress;
use crate::store::owed::works::{Stored, work_id};
use crate::store::read::filter::ReplayFilter;
use crate::store::read::replays::Replayed;
use crate::store::read::snapshot::{Bounds, Course, FoundWork};
use crate::store::read::view::State;
use crate::store::shared::Shared;

/// Most dead letters that one look goes through.
const BATCH_MAX: usize = 256;
/// About as much as what is opened again adds for each thing that was asked for.
const TARGET_BYTES: usize = 1 << 10;
/// No slice looks for longer than about this time.
const SLICE_TIME: Duration = Duration::from_secs(2);

/// What to open again.
#[derive(Debug, Clone, Copy)]
struct Target {
    id: Id,
    /// Only what stands so of it.
    only: Option<State>,
    /// Somebody named it: then it must be there.
    is_named: bool,
}

impl Store {
    /// Opens again what is finished of these, oldest first: a receipt's parse if it is dead, all
    /// runs and deliveries of an event, one run, or one delivery. What waits for another try is
    /// tried now. An id that stands for nothing is an [`Error::Unknown`], and then nothing is
    /// opened.
    pub async fn replay(&self, mut ids: Vec<Id>) -> Result<Replayed, Error> {
        ids.sort_by_key(|id| id.position);
        ids.dedup();
        let target = |id| Target { id, only: None, is_named: true };
        self.reopen(ids.into_iter().map(target).collect()).await
    }

    async fn reopen(&self, targets: Vec<Target>) -> Result<Replayed, Error> {
        if targets.is_empty() {
            return Ok(Replayed::default());
        }
        self.ask(|reply| Reopen { targets, reply }).await
    }
}

/// What to open again.
#[derive(Debug, Default)]
struct Targets {
    targets: Vec<Target>,
    /// Look on from this position.
    next: Option<u64>,
    /// What could not be read.
    damaged: usize,
    /// The endpoints that were passed over, each with the first delivery that was.
    aside: BTreeMap<Name, u64>,
}

impl Shared {
    /// Looks through some of a part of the log for works that match, oldest first, and that the
    /// course leads to. Goes on until there are so many, or for the time of a slice: where few
    /// match, not every look costs a commit.
    fn matching(
        &self,
        course: Course<'_>,
        filter: &ReplayFilter,
        part: Range<u64>,
        most: usize,
    ) -> Result<Targets, Error> {
        let snapshot = self.snapshot()?;
        let bounds = Bounds { most, time: SLICE_TIME };
        let found = snapshot.works_on(course, filter, part, bounds)?;
        let only = filter.events.state;
        let target = |work: FoundWork| {
            let id = work_id(work.kind, work.position, self.file.tag);
            Target { id, only, is_named: false }
        };
        let targets = found.works.into_iter().map(target).collect();
        let (next, damaged, aside) = (found.next, found.damaged, found.aside);
        Ok(Targets { targets, next, damaged, aside })
    }
}

/// Works to open again or to hasten.
#[derive(Debug)]
struct Reopen {
    targets: Vec<Target>,
    reply: Reply<Replayed>,
}

impl Operation for Reopen {
    fn bytes(&self) -> usize {
        self.targets.len() * TARGET_BYTES
    }

    fn perform(&mut self, draft: &mut Draft<'_>) -> Result<(), Failure> {
        let replayed = draft.replay(&self.targets)?;
        self.reply.keep(replayed.map_err(|Unknown(ids)| Error::Unknown(ids)));
        Ok(())
    }

    fn reply(&mut self) -> Option<&mut dyn Answer> {
        Some(&mut self.reply)
    }
}

/// Somebody named these, and they stand for nothing.
struct Unknown(Vec<Id>);

impl Draft<'_> {
    /// Opens what is finished of the targets, and hastens what waits; nothing if one that somebody
    /// named is unknown.
    fn replay(&mut self, targets: &[Target]) -> Result<Result<Replayed, Unknown>, Failure> {
        let mut replayed = Replayed::default();
        let mut works = Vec::new();
        let mut unknown = Vec::new();
        let mut last = None;
        // Reads what is committed: what was swept away can't be opened again.
        for Target { id, only, is_named } in targets {
            let read = self.stored_for(*id, last.take());
            let Some(stored) = self.basis.damages.pass(read)? else {
                replayed.damaged += 1;
                continue;
            };
            let owed = stored.as_ref().and_then(|it| it.works_of(*id, self.basis.order_keys));
            match (owed, &stored) {
                // Nothing is left to work on.
                (Some(owed), Some(stored))
                    if stored.is_erased() || self.is_blanked(stored.id().position) =>
                {
                    replayed.unchanged += owed.len();
                }
                (Some(owed), Some(stored)) => {
                    works.extend(owed.into_iter().map(|work| (work, *only, stored.clone())));
                }
                _ if *is_named => unknown.push(*id),
                _ => (),
            }
            last = stored;
        }
        if !unknown.is_empty() {
            return Ok(Err(Unknown(unknown)));
        }
        for (work, only, stored) in works {
            let before = replayed.reopened;
            self.replay_work(work, only, &mut replayed)?;
            if replayed.reopened > before {
                self.keep_again(stored);
            }
        }
        Ok(Ok(replayed))
    }

    /// What an id stands for, or is a work on: what was read last, if it is that. Ten thousand
    /// targets may be on one event.
    fn stored_for(&self, id: Id, last: Option<Stored>) -> Result<Option<Stored>, Failure> {
        if id.tag != self.basis.tag {
            return Ok(None);
        }
        match last.filter(|last| last.covers(id.position)) {
            None => Ok(self.committed(id.position)?.and_then(Stored::of)),
            last => Ok(last),
        }
    }

    fn replay_work(
        &mut self,
        work: OpenWork,
        only: Option<State>,
        replayed: &mut Replayed,
    ) -> Result<(), Failure> {
        let position = work.entry.position;
        let Some(before) = self.basis.damages.pass(self.standing(position))? else {
            replayed.damaged += 1;
            return Ok(());
        };
        let is_wanted = only.is_none_or(|only| only == State::of(before));
        match before.progress {
            // The events of a parsed receipt are there: those can be replayed.
            Progress::Done if work.kind == WorkKind::Parse => replayed.unchanged += 1,
            Progress::Done | Progress::Dead if is_wanted => {
                let record =
                    ReopeningRecord { work: position, previous: before.last, at: self.now };
                let record = self.record(RecordKind::Reopening, &record);
                self.reopen(work, before, before.reopened_by(record))?;
                replayed.reopened += 1;
            }
            Progress::RetryAt(due) if is_wanted && due > self.now => {
                self.leave_segment();
                self.hasten(work, before)?;
                replayed.hastened += 1;
            }
            _ => replayed.unchanged += 1,
        }
        Ok(())
    }
}
