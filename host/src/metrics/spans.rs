//! What is counted of telemetry itself: the spans and the points of metrics that nobody will see.
//!
//! Never decides which are dropped.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::Metrics;

/// What there is of spans in [`Metrics`].
#[derive(Debug, Clone)]
pub(super) struct Spans {
    dropped: Family<[(&'static str, &'static str); 1], Counter>,
    points: Family<[(&'static str, &'static str); 1], Counter>,
}

impl Spans {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let spans = Self { dropped: Family::default(), points: Family::default() };
        let help = "Spans that the gateway dropped, because the queue was full or the collector \
                    did not accept them";
        registry.register("spans_dropped", help, spans.dropped.clone());
        let help = "Data points of metrics that the collector rejected of exports that it accepted \
                    otherwise";
        registry.register("points_dropped", help, spans.points.clone());
        spans
    }
}

impl Metrics {
    /// The gateway dropped so many spans: because the `queue` was full, or the `collector` did not
    /// take them.
    pub(crate) fn spans_dropped(&self, by: &'static str, spans: usize) {
        self.spans.dropped.get_or_create(&[("by", by)]).inc_by(spans as u64);
    }

    /// So many data points of metrics were dropped: the `collector` rejected them.
    pub(crate) fn points_dropped(&self, by: &'static str, points: usize) {
        self.spans.points.get_or_create(&[("by", by)]).inc_by(points as u64);
    }
}
