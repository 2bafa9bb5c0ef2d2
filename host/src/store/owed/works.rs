//! What is worked on, and which works it owes: a receipt its parse, an event its runs and
//! deliveries, a parcel its delivery.
//!
//! Pure. This is the one place that knows where the works of a record stand, so that a commit, a
//! replay and a start never disagree.

use std::sync::Arc;

use super::backlog::{Entry, OpenWork, OrderKeys, Tries};
use super::standing::Standing;
use crate::event::Timestamp;
use crate::ids::{Id, IdKind, Name};
use crate::store::facts::{Receipt, Routes, StoredEvent, StoredParcel};
use crate::store::kind::WorkKind;
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

    /// The works that it owes, in the order of their positions, as if none was ever tried.
    pub(in crate::store) fn works(&self, keys: &OrderKeys) -> Vec<OpenWork> {
        let work = |kind, group| OpenWork::at(self.id(), 0, kind, group);
        match self {
            // Without its body it is parsed no more.
            Self::Receipt(receipt) if receipt.body_expired => Vec::new(),
            Self::Receipt(receipt) => vec![work(WorkKind::Parse, &receipt.source)],
            Self::Parcel(stored) => vec![work(WorkKind::Delivery, &stored.parcel.endpoint)],
            Self::Event(stored) => stored.works(keys),
        }
    }

    /// The works that an id in this record stands for: all of a receipt's or an event's, or the one
    /// run or delivery. `None` if the id stands for nothing here.
    pub(in crate::store) fn works_of(&self, id: Id, keys: &OrderKeys) -> Option<Vec<OpenWork>> {
        let mut works = self.works(keys);
        let wanted = match id.kind {
            IdKind::Receipt | IdKind::Event => return (self.id() == id).then_some(works),
            IdKind::Run => WorkKind::Run,
            IdKind::Delivery => WorkKind::Delivery,
        };
        works.retain(|work| work.kind == wanted && work.entry.position == id.position);
        (!works.is_empty()).then_some(works)
    }

    /// About as much memory as it takes.
    pub(in crate::store) fn bytes(&self) -> usize {
        let pairs = |pairs: &[(String, String)]| -> usize {
            pairs.iter().map(|(name, value)| name.len() + value.len() + 64).sum()
        };
        let content = match self {
            Self::Receipt(receipt) => receipt.request.body.len() + receipt.request.headers.bytes(),
            Self::Event(stored) => {
                let works = stored.routes.handlers.len() + stored.routes.endpoints.len();
                stored.event.data.as_str().len() + pairs(&stored.event.labels) + works * 16
            }
            Self::Parcel(stored) => stored.parcel.body.len(),
        };
        content + OVERHEAD_BYTES
    }
}

impl StoredEvent {
    /// Its runs and deliveries, in the order of their positions, as if none was ever tried.
    pub(in crate::store) fn works(&self, keys: &OrderKeys) -> Vec<OpenWork> {
        let subject = self.event.subject.as_deref();
        let run = |(index, handler): (usize, &Name)| {
            let mut run = OpenWork::at(self.id, 1 + index, WorkKind::Run, handler);
            run.entry.order = subject.map(|subject| keys.key(handler, subject));
            run
        };
        let Routes { handlers, endpoints } = &*self.routes;
        let delivery = |(index, endpoint)| {
            OpenWork::at(self.id, 1 + handlers.len() + index, WorkKind::Delivery, endpoint)
        };
        let deliveries = endpoints.iter().enumerate().map(delivery);
        handlers.iter().enumerate().map(run).chain(deliveries).collect()
    }
}

impl OpenWork {
    /// A work that was never tried, so many positions behind what owes it.
    fn at(base: Id, offset: usize, kind: WorkKind, group: &Name) -> Self {
        let offset = u32::try_from(offset).expect("a record's width is a u32");
        let position = base.position + u64::from(offset);
        let entry = Entry { position, offset, tries: Tries::default(), order: None };
        Self { kind, group: group.clone(), entry, due: Timestamp(0) }
    }

    /// The work as it joins the backlog when it stands so.
    pub(in crate::store) fn standing(mut self, standing: Standing) -> Self {
        self.entry.tries = Tries::new(standing.tries_made, standing.reopened);
        self.due = standing.due();
        self
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
