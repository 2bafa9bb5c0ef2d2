//! Events as they come and as they are replayed, and deliveries as their attempts end: from a place
//! in the log on, oldest first.
//!
//! Whoever follows asks again and again, each time from where the last look ended. All positions
//! before that were looked at, and what comes later stands behind it, so nothing is missed and
//! nothing comes twice. What a sweep has removed meanwhile is told as a gap. Never waits: who does
//! is woken by [`Growth`].

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::times::{CLOCK_SLACK, SEGMENTS_MIN};
use super::{LIST_TIME, Snapshot};
use crate::event::{Timestamp, in_millis};
use crate::ids::{Id, IdKind, Name};
use crate::store::Store;
use crate::store::error::{Error, Failure};
use crate::store::facts::StoredEvent;
use crate::store::file;
use crate::store::file::view::{Segments, View};
use crate::store::kind::WorkKind;
use crate::store::log::record::{Record, ReopeningRecord};
use crate::store::log::segment::{Entry, RecordKind};
use crate::store::owed::backlog::OpenWork;
use crate::store::owed::works::{Stored, work_id};
use crate::store::read::cursor::{Cursor, List};
use crate::store::read::filter::{DeliveryFilter, EventFilter, StreamFilter};
use crate::store::read::view::{DamagedItem, DeliverySummary, StreamedEvent};

/// Nothing has stood within so many positions: a store that was restored or repaired goes on that
/// far behind what it may have lost.
const LOST_WIDTH: u64 = file::UNREAD_WIDTH / 2;

/// A look with so much data of events ends: many may look at a time.
const DATA_BYTES_MAX: usize = 1 << 20;

/// Who follows what, and how far.
#[derive(Debug, Clone)]
pub struct Following {
    what: Followed,
    list: List,
    /// All positions before this were looked at.
    from: u64,
    /// The removed events before this position are told; `None` before the first look of one who
    /// has no cursor, and so misses nothing.
    told: Option<u64>,
    /// The event that was replayed last, and when: its works are opened one after the other.
    replayed: Option<(Id, Timestamp)>,
}

/// What somebody follows.
#[derive(Debug, Clone)]
enum Followed {
    Events(Box<StreamFilter>),
    Deliveries(Box<DeliveryFilter>),
}

/// What came since the last look.
#[derive(Debug, Clone)]
pub struct News {
    /// Why events may be missing before all others of these, if they may.
    pub gap: Option<Gap>,
    /// Oldest first, each with where to go on behind it.
    pub events: Vec<(StreamedEvent, Cursor)>,
    /// The same of deliveries, each as it stood when an attempt had ended, or as it ended.
    pub deliveries: Vec<(DeliverySummary, Cursor)>,
    /// What lies among them and can't be read.
    pub damaged: Vec<DamagedItem>,
    /// Whether that is all that there is now.
    pub is_all: bool,
    /// Who follows, as far as that is then.
    pub then: Following,
    /// How much data the events have.
    data_bytes: usize,
}

/// Why events may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// A sweep has removed events behind the cursor.
    Removed,
    /// A sweep has removed tries, and so maybe replays of events that are still there.
    ReplaysRemoved,
    /// The store was restored from a backup, or repaired, and may have lost what stood here.
    Behind,
}

/// Wakes whoever follows.
#[derive(Debug)]
pub struct Growth(watch::Receiver<()>);

impl Growth {
    /// Resolves when something was committed since it resolved last, or since this was made.
    pub async fn grown(&mut self) {
        // The sender lives as long as the store.
        drop(self.0.changed().await);
    }
}

impl Following {
    /// Where it goes on; `None` as long as nobody has looked where it begins.
    pub fn cursor(&self) -> Option<Cursor> {
        self.told.map(|_| Cursor::new(self.list, self.from))
    }

    /// From now on only deliveries to these endpoints count for the states of events; without them
    /// all works do.
    pub fn count(&mut self, counted: Option<Arc<BTreeSet<Name>>>) {
        if let Followed::Events(filter) = &mut self.what {
            filter.events.counted = counted;
        }
    }
}

impl News {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        let has_come = !self.events.is_empty() || !self.deliveries.is_empty();
        self.gap.is_none() && !has_come && self.damaged.is_empty()
    }
}

impl Store {
    /// Follows the events that match, by all but their state and `before`: from this cursor of the
    /// same filter on, else from `after` on, else from now on. Another's cursor is an
    /// [`Error::ForeignCursor`].
    pub fn follow(
        &self,
        filter: impl Into<StreamFilter>,
        cursor: Option<Cursor>,
    ) -> Result<Following, Error> {
        let StreamFilter { events, types, is_with_replays, is_with_data } = filter.into();
        let events = EventFilter { state: None, before: None, ..events };
        let filter = StreamFilter { events, types, is_with_replays, is_with_data };
        let (list, after) = (filter.stream(), filter.events.after);
        self.following(Followed::Events(filter.into()), list, (after, cursor))
    }

    /// Follows the deliveries that match, by all but `before`, as their attempts end: in the same
    /// way.
    pub fn follow_deliveries(
        &self,
        filter: DeliveryFilter,
        cursor: Option<Cursor>,
    ) -> Result<Following, Error> {
        let filter = DeliveryFilter { before: None, ..filter };
        let (list, after) = (filter.stream(), filter.after);
        self.following(Followed::Deliveries(filter.into()), list, (after, cursor))
    }

    /// From a cursor on, else from `after` on, else from now on.
    fn following(
        &self,
        what: Followed,
        list: List,
        (after, cursor): (Option<Timestamp>, Option<Cursor>),
    ) -> Result<Following, Error> {
        if let Some(cursor) = cursor {
            cursor.check(list)?;
            let (from, told) = (cursor.before(), Some(0));
            return Ok(Following { what, list, from, told, replayed: None });
        }
        let (from, told) = match after {
            Some(_) => (0, None),
            None => {
                let end = self.reached();
                (end, Some(end))
            }
        };
        Ok(Following { what, list, from, told, replayed: None })
    }

    /// What came since the last look: about as many events as `limit`, for a bounded time.
    pub async fn news(&self, following: &Following, limit: usize) -> Result<News, Error> {
        let following = following.clone();
        // Before the view: what stands before it is there.
        let reached = self.reached();
        self.ask_view(move |snapshot| snapshot.news(following, (reached, limit), LIST_TIME)).await
    }

    /// All positions before this are given out, and what is committed there can be read.
    fn reached(&self) -> u64 {
        self.handle.shared.end.load(Ordering::Acquire)
    }

    /// Wakes whoever follows. To miss nothing, ask for it before the first look.
    pub fn growth(&self) -> Growth {
        Growth(self.handle.shared.grown.listen())
    }
}

/// Every event that was removed stood before this position.
pub(in crate::store) fn events_gone(view: &View, log: &Segments) -> Result<u64, Failure> {
    match view.fact(file::EVENTS_GONE)? {
        Some(gone) => Ok(gone),
        // Nobody has noted it yet: an older Hookgate may have removed all that is not there.
        None => Ok(log.first_key()?.unwrap_or(0)),
    }
}

impl Snapshot<'_> {
    fn news(
        &self,
        following: Following,
        (reached, limit): (u64, usize),
        time: Duration,
    ) -> Result<News, Failure> {
        let started = Instant::now();
        let gone = events_gone(&self.view, &self.log)?;
        let end = self.view.fact(file::END)?.unwrap_or(0).max(reached);
        let from = self.begin(&following)?.min(end);
        let is_behind = following.from > end;
        let is_removed = following.told.is_some_and(|told| told < gone) && from < gone;
        let mut news = News {
            gap: is_removed.then_some(Gap::Removed).or(is_behind.then_some(Gap::Behind)),
            events: Vec::new(),
            deliveries: Vec::new(),
            damaged: Vec::new(),
            is_all: false,
            then: Following { told: Some(gone), from, ..following },
            data_bytes: 0,
        };
        // All before this was there, or is told to be removed.
        let mut whole_to = from.max(gone);
        for (looked_at, row) in self.log.within(self.key_at(from)?..end)?.enumerate() {
            let (first, segment) = row?;
            if !news.pass(whole_to..first) {
                return Ok(news);
            }
            whole_to = whole_to.max(first);
            if looked_at >= SEGMENTS_MIN && started.elapsed() >= time {
                news.then.from = from.max(first);
                return Ok(news);
            }
            let segment = self.readable(segment, None, &mut news.damaged)?;
            let Some(segment) = segment else { continue };
            for entry in segment.entries().filter(|entry| entry.position >= from) {
                if !news.pass(whole_to..entry.position) {
                    return Ok(news);
                }
                let is_full = news.events.len() + news.deliveries.len() >= limit;
                if is_full || news.data_bytes >= DATA_BYTES_MAX {
                    news.then.from = entry.position;
                    return Ok(news);
                }
                self.add_news(&entry, segment.first(), &mut news)?;
                whole_to = whole_to.max(entry.position + 1);
            }
        }
        if !news.pass(whole_to..end) {
            return Ok(news);
        }
        (news.is_all, news.then.from) = (true, end);
        Ok(news)
    }

    /// Where a look begins.
    fn begin(&self, following: &Following) -> Result<u64, Failure> {
        let after = match &following.what {
            Followed::Events(filter) => filter.events.after,
            Followed::Deliveries(filter) => filter.after,
        };
        match (following.told, after) {
            (None, Some(after)) => {
                self.begin_at(Timestamp(after.0.saturating_sub(in_millis(CLOCK_SLACK))))
            }
            _ => Ok(following.from),
        }
    }

    /// What an entry tells, which is in the segment with this key.
    fn add_news(&self, entry: &Entry<'_>, first: u64, news: &mut News) -> Result<(), Failure> {
        let (position, tag) = (entry.position, self.tag());
        let cursor = Cursor::new(news.then.list, position + 1);
        match (&news.then.what, entry.kind) {
            (Followed::Events(filter), RecordKind::Event) => {
                let record = self.readable(Record::skim(entry, tag), None, &mut news.damaged)?;
                let Some(Record::Event(event)) = record else { return Ok(()) };
                let id = Id { kind: IdKind::Event, position, tag };
                let shown = self.stored_now(entry, &event, filter);
                let shown = self.readable(shown, Some(id), &mut news.damaged)?.flatten();
                news.add_event(shown, cursor);
            }
            (Followed::Events(filter), RecordKind::Reopening) if filter.is_with_replays => {
                let record = self.readable(Record::read(entry, tag), None, &mut news.damaged)?;
                let Some(Record::Reopening(record)) = record else { return Ok(()) };
                let shown = self.replayed_now(&record, filter, news.then.replayed);
                let shown = self.readable(shown, None, &mut news.damaged)?.flatten();
                let replayed = shown.as_ref().map(|event| (event.summary.id, record.at));
                news.then.replayed = replayed.or(news.then.replayed);
                news.add_event(shown, cursor);
            }
            (Followed::Events(filter), RecordKind::Gap)
                if filter.is_with_replays && self.is_packed(first)? =>
            {
                news.gap = news.gap.or(Some(Gap::ReplaysRemoved));
            }
            (Followed::Deliveries(filter), RecordKind::Attempt) => {
                let record = self.readable(Record::read(entry, tag), None, &mut news.damaged)?;
                let Some(Record::Attempt(record)) = record else { return Ok(()) };
                let shown = self.attempted(position, &record, filter);
                let shown = self.readable(shown, None, &mut news.damaged)?.flatten();
                news.deliveries.extend(shown.map(|delivery| (delivery, cursor)));
            }
            _ => (),
        }
        Ok(())
    }

    /// Whether a sweep has packed the segment with this key: only then may a gap in it be where
    /// something stood. Others are as long as what has a number and no record.
    fn is_packed(&self, first: u64) -> Result<bool, Failure> {
        let Some(swept) = self.view.swept()? else { return Ok(false) };
        Ok(swept.within(first..=first)?.next().transpose()?.is_some())
    }

    /// An event that was stored here, if it matches. `event` is without its data.
    fn stored_now(
        &self,
        entry: &Entry<'_>,
        event: &StoredEvent,
        filter: &StreamFilter,
    ) -> Result<Option<StreamedEvent>, Failure> {
        // One that is erased goes nowhere any more: there is nothing to send.
        let is_blank = filter.is_with_data && event.is_erased();
        if is_blank || !filter.has_type(&event.event.event_type) {
            return Ok(None);
        }
        let Some(summary) = self.summary(event, &filter.events)? else { return Ok(None) };
        let event =
            match filter.is_with_data.then(|| Record::read(entry, self.tag())).transpose()? {
                Some(Record::Event(whole)) => Some(whole.event.as_ref().into()),
                _ => None,
            };
        Ok(Some(StreamedEvent { summary, replayed_at: None, event }))
    }

    /// The event of a run or a delivery that was opened again, if it matches, and this is not the
    /// next work of the same event that came last. What a run sent by itself is no event.
    fn replayed_now(
        &self,
        record: &ReopeningRecord,
        filter: &StreamFilter,
        last: Option<(Id, Timestamp)>,
    ) -> Result<Option<StreamedEvent>, Failure> {
        if filter.events.after.is_some_and(|after| record.at < after) {
            return Ok(None);
        }
        let find = |kind| self.find(work_id(kind, record.work, self.tag()));
        let found = match find(WorkKind::Run)? {
            None => find(WorkKind::Delivery)?,
            found => found,
        };
        let Some(Stored::Event(stored)) = &found else { return Ok(None) };
        let is_blank = filter.is_with_data && stored.is_erased();
        let is_told = last == Some((stored.id, record.at));
        if is_blank || is_told || !filter.has_type(&stored.event.event_type) {
            return Ok(None);
        }
        // To whom only some deliveries count, no other work was replayed.
        if let Some(counted) = &filter.events.counted {
            let works =
                found.as_ref().and_then(|it| it.work_at(record.work, &self.shared.order_keys));
            let is_own =
                |work: OpenWork| work.kind == WorkKind::Delivery && counted.contains(&work.group);
            if !works.is_some_and(is_own) {
                return Ok(None);
            }
        }
        let Some(summary) = self.summary(stored, &filter.of_replays())? else { return Ok(None) };
        let event = filter.is_with_data.then(|| stored.event.as_ref().into());
        Ok(Some(StreamedEvent { summary, replayed_at: Some(record.at), event }))
    }
}

impl News {
    /// Passes positions in which nothing stands, and tells of them where something may have stood.
    /// What came before is told first: then this is `false`, and the next look begins there.
    fn pass(&mut self, unread: Range<u64>) -> bool {
        let is_lost = unread.end.saturating_sub(unread.start) >= LOST_WIDTH;
        let has_come = !self.events.is_empty() || !self.deliveries.is_empty();
        if is_lost && has_come {
            self.then.from = unread.start;
            return false;
        }
        self.gap = self.gap.or(is_lost.then_some(Gap::Behind));
        true
    }

    fn add_event(&mut self, event: Option<StreamedEvent>, cursor: Cursor) {
        let Some(event) = event else { return };
        self.data_bytes += event.event.as_ref().map_or(0, |body| body.data.get().len());
        self.events.push((event, cursor));
    }
}
