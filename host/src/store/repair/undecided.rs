//! Works of which nothing tells any more whether they were done.
//!
//! A sweep removes the history of a finished work before it removes what the work is on. So a work
//! on a packed receipt, event or parcel that has neither a row nor a history was tried long ago or
//! never. It was never tried if what it is on is younger than attempts are kept, and nothing that
//! was packed is damaged; else the operator says what becomes of it. What no sweep has packed yet
//! still has its whole history, so a work on it without one is open. Never gives such a work out to
//! be done again by itself.

use std::time::Duration;

use super::ages::Ages;
use super::{BATCH, Undecided};
use crate::failure::{AttemptDetail, Reason};
use crate::retry::{Outcome, Verdict};
use crate::store::damage::Damages;
use crate::store::error::Failure;
use crate::store::file::death_rows::DEATHS_KNOWN;
use crate::store::file::rebuild::Rebuild;
use crate::store::kind::WorkKind;
use crate::store::log::record::{AttemptRecord, Record, TryRecord};
use crate::store::log::segment::{RecordKind, Segment, SegmentWriter};
use crate::store::owed::backlog::OrderKeys;
use crate::store::owed::standing::{Progress, Standing};
use crate::store::owed::works::Stored;
use crate::store::report::{Attempt, Try};
use crate::store::rows::Rows;

/// Why such a work is dead.
const REPAIRED: &str = "repaired";

/// The works, and what becomes of them.
#[derive(Debug)]
pub(super) struct UndecidedWorks {
    undecided: Undecided,
    /// How long attempts were kept.
    attempts: Option<Duration>,
    /// When what is in the log was written.
    ages: Ages,
    damages: Damages,
    keys: OrderKeys,
    count: u64,
}

/// Works without a row and without a history.
#[derive(Debug, Default)]
struct Found {
    undecided: Vec<(u64, WorkKind)>,
    /// Those that a sweep would not have left so if they were not done.
    done: Vec<u64>,
}

impl UndecidedWorks {
    pub(super) fn new(undecided: Undecided, attempts: Option<Duration>, ages: Ages) -> Self {
        let (damages, keys) = (Damages::default(), OrderKeys::default());
        Self { undecided, attempts, ages, damages, keys, count: 0 }
    }

    /// How many there were.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Decides on all of them.
    pub(super) fn put(&mut self, rebuild: &mut Rebuild) -> Result<(), Failure> {
        let view = rebuild.view()?;
        let (log, outcomes) = (view.log()?, view.outcomes()?);
        let Some(swept) = view.swept()? else { return Ok(()) };
        let mut found = Found::default();
        for packed in swept.within(..)? {
            let Some(segment) = log.get(packed?.first)? else { continue };
            let Some(segment) = self.damages.pass(segment)? else { continue };
            self.find(&segment, rebuild.tag, &outcomes, &mut found)?;
            if found.undecided.len() + found.done.len() >= BATCH {
                self.decide(rebuild, std::mem::take(&mut found))?;
            }
        }
        self.decide(rebuild, found)
    }

    fn find(
        &self,
        segment: &Segment,
        tag: u32,
        outcomes: &impl Rows,
        found: &mut Found,
    ) -> Result<(), Failure> {
        let is_new = |work| -> Result<bool, Failure> {
            let standing = self.damages.pass(Standing::find(outcomes, work))?;
            Ok(standing == Some(None))
        };
        for entry in segment.entries() {
            match entry.kind {
                // It lost its body because nothing needed it any more.
                RecordKind::BareReceipt => {
                    if is_new(entry.position)? {
                        found.done.push(entry.position);
                    }
                    continue;
                }
                RecordKind::Receipt | RecordKind::Event | RecordKind::Parcel => (),
                _ => continue,
            }
            let Some(record) = self.damages.pass(Record::skim(&entry, tag))? else { continue };
            if self.is_young(entry.position) {
                continue;
            }
            let Some(stored) = Stored::of(record) else { continue };
            for work in stored.works(&self.keys) {
                if is_new(work.entry.position)? {
                    found.undecided.push((work.entry.position, work.kind));
                }
            }
        }
        Ok(())
    }

    /// Whether no history of it can have been removed yet.
    fn is_young(&self, position: u64) -> bool {
        let written_at = self.ages.of(position);
        self.attempts.is_some_and(|kept| written_at.after(kept) > self.ages.newest())
    }

    fn decide(&mut self, rebuild: &mut Rebuild, found: Found) -> Result<(), Failure> {
        let Found { undecided, mut done } = found;
        self.count += undecided.len() as u64;
        match self.undecided {
            Undecided::Done => done.extend(undecided.into_iter().map(|(work, _)| work)),
            Undecided::Dead if undecided.is_empty() => (),
            Undecided::Dead => self.bury(rebuild, &undecided)?,
        }
        let is_done = Standing { progress: Progress::Done, ..Standing::default() }.untold();
        rebuild.stand(done.into_iter().map(|work| (work, is_done.write(work), None)))
    }

    /// Makes works dead letters, each with a record of its own that says why.
    fn bury(&self, rebuild: &mut Rebuild, works: &[(u64, WorkKind)]) -> Result<(), Failure> {
        let (at, duration, verdict) = (self.ages.newest(), Duration::ZERO, Verdict::Dead);
        let outcome = Outcome::Permanent { reason: REPAIRED.to_owned() };
        let reason = Some(Reason::Unreadable);
        let detail = AttemptDetail { reason, ..AttemptDetail::default() };
        let (status, answer) = (None, String::new());
        let attempt = Attempt { at, duration, status, answer, outcome, verdict, detail };
        let outcome = attempt.outcome.clone();
        let (plugin, log) = (None, Vec::new());
        let tried = Try { at, duration, plugin, outcome, verdict, log, reason };
        for part in works.chunks(BATCH) {
            let mut segment = SegmentWriter::new(rebuild.end());
            let mut stand = Vec::with_capacity(part.len());
            for (work, kind) in part.iter().copied() {
                let record = match kind {
                    WorkKind::Parse | WorkKind::Run => {
                        segment.push(RecordKind::Try, 1, &TryRecord::of(&tried, work, None))
                    }
                    WorkKind::Delivery => {
                        let record = AttemptRecord::of(&attempt, work, None);
                        segment.push(RecordKind::Attempt, 1, &record)
                    }
                };
                stand.push((work, kind, Standing::default().untold().tried(verdict, record)));
            }
            rebuild.commit(&mut segment, |tables| {
                // If this is cut short and somebody puts the old file back, it reads this commit.
                tables.remember(DEATHS_KNOWN, 0)?;
                stand.iter().try_for_each(|(work, kind, standing)| {
                    tables.put_outcome(*work, &standing.write(*work))?;
                    tables.put_owed(*work, None)?;
                    tables.put_letter(*work, Some(*kind as u8))
                })
            })?;
        }
        Ok(())
    }
}
