//! What is counted of endpoints, of which there may be a hundred thousand.
//!
//! The busiest have series of their own, and all others one together, so that nobody who makes
//! endpoints makes the metrics grow. Who falls out counts with the others from then on. Never moves
//! what is counted from one series to another: that would look like traffic.

mod ranks;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use self::ranks::{Change, Ranks};
use super::{Counted, Counters, Label, Metrics, Timed, Times, counters, outcome_label};
use crate::ids::Name;
use crate::lock::lock;
use crate::retry::Outcome;

/// The label of all that have no series of their own. No endpoint has this name.
const OTHER: &str = "(other)";
/// Every outcome of an attempt.
const OUTCOMES: [&str; 3] = ["success", "transient", "permanent"];

/// What there is of endpoints in [`Metrics`].
#[derive(Debug, Clone)]
pub(super) struct Endpoints {
    attempts: Counters,
    attempt_time: Times,
    delivery_time: Histogram,
    open_breakers: Gauge,
    concurrency: Family<[(&'static str, Label); 1], Gauge>,
    /// Held while something is counted: who falls out meanwhile leaves no series behind.
    ranks: Arc<Mutex<Ranks>>,
}

impl Endpoints {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let endpoints = Self {
            attempts: counters(registry, "attempts", "Attempts to deliver, by outcome"),
            attempt_time: Times::new(registry, "attempt", "Time of one attempt to deliver"),
            // A delivery may succeed at a try that comes a day later.
            delivery_time: Histogram::new(exponential_buckets(0.001, 2.0, 28)),
            open_breakers: Gauge::default(),
            concurrency: Family::default(),
            ranks: Arc::default(),
        };
        let help =
            "Attempts at a time to an endpoint; 0 while the gateway waits for the next probe";
        registry.register("endpoint_concurrency", help, endpoints.concurrency.clone());
        let help = "Time from when an event was stored to when an endpoint accepted it";
        let time = endpoints.delivery_time.clone();
        registry.register_with_unit("delivery", help, Unit::Seconds, time);
        let help = "Endpoints whose breaker is open, or lets one attempt go at a time";
        registry.register("breaker_open", help, endpoints.open_breakers.clone());
        endpoints
    }

    pub(super) fn delivered(&self, time: Duration) {
        self.delivery_time.observe(time.as_secs_f64());
    }

    fn set_concurrency(&self, endpoint: &Name, at_a_time: usize) {
        let gauge = self.concurrency.get_or_create(&[("endpoint", Label::Name(endpoint.clone()))]);
        gauge.set(at_a_time.try_into().unwrap_or(i64::MAX));
    }

    fn follow(&self, changes: Vec<Change>) {
        for change in changes {
            match change {
                // Its attempts count from the next one on.
                Change::In(endpoint, at_a_time) => self.set_concurrency(&endpoint, at_a_time),
                Change::Out(endpoint) => self.hide(&endpoint),
            }
        }
    }

    /// An endpoint has no series any more.
    fn hide(&self, endpoint: &Name) {
        let name = || ("endpoint", Label::Name(endpoint.clone()));
        self.concurrency.remove(&[name()]);
        for outcome in OUTCOMES {
            self.attempts.remove(&[name(), ("outcome", Label::Case(outcome))]);
        }
    }
}

impl Metrics {
    /// A delivery was attempted, for this time.
    pub(crate) fn attempt(&self, endpoint: &Name, outcome: &Outcome, time: impl Into<Timed>) {
        let of = &self.endpoints;
        let case = ("outcome", Label::Case(outcome_label(outcome)));
        let mut ranks = lock(&of.ranks);
        let is_shown = ranks.attempted(endpoint);
        let label = if is_shown { Label::Name(endpoint.clone()) } else { Label::Case(OTHER) };
        of.attempts.get_or_create(&[("endpoint", label), case]).inc();
        of.follow(ranks.rank_if_due());
        drop(ranks);
        of.attempt_time.observe(time.into());
        self.totals.ended(outcome, Counted::Delivered, Counted::AttemptFailures);
    }

    /// An endpoint gets so many attempts at a time from now on.
    pub(crate) fn endpoint_concurrency(&self, endpoint: &Name, at_a_time: usize) {
        let mut ranks = lock(&self.endpoints.ranks);
        // Of the others together it says nothing.
        if ranks.allowed(endpoint, at_a_time) {
            self.endpoints.set_concurrency(endpoint, at_a_time);
        }
    }

    /// The breaker of an endpoint is open from now on, or no longer.
    pub(crate) fn breaker(&self, is_open: bool) {
        self.endpoints.open_breakers.inc_by(if is_open { 1 } else { -1 });
    }

    /// An endpoint is gone.
    pub(crate) fn endpoint_removed(&self, endpoint: &Name) {
        let mut ranks = lock(&self.endpoints.ranks);
        ranks.remove(endpoint);
        self.endpoints.hide(endpoint);
    }

    /// From now on so many endpoints have series of their own, at most: the busiest.
    pub(crate) fn show_endpoints(&self, most: usize) {
        let mut ranks = lock(&self.endpoints.ranks);
        self.endpoints.follow(ranks.show(most));
    }
}
