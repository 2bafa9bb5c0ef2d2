//! What a list asks the index for.
//!
//! Values. The index may name more than what matches, never less: whoever lists reads each record
//! and decides. Never reads a record.

use crate::event::Timestamp;
use crate::ids::Name;
use crate::route::Pattern;
use crate::store::facts::{Receipt, StoredEvent, StoredParcel};
use crate::store::kind::WorkKind;

/// What is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Kind {
    Receipt,
    Event,
}

/// Which receipts or events.
#[derive(Debug, Clone)]
pub(in crate::store) struct Wanted {
    pub(in crate::store) kind: Kind,
    /// Of this source or handler.
    pub(in crate::store) source: Option<String>,
    pub(in crate::store) types: Option<Types>,
    pub(in crate::store) subject: Option<String>,
    /// Stored at this time or later.
    pub(in crate::store) after: Option<Timestamp>,
    /// Stored before this time.
    pub(in crate::store) before: Option<Timestamp>,
    /// Instead of events by all else but their times: events and parcels that go to one of these.
    pub(in crate::store) endpoints: Option<Vec<String>>,
}

/// Stands for all endpoints of an event that goes to more of them than the index has: it is no
/// name.
pub(super) const MANY: &str = "*";
/// An event has no more endpoints in the index.
const ENDPOINTS_MAX: usize = 64;

/// Types of events: one, or all that begin so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Types {
    pub(in crate::store) text: String,
    pub(in crate::store) is_prefix: bool,
}

impl Wanted {
    /// All of a kind.
    pub(in crate::store) fn all(kind: Kind) -> Self {
        let (source, types, subject, after, before) = (None, None, None, None, None);
        Self { kind, source, types, subject, after, before, endpoints: None }
    }

    /// The events and parcels that go to one of these endpoints.
    pub(in crate::store) fn going_to(endpoints: Vec<String>) -> Self {
        Self { endpoints: Some(endpoints), ..Self::all(Kind::Event) }
    }

    /// Whether all of the kind are wanted.
    pub(in crate::store) fn is_all(&self) -> bool {
        let Self { kind: _, source, types, subject, after, before, endpoints } = self;
        source.is_none()
            && endpoints.is_none()
            && types.is_none()
            && subject.is_none()
            && after.is_none()
            && before.is_none()
    }
}

impl Types {
    /// Those that a pattern matches; `None` if it matches all.
    pub(in crate::store) fn of(pattern: &Pattern) -> Option<Self> {
        let text = pattern.to_string();
        match text.strip_suffix('*') {
            Some("") => None,
            Some(prefix) => Some(Self { text: prefix.to_owned(), is_prefix: true }),
            None => Some(Self { text, is_prefix: false }),
        }
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        if self.is_prefix { text.starts_with(&self.text) } else { text == self.text }
    }
}

/// A receipt, an event or a parcel that was stored, as far as the index knows it.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct NewItem<'i> {
    pub(super) position: u64,
    pub(super) at: Timestamp,
    pub(super) source: &'i str,
    /// Of an event: its type and its subject.
    pub(super) event: Option<(&'i str, Option<&'i str>)>,
    /// Where it goes, if it is an event or a parcel.
    pub(super) endpoints: &'i [Name],
    /// It is a parcel, and in no list but that of deliveries.
    pub(super) is_parcel: bool,
}

/// A try that was committed.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Tried {
    pub(in crate::store) at: Timestamp,
    pub(in crate::store) kind: WorkKind,
    /// The number of its verdict: 0 done, 1 retry, 2 dead.
    pub(in crate::store) verdict: u8,
}

impl<'i> NewItem<'i> {
    pub(in crate::store) fn receipt(receipt: &'i Receipt) -> Self {
        let (position, at) = (receipt.id.position, receipt.request.received_at);
        let source = receipt.source.as_str();
        Self { position, at, source, event: None, endpoints: &[], is_parcel: false }
    }

    pub(in crate::store) fn event(stored: &'i StoredEvent) -> Self {
        let (position, at, event) = (stored.id.position, stored.recorded_at, &stored.event);
        let about = (event.event_type.as_str(), event.subject.as_deref());
        let (source, endpoints) = (event.source.as_str(), &*stored.routes.endpoints);
        Self { position, at, source, event: Some(about), endpoints, is_parcel: false }
    }

    pub(in crate::store) fn parcel(stored: &'i StoredParcel) -> Self {
        let (position, at) = (stored.id.position, stored.recorded_at);
        let endpoints = std::slice::from_ref(&stored.parcel.endpoint);
        Self { position, at, source: "", event: None, endpoints, is_parcel: true }
    }

    /// What it is found by among those that go somewhere.
    pub(super) fn terms(&self) -> impl Iterator<Item = &'i str> + use<'i> {
        let are_many = self.endpoints.len() > ENDPOINTS_MAX;
        let few: &'i [Name] = if are_many { &[] } else { self.endpoints };
        few.iter().map(Name::as_str).chain(are_many.then_some(MANY))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_type_or_a_prefix_of_types_or_all() {
        let types = |text: &str| Types::of(&text.parse().unwrap());
        assert_eq!(types("*"), None);
        let below = types("payment.*").unwrap();
        assert!(below.matches("payment.failed") && !below.matches("payments.failed"));
        let one = types("payment.failed").unwrap();
        assert!(one.matches("payment.failed") && !one.matches("payment.failed.again"));
    }
}
