//! The sweep: what was kept long enough is removed, and small segments are packed into large ones.
//!
//! Reads a view of the file, aside, and packs anew what is old; the writer then puts that in place
//! in one bounded step between commits, if what it relies on still holds. Touches nothing of the
//! last commits, and removes nothing that is open or whose event ids a start would miss: that is
//! packed and stays.
//! What it removes goes from the disk with the volume that it lies in, when nothing in that is
//! left; no volume is rewritten to make it shorter.

pub(in crate::store) mod survey;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::OwnedMutexGuard;

use self::survey::{Pass, Step};
use super::pack::Packed;
use super::retention::Retention;
use crate::store::error::{Error, Failure};
use crate::store::owed::standing::Progress;
use crate::store::write::batch::{Repacked, Replacement};
use crate::store::write::draft::Draft;
use crate::store::write::op::{Answer, Operation, Reply};
use crate::store::{Store, file};

/// Most raw bytes of the log that one step reads and packs.
const STEP_BYTES_MAX: usize = 1 << 20;
/// Most segments that one step replaces: each is a key that the writer removes.
const STEP_SEGMENTS_MAX: usize = 512;
/// Most dead letters that one step looks at.
const STEP_LETTERS_MAX: usize = 512;
/// Most transactions that write the ids in memory to runs before a sweep: each writes a bounded
/// part.
const TIDY_STEPS_MAX: usize = 64;

/// Groups of ids that each of these writes.
const TIDY_GROUPS: usize = 16;

/// What a sweep came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Steps that the writer put in place.
    pub steps: usize,
    /// Segments that were replaced or removed.
    pub segments: usize,
    /// Bodies that were removed.
    pub bodies: usize,
    /// Records that were removed.
    pub records: usize,
    /// Dead letters that were removed.
    pub letters: usize,
    /// Keys of state that were removed.
    pub states: usize,
}

impl std::ops::AddAssign for Swept {
    fn add_assign(&mut self, more: Self) {
        self.steps += more.steps;
        self.segments += more.segments;
        self.bodies += more.bodies;
        self.records += more.records;
        self.letters += more.letters;
        self.states += more.states;
    }
}

/// One step, as the writer puts it in place: all of it or nothing.
#[derive(Debug, Default)]
pub(in crate::store) struct Sweep {
    /// The segments that go.
    replaced: Vec<u64>,
    /// What comes in their place.
    packed: Vec<Packed>,
    /// Works that must still be finished.
    relied: Vec<u64>,
    /// Works whose records go.
    forgotten: Vec<u64>,
    /// Dead letters that go, each with the record of the try that its work died of.
    letters: Vec<(u64, Option<u64>)>,
    /// Every event that is removed then, or was before, stood before this position; `None` if none
    /// is removed.
    events_gone: Option<u64>,
    /// Every segment before this is packed now.
    swept_to: Option<u64>,
    /// The pass is over that goes by this retention.
    mark: Option<u64>,
    /// What will have been done.
    swept: Swept,
}

impl Store {
    /// Removes what was kept long enough, and packs what is not packed yet. In many small steps,
    /// between which others are written; one sweep at a time.
    pub async fn sweep(&self, retention: &Retention) -> Result<Swept, Error> {
        self.settle_ids(retention).await?;
        let mut swept = self.sweep_from(retention, Pass::default()).await?;
        swept.states = self.sweep_states().await?;
        self.note_time().await?;
        self.file_letters().await?;
        self.tend_index().await?;
        Ok(swept)
    }

    /// The part of [`Store::sweep`] that packs what is not packed yet, and looks at nothing else.
    pub async fn pack(&self, retention: &Retention) -> Result<Swept, Error> {
        self.handle.shared.unpacked.send_replace(0);
        let swept = self.sweep_from(retention, Pass::Fresh { all: false }).await?;
        self.tend_index().await?;
        Ok(swept)
    }

    /// Resolves when the log has grown by so many bytes on disk since it was packed.
    pub async fn has_grown(&self, bytes: usize) {
        let shared = &self.handle.shared;
        let mut unpacked = shared.unpacked.subscribe();
        // Before the first look. Whoever wants fewer hears more.
        shared.unpacked_wanted.fetch_min(bytes, Ordering::Relaxed);
        // The sender is in `shared`.
        drop(unpacked.wait_for(|unpacked| *unpacked >= bytes).await);
    }

    /// Ids that are in memory only are found again in the log: before that may go, they are written
    /// to runs. Does so if something waits for it that is old enough.
    async fn settle_ids(&self, retention: &Retention) -> Result<(), Error> {
        let shared = &self.handle.shared;
        let wanted = retention.clone();
        let unsettled = self.aside(move |shared| shared.unsettled(&wanted)).await?;
        let Some(until) = unsettled else { return Ok(()) };
        for _ in 0..TIDY_STEPS_MAX {
            if shared.id_mark.load(Ordering::Relaxed) >= until {
                break;
            }
            self.ask(|reply| SettleIds { groups: TIDY_GROUPS, reply }).await?;
        }
        Ok(())
    }

    /// Has the writer note how far the store has counted, if it did not for a day: a start may take
    /// a longer time since the last note for a leap of the clock.
    async fn note_time(&self) -> Result<(), Error> {
        if self.aside(|shared| shared.is_time_untold()).await? {
            self.ask(|reply| SettleIds { groups: 0, reply }).await?;
        }
        Ok(())
    }

    async fn sweep_from(&self, retention: &Retention, from: Pass) -> Result<Swept, Error> {
        let turn = Arc::new(Arc::clone(&self.handle.shared.sweeping).lock_owned().await);
        let retention = Arc::new(retention.clone());
        let mut swept = Swept::default();
        let mut next = Some(from);
        while let Some(pass) = next {
            let wanted = Arc::clone(&retention);
            let survey = self.in_background(move |shared| shared.survey(&wanted, pass));
            let Step { sweep, next: later } = survey.await?;
            next = later;
            let Some(sweep) = sweep else { continue };
            let done = sweep.swept;
            // If a work was opened again meanwhile, the next sweep comes to it.
            let turn = Arc::clone(&turn);
            if self.ask(|reply| PutInPlace { sweep, _turn: turn, reply }).await? {
                swept += done;
                swept.steps += 1;
            }
        }
        Ok(swept)
    }
}

/// The turn of a sweep: while it lives there is no other.
type Turn = Arc<OwnedMutexGuard<()>>;

/// A step that the writer puts in place.
#[derive(Debug)]
pub(in crate::store) struct PutInPlace {
    pub(in crate::store) sweep: Sweep,
    /// No other sweep looks at what this replaces, even if nobody waits for this any more.
    pub(in crate::store) _turn: Turn,
    pub(in crate::store) reply: Reply<bool>,
}

impl Operation for PutInPlace {
    fn bytes(&self) -> usize {
        self.sweep.packed.iter().map(|packed| packed.bytes.len()).sum()
    }

    fn perform(&mut self, draft: &mut Draft<'_>) -> Result<(), Failure> {
        let is_in_place = draft.sweep(&self.sweep)?;
        self.reply.keep(Ok(is_in_place));
        Ok(())
    }

    fn removes(&self) -> bool {
        true
    }

    fn reply(&mut self) -> Option<&mut dyn Answer> {
        Some(&mut self.reply)
    }
}

/// Writes the ids that are in memory only to runs, and notes how far the store has counted.
#[derive(Debug)]
struct SettleIds {
    /// So many groups of them.
    groups: usize,
    reply: Reply<()>,
}

impl Operation for SettleIds {
    fn bytes(&self) -> usize {
        0
    }

    fn perform(&mut self, draft: &mut Draft<'_>) -> Result<(), Failure> {
        draft.settle_ids(self.groups);
        draft.tell_time();
        draft.leave_segment();
        self.reply.keep(Ok(()));
        Ok(())
    }

    fn reply(&mut self) -> Option<&mut dyn Answer> {
        Some(&mut self.reply)
    }
}

impl Draft<'_> {
    /// Puts a step in place, unless one of the works that it relies on is needed again.
    fn sweep(&mut self, sweep: &Sweep) -> Result<bool, Failure> {
        for position in &sweep.relied {
            if self.is_needed(*position)? {
                return Ok(false);
            }
        }
        let repacked = |packed: &Packed| Repacked {
            first: packed.first,
            bytes: packed.bytes.clone(),
            due: packed.due,
        };
        let packed = sweep.packed.iter().map(repacked).collect();
        self.replace_segments(Replacement { gone: sweep.replaced.clone(), packed });
        for position in &sweep.forgotten {
            self.forget(*position);
        }
        for (position, died_of) in &sweep.letters {
            // It may have been opened again since the survey, and have died anew.
            let standing = self.basis.damages.pass(self.standing(*position))?;
            if standing.is_some_and(|standing| standing.last == *died_of) {
                self.drop_letter(*position)?;
            }
        }
        if let Some(gone) = sweep.events_gone {
            self.remember(file::EVENTS_GONE, gone);
        }
        if let Some(swept_to) = sweep.swept_to {
            self.remember(file::SWEPT_TO, swept_to);
        }
        if let Some(mark) = sweep.mark {
            self.remember(file::RETENTION, mark);
        }
        self.tell_time();
        self.leave_segment();
        Ok(true)
    }

    /// Whether a work is open, or dead with its letter: it may be so again since the survey.
    fn is_needed(&self, position: u64) -> Result<bool, Failure> {
        let found = self.basis.damages.pass(self.outcome(position))?;
        // What can't be read may be open; what has no row is gone.
        let Some(row) = found else { return Ok(true) };
        let Some(standing) = row else { return Ok(false) };
        Ok(match standing.progress {
            Progress::Ready | Progress::RetryAt(_) => true,
            Progress::Dead => self.letter(position)?.is_some(),
            Progress::Done => false,
        })
    }
}
