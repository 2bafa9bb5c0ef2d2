//! Which works a replay by filter is for, and how it goes on.
//!
//! Values. Without an endpoint, a reason or a kind it is for the runs and deliveries of events as
//! they were routed; with one of these, for single works. Never looks into the store.

use serde::Serialize;

use super::EventFilter;
use crate::failure::Reason;
use crate::ids::Name;
use crate::store::kind::WorkKind;
use crate::store::read::view::State;

/// Which works.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ReplayFilter {
    /// On these events; a receipt has no type, no subject and no tenant. The state is that of the
    /// work.
    #[serde(flatten)]
    pub events: EventFilter,
    /// Deliveries to this endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Name>,
    /// Which died of this; the state must say that they are dead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// Of this kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<WorkKind>,
}

/// A replay to begin.
#[derive(Debug, Clone, Default)]
pub struct NewReplay {
    /// Which works it is for.
    pub filter: ReplayFilter,
    /// Works a second, at most; `None` is no limit of its own.
    pub rate: Option<u32>,
    /// How many works match, if somebody has counted them.
    pub total: Option<u64>,
}

impl From<EventFilter> for ReplayFilter {
    fn from(events: EventFilter) -> Self {
        Self { events, ..Self::default() }
    }
}

impl From<ReplayFilter> for NewReplay {
    fn from(filter: ReplayFilter) -> Self {
        Self { filter, ..Self::default() }
    }
}

impl From<EventFilter> for NewReplay {
    fn from(events: EventFilter) -> Self {
        ReplayFilter::from(events).into()
    }
}

impl ReplayFilter {
    /// Whether a work of this kind may be one. Without a word only a reason reaches parses, and an
    /// endpoint has deliveries alone.
    pub(in crate::store) fn has_kind(&self, kind: WorkKind) -> bool {
        let has_name = self.endpoint.is_some();
        match (self.kind, kind) {
            (Some(wanted), kind) => wanted == kind && (!has_name || kind == WorkKind::Delivery),
            (None, WorkKind::Delivery) => true,
            (None, WorkKind::Run) => !has_name,
            (None, WorkKind::Parse) => !has_name && self.reason.is_some(),
        }
    }

    /// Whether a work of this kind, of this source, handler or endpoint, may be one.
    pub(in crate::store) fn is_for(&self, kind: WorkKind, group: &Name) -> bool {
        self.has_kind(kind) && self.endpoint.as_ref().is_none_or(|endpoint| endpoint == group)
    }

    /// Whether deliveries of what runs have sent are among them: a run that is done again sends
    /// anew.
    pub(in crate::store) fn has_parcels(&self) -> bool {
        let is_open_or_dead = matches!(self.events.state, Some(State::Pending | State::Dead));
        is_open_or_dead || self.endpoint.is_some() || self.kind.is_some()
    }

    /// Whether it says something of events, beside how their works stand.
    pub(in crate::store) fn is_of_events(&self) -> bool {
        let EventFilter { after, before, .. } = &self.events;
        self.events.says_what() || after.is_some() || before.is_some()
    }

    /// Whether it opens works, beside those that it hastens.
    pub(in crate::store) fn opens(&self) -> bool {
        self.events.state != Some(State::Pending)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_are_meant_only_where_a_reason_or_the_kind_says_so() {
        let all = ReplayFilter::default;
        let kinds = |filter: ReplayFilter| WorkKind::ALL.map(|kind| filter.has_kind(kind));
        assert_eq!(kinds(all()), [false, true, true]);
        let reason = Some(Reason::Unparsable);
        assert_eq!(kinds(ReplayFilter { reason, ..all() }), [true, true, true]);
        let endpoint: Option<Name> = Some("crm".parse().unwrap());
        assert_eq!(
            kinds(ReplayFilter { endpoint: endpoint.clone(), ..all() }),
            [false, false, true]
        );
        let kind = Some(WorkKind::Parse);
        assert_eq!(kinds(ReplayFilter { kind, ..all() }), [true, false, false]);
        assert_eq!(kinds(ReplayFilter { kind, endpoint, ..all() }), [false; 3]);
    }
}
