//! A commit in the making: what it writes, and what will change in memory once it holds.
//!
//! Pure: what is committed is asked for by way of a [`Look`]. Operations add to a draft one after
//! the other and see what those before them added. Nothing in memory changes here: a draft that is
//! not committed never was.

mod changes;
mod erasing;
mod kept;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;

pub(in crate::store) use self::changes::{Changes, InOrder};
use super::batch::{Batch, Replacement, Update};
use super::look::Look;
use crate::event::Timestamp;
use crate::ids::{Id, IdKind, Name};
use crate::store::damage::Damages;
use crate::store::error::{Damaged, Failure};
use crate::store::file::death_rows::DeathRow;
use crate::store::ids::IdKey;
use crate::store::ids::terms::{Owner, Terms};
use crate::store::index::IndexChange;
use crate::store::kind::WorkKind;
use crate::store::log::low_water::Waiting;
use crate::store::log::record::Record;
use crate::store::log::segment::RecordKind;
use crate::store::owed::Owed;
use crate::store::owed::backlog::{OpenWork, OrderKeys, Tries};
use crate::store::owed::lease::Lease;
use crate::store::owed::replays::OpenReplay;
use crate::store::owed::standing::{Progress, Standing};
use crate::store::owed::works::Stored;
use crate::store::reasons::Account;
use crate::store::report::Refused;
use crate::store::state::{AllUsed, Quotas, Used};

/// A commit in the making.
pub(in crate::store) struct Draft<'d> {
    /// What a draft has to know of its store.
    pub(in crate::store) basis: Basis<'d>,
    /// The time that it writes down.
    pub(super) now: Timestamp,
    look: &'d dyn Look,
    batch: &'d mut Batch,
    changes: &'d mut Changes,
}

/// What a draft has to know of its store.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Basis<'d> {
    pub(in crate::store) tag: u32,
    /// Leases of another life are refused.
    pub(in crate::store) owed: &'d Owed,
    pub(in crate::store) order_keys: &'d OrderKeys,
    /// How long an id is known that comes now.
    pub(in crate::store) terms: &'d Terms,
    /// How much handlers may remember, and what that takes now.
    pub(in crate::store) quotas: &'d Quotas,
    pub(in crate::store) used: &'d AllUsed,
    /// Where damage is noted that it meets.
    pub(in crate::store) damages: &'d Damages,
}

impl<'d> Draft<'d> {
    /// Adds to a batch that has just begun.
    pub(in crate::store) fn new(
        basis: Basis<'d>,
        look: &'d dyn Look,
        batch: &'d mut Batch,
        changes: &'d mut Changes,
    ) -> Self {
        Self { basis, now: batch.time.now, look, batch, changes }
    }

    /// The id of what the next record is.
    pub(in crate::store) fn next_id(&self, kind: IdKind) -> Id {
        Id { kind, position: self.batch.next(), tag: self.basis.tag }
    }

    /// Adds a record of history.
    pub(in crate::store) fn record(&mut self, kind: RecordKind, record: &impl Serialize) -> u64 {
        self.batch.records.push(kind, 1, record)
    }

    /// Adds a record of nothing. Without a segment nobody could find out whether a commit that
    /// failed is in the log, so what adds no other record adds this.
    pub(in crate::store) fn leave_segment(&mut self) {
        self.record(RecordKind::Gap, &());
    }

    /// Adds what works are owed on, and opens them.
    pub(in crate::store) fn owe(
        &mut self,
        stored: Stored,
        kind: RecordKind,
        width: u32,
        record: &impl Serialize,
    ) {
        let keys = self.basis.order_keys;
        let since = |work: &OpenWork| {
            let by_position = keys.by_position(work.kind, &work.group);
            self.batch.since(by_position, Standing::default())
        };
        let opened = stored.works(keys).into_iter();
        self.changes.opened.extend(opened.map(|it| OpenWork { since: since(&it), ..it }));
        self.keep(stored, kind, width, record);
    }

    /// Adds the same, and opens nothing: all that it owes is finished in this commit.
    pub(in crate::store) fn keep(
        &mut self,
        stored: Stored,
        kind: RecordKind,
        width: u32,
        record: &impl Serialize,
    ) {
        let position = self.batch.records.push(kind, width, record);
        debug_assert_eq!(position, stored.id().position, "an id is where the record stands");
        self.changes.stored.push(stored);
    }

    /// A work that nobody ever takes stands so, as what owes it is stored.
    pub(in crate::store) fn finish_unopened(
        &mut self,
        (kind, work): (WorkKind, u64),
        after: Standing,
    ) -> Result<(), Failure> {
        self.stand((kind, work), Standing::default(), after, None)?;
        self.changes.finished.push((kind, work, after));
        Ok(())
    }

    /// Whether no receipt of this source waits for its first parse, of those before.
    pub(in crate::store) fn is_all_parsed(&self, source: &Name) -> bool {
        let tried = self.changes.parses_tried.get(source).copied().unwrap_or(0);
        !self.changes.unparsed.contains(source)
            && self.basis.owed.backlog().due(WorkKind::Parse, source) <= tried
    }

    /// A receipt of this source is to be parsed from this commit on.
    pub(in crate::store) fn leave_unparsed(&mut self, source: &Name) {
        if !self.changes.unparsed.contains(source) {
            self.changes.unparsed.insert(source.clone());
        }
    }

    /// The committed record that takes this position.
    pub(in crate::store) fn committed(&self, position: u64) -> Result<Option<Record>, Failure> {
        self.look.record(position)
    }

    /// The position of the receipt that an id belongs to; of one that the gateway raised, of that
    /// event.
    pub(in crate::store) fn owner(&self, key: IdKey) -> Result<Option<u64>, Failure> {
        match self.batch.keys.get(&key) {
            Some(owner) => Ok(Some(owner.receipt)),
            None => self.look.owner(key),
        }
    }

    /// Gives an id of a source that nobody owns to a receipt, or to an event that has none. The
    /// receipt's record, or the record of an event of it with this id, must be in the same batch.
    pub(in crate::store) fn bind(&mut self, key: IdKey, source: &Name, receipt: u64) {
        let term = self.basis.terms.term(source);
        self.batch.keys.insert(key, Owner { receipt, term });
    }

    /// Has ids that are in memory only written down, so many groups beside this batch's share.
    pub(in crate::store) fn settle_ids(&mut self, groups: usize) {
        self.batch.settles += groups;
    }

    /// How a work stands; if it was never tried, as one that was not.
    pub(in crate::store) fn standing(&self, work: u64) -> Result<Standing, Failure> {
        Ok(self.outcome(work)?.unwrap_or_default())
    }

    /// How a work stands, if it was ever tried.
    pub(in crate::store) fn outcome(&self, work: u64) -> Result<Option<Standing>, Failure> {
        match self.batch.standings.get(&work) {
            Some(standing) => Ok(Some(*standing)),
            None => self.look.standing(work),
        }
    }

    /// Whether this draft has a work stand otherwise.
    pub(super) fn changes_work(&self, work: u64) -> bool {
        self.batch.standings.contains_key(&work)
    }

    /// Since when an open work waits, as its row says, if it has one that can be read.
    pub(super) fn row_since(&self, work: u64) -> Result<Option<Timestamp>, Failure> {
        Ok(self.basis.damages.pass(self.look.since(work))?.flatten())
    }

    /// Says what the letter of a dead work is found by, if that was not said when it died.
    pub(super) fn file_letter(&mut self, work: u64, row: DeathRow) {
        self.batch.updates.push(Update::Died { work, row });
    }

    /// The number of the kind of a dead work, if it has a letter.
    pub(in crate::store) fn letter(&self, work: u64) -> Result<Option<u8>, Failure> {
        match self.batch.letters.get(&work) {
            Some(letter) => Ok(*letter),
            None => self.look.letter(work),
        }
    }

    /// Whether a try that was made by this lease is committed here.
    pub(in crate::store) fn admit(&self, lease: &Lease) -> Result<(), Refused> {
        if lease.life() == self.basis.owed.life { Ok(()) } else { Err(Refused::OtherLife) }
    }

    /// How the work of a lease stands. If that can't be read, its history is lost and no more.
    pub(in crate::store) fn standing_of(&self, lease: &Lease) -> Result<Standing, Failure> {
        let tries = lease.tries();
        // Most works are tried once: then there is nothing to look for.
        if tries == Tries::default() {
            return Ok(Standing::default());
        }
        let standing = self.basis.damages.pass(self.standing(lease.position()))?;
        let lost = || {
            let lost = Standing { tries_made: tries.made(), ..Standing::default() };
            if tries.reopened() { lost.untold() } else { lost }
        };
        Ok(standing.unwrap_or_else(lost))
    }

    /// A work of this group in flight was tried, which goes back to this source, and this is said
    /// of it.
    pub(in crate::store) fn tried(
        &mut self,
        lease: &Lease,
        (group, root): (&Name, Option<&Name>),
        (before, after): (Standing, Standing),
        account: Account<'_>,
    ) -> Result<(), Failure> {
        let kind = lease.kind();
        let whose = (group, root, lease.is_parcel());
        let by_position = self.basis.order_keys.by_position(kind, group);
        let waiting = after.is_open().then(|| self.waiting(kind, whose, (after, by_position)));
        self.stand((kind, lease.position()), before, after, waiting)?;
        self.changes.in_order.note((kind, lease.position()), by_position);
        if before.progress != Progress::Dead && after.progress == Progress::Dead {
            let row = DeathRow::of(kind as u8, group.as_str(), account.reason(kind));
            self.batch.updates.push(Update::Died { work: lease.position(), row });
        }
        if kind == WorkKind::Parse {
            *self.changes.parses_tried.entry(group.clone()).or_default() += 1;
        }
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
        let (kind, position) = (work.kind, work.entry.position);
        let whose = (&work.group, work.root.as_ref(), work.is_parcel());
        let by_position = self.basis.order_keys.by_position(kind, &work.group);
        let waiting = self.waiting(kind, whose, (after, by_position));
        let since = waiting.since;
        self.stand((kind, position), before, after, Some(waiting))?;
        if kind == WorkKind::Parse {
            self.leave_unparsed(&work.group);
        }
        self.changes.opened.push(OpenWork { since, ..work.standing(after) });
        Ok(())
    }

    /// A work was opened again on this.
    pub(in crate::store) fn keep_again(&mut self, stored: Stored) {
        self.changes.read_again.push(stored);
    }

    /// A work that waits for a time waits no longer.
    pub(in crate::store) fn hasten(
        &mut self,
        work: OpenWork,
        before: Standing,
    ) -> Result<(), Failure> {
        let (kind, position) = (work.kind, work.entry.position);
        let after = before.hastened();
        let whose = (&work.group, work.root.as_ref(), work.is_parcel());
        let by_position = self.basis.order_keys.by_position(kind, &work.group);
        let waiting = self.waiting(kind, whose, (after, by_position));
        let since = waiting.since;
        // If that can't be read, it can't be read in its lane either.
        let waited = self.row_since(position)?;
        self.stand((kind, position), before, after, Some(waiting))?;
        match self.changes.tried.iter_mut().find(|(_, tried, _)| *tried == position) {
            Some((.., standing)) => {
                *standing = after;
                self.changes.in_order.note((kind, position), by_position);
            }
            None => {
                let work = OpenWork { since, ..work.standing(after) };
                self.changes.hastened.push((work, waited));
            }
        }
        Ok(())
    }

    /// Where an open work waits that stands so, and goes by its position alone or does not.
    fn waiting(
        &self,
        kind: WorkKind,
        (group, root, is_parcel): (&Name, Option<&Name>, bool),
        (standing, by_position): (Standing, bool),
    ) -> Waiting {
        Waiting {
            kind,
            group: group.clone(),
            since: self.batch.since(by_position, standing),
            waits: standing.due() != Timestamp(0),
            is_parcel,
            root: root.cloned(),
        }
    }

    fn stand(
        &mut self,
        (kind, work): (WorkKind, u64),
        before: Standing,
        after: Standing,
        waiting: Option<Waiting>,
    ) -> Result<(), Failure> {
        let is_dead = |standing: Standing| standing.progress == Progress::Dead;
        match (is_dead(before), is_dead(after)) {
            (false, true) => {
                self.batch.letters.insert(work, Some(kind as u8));
                self.changes.dead[kind] += 1;
            }
            (true, false) => {
                // It may have been swept away before.
                if self.letter(work)?.is_some() {
                    self.changes.dead[kind] -= 1;
                }
                self.batch.letters.insert(work, None);
            }
            _ => (),
        }
        self.batch.standings.insert(work, after);
        self.batch.updates.push(Update::Stands { kind, work, before, after, waiting });
        Ok(())
    }

    /// How far the store has counted.
    pub(super) fn counted(&self) -> Timestamp {
        self.batch.time.counted
    }

    /// A row of state.
    pub(super) fn state_row(&self, key: &[u8]) -> Result<Option<Bytes>, Failure> {
        match self.batch.states.get(key) {
            Some(row) => Ok(row.clone()),
            None => self.look.state(key),
        }
    }

    /// A row of state is this, or is gone.
    pub(super) fn put_state_row(&mut self, key: Vec<u8>, row: Option<Bytes>) {
        self.batch.states.insert(key.clone(), row.clone());
        self.batch.updates.push(Update::State { key, value: row });
    }

    /// What the rows of a handler take.
    pub(super) fn used(&self, handler: &Name) -> Used {
        let used = self.batch.used.get(handler).or_else(|| self.basis.used.get(handler));
        used.copied().unwrap_or_default()
    }

    /// The rows of a handler take this.
    pub(super) fn put_used(&mut self, handler: &Name, used: Used) {
        self.batch.used.insert(handler.clone(), used);
    }

    /// The rows of the replays by filter, by their numbers.
    pub(super) fn replay_rows(&self) -> Result<BTreeMap<u64, Bytes>, Failure> {
        let mut rows = self.look.replays()?;
        for (number, row) in &self.batch.replays {
            match row {
                Some(row) => rows.insert(*number, row.clone()),
                None => rows.remove(number),
            };
        }
        Ok(rows)
    }

    /// The row of a replay by filter is this, or is gone.
    pub(super) fn put_replay_row(&mut self, number: u64, row: Option<Bytes>) {
        self.batch.replays.insert(number, row.clone());
        self.batch.updates.push(Update::Replay { number, row });
    }

    /// These replays by filter are not finished, in the order of their ids.
    pub(super) fn put_open_replays(&mut self, open: Vec<OpenReplay>) {
        self.changes.replays = Some(open);
    }

    /// Puts packed segments in the place of others, behind all that asks for what is in them.
    pub(in crate::store) fn replace_segments(&mut self, replacement: Replacement) {
        self.batch.replaced.push(replacement);
        self.changes.swept = true;
    }

    /// Changes the index.
    pub(super) fn change_index(&mut self, changes: Arc<[IndexChange]>) {
        self.batch.index.push(changes);
    }

    /// Forgets how a work stands: its record goes.
    pub(in crate::store) fn forget(&mut self, work: u64) {
        self.batch.updates.push(Update::Forgotten { work });
    }

    /// A dead letter was kept long enough.
    pub(in crate::store) fn drop_letter(&mut self, work: u64) -> Result<(), Failure> {
        let Some(number) = self.letter(work)? else { return Ok(()) };
        self.batch.letters.insert(work, None);
        self.batch.updates.push(Update::LetterDropped { work });
        let kind = WorkKind::read(number).ok_or(Damaged { position: work });
        if let Some(kind) = self.basis.damages.pass(kind)? {
            self.changes.dead[kind] -= 1;
        }
        Ok(())
    }

    /// Remembers a fact of the store itself.
    pub(in crate::store) fn remember(&mut self, name: &'static str, fact: u64) {
        self.batch.remember(name, fact);
    }

    /// Remembers how far the store has counted, for the next start.
    pub(in crate::store) fn tell_time(&mut self) {
        self.batch.tell_time();
    }
}
