//! Which events, receipts, deliveries and dead letters a list has.
//!
//! Values. What the index is asked for follows from them, and so does whether a record that it
//! named fits. Never knows how a work stands: a state is held against it by whoever lists.

mod replay;

use std::collections::BTreeSet;
use std::sync::Arc;

pub use self::replay::{NewReplay, ReplayFilter};
use super::cursor::List;
use super::view::{DeadLetter, State};
use crate::event::Timestamp;
use crate::failure::Reason;
use crate::ids::Name;
use crate::route::Pattern;
use crate::store::facts::{Receipt, StoredEvent};
use crate::store::index::{Kind, Types, Wanted};
use crate::store::kind::WorkKind;
use crate::tenant::Tenant;

/// Which events.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct EventFilter {
    /// Of this source or handler.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Name>,
    /// Of these types.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub event_type: Option<Pattern>,
    /// About this business entity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// In this state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Only deliveries to these endpoints count for the state; without them all works do. Of no
    /// meaning to a replay.
    #[serde(skip)]
    pub counted: Option<Arc<BTreeSet<Name>>>,
    /// Stored at this time or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Timestamp>,
    /// Stored before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Timestamp>,
    /// Of this tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<Tenant>,
}

/// Which events as they come, and how much of each.
#[derive(Debug, Clone, Default)]
pub struct StreamFilter {
    /// Which, by all but their state and `before`.
    pub events: EventFilter,
    /// Of one of these types; without them, of every type.
    pub types: Vec<Pattern>,
    /// Whether an event comes again when finished work on it is opened again.
    pub is_with_replays: bool,
    /// Whether each comes with its data.
    pub is_with_data: bool,
}

/// Which receipts.
#[derive(Debug, Clone, Default)]
pub struct ReceiptFilter {
    /// Of this source.
    pub source: Option<Name>,
    /// Whose parse is in this state.
    pub state: Option<State>,
    /// Received at this time or later.
    pub after: Option<Timestamp>,
    /// Received before this time.
    pub before: Option<Timestamp>,
}

/// Whether a time is this one or later, and before that one.
fn is_between(after: Option<Timestamp>, before: Option<Timestamp>, at: Timestamp) -> bool {
    after.is_none_or(|after| at >= after) && before.is_none_or(|before| at < before)
}

impl EventFilter {
    /// The list of the events that match. What counts for their states does not tell one list from
    /// another: that may change between two pages.
    pub(super) fn list(&self) -> List {
        let Self { source, event_type, subject, state, counted: _, after, before, tenant } = self;
        let mut filters = vec![
            source.as_ref().map(Name::to_string),
            event_type.as_ref().map(Pattern::to_string),
            subject.clone(),
            state.map(|state| format!("{state:?}")),
            after.map(|after| after.to_string()),
            before.map(|before| before.to_string()),
        ];
        // Without one there is no more to tell: so cursors of a Hookgate without tenants go on.
        filters.extend(tenant.iter().map(|tenant| Some(tenant.to_string())));
        List::of("events", &filters)
    }

    /// Whether all but the state fits.
    pub(super) fn matches(&self, stored: &StoredEvent) -> bool {
        self.is_about(stored) && self.is_of_time(stored.recorded_at)
    }

    /// Whether what the event is fits, whenever it was stored.
    pub(super) fn is_about(&self, stored: &StoredEvent) -> bool {
        let event = &stored.event;
        self.source.as_ref().is_none_or(|source| *source == event.source)
            && self.event_type.as_ref().is_none_or(|types| types.matches(&event.event_type))
            && self.subject.as_ref().is_none_or(|it| Some(it) == event.subject.as_ref())
            && self.tenant.as_ref().is_none_or(|it| Some(it) == stored.tenant.as_ref())
    }

    /// Whether what was stored at this time fits.
    pub(super) fn is_of_time(&self, at: Timestamp) -> bool {
        is_between(self.after, self.before, at)
    }

    /// Whether it says what an event is, beside its time and its state.
    pub(super) fn says_what(&self) -> bool {
        let Self { source, event_type, subject, tenant, .. } = self;
        source.is_some() || event_type.is_some() || subject.is_some() || tenant.is_some()
    }

    /// What the index is asked for.
    pub(super) fn wanted(&self) -> Wanted {
        Wanted {
            kind: Kind::Event,
            source: self.source.as_ref().map(Name::to_string),
            types: self.event_type.as_ref().and_then(Types::of),
            subject: self.subject.clone(),
            after: self.after,
            before: self.before,
            endpoints: None,
        }
    }
}

impl From<EventFilter> for StreamFilter {
    fn from(events: EventFilter) -> Self {
        Self { events, ..Self::default() }
    }
}

impl StreamFilter {
    /// The stream of the events that match. How much of each comes does not tell one stream from
    /// another, nor whether replays do: a cursor means the same with them and without.
    pub(super) fn stream(&self) -> List {
        let EventFilter { source, event_type, subject, after, tenant, .. } = &self.events;
        let mut filters = vec![
            source.as_ref().map(Name::to_string),
            event_type.as_ref().map(Pattern::to_string),
            subject.clone(),
            after.map(|after| after.to_string()),
        ];
        // Without one there is no more to tell: so cursors of a Hookgate without tenants go on.
        filters.extend(tenant.iter().map(|tenant| Some(tenant.to_string())));
        if self.types.is_empty() {
            return List::of("stream", &filters);
        }
        filters.extend(self.types.iter().map(|types| Some(types.to_string())));
        // By another name: a tenant may be called like a type.
        List::of("stream of types", &filters)
    }

    /// Whether events of this type are wanted, as far as `types` says.
    pub(super) fn has_type(&self, event_type: &str) -> bool {
        self.types.is_empty() || self.types.iter().any(|types| types.matches(event_type))
    }

    /// The same for an event that comes again, whenever it was stored.
    pub(super) fn of_replays(&self) -> EventFilter {
        EventFilter { after: None, ..self.events.clone() }
    }
}

/// The index is asked for no more endpoints at once.
const ENDPOINTS_MAX: usize = 64;

/// Which deliveries.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    /// To this endpoint.
    pub endpoint: Option<Name>,
    /// To one of these endpoints.
    pub among: Option<Arc<BTreeSet<Name>>>,
    /// In this state.
    pub state: Option<State>,
    /// Which died of this.
    pub reason: Option<Reason>,
    /// Of events of these types.
    pub event_type: Option<Pattern>,
    /// Of events about this business entity.
    pub subject: Option<String>,
    /// Of events of this tenant.
    pub tenant: Option<Tenant>,
    /// Stored at this time or later.
    pub after: Option<Timestamp>,
    /// Stored before this time.
    pub before: Option<Timestamp>,
}

impl DeliveryFilter {
    /// The list of the deliveries that match. To which endpoints somebody may look does not tell
    /// one list from another: that may change between two pages.
    pub(super) fn list(&self) -> List {
        let Self { endpoint, among: _, state, reason, event_type, subject, .. } = self;
        let filters = [
            endpoint.as_ref().map(Name::to_string),
            state.map(|state| format!("{state:?}")),
            reason.map(|reason| reason.to_string()),
            event_type.as_ref().map(Pattern::to_string),
            subject.clone(),
            self.tenant.as_ref().map(Tenant::to_string),
            self.after.map(|after| after.to_string()),
            self.before.map(|before| before.to_string()),
        ];
        List::of("deliveries", &filters)
    }

    /// The same deliveries as their attempts end.
    pub(super) fn stream(&self) -> List {
        let Self { endpoint, among: _, state, reason, event_type, subject, .. } = self;
        let filters = [
            endpoint.as_ref().map(Name::to_string),
            state.map(|state| format!("{state:?}")),
            reason.map(|reason| reason.to_string()),
            event_type.as_ref().map(Pattern::to_string),
            subject.clone(),
            self.tenant.as_ref().map(Tenant::to_string),
            self.after.map(|after| after.to_string()),
        ];
        List::of("attempts", &filters)
    }

    /// Whether deliveries to an endpoint are wanted.
    pub(super) fn goes_to(&self, endpoint: &Name) -> bool {
        self.endpoint.as_ref().is_none_or(|wanted| wanted == endpoint)
            && self.among.as_ref().is_none_or(|among| among.contains(endpoint))
    }

    /// Whether deliveries of an event are wanted. What is not kept any more has nothing that a
    /// filter could name.
    pub(super) fn is_of(&self, event: Option<&StoredEvent>) -> bool {
        let about = event.map(|stored| &stored.event);
        self.event_type
            .as_ref()
            .is_none_or(|types| about.is_some_and(|event| types.matches(&event.event_type)))
            && self
                .subject
                .as_ref()
                .is_none_or(|it| about.and_then(|event| event.subject.as_ref()) == Some(it))
            && self
                .tenant
                .as_ref()
                .is_none_or(|it| event.and_then(|stored| stored.tenant.as_ref()) == Some(it))
    }

    /// Whether what was stored at this time is wanted.
    pub(super) fn is_within(&self, at: Timestamp) -> bool {
        is_between(self.after, self.before, at)
    }

    /// What the index is asked for, if it is by few endpoints.
    pub(super) fn wanted(&self) -> Option<Wanted> {
        let endpoints: Vec<String> = match (&self.endpoint, &self.among) {
            (Some(endpoint), _) => vec![endpoint.to_string()],
            (None, Some(among)) if among.len() <= ENDPOINTS_MAX => {
                among.iter().map(Name::to_string).collect()
            }
            (None, _) => return None,
        };
        let (after, before) = (self.after, self.before);
        Some(Wanted { after, before, ..Wanted::going_to(endpoints) })
    }

    /// The letters among which the dead ones are.
    pub(super) fn letters(&self) -> DeadFilter {
        let Self { endpoint, among, reason, .. } = self.clone();
        let kind = Some(WorkKind::Delivery);
        DeadFilter { kind, name: endpoint, among, reason, tenant: None }
    }
}

/// Which dead letters.
#[derive(Debug, Clone, Default)]
pub struct DeadFilter {
    /// Of works of this kind.
    pub kind: Option<WorkKind>,
    /// Of this source, handler or endpoint.
    pub name: Option<Name>,
    /// Of one of these.
    pub among: Option<Arc<BTreeSet<Name>>>,
    /// Which died of this.
    pub reason: Option<Reason>,
    /// About events of this tenant.
    pub tenant: Option<Tenant>,
}

impl DeadFilter {
    /// The list of the letters that match.
    pub(super) fn list(&self) -> List {
        let Self { kind, name, among: _, reason, tenant } = self;
        let kind = kind.map(|kind| format!("{kind:?}"));
        let reason = reason.map(|reason| reason.to_string());
        let mut filters = vec![kind, name.as_ref().map(Name::to_string), reason];
        // Without one there is no more to tell: so cursors of a Hookgate without tenants go on.
        filters.extend(tenant.iter().map(|tenant| Some(tenant.to_string())));
        List::of("dead", &filters)
    }

    /// Whether all of a letter fits but whose event it is about.
    pub(super) fn matches(&self, letter: &DeadLetter) -> bool {
        self.kind.is_none_or(|kind| kind == letter.kind)
            && self.name.as_ref().is_none_or(|name| *name == letter.name)
            && self.among.as_ref().is_none_or(|among| among.contains(&letter.name))
            && self.reason.is_none_or(|reason| reason == letter.reason)
    }
}

impl ReceiptFilter {
    /// The list of the receipts that match.
    pub(super) fn list(&self) -> List {
        let Self { source, state, after, before } = self;
        let filters = [
            source.as_ref().map(Name::to_string),
            state.map(|state| format!("{state:?}")),
            after.map(|after| after.to_string()),
            before.map(|before| before.to_string()),
        ];
        List::of("receipts", &filters)
    }

    /// Whether all but the state fits.
    pub(super) fn matches(&self, receipt: &Receipt) -> bool {
        let at = receipt.request.received_at;
        self.source.as_ref().is_none_or(|source| *source == receipt.source)
            && is_between(self.after, self.before, at)
    }

    /// What the index is asked for.
    pub(super) fn wanted(&self) -> Wanted {
        let Self { source, after, before, .. } = self;
        let source = source.as_ref().map(Name::to_string);
        Wanted { source, after: *after, before: *before, ..Wanted::all(Kind::Receipt) }
    }
}
