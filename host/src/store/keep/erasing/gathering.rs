//! What the store has of a subject: its events, what they came from, what handlers made of them,
//! and the histories of all works on these.
//!
//! Goes through the list of the subject's events, a page at a time, and follows each through the
//! histories of its works. Which events handlers added stands in the records of the tries, also in
//! blanked ones: so whatever a kill has left is found again by the event that it began with. Never
//! writes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::ids::{Id, Name};
use crate::store::damage::Damages;
use crate::store::erasures::Erasure;
use crate::store::error::{Error, Failure};
use crate::store::file::view::{Outcomes, Segments};
use crate::store::kind::WorkKind;
use crate::store::log::reader::LogReader;
use crate::store::log::record::Record;
use crate::store::log::segment::RecordKind;
use crate::store::owed::standing::Standing;
use crate::store::owed::works::work_id;
use crate::store::read::cursor::Cursor;
use crate::store::read::filter::EventFilter;
use crate::store::read::snapshot::Page;
use crate::store::shared::Shared;

/// Events of the subject in a page.
const PAGE_EVENTS: usize = 32;
/// A page looks for no longer than this.
const PAGE_TIME: Duration = Duration::from_secs(2);

/// What a page has.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// The records to blank, by position, each with the kind of the work whose history it is of; of
    /// others it says nothing.
    pub(super) records: BTreeMap<u64, WorkKind>,
    /// Those of them that the page begins with: blanked last.
    pub(super) roots: BTreeSet<u64>,
    /// How many of the records are events.
    pub(super) events: u64,
    /// All works on them.
    pub(super) works: Vec<u64>,
    /// Those of them that are open.
    pub(super) open: Vec<Id>,
    /// Whose state goes too: events without a subject have one of their own.
    pub(super) scopes: Vec<String>,
    /// What could not be read.
    pub(super) damaged: u64,
    /// The subject has events of another tenant.
    pub(super) is_shared: bool,
    /// The next page; `None` if this is the last.
    pub(super) next: Option<Cursor>,
}

impl Shared {
    /// A page of what there is of a subject.
    pub(super) fn gather(
        &self,
        erasure: &Erasure,
        cursor: Option<Cursor>,
    ) -> Result<Gathered, Error> {
        let filter = EventFilter { subject: erasure.subject.clone(), ..EventFilter::default() };
        let page = Page { cursor, limit: PAGE_EVENTS };
        // Before the view: what that has is no older.
        let listing = self.snapshot()?.events(&filter, page, PAGE_TIME)?;
        let view = self.file.read()?;
        let mut gathering = Gathering {
            tag: self.file.tag,
            damages: &self.damages,
            log: view.log()?,
            outcomes: view.outcomes()?,
            reader: LogReader::new(self.file.tag),
            found: Gathered { next: listing.next, ..Gathered::default() },
        };
        gathering.found.damaged = listing.damaged.len() as u64;
        for event in &listing.items {
            let is_others = erasure.tenant.is_some() && event.tenant != erasure.tenant;
            gathering.found.is_shared |= is_others;
            if !is_others && event.id.position < erasure.until {
                gathering.found.roots.insert(event.id.position);
                gathering.event(event.id.position)?;
            }
        }
        Ok(gathering.found)
    }

    /// The handlers that remember anything.
    pub(super) fn remembering(&self) -> Vec<Name> {
        self.used.load().keys().cloned().collect()
    }
}

struct Gathering<'s> {
    tag: u32,
    damages: &'s Damages,
    log: Segments,
    outcomes: Outcomes,
    reader: LogReader,
    found: Gathered,
}

/// What the tries of a work have added.
#[derive(Default)]
struct Added {
    events: Vec<u64>,
    parcels: Vec<u64>,
}

impl Gathering<'_> {
    /// An event, where it came from, and what handlers made of it.
    fn event(&mut self, position: u64) -> Result<(), Failure> {
        let mut waiting = vec![position];
        while let Some(position) = waiting.pop() {
            if self.found.records.insert(position, WorkKind::Run).is_some() {
                continue;
            }
            let Some(record) = self.damages.pass(self.reader.skim(&self.log, position))? else {
                self.found.damaged += 1;
                continue;
            };
            let Some(Record::Event(stored)) = record else {
                self.found.records.remove(&position);
                continue;
            };
            self.found.events += 1;
            if stored.event.subject.is_none() {
                self.found.scopes.push(stored.id.to_string());
            }
            if let Some(receipt) = stored.receipt {
                self.receipt(receipt.position)?;
            }
            let behind_runs = position + 1 + stored.routes.handlers.len() as u64;
            for work in position + 1..position + u64::from(stored.width()) {
                let kind = if work < behind_runs { WorkKind::Run } else { WorkKind::Delivery };
                let added = self.work(kind, work)?;
                waiting.extend(added.events);
                for parcel in added.parcels {
                    self.parcel(parcel)?;
                }
            }
        }
        Ok(())
    }

    /// A receipt and the history of its parse. What else it brought is about others.
    fn receipt(&mut self, position: u64) -> Result<(), Failure> {
        let is_new = self.found.records.insert(position, WorkKind::Parse).is_none();
        let kind = self.damages.pass(self.reader.kind(&self.log, position))?.flatten();
        if kind.is_none() {
            self.found.records.remove(&position);
        } else if is_new {
            self.work(WorkKind::Parse, position)?;
        }
        Ok(())
    }

    /// A parcel and the history of its delivery.
    fn parcel(&mut self, position: u64) -> Result<(), Failure> {
        let kind = self.damages.pass(self.reader.kind(&self.log, position))?.flatten();
        if kind == Some(RecordKind::Parcel) {
            self.found.records.insert(position, WorkKind::Delivery);
            self.work(WorkKind::Delivery, position)?;
        }
        Ok(())
    }

    /// A work with its history. What that says is blanked too.
    fn work(&mut self, kind: WorkKind, work: u64) -> Result<Added, Failure> {
        let mut added = Added::default();
        self.found.works.push(work);
        let Some(standing) = self.damages.pass(Standing::at(&self.outcomes, work))? else {
            self.found.damaged += 1;
            return Ok(added);
        };
        if standing.is_open() {
            self.found.open.push(work_id(kind, work, self.tag));
        }
        let mut next = standing.last;
        while let Some(position) = next {
            let record = match self.damages.pass(self.reader.record(&self.log, position))? {
                Some(record) => record,
                None => {
                    self.found.damaged += 1;
                    break;
                }
            };
            next = match record {
                Some(Record::Try(tried)) => {
                    added.events.extend(tried.events);
                    added.parcels.extend(tried.parcels);
                    tried.previous
                }
                Some(Record::Attempt(attempt)) => attempt.previous,
                Some(Record::Reopening(reopening)) => reopening.previous,
                // It was kept long enough.
                _ => break,
            };
            self.found.records.insert(position, kind);
        }
        Ok(added)
    }
}
