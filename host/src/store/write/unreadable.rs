//! A work whose record can't be read becomes a dead letter: it is named, it is listed, and no start
//! tries it again.
//!
//! Whoever took it has met the damage. Never reads what is damaged, and never removes it: if the
//! volume is put back, the letter can be replayed.

use super::draft::Draft;
use super::op::{Answer, Operation};
use crate::failure::Reason;
use crate::ids::Name;
use crate::retry::Verdict;
use crate::store::error::Failure;
use crate::store::kind::WorkKind;
use crate::store::log::record::{AttemptRecord, TryRecord};
use crate::store::log::segment::RecordKind;
use crate::store::owed::Life;
use crate::store::owed::backlog::InFlight;
use crate::store::owed::lease::Lease;
use crate::store::owed::unreadable;
use crate::store::reasons::Account;

/// The end of a work whose record can't be read. Nobody waits for an answer.
#[derive(Debug)]
pub(in crate::store) struct Unreadable {
    lease: Lease,
    /// The source, handler or endpoint.
    group: Name,
}

impl Unreadable {
    pub(in crate::store) fn new(lease: Lease) -> Self {
        Self { group: lease.group(), lease }
    }
}

impl Operation for Unreadable {
    fn bytes(&self) -> usize {
        0
    }

    fn perform(&mut self, draft: &mut Draft<'_>) -> Result<(), Failure> {
        if draft.admit(&self.lease).is_ok() {
            draft.unreadable(&self.lease, &self.group)?;
        }
        Ok(())
    }

    fn end_lease(&mut self, life: Life) -> Option<InFlight> {
        self.lease.end(life)
    }

    fn is_outcome(&self) -> bool {
        true
    }

    fn reply(&mut self) -> Option<&mut dyn Answer> {
        None
    }
}

impl Draft<'_> {
    fn unreadable(&mut self, lease: &Lease, group: &Name) -> Result<(), Failure> {
        let before = self.standing_of(lease)?;
        let work = lease.position();
        let (record, outcome) = match lease.kind() {
            WorkKind::Parse | WorkKind::Run => {
                let tried = unreadable::tried(group, self.now);
                let record = TryRecord::of(&tried, work, before.last);
                (self.record(RecordKind::Try, &record), tried.outcome)
            }
            WorkKind::Delivery => {
                let attempt = unreadable::attempted(group, self.now);
                let record = AttemptRecord::of(&attempt, work, before.last);
                (self.record(RecordKind::Attempt, &record), attempt.outcome)
            }
        };
        let stands = (before, before.tried(Verdict::Dead, record));
        let account = Account { said: Some(Reason::Unreadable), status: None, outcome: &outcome };
        self.tried(lease, (group, None), stands, account)
    }
}
