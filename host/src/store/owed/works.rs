//! What is worked on, and which works it owes: a receipt its parse, an event its runs and
//! deliveries, a parcel its delivery.
//!
//! Pure. This is the one place that knows where the works of a record stand, so that a commit, a
//! replay and a start never disagree.

use std::sync::Arc;

use super::backlog::{Entry, OpenWork, OrderKeys, Tries};
use super::standing::Standing;
use super::tally::count::SourceNumber;
use crate::event::Timestamp;
use crate::ids::{Id, IdKind, Name};
use crate::store::facts::{Receipt, Routes, StoredEvent, StoredParcel};
use crate::store::index::NewItem;
use crate::store::kind::WorkKind;
use crate::store::log::low_water::Waiting;
use crate::store::log::record::Record;

/// Something that is worked on.
#[derive(Debug, Clone)]
pub(in crate::store) enum Stored {
    Receipt(Arc<Receipt>),
    Event(Arc<StoredEvent>),
    Parcel(Arc<StoredParcel>),
}

/// Counted for each beside its texts and bodies.
const OVERHEAD_BYTES: usize = 512;

impl Stored {
    /// What a record holds; `None` for a record of history.
    pub(in crate::store) fn of(record: Record) -> Option<Self> {
        match record {
            Record::Receipt(receipt) => Some(Self::Receipt(Arc::new(receipt))),
            Record::Event(event) => Some(Self::Event(Arc::new(event))),
            Record::Parcel(parcel) => Some(Self::Parcel(Arc::new(parcel))),
            Record::Try(_) | Record::Attempt(_) | Record::Reopening(_) | Record::Gap => None,
        }
    }

    pub(in crate::store) fn id(&self) -> Id {
        match self {
            Self::Receipt(receipt) => receipt.id,
            Self::Event(event) => event.id,
            Self::Parcel(parcel) => parcel.id,
        }
    }

    /// Whether all that it said is erased. Of a receipt the body is gone then, as of one that is
    /// old.
    pub(in crate::store) fn is_erased(&self) -> bool {
        match self {
            Self::Receipt(_) => false,
            Self::Event(stored) => stored.is_erased(),
            Self::Parcel(stored) => stored.is_erased(),
        }
    }

    /// When it was written, by its own account.
    pub(in crate::store) fn written_at(&self) -> Timestamp {
        match self {
            Self::Receipt(receipt) => receipt.request.received_at,
            Self::Event(event) => event.recorded_at,
            Self::Parcel(parcel) => parcel.recorded_at,
        }
    }

    /// As the index knows it.
    pub(in crate::store) fn indexed(&self) -> NewItem<'_> {
        match self {
            Self::Receipt(receipt) => NewItem::receipt(receipt),
            Self::Event(stored) => NewItem::event(stored),
            Self::Parcel(stored) => NewItem::parcel(stored),
        }
    }

    /// The works that it owes, in the order of their positions, as if none was ever tried.
    pub(in crate::store) fn works(&self, keys: &OrderKeys) -> Vec<OpenWork> {
        let work = |kind, group| OpenWork::at(self.id(), 0, kind, group, self.root());
        match self {
            // Without its body it is parsed no more.
            Self::Receipt(receipt) if receipt.body_expired => Vec::new(),
            Self::Receipt(receipt) => vec![work(WorkKind::Parse, &receipt.source)],
            Self::Parcel(stored) => vec![work(WorkKind::Delivery, &stored.parcel.endpoint)],
            Self::Event(stored) => stored.works(keys),
        }
    }

    /// The source whose receipt it goes back to, if that is known.
    fn root(&self) -> Option<&Name> {
        match self {
            Self::Receipt(receipt) => Some(&receipt.source),
            Self::Event(stored) => stored.root(),
            Self::Parcel(stored) => stored.root_source.as_ref(),
        }
    }

    /// The works that an id in this record stands for: all of a receipt's or an event's, or the one
    /// run or delivery. `None` if the id stands for nothing here.
    pub(in crate::store) fn works_of(&self, id: Id, keys: &OrderKeys) -> Option<Vec<OpenWork>> {
        let wanted = match id.kind {
            IdKind::Receipt | IdKind::Event => {
                return (self.id() == id).then(|| self.works(keys));
            }
            IdKind::Run => WorkKind::Run,
            IdKind::Delivery => WorkKind::Delivery,
            IdKind::Replay | IdKind::Endpoint => return None,
        };
        let work = self.work_at(id.position, keys).filter(|work| work.kind == wanted)?;
        Some(vec![work])
    }

    /// The work at this position, as if it was never tried; without a look at all the others.
    pub(in crate::store) fn work_at(&self, position: u64, keys: &OrderKeys) -> Option<OpenWork> {
        let offset = position.checked_sub(self.id().position)?;
        match self {
            Self::Event(stored) => stored.work(u32::try_from(offset).ok()?, keys),
            Self::Receipt(_) | Self::Parcel(_) if offset == 0 => self.works(keys).pop(),
            Self::Receipt(_) | Self::Parcel(_) => None,
        }
    }

    /// Whether this position is its own or that of a work on it.
    pub(in crate::store) fn covers(&self, position: u64) -> bool {
        let first = self.id().position;
        (first..first + u64::from(self.width())).contains(&position)
    }

    /// Whether several works are on it, so that others will ask for it too.
    pub(in crate::store) fn is_shared(&self) -> bool {
        matches!(self, Self::Event(stored) if stored.width() > 2)
    }

    fn width(&self) -> u32 {
        match self {
            Self::Event(stored) => stored.width(),
            Self::Receipt(_) | Self::Parcel(_) => 1,
        }
    }

    /// How many works it owes, if its body is not expired.
    pub(in crate::store) fn works_max(&self) -> usize {
        match self {
            Self::Receipt(_) | Self::Parcel(_) => 1,
            Self::Event(stored) => stored.width() as usize - 1,
        }
    }

    /// About as much memory as it takes, with routes whose names are shared.
    pub(in crate::store) fn bytes(&self) -> usize {
        let works = self.width() as usize - 1;
        self.own_bytes() + works * size_of::<Name>()
    }

    /// The same without the routes.
    pub(in crate::store) fn own_bytes(&self) -> usize {
        let pairs = |pairs: &[(String, String)]| -> usize {
            pairs.iter().map(|(name, value)| name.len() + value.len() + 64).sum()
        };
        let content = match self {
            Self::Receipt(receipt) => receipt.request.body.len() + receipt.request.headers.bytes(),
            Self::Event(stored) => stored.event.data.as_str().len() + pairs(&stored.event.labels),
            Self::Parcel(stored) => stored.parcel.body.len(),
        };
        content + OVERHEAD_BYTES
    }
}

impl StoredEvent {
    /// Its runs and deliveries, in the order of their positions, as if none was ever tried.
    pub(in crate::store) fn works(&self, keys: &OrderKeys) -> Vec<OpenWork> {
        (1..self.width()).filter_map(|offset| self.work(offset, keys)).collect()
    }

    /// The run or delivery so many positions behind it.
    fn work(&self, offset: u32, keys: &OrderKeys) -> Option<OpenWork> {
        let Routes { handlers, endpoints } = &*self.routes;
        let index = (offset as usize).checked_sub(1)?;
        let Some(handler) = handlers.get(index) else {
            let endpoint = endpoints.get(index - handlers.len())?;
            let kind = WorkKind::Delivery;
            let mut delivery = OpenWork::at(self.id, offset, kind, endpoint, self.root());
            delivery.entry.order = keys.delivery(endpoint, self.event.subject.as_deref());
            return Some(delivery);
        };
        let mut run = OpenWork::at(self.id, offset, WorkKind::Run, handler, self.root());
        let subject = self.event.subject.as_deref();
        run.entry.order = subject.map(|subject| keys.key(handler, subject));
        Some(run)
    }
}

impl OpenWork {
    /// A work that was never tried, so many positions behind what owes it.
    fn at(base: Id, offset: u32, kind: WorkKind, group: &Name, root: Option<&Name>) -> Self {
        let position = base.position + u64::from(offset);
        let (tries, source) = (Tries::default(), SourceNumber::default());
        let entry = Entry { position, offset, tries, source, order: None };
        let (due, since) = (Timestamp(0), Timestamp(0));
        Self { kind, group: group.clone(), entry, due, since, root: root.cloned() }
    }

    /// The work as it joins the backlog when it stands so.
    pub(in crate::store) fn standing(mut self, standing: Standing) -> Self {
        self.entry.tries = Tries::new(standing.tries_made, standing.reopened > 0);
        self.due = standing.due();
        self
    }

    /// How a row says where it waits.
    pub(in crate::store) fn waiting(&self) -> Waiting<&Name> {
        Waiting {
            kind: self.kind,
            group: &self.group,
            since: self.since,
            waits: self.due != Timestamp(0),
            is_parcel: self.is_parcel(),
            root: self.root.as_ref(),
        }
    }

    /// Whether it is the delivery of a parcel: that has a record of its own.
    pub(in crate::store) fn is_parcel(&self) -> bool {
        self.kind == WorkKind::Delivery && self.entry.offset == 0
    }

    /// The id of this work: a parse goes by its receipt's.
    pub(in crate::store) fn id(&self, tag: u32) -> Id {
        work_id(self.kind, self.entry.position, tag)
    }
}

/// The id of a work.
pub(in crate::store) fn work_id(kind: WorkKind, position: u64, tag: u32) -> Id {
    let kind = match kind {
        WorkKind::Parse => IdKind::Receipt,
        WorkKind::Run => IdKind::Run,
        WorkKind::Delivery => IdKind::Delivery,
    };
    Id { kind, position, tag }
}
