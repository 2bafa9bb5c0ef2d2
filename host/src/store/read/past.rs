//! What is recorded, oldest first, for whoever runs it again: receipts, events and tries, what each
//! try came to, and what handlers remember.
//!
//! Reads an unchanging view: of a store at work, or of the files of one that nobody has open, as
//! its last checkpoint left them. What was removed meanwhile reads as gone. Values that handlers
//! remember may be secret: they are for the same handlers and for nobody else. Never writes, and
//! never judges what it reads.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::snapshot::{CLOCK_SLACK, TimedLog, events_gone};
use crate::effect::{Alert, LogLine, StateHash};
use crate::event::{Timestamp, in_millis};
use crate::ids::{Id, IdKind, Name};
use crate::retry::{Outcome, Verdict};
use crate::store::damage::Damages;
use crate::store::endpoints::EndpointRows;
use crate::store::error::{Damaged, Error, Failure};
use crate::store::facts::{PluginStamp, Receipt, StoredEvent, StoredParcel};
use crate::store::file::failure::unbroken;
use crate::store::file::inspection::Inspection;
use crate::store::file::kept_rows::Kept;
use crate::store::file::view::{Outcomes, Segments, States, View};
use crate::store::file::volumes::{Point, Scanned};
use crate::store::file::{self, OpenError, file_in};
use crate::store::kind::WorkKind;
use crate::store::log::reader::LogReader;
use crate::store::log::record::{Record, TryRecord};
use crate::store::log::segment::{Entry, RecordKind, Segment};
use crate::store::owed::standing::Standing;
use crate::store::owed::works::work_id;
use crate::store::time::line::Line;
use crate::store::volume_keys::VolumeKeys;
use crate::store::{Store, state};

/// Most records of one work's history that are read for the number of one of its tries.
const HISTORY_MAX: usize = 200;

/// What is recorded, in one unchanging view. It keeps removed volumes and old pages of the file
/// alive: whoever reads for long lets it go every few seconds, and goes on with
/// [one that is renewed](Past::renewed). Positions stay what they are.
#[derive(Debug)]
pub struct Past {
    of: Arc<Of>,
    tag: u32,
    log: Segments,
    outcomes: Outcomes,
    states: States,
    reader: LogReader,
    line: Line,
    end: u64,
    is_cut: bool,
    is_behind: bool,
}

/// Whose past it is.
#[derive(Debug)]
enum Of {
    /// Of a store at work.
    Running(Store),
    /// Of files that nobody else has open meanwhile.
    Stopped(Inspection),
}

/// Something that is recorded.
#[derive(Debug)]
pub enum PastItem {
    /// A request that was accepted.
    Receipt(Receipt),
    /// An event, without its data: [`Past::event_of`] reads all of it.
    Event(StoredEvent),
    /// A try of a parse or a run.
    Try(Box<PastTry>),
    /// What stands at this position can't be read.
    Damaged(u64),
}

impl PastItem {
    /// Where it stands.
    pub fn position(&self) -> u64 {
        match self {
            Self::Receipt(receipt) => receipt.id.position,
            Self::Event(event) => event.id.position,
            Self::Try(tried) => tried.position,
            Self::Damaged(position) => *position,
        }
    }
}

/// One try of a parse or a run, as it is recorded.
#[derive(Debug)]
pub struct PastTry {
    /// Where it stands: what stands before it was committed before it.
    pub position: u64,
    /// The receipt or the run.
    pub work: Id,
    /// Whether it is a parse or a run.
    pub kind: WorkKind,
    /// When it began, by the clock.
    pub at: Timestamp,
    /// The same as the store counts, by which it says how old things are.
    pub counted: Timestamp,
    /// How long it took.
    pub duration: Duration,
    /// The plugin that ran; `None` if none was loaded.
    pub plugin: Option<PluginStamp>,
    /// How it ended.
    pub outcome: Outcome,
    /// What followed.
    pub verdict: Verdict,
    /// What the plugin logged.
    pub log: Vec<LogLine>,
    /// What the operator should see.
    pub alerts: Vec<Alert>,
    /// The events that it added.
    pub events: Vec<Id>,
    /// The deliveries of the parcels that it sent.
    pub parcels: Vec<Id>,
    /// Whose state it wrote or read; empty if it did neither.
    pub scope: String,
    /// The keys that it set or deleted (`None`), each once, in the order of keys.
    pub writes: Vec<(String, Option<Bytes>)>,
    /// Of what it read of the state before, if it read any and is done.
    pub state_read: Option<StateHash>,
    /// The record before this one in the history of the work.
    previous: Option<u64>,
}

/// How a work ended.
#[derive(Debug)]
pub enum PastEnd {
    /// It has not: it waits for its first try, or for another one.
    Open,
    /// It has, and the record of its last try is not kept any more.
    Expired,
    /// With this try.
    Ended(Box<PastTry>),
}

/// What a try added.
#[derive(Debug)]
pub struct Recorded {
    /// The events, in the order in which it added them.
    pub events: Vec<StoredEvent>,
    /// The parcels, in the same order.
    pub parcels: Vec<StoredParcel>,
    /// Whether that is all that it added: a part of it may not be kept any more.
    pub is_whole: bool,
}

impl Store {
    /// What is recorded up to now.
    pub async fn past(&self) -> Result<Past, Error> {
        let store = self.clone();
        self.aside(move |_| Ok(Past::look(Arc::new(Of::Running(store)))?)).await
    }
}

impl Past {
    /// What is recorded in the store of this folder, which may be a backup. Changes nothing in it.
    /// An error says why it can't be read: a gateway that runs on it is one.
    pub fn of_folder(folder: &Path) -> Result<Self, OpenError> {
        Self::of_folder_with(folder, &VolumeKeys::default())
    }

    /// The same where volumes may be encrypted.
    pub fn of_folder_with(folder: &Path, keys: &VolumeKeys) -> Result<Self, OpenError> {
        let inspection = Inspection::open_with(folder, keys)?;
        let past = unbroken(move || Ok(Self::look(Arc::new(Of::Stopped(inspection)))?));
        past.map_err(|source| OpenError::because(&file_in(folder), source))
    }

    /// The same up to now. A folder has nothing new.
    pub fn renewed(&self) -> Result<Self, Error> {
        self.told(Self::look(Arc::clone(&self.of)))
    }

    fn look(of: Arc<Of>) -> Result<Self, Failure> {
        let (view, tag, now, is_behind) = match &*of {
            Of::Running(store) => {
                let shared = &store.handle.shared;
                // Before the view: it only grows.
                let now = shared.clock.times().counted;
                (shared.file.read()?, shared.file.tag, now, false)
            }
            Of::Stopped(inspection) => {
                let view = inspection.view()?.ok_or(Damaged { position: 0 })?;
                let applied = inspection.applied()?.unwrap_or(Point::START);
                let mut frames = inspection.volumes.frames_from(applied);
                let is_behind = frames.any(|it| matches!(it, Ok(Scanned::Frame(_))));
                (view, inspection.tag, Timestamp::MAX, is_behind)
            }
        };
        Self::of(of, &view, (tag, now, is_behind))
    }

    fn of(
        of: Arc<Of>,
        view: &View,
        (tag, now, is_behind): (u32, Timestamp, bool),
    ) -> Result<Self, Failure> {
        let log = view.log()?;
        Ok(Self {
            of,
            tag,
            outcomes: view.outcomes()?,
            states: view.state_rows()?,
            reader: LogReader::new(tag),
            line: Line::read(view, now)?,
            end: view.fact(file::END)?.unwrap_or(0),
            is_cut: events_gone(view, &log)? > file::FIRST_POSITION,
            is_behind,
            log,
        })
    }

    /// Nothing is recorded at this position or behind it.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Whether something of the beginning was kept long enough, and is gone.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Whether the log of a folder goes on behind the last checkpoint, with what is not seen here:
    /// the gateway on it was killed, or the backup was made while it ran.
    pub fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// Nothing that was recorded at this time or later stands before this position.
    pub fn begin_at(&self, time: Timestamp) -> Result<u64, Error> {
        let damages = Damages::default();
        let timed = TimedLog { log: &self.log, tag: self.tag, damages: &damages };
        self.told(timed.begin_at(Timestamp(time.0.saturating_sub(in_millis(CLOCK_SLACK)))))
    }

    /// Visits what is recorded from a position on, oldest first, until the visitor breaks or there
    /// is no more. Gives the position where to go on.
    pub fn walk(
        &self,
        from: u64,
        visit: &mut dyn FnMut(PastItem) -> ControlFlow<()>,
    ) -> Result<u64, Error> {
        self.told(self.walk_from(from, visit))
    }

    fn walk_from(
        &self,
        from: u64,
        visit: &mut dyn FnMut(PastItem) -> ControlFlow<()>,
    ) -> Result<u64, Failure> {
        if from >= self.end {
            return Ok(from);
        }
        let first = self.log.key_up_to(from)?.unwrap_or(from);
        for row in self.log.within(first..self.end)? {
            let (key, segment) = row?;
            let Ok(segment) = segment else {
                // Nobody knows how far it reaches.
                if key >= from && visit(PastItem::Damaged(key)).is_break() {
                    return Ok(key + 1);
                }
                continue;
            };
            for entry in segment.entries().filter(|entry| entry.position >= from) {
                let Some(item) = self.item(&entry, &segment)? else { continue };
                if visit(item).is_break() {
                    return Ok(entry.position + u64::from(entry.width));
                }
            }
        }
        Ok(self.end)
    }

    fn item(&self, entry: &Entry<'_>, segment: &Segment) -> Result<Option<PastItem>, Failure> {
        use RecordKind::{BareReceipt, Event, Receipt, Try};

        if !matches!(entry.kind, Receipt | BareReceipt | Event | Try) {
            return Ok(None);
        }
        Ok(match Record::skim(entry, self.tag) {
            Ok(Record::Receipt(receipt)) => Some(PastItem::Receipt(receipt)),
            Ok(Record::Event(event)) => Some(PastItem::Event(event)),
            Ok(Record::Try(record)) => {
                let tried = self.tried(entry.position, record, Some(segment))?;
                Some(PastItem::Try(Box::new(tried)))
            }
            Ok(_) => None,
            Err(Damaged { position }) => Some(PastItem::Damaged(position)),
        })
    }

    /// The try that a record tells of; `near` is the segment that it stands in, if that is at hand.
    fn tried(
        &self,
        position: u64,
        record: TryRecord<'static>,
        near: Option<&Segment>,
    ) -> Result<PastTry, Failure> {
        let TryRecord { work, previous, at, duration, plugin, outcome, verdict, .. } = record;
        let kind = self.kind(work, near)?;
        let id = |kind: WorkKind, position: u64| work_id(kind, position, self.tag);
        // What stands there for one that is dead only makes room for its reason.
        let is_done = verdict == Verdict::Done;
        let state = record.state.filter(|_| is_done);
        let (scope, writes) = state.map(|state| state.into_writes()).unwrap_or_default();
        let event = |position: u64| Id { kind: IdKind::Event, ..id(kind, position) };
        Ok(PastTry {
            position,
            work: id(kind, work),
            kind,
            at,
            counted: self.line.counted(position, at),
            duration,
            plugin: plugin.map(Cow::into_owned),
            outcome: outcome.into_owned(),
            verdict,
            log: record.log.into_owned(),
            alerts: record.alerts.into_owned(),
            events: record.events.into_iter().map(event).collect(),
            parcels: record.parcels.into_iter().map(|it| id(WorkKind::Delivery, it)).collect(),
            scope,
            writes,
            state_read: record.state_read.filter(|_| is_done),
            previous,
        })
    }

    /// What kind of work stands there; a receipt that can't be read, or is gone, counts as a run
    /// on no event.
    fn kind(&self, work: u64, near: Option<&Segment>) -> Result<WorkKind, Failure> {
        let near = near.and_then(|segment| segment.find(work)).map(|entry| entry.kind);
        let kind = match near {
            Some(kind) => Some(kind),
            None => match self.reader.kind(&self.log, work) {
                Err(Failure::Damaged(_)) => None,
                kind => kind?,
            },
        };
        let is_receipt = matches!(kind, Some(RecordKind::Receipt | RecordKind::BareReceipt));
        Ok(if is_receipt { WorkKind::Parse } else { WorkKind::Run })
    }

    /// The event that a run is on; `None` if it is erased or not kept any more. One that can't be
    /// read is an [`Error::Damaged`].
    pub fn event_of(&self, run: Id) -> Result<Option<StoredEvent>, Error> {
        match self.told(self.reader.record(&self.log, run.position))? {
            Some(Record::Event(event)) => Ok(Some(event).filter(|event| !event.is_erased())),
            _ => Ok(None),
        }
    }

    /// How a parse or a run ended.
    pub fn end_of(&self, work: Id) -> Result<PastEnd, Error> {
        self.told(self.end_at(work.position))
    }

    fn end_at(&self, work: u64) -> Result<PastEnd, Failure> {
        let standing = Standing::at(&self.outcomes, work)?;
        if standing.is_open() {
            return Ok(PastEnd::Open);
        }
        let Some(last) = standing.last else { return Ok(PastEnd::Expired) };
        match self.reader.record(&self.log, last)? {
            Some(Record::Try(record)) => {
                Ok(PastEnd::Ended(Box::new(self.tried(last, record, None)?)))
            }
            _ => Ok(PastEnd::Expired),
        }
    }

    /// The number of a try, 1 for the first since its work was opened or opened again, and whether
    /// it was opened again before. As far as the history is kept.
    pub fn number_of(&self, tried: &PastTry) -> Result<(u32, bool), Error> {
        self.told(self.numbered(tried))
    }

    fn numbered(&self, tried: &PastTry) -> Result<(u32, bool), Failure> {
        let mut next = tried.previous;
        if next.is_none() {
            return Ok((1, false));
        }
        // It counts on where tries are not kept any more.
        match Standing::at(&self.outcomes, tried.work.position) {
            Ok(standing) if standing.last == Some(tried.position) => {
                return Ok((standing.tries_made.max(1), standing.reopened > 0));
            }
            Ok(_) | Err(Failure::Damaged(_)) => (),
            Err(failure) => return Err(failure),
        }
        let mut number = 1;
        for _ in 0..HISTORY_MAX {
            let Some(position) = next else { break };
            next = match self.reader.record(&self.log, position) {
                Ok(Some(Record::Try(before))) => {
                    number += 1;
                    before.previous
                }
                Ok(Some(Record::Reopening(_))) => return Ok((number, true)),
                Ok(_) | Err(Failure::Damaged(_)) => None,
                Err(failure) => return Err(failure),
            };
        }
        Ok((number, false))
    }

    /// What a try added. What can't be read of it is an [`Error::Damaged`].
    pub fn recorded(&self, tried: &PastTry) -> Result<Recorded, Error> {
        self.told(self.added_by(tried))
    }

    fn added_by(&self, tried: &PastTry) -> Result<Recorded, Failure> {
        let mut added = Recorded { events: Vec::new(), parcels: Vec::new(), is_whole: true };
        for id in &tried.events {
            match self.reader.record(&self.log, id.position)? {
                Some(Record::Event(event)) => added.events.push(event),
                _ => added.is_whole = false,
            }
        }
        for id in &tried.parcels {
            match self.reader.record(&self.log, id.position)? {
                Some(Record::Parcel(parcel)) => added.parcels.push(parcel),
                _ => added.is_whole = false,
            }
        }
        Ok(added)
    }

    /// The value that a handler has now under this key for this scope, and when it was set as the
    /// store counts; zero if an older Hookgate set it.
    pub fn state_now(
        &self,
        handler: &Name,
        scope: &str,
        key: &str,
    ) -> Result<Option<(Timestamp, Bytes)>, Error> {
        self.told(self.state_row(&state::key(handler, scope, key)))
    }

    fn state_row(&self, key: &[u8]) -> Result<Option<(Timestamp, Bytes)>, Failure> {
        let Some(row) = self.states.get(key)? else {
            let old = self.states.get(state::old(key))?;
            return Ok(old.map(|value| (Timestamp(0), value)));
        };
        let read = state::written_at(key, &row).zip(state::value(key, &row));
        // It stands at no position.
        Ok(Some(read.ok_or(Damaged { position: 0 })?))
    }

    /// All that the store knows of endpoints, without those that can't be read.
    pub fn endpoints(&self) -> Result<EndpointRows, Error> {
        self.told(self.endpoint_rows())
    }

    fn endpoint_rows(&self) -> Result<EndpointRows, Failure> {
        let view = match &*self.of {
            Of::Running(store) => store.handle.shared.file.read()?,
            Of::Stopped(inspection) => inspection.view()?.ok_or(Damaged { position: 0 })?,
        };
        EndpointRows::read(&view.kept(Kept::Endpoints)?, self.tag, &Damages::default())
    }

    /// If the files of a store at work could not be read, its writer looks after them.
    fn told<T>(&self, read: Result<T, Failure>) -> Result<T, Error> {
        let read = read.map_err(Error::from);
        match &*self.of {
            Of::Running(store) => store.noting(read),
            Of::Stopped(_) => read,
        }
    }
}
