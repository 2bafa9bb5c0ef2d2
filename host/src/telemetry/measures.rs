//! The export of metrics: all of them at once, at a steady pace, beside everything else.
//!
//! With deltas the gateway keeps what the collector does not accept, and adds to it until the
//! collector does; a total is in the next export anyway. Never counts anything itself.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::collector::Collector;
use super::growth::Reading;
use super::otlp::{self, Period};
use super::{Settings, Temporality};
use crate::clock::Clock;
use crate::metrics::{Metric, read};

/// What exports metrics, once somebody says how to read them.
pub(super) struct Measures {
    every: Duration,
    temporality: Temporality,
    resource: Vec<(String, String)>,
    collector: Arc<Collector>,
    clock: Clock,
    /// When everything was at zero, in nanoseconds since 1970.
    began: u64,
}

impl fmt::Debug for Measures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Measures").field("every", &self.every).finish_non_exhaustive()
    }
}

impl Measures {
    /// At this pace, as the settings say. Everything is at zero now.
    pub(super) fn new(
        every: Duration,
        settings: &Settings,
        collector: Arc<Collector>,
        clock: Clock,
    ) -> Self {
        let (temporality, resource) = (settings.temporality, settings.resource.clone());
        let began = clock.nanoseconds();
        Self { every, temporality, resource, collector, clock, began }
    }

    /// Exports until it is told to stop, and once more then. `measure` gives the metrics in the
    /// text format of OpenMetrics.
    pub(super) async fn run(self, measure: impl Fn() -> String + Send, stop: CancellationToken) {
        let mut before = Reading { at: self.began, metrics: Vec::new() };
        let (mut owed, mut accepted) = (Vec::new(), self.began);
        let mut due = self.clock.moment(self.every);
        loop {
            let is_last = tokio::select! {
                () = self.clock.comes(Some(due)) => false,
                () = stop.cancelled() => true,
            };
            due = self.clock.moment(self.every);
            // Somebody may have set the clock back.
            let at = self.clock.nanoseconds().max(before.at);
            let mut now = Reading { at, metrics: read(&measure()) };
            let period = Period { from: accepted, to: at };
            let is_accepted = match self.temporality {
                Temporality::Cumulative => {
                    now.date(&before);
                    self.export(&now.metrics, period).await
                }
                Temporality::Delta => {
                    now.owe(&before, &mut owed);
                    self.export(&owed, period).await
                }
            };
            if is_accepted {
                owed.clear();
                accepted = at;
            }
            if is_last {
                return;
            }
            before = now;
        }
    }

    async fn export(&self, metrics: &[Metric], period: Period) -> bool {
        let body = otlp::metrics(&self.resource, metrics, self.temporality, period);
        self.collector.send_metrics(body).await
    }
}
