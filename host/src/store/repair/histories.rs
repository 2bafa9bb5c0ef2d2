//! How works stand by the records of their histories.
//!
//! A try, an attempt or a reopening names its work and says what followed, and the last one in the
//! log decides. What a redo said of a work counts where no later record is there. Never decides on
//! a work that has no history. The same records say what runs have set of the state of handlers.

use std::collections::BTreeMap;

use super::BATCH;
use super::ages::Ages;
use crate::event::Timestamp;
use crate::ids::Name;
use crate::retry::Verdict;
use crate::store::damage::Damages;
use crate::store::error::Failure;
use crate::store::file::rebuild::Rebuild;
use crate::store::file::view::Segments;
use crate::store::kind::WorkKind;
use crate::store::log::reader::LogReader;
use crate::store::log::record::{Record, StateRecord, TryRecord};
use crate::store::owed::standing::{Progress, Standing};

/// What a record of history says of its work.
#[derive(Debug, Clone, Copy)]
struct Said {
    work: u64,
    /// Where the record stands.
    position: u64,
    /// Where the one before it in the history stood.
    previous: Option<u64>,
    /// What followed; `None` if the work was opened again.
    verdict: Option<Verdict>,
}

/// What a run has set and deleted of its state.
type Wrote = (u64, Timestamp, Box<StateRecord<'static>>);

/// The histories in a log.
#[derive(Debug)]
pub(super) struct Histories {
    tag: u32,
    damages: Damages,
    reader: LogReader,
    ages: Ages,
    stood: u64,
    lost: u64,
}

impl Said {
    fn of(position: u64, record: &Record) -> Option<Self> {
        let (work, previous, verdict) = match record {
            Record::Try(tried) => (tried.work, tried.previous, Some(tried.verdict)),
            Record::Attempt(attempt) => (attempt.work, attempt.previous, Some(attempt.verdict)),
            Record::Reopening(reopening) => (reopening.work, reopening.previous, None),
            _ => return None,
        };
        Some(Self { work, position, previous, verdict })
    }
}

impl Histories {
    pub(super) fn new(tag: u32) -> Self {
        Self {
            tag,
            damages: Damages::default(),
            reader: LogReader::new(tag),
            ages: Ages::default(),
            stood: 0,
            lost: 0,
        }
    }

    /// When what is in the log was written.
    pub(super) fn into_ages(self) -> Ages {
        self.ages
    }

    /// How many works stand as their histories say.
    pub(super) fn stood(&self) -> u64 {
        self.stood
    }

    /// How many have a history, and no record of their own.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    /// Reads all of the log, and puts how its works stand.
    pub(super) fn put(&mut self, rebuild: &Rebuild) -> Result<(), Failure> {
        let (mut said, mut wrote) = (Vec::new(), Vec::new());
        for row in rebuild.view()?.log()?.within(..)? {
            let (_, segment) = row?;
            let Some(segment) = self.damages.pass(segment)? else { continue };
            for entry in segment.entries() {
                let record = self.damages.pass(Record::skim(&entry, self.tag))?;
                let Some(record) = record else { continue };
                if let Some(at) = record.written_at() {
                    self.ages.note(entry.position, at);
                }
                said.extend(Said::of(entry.position, &record));
                if let Record::Try(TryRecord { work, at, state: Some(state), .. }) = record
                    && state.writes()
                {
                    wrote.push((work, at, state));
                }
            }
            // No more of it is in memory than a segment holds.
            self.recall(rebuild, &std::mem::take(&mut wrote))?;
            if said.len() >= BATCH {
                self.stand(rebuild, &std::mem::take(&mut said))?;
            }
        }
        self.stand(rebuild, &said)
    }

    /// Puts what runs have set of their state, oldest first.
    fn recall(&self, rebuild: &Rebuild, wrote: &[Wrote]) -> Result<(), Failure> {
        if wrote.is_empty() {
            return Ok(());
        }
        let log = rebuild.view()?.log()?;
        let mut rows = Vec::new();
        for (work, at, state) in wrote {
            if let Some(handler) = self.handler(&log, *work)? {
                rows.extend(state.rows(&handler, *at));
            }
        }
        rebuild.recall(rows)
    }

    /// The handler of a run; `None` if the log does not have it.
    fn handler(&self, log: &Segments, run: u64) -> Result<Option<Name>, Failure> {
        let record = self.damages.pass(self.reader.skim(log, run))?.flatten();
        let Some(Record::Event(event)) = record else { return Ok(None) };
        let index = (run - event.id.position).checked_sub(1);
        let index = index.and_then(|index| usize::try_from(index).ok());
        Ok(index.and_then(|index| event.routes.handlers.get(index)).cloned())
    }

    /// Puts how works stand after what was said of them, oldest first.
    fn stand(&mut self, rebuild: &Rebuild, said: &[Said]) -> Result<(), Failure> {
        let view = rebuild.view()?;
        let (log, outcomes) = (view.log()?, view.outcomes()?);
        let mut standings = BTreeMap::<u64, Standing>::new();
        for Said { work, position, previous, verdict } in said.iter().copied() {
            let known = match standings.get(&work) {
                Some(standing) => *standing,
                None => {
                    let found = self.damages.pass(Standing::find(&outcomes, work))?;
                    found.flatten().unwrap_or_default()
                }
            };
            if known.last.is_some_and(|last| last >= position) {
                continue;
            }
            // What stood before it is gone, and may have been a replay.
            let known = if known.last == previous { known } else { known.untold() };
            let after = match verdict {
                Some(verdict) => known.tried(verdict, position),
                None => known.reopened_by(position),
            };
            standings.insert(work, after);
        }
        let mut works = Vec::with_capacity(standings.len());
        for (work, standing) in standings {
            let Some(kind) = self.kind(&log, work)? else {
                self.lost += 1;
                continue;
            };
            let letter = (standing.progress == Progress::Dead).then_some(kind as u8);
            works.push((work, standing.write(work), letter));
        }
        self.stood += works.len() as u64;
        rebuild.stand(works)
    }

    /// The kind of a work; `None` if the log does not have it.
    fn kind(&self, log: &Segments, work: u64) -> Result<Option<WorkKind>, Failure> {
        let record = self.damages.pass(self.reader.skim(log, work))?.flatten();
        Ok(match record {
            Some(Record::Receipt(_)) => Some(WorkKind::Parse),
            Some(Record::Parcel(_)) => Some(WorkKind::Delivery),
            Some(Record::Event(event)) => {
                let offset = work - event.id.position;
                let runs = event.routes.handlers.len() as u64;
                match offset {
                    0 => None,
                    _ if offset <= runs => Some(WorkKind::Run),
                    _ => Some(WorkKind::Delivery),
                }
            }
            _ => None,
        })
    }
}
