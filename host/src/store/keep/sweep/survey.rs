//! The survey: looks through a part of the log, and says what to remove of it and how to pack the
//! rest.
//!
//! Reads one view of the file and writes nothing. What is damaged stays where it is. Goes from the
//! dead letters over the packed segments that are due to those that are not packed yet, each step
//! where the last one ended.

use std::sync::atomic::Ordering;

use super::{STEP_BYTES_MAX, STEP_LETTERS_MAX, STEP_SEGMENTS_MAX, Sweep};
use crate::event::{Timestamp, in_millis};
use crate::store::damage::Damages;
use crate::store::error::{Error, Failure};
use crate::store::file;
use crate::store::file::view::{Dead, Outcomes, PackedSegment, Segments, Swept, View};
use crate::store::keep::pack::{Item, is_small, pack};
use crate::store::keep::retention::{Fate, Retention};
use crate::store::log::reader::LogReader;
use crate::store::log::record::{ReceiptRecord, Record, StateRecord, TryRecord};
use crate::store::log::segment::{Entry, RecordKind, Segment};
use crate::store::owed::standing::{Progress, Standing};
use crate::store::owed::works::Stored;
use crate::store::read::snapshot::events_gone;
use crate::store::shared::Shared;
use crate::store::state;
use crate::store::time::line::Line;

/// Most events that are looked at to find out whether a receipt is still needed.
const BROUGHT_MAX: usize = 1000;

/// How far a sweep has come.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) enum Pass {
    /// Dead letters from this position on.
    Letters(u64),
    /// Packed segments from this position on, of which so many bytes are too many; all of them, if
    /// they were packed for another retention.
    Packed { from: u64, excess: u64, all: bool },
    /// What is not packed yet.
    Fresh { all: bool },
}

impl Default for Pass {
    fn default() -> Self {
        Self::Letters(0)
    }
}

/// A step of a sweep.
#[derive(Debug)]
pub(in crate::store) struct Step {
    /// What to put in place, if anything.
    pub(in crate::store) sweep: Option<Sweep>,
    /// Where to go on; `None` at the end.
    pub(in crate::store) next: Option<Pass>,
}

/// One view of the file.
struct Survey<'s> {
    damages: &'s Damages,
    /// From here on all is too young to be packed.
    aged: u64,
    /// From here on ids may be in the log only.
    id_mark: u64,
    tag: u32,
    /// How far the store has counted.
    now: Timestamp,
    /// How old things are.
    line: Line,
    /// What the state of all handlers takes, in bytes.
    state_bytes: u64,
    retention: Retention,
    view: View,
    log: Segments,
    outcomes: Outcomes,
    dead: Dead,
    swept: Option<Swept>,
    reader: LogReader,
    /// The finished works that the record at hand depends on.
    finished: Vec<u64>,
    sweep: Sweep,
}

impl Shared {
    pub(in crate::store) fn survey(
        &self,
        retention: &Retention,
        pass: Pass,
    ) -> Result<Step, Error> {
        // Before the view: they only grow.
        let (aged, id_mark) = (self.low_water().aged(), self.id_mark.load(Ordering::Relaxed));
        let view = self.file.read()?;
        let now = self.clock.times().counted;
        let survey = Survey {
            damages: &self.damages,
            aged,
            id_mark,
            tag: self.file.tag,
            now,
            line: Line::read(&view, now)?,
            state_bytes: state::bytes(&self.used.load()),
            retention: retention.clone(),
            log: view.log()?,
            outcomes: view.outcomes()?,
            dead: view.dead()?,
            swept: view.swept()?,
            view,
            reader: LogReader::new(self.file.tag),
            finished: Vec::new(),
            sweep: Sweep::default(),
        };
        Ok(match pass {
            Pass::Letters(from) => survey.letters(from),
            Pass::Packed { from, excess, all } => survey.packed(from, excess, all),
            Pass::Fresh { all } => survey.fresh(all),
        }?)
    }

    /// Whether the store has not noted for a day how far it has counted.
    pub(in crate::store) fn is_time_untold(&self) -> Result<bool, Error> {
        let line = Line::read(&self.file.read()?, self.clock.times().counted)?;
        Ok(line.is_behind())
    }

    /// Where ids must be settled up to, so that a sweep can do what there is to do.
    pub(in crate::store) fn unsettled(&self, retention: &Retention) -> Result<Option<u64>, Error> {
        let (aged, id_mark) = (self.low_water().aged(), self.id_mark.load(Ordering::Relaxed));
        if id_mark >= aged {
            return Ok(None);
        }
        let now = self.clock.times().counted;
        let view = self.file.read()?;
        let log = view.log()?;
        let line = Line::read(&view, now)?;
        // What is packed may begin before the mark and go on behind it.
        let from = log.key_up_to(id_mark)?.unwrap_or(id_mark);
        for row in log.within(from..aged)? {
            let (_, segment) = row?;
            let Some(segment) = self.damages.pass(segment)? else { continue };
            let mut behind = segment.entries().filter(|entry| entry.position >= id_mark);
            if let Some(at) = behind.find_map(|entry| written_at(&entry, self.file.tag, &line)) {
                let is_old = at.after(retention.grain()) <= now;
                return Ok(is_old.then_some(aged));
            }
        }
        Ok(None)
    }
}

impl Survey<'_> {
    fn letters(mut self, from: u64) -> Result<Step, Failure> {
        let mut next = None;
        for (looked_at, row) in self.dead.within(from..)?.enumerate() {
            let (position, _) = row?;
            if looked_at == STEP_LETTERS_MAX {
                next = Some(Pass::Letters(position));
                break;
            }
            let Some((died_of, last)) = self.damages.pass(self.last_of(position))? else {
                continue;
            };
            let said = died_of.zip(last.and_then(|last| last.written_at()));
            let died_at = said.map_or(Timestamp(0), |(of, at)| self.line.counted(of, at));
            if died_at.after(self.retention.dead) <= self.now {
                self.sweep.letters.push((position, died_of));
            }
        }
        self.sweep.swept.letters = self.sweep.letters.len();
        let sweep = (!self.sweep.letters.is_empty()).then_some(self.sweep);
        if next.is_some() {
            return Ok(Step { sweep, next });
        }
        let all = self.view.fact(file::RETENTION)? != Some(self.retention.mark());
        let mut bytes = self.state_bytes;
        if let (Some(_), Some(swept)) = (self.retention.size_bytes, &self.swept) {
            for packed in swept.within(..)? {
                bytes += packed?.bytes;
            }
        }
        let excess = bytes.saturating_sub(self.retention.size_bytes.unwrap_or(u64::MAX));
        Ok(Step { sweep, next: Some(Pass::Packed { from: 0, excess, all }) })
    }

    /// Where the latest record in the history of a work is, and the record if it is still there.
    fn last_of(&self, position: u64) -> Result<(Option<u64>, Option<Record>), Failure> {
        let last = Standing::at(&self.outcomes, position)?.last;
        let record = last.map(|last| self.reader.record(&self.log, last)).transpose()?;
        Ok((last, record.flatten()))
    }

    fn packed(mut self, from: u64, excess: u64, all: bool) -> Result<Step, Failure> {
        if excess > 0 {
            self.retention = self.retention.at_once();
        }
        let mut segments: Vec<Segment> = Vec::new();
        let mut raw = 0;
        let mut packed = 0;
        let rows = self.swept.as_ref().map(|swept| swept.within(from..)).transpose()?;
        for row in rows.into_iter().flatten() {
            let PackedSegment { first, due, bytes } = row?;
            let wanted = all || due <= self.now || packed < excess;
            if !wanted && segments.is_empty() {
                continue;
            }
            let is_enough = excess > 0 && packed >= excess;
            if !wanted || is_enough || raw >= STEP_BYTES_MAX || segments.len() == STEP_SEGMENTS_MAX
            {
                break;
            }
            let Some(segment) = self.log.get(first)? else { continue };
            match self.damages.pass(segment)? {
                Some(segment) => {
                    raw += segment.raw_bytes();
                    packed += bytes;
                    segments.push(segment);
                }
                None if segments.is_empty() => (),
                // What is on either side of it must not become one.
                None => break,
            }
        }
        let Some(last) = segments.last() else {
            return Ok(Step { sweep: None, next: Some(Pass::Fresh { all }) });
        };
        let next = Pass::Packed { from: last.next(), excess: excess.saturating_sub(packed), all };
        self.pack(&segments)?;
        Ok(Step { sweep: Some(self.sweep), next: Some(next) })
    }

    fn fresh(mut self, all: bool) -> Result<Step, Failure> {
        let from = self.view.fact(file::SWEPT_TO)?.unwrap_or(0);
        let mut segments = Vec::new();
        let mut raw = 0;
        let mut is_last = true;
        for row in self.log.within(from.min(self.aged)..self.aged)? {
            if raw >= STEP_BYTES_MAX || segments.len() == STEP_SEGMENTS_MAX {
                is_last = false;
                break;
            }
            let (_, segment) = row?;
            match self.damages.pass(segment)? {
                Some(segment) => {
                    raw += segment.raw_bytes();
                    segments.push(segment);
                }
                None if segments.is_empty() => (),
                None => {
                    is_last = false;
                    break;
                }
            }
        }
        // A few young ones wait for more: together they fill a segment.
        let is_young = match self.oldest(&segments) {
            Some(oldest) => oldest.after(self.retention.grain()) > self.now,
            None => true,
        };
        if is_last && raw < STEP_BYTES_MAX && is_young {
            self.sweep.mark = all.then(|| self.retention.mark());
            let sweep = self.sweep.mark.is_some().then_some(self.sweep);
            return Ok(Step { sweep, next: None });
        }
        self.sweep.swept_to = segments.last().map(Segment::next);
        // Where the last step's last segment is small, it goes on there.
        let partial = segments.first().map(|segment| self.partial(segment.first())).transpose()?;
        let partial = partial.flatten();
        segments.splice(0..0, partial);
        self.pack(&segments)?;
        Ok(Step { sweep: Some(self.sweep), next: Some(Pass::Fresh { all }) })
    }

    /// The packed segment right before the one at this position, if it is small.
    fn partial(&self, before: u64) -> Result<Option<Segment>, Failure> {
        let Some(swept) = &self.swept else { return Ok(None) };
        let Some(last) = swept.within(..before)?.next_back() else { return Ok(None) };
        let PackedSegment { first, bytes, .. } = last?;
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        let neighbour = self.log.key_up_to(before.saturating_sub(1))?;
        if neighbour != Some(first) || !is_small(bytes) {
            return Ok(None);
        }
        let segment = self.log.get(first)?;
        Ok(segment.map(|segment| self.damages.pass(segment)).transpose()?.flatten())
    }

    /// When the first of these was written; `None` if they hold only gaps.
    fn oldest(&self, segments: &[Segment]) -> Option<Timestamp> {
        let mut entries = segments.iter().flat_map(Segment::entries);
        entries.find_map(|entry| written_at(&entry, self.tag, &self.line))
    }

    fn pack(&mut self, segments: &[Segment]) -> Result<(), Failure> {
        let mut items = Vec::new();
        for entry in segments.iter().flat_map(Segment::entries) {
            if entry.kind == RecordKind::Gap {
                continue;
            }
            let Some(record) = self.damages.pass(Record::skim(&entry, self.tag))? else {
                items.push(as_it_is(&entry));
                continue;
            };
            self.finished.clear();
            let fate = self.fate(&entry, &record)?;
            if !matches!(fate, Fate::Keep(_)) {
                self.sweep.relied.append(&mut self.finished);
            }
            items.extend(self.item(&entry, &record, fate));
        }
        if self.sweep.events_gone.is_some() {
            let before = events_gone(&self.view, &self.log)?;
            self.sweep.events_gone = self.sweep.events_gone.max(Some(before));
        }
        self.sweep.replaced = segments.iter().map(Segment::first).collect();
        self.sweep.packed = pack(&items);
        self.sweep.swept.segments = segments.len();
        Ok(())
    }

    fn item(&mut self, entry: &Entry<'_>, record: &Record, fate: Fate) -> Option<Item> {
        let Entry { position, width, kind, bytes } = *entry;
        let (kind, bytes, due) = match (fate, record) {
            (Fate::Bare(due), Record::Receipt(receipt)) => {
                self.sweep.swept.bodies += 1;
                (RecordKind::BareReceipt, ReceiptRecord::bare(receipt).write(), due)
            }
            (Fate::Keep(due) | Fate::Bare(due), _) => (kind, bytes.to_vec(), due),
            (Fate::Drop, _) => {
                self.sweep.swept.records += 1;
                match record {
                    Record::Receipt(_) | Record::Parcel(_) => self.sweep.forgotten.push(position),
                    Record::Event(event) => {
                        let works = position + 1..position + u64::from(event.width());
                        self.sweep.forgotten.extend(works);
                        self.sweep.events_gone = self.sweep.events_gone.max(Some(position + 1));
                    }
                    Record::Try(_) | Record::Attempt(_) | Record::Reopening(_) | Record::Gap => (),
                }
                return None;
            }
        };
        let due = self.round_up(due);
        Some(Item { position, width, kind, bytes, due })
    }

    /// Times that are close to each other become one.
    fn round_up(&self, due: Timestamp) -> Timestamp {
        let grain = in_millis(self.retention.grain());
        Timestamp(due.0.div_ceil(grain).saturating_mul(grain))
    }

    fn fate(&mut self, entry: &Entry<'_>, record: &Record) -> Result<Fate, Failure> {
        let Entry { position, .. } = *entry;
        let Retention { bodies, events, attempts, .. } = self.retention;
        let Some(at) = record.written_at() else { return Ok(Fate::Drop) };
        let at = self.line.counted(position, at);
        let due = at.after(match record {
            Record::Receipt(receipt) if !receipt.body_expired => bodies,
            Record::Try(tried) if !adds_nothing(tried) => events,
            Record::Try(_) | Record::Attempt(_) | Record::Reopening(_) => attempts,
            Record::Receipt(_) | Record::Event(_) | Record::Parcel(_) | Record::Gap => events,
        });
        if due > self.now {
            return Ok(Fate::Keep(due));
        }
        let is_needed = match record {
            Record::Receipt(receipt) if receipt.body_expired => false,
            Record::Receipt(_) => self.is_owed(position)? || self.needs_body(position)?,
            Record::Event(event) => {
                self.is_any_owed(position + 1..position + u64::from(event.width()))?
            }
            Record::Parcel(_) => self.is_owed(position)?,
            Record::Try(tried) => {
                self.is_tried(tried.work)? || self.needs_brought(&tried.events)?
            }
            Record::Attempt(attempt) => self.is_tried(attempt.work)?,
            Record::Reopening(reopening) => self.is_tried(reopening.work)?,
            Record::Gap => false,
        };
        Ok(match record {
            _ if is_needed => Fate::Keep(self.now.after(self.retention.grain())),
            // A start finds its ids nowhere else [I3].
            Record::Receipt(_) | Record::Event(_) if position >= self.id_mark => {
                Fate::Keep(self.now.after(self.retention.grain()))
            }
            Record::Receipt(_) if at.after(events) > self.now => Fate::Bare(at.after(events)),
            _ => Fate::Drop,
        })
    }

    /// How a work stands; one of which that can't be read counts as open.
    fn standing(&self, position: u64) -> Result<Option<Standing>, Failure> {
        let found = self.damages.pass(Standing::find(&self.outcomes, position))?;
        Ok(found.unwrap_or(Some(Standing::default())))
    }

    /// Whether a work is left to do, or a dead letter.
    fn is_owed(&mut self, position: u64) -> Result<bool, Failure> {
        // One that was never tried has no row.
        let progress = self.standing(position)?.unwrap_or_default().progress;
        self.finished.push(position);
        Ok(match progress {
            Progress::Ready | Progress::RetryAt(_) => true,
            Progress::Dead => self.dead.has(position)?,
            Progress::Done => false,
        })
    }

    fn is_any_owed(&mut self, positions: std::ops::Range<u64>) -> Result<bool, Failure> {
        for position in positions {
            if self.is_owed(position)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The same for a work that was tried: if it has no row any more, it is gone itself.
    fn is_tried(&mut self, position: u64) -> Result<bool, Failure> {
        Ok(self.standing(position)?.is_some() && self.is_owed(position)?)
    }

    /// Whether something that came out of a receipt is owed: it may be delivered as the receipt's
    /// own bytes.
    fn needs_body(&mut self, receipt: u64) -> Result<bool, Failure> {
        match self.added_by(receipt)? {
            Some(events) => self.needs_brought(&events),
            None => Ok(true),
        }
    }

    fn needs_brought(&mut self, events: &[u64]) -> Result<bool, Failure> {
        let mut waiting = events.to_vec();
        for _ in 0..BROUGHT_MAX {
            let Some(position) = waiting.pop() else { return Ok(false) };
            let record = self.damages.pass(self.reader.skim(&self.log, position))?;
            let Some(record) = record else { return Ok(true) };
            let Some(Stored::Event(event)) = record.and_then(Stored::of) else { continue };
            if self.is_any_owed(position + 1..position + u64::from(event.width()))? {
                return Ok(true);
            }
            for run in position + 1..=position + event.routes.handlers.len() as u64 {
                let Some(events) = self.added_by(run)? else { return Ok(true) };
                waiting.extend(events);
            }
        }
        Ok(!waiting.is_empty())
    }

    /// The events that the latest tries of a work added; `None` if that can't be read.
    fn added_by(&self, work: u64) -> Result<Option<Vec<u64>>, Failure> {
        let mut events = Vec::new();
        let mut next = self.standing(work)?.and_then(|standing| standing.last);
        for _ in 0..BROUGHT_MAX {
            let Some(position) = next else { break };
            let record = self.damages.pass(self.reader.record(&self.log, position))?;
            let Some(record) = record else { return Ok(None) };
            next = match record {
                Some(Record::Try(tried)) => {
                    events.extend(tried.events);
                    tried.previous
                }
                Some(Record::Reopening(reopening)) => reopening.previous,
                _ => break,
            };
        }
        Ok(Some(events))
    }
}

/// How far the store had counted when it stored a record that says when that was.
fn written_at(entry: &Entry<'_>, tag: u32, line: &Line) -> Option<Timestamp> {
    let said = Record::skim(entry, tag).ok()?.written_at()?;
    Some(line.counted(entry.position, said))
}

/// A record that can't be read, to be kept until somebody can.
fn as_it_is(entry: &Entry<'_>) -> Item {
    let Entry { position, width, kind, bytes } = *entry;
    Item { position, width, kind, bytes: bytes.to_vec(), due: Timestamp::MAX }
}

fn adds_nothing(tried: &TryRecord<'_>) -> bool {
    let wrote = tried.state.as_deref().is_some_and(StateRecord::writes);
    !wrote && tried.events.is_empty() && tried.parcels.is_empty() && tried.alerts.is_empty()
}
