//! What a worker asks the store for: works that are due, with what each is about.
//!
//! Takes a lease on each at the call and reads then, so that whatever can't be read goes back or
//! stands aside, and whoever loses patience loses nothing. What was stored last is in memory, and
//! what others had to read for works on the same event; for all else a thread waits that may. Where
//! few works are left in memory, it begins a reading of more. Has a work end as dead whose record
//! is damaged, and never changes another.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::Store;
use super::error::{Damaged, Error, Failure};
use super::facts::StoredEvent;
use super::file::view::Segments;
use super::kind::WorkKind;
use super::owed::backlog::{Allowance, Room};
use super::owed::decoded::Age;
use super::owed::lease::{DeliveryWork, Lease, ParseWork, Payload, RunWork};
use super::owed::works::{Stored, work_id};
use super::shared::Shared;
use super::write::queue::Message;
use super::write::unreadable::Unreadable;
use crate::endpoint::Order;
use crate::ids::{Id, Name};

impl Store {
    /// Takes up to `max` receipts to parse, from their sources in turn, so that none has more than
    /// `per_source_max` in slots; none while the file can't be written. They are taken at the
    /// call: if what this gives is dropped, they go back.
    pub fn take_parses(
        &self,
        max: usize,
        per_source_max: usize,
    ) -> impl Future<Output = Result<Vec<ParseWork>, Error>> + Send + use<> {
        self.take_parses_by(max, &|_| per_source_max)
    }

    /// The same with a limit of its own for each source. Zero switches one off for now.
    pub fn take_parses_by(
        &self,
        max: usize,
        per_source_max: &dyn Fn(&Name) -> usize,
    ) -> impl Future<Output = Result<Vec<ParseWork>, Error>> + Send + use<> {
        let taken = self.take(WorkKind::Parse, Room::of(max, per_source_max));
        let store = self.clone();
        async move {
            let parse = |(lease, stored): (Lease, Stored)| {
                let Stored::Receipt(receipt) = stored else {
                    store.park(lease);
                    return None;
                };
                let (id, tries_made) = store.identify(&lease);
                let is_replay = lease.tries().reopened();
                Some(ParseWork { id, receipt, tries_made, is_replay, lease })
            };
            Ok(taken.await?.into_iter().filter_map(parse).collect())
        }
    }

    /// Takes up to `max` runs that are due, from their handlers in turn, so that none has more than
    /// `per_handler_max` in slots. They are taken at the call.
    pub fn take_runs(
        &self,
        max: usize,
        per_handler_max: usize,
    ) -> impl Future<Output = Result<Vec<RunWork>, Error>> + Send + use<> {
        self.take_runs_by(max, &|_| per_handler_max)
    }

    /// The same with a limit of its own for each handler. Zero switches one off for now.
    pub fn take_runs_by(
        &self,
        max: usize,
        per_handler_max: &dyn Fn(&Name) -> usize,
    ) -> impl Future<Output = Result<Vec<RunWork>, Error>> + Send + use<> {
        let taken = self.take(WorkKind::Run, Room::of(max, per_handler_max));
        let store = self.clone();
        async move {
            let run = |(lease, stored): (Lease, Stored)| {
                let Some((event, handler)) = runs_on(&lease, stored) else {
                    store.park(lease);
                    return None;
                };
                let (id, tries_made) = store.identify(&lease);
                let is_replay = lease.tries().reopened();
                Some(RunWork { id, event, handler, tries_made, is_replay, lease })
            };
            Ok(taken.await?.into_iter().filter_map(run).collect())
        }
    }

    /// Takes up to `max` deliveries that are due, from their endpoints in turn, so that none has
    /// more in slots than [`Store::allow`] says, and all together take no more than `slots`. They
    /// are taken at the call.
    pub fn take_deliveries(
        &self,
        max: usize,
        slots: usize,
    ) -> impl Future<Output = Result<Vec<DeliveryWork>, Error>> + Send + use<> {
        let room = Room { slots, ..Room::of(max, &|_| usize::MAX) };
        let taken = self.take(WorkKind::Delivery, room);
        let store = self.clone();
        async move {
            let delivery = |(lease, stored): (Lease, Stored)| {
                let Some((endpoint, payload)) = goes_to(&lease, stored) else {
                    store.park(lease);
                    return None;
                };
                let (id, tries_made) = store.identify(&lease);
                let is_replay = lease.tries().reopened();
                Some(DeliveryWork { id, endpoint, payload, tries_made, is_replay, lease })
            };
            Ok(taken.await?.into_iter().filter_map(delivery).collect())
        }
    }

    /// Says what an endpoint may have in slots from now on. Until then there is no limit.
    pub fn allow(&self, endpoint: &Name, allowance: Allowance) {
        let shared = &self.handle.shared;
        let not_before = shared.clock.due(allowance.not_before);
        let allowance = Allowance { not_before, ..allowance };
        shared.order_keys.set(endpoint, allowance.order);
        if shared.backlog().allow(WorkKind::Delivery, endpoint, allowance) {
            shared.wake(WorkKind::Delivery);
        } else {
            // It may have been switched off: what waits for idleness looks again.
            shared.owed.stir();
        }
    }

    /// The limits that takes of this kind are given have changed: what got nothing by them counts
    /// as work to do until the next take, and whoever waits for works takes again.
    pub fn ask_again(&self, kind: WorkKind) {
        let shared = &self.handle.shared;
        shared.backlog().ask_again(kind);
        shared.wake(kind);
    }

    /// The sources, handlers or endpoints for which works of this kind wait, and how many do; those
    /// in flight are not counted.
    pub fn waiting(&self, kind: WorkKind) -> Vec<(Name, usize)> {
        self.handle.shared.backlog().waiting(kind)
    }

    /// What is stored from now on for an endpoint goes in this order, before anything else is said
    /// of it.
    pub fn set_order(&self, endpoint: &Name, order: Order) {
        let shared = &self.handle.shared;
        shared.order_keys.set(endpoint, order);
        shared.backlog().set_order(endpoint, order);
    }

    /// An endpoint's name is not used any more, as far as nothing is owed to it.
    pub fn forget(&self, endpoint: &Name) {
        self.handle.shared.backlog().forget(WorkKind::Delivery, endpoint);
    }

    /// How many works are open that were opened again and may end soon, but for those that a start
    /// has left on disk.
    pub fn reopened_open(&self) -> usize {
        self.handle.shared.backlog().reopened_open()
    }

    /// Takes works now, and then reads what each is about. What can't be read is passed over. More
    /// works may be owed than are in memory: those can be taken when they have been read.
    fn take(
        &self,
        kind: WorkKind,
        room: Room<'_>,
    ) -> impl Future<Output = Result<Vec<(Lease, Stored)>, Error>> + Send + use<> {
        let leases = self.lease(kind, room);
        let store = self.clone();
        async move {
            store.refill(kind);
            store.load(leases?).await
        }
    }

    /// Takes leases. If they are dropped, all of them go back.
    fn lease(&self, kind: WorkKind, room: Room<'_>) -> Result<Vec<Lease>, Error> {
        let shared = &self.handle.shared;
        shared.check()?;
        if shared.is_away() {
            return Ok(Vec::new());
        }
        let (counted, waited) = shared.clock.both();
        let taken = {
            let mut backlog = shared.backlog();
            // Under the lock: what a writer gives back that panics was perhaps tried already.
            shared.check()?;
            backlog.seen(counted);
            backlog.take(kind, room, waited)
        };
        // An endpoint may have been found resting: what waits for idleness looks again.
        shared.owed.stir();
        let lease = |work| Lease::new(work, Arc::clone(&shared.owed));
        Ok(taken.into_iter().map(lease).collect())
    }

    /// What the leases are for, as far as it can be read.
    async fn load(&self, leases: Vec<Lease>) -> Result<Vec<(Lease, Stored)>, Error> {
        let in_memory = self.handle.shared.in_memory(leases.iter().map(base));
        let loaded: Vec<(Lease, Option<Stored>)> = if in_memory.iter().all(Option::is_some) {
            leases.into_iter().zip(in_memory).collect()
        } else {
            self.aside(move |shared| shared.read(leases, in_memory)).await?
        };
        let readable = |(lease, stored): (Lease, Option<Stored>)| match stored {
            Some(stored) => Some((lease, stored)),
            None => {
                self.park(lease);
                None
            }
        };
        Ok(loaded.into_iter().filter_map(readable).collect())
    }

    fn identify(&self, lease: &Lease) -> (Id, u32) {
        let id = work_id(lease.kind(), lease.position(), self.handle.shared.file.tag);
        (id, lease.tries().made())
    }

    /// A work whose record is damaged becomes a dead letter; where the queue has no room for that,
    /// it is out of everybody's way until the next start.
    fn park(&self, lease: Lease) {
        let shared = &self.handle.shared;
        shared.damages.note(Damaged { position: lease.position() });
        match self.queue().try_reserve() {
            Ok(room) => room.send(Message::perform(Unreadable::new(lease), shared)),
            Err(_) => lease.park(),
        }
    }
}

impl Shared {
    /// Reads in the log what is not in memory of what the leases are for; nothing if it can't be
    /// read. However many of them are for works on one event, that is decoded once. If all of the
    /// log can't be read, the leases go back.
    fn read(
        &self,
        leases: Vec<Lease>,
        in_memory: Vec<Option<Stored>>,
    ) -> Result<Vec<(Lease, Option<Stored>)>, Error> {
        let age = self.decoded().age();
        let log = self.file.read()?.log()?;
        let mut read = FxHashMap::<u64, Option<Stored>>::default();
        let mut loaded = Vec::with_capacity(leases.len());
        for (lease, in_memory) in leases.into_iter().zip(in_memory) {
            let position = base(&lease);
            let known = in_memory.map(Some).or_else(|| read.get(&position).cloned());
            let stored = match known {
                Some(stored) => stored,
                None => {
                    let stored = self.read_at(&log, position, age)?;
                    read.insert(position, stored.clone());
                    stored
                }
            };
            loaded.push((lease, stored));
        }
        Ok(loaded)
    }

    /// Reads what stands at a position, and keeps it in memory if others will ask for it.
    fn read_at(&self, log: &Segments, position: u64, age: Age) -> Result<Option<Stored>, Failure> {
        let record = self.damages.pass(self.log.expect(log, position))?;
        let stored = record.and_then(Stored::of);
        Ok(stored.map(|it| if it.is_shared() { self.decoded().keep(it, age) } else { it }))
    }
}

/// The position of the record that a lease works on.
fn base(lease: &Lease) -> u64 {
    let entry = lease.entry();
    entry.position - u64::from(entry.offset)
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
