//! One transaction in the making: what it writes, and what will change in memory once it holds.
//!
//! Operations add to a draft one after the other and see what those before them wrote. Nothing in
//! memory changes here: a draft that is not committed never was.

use serde::Serialize;

use crate::event::Timestamp;
use crate::ids::{Id, IdKind};
use crate::store::error::{Damaged, Failure};
use crate::store::file;
use crate::store::file::change::{Change, Tables};
use crate::store::ids::{IdChanges, IdIndex, KnownIds};
use crate::store::kind::{PerKind, WorkKind};
use crate::store::log::low_water::Move;
use crate::store::log::segment::{RecordKind, SegmentWriter};
use crate::store::owed::backlog::OpenWork;
use crate::store::owed::lease::Lease;
use crate::store::owed::standing::{Progress, Standing};
use crate::store::owed::works::Stored;
use crate::store::shared::Shared;
use crate::store::time::Bounds;

/// A transaction in the making.
pub(in crate::store) struct Draft<'t> {
    pub(in crate::store) shared: &'t Shared,
    change: &'t Change,
    pub(super) now: Timestamp,
    /// What removal goes by.
    time: Bounds,
    pub(in crate::store) ids: KnownIds<'t>,
    pub(super) tables: Tables<'t>,
    segment: &'t mut SegmentWriter,
    /// The works before it that are open have rows.
    low_water: u64,
    changes: &'t mut Changes,
}

/// What changes in memory when the transaction has committed.
#[derive(Debug, Default)]
pub(in crate::store) struct Changes {
    /// Works that may now be taken.
    pub(in crate::store) opened: Vec<OpenWork>,
    /// Works that were tried, in the order of their operations, and how they stand now.
    pub(in crate::store) tried: Vec<(WorkKind, u64, Standing)>,
    /// Works that need not wait for this time any more.
    pub(in crate::store) hastened: Vec<(OpenWork, Timestamp)>,
    /// What was stored.
    pub(in crate::store) stored: Vec<Stored>,
    /// More dead works of a kind, or fewer.
    pub(in crate::store) dead: PerKind<i64>,
    /// The ids that are known now.
    pub(in crate::store) ids: IdChanges,
    /// Bytes that the log has grown by.
    pub(in crate::store) log_bytes: usize,
    /// Segments were removed or written anew.
    pub(in crate::store) swept: bool,
}

impl<'t> Draft<'t> {
    /// An empty draft, whose records go into a segment that has just begun.
    pub(in crate::store) fn new(
        shared: &'t Shared,
        change: &'t Change,
        ids: &'t IdIndex,
        low_water: u64,
        segment: &'t mut SegmentWriter,
        changes: &'t mut Changes,
    ) -> Result<Self, Failure> {
        Ok(Self {
            shared,
            change,
            now: shared.clock.now(),
            time: shared.time.now(&shared.clock),
            ids: KnownIds::open(ids, change)?,
            tables: change.tables()?,
            segment,
            low_water,
            changes,
        })
    }

    /// Moves the low-water mark, and gives every open work that it passes a row.
    pub(in crate::store) fn advance(&mut self, moved: &Move) -> Result<(), Failure> {
        for position in &moved.passed {
            self.tables.put_open(*position, true)?;
        }
        self.remember(file::LOW_WATER, moved.mark)?;
        self.tell_time()?;
        self.low_water = moved.mark;
        Ok(())
    }

    /// Where the next record will stand.
    pub(in crate::store) fn next(&self) -> u64 {
        self.segment.next()
    }

    pub(in crate::store) fn next_id(&self, kind: IdKind) -> Id {
        Id { kind, position: self.next(), tag: self.shared.file.tag }
    }

    /// Adds a record of history.
    pub(in crate::store) fn record(&mut self, kind: RecordKind, record: &impl Serialize) -> u64 {
        self.segment.push(kind, 1, record)
    }

    /// Adds what works are owed on, and opens them.
    pub(in crate::store) fn owe(
        &mut self,
        stored: Stored,
        kind: RecordKind,
        width: u32,
        record: &impl Serialize,
    ) {
        let position = self.segment.push(kind, width, record);
        debug_assert_eq!(position, stored.id().position, "an id is where the record stands");
        self.changes.opened.extend(stored.works(&self.shared.order_keys));
        self.changes.stored.push(stored);
    }

    /// How a work stands, in this transaction.
    pub(in crate::store) fn standing(&self, position: u64) -> Result<Standing, Failure> {
        Standing::at(self.tables.outcomes(), position)
    }

    /// How a work stands, if it has a row.
    pub(in crate::store) fn outcome(&self, position: u64) -> Result<Option<Standing>, Failure> {
        Standing::find(self.tables.outcomes(), position)
    }

    /// Whether a work is a dead letter.
    pub(in crate::store) fn has_letter(&self, position: u64) -> Result<bool, Failure> {
        Ok(self.tables.letter(position)?.is_some())
    }

    /// How the work of a lease stands. If that can't be read, its history is lost and no more.
    pub(in crate::store) fn standing_of(&self, lease: &Lease) -> Result<Standing, Failure> {
        let standing = self.shared.damages.pass(self.standing(lease.position()))?;
        let tries = lease.tries();
        let lost = || Standing {
            tries_made: tries.made(),
            reopened: tries.reopened(),
            ..Standing::default()
        };
        Ok(standing.unwrap_or_else(lost))
    }

    /// A work in flight was tried.
    pub(in crate::store) fn tried(
        &mut self,
        lease: &Lease,
        before: Standing,
        after: Standing,
    ) -> Result<(), Failure> {
        self.stand(lease.kind(), lease.position(), before, after)?;
        // It goes by this now.
        self.changes.hastened.retain(|(work, _)| work.entry.position != lease.position());
        self.changes.tried.push((lease.kind(), lease.position(), after));
        Ok(())
    }

    /// A finished work is opened again.
    pub(in crate::store) fn reopen(
        &mut self,
        work: OpenWork,
        before: Standing,
        after: Standing,
    ) -> Result<(), Failure> {
        self.stand(work.kind, work.entry.position, before, after)?;
        self.changes.opened.push(work.standing(after));
        Ok(())
    }

    /// A work that waits for a time waits no longer.
    pub(in crate::store) fn hasten(
        &mut self,
        work: OpenWork,
        before: Standing,
        due: Timestamp,
    ) -> Result<(), Failure> {
        let position = work.entry.position;
        let after = before.hastened();
        self.stand(work.kind, position, before, after)?;
        match self.changes.tried.iter_mut().find(|(_, tried, _)| *tried == position) {
            Some((.., standing)) => *standing = after,
            None => self.changes.hastened.push((work, due)),
        }
        Ok(())
    }

    fn stand(
        &mut self,
        kind: WorkKind,
        position: u64,
        before: Standing,
        after: Standing,
    ) -> Result<(), Failure> {
        self.tables.put_outcome(position, &after.write())?;
        let is_dead = |standing: Standing| standing.progress == Progress::Dead;
        if is_dead(after) && !is_dead(before) {
            self.tables.put_letter(position, kind as u8)?;
            self.changes.dead[kind] += 1;
        }
        // The letter of a dead work may have been swept away before.
        if is_dead(before) && !is_dead(after) && self.tables.remove_letter(position)?.is_some() {
            self.changes.dead[kind] -= 1;
        }
        if position < self.low_water {
            self.tables.put_open(position, after.is_open())?;
        }
        Ok(())
    }

    /// Puts packed segments in the place of others: each with its key and when to look at it again.
    pub(in crate::store) fn replace_segments<'p>(
        &mut self,
        gone: &[u64],
        packed: impl IntoIterator<Item = (u64, &'p [u8], Timestamp)>,
    ) -> Result<(), Failure> {
        let mut swept = self.change.swept()?;
        for first in gone {
            self.tables.remove_segment(*first)?;
            swept.remove(*first)?;
        }
        for (first, bytes, due) in packed {
            self.tables.put_segment(first, bytes)?;
            swept.put(first, due, bytes.len())?;
        }
        self.changes.swept = true;
        Ok(())
    }

    /// Forgets how a work stands: its record goes.
    pub(in crate::store) fn forget(&mut self, position: u64) -> Result<(), Failure> {
        self.tables.remove_outcome(position)
    }

    /// A dead letter was kept long enough.
    pub(in crate::store) fn drop_letter(&mut self, position: u64) -> Result<(), Failure> {
        let Some(number) = self.tables.remove_letter(position)? else { return Ok(()) };
        let kind = WorkKind::read(number).ok_or(Damaged { position });
        if let Some(kind) = self.shared.damages.pass(kind)? {
            self.changes.dead[kind] -= 1;
        }
        Ok(())
    }

    /// Remembers a fact of the store itself.
    pub(in crate::store) fn remember(&self, name: &str, fact: u64) -> Result<(), Failure> {
        self.change.remember(name, fact)
    }

    /// Remembers the time that removal goes by, for the next start.
    pub(in crate::store) fn tell_time(&self) -> Result<(), Failure> {
        self.remember(file::TOLD, self.time.earliest.0)
    }

    /// Writes the segment, and gives where the log ends then; `None` if there is nothing to commit.
    pub(in crate::store) fn finish(mut self) -> Result<Option<u64>, Failure> {
        if self.segment.is_empty() {
            return Ok(None);
        }
        let (first, segment) = self.segment.finish();
        self.tables.put_segment(first, segment)?;
        self.changes.log_bytes = segment.len();
        self.changes.ids = self.ids.finish(self.time)?;
        Ok(Some(self.segment.next()))
    }

    /// Writes no segment, and all ids that are frozen.
    pub(in crate::store) fn finish_at_rest(self) -> Result<(), Failure> {
        self.changes.ids = self.ids.flush(self.time)?;
        Ok(())
    }
}
