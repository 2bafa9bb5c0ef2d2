//! The rows of works, held against the log: each says something of a work that is there, and of a
//! history that is still needed.
//!
//! What lies in a segment that can't be read was told with that segment. Never tells of it again.

use super::Check;
use crate::store::error::Failure;
use crate::store::file::view::{Dead, Segments, View};
use crate::store::kind::WorkKind;
use crate::store::log::reader::LogReader;
use crate::store::log::record::Record;
use crate::store::owed::standing::{Progress, Standing};
use crate::store::owed::works::Stored;

/// Where works and their histories are looked up.
pub(super) struct LookUp {
    log: Segments,
    dead: Dead,
    works: LogReader,
    histories: LogReader,
    /// What the last work is on. Ten thousand may be on one event.
    last: Option<Stored>,
}

impl LookUp {
    fn new(view: &View, tag: u32) -> Result<Self, Failure> {
        let (log, dead) = (view.log()?, view.dead()?);
        let (works, histories) = (LogReader::new(tag), LogReader::new(tag));
        Ok(Self { log, dead, works, histories, last: None })
    }

    /// Whether the log has the work, as far as that can be read.
    pub(super) fn has_work(&mut self, work: u64) -> Result<bool, Failure> {
        if self.last.as_ref().is_none_or(|last| !last.covers(work)) {
            self.last = match self.works.skim(&self.log, work) {
                Err(Failure::Damaged(_)) => return Ok(true),
                record => record?.and_then(Stored::of),
            };
        }
        Ok(match &self.last {
            Some(Stored::Event(event)) => work > event.id.position,
            Some(Stored::Receipt(_) | Stored::Parcel(_)) => true,
            None => false,
        })
    }

    /// Whether the record at this position is of the history of a work, as far as that can be read.
    fn is_of(&self, work: u64, record: u64) -> Result<bool, Failure> {
        Ok(match self.histories.record(&self.log, record) {
            Err(Failure::Damaged(_)) => true,
            record => match record? {
                Some(Record::Try(tried)) => tried.work == work,
                Some(Record::Attempt(attempt)) => attempt.work == work,
                Some(Record::Reopening(reopening)) => reopening.work == work,
                _ => false,
            },
        })
    }

    /// What is wrong with what is said of a work.
    fn fault(&mut self, work: u64, standing: Standing) -> Result<Option<String>, Failure> {
        if !self.has_work(work)? {
            return Ok(Some("`outcomes` has a row of a work that the log does not have".into()));
        }
        // Of what is finished a sweep may have removed the history.
        let is_needed = standing.is_open() || self.dead.has(work)?;
        match standing.last.filter(|_| is_needed) {
            Some(last) if !self.is_of(work, last)? => {
                let text = "the row in `outcomes` names a record of this work's history at";
                Ok(Some(format!("{text} {last}, which the log does not have")))
            }
            _ => Ok(None),
        }
    }
}

impl Check<'_> {
    /// The rows of works.
    pub(super) fn works(&mut self, view: &View) -> Result<(), Failure> {
        let mut look_up = LookUp::new(view, self.inspection.tag)?;
        let read = |work, row: &[u8]| (work, Standing::read(work, row));
        for row in view.outcomes()?.all(read)? {
            let (work, standing) = row?;
            self.checked.standings += 1;
            match standing {
                Ok(standing) => {
                    if let Some(reason) = look_up.fault(work, standing)? {
                        self.tell_row(Some(work), reason);
                    }
                }
                Err(_) => self.tell_row(Some(work), "the row in `outcomes` can't be decoded"),
            }
        }
        self.open_works(view, &mut look_up)?;
        self.dead_works(view)?;
        self.totals(view)?;
        self.packed_segments(view, &look_up.log)
    }

    fn dead_works(&mut self, view: &View) -> Result<(), Failure> {
        let outcomes = view.outcomes()?;
        for letter in view.dead()?.within(..)? {
            let (work, kind) = letter?;
            let is_dead = match Standing::at(&outcomes, work) {
                Ok(standing) => standing.progress == Progress::Dead,
                Err(Failure::Damaged(_)) => true,
                Err(failure) => return Err(failure),
            };
            if WorkKind::read(kind).is_none() {
                self.tell_row(Some(work), format!("`dead` has a work of the unknown kind {kind}"));
            } else if !is_dead {
                self.tell_row(Some(work), "`dead` has a row of a work that is not dead");
            }
        }
        Ok(())
    }

    fn packed_segments(&mut self, view: &View, log: &Segments) -> Result<(), Failure> {
        let Some(swept) = view.swept()? else { return Ok(()) };
        for packed in swept.within(..)? {
            let first = packed?.first;
            if log.key_up_to(first)? != Some(first) {
                let reason = "`swept` has a row of a segment that `segments` does not have";
                self.tell_row(Some(first), reason);
            }
        }
        Ok(())
    }
}
