//! What is counted for operational events: what came of a source, and what was lost on the way.
//!
//! Never decides what is worth an event.

use std::collections::BTreeMap;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

use super::{Answered, Label, Metrics};
use crate::ids::Name;

/// What there is of notices in [`Metrics`].
#[derive(Debug, Clone)]
pub(super) struct Notices {
    dropped: Counter,
}

impl Notices {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let notices = Self { dropped: Counter::default() };
        let help = "Operational events that the gateway dropped, because too many waited";
        registry.register("notices_dropped", help, notices.dropped.clone());
        notices
    }
}

impl Metrics {
    /// There was no room for something that happened to the gateway.
    pub(crate) fn notice_dropped(&self) {
        self.notices.dropped.inc();
    }

    /// How many requests of a source were answered how since the start; none that there was not.
    pub(crate) fn answered(&self, source: &Name) -> BTreeMap<&'static str, u64> {
        let count = |answered: Answered| {
            let source = ("source", Label::Name(source.clone()));
            let outcome = ("outcome", Label::Case(answered.label()));
            let counter = self.requests.get(&[source, outcome])?;
            Some((answered.label(), counter.get()))
        };
        Answered::ALL.into_iter().filter_map(count).collect()
    }

    /// How many requests of a source were accepted since the start, duplicates too.
    pub(crate) fn accepted(&self, source: &Name) -> u64 {
        let count = |answered: Answered| {
            let source = ("source", Label::Name(source.clone()));
            let outcome = ("outcome", Label::Case(answered.label()));
            self.requests.get_or_create(&[source, outcome]).get()
        };
        count(Answered::Accepted) + count(Answered::Duplicate)
    }
}
