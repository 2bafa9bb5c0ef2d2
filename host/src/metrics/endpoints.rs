//! What is counted of endpoints, of which there may be a hundred thousand.
//!
//! Those of the configuration have series of their own, and so have the first that the API made.
//! Never forgets which those are: a series that was once there stays.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{Counted, Label, Metrics, outcome_label};
use crate::ids::Name;
use crate::lock::lock;
use crate::retry::Outcome;

/// Most endpoints of the API that have series of their own: the first that are counted.
const SHOWN_MAX: usize = 200;
/// The label of all others.
const OTHER: &str = "(other)";

/// The endpoints of the API that have series of their own.
pub(super) type Shown = Arc<Mutex<HashSet<Name>>>;

impl Metrics {
    /// A delivery was attempted, for this time.
    pub(crate) fn attempt(&self, endpoint: &Name, outcome: &Outcome, time: Duration) {
        let label = ("outcome", Label::Case(outcome_label(outcome)));
        self.attempts.get_or_create(&[("endpoint", self.endpoint(endpoint)), label]).inc();
        self.attempt_time.observe(time.as_secs_f64());
        self.totals.ended(outcome, Counted::Delivered, Counted::AttemptFailures);
    }

    /// The label of an endpoint. Those of the configuration have one each, whoever makes ten
    /// thousand by the API.
    fn endpoint(&self, key: &Name) -> Label {
        if key.endpoint_id().is_none() {
            return Label::Name(key.clone());
        }
        let mut shown = lock(&self.shown);
        if !shown.contains(key) {
            if shown.len() >= SHOWN_MAX {
                return Label::Case(OTHER);
            }
            shown.insert(key.clone());
        }
        Label::Name(key.clone())
    }

    /// An endpoint gets so many attempts at a time from now on.
    pub(crate) fn endpoint_concurrency(&self, endpoint: &Name, at_a_time: usize) {
        let label = self.endpoint(endpoint);
        // Of the others together it says nothing.
        if label != Label::Case(OTHER) {
            let gauge = self.concurrency.get_or_create(&[("endpoint", label)]);
            gauge.set(at_a_time.try_into().unwrap_or(i64::MAX));
        }
    }

    /// An endpoint is gone.
    pub(crate) fn endpoint_removed(&self, endpoint: &Name) {
        self.concurrency.remove(&[("endpoint", Label::Name(endpoint.clone()))]);
    }
}
