//! What a worker asks the store for: works that are due, with what each is about.
//!
//! Takes a lease on each first and reads then, so that whatever can't be read goes back or stands
//! aside. Never changes a work.

use std::sync::Arc;

use super::Store;
use super::error::{Damaged, Error};
use super::facts::StoredEvent;
use super::kind::WorkKind;
use super::owed::backlog::{Allowance, Room};
use super::owed::lease::{DeliveryWork, Lease, ParseWork, Payload, RunWork};
use super::owed::works::{Stored, work_id};
use super::shared::Shared;
use crate::ids::{Id, Name};

impl Store {
    /// Takes up to `max` receipts to parse, from their sources in turn, so that none has more than
    /// `per_source_max` in flight; none while the file can't be written.
    pub fn take_parses(&self, max: usize, per_source_max: usize) -> Result<Vec<ParseWork>, Error> {
        self.take_parses_by(max, &|_| per_source_max)
    }

    /// The same with a limit of its own for each source. Zero switches one off for now.
    pub fn take_parses_by(
        &self,
        max: usize,
        per_source_max: &dyn Fn(&Name) -> usize,
    ) -> Result<Vec<ParseWork>, Error> {
        let taken = self.take(WorkKind::Parse, Room::of(max, per_source_max))?;
        let parse = |(lease, stored): (Lease, Stored)| {
            let Stored::Receipt(receipt) = stored else {
                self.park(lease);
                return None;
            };
            let (id, tries_made) = self.identify(&lease);
            Some(ParseWork { id, receipt, tries_made, lease })
        };
        Ok(taken.into_iter().filter_map(parse).collect())
    }

    /// Takes up to `max` runs that are due, from their handlers in turn, so that none has more than
    /// `per_handler_max` in flight.
    pub fn take_runs(&self, max: usize, per_handler_max: usize) -> Result<Vec<RunWork>, Error> {
        self.take_runs_by(max, &|_| per_handler_max)
    }

    /// The same with a limit of its own for each handler. Zero switches one off for now.
    pub fn take_runs_by(
        &self,
        max: usize,
        per_handler_max: &dyn Fn(&Name) -> usize,
    ) -> Result<Vec<RunWork>, Error> {
        let taken = self.take(WorkKind::Run, Room::of(max, per_handler_max))?;
        let run = |(lease, stored): (Lease, Stored)| {
            let Some((event, handler)) = runs_on(&lease, stored) else {
                self.park(lease);
                return None;
            };
            let (id, tries_made) = self.identify(&lease);
            let is_replay = lease.tries().reopened();
            Some(RunWork { id, event, handler, tries_made, is_replay, lease })
        };
        Ok(taken.into_iter().filter_map(run).collect())
    }

    /// Takes up to `max` deliveries that are due, from their endpoints in turn, so that none has
    /// more in flight than [`Store::allow`] says, and all together take no more than `slots`.
    pub fn take_deliveries(&self, max: usize, slots: usize) -> Result<Vec<DeliveryWork>, Error> {
        let room = Room { slots, ..Room::of(max, &|_| usize::MAX) };
        let taken = self.take(WorkKind::Delivery, room)?;
        let delivery = |(lease, stored): (Lease, Stored)| {
            let Some((endpoint, payload)) = goes_to(&lease, stored) else {
                self.park(lease);
                return None;
            };
            let (id, tries_made) = self.identify(&lease);
            Some(DeliveryWork { id, endpoint, payload, tries_made, lease })
        };
        Ok(taken.into_iter().filter_map(delivery).collect())
    }

    /// Says what an endpoint may have in flight from now on. Until then there is no limit.
    pub fn allow(&self, endpoint: &Name, allowance: Allowance) {
        let shared = &self.handle.shared;
        if shared.backlog().allow(WorkKind::Delivery, endpoint, allowance) {
            shared.wake(WorkKind::Delivery);
        } else {
            // It may have been switched off: what waits for idleness looks again.
            shared.owed.stir();
        }
    }

    /// An endpoint's name is not used any more, as far as nothing is owed to it.
    pub fn forget(&self, endpoint: &Name) {
        self.handle.shared.backlog().forget(WorkKind::Delivery, endpoint);
    }

    /// Takes works, with what each is about. What can't be read is passed over.
    fn take(&self, kind: WorkKind, room: Room<'_>) -> Result<Vec<(Lease, Stored)>, Error> {
        let shared = &self.handle.shared;
        shared.check()?;
        if shared.is_away() {
            return Ok(Vec::new());
        }
        let taken = shared.backlog().take(kind, room, shared.clock.now());
        // An endpoint may have been found resting: what waits for idleness looks again.
        shared.owed.stir();
        // Leases first: if reading fails, all of them go back.
        let lease = |work| Lease::new(work, Arc::clone(&shared.owed));
        let leases: Vec<Lease> = taken.into_iter().map(lease).collect();
        let stored = self.noting(shared.stored(&leases))?;
        let readable = |(lease, stored): (Lease, Option<Stored>)| match stored {
            Some(stored) => Some((lease, stored)),
            None => {
                self.park(lease);
                None
            }
        };
        Ok(leases.into_iter().zip(stored).filter_map(readable).collect())
    }

    fn identify(&self, lease: &Lease) -> (Id, u32) {
        let id = work_id(lease.kind(), lease.position(), self.handle.shared.file.tag);
        (id, lease.tries().made())
    }

    /// Ends the lease of a work whose record is damaged.
    fn park(&self, lease: Lease) {
        self.handle.shared.damages.note(Damaged { position: lease.position() });
        lease.park();
    }
}

impl Shared {
    /// What each lease works on: from memory if it is fresh, from the log if not; nothing if it
    /// can't be read.
    fn stored(&self, leases: &[Lease]) -> Result<Vec<Option<Stored>>, Error> {
        let base = |lease: &Lease| {
            let entry = lease.entry();
            entry.position - u64::from(entry.offset)
        };
        let fresh: Vec<Option<Stored>> = {
            let recent = self.recent();
            leases.iter().map(|lease| recent.get(base(lease))).collect()
        };
        if fresh.iter().all(Option::is_some) {
            return Ok(fresh);
        }
        let log = self.file.read()?.log()?;
        let stored = |(lease, fresh): (&Lease, Option<Stored>)| match fresh {
            Some(stored) => Ok(Some(stored)),
            None => {
                let record = self.damages.pass(self.log.expect(&log, base(lease)))?;
                Ok(record.and_then(Stored::of))
            }
        };
        leases.iter().zip(fresh).map(stored).collect()
    }
}

/// The handler that a lease is for, and the event.
fn runs_on(lease: &Lease, stored: Stored) -> Option<(Arc<StoredEvent>, Name)> {
    let Stored::Event(event) = stored else { return None };
    let index = (lease.entry().offset as usize).checked_sub(1)?;
    let handler = event.routes.handlers.get(index)?.clone();
    Some((event, handler))
}

/// The endpoint that a lease is for, and what goes there.
fn goes_to(lease: &Lease, stored: Stored) -> Option<(Name, Payload)> {
    match stored {
        Stored::Event(event) => {
            let behind_runs = 1 + event.routes.handlers.len();
            let index = (lease.entry().offset as usize).checked_sub(behind_runs)?;
            let endpoint = event.routes.endpoints.get(index)?.clone();
            Some((endpoint, Payload::Event(event)))
        }
        Stored::Parcel(stored) => Some((stored.parcel.endpoint.clone(), Payload::Parcel(stored))),
        Stored::Receipt(_) => None,
    }
}
