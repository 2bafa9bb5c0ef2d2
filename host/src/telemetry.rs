//! Telemetry: what happens on the path of an event, for the collector of the operator.
//!
//! Whoever does a step says when it has ended and how; that is a branch where telemetry is off, and
//! never waits where it is on. A queue holds the spans that are not exported yet, of each source,
//! handler and endpoint as many as leave room for those of others. What has no room in it, or what
//! the collector does not take, is dropped and counted. Never decides what becomes of an event.

mod collector;
mod growth;
mod measures;
mod otlp;
mod room;
mod span;
mod spans;

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

use self::collector::Collector;
use self::measures::Measures;
use self::room::Room;
use self::span::Span;
pub(crate) use self::span::{Description, SpanKind, Step};
use self::spans::Spans;
use crate::clock::Clock;
use crate::egress::{Authorities, SetupError};
use crate::event::Timestamp;
use crate::ids::Id;
use crate::metrics::Metrics;
use crate::secrets::Secret;
use crate::store::Store;
use crate::trace_context::{SpanId, TraceContext, TraceId};

/// Spans that wait for their export: more than the room lets in at once.
const QUEUED_MAX: usize = 4_096;
/// How long a stop waits for the last export.
const STOPPING_MAX: Duration = Duration::from_secs(5);

/// The header that says which span a request comes from.
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// How and what to export.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Of the collector, without the path of a signal.
    pub(crate) endpoint: Url,
    /// What each export has besides.
    pub(crate) headers: Vec<(HeaderName, Secret)>,
    /// Authorities that the collector may be known by besides those that the system trusts.
    pub(crate) ca: Authorities,
    /// What all that is exported is about: keys of the conventions, and their texts.
    pub(crate) resource: Vec<(String, String)>,
    /// The share of traces that are exported whole, from 0 to 1; `None`: no traces at all.
    pub(crate) traces: Option<f64>,
    /// How often metrics are exported; `None`: not at all.
    pub(crate) metrics: Option<Duration>,
    pub(crate) temporality: Temporality,
}

/// From when the counters and histograms of an export count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Temporality {
    /// From the start of the gateway, or of what they count.
    #[default]
    Cumulative,
    /// From the last export that the collector accepted.
    Delta,
}

/// Takes what has ended. Clones take the same; by default it takes nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Telemetry(Option<Arc<Tracer>>);

#[derive(Debug)]
struct Tracer {
    share: f64,
    room: Room,
    queue: mpsc::Sender<Span>,
    clock: Clock,
    metrics: Metrics,
}

/// The tasks that export. They end with it.
#[derive(Debug, Default)]
pub(crate) struct Exports {
    tasks: JoinSet<()>,
    stop: CancellationToken,
    /// What waits until the metrics can be read.
    measures: Option<Measures>,
}

/// By what a try of a work is known: by the same each time that somebody asks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tried {
    /// The work.
    pub(crate) id: Id,
    /// Tries before it.
    pub(crate) tries_made: u32,
    /// When it began.
    pub(crate) at: Timestamp,
    /// Whether somebody asked for it again.
    pub(crate) is_replay: bool,
}

impl Settings {
    /// Whether both export the same to the same collector.
    pub(crate) fn is_as(&self, other: &Self) -> bool {
        let header =
            |(name, secret): &(HeaderName, Secret)| (name.clone(), secret.expose().to_owned());
        let headers = self.headers.iter().map(header).eq(other.headers.iter().map(header));
        let of = |it: &Self| (it.traces, it.metrics, it.temporality);
        let to = (&self.endpoint, &self.ca, &self.resource);
        let same = to == (&other.endpoint, &other.ca, &other.resource) && of(self) == of(other);
        headers && same
    }
}

impl Telemetry {
    /// Exports as the settings say, from now on; nothing without any, and no metrics before
    /// [`Exports::measure`]. What is exported of a duplicate is looked up in the store.
    pub(crate) fn start(
        settings: Option<&Settings>,
        store: &Store,
        clock: &Clock,
        metrics: &Metrics,
    ) -> Result<(Self, Exports), SetupError> {
        let mut exports = Exports::default();
        let Some(settings) = settings else { return Ok((Self::default(), exports)) };
        let collector = Arc::new(Collector::new(settings, clock.clone(), metrics.clone())?);
        exports.measures = settings
            .metrics
            .map(|every| Measures::new(every, settings, collector.clone(), clock.clone()));
        let Some(share) = settings.traces else { return Ok((Self::default(), exports)) };
        let (queue, queued) = mpsc::channel(QUEUED_MAX);
        let (store, counted) = (store.clone(), metrics.clone());
        let spans = Spans { queued, collector, store, metrics: counted };
        exports.tasks.spawn(spans.run(settings.resource.clone(), exports.stop.clone()));
        let (clock, metrics) = (clock.clone(), metrics.clone());
        let tracer = Tracer { share, room: Room::default(), queue, clock, metrics };
        Ok((Self(Some(Arc::new(tracer))), exports))
    }

    /// The step that a request is. What its header `traceparent` names is the parent of the step,
    /// and its trace is that of the step. Whether it is sampled, the share and the id of the trace
    /// decide: what a sender says of sampling does not count.
    pub(crate) fn request(&self, headers: &HeaderMap) -> Option<Step> {
        let tracer = self.0.as_deref()?;
        let mut said = headers.get_all(TRACEPARENT).iter();
        let parent = match (said.next(), said.next()) {
            (Some(one), None) => one.to_str().ok().and_then(TraceContext::parse),
            _ => None,
        };
        Some(tracer.root(parent))
    }

    /// The same step of a request whose sender nobody knows: it is in no trace of that sender, but
    /// linked to what the sender named, and sampled by an id that the sender did not choose.
    pub(crate) fn apart(&self, step: Step) -> Step {
        let step = step.apart();
        let Some(tracer) = self.0.as_deref() else { return step };
        let is_sampled = step.context.trace.is_among(tracer.share);
        Step { context: TraceContext { is_sampled, ..step.context }, ..step }
    }

    /// The step that a try of a work is, below the span that its work came of. A replay begins a
    /// trace of its own, linked to that span.
    pub(crate) fn tried(&self, of: Option<TraceContext>, tried: Tried) -> Option<Step> {
        self.0.as_deref()?;
        let Tried { id, tries_made, at, is_replay } = tried;
        let known_by = [1 + id.kind as u64, id.position, tries_made.into(), at.0];
        Some(if is_replay { Step::linked(of?, known_by) } else { Step::below(of?, known_by) })
    }

    /// A step of a request before it is stored.
    pub(crate) fn part(&self, of: Option<TraceContext>, part: Part) -> Option<Step> {
        self.0.as_deref()?;
        Some(Step::below(of?, [0, part as u64, 0, 0]))
    }

    /// A step has ended after this time. It is exported if its trace is sampled or it failed.
    pub(crate) fn ended(
        &self,
        step: &Step,
        is_failed: bool,
        took: Duration,
        describe: impl FnOnce() -> Description,
    ) {
        let Some(tracer) = self.0.as_deref() else { return };
        if !step.context.is_sampled && !is_failed {
            return;
        }
        let (ended, description) = (tracer.clock.nanoseconds(), describe());
        let held = tracer.room.take(description.owner.clone(), description.bytes());
        let span = held.map(|_held| {
            let step = *step;
            Span { step, ended, took, is_failed, description, _held }
        });
        if span.is_none_or(|span| tracer.queue.try_send(span).is_err()) {
            tracer.metrics.spans_dropped("queue", 1);
        }
    }
}

/// A part of the way of a request into the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// From the whole request to the proof that it is genuine.
    Verify,
    /// A parse before it is stored.
    Parse,
    /// Until it is on disk.
    Append,
}

impl Tracer {
    fn root(&self, parent: Option<TraceContext>) -> Step {
        let random = || TraceId::new(fastrand::u128(1..).to_be_bytes());
        let span = SpanId::new(fastrand::u64(1..).to_be_bytes());
        let trace = parent.map(|parent| parent.trace).or_else(random);
        let (trace, span) = (trace.expect("it is not zero"), span.expect("it is not zero"));
        let is_sampled = trace.is_among(self.share);
        Step::root(TraceContext { trace, span, is_sampled }, parent)
    }
}

impl Exports {
    /// Exports what `measure` gives, metrics in the text format of OpenMetrics, as often as the
    /// settings say.
    pub(crate) fn measure(&mut self, measure: impl Fn() -> String + Send + 'static) {
        if let Some(measures) = self.measures.take() {
            self.tasks.spawn(measures.run(measure, self.stop.clone()));
        }
    }

    /// Exports what waits, if the collector takes it soon.
    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        // What it did not take is dropped, and nobody is left to read that it was counted.
        drop(tokio::time::timeout(STOPPING_MAX, ended).await);
        // Nothing asks the store any more: it is closed next.
        self.tasks.shutdown().await;
    }
}

#[cfg(test)]
mod tests;
