//! How long something took, and in which span: histograms whose buckets show an exemplar.
//!
//! Only a span whose trace is exported as a whole is one, so that whoever follows it finds the
//! trace; each bucket keeps the last. Never asks for the time where there is no such span.

use std::fmt;
use std::time::{Duration, SystemTime};

use prometheus_client::encoding::{EncodeLabel, EncodeLabelSet, LabelSetEncoder};
use prometheus_client::metrics::exemplar::HistogramWithExemplars;
use prometheus_client::metrics::histogram::exponential_buckets;
use prometheus_client::registry::{Registry, Unit};

use crate::clock::Clock;
use crate::event::Timestamp;
use crate::trace_context::TraceContext;

/// How long something took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timed {
    pub(super) time: Duration,
    /// The span that it was, and when that ended.
    span: Option<(TraceContext, Timestamp)>,
}

impl Timed {
    /// What took this time and has ended now, as this span if it has one.
    pub(crate) fn of(time: Duration, span: Option<TraceContext>, clock: &Clock) -> Self {
        let span = span.filter(|span| span.is_sampled);
        Self { time, span: span.map(|span| (span, clock.now())) }
    }
}

/// What has no span.
impl From<Duration> for Timed {
    fn from(time: Duration) -> Self {
        Self { time, span: None }
    }
}

/// A histogram of times. Clones count together.
#[derive(Debug, Clone)]
pub(super) struct Times(HistogramWithExemplars<InSpan>);

impl Times {
    /// From a quarter of a millisecond to half a minute.
    pub(super) fn new(registry: &mut Registry, name: &str, help: &str) -> Self {
        let times = HistogramWithExemplars::new(exponential_buckets(0.000_25, 2.0, 18));
        registry.register_with_unit(name, help, Unit::Seconds, times.clone());
        Self(times)
    }

    pub(super) fn observe(&self, Timed { time, span }: Timed) {
        let ended = span.map(|(_, at)| SystemTime::UNIX_EPOCH + Duration::from_millis(at.0));
        self.0.observe(time.as_secs_f64(), span.map(|(span, _)| InSpan(span)), ended);
    }
}

/// The labels of an exemplar, as OpenMetrics suggests them.
#[derive(Debug)]
struct InSpan(TraceContext);

impl EncodeLabelSet for InSpan {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        let Self(span) = self;
        EncodeLabel::encode(&("trace_id", span.trace.to_string()), encoder.encode_label())?;
        EncodeLabel::encode(&("span_id", span.span.to_string()), encoder.encode_label())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Answered, Exemplar, Metrics, Value, read};

    /// Take the filter out of `Timed::of`, and a trace that nobody has is an exemplar.
    #[test]
    fn a_bucket_shows_the_last_span_whose_trace_is_exported() {
        let span = |flags: &str| {
            let text = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}");
            TraceContext::parse(&text).unwrap()
        };
        let (metrics, stripe) = (Metrics::new(), "stripe".parse().unwrap());
        let clock = Clock::manual(Timestamp(1_700_000_000_123));
        let request = |milliseconds, span| {
            let time = Timed::of(Duration::from_millis(milliseconds), span, &clock);
            metrics.request(&stripe, Answered::Accepted, time);
        };
        request(3, Some(span("01")));
        request(100, Some(span("00")));
        request(900, None);

        let text = metrics.render();
        let line = "hookgate_ingest_seconds_bucket{le=\"0.004\"} 1 # \
                    {trace_id=\"4bf92f3577b34da6a3ce929d0e0e4736\",span_id=\"00f067aa0ba902b7\"} \
                    0.003 1700000000.123";
        assert!(text.lines().any(|found| found == line), "no `{line}` in\n{text}");
        assert_eq!(text.matches("trace_id").count(), 1);

        let all = read(&text);
        let ingest = all.iter().find(|metric| metric.name == "hookgate_ingest_seconds").unwrap();
        let sample = ingest.series.values().next().unwrap();
        let Value::Spread(spread) = &sample.value else { panic!("{sample:?}") };
        let TraceContext { trace, span, .. } = span("01");
        let exemplar = Exemplar { trace, span, value: 0.003, at: 1_700_000_000_123_000_000 };
        assert_eq!(spread.exemplars, [exemplar]);
    }
}
