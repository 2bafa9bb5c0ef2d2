//! What is counted of the store: how long its commits take, and for how long work waits in it.
//!
//! Never asks the store: whoever knows it says so.

use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use super::{Gauges, Kind, Metrics};

/// What there is of the store in [`Metrics`].
#[derive(Debug, Clone)]
pub(super) struct Stored {
    sync_time: Histogram,
    oldest: Gauges,
    damaged_records: Gauge,
}

impl Stored {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let stored = Self {
            // From a quarter of a millisecond to half a minute.
            sync_time: Histogram::new(exponential_buckets(0.000_25, 2.0, 18)),
            oldest: Gauges::default(),
            damaged_records: Gauge::default(),
        };
        let help = "Time of one commit of the store, until it is on the disk";
        registry.register_with_unit("sync", help, Unit::Seconds, stored.sync_time.clone());
        let help = "Age of about the oldest work that waits, by kind";
        registry.register_with_unit("oldest_open", help, Unit::Seconds, stored.oldest.clone());
        let help = "Damaged records that the gateway has met in the store since the start";
        registry.register("damaged_records", help, stored.damaged_records.clone());
        stored
    }
}

impl Metrics {
    /// A commit was on the disk after this time.
    pub(crate) fn synced(&self, time: Duration) {
        self.stored.sync_time.observe(time.as_secs_f64());
    }

    /// For how long the oldest work of a kind has waited; set before [`Metrics::render`].
    pub(crate) fn set_oldest(&self, kind: Kind, age: Duration) {
        let age = age.as_secs().try_into().unwrap_or(i64::MAX);
        self.stored.oldest.get_or_create(&[("kind", kind.label())]).set(age);
    }

    /// Damage was met at so many places of the store; set before [`Metrics::render`].
    pub(crate) fn set_damaged(&self, places: usize) {
        self.stored.damaged_records.set(places.try_into().unwrap_or(i64::MAX));
    }
}
