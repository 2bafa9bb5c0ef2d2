//! What canaries run and what becomes of them, in numbers.
//!
//! Never decides whether one is worse.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::{Counters, Label, Metrics, count, counters};
use crate::ids::Name;

/// What there is of canaries in [`Metrics`].
#[derive(Debug, Clone)]
pub(super) struct Canaries {
    runs: Family<[(&'static str, Label); 3], Counter>,
    verdicts: Counters,
}

impl Canaries {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let help = "Verdicts of canaries of handlers";
        let verdicts = counters(registry, "canary_verdicts", help);
        let canaries = Self { runs: Family::default(), verdicts };
        let help = "Runs that count for or against a canary, by version and outcome";
        registry.register("canary_runs", help, canaries.runs.clone());
        canaries
    }
}

impl Metrics {
    /// A run of this version of a handler, which has a canary, counts as a success or a failure.
    pub(crate) fn canary_run(&self, handler: &Name, version: &'static str, failed: bool) {
        let outcome = if failed { "failure" } else { "success" };
        let labels = [
            ("handler", Label::Name(handler.clone())),
            ("version", Label::Case(version)),
            ("outcome", Label::Case(outcome)),
        ];
        self.canaries.runs.get_or_create(&labels).inc();
    }

    /// This became of a canary of a handler.
    pub(crate) fn canary_verdict(&self, handler: &Name, verdict: &'static str) {
        count(&self.canaries.verdicts, ("handler", handler), ("verdict", verdict));
    }
}
