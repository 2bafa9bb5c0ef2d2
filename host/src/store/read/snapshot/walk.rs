//! A list from newer to older: what the index names is looked at one by one, and what it does not
//! know is read through.
//!
//! Each record says by itself whether it fits. Of a list by state, what has no such works by their
//! rows or by memory is passed over. It goes on for a bounded time, so a page may be short and
//! still not be the last. Never gives an item twice.

use std::time::{Duration, Instant};

use super::pending::{Passed, Pending, Unrowed};
use super::times::{CLOCK_SLACK, OUTSIDE_MAX, Reach, SEGMENTS_MIN};
use super::{Listing, PAGE_ITEMS_MAX, Page, Snapshot};
use crate::ids::{Id, IdKind};
use crate::store::error::Failure;
use crate::store::file;
use crate::store::index::{Kind, Next, Search, Wanted};
use crate::store::kind::WorkKind;
use crate::store::log::record::Record;
use crate::store::log::segment::{Entry, RecordKind, Segment};
use crate::store::read::cursor::{Cursor, List};
use crate::store::read::view::State;

/// Between two looks at the clock, this many pending items are passed over.
const PASSED_MIN: usize = 4096;

/// What is asked for.
pub(super) struct Asked {
    pub(super) wanted: Wanted,
    pub(super) state: Option<State>,
    pub(super) list: List,
    pub(super) page: Page,
    /// A page that is not full by then says where to go on.
    pub(super) time: Duration,
}

/// A list on its way.
struct Walk<'s, T, F> {
    snapshot: &'s Snapshot<'s>,
    asked: &'s Asked,
    /// What a record is in the list, if it fits.
    show: F,
    listing: Listing<T>,
    /// All from here on was looked at.
    before: u64,
    /// Open works before this have rows.
    low_water: u64,
    /// Nothing stands here or behind.
    end: u64,
    /// Those, as far as the list has come; `None` until it asks for them.
    pending: Option<Pending>,
    /// How many pending items were passed over by their rows.
    passed: usize,
    /// The stretch that is being passed over.
    stretch: Passed,
    /// The last segment up to where it looked last, and its key; `None` if it can't be read.
    held: Option<(u64, Option<Segment>)>,
    /// How many segments were read.
    read: usize,
    started: Instant,
    /// It went to where its times begin.
    has_sought: bool,
}

/// How it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Went {
    On,
    /// The page is full, or it took long enough.
    Enough,
    /// There is nothing more.
    Over,
}

impl Snapshot<'_> {
    /// What is asked for, newest first, as `show` gives it.
    pub(super) fn walk<T>(
        &self,
        asked: &Asked,
        show: impl Fn(&Record) -> Result<Option<T>, Failure>,
    ) -> Result<Listing<T>, Failure> {
        let tail = self.shared.index.find(&asked.wanted);
        let mut search = Search::new(self.view.index()?, asked.wanted.clone(), tail)?;
        let mut walk = Walk {
            snapshot: self,
            asked,
            show,
            listing: Listing { items: Vec::new(), damaged: Vec::new(), next: None },
            before: asked.page.before(),
            low_water: self.view.fact(file::LOW_WATER)?.unwrap_or(0),
            end: self.view.fact(file::END)?.unwrap_or(0),
            pending: None,
            passed: 0,
            stretch: Passed::default(),
            held: None,
            read: 0,
            started: Instant::now(),
            has_sought: false,
        };
        loop {
            let went = match search.before(walk.before)? {
                Next::Position(position) => walk.look_at(position)?,
                Next::Unindexed { first, end } => {
                    walk.tell_passed();
                    walk.read_through(first, end)?
                }
                Next::End => Went::Over,
            };
            match went {
                Went::On => (),
                Went::Over => break,
                Went::Enough => {
                    walk.listing.next = Some(Cursor::new(asked.list, walk.before));
                    break;
                }
            }
        }
        walk.tell_passed();
        self.shared.index.distrust(search.damaged());
        Ok(walk.listing)
    }
}

impl<T, F: Fn(&Record) -> Result<Option<T>, Failure>> Walk<'_, T, F> {
    /// Looks at what stands at a position, if anything does, or else passes over all that is gone.
    fn look_at(&mut self, position: u64) -> Result<Went, Failure> {
        if self.is_late() {
            return Ok(Went::Enough);
        }
        if let Some(first) = self.known_undone(position) {
            self.stretch.add((first, position + 1), 0);
            // The rows of what it passes over need not be read either.
            (self.before, self.pending) = (first, None);
            return Ok(Went::On);
        }
        let is_pending = self.is_known_as_pending(position)?;
        // What comes later may be done at once.
        let known = if position < self.low_water { self.low_water } else { self.end };
        let end = self.before.min(known);
        self.before = position;
        if is_pending {
            self.stretch.add((position, end), 1);
            self.passed += 1;
            let is_time = self.passed.is_multiple_of(PASSED_MIN);
            let is_late = is_time && self.started.elapsed() >= self.asked.time;
            return Ok(if is_late { Went::Enough } else { Went::On });
        }
        self.tell_passed();
        self.hold(position)?;
        let Some((first, segment)) = self.held.take() else {
            return Ok(Went::Over);
        };
        let went = match &segment {
            // Nobody knows how far it reaches.
            None => {
                self.before = first;
                Ok(Went::On)
            }
            Some(segment) if segment.next() <= position => {
                self.before = segment.next();
                Ok(Went::On)
            }
            Some(segment) => match segment.find(position) {
                Some(entry) if entry.position == position => self.entry(&entry),
                // What was there is gone, and so is all that lay behind it in what came in its
                // place.
                Some(entry) => {
                    self.before = entry.position + 1;
                    Ok(Went::On)
                }
                None => Ok(Went::On),
            },
        };
        self.held = Some((first, segment));
        went
    }

    /// Reads the last segment up to a position, unless it is the one that was read before.
    fn hold(&mut self, position: u64) -> Result<(), Failure> {
        if self.held.as_ref().is_some_and(|(first, _)| *first <= position) {
            return Ok(());
        }
        let last = self.snapshot.log.within(..=position)?.next_back().transpose()?;
        self.held = None;
        if let Some((first, segment)) = last {
            self.read += 1;
            let damaged = &mut self.listing.damaged;
            self.held = Some((first, self.snapshot.readable(segment, None, damaged)?));
        }
        Ok(())
    }

    /// Reads through a stretch of the log that the index does not know.
    fn read_through(&mut self, first: u64, end: u64) -> Result<Went, Failure> {
        self.before = self.before.min(end);
        self.seek()?;
        let mut too_old = 0;
        for row in self.snapshot.log.within(..self.before)?.rev() {
            if self.is_late() {
                return Ok(Went::Enough);
            }
            let (key, segment) = row?;
            self.read += 1;
            let damaged = &mut self.listing.damaged;
            if let Some(segment) = self.snapshot.readable(segment, None, damaged)? {
                let is_old = self.snapshot.is_before(&segment, self.asked.wanted.after);
                too_old = if is_old { too_old + 1 } else { 0 };
                if too_old > OUTSIDE_MAX {
                    return Ok(Went::Over);
                }
                let entries: Vec<_> =
                    segment.entries().filter(|entry| entry.position >= first).collect();
                for entry in entries.iter().rev() {
                    if entry.position < self.before {
                        self.before = entry.position;
                        if self.entry(entry)? == Went::Enough {
                            return Ok(Went::Enough);
                        }
                    }
                }
            }
            let has_skipped = self.before < key;
            self.before = self.before.min(key.max(first));
            if has_skipped || key <= first {
                return Ok(Went::On);
            }
        }
        self.before = self.before.min(first);
        Ok(Went::On)
    }

    /// Goes to where its times begin.
    fn seek(&mut self) -> Result<(), Failure> {
        if let Some(end) = self.asked.wanted.before
            && !self.has_sought
            && let Reach::At(behind) = self.snapshot.first_at(end.after(CLOCK_SLACK))?
        {
            self.before = self.before.min(behind);
        }
        self.has_sought = true;
        Ok(())
    }

    /// Takes a record into the list if it fits, or passes over what can't.
    fn entry(&mut self, entry: &Entry<'_>) -> Result<Went, Failure> {
        if !self.is_wanted(entry.kind) {
            return Ok(Went::On);
        }
        let snapshot = self.snapshot;
        let record = Record::skim(entry, snapshot.tag());
        let record = snapshot.readable(record, None, &mut self.listing.damaged)?;
        let Some(record) = record else { return Ok(Went::On) };
        let kind = match self.asked.wanted.kind {
            Kind::Event => IdKind::Event,
            Kind::Receipt => IdKind::Receipt,
        };
        let id = Id { kind, position: entry.position, tag: snapshot.tag() };
        let shown = (self.show)(&record);
        let shown = snapshot.readable(shown, Some(id), &mut self.listing.damaged)?;
        self.listing.items.extend(shown.flatten());
        self.skip()?;
        let limit = self.asked.page.limit.clamp(1, PAGE_ITEMS_MAX);
        Ok(if self.listing.items.len() == limit { Went::Enough } else { Went::On })
    }

    /// Passes over what has no work in the state that is asked for, as memory or the rows of such
    /// works say.
    fn skip(&mut self) -> Result<(), Failure> {
        let before = self.before;
        let kinds: &[WorkKind] = match self.asked.wanted.kind {
            Kind::Event => &[WorkKind::Run, WorkKind::Delivery],
            Kind::Receipt => &[WorkKind::Parse],
        };
        let last = match self.asked.state {
            Some(State::Pending) => match self.unrowed(before) {
                Unrowed::Last(work) => Some(work),
                Unrowed::UnknownBefore(position) => position.checked_sub(1),
                Unrowed::None => self.pending()?.last_before(before)?,
            },
            Some(State::Dead) => self.snapshot.died_before(kinds, before)?,
            _ => return Ok(()),
        };
        // A work stands at its receipt or behind its event.
        self.before = self.before.min(last.map_or(0, |work| work + 1));
        Ok(())
    }

    /// Of a list of what is done: where the stretch begins around this position in which nothing
    /// is, if an earlier list has found one.
    fn known_undone(&self, position: u64) -> Option<u64> {
        let is_asked_for = self.asked.state == Some(State::Done);
        let kind = self.asked.wanted.kind;
        is_asked_for.then(|| self.snapshot.undone.first_of(kind, position)).flatten()
    }

    /// Tells later lists of the stretch that was passed over. Between what a filter names there may
    /// be anything else.
    fn tell_passed(&mut self) {
        if let Some(stretch) = self.stretch.over()
            && self.asked.wanted.is_all()
        {
            self.snapshot.undone.found(self.asked.wanted.kind, stretch);
        }
    }

    /// Of a list of what is done: whether open works are known that say that what stands there is
    /// not, so that nobody need look at it. That an open work is of this event and of no other is
    /// known only if the index names all of them.
    fn is_known_as_pending(&mut self, position: u64) -> Result<bool, Failure> {
        let is_told = match self.asked.wanted.kind {
            Kind::Receipt => true,
            Kind::Event => self.asked.wanted.is_all(),
        };
        if self.asked.state != Some(State::Done) || !is_told {
            return Ok(false);
        }
        let before = self.before;
        if position < self.low_water {
            return self.pending()?.has(position, before);
        }
        // A work stands at its receipt or behind its event.
        let (first, before) = match self.asked.wanted.kind {
            Kind::Receipt => (position, position + 1),
            Kind::Event => (position + 1, before),
        };
        Ok(matches!(self.unrowed(before), Unrowed::Last(work) if work >= first))
    }

    /// What memory knows of the open works before a position.
    fn unrowed(&self, before: u64) -> Unrowed {
        let low_water = self.snapshot.shared.low_water();
        Unrowed::find(&low_water, self.asked.wanted.kind, (self.low_water, before))
    }

    /// The open works that have rows, from where the list asked for them first.
    fn pending(&mut self) -> Result<&mut Pending, Failure> {
        let pending = match self.pending.take() {
            Some(pending) => pending,
            None => Pending::of(&self.snapshot.view, self.asked.wanted.kind, self.before)?,
        };
        Ok(self.pending.insert(pending))
    }

    fn is_wanted(&self, kind: RecordKind) -> bool {
        match self.asked.wanted.kind {
            Kind::Event => kind == RecordKind::Event,
            Kind::Receipt => matches!(kind, RecordKind::Receipt | RecordKind::BareReceipt),
        }
    }

    fn is_late(&self) -> bool {
        self.read >= SEGMENTS_MIN && self.started.elapsed() >= self.asked.time
    }
}
