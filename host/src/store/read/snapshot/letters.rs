//! The dead letters, newest first, by what they are found by.
//!
//! What a filter names is held against the letter itself. Letters that died under an older Hookgate
//! have no rows to be found by until a sweep has given them some, or rows that say another reason:
//! until then all letters are read, or all that are found without a reason. Never removes one.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::times::SEGMENTS_MIN;
use super::{Listing, PAGE_ITEMS_MAX, Page, Snapshot};
use crate::ids::Name;
use crate::retry::Outcome;
use crate::store::error::{Damaged, Failure};
use crate::store::facts::StoredEvent;
use crate::store::file::death_rows::{By, DEATHS_KNOWN, DeathRow, hash};
use crate::store::kind::WorkKind;
use crate::store::log::record::Record;
use crate::store::owed::unreadable;
use crate::store::owed::works::{Stored, work_id};
use crate::store::read::cursor::Cursor;
use crate::store::read::filter::DeadFilter;
use crate::store::read::view::DeadLetter;
use crate::store::reasons::Account;

/// Ways that have no letter in common are not held against each other for longer.
const STEPS_MAX: usize = 256;

/// Of more names than this each letter is held against them.
const NAMES_MAX: usize = 64;

/// What letters are found by, one way or another: by any of these.
pub(super) type Way = Vec<By>;

/// Letters that have no rows to be found by, with what those are to say and the record of the try
/// that each work died of.
#[derive(Debug, Default)]
pub(in crate::store) struct Unfiled {
    pub(in crate::store) letters: Vec<(u64, Option<u64>, DeathRow)>,
    /// Where to go on; `None` at the end.
    pub(in crate::store) next: Option<u64>,
}

impl Snapshot<'_> {
    /// The dead letters that match, newest first, for a time.
    pub(in crate::store) fn letters(
        &self,
        filter: &DeadFilter,
        page: Page,
        time: Duration,
    ) -> Result<Listing<DeadLetter>, Failure> {
        let started = Instant::now();
        let limit = page.limit.clamp(1, PAGE_ITEMS_MAX);
        let mut list = Listing { items: Vec::new(), damaged: Vec::new(), next: None };
        let ways = self.ways(filter)?;
        let (mut before, mut read) = (page.before(), 0);
        while let Some(position) = self.letter_before(&ways, before)? {
            let is_late = read >= SEGMENTS_MIN && started.elapsed() >= time;
            if is_late || list.items.len() + list.damaged.len() == limit {
                list.next = Some(Cursor::new(filter.list(), before));
                return Ok(list);
            }
            before = position;
            read += 1;
            let Some(kind) = self.dead.letter(position)? else { continue };
            let kind = WorkKind::read(kind).ok_or(Damaged { position });
            let Some(kind) = self.readable(kind, None, &mut list.damaged)? else { continue };
            if filter.kind.is_some_and(|wanted| wanted != kind) {
                continue;
            }
            let id = work_id(kind, position, self.tag());
            let letter = self.dead_letter(kind, position);
            let letter = self.readable(letter, Some(id), &mut list.damaged)?;
            if let Some(letter) = letter.filter(|letter| filter.matches(letter))
                && self.is_of(&letter, filter)?
            {
                list.items.push(letter);
            }
        }
        Ok(list)
    }

    /// Whether a letter is about an event of the tenant that is asked for.
    pub(super) fn is_of(&self, letter: &DeadLetter, filter: &DeadFilter) -> Result<bool, Failure> {
        let Some(tenant) = &filter.tenant else { return Ok(true) };
        let Some(id) = letter.event else { return Ok(false) };
        let event = self.shared.damages.pass(self.find(id))?.flatten();
        let is_its = |event: &StoredEvent| event.tenant.as_ref() == Some(tenant);
        Ok(matches!(event, Some(Stored::Event(event)) if is_its(&event)))
    }

    /// Whether every letter has rows that it is found by.
    pub(in crate::store) fn are_letters_filed(&self) -> Result<bool, Failure> {
        Ok(self.view.fact(DEATHS_KNOWN)?.is_some_and(|known| known > 0))
    }

    /// The last dead work of these kinds that stands before this position; as long as letters are
    /// not found by their kind, of any kind.
    pub(super) fn died_before(
        &self,
        kinds: &[WorkKind],
        before: u64,
    ) -> Result<Option<u64>, Failure> {
        let Some(last) = before.checked_sub(1) else { return Ok(None) };
        if !self.are_letters_filed()? {
            return self.letter_before(&[], before);
        }
        let mut found = None;
        for kind in kinds {
            found = found.max(self.view.died_up_to(By::Kind(*kind as u8), last)?);
        }
        Ok(found)
    }

    /// The last letter before this position that is found in all of these ways; or, where none is
    /// for long, one that is found in some of them, so that the list can look at the clock.
    pub(super) fn letter_before(&self, ways: &[Way], before: u64) -> Result<Option<u64>, Failure> {
        if ways.is_empty() {
            let last = self.dead.within(..before)?.next_back().transpose()?;
            return Ok(last.map(|(work, _)| work));
        }
        let Some(mut wanted) = before.checked_sub(1) else { return Ok(None) };
        let mut steps = 0;
        loop {
            let mut least = wanted;
            for way in ways {
                match self.last_of(way, least)? {
                    Some(work) => least = work,
                    None => return Ok(None),
                }
            }
            if ways.len() == 1 || least == wanted || steps == STEPS_MAX {
                return Ok(Some(least));
            }
            (wanted, steps) = (least, steps + 1);
        }
    }

    /// The last letter up to this position that is found in this way.
    fn last_of(&self, way: &[By], position: u64) -> Result<Option<u64>, Failure> {
        let mut last = None;
        for by in way {
            last = last.max(self.view.died_up_to(*by, position)?);
        }
        Ok(last)
    }

    /// The ways in which the letters that match are found; none as long as not all are.
    pub(super) fn ways(&self, filter: &DeadFilter) -> Result<Vec<Way>, Failure> {
        if !self.are_letters_filed()? {
            return Ok(Vec::new());
        }
        Ok(ways(filter, self.shared.have_letters_reasons.load(Ordering::Relaxed)))
    }

    /// Looks through some letters for those that have no rows to be found by, or not by their
    /// reason. One that can't be read gets none.
    pub(in crate::store) fn unfiled(&self, from: u64, most: usize) -> Result<Unfiled, Failure> {
        let mut unfiled = Unfiled::default();
        for (number, row) in self.dead.within(from..)?.enumerate() {
            let (position, number_of_kind) = row?;
            if number == most {
                unfiled.next = Some(position);
                break;
            }
            let Some(kind) = WorkKind::read(number_of_kind) else { continue };
            if self.view.has_death(position)? {
                continue;
            }
            let letter = self.shared.damages.pass(self.dead_letter(kind, position))?;
            let Some(letter) = letter else { continue };
            let row = DeathRow::of(number_of_kind, letter.name.as_str(), letter.reason);
            unfiled.letters.push((position, self.standing(position)?.last, row));
        }
        Ok(unfiled)
    }

    pub(super) fn dead_letter(&self, kind: WorkKind, position: u64) -> Result<DeadLetter, Failure> {
        let damaged = || Damaged { position };
        let id = work_id(kind, position, self.tag());
        let standing = self.standing(position)?;
        let last = standing.last.ok_or_else(damaged)?;
        let last = self.shared.log.expect(&self.log, last)?;
        let (name, receipt, event) = match self.find(id) {
            Err(Failure::Damaged(damaged)) => {
                let receipt = (kind == WorkKind::Parse).then_some(id);
                (unreadable::group(&last).ok_or(damaged)?, receipt, None)
            }
            stored => {
                let stored = stored?.ok_or_else(damaged)?;
                let works = stored.works_of(id, &self.shared.order_keys);
                let work = works.and_then(|mut works| works.pop()).ok_or_else(damaged)?;
                let (receipt, event) = match &stored {
                    Stored::Receipt(receipt) => (Some(receipt.id), None),
                    Stored::Event(event) => (event.receipt, Some(event.id)),
                    Stored::Parcel(parcel) => (None, Some(parcel.event)),
                };
                (work.group, receipt, event)
            }
        };
        let (account, died_at) = match &last {
            Record::Try(tried) => (Account::from(tried), tried.at.after(tried.duration)),
            Record::Attempt(attempt) => {
                (Account::from(attempt), attempt.at.after(attempt.duration))
            }
            _ => return Err(damaged().into()),
        };
        Ok(DeadLetter {
            id,
            kind,
            name,
            reason: account.reason(kind),
            detail: account.outcome.reason().unwrap_or_default().to_owned(),
            // Another try might have changed it, and there was none left.
            schedule_ended: matches!(account.outcome, Outcome::Transient { .. }),
            died_at,
            tries_made: standing.tries_made,
            receipt,
            event,
        })
    }
}

/// The ways in which the letters that match are found: also by their reason, where all have one
/// of the closed list.
fn ways(filter: &DeadFilter, has_reasons: bool) -> Vec<Way> {
    let DeadFilter { kind, name, among, reason, tenant: _ } = filter;
    let by_name = |name: &Name| By::Name(hash(name.as_str()));
    let among = among.as_ref().filter(|among| among.len() <= NAMES_MAX);
    let reason = reason.filter(|_| has_reasons);
    let ways = [
        name.as_ref().map(|name| vec![by_name(name)]),
        among.map(|among| among.iter().map(by_name).collect()),
        reason.map(|reason| vec![By::Reason(hash(reason.as_str()))]),
        kind.map(|kind| vec![By::Kind(kind as u8)]),
    ];
    ways.into_iter().flatten().collect()
}
