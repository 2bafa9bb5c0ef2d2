//! Leases: what a worker takes to work on, and gives back if it does not commit.
//!
//! A lease lives in memory only: it costs no transaction, and a crash undoes it. A lease that is
//! dropped without a commit returns its work to the front of the backlog.

use std::sync::Arc;

use super::backlog::{Entry, InFlight, Tries};
use super::{Life, Owed};
use crate::ids::{Id, Name};
use crate::store::facts::{Receipt, StoredEvent, StoredParcel};
use crate::store::kind::WorkKind;

/// The right to work on something, until it is committed or dropped.
#[derive(Debug)]
pub struct Lease {
    work: Option<InFlight>,
    owed: Arc<Owed>,
}

impl Lease {
    /// The right to a work that was taken.
    pub(in crate::store) fn new(work: InFlight, owed: Arc<Owed>) -> Self {
        Self { work: Some(work), owed }
    }

    /// The position of the work.
    pub(in crate::store) fn position(&self) -> u64 {
        self.work().entry.position
    }

    /// The work as it stands in the backlog.
    pub(in crate::store) fn entry(&self) -> Entry {
        self.work().entry
    }

    pub(in crate::store) fn kind(&self) -> WorkKind {
        self.work().kind
    }

    /// Whether the work is the delivery of a parcel: that has a record of its own.
    pub(in crate::store) fn is_parcel(&self) -> bool {
        self.kind() == WorkKind::Delivery && self.entry().offset == 0
    }

    /// The source, handler or endpoint that the work is for.
    pub(in crate::store) fn group(&self) -> Name {
        self.owed.backlog().group_of(self.work())
    }

    /// Tries before this one.
    pub(in crate::store) fn tries(&self) -> Tries {
        self.work().entry.tries
    }

    /// The life of the store that gave it out.
    pub(in crate::store) fn life(&self) -> Life {
        self.owed.life
    }

    /// Ends the lease without giving the work back, if this life gave it out.
    pub(in crate::store) fn end(&mut self, life: Life) -> Option<InFlight> {
        if self.life() == life { self.work.take() } else { None }
    }

    /// The try has ended, and its outcome, which has so many bytes, is on its way to the disk.
    /// Whether the work frees its slots by that, for another; nobody else gets it before the
    /// commit.
    pub(in crate::store) fn end_try(&mut self, bytes: usize) -> bool {
        let Some(work) = &mut self.work else { return false };
        let may_take = self.owed.backlog().end_try(work, bytes);
        if may_take {
            self.owed.wake(work.kind);
        }
        work.has_ended()
    }

    /// Ends the lease of a work whose record is damaged, until the next start.
    pub(in crate::store) fn park(mut self) {
        if let Some(work) = self.work.take() {
            self.owed.backlog().park(&work);
            // Others may be taken in its place.
            self.owed.wake(work.kind);
        }
    }

    fn work(&self) -> &InFlight {
        self.work.as_ref().expect("a lease ends once")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(work) = self.work.take() {
            self.owed.backlog().give_back(&work);
            self.owed.wake(work.kind);
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
    /// Whether somebody asked for it again.
    pub is_replay: bool,
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
    /// Whether somebody asked for it again.
    pub is_replay: bool,
    pub(in crate::store) lease: Lease,
}
