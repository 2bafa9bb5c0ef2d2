//! Leases: what a worker takes to work on, and gives back if it does not commit.
//!
//! A lease lives in memory only: it costs no transaction, and a crash undoes it. A lease that is
//! dropped without a commit returns its work to the front of the backlog.

use std::sync::Arc;

use super::backlog::{Allowance, InFlight, Room, Tries};
use super::works::{Stored, work_id};
use crate::ids::{Id, Name};
use crate::store::error::{Damaged, Error, Failure};
use crate::store::facts::{Receipt, StoredEvent, StoredParcel};
use crate::store::kind::WorkKind;
use crate::store::shared::Shared;
use crate::store::{Store, file};

/// The right to work on something, until it is committed or dropped.
#[derive(Debug)]
pub struct Lease {
    work: Option<InFlight>,
    shared: Arc<Shared>,
}

impl Lease {
    /// The position of the work.
    pub(in crate::store) fn position(&self) -> u64 {
        self.work().entry.position
    }

    pub(in crate::store) fn kind(&self) -> WorkKind {
        self.work().kind
    }

    /// Tries before this one.
    pub(in crate::store) fn tries(&self) -> Tries {
        self.work().entry.tries
    }

    /// Ends the lease without giving the work back.
    pub(in crate::store) fn end(&mut self) -> InFlight {
        self.work.take().expect("a lease ends once")
    }

    /// Ends the lease of a work whose record is damaged.
    fn park(mut self) {
        if let Some(work) = self.work.take() {
            self.shared.damages.note(Damaged { position: work.entry.position });
            self.shared.backlog().park(&work);
            // Others may be taken in its place.
            self.shared.wake(work.kind);
        }
    }

    fn work(&self) -> &InFlight {
        self.work.as_ref().expect("a lease ends once")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(work) = self.work.take() {
            self.shared.backlog().give_back(&work);
            self.shared.wake(work.kind);
        }
    }
}

/// A receipt to parse.
#[derive(Debug)]
pub struct ParseWork {
    /// `rcp_`
    pub id: Id,
    /// The receipt.
    pub receipt: Arc<Receipt>,
    /// Tries so far.
    pub tries_made: u32,
    pub(in crate::store) lease: Lease,
}

/// A handler to run on an event.
#[derive(Debug)]
pub struct RunWork {
    /// `run_`
    pub id: Id,
    /// The event.
    pub event: Arc<StoredEvent>,
    /// The handler.
    pub handler: Name,
    /// Tries so far.
    pub tries_made: u32,
    /// Whether somebody asked for it again.
    pub is_replay: bool,
    pub(in crate::store) lease: Lease,
}

/// What is delivered.
#[derive(Debug, Clone)]
pub enum Payload {
    /// An event, to an endpoint that it was routed to.
    Event(Arc<StoredEvent>),
    /// Bytes that a run sends.
    Parcel(Arc<StoredParcel>),
}

/// An event or a parcel to deliver.
#[derive(Debug)]
pub struct DeliveryWork {
    /// `dlv_`
    pub id: Id,
    /// Where it goes.
    pub endpoint: Name,
    /// What it is.
    pub payload: Payload,
    /// Attempts so far.
    pub tries_made: u32,
    pub(in crate::store) lease: Lease,
}

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
                lease.park();
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
                lease.park();
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
                lease.park();
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
            shared.moved.send_replace(());
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
        shared.moved.send_replace(());
        // Leases first: if reading fails, all of them go back.
        let lease = |work| Lease { work: Some(work), shared: Arc::clone(shared) };
        let leases: Vec<Lease> = taken.into_iter().map(lease).collect();
        let stored = self.noting(shared.stored(&leases))?;
        let readable = |(lease, stored): (Lease, Option<Stored>)| match stored {
            Some(stored) => Some((lease, stored)),
            None => {
                lease.park();
                None
            }
        };
        Ok(leases.into_iter().zip(stored).filter_map(readable).collect())
    }

    fn identify(&self, lease: &Lease) -> (Id, u32) {
        let InFlight { kind, entry, .. } = lease.work();
        (work_id(*kind, entry.position, self.handle.shared.file.tag), entry.tries.made())
    }
}

impl Shared {
    /// What each lease works on: from memory if it is fresh, from the log if not; nothing if it
    /// can't be read.
    fn stored(&self, leases: &[Lease]) -> Result<Vec<Option<Stored>>, Error> {
        let base = |lease: &Lease| {
            let entry = lease.work().entry;
            entry.position - u64::from(entry.offset)
        };
        let fresh: Vec<Option<Stored>> = {
            let recent = self.recent();
            leases.iter().map(|lease| recent.get(base(lease))).collect()
        };
        if fresh.iter().all(Option::is_some) {
            return Ok(fresh);
        }
        let log = self.file.read()?.open_table(file::LOG).map_err(Failure::from)?;
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
    let index = (lease.work().entry.offset as usize).checked_sub(1)?;
    let handler = event.routes.handlers.get(index)?.clone();
    Some((event, handler))
}

/// The endpoint that a lease is for, and what goes there.
fn goes_to(lease: &Lease, stored: Stored) -> Option<(Name, Payload)> {
    match stored {
        Stored::Event(event) => {
            let behind_runs = 1 + event.routes.handlers.len();
            let index = (lease.work().entry.offset as usize).checked_sub(behind_runs)?;
            let endpoint = event.routes.endpoints.get(index)?.clone();
            Some((endpoint, Payload::Event(event)))
        }
        Stored::Parcel(stored) => Some((stored.parcel.endpoint.clone(), Payload::Parcel(stored))),
        Stored::Receipt(_) => None,
    }
}
