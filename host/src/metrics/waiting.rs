//! The work that waits for a plugin that is missing or stopped.
//!
//! Set right before somebody reads it. A series that was once there stays, and goes to zero. Never
//! says why a plugin is not there.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{Kind, Label, Metrics};
use crate::ids::Name;
use crate::lock::lock;

/// What there is of waiting work in [`Metrics`].
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    works: Family<[(&'static str, Label); 2], Gauge>,
    /// The series that there are.
    known: Arc<Mutex<HashSet<(Kind, Name)>>>,
}

impl Waiting {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let waiting = Self { works: Family::default(), known: Arc::default() };
        let help = "Parses and runs that wait for a plugin that is missing or stopped";
        registry.register("waiting_for_plugin", help, waiting.works.clone());
        waiting
    }
}

impl Metrics {
    /// All that waits for a plugin now: the parses of these sources, the runs of these handlers,
    /// and how many there are.
    pub(crate) fn set_waiting(&self, waiting: impl IntoIterator<Item = (Kind, Name, usize)>) {
        let waiting = waiting.into_iter().map(|(kind, name, works)| ((kind, name), works));
        let waiting: HashMap<(Kind, Name), usize> = waiting.collect();
        let mut known = lock(&self.waiting.known);
        known.extend(waiting.keys().cloned());
        for of in &*known {
            let (kind, name) = of;
            let labels = [("kind", Label::Case(kind.label())), ("name", Label::Name(name.clone()))];
            let works = waiting.get(of).copied().unwrap_or_default();
            let works = works.try_into().unwrap_or(i64::MAX);
            self.waiting.works.get_or_create(&labels).set(works);
        }
    }
}
