//! What goes into the store and comes out of it again: receipts, events, parcels.
//!
//! Values. What is stored is shared as an `Arc` and never changes; how the works on it stand is
//! kept apart, in [`super::owed::standing`].

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::effect::{Allowance, Parcel};
use crate::event::{Event, Request, Timestamp};
use crate::ids::{Id, Name};
use crate::json_text::JsonText;
use crate::provider::Proven;
use crate::tenant::Tenant;
use crate::trace_context::TraceContext;

/// Stands in the place of a text that no event or parcel leaves empty, of one that is erased.
const ERASED: &str = "";

/// A plugin as it was when it did something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginStamp {
    /// Its name.
    pub name: Name,
    /// The version that it says it is.
    pub version: String,
    /// The digest of its file, in hexadecimal.
    pub digest: String,
}

impl PluginStamp {
    /// That of a plugin of this name, which says that it is this version, and whose file has this
    /// digest.
    pub fn new(name: &Name, version: &str, digest: &str) -> Self {
        Self { name: name.clone(), version: version.to_owned(), digest: digest.to_owned() }
    }
}

/// An accepted request that is not stored yet.
#[derive(Debug, Clone)]
pub struct NewReceipt {
    /// The source that it came in by.
    pub source: Name,
    /// The request, verbatim.
    pub request: Arc<Request>,
    /// The ids of the events inside, as the claims give them; empty if they can't tell.
    pub event_ids: Vec<String>,
    /// What it proved, if that is known.
    pub proven: Option<Proven>,
    /// The plugin that claimed it. Kept only beside what it proved, so whoever gives one gives the
    /// other.
    pub plugin: Option<Arc<PluginStamp>>,
    /// The span of the request, if it has one. Kept only beside both, so whoever gives it gives
    /// them.
    pub trace: Option<TraceContext>,
}

/// What became of a [`NewReceipt`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It is on disk, under this id.
    Stored(Id),
    /// All its event ids are known already: the receipt that first brought the first of them.
    Duplicate(Id),
}

/// An accepted request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// `rcp_`
    pub id: Id,
    /// The source that it came in by.
    pub source: Name,
    /// The request, verbatim; shared, because it goes to another thread to be parsed.
    pub request: Arc<Request>,
    /// The ids of the events inside, as the claims gave them.
    pub event_ids: Vec<String>,
    /// Those of them that belong to an earlier receipt.
    pub taken: Vec<String>,
    /// What it proved; not known of one that an earlier Hookgate accepted.
    pub proven: Option<Proven>,
    /// The plugin that claimed it, likewise.
    pub plugin: Option<Arc<PluginStamp>>,
    /// The span of the request, if it had one.
    pub trace: Option<TraceContext>,
    /// Whether it was kept so long that the body and the headers are gone: then both are empty.
    pub body_expired: bool,
}

/// Where an event goes, by name; decided once, when it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Routes {
    /// The handlers that run on it.
    pub handlers: Vec<Name>,
    /// The endpoints that it is owed to.
    pub endpoints: Vec<Name>,
}

/// An event that is not stored yet.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// The event; shared, because a commit may be drafted more than once.
    pub event: Arc<Event>,
    /// Where it goes.
    pub routes: Arc<Routes>,
    /// What may be emitted below it, if that is said.
    pub allowance: Option<Allowance>,
    /// Whose it is. Kept only beside an allowance, so whoever gives one gives the other.
    pub tenant: Option<Tenant>,
    /// The span that brings it, if there is one. Kept only beside an allowance too.
    pub trace: Option<TraceContext>,
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// `evt_`
    pub id: Id,
    /// The event; shared, because it goes to another thread to be handled.
    pub event: Arc<Event>,
    /// The receipt that it was parsed from.
    pub receipt: Option<Id>,
    /// The run that emitted it.
    pub cause: Option<Id>,
    /// How many runs lie between it and a receipt.
    pub depth: u8,
    /// What may be emitted below it, if that is said.
    pub allowance: Option<Allowance>,
    /// Of one that a run emitted, the source of the receipt that it goes back to; not known of what
    /// an earlier Hookgate stored.
    pub root_source: Option<Name>,
    /// Whose it is.
    pub tenant: Option<Tenant>,
    /// The span that brought it, if there was one: those of its runs and deliveries are below it.
    pub trace: Option<TraceContext>,
    /// When it was stored.
    pub recorded_at: Timestamp,
    /// Where it goes. Runs and deliveries stand in the log right behind their event, in this order.
    pub routes: Arc<Routes>,
}

impl StoredEvent {
    /// The source of the receipt that it goes back to, if that is known.
    pub(super) fn root(&self) -> Option<&Name> {
        if self.cause.is_none() { Some(&self.event.source) } else { self.root_source.as_ref() }
    }

    /// Whether all that it said is erased: its id, source, type and times are left. No other event
    /// has an empty subject.
    pub fn is_erased(&self) -> bool {
        self.event.subject.as_deref() == Some(ERASED)
    }

    /// The event as it is left when all that it said is erased.
    pub(super) fn erased(&self) -> Self {
        let Event { source, id, event_type, time, .. } = &*self.event;
        let event = Event {
            source: source.clone(),
            id: id.clone(),
            event_type: event_type.clone(),
            subject: Some(ERASED.to_owned()),
            time: *time,
            money: None,
            labels: Vec::new(),
            data: JsonText::default(),
        };
        Self { event: Arc::new(event), ..self.clone() }
    }

    /// Positions that it takes: its own, and one for each run and each delivery.
    pub(super) fn width(&self) -> u32 {
        let works = self.routes.handlers.len() + self.routes.endpoints.len();
        u32::try_from(1 + works).expect("names of handlers and endpoints fit in memory")
    }
}

/// Bytes that a run sends to an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredParcel {
    /// `dlv_`
    pub id: Id,
    /// The bytes.
    pub parcel: Parcel,
    /// The event of that run.
    pub event: Id,
    /// The run.
    pub run: Id,
    /// When it was stored.
    pub recorded_at: Timestamp,
    /// The source of the receipt that it goes back to; not known of what an earlier Hookgate
    /// stored.
    pub root_source: Option<Name>,
    /// The span of the run, if it had one.
    pub trace: Option<TraceContext>,
}

impl StoredParcel {
    /// Whether its bytes are erased. No other parcel has an empty content type.
    pub fn is_erased(&self) -> bool {
        self.parcel.content_type == ERASED
    }

    /// The parcel as it is left when its bytes are erased.
    pub(super) fn erased(&self) -> Self {
        let endpoint = self.parcel.endpoint.clone();
        let (content_type, body) = (ERASED.to_owned(), Bytes::new());
        Self { parcel: Parcel { endpoint, content_type, body }, ..self.clone() }
    }
}
